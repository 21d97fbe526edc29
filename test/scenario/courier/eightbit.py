"""Mail of eight bits and of any bytes, to servers that take less: converted, and signed as it is sent."""
import email
import email.policy
import json

import pytest

dkim = pytest.importorskip("dkim")
from server import DOMAIN, Server, wait_for, wait_until  # noqa: E402
from smtppeer import Peer  # noqa: E402

SETTINGS = """
[courier]
relay = 127.0.0.1:{port}
relay_tls = optional
retry_first = 1
retry_longest = 1
"""
OLD = ("PIPELINING", "DSN")
NEW = ("PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME")
TEXT = "Grüße aus Köln. Punkt am Anfang:\r\n.so\r\nEs war schön; und lang genug, dass es lesbar bleibt.\r\n"
BYTES = bytes(range(256)) * 40 + b"\n\r\0end"


def parts(binary=False):
    encoding = "binary" if binary else "8bit"
    head = (f"From: alice@{DOMAIN}\r\nTo: bob@example.org\r\nSubject: eight\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary=bb\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n--bb\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + TEXT +
            "\r\n--bb\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: inner\r\n\r\n" + TEXT +
            "\r\n--bb\r\nContent-Type: application/octet-stream\r\n").encode()
    attachment = (b"Content-Transfer-Encoding: binary\r\n\r\n" + BYTES) if binary else b"\r\nplain"
    return head + attachment + b"\r\n--bb--\r\n"


class Post:
    def __init__(self, extensions):
        self.peer = Peer(extensions)
        self.server = Server(SETTINGS.format(port=self.peer.port), linger=1)
        self.server.start()
        self.server.domain()
        self.server.account("alice")
        rows = json.loads(self.server.tool("dkim", "list", DOMAIN, "--json").stdout)
        self.keys = {row["selector"]: row["record"] for row in rows}

    def send(self, message, options=(), to="bob@example.org"):
        with self.server.submission("alice") as client:
            client.sendmail(f"alice@{DOMAIN}", [to], message, options)

    def send_chunk(self, message):
        with self.server.submission("alice") as client:
            assert client.docmd(f"MAIL FROM:<alice@{DOMAIN}> BODY=BINARYMIME")[0] == 250
            assert client.docmd("RCPT TO:<bob@example.org>")[0] == 250
            client.send(f"BDAT {len(message)} LAST\r\n".encode() + message)
            assert client.getreply()[0] == 250

    def taken(self, count=1):
        return wait_until(lambda: len(self.peer.taken) >= count and self.peer.taken, 20, "it is delivered")[count - 1]

    def until_empty(self):
        wait_until(lambda: self.server.tool("queue", "list", "--json").stdout.strip() == "[]", 20, "the queue is empty")

    def report(self, count=1):
        with self.server.imap("alice") as client:
            return wait_for(client, count)[-1].decode()

    def is_signed(self, data):
        count = data.count(b"DKIM-Signature:")
        find = lambda name, **_: self.keys.get(name.decode().split(".")[0], "").encode()
        return count == 2 and all(dkim.DKIM(data).verify(idx=at, dnsfunc=find) for at in range(count))

    def close(self):
        self.server.remove()
        self.peer.close()


@pytest.fixture(scope="module")
def old():
    post = Post(OLD)
    yield post
    post.close()


@pytest.fixture(scope="module")
def new():
    post = Post(NEW)
    yield post
    post.close()


def check(data, attachment):
    found = email.message_from_bytes(data, policy=email.policy.SMTP)
    text, inner, last = found.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == TEXT.replace("\r\n", "\n")
    assert inner.get_content().get_payload(decode=True).decode() == TEXT
    assert last.get_payload(decode=True).removesuffix(b"\r\n") == attachment
    assert found["Content-Transfer-Encoding"] == inner["Content-Transfer-Encoding"] == "7bit"
    assert text["Content-Transfer-Encoding"] == "quoted-printable"


def test_eight_bits_are_converted_and_signed_anew(old):
    before = len(old.peer.taken)
    old.send(parts(), ["BODY=8BITMIME"])
    taken = old.taken(before + 1)
    assert taken.data.isascii() and old.is_signed(taken.data)
    assert (taken.sender, taken.recipients) == (f"alice@{DOMAIN}", ["bob@example.org"])
    assert taken.data.count(b"Received:") == 1 and b"Return-Path" not in taken.data
    check(taken.data, b"plain")
    assert not [line for line in old.peer.lines if "BODY=" in line]
    old.until_empty()
    assert len(old.peer.taken) == before + 1


def test_any_bytes_are_converted(old):
    before = len(old.peer.taken)
    old.send_chunk(parts(binary=True))
    taken = old.taken(before + 1)
    assert taken.data.isascii() and old.is_signed(taken.data)
    check(taken.data, BYTES)


def test_what_says_eight_bits_and_has_seven_goes_as_it_is(old):
    before = len(old.peer.taken)
    old.send(f"From: alice@{DOMAIN}\r\nSubject: seven\r\n\r\nplain\r\n".encode(), ["BODY=8BITMIME"])
    taken = old.taken(before + 1)
    assert taken.data.endswith(b"\r\n\r\nplain\r\n") and b"\r\nContent-Transfer-Encoding:" not in taken.data


def test_what_its_author_has_signed_comes_back(old):
    before = len(old.peer.taken)
    signed = parts().replace(b"multipart/mixed", b"multipart/signed")
    old.send(signed, ["BODY=8BITMIME"])
    assert "Status: 5.6.3" in old.report()
    old.until_empty()
    assert len(old.peer.taken) == before


def test_mail_that_is_sent_on_is_not_changed(old):
    old.server.tool("forward", "add", f"info@{DOMAIN}", "carol@example.org")
    before = len(old.peer.taken)
    old.server.deliver("info", parts(), sender="jo@author.example")
    report = old.taken(before + 1)
    assert report.recipients == ["jo@author.example"] and b"Status: 5.6.3" in report.data
    assert b"carol" not in report.data and report.data.isascii()


def test_any_bytes_go_as_they_are_where_they_are_taken(new):
    message = parts(binary=True)
    new.send_chunk(message)
    taken = new.taken()
    assert taken.data.endswith(message[message.index(b"--bb"):])
    assert [line for line in new.peer.lines if line.endswith("BODY=BINARYMIME")]
    assert [line for line in new.peer.lines if line == f"BDAT {len(taken.data)} LAST"]
    new.send(parts(), ["BODY=8BITMIME"])
    assert TEXT.encode() in new.taken(2).data
    assert [line for line in new.peer.lines if line.endswith("BODY=8BITMIME")]
    new.until_empty()
