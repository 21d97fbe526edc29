"""UNAUTHENTICATE (RFC 8437): one connection, one user after the other, and nothing of one that reaches the other or is lost."""
import base64
import contextlib
import os
import pathlib
import select
import signal
import socket
import ssl
import zlib

import pytest

from faults import pids
from imapwire import numbered
from server import DOMAIN, PASSWORD, PROGRAM, Server, children, insecure, wait_until

MANY = 200


class Wire:
    """Bytes, compressed or not, and lines; no command and no tag of its own."""

    def __init__(self, server, user=None, room=None):
        raw = socket.socket()
        raw.settimeout(30)
        if room:  # in the kernel, each way
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        raw.connect(("127.0.0.1", server.port(993)))
        self.socket = insecure().wrap_socket(raw)
        self.left = bytearray()
        self.packer = self.unpacker = None
        assert self.line().startswith(b"* OK")
        if user:
            self.log_in(user)

    def close(self):
        self.socket.close()

    def pack(self, data, flush=zlib.Z_SYNC_FLUSH):
        return self.packer.compress(data) + self.packer.flush(flush)

    def say(self, data):
        self.socket.sendall(self.pack(data) if self.packer else data)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        if self.unpacker:
            data = self.unpacker.decompress(data)
            if self.unpacker.eof:  # what is compressed has ended, and says so itself
                data, self.unpacker = data + self.unpacker.unused_data, None
        self.left += data

    def say_much(self, data):
        """First as far as it gets with nobody reading the answers, then on while they are read."""
        timeout = self.socket.gettimeout()
        self.socket.setblocking(False)
        reads = False
        while data:
            try:
                data = data[self.socket.send(data[:65536]):]
                continue
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            if not reads:
                reads = not select.select([], [self.socket], [], 1)[1]
                continue
            select.select([self.socket], [self.socket], [], timeout)
            with contextlib.suppress(ssl.SSLWantReadError):
                self.more()
        self.socket.settimeout(timeout)
        return reads

    def line(self):
        while b"\r\n" not in self.left:
            self.more()
        end = self.left.index(b"\r\n")
        line = bytes(self.left[:end])
        del self.left[:end + 2]
        return line

    def until(self, tag):
        """The lines up to the answer to that command, which is cut of its tag."""
        lines = []
        while not (line := self.line()).startswith(tag + b" "):
            lines.append(line)
        return lines + [line[len(tag) + 1:]]

    def message(self, tag):
        """The literal in the answer to a FETCH of that tag."""
        size = int(self.line().rsplit(b"{", 1)[1][:-1])
        while len(self.left) < size:
            self.more()
        text = bytes(self.left[:size])
        del self.left[:size]
        assert self.until(tag)[-1].startswith(b"OK")
        return text

    def run(self, command):
        self.say(b"x " + command + b"\r\n")
        return self.until(b"x")

    def ok(self, command):
        answer = self.run(command)
        assert answer[-1].startswith(b"OK"), answer
        return answer[:-1]

    def log_in(self, user, password=PASSWORD):
        self.ok(b'LOGIN "%s" "%s"' % (user.encode(), password.encode()))

    def compress(self):
        self.ok(b"COMPRESS DEFLATE")
        self.packer, self.unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def ends(self):
        """All that is said up to the end of the connection."""
        try:
            while True:
                self.more()
        except (EOFError, OSError):
            return self.left

    def mail(self):
        self.ok(b"SELECT INBOX")
        return [line for line in self.ok(b"UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]") if line.startswith(b"Subject")]


def plain(user, password=PASSWORD):
    return base64.b64encode(b"\0" + user.encode() + b"\0" + password.encode())


def fill(wire, *subjects):
    for subject in subjects:
        text = b"Subject: %s\r\n\r\ntext\r\n" % subject.encode()
        wire.ok(b"APPEND INBOX {%d+}\r\n" % len(text) + text)


def app_password(server, user, *words):
    return server.tool("app-password", "add", user, "--label", "one", *words, stdin=PASSWORD + "\n").stdout.split()[-1]


@pytest.fixture
def other(server, request):
    name = f"other-{abs(hash(request.node.name)) % 10**8}@{DOMAIN}"
    server.account(name)
    return name


def test_it_is_announced_after_the_login(server, user):
    wire = Wire(server)
    assert b"UNAUTHENTICATE" not in wire.ok(b"CAPABILITY")[0]
    wire.log_in(user)
    assert b" UNAUTHENTICATE" in wire.ok(b"CAPABILITY")[0]


