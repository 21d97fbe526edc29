"""A process that runs out of descriptors refuses what needs one, rests meanwhile, and goes on when it has some again."""
import contextlib
import imaplib
import smtplib
import socket
import time

import pytest

from faults import cpu, few_descriptors, pid_of
from server import Server, messages, wait_for, wait_until

LARGE = (b"x" * 70 + b"\r\n") * 1000  # a small body travels without a descriptor
ONE_GATE = "[server]\ngates = 1\nintakes = 1\n"


@pytest.fixture
def single():
    with Server(settings=ONE_GATE) as server:
        server.domain()
        server.account("alice")
        yield server


def connect(server, port=25):
    return socket.create_connection(("127.0.0.1", server.port(port)), timeout=20)


def idle_share(pid, seconds=1.0):
    """The share of a processor that a process uses while it has nothing to do."""
    began, used = time.monotonic(), cpu(pid)
    wait_until(lambda: time.monotonic() - began >= seconds, seconds + 5, "time passes")
    return (cpu(pid) - used) / (time.monotonic() - began)


def test_a_gate_without_descriptors_lets_callers_wait(single):
    gate = pid_of(single, "gate")
    with contextlib.ExitStack() as held:
        with few_descriptors(gate, 4):
            callers = [held.enter_context(connect(single)) for _ in range(12)]
            first = callers[0].makefile("rb")
            assert first.readline().startswith(b"220")
            assert idle_share(gate) < 0.3
            # Who was there before is served.
            callers[0].sendall(b"EHLO client.example\r\n")
            assert first.readline().startswith(b"250")
        # With descriptors again, those who waited come in, and mail flows.
        assert callers[-1].makefile("rb").readline().startswith(b"220")
    single.deliver("alice", b"Subject: after\r\n\r\n")
    with single.imap("alice") as client:
        assert len(wait_for(client, 1)) == 1
    assert pid_of(single, "gate") == gate


@pytest.mark.parametrize("role", ["keeper", "intake", "store", "supervisor"])
def test_a_role_without_descriptors_refuses_for_now(single, role):
    pid = single.process.pid if role == "supervisor" else pid_of(single, role)
    others = set(single.roles())
    refused = 0
    with few_descriptors(pid, 0):
        for _ in range(3):
            try:
                single.deliver("alice", b"Subject: during\r\n\r\n" + LARGE)
            except smtplib.SMTPRecipientsRefused as error:
                refused += 1
                assert all(code in (451, 452) for code, _ in error.recipients.values())
            except smtplib.SMTPResponseException as error:
                refused += 1
                assert error.smtp_code in (451, 452), error
        try:
            single.imap("alice").logout()
        except imaplib.IMAP4.error as error:
            assert "UNAVAILABLE" in str(error)
        assert idle_share(pid, 0.5) < 0.3
    assert refused > 0 or role in ("keeper", "supervisor")
    wait_until(lambda: single.status()["state"] == "healthy", 20, "healthy again")
    single.deliver("alice", b"Subject: after\r\n\r\n")
    with single.imap("alice") as client:
        assert b"Subject: after" in b"".join(wait_for(client, 4 - refused))
        assert len(messages(client)) == 4 - refused
    assert others <= set(single.roles()), "nobody had to be started again"


def test_a_session_without_descriptors_refuses_for_now(single):
    single.deliver("alice", b"Subject: one\r\n\r\n")
    with single.imap("alice") as client:
        wait_for(client, 1)
        session = pid_of(single, "session")
        with few_descriptors(session, 0):
            kind, answer = client.append("INBOX", None, None, b"Subject: two\r\n\r\n")
            assert kind == "OK" or answer[0].startswith((b"[LIMIT]", b"[SERVERBUG]", b"[UNAVAILABLE]")), answer
            try:
                single.imap("alice").logout()
            except (imaplib.IMAP4.error, OSError) as error:
                assert "UNAVAILABLE" in str(error)
            assert client.noop()[0] == "OK"
            assert idle_share(session, 0.5) < 0.3
        assert client.append("INBOX", None, None, b"Subject: three\r\n\r\n")[0] == "OK"
        single.imap("alice").logout()
        assert pid_of(single, "session") == session
