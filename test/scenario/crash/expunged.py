"""
What was expunged is forgotten after the answer, some at a time. A session that dies in between says nothing of it to
anybody, and the next one goes on.
"""
import os
import signal

from faults import pids
from server import PASSWORD, Server, wait_until

MESSAGES = 1500
KEPT = 10
SIZE = 6000


def message(number):
    head = f"From: a@demo.test\r\nSubject: {number}\r\n\r\n{number}\r\n".encode()
    return head + os.urandom(SIZE // 2).hex().encode() + b"\r\n"


def disk_bytes(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def append_all(client):
    """MULTIAPPEND (RFC 3502), a hundred at a time."""
    for first in range(1, MESSAGES + 1, 100):
        client.send(b"m%d APPEND INBOX" % first)
        for number in range(first, first + 100):
            text = message(number)
            client.send(b" {%d+}\r\n" % len(text) + text)
        client.send(b"\r\n")
        while not (line := client.readline()).startswith(b"m%d " % first):
            pass
        assert line.split()[1] == b"OK", line


def expunge_and_die(server, client):
    client.send(b"x EXPUNGE\r\n")
    while not (line := client.readline()).startswith(b"x "):
        pass
    for pid in pids(server, "session"):
        os.kill(pid, signal.SIGKILL)
    assert line.startswith(b"x OK"), line


def test_what_was_expunged_before_a_crash_is_forgotten_after_it():
    with Server(settings="[log]\nsegment_max = 1M\n", linger=5) as server:
        server.domain()
        server.account("a")
        client = server.imap("a", mailbox=None)
        client.enable("QRESYNC")  # so that all of them are told in one line
        append_all(client)
        assert client.create("Kept")[0] == "OK"
        assert client.select("INBOX")[1] == [str(MESSAGES).encode()]
        assert client.copy(f"1:{KEPT}", "Kept")[0] == "OK"
        assert client.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
        before = disk_bytes(server.data / "log")
        assert before > MESSAGES * SIZE
        expunge_and_die(server, client)
        client.shutdown()
        wait_until(lambda: server.tool("status", check=False).returncode == 0, 30, "healthy after the session was killed")
        with server.imap("a") as client:
            assert client.select("INBOX")[1] == [b"0"]
            assert client.select("Kept")[1] == [str(KEPT).encode()]
            wait_until(lambda: disk_bytes(server.data / "log") < before // 4, 60, "the space of what was expunged is given back")
            rows = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            assert sum(isinstance(row, tuple) for row in rows) == KEPT
        done = server.tool("check", "a@demo.test", stdin=PASSWORD + "\n", check=False, seconds=120)
        assert done.returncode == 0, done.stdout + done.stderr