def test_each_user_sees_his_own_mail(server, user, other):
    wire = Wire(server, user)
    fill(wire, "mine")
    wire.ok(b"UNAUTHENTICATE")
    assert wire.run(b"SELECT INBOX")[-1].startswith(b"BAD")
    wire.log_in(other)
    assert wire.mail() == []
    fill(wire, "his")
    assert wire.mail() == [b"Subject: his"]
    wire.ok(b"UNAUTHENTICATE")
    wire.log_in(user)
    assert wire.mail() == [b"Subject: mine"]


def logins(user):
    name, word, both = user.encode(), PASSWORD.encode(), plain(user)
    yield b'b LOGIN "%s" "%s"\r\n' % (name, word)
    yield b"b LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(name), name, len(word), word)
    yield b"b LOGIN {%d}\r\n%s {%d}\r\n%s\r\n" % (len(name), name, len(word), word)  # "+ OK" comes, and was not waited for
    yield b"b AUTHENTICATE PLAIN " + both + b"\r\n"
    yield b"b AUTHENTICATE PLAIN\r\n" + both + b"\r\n"
    yield b"b AUTHENTICATE LOGIN\r\n" + base64.b64encode(name) + b"\r\n" + base64.b64encode(word) + b"\r\n"


def test_a_login_may_follow_at_once(server, user, other):
    wire = Wire(server, user)
    for login in logins(other):
        wire.say(b"a UNAUTHENTICATE\r\n" + login + b"c STATUS INBOX (MESSAGES)\r\n")
        assert wire.line().startswith(b"a OK")
        lines = wire.until(b"b")
        assert lines[-1].startswith(b"OK"), (login, lines)
        assert wire.until(b"c")[-1].startswith(b"OK")
    assert wire.mail() == []


def test_it_does_not_matter_how_the_bytes_are_cut(server, user, other):
    wire = Wire(server, user)
    said = b"a UNAUTHENTICATE\r\n" + next(logins(other)) + b"c NOOP\r\n"
    for cut in range(1, len(said), 3):
        wire.say(said[:cut])
        wire.say(said[cut:])
        assert [wire.line()[:4] for _ in range(3)] == [b"a OK", b"b OK", b"c OK"], cut


def test_nothing_is_told_of_the_mailbox_that_was_selected(server, user, other):
    wire, second = Wire(server, user), Wire(server, user)
    wire.ok(b"SELECT INBOX")
    fill(second, "while the first says nothing")
    assert wire.run(b"UNAUTHENTICATE") == [b"OK Logged out, log in again"]
    fill(second, "and after")
    wire.log_in(other)
    assert wire.ok(b"NOOP") == []
    wire.ok(b"SELECT INBOX")
    fill(second, "and later")
    assert wire.ok(b"NOOP") == []


def test_it_follows_idle(server, user, other):
    wire = Wire(server, user)
    wire.ok(b"SELECT INBOX")
    wire.say(b"i IDLE\r\n")
    assert wire.line().startswith(b"+")
    fill(Wire(server, user), "told in IDLE")
    assert wire.line() == b"* 1 EXISTS"
    wire.say(b"DONE\r\na UNAUTHENTICATE\r\n" + next(logins(other)))
    assert wire.until(b"i")[-1].startswith(b"OK")
    assert wire.line().startswith(b"a OK") and wire.line().startswith(b"b OK")
    assert wire.mail() == []
    wire.say(b"i IDLE\r\n")
    assert wire.line().startswith(b"+")
    wire.say(b"a UNAUTHENTICATE\r\n")  # that is not how IDLE ends
    assert wire.until(b"i")[-1].startswith(b"BAD")
    wire.ok(b"UNAUTHENTICATE")


def test_notify_and_updated_searches_end_with_it(server, user):
    wire, second = Wire(server, user), Wire(server, user)
    wire.ok(b"SELECT INBOX")
    wire.ok(b"NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))")
    wire.ok(b"UID SEARCH RETURN (UPDATE) ALL")
    wire.ok(b"UNAUTHENTICATE")
    wire.log_in(user)
    fill(second, "nobody waits for it")
    second.ok(b"CREATE folder")
    assert wire.ok(b"NOOP") == []


