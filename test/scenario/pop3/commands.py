"""Every POP3 command as the RFCs have it: what is said, and what is answered, line by line."""
import base64
import re
import socket
import time

import pytest

from server import PASSWORD, Server, insecure

MAIL = b"Subject: one\r\n\r\n.dot\r\n..two\r\nlast\r\n"


class Raw:
    """A connection that says bytes and hears lines."""

    def __init__(self, server, port=995):
        self.socket = socket.create_connection(("127.0.0.1", server.port(port)), timeout=20)
        if port == 995:
            self.socket = insecure().wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()

    def start_tls(self):
        self.socket = insecure().wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def send(self, line):
        self.socket.sendall(line + b"\r\n")

    def line(self):
        return self.file.readline()

    def say(self, line):
        self.send(line)
        return self.line()

    def listing(self):
        """What follows a multi-line +OK, dots undone."""
        lines = []
        while (line := self.line()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        assert line == b".\r\n"
        return b"".join(lines)

    def log_in(self, user, password=PASSWORD):
        assert self.say(b"USER " + user.encode()).startswith(b"+OK")
        return self.say(b"PASS " + password.encode())

    def is_over(self):
        return self.line() == b""


@pytest.fixture
def filled(server, user):
    for number in range(3):
        server.deliver(user, MAIL.replace(b"one", str(number).encode()))
    return user


@pytest.fixture
def raw(server, filled):
    client = Raw(server)
    assert re.fullmatch(rb"\+OK Logged in, 3 messages \(\d+ octets\)\r\n", client.log_in(filled))
    return client


def plain(user, password=PASSWORD):
    return base64.b64encode(f"\0{user}\0{password}".encode())


# --- before login ---

BEFORE = [  # RFC 1939 §4, §7; RFC 2449 §5; RFC 5034 §4; RFC 6856 §2, §3
    (b"STAT", b"-ERR"), (b"LIST", b"-ERR"), (b"RETR 1", b"-ERR"), (b"DELE 1", b"-ERR"), (b"NOOP", b"-ERR"), (b"RSET", b"-ERR"),
    (b"TOP 1 1", b"-ERR"), (b"UIDL", b"-ERR"), (b"PASS x", b"-ERR USER comes first"), (b"USER", b"-ERR"), (b"USER a", b"+OK"),
    (b"user a", b"+OK"), (b"UTF8", b"+OK"), (b"UTF8 x", b"-ERR"), (b"LANG en", b"+OK en "), (b"LANG *", b"+OK en "),
    (b"LANG tlh", b"-ERR"), (b"APOP a c4c9334bac560ecc979e58001b3e22fb", b"-ERR"), (b"WHAT", b"-ERR"), (b"", b"-ERR"),
    (b"\xff\xfe\0", b"-ERR"), (b"STLS", b"-ERR"), (b"AUTH WHAT", b"-ERR"), (b"AUTH PLAIN !", b"-ERR"), (b"AUTH PLAIN =", b"-ERR"),
    (b"QUIT", b"+OK"), (b"quit ", b"+OK"), (b"QUIT now", b"-ERR"), (b"USER " + b"x" * 2000, b"-ERR"), (b"X" * 20000, b"-ERR"),
]


@pytest.mark.parametrize(("line", "answer"), BEFORE, ids=[repr(line[:30]) for line, _ in BEFORE])
def test_before_login(server, line, answer):
    assert Raw(server).say(line).startswith(answer)


def test_the_greeting_offers_no_apop(server):
    """It would be a timestamp in angle brackets (RFC 1939 §7)."""
    assert re.fullmatch(rb"\+OK [^<>]+\r\n", Raw(server).greeting)


def test_passwords_do_not_travel_in_clear(server, user):
    client = Raw(server, 110)
    assert client.say(b"CAPA").startswith(b"+OK")
    capabilities = client.listing()
    assert b"STLS\r\n" in capabilities and b"USER\r\n" not in capabilities.replace(b"UTF8 USER\r\n", b"") and b"SASL" not in capabilities
    for line in (b"USER " + user.encode(), b"PASS x", b"AUTH PLAIN", b"AUTH PLAIN " + plain(user)):
        assert client.say(line).startswith(b"-ERR")
    assert client.say(b"AUTH") == b"+OK Mechanisms follow\r\n"
    assert client.listing() == b""


def test_stls(server, filled):
    client = Raw(server, 110)
    assert client.say(b"STLS").startswith(b"+OK")
    client.start_tls()
    assert client.say(b"STLS").startswith(b"-ERR")  # RFC 2595 §4
    assert client.say(b"CAPA").startswith(b"+OK")
    capabilities = client.listing().split(b"\r\n")
    assert b"STLS" not in capabilities and b"USER" in capabilities
    assert client.log_in(filled).startswith(b"+OK")


def test_nothing_is_injected_across_stls(server, filled):
    client = Raw(server, 110)
    client.socket.sendall(b"STLS\r\nCAPA\r\n")
    assert client.line().startswith(b"-ERR")
    assert client.is_over()


def test_a_handshake_on_the_clear_port_is_told_where_it_is(server):
    client = Raw(server, 110)
    assert client.say(b"\x16\x03\x01").startswith(b"-ERR This port starts in clear")
    assert client.is_over()


def test_a_name_that_was_said_in_clear_does_not_count(server, filled):
    """RFC 2595 §4: what was learnt before TLS is forgotten."""
    client = Raw(server, 110)
    assert client.say(b"UTF8").startswith(b"+OK")
    assert client.say(b"STLS").startswith(b"+OK")
    client.start_tls()
    assert client.say(b"PASS x").startswith(b"-ERR USER comes first")


def test_pass_comes_right_behind_user(server, filled):
    client = Raw(server)
    assert client.say(b"USER " + filled.encode()).startswith(b"+OK")
    assert client.say(b"LANG en").startswith(b"+OK")
    assert client.say(b"PASS " + PASSWORD.encode()).startswith(b"-ERR USER comes first")


def test_wrong_credentials_are_called_so(server, filled):
    """RFC 3206 §4; a stranger's name is answered as a known one is."""
    client = Raw(server)
    known, unknown = client.log_in(filled, "wrong"), client.log_in("nobody@demo.test", "wrong")
    assert known.startswith(b"-ERR [AUTH] ") and known == unknown
    assert client.say(b"AUTH PLAIN " + plain(filled, "wrong")).startswith(b"-ERR [AUTH] ")
    assert client.log_in(filled).startswith(b"+OK")


def test_a_password_that_cannot_be_one(server, filled):
    client = Raw(server)
    for length in (1025, 12000):
        assert client.log_in(filled, "x" * length).startswith(b"-ERR [AUTH] ")
    assert client.log_in(filled).startswith(b"+OK")


def test_app_passwords_have_their_scope(server, filled):
    made = [server.tool("app-password", "add", filled, "--label", "x", "--scope", scope, stdin=PASSWORD + "\n").stdout.split()[-1]
            for scope in ("pop3", "imap")]
    assert Raw(server).log_in(filled, made[0]).startswith(b"+OK")
    assert Raw(server).log_in(filled, made[1]).startswith(b"-ERR [AUTH] ")


def test_a_locked_account_is_refused(server, filled):
    server.tool("account", "lock", filled)
    assert Raw(server).log_in(filled).startswith(b"-ERR [AUTH] ")


def test_auth_plain(server, filled):
    """RFC 5034 §4, with and without an initial response."""
    assert Raw(server).say(b"AUTH PLAIN " + plain(filled)).startswith(b"+OK Logged in")
    client = Raw(server)
    assert client.say(b"AUTH PLAIN") == b"+ \r\n"
    assert client.say(plain(filled)).startswith(b"+OK Logged in")


def test_auth_login(server, filled):
    client = Raw(server)
    assert client.say(b"auth login") == b"+ VXNlcm5hbWU6\r\n"
    assert client.say(base64.b64encode(filled.encode())) == b"+ UGFzc3dvcmQ6\r\n"
    assert client.say(base64.b64encode(PASSWORD.encode())).startswith(b"+OK Logged in")


def test_auth_is_cancelled_with_a_star(server):
    client = Raw(server)
    assert client.say(b"AUTH PLAIN") == b"+ \r\n"
    assert client.say(b"*").startswith(b"-ERR")
    assert client.say(b"CAPA").startswith(b"+OK")


def test_auth_lists_the_mechanisms(server):
    client = Raw(server)
    assert client.say(b"AUTH").startswith(b"+OK")
    assert {b"PLAIN", b"LOGIN"} <= set(client.listing().split(b"\r\n"))


def test_who_only_makes_mistakes_is_sent_away(server):
    client = Raw(server)
    answers = [client.say(b"WHAT") for _ in range(20)]
    assert all(answer.startswith(b"-ERR") for answer in answers)
    assert client.is_over()


def test_a_whole_session_in_one_write(server, filled):
    """RFC 2449 §6.6: also across the login."""
    client = Raw(server)
    client.send(b"CAPA\r\nUSER " + filled.encode() + b"\r\nPASS " + PASSWORD.encode() + b"\r\nSTAT\r\nRETR 2\r\nNOOP\r\nQUIT")
    assert client.line().startswith(b"+OK")
    assert b"PIPELINING\r\n" in client.listing()
    name, password, stat, retr = (client.line() for _ in range(4))
    assert name.startswith(b"+OK") and password.startswith(b"+OK Logged in") and stat.startswith(b"+OK 3 ")
    assert retr.endswith(b" octets\r\n")
    assert client.listing().endswith(MAIL.replace(b"one", b"1"))
    assert [client.line() for _ in range(2)] == [b"+OK Done\r\n", b"+OK Goodbye\r\n"]
    assert client.is_over()


# --- after it ---

AFTER = [  # RFC 1939 §5, §7
    (b"STAT", rb"\+OK 3 \d+"), (b"stat", rb"\+OK 3 \d+"), (b"STAT 1", b"-ERR.*"), (b"LIST 2", rb"\+OK 2 \d+"), (b"LIST 0", b"-ERR.*"),
    (b"LIST 4", b"-ERR.*"), (b"LIST x", b"-ERR.*"), (b"LIST 99999999999999999999", b"-ERR.*"), (b"UIDL 3", rb"\+OK 3 \d+\.\d+"),
    (b"UIDL 4", b"-ERR.*"), (b"RETR", b"-ERR.*"), (b"RETR 0", b"-ERR.*"), (b"RETR 4", b"-ERR.*"), (b"RETR -1", b"-ERR.*"),
    (b"RETR 1 1", b"-ERR.*"), (b"DELE", b"-ERR.*"), (b"DELE 4", b"-ERR.*"), (b"DELE 1", rb"\+OK.*"), (b"NOOP", rb"\+OK.*"),
    (b"NOOP x", b"-ERR.*"), (b"RSET", rb"\+OK 3 .*"), (b"TOP 1", b"-ERR.*"), (b"TOP 1 -1", b"-ERR.*"), (b"TOP 4 1", b"-ERR.*"),
    (b"TOP 1 1 1", b"-ERR.*"), (b"LANG en", rb"\+OK en .*"), (b"LANG tlh", b"-ERR.*"), (b"USER x", b"-ERR.*"), (b"PASS x", b"-ERR.*"),
    (b"AUTH PLAIN", b"-ERR.*"), (b"STLS", b"-ERR.*"), (b"UTF8", b"-ERR.*"), (b"WHAT", b"-ERR.*"), (b"", b"-ERR.*"),
    (b"N" * 5000, b"-ERR.*"), (b"\0", b"-ERR.*"), (b"QUIT", rb"\+OK.*"),
]


@pytest.mark.parametrize(("line", "answer"), AFTER, ids=[repr(line[:30]) for line, _ in AFTER])
def test_after_login(raw, line, answer):
    assert re.fullmatch(answer + b"\r\n", raw.say(line), re.DOTALL)
    if line != b"QUIT":
        assert raw.say(b"NOOP") == b"+OK Done\r\n"


def test_sizes_and_contents_agree(raw):
    assert raw.say(b"LIST").startswith(b"+OK 3 messages")
    sizes = dict(line.split() for line in raw.listing().splitlines())
    total = 0
    for number in (b"1", b"2", b"3"):
        assert raw.say(b"RETR " + number) == b"+OK " + sizes[number] + b" octets\r\n"
        content = raw.listing()
        assert len(content) == int(sizes[number])
        assert content.endswith(MAIL.partition(b"\r\n")[2])
        total += len(content)
    assert raw.say(b"STAT") == b"+OK 3 %d\r\n" % total


def test_the_top_of_a_message(raw):
    """RFC 1939 §7"""
    assert raw.say(b"RETR 1").startswith(b"+OK")
    header, _, body = raw.listing().partition(b"\r\n\r\n")
    lines = body.splitlines(keepends=True)
    for wanted in (0, 1, 2, 3, 9, 99999999999999999999):
        assert raw.say(b"TOP 1 %d" % wanted).startswith(b"+OK")
        assert raw.listing() == header + b"\r\n\r\n" + b"".join(lines[:wanted])


def test_unique_ids_last(server, filled):
    def listing():
        client = Raw(server)
        client.log_in(filled)
        assert client.say(b"UIDL").startswith(b"+OK")
        found = dict(line.split() for line in client.listing().splitlines())
        return client, list(found.values())
    client, before = listing()
    assert len(set(before)) == 3 and all(re.fullmatch(rb"[\x21-\x7e]{1,70}", one) for one in before)
    assert client.say(b"DELE 1").startswith(b"+OK")
    assert client.say(b"QUIT").startswith(b"+OK")
    server.deliver(filled, MAIL)
    _, after = listing()
    assert after[:2] == before[1:] and after[2] not in before


def test_deleted_at_quit_only(server, filled):
    """RFC 1939 §6: not where the connection just ends."""
    client = Raw(server)
    client.log_in(filled)
    for number in (b"1", b"3"):
        assert client.say(b"DELE " + number).startswith(b"+OK")
    assert client.say(b"DELE 1").startswith(b"-ERR")
    assert client.say(b"RETR 1").startswith(b"-ERR")
    assert client.say(b"STAT").startswith(b"+OK 1 ")
    client.socket.close()
    client.file.close()
    client = Raw(server)
    assert b" 3 messages" in client.log_in(filled)
    client.say(b"DELE 1"), client.say(b"DELE 2"), client.say(b"RSET")
    assert client.say(b"DELE 3").startswith(b"+OK")
    assert client.say(b"QUIT").startswith(b"+OK")
    client = Raw(server)
    assert b" 2 messages" in client.log_in(filled)
    with server.imap(filled) as imap:
        assert imap.search(None, "SUBJECT", "0")[1] == [b"1"] and imap.search(None, "SUBJECT", "1")[1] == [b"2"]


def test_capabilities_after_login_are_those_before(server, filled):
    """RFC 2449 §5"""
    client = Raw(server)
    client.say(b"CAPA")
    before = client.listing()
    client.log_in(filled)
    client.say(b"CAPA")
    assert client.listing() == before
    assert {b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE NEVER", b"UTF8 USER", b"LANG", b"USER",
            b"IMPLEMENTATION Waxwing"} <= set(before.split(b"\r\n"))
    assert re.search(rb"^SASL PLAIN LOGIN\r$", before, re.MULTILINE)


def test_mistakes_without_end_end(raw):
    for _ in range(50):
        assert raw.say(b"WHAT").startswith(b"-ERR")
    assert raw.is_over()


# --- the limits ---

def test_too_many_connections_to_one_account():
    with Server("[pop3]\nconnections_per_account = 2\nlogin_timeout = 5\n") as server:
        server.domain()
        server.account("u")
        clients = [Raw(server), Raw(server), Raw(server)]
        assert [client.log_in("u@demo.test")[:13] for client in clients] == [b"+OK Logged in", b"+OK Logged in", b"-ERR [IN-USE]"]
        assert clients[2].is_over()
        assert clients[0].say(b"QUIT").startswith(b"+OK") and clients[0].is_over()
        assert Raw(server).log_in("u@demo.test").startswith(b"+OK")
        # RFC 1939 §3: who says nothing hears nothing.
        silent, start = Raw(server), time.monotonic()
        assert silent.is_over() and 4 < time.monotonic() - start < 15
