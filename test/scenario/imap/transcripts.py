"""Runs the transcripts of test/conformance/imap, each with an account of its own; README.md there says how they read."""
import pathlib
import re

import pytest
from imapwire import Connection, numbered
from server import PASSWORD, ROOT

FOLDER = ROOT / "test/conformance/imap"
FILES = sorted(FOLDER.glob("*.txt"))

MIME = b"""From: Ann <ann@example.org>\r
To: Bob <bob@example.org>\r
Subject: A picture\r
Date: Mon, 7 Feb 1994 21:52:25 -0800\r
Message-ID: <mime@example.org>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=cut\r
\r
--cut\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
Gr=C3=BC=C3=9Fe\r
--cut\r
Content-Type: application/octet-stream\r
Content-Transfer-Encoding: base64\r
\r
AAECAwQF\r
--cut\r
Content-Type: application/octet-stream\r
Content-Transfer-Encoding: x-unknown\r
\r
zzz\r
--cut--\r
"""


class Player:
    def __init__(self, server, user, path):
        self.server, self.user, self.path = server, user, path
        self.connections = {}
        self.names = {"user": user, "password": PASSWORD}
        self.answer = []
        self.at = 0

    def connection(self, which):
        if which not in self.connections:
            self.connections[which] = Connection(self.server, self.user)
        return self.connections[which]

    def fill_in(self, text):
        return re.sub(r"\$\{(\w+)\}", lambda found: self.names[found.group(1)], text)

    def matches(self, expected, line):
        pattern = ""
        for piece in re.split(r"(<[a-z.]+(?:=\w+)?>)", self.fill_in(expected)):
            named = re.fullmatch(r"<(n|id|\.\.\.)(?:=(\w+))?>", piece)
            if named is None:
                pattern += re.escape(piece)
                continue
            inside = {"n": r"\d+", "id": r"[A-Za-z0-9_-]+", "...": ".*"}[named.group(1)]
            pattern += f"(?P<{named.group(2)}>{inside})" if named.group(2) else inside
        found = re.fullmatch(pattern, line)
        if found:
            self.names.update(found.groupdict())
        return found is not None

    def finish(self, where):
        assert not self.answer, f"{where}: not expected: {self.answer}"

    def directive(self, words):
        if words[0] == "messages":
            for _ in range(int(words[1])):
                self.at += 1
                self.connection("0").append(numbered(self.at))
        elif words[0] == "quota":
            self.user = f"quota-{self.path.stem}@demo.test"
            self.server.tool("account", "add", self.user, "--password-stdin", "--quota", words[1], stdin=PASSWORD + "\n")
            self.connections.clear()
        elif words[0] == "tag":
            self.names[words[1]] = f"t{self.connection('1').count}"
        elif words[0] == "mime":
            self.connection("0").append(MIME)
        elif words[0] == "thread":
            self.at += 1
            more = [f"References: {' '.join(words[2:])}"] if len(words) > 2 else []
            text = numbered(self.at, *more).replace(b"Subject: Message %d" % self.at, b"Subject: " + words[1].replace("_", " ").encode())
            self.connection("0").append(text)
        else:
            raise AssertionError(f"unknown directive {words}")

    def expect(self, expected, where):
        if expected == "S: ...":
            self.skipping = True
            return
        while True:
            assert self.answer, f"{where}: nothing left for {expected!r}"
            line = self.answer.pop(0)
            if self.matches(expected, line):
                break
            assert self.skipping and not line.startswith("T: "), f"{where}: expected {expected!r}, came {line!r}, then {self.answer}"
        self.skipping = False

    def play(self):
        self.skipping = False
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            where = f"{self.path.name}:{number}"
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("+ "):
                self.finish(where)
                self.directive(line[2:].split())
            elif found := re.fullmatch(r"C(\d?): (.*)", line):
                self.finish(where)
                self.answer = self.connection(found.group(1) or "1").run(self.fill_in(found.group(2)).replace(r"\r\n", "\r\n").encode())
            elif found := re.fullmatch(r"W(\d?): (.*)", line):
                self.finish(where)
                came = self.connection(found.group(1) or "1").hear()
                assert self.matches(found.group(2), came), f"{where}: expected {found.group(2)!r}, came {came!r}"
            else:
                self.expect(line, where)
        self.finish(self.path.name)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_transcript(server, user, path):
    Player(server, user, path).play()