def test_after_a_silence(server, user, other):
    """Nobody waits at either end: the session has no task for the connection, and its vault is closed."""
    wire = Wire(server, user)
    wire.ok(b"SELECT INBOX")
    wire.socket.settimeout(9)
    with pytest.raises(TimeoutError):
        wire.more()
    wire.socket.settimeout(30)
    wire.ok(b"UNAUTHENTICATE")
    wire.log_in(other)
    assert wire.mail() == []


# --- compression ---

FLUSHES = {"flushed": zlib.Z_SYNC_FLUSH, "ended": zlib.Z_FINISH}


def leave_compressed(wire, flush, behind=b""):
    """What is compressed ends with the command, and what follows goes as it is."""
    packed = wire.pack(b"a UNAUTHENTICATE\r\n", flush)
    wire.packer = None
    return packed + behind


@pytest.mark.parametrize("flush", FLUSHES.values(), ids=FLUSHES.keys())
def test_compression_ends_with_it_and_may_begin_anew(server, user, other, flush):
    wire = Wire(server, user)
    for name in (other, user):
        wire.compress()
        wire.ok(b"SELECT INBOX")
        wire.socket.sendall(leave_compressed(wire, flush))
        assert wire.line().startswith(b"a OK") and wire.unpacker is None and not wire.left
        assert wire.ok(b"CAPABILITY")[0].startswith(b"* CAPABILITY")
        wire.log_in(name)
        assert wire.ok(b"NOOP") == []
    wire.compress()
    assert wire.mail() == []


@pytest.mark.parametrize("flush", FLUSHES.values(), ids=FLUSHES.keys())
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_login_may_follow_what_is_compressed(server, user, other, flush, piece):
    wire = Wire(server, user)
    fill(wire, "mine")
    wire.compress()
    said = leave_compressed(wire, flush, next(logins(other)) + b"c NOOP\r\n")
    for at in range(0, len(said), piece):
        wire.say(said[at:at + piece])
    assert wire.line().startswith(b"a OK")
    assert wire.line().startswith(b"b OK") and wire.line().startswith(b"c OK")
    assert wire.mail() == []


def test_what_is_compressed_must_not_follow(server, user, other):
    wire = Wire(server, user)
    wire.compress()
    wire.say(b"a UNAUTHENTICATE\r\n" + next(logins(other)))
    assert wire.line().startswith(b"* BYE") and wire.line().startswith(b"a BAD")
    assert wire.ends() == b""


# --- much, and often ---

