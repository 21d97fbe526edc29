"""Malformed input gets the protocol's own error, and nobody else notices."""
import socket
import ssl

import pytest

from server import insecure, messages, wait_for


class Raw:
    """A connection that sends bytes as they are."""

    def __init__(self, server, port=25):
        self.socket = socket.create_connection(("127.0.0.1", server.port(port)), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            lines.append(line)
            if not line or line[3:4] != b"-":
                return b"".join(lines)

    def say(self, line):
        return self.send(line + b"\r\n").reply()


def envelope(raw, user):
    assert raw.reply().startswith(b"220")
    assert raw.say(b"EHLO client.example").startswith(b"250")
    assert raw.say(b"MAIL FROM:<stranger@example.org>").startswith(b"250")
    assert raw.say(b"RCPT TO:<" + user.encode() + b">").startswith(b"250")
    assert raw.say(b"DATA").startswith(b"354")


ENDINGS = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r\n\x00.\r\n", b"\n.\r", b"\r.\r\n"]


@pytest.mark.parametrize("ending", ENDINGS, ids=[repr(ending) for ending in ENDINGS])
def test_only_crlf_dot_crlf_ends_a_message(server, user, ending):
    """SMTP smuggling: what follows a false end must not become a second message."""
    smuggled = (b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<" + user.encode() +
                b">\r\nDATA\r\nSubject: smuggled\r\n\r\nboo")
    with Raw(server) as raw:
        envelope(raw, user)
        answer = raw.send(b"Subject: outer\r\n\r\nbody" + ending + smuggled + b"\r\n.\r\n").reply()
        assert answer[:1] in (b"2", b"5"), answer
        accepted = answer.startswith(b"250")
        if accepted:
            assert raw.say(b"NOOP").startswith(b"250")
    server.deliver(user, b"Subject: last\r\n\r\nend\r\n")
    with server.imap(user) as client:
        got = wait_for(client, 2 if accepted else 1)
    assert len(got) == (2 if accepted else 1)
    assert not any(mail.startswith(b"Return-Path: <evil") for mail in got)


def test_nothing_is_taken_over_from_before_starttls(server, user):
    """Commands pipelined behind STARTTLS never run inside TLS."""
    with Raw(server) as raw:
        raw.reply()
        raw.say(b"EHLO client.example")
        answer = raw.send(b"STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n").reply()
        if not answer.startswith(b"220"):
            assert answer[:1] == b"5"
            return
        try:
            with insecure().wrap_socket(raw.socket) as secure:
                secure.sendall(b"EHLO client.example\r\n")
                first = secure.recv(4096)
                assert first.startswith(b"250") and b"2.1.0" not in first
        except (ssl.SSLError, ConnectionError):
            pass


def test_a_bare_lf_command_is_refused(server):
    with Raw(server) as raw:
        raw.reply()
        assert raw.send(b"EHLO client.example\nNOOP\r\n").reply()[:1] == b"5"


def test_a_long_command_line_is_refused(server):
    with Raw(server) as raw:
        raw.reply()
        assert raw.say(b"EHLO " + b"x" * 5000)[:1] == b"5"
        assert raw.say(b"NOOP")[:3] in (b"250", b"421", b"")


def test_a_long_body_line_is_refused_and_the_connection_goes_on(server, user):
    with Raw(server) as raw:
        envelope(raw, user)
        assert raw.send(b"Subject: long\r\n\r\n" + b"x" * 200_000 + b"\r\n.\r\n").reply()[:1] == b"5"
        assert raw.say(b"NOOP").startswith(b"250")


def test_endless_commands_without_a_line_end_cost_nothing(server):
    with Raw(server) as raw:
        raw.reply()
        try:
            for _ in range(200):
                raw.send(b"x" * 65536)
            raw.send(b"\r\n")
            assert raw.reply()[:1] in (b"5", b"4", b"")
        except (ConnectionError, socket.timeout):
            pass
    with server.smtp() as client:
        assert client.noop()[0] == 250


def test_many_wrong_commands_end_the_connection(server):
    with Raw(server) as raw:
        raw.reply()
        answers = []
        try:
            for _ in range(100):
                answers.append(raw.say(b"WHATEVER"))
                if not answers[-1] or answers[-1].startswith(b"421"):
                    break
        except ConnectionError:
            answers.append(b"")
    assert answers[0][:1] == b"5" and len(answers) < 100


@pytest.mark.parametrize("port", [25, 143])
def test_tls_on_a_clear_port_is_survived(server, port):
    with pytest.raises((ssl.SSLError, ConnectionError, OSError)):
        with socket.create_connection(("127.0.0.1", server.port(port)), timeout=20) as clear:
            insecure().wrap_socket(clear)
    with server.smtp() as client:
        assert client.noop()[0] == 250


@pytest.mark.parametrize("port", [465, 993])
def test_clear_text_on_a_tls_port_is_survived(server, port):
    with Raw(server, port) as raw:
        raw.send(b"EHLO client.example\r\n" * 20)
        try:
            while raw.socket.recv(4096):
                pass
        except ConnectionError:
            pass
    with server.submission() as client:
        assert client.noop()[0] == 250


WRONG = [b"MAIL FROM:<a@b", b"MAIL FROM:<a@b> SIZE=x", b"MAIL FROM:<a\x00b@c>", b"RCPT TO:<>", b"BDAT x", b"BDAT -1 LAST",
         b"BDAT 99999999999999999999 LAST", b"AUTH", b"\xff\xfe\xfd", b"", b"DATA", b"MAIL FROM:<a@b> BODY=WHAT"]


@pytest.mark.parametrize("line", WRONG, ids=[repr(line) for line in WRONG])
def test_a_malformed_command_gets_a_5xx(server, line):
    with Raw(server) as raw:
        raw.reply()
        raw.say(b"EHLO client.example")
        assert raw.say(line)[:1] == b"5"


def test_a_message_cut_off_is_forgotten(server, user):
    with Raw(server) as raw:
        envelope(raw, user)
        raw.send(b"Subject: half\r\n\r\n" + b"x" * 70 + b"\r\n")
    server.deliver(user, b"Subject: whole\r\n\r\nx\r\n")
    with server.imap(user) as client:
        wait_for(client, 1)
        assert len(messages(client)) == 1
