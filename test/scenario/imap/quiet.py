"""An account whose connections are all silent: its vault is closed, and nothing is noticed of that."""
import os
import pathlib
import re
import signal
import socket
import time

import pytest

from server import DOMAIN, PASSWORD, Server, insecure, wait_until

MESSAGE = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: news\r\n\r\nHello\r\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may see which files a session has open")


@pytest.fixture(scope="module")
def own():
    with Server(linger=1) as server:
        server.domain()
        for name in ("anna", "bert", "cleo"):
            server.account(name)
        yield server


class Line:
    """A connection that says and hears lines."""

    def __init__(self, server, user):
        plain = socket.create_connection(("127.0.0.1", server.port(993)), 30)
        self.socket = insecure().wrap_socket(plain)
        self.file = self.socket.makefile("rwb")
        self.file.readline()
        self.ask(f"LOGIN {user}@{DOMAIN} \"{PASSWORD}\"")
        self.ask("SELECT INBOX")

    def say(self, text):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()

    def hear(self, pattern):
        while line := self.file.readline():
            if re.search(pattern, line):
                return line
        raise AssertionError(f"the connection ended before {pattern!r}")

    def ask(self, command):
        self.say("t " + command)
        heard = []
        while line := self.file.readline():
            heard.append(line)
            if line.startswith(b"t "):
                assert line.startswith(b"t OK"), line
                return heard
        raise AssertionError("the connection ended")

    def idle(self):
        self.say("i IDLE")
        self.hear(rb"^\+")

    def close(self):
        self.file.close()
        self.socket.close()


def session_of(server):
    return max(pid for pid, role in server.roles().items() if role == "session")


def has_vault_open(pid):
    targets = []
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            targets.append(os.readlink(entry))
        except FileNotFoundError:
            continue
    return any(target.endswith("/vault.db") for target in targets)


def wait_for_quiet(pid):
    assert has_vault_open(pid)
    wait_until(lambda: not has_vault_open(pid), 20, "the vault of a silent account is closed")


def wait_for_end(server):
    wait_until(lambda: "session" not in server.roles().values(), 20, "the session ends after its last connection")


def test_a_silent_account_is_closed_and_told_of_mail_at_once(own):
    idling, silent, watching = Line(own, "anna"), Line(own, "anna"), Line(own, "anna")
    idling.idle()
    watching.ask("NOTIFY SET (selected (MessageNew MessageExpunge))")
    pid = session_of(own)
    wait_for_quiet(pid)
    own.deliver("anna", MESSAGE)
    begun = time.monotonic()
    idling.hear(rb"\* 1 EXISTS")
    assert time.monotonic() - begun < 1
    watching.hear(rb"\* 1 EXISTS")
    assert any(b"1 EXISTS" in line for line in silent.ask("NOOP"))
    # What one does, the other is told, and it was one process all along.
    wait_for_quiet(pid)
    silent.ask(r"STORE 1 +FLAGS (\Flagged)")
    idling.hear(rb"\* 1 FETCH .*\\Flagged")
    idling.say("DONE")
    idling.hear(rb"^i OK")
    assert any(b"Subject: news" in line for line in idling.ask("FETCH 1 BODY[]"))
    assert session_of(own) == pid
    watching.close()
    idling.close()
    silent.close()
    wait_for_end(own)


def test_a_silent_pop3_client_is_one_of_them(own):
    own.deliver("anna", MESSAGE)
    client = own.pop3("anna")
    count = client.stat()[0]
    client.retr(count)
    pid = session_of(own)
    wait_for_quiet(pid)
    assert b"Subject: news" in client.retr(count)[1]
    beside = Line(own, "anna")
    beside.idle()
    wait_for_quiet(pid)
    client.dele(count)
    client.quit()
    beside.hear(rb"\* %d EXPUNGE" % count)
    wait_for_quiet(pid)
    silent = own.pop3("anna")
    wait_for_quiet(pid)
    silent.close()  # without QUIT, while the vault is closed
    beside.say("DONE")
    beside.hear(rb"^i OK")
    beside.close()
    wait_for_end(own)


def test_what_was_said_before_the_vault_was_closed_survives_a_kill(own):
    line = Line(own, "bert")
    own.deliver("bert", MESSAGE)
    wait_until(lambda: any(b"* 1 EXISTS" in heard for heard in line.ask("SELECT INBOX")), 10, "the message is there")
    line.ask(r"STORE 1 +FLAGS (\Answered $Kept)")
    pid = session_of(own)
    wait_for_quiet(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "session" not in own.roles().values(), 10, "the session is gone")
    line.close()
    again = Line(own, "bert")
    answer = b"".join(again.ask("FETCH 1 FLAGS"))
    assert b"\\Answered" in answer and b"$Kept" in answer
    again.close()
    wait_for_end(own)


def test_a_mailbox_deleted_under_a_silent_client_ends_its_connection(own):
    watching, other = Line(own, "cleo"), Line(own, "cleo")
    other.ask("CREATE Gone")
    watching.ask("SELECT Gone")
    watching.idle()
    wait_for_quiet(session_of(own))
    other.ask("DELETE Gone")
    watching.hear(rb"^\* BYE")
    assert other.ask("NOOP")
    watching.close()
    other.close()


def test_the_nursery_is_replaced_when_it_dies(own):
    wait_for_end(own)
    nursery = next(pid for pid, role in own.roles().items() if role == "nursery")
    os.kill(nursery, signal.SIGKILL)
    line = Line(own, "anna")
    assert any(b"1 EXISTS" in heard for heard in line.ask("SELECT INBOX"))
    assert nursery not in own.roles()
    line.close()