def test_much_may_follow_and_is_all_there(server, user, other):
    """More than all buffers hold, both ways, with a client that reads nothing before it can say no more."""
    wire = Wire(server, user, room=16384)
    large = numbered(1) + b"".join(b"line %d of what is mine alone\r\n" % n for n in range(60000))
    his = numbered(2) + b"".join(b"line %d of what is his alone\r\n" % n for n in range(100000))
    wire.ok(b"APPEND INBOX {%d+}\r\n" % len(large) + large)
    wire.ok(b"SELECT INBOX")
    fetches = b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % n for n in range(4))
    said = (fetches + b"a UNAUTHENTICATE\r\n" + next(logins(other)) + b"c APPEND INBOX {%d+}\r\n" % len(his) + his +
            b"\r\nd SELECT INBOX\r\ne FETCH 1 BODY.PEEK[]\r\n")
    assert wire.say_much(said), "all buffers were full"
    for n in range(4):
        assert wire.message(b"f%d" % n) == large
    assert [wire.line()[:4] for _ in range(3)] == [b"a OK", b"b OK", b"c OK"]
    assert wire.until(b"d")[-1].startswith(b"OK")
    assert wire.message(b"e") == his


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid):
    """KiB of its own, whoever else runs on this machine."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Anonymous:"))


@pytest.mark.skipif(os.geteuid() != 0, reason="roles show their descriptors to root alone")
def test_many_changes_lose_nothing_and_leave_nothing(own):
    """Two users in turn, four changes at a time said at once; what each finds is his alone, and all of it."""
    users = ["first@demo.test", "second@demo.test"]
    for name in users:
        own.account(name)
    words = {name: app_password(own, name) for name in users}
    keeping = [Wire(own, name) for name in users]  # so that sessions stay
    wire = Wire(own)
    wire.log_in(users[0], words[users[0]])

    def change(number):
        name = users[number % 2]
        text = b"Subject: %d of %s\r\n\r\n" % (number, name.encode())
        return (b"u%d UNAUTHENTICATE\r\n" % number + b"l%d AUTHENTICATE PLAIN %s\r\n" % (number, plain(name, words[name])) +
                b"a%d APPEND INBOX {%d+}\r\n%s\r\n" % (number, len(text), text) + b"s%d STATUS INBOX (MESSAGES)\r\n" % number)

    def turn(numbers):
        wire.say(b"".join(map(change, numbers)))
        for number in numbers:
            for letter in b"u", b"l", b"a", b"s":
                lines = wire.until(b"%s%d" % (letter, number))
                assert lines[-1].startswith(b"OK"), (number, lines)
            assert lines[0] == b"* STATUS INBOX (MESSAGES %d)" % (number // 2 + 1)

    roles = sorted(pid for role in ("gate", "session") for pid in pids(own, role))
    turn(range(20))
    before = {pid: descriptors(pid) for pid in roles}
    sizes = {pid: memory(pid) for pid in roles}
    for start in range(20, MANY, 4):
        turn(range(start, start + 4))
    wait_until(lambda: {pid: descriptors(pid) for pid in roles} == before, 20, "as many descriptors as before")
    if b"__asan_init" not in PROGRAM.read_bytes():  # which keeps what was freed
        assert all(memory(pid) < sizes[pid] + 2048 for pid in roles), (sizes, [memory(pid) for pid in roles])
    for number, name in enumerate(users):
        found = keeping[number].mail()
        assert found == [b"Subject: %d of %s" % (n, name.encode()) for n in range(number, MANY, 2)]


# --- who may not, and when ---

def test_who_may_not_log_in_does_not(server, user, other):
    wire = Wire(server, user)
    word = app_password(server, other, "--scope", "smtp")
    server.tool("account", "lock", other)
    wire.say(b"a UNAUTHENTICATE\r\n" + next(logins(other)))
    assert wire.line().startswith(b"a OK")
    assert wire.line().startswith(b"b NO [CONTACTADMIN]")
    server.tool("account", "unlock", other)
    assert wire.run(b"AUTHENTICATE PLAIN " + plain(other, word))[-1].startswith(b"NO [AUTHORIZATIONFAILED]")
    assert wire.run(b"SELECT INBOX")[-1].startswith(b"BAD")
    wire.log_in(user)
    assert wire.mail() == []


def test_tries_are_counted_across_logins(server, user):
    wire = Wire(server, user)
    said = b""
    for _ in range(3):
        wire.ok(b"UNAUTHENTICATE")
        for _ in range(9):
            try:
                said = wire.run(b"STARTTLS")[-1]
            except EOFError:
                return
        wire.log_in(user)
    raise AssertionError(said)


def test_the_time_to_log_in_begins_anew_and_ends():
    with Server("[imap]\nlogin_timeout = 5\n") as own:
        own.domain()
        own.account("a")
        wire = Wire(own, f"a@{DOMAIN}")
        wire.socket.settimeout(3)
        with pytest.raises(TimeoutError):
            wire.more()
        wire.ok(b"UNAUTHENTICATE")
        with pytest.raises(TimeoutError):
            wire.more()
        wire.socket.settimeout(30)
        wire.ok(b"NOOP")
        assert wire.ends().startswith(b"* BYE Nobody logged in")


def test_a_server_that_stops_says_so(own):
    own.account("a")
    wire = Wire(own, f"a@{DOMAIN}")
    wire.ok(b"UNAUTHENTICATE")
    own.stop()
    assert wire.ends().startswith(b"* BYE [UNAVAILABLE]")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may signal a session")
def test_a_session_that_dies_ends_its_connections_and_no_others(own):
    for name in ("a", "b"):
        own.account(name)
    before = set(children(own.process.pid))
    wire, bystander = Wire(own, f"a@{DOMAIN}"), None
    session = wait_until(lambda: [pid for pid in pids(own, "session") if pid not in before], 20, "the session runs")[0]
    bystander = Wire(own, f"b@{DOMAIN}")
    gates = pids(own, "gate")
    os.kill(session, signal.SIGSTOP)
    wire.say(b"a UNAUTHENTICATE\r\n" + next(logins(f"b@{DOMAIN}")))
    os.kill(session, signal.SIGKILL)
    assert b"b OK" not in wire.ends()
    bystander.ok(b"NOOP")
    assert pids(own, "gate") == gates
    again = Wire(own, f"a@{DOMAIN}")
    again.ok(b"UNAUTHENTICATE")
    again.log_in(f"b@{DOMAIN}")
