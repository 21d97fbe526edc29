"""Malformed IMAP gets BAD or NO, costs a bounded amount, and disturbs nobody."""
import socket

import pytest

from server import PASSWORD, insecure


class Raw:
    def __init__(self, server, user=None):
        plain = socket.create_connection(("127.0.0.1", server.port(993)), timeout=20)
        self.socket = insecure().wrap_socket(plain)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        if user:
            assert self.say(f'l LOGIN "{user}" "{PASSWORD}"'.encode()).startswith(b"l OK")
            self.say(b"s SELECT INBOX")

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        tag = line.split(b" ")[0]
        while True:
            got = self.file.readline()
            if not got or got.startswith((tag + b" ", b"* BAD", b"* BYE", b"+")):
                return got


BEFORE = [b"a", b"a ", b"a WHAT", b"a SELECT INBOX", b"a LOGIN", b"a LOGIN x", b"a LOGIN {99999999999999999999}", b"* NOOP",
          b"a AUTHENTICATE WHAT", b"a LOGIN \"x", b"\xff\xfe", b"a LOGIN {4000000000}"]


@pytest.mark.parametrize("line", BEFORE, ids=[repr(line) for line in BEFORE])
def test_before_login(server, line):
    got = Raw(server).say(line)
    assert got == b"" or b" BAD" in got or b" NO" in got, got


AFTER = [b"a FETCH", b"a FETCH 1:x FLAGS", b"a FETCH 0 FLAGS", b"a STORE 1 FLAGS", b"a SEARCH", b"a SEARCH WHAT",
         b"a APPEND INBOX {99999999999999}", b"a SELECT {200000}", b"a CREATE \"\"", b"a DELETE INBOX", b"a RENAME x",
         b"a FETCH 1 BODY[1.2.3.4.", b"a UID WHAT", b"a SEARCH " + b"NOT " * 5000 + b"ALL",
         b"a SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000, b"a SEARCH CHARSET X-NONE ALL", b"a STATUS INBOX (WHAT)"]


@pytest.mark.parametrize("line", AFTER, ids=[repr(line[:40]) for line in AFTER])
def test_after_login(server, user, line):
    got = Raw(server, user).say(line)
    assert got == b"" or b" BAD" in got or b" NO" in got or b"BYE" in got, got
    with server.imap(user) as client:
        assert client.noop()[0] == "OK"
