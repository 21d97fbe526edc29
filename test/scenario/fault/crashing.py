"""A role that keeps crashing: it is started again with growing pauses, `status` says so, and the others go on."""
import os
import signal
import smtplib
import socket
import time

import pytest

from faults import injected, pids, ready, root_only
from server import alive, insecure, messages, wait_for, wait_until


def kill_as_it_starts(server, role, times):
    """Kills every process of a role again and again; returns how long after each death the next one came."""
    pauses = []
    whole = len(pids(server, role))
    for _ in range(times):
        wait_until(lambda: len(pids(server, role)) == whole, 20, f"{role} is started")
        found = pids(server, role)
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        died = time.monotonic()
        wait_until(lambda: not any(map(alive, found)), 10, "it is dead")
        wait_until(lambda: set(pids(server, role)) - set(found), 20, f"{role} is started again")
        pauses.append(time.monotonic() - died)
    return pauses


def answer_at_rcpt(server, user):
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=30) as client:
        client.ehlo("client.example")
        client.mail("stranger@example.org")
        return client.rcpt(user)[0]


def state(server, role):
    return {row["state"] for row in server.status()["roles"] if row["role"] == role}


@pytest.mark.parametrize("role", ["gate", "keeper", "intake", "store", "courier"])
def test_a_crashing_role_is_restarted_with_growing_pauses(own, role):
    own.account("alice")
    own.deliver("alice", b"Subject: before\r\n\r\n")
    client = own.imap("alice")
    wait_for(client, 1)
    pauses = kill_as_it_starts(own, role, 3)
    assert pauses[-1] > pauses[0], pauses
    for pid in pids(own, role):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: own.status()["state"] == "degraded", 10, "status says so")
    said = own.tool("status", check=False)
    assert said.returncode == 1 and "degraded" in said.stdout and "restarted" in said.stdout
    rows = [row for row in own.status()["roles"] if row["role"] == role]
    assert all(row["restarts"] >= 2 for row in rows), rows
    # Whoever does not need it, works.
    if role != "gate":
        assert client.noop()[0] == "OK"
        assert client.uid("FETCH", "1", "(FLAGS ENVELOPE)")[0] == "OK"
    if role in ("intake", "store"):
        assert answer_at_rcpt(own, "alice@demo.test") == 250
        own.imap("alice").logout()
    if role == "keeper":
        assert answer_at_rcpt(own, "alice@demo.test") in (250, 451)
    wait_until(lambda: own.status()["state"] == "healthy", 30, "it recovers")
    own.deliver("alice", b"Subject: after\r\n\r\n")
    with own.imap("alice") as fresh:
        assert len(wait_for(fresh, 2)) == 2
    if role != "gate":
        wait_until(lambda: len(messages(client)) == 2, 20, "the old connection sees it, too")


def test_a_session_that_crashes_is_opened_anew(own):
    own.account("alice")
    own.account("bob")
    with own.imap("bob") as other:
        for number in range(3):
            client = own.imap("alice")
            client.append("INBOX", None, None, f"Subject: {number}\r\n\r\n".encode())
            session = max(pids(own, "session"))
            os.kill(session, signal.SIGKILL)
            with pytest.raises((client.abort, ConnectionError, OSError)):
                for _ in range(3):
                    client.noop()
            wait_until(lambda: not alive(session), 10, "it is dead")
        assert other.noop()[0] == "OK"
        with own.imap("alice") as client:
            assert len(wait_for(client, 3)) == 3
    assert own.status()["state"] == "healthy"


@root_only
def test_clients_that_wait_for_a_gate_to_start_do_it_no_harm(own):
    """The sockets are the supervisor's: who comes while there is no gate is the first thing that the next one sees."""
    own.account("alice")
    gates = pids(own, "gate")
    with injected(own.process.pid, "sendmsg", "delay_exit=50000"):  # a gate hears of each socket on its own
        for pid in gates:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, gates)), 10, "they are dead")
        early = [socket.create_connection(("127.0.0.1", own.port(port)), 20) for port in (993, 465, 995, 143, 25) * 8]
        for client in early[:3]:
            with insecure().wrap_socket(client) as tls:
                assert tls.version() is not None
        wait_until(lambda: own.status()["state"] == "healthy", 60, "they are back")
    for client in early[3:]:
        client.close()
    rows = [row for row in own.status()["roles"] if row["role"] == "gate"]
    assert sum(row["restarts"] for row in rows) <= len(rows), rows
    own.imap("alice").logout()
