"""A role that has been taken over says to its peers what it must not: its channels end, and it perhaps, but no peer does.

The test speaks through copies of the role's own sockets, which is what an intruder would have."""
import array
import contextlib
import ctypes
import os
import random
import select
import signal
import smtplib
import socket

import pytest

from faults import pids, root_only
from server import DOMAIN, PASSWORD, alive, children, messages, wait_for, wait_until

pytestmark = root_only

PIDFD_OPEN, PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)


SUPERVISOR = 3  # the descriptor of every role's channel to the supervisor
ROUNDS = 4


def channels(pid, kind=socket.SOCK_SEQPACKET):
    """Copies of all sockets of a process on which messages travel, or bytes, by their number there."""
    process = libc.syscall(PIDFD_OPEN, pid, 0)
    if process < 0:
        return {}
    found = {}
    try:
        for number in map(int, os.listdir(f"/proc/{pid}/fd")):
            copy = libc.syscall(PIDFD_GETFD, process, number, 0)
            if copy < 0:
                continue
            try:
                sock = socket.socket(fileno=copy)
            except OSError:
                os.close(copy)
                continue
            if sock.family == socket.AF_UNIX and sock.type == kind:
                sock.setblocking(False)
                found[number] = sock
            else:
                sock.close()
    except FileNotFoundError:
        pass
    finally:
        os.close(process)
    return found


def peers(pid):
    found = channels(pid)
    if supervisor := found.pop(SUPERVISOR, None):
        supervisor.close()
    return list(found.values())


def packets(chance):
    """Type 2, flags 2, call 8, fields: what no role may say, or none to its peer, or nobody can understand."""
    yield b"x"
    yield b"\xff" * 4096
    yield chance.randbytes(150_000)
    while True:
        kind, flags, call = chance.randrange(48), chance.choice((0, 1, 7)), chance.choice((0, 1, 1 << 63))
        head = kind.to_bytes(2, "little") + flags.to_bytes(2, "little") + call.to_bytes(8, "little")
        yield head + chance.choice((b"", b"\xff" * 8, chance.randbytes(300)))


def say(sock, data, descriptors=0):
    with contextlib.suppress(OSError), open("/dev/null") as null, sock:
        fds = array.array("i", [null.fileno()] * descriptors)
        sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if descriptors else [])


def delivered(server):
    """Until the channels are there again, mail is put off."""
    try:
        server.deliver("alice", b"Subject: between\r\n\r\n")
        return True
    except smtplib.SMTPResponseException as refused:
        assert refused.smtp_code in (451, 452)
    except smtplib.SMTPRecipientsRefused as refused:
        assert {code for code, _ in refused.recipients.values()} <= {451, 452}
    return False


@pytest.mark.parametrize("role", ["gate", "keeper", "intake", "store", "session"])
def test_what_a_role_must_not_say_ends_its_channels_only(own, role):
    own.account("alice")
    own.deliver("alice", b"Subject: before\r\n\r\n")
    client = own.imap("alice")
    wait_for(client, 1)
    sender = pids(own, role)[0]
    others = set(own.roles()) - {sender} - set(children(sender))
    said = packets(random.Random(role))
    for number in range(ROUNDS):  # each time all its channels to peers end, and it gets new ones
        for sock in wait_until(lambda: peers(sender), 20, "it has peers"):
            say(sock, next(said), 40 if number == 1 else 0)
    assert alive(sender)
    wait_until(lambda: own.status()["state"] == "healthy" and peers(sender), 20, "all is well")
    wait_until(lambda: delivered(own), 20, "mail is taken")
    wait_until(lambda: len(messages(client)) == 2, 20, "and filed")
    # The supervisor does not put up with it.
    say(channels(sender)[SUPERVISOR], next(said))
    wait_until(lambda: not alive(sender), 20, "it is ended")
    wait_until(lambda: own.status()["state"] == "healthy", 20, "all is well again")
    assert all(map(alive, others)), own.tail()
    own.deliver("alice", b"Subject: after\r\n\r\n")
    with own.imap("alice") as fresh:
        assert len(wait_for(fresh, 3)) == 3
    log = own.log.read_text()
    assert "ipc.channel.ended" in log and "signal=6" not in log and "signal=11" not in log, log[-3000:]


def mark(descriptors=1):
    return lambda sock: say(sock.dup(), b"x", descriptors)


def words(text):
    return lambda sock: sock.sendall(text)


# What a session says to the gate that moves its client's bytes, and what the client hears then: that its session has given
# it back is said by marks, which are descriptors to the gate (src/role/gate/gate.h).
LIES = {
    "not to the end": ([mark(), words(b"a NOOP\r\n"), lambda sock: sock.shutdown(socket.SHUT_WR)], b"* BYE"),
    "too much": ([mark(), words(b"x" * 3_000_000)], b"* BYE"),
    "a mark of many": ([words(b"* OK said\r\n"), mark(200), mark(200)], b"* OK said\r\n"),
    "marks alone": ([mark(), mark(), mark(), mark()], b""),
}


def has_hung_up(sock):
    poll = select.poll()
    poll.register(sock, 0)
    return any(what & select.POLLHUP for _, what in poll.poll(0))


@pytest.mark.parametrize("name", LIES)
def test_a_session_that_gives_its_client_back_wrongly_gains_nothing(own, name):
    own.account("alice")
    own.account("bob")
    bob = own.imap("bob")
    bobs = set(pids(own, "session"))
    alice = own.imap("alice")
    session = wait_until(lambda: set(pids(own, "session")) - bobs, 20, "the session runs").pop()
    gates = {gate: len(os.listdir(f"/proc/{gate}/fd")) for gate in pids(own, "gate")}
    (sock,) = channels(session, socket.SOCK_STREAM).values()
    lie, heard = LIES[name]
    os.kill(session, signal.SIGSTOP)
    sock.setblocking(True)
    sock.settimeout(20)
    with sock:
        for step in lie:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                step(sock)
        alice.sock.settimeout(20)
        if heard:
            assert alice.readline().startswith(heard)
        wait_until(lambda: has_hung_up(sock), 20, "the gate has let go of the session")
        if heard != b"* BYE":  # it is as if it had logged out, and may log in as anybody whose password it knows
            alice.state = "NONAUTH"
            assert alice.login(f"bob@{DOMAIN}", PASSWORD)[0] == "OK"
            assert alice.select()[0] == "OK"
            alice.logout()
        else:
            assert alice.readline() == b""
    assert pids(own, "gate") == sorted(gates)
    assert bob.noop()[0] == "OK"
    os.kill(session, signal.SIGKILL)
    # alice's two sockets are gone, and nothing has come
    wait_until(lambda: all(len(os.listdir(f"/proc/{gate}/fd")) <= count for gate, count in gates.items()), 20, "no descriptors stay")


def test_descriptors_do_not_pass_where_nobody_looks_for_marks(own):
    own.account("alice")
    client = own.pop3("alice")
    session = wait_until(lambda: pids(own, "session"), 20, "the session runs")[0]
    gates = {gate: len(os.listdir(f"/proc/{gate}/fd")) for gate in pids(own, "gate")}
    (sock,) = channels(session, socket.SOCK_STREAM).values()
    with sock:
        for _ in range(100):
            say(sock.dup(), b"+OK marked\r\n", 10)
    assert [client._getline()[0] for _ in range(100)] == [b"+OK marked"] * 100
    assert gates == {gate: len(os.listdir(f"/proc/{gate}/fd")) for gate in pids(own, "gate")}
