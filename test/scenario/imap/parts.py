"""Parts of a long message: each is what a parser of our own cuts out, whole, by pieces, in whatever order."""
import email.mime.application
import email.mime.message
import email.mime.multipart
import email.mime.text
import random

import pytest
from server import crlf

PIECE = 50000


def long_message():
    random.seed(7)
    inner = email.mime.multipart.MIMEMultipart("mixed")
    inner["Subject"] = "inside"
    inner.attach(email.mime.text.MIMEText("inner text\n"))
    inner.attach(email.mime.application.MIMEApplication(random.randbytes(200000)))
    outer = email.mime.multipart.MIMEMultipart("mixed")
    outer["Subject"] = "long"
    outer.attach(email.mime.text.MIMEText("the text\n"))
    outer.attach(email.mime.application.MIMEApplication(random.randbytes(300000)))
    outer.attach(email.mime.message.MIMEMessage(inner))
    outer.attach(email.mime.text.MIMEText("the end\n"))
    return crlf(outer.as_bytes())


MESSAGE = long_message()


def fetch(client, what):
    kind, data = client.fetch("1", f"({what})")
    assert kind == "OK"
    return next((part[1] for part in data if isinstance(part, tuple)), None)


def body_of(message, path):
    """The bytes between boundaries, cut by hand."""
    for number in path:
        boundary = b"--" + message.split(b'boundary="', 1)[1].split(b'"', 1)[0]
        part = message.split(boundary)[number].removeprefix(b"\r\n").removesuffix(b"\r\n")
        message = part
    return message.split(b"\r\n\r\n", 1)[1]


@pytest.fixture
def client(server, user):
    with server.imap(user) as connection:
        assert connection.append("INBOX", None, None, MESSAGE)[0] == "OK"
        connection.select("INBOX")
        yield connection


@pytest.mark.parametrize("path", ["1", "2", "4"])
def test_a_part_is_what_stands_between_its_boundaries(client, path):
    wanted = body_of(MESSAGE, [int(path)])
    assert fetch(client, f"BODY.PEEK[{path}]") == wanted
    assert fetch(client, f"BODY.PEEK[{path}]<3.4>") == wanted[3:7]


@pytest.mark.parametrize("path", ["1", "2", "3", "3.1", "3.2", "4"])
def test_pieces_make_up_the_whole(client, path):
    whole = fetch(client, f"BODY.PEEK[{path}]")
    pieces = b""
    while piece := fetch(client, f"BODY.PEEK[{path}]<{len(pieces)}.{PIECE}>"):
        pieces += piece
    assert pieces == whole
    assert fetch(client, f"BODY.PEEK[{path}]<5.3>") == whole[5:8]


def test_pieces_of_two_parts_in_turn(client):
    for at in range(0, 150000, PIECE):
        for path in ("2", "3.2"):
            assert fetch(client, f"BODY.PEEK[{path}]<{at}.{PIECE}>") == fetch(client, f"BODY.PEEK[{path}]")[at:at + PIECE]
    assert fetch(client, "BODY.PEEK[9]<0.10>") is None
    assert fetch(client, "BODY.PEEK[3.MIME]").startswith(b"Content-Type: message/rfc822")
    assert b"Subject: inside" in fetch(client, "BODY.PEEK[3.HEADER]")


PADDING = b"0123456789abcdef" * 4 + b"\r\n"


@pytest.mark.parametrize("front, kind, text, behind", [
    (0, b"plain", b"Hello there.", 400000),  # only the front of it is read
    (400000, b"plain", b"Hello there.", 0),  # no text in the front: all of it is
    (0, b"html", b"<style>" + PADDING * 200 + b"</style><p>Hello\r\n <b>there</b>.", 0),
    (0, b"html", b"<p>Hello there.</p>" + b"<p>and so on</p>" * 5000, 0),
], ids=["front", "behind", "styles", "long"])
def test_a_preview_is_found_wherever_the_text_stands(server, user, front, kind, text, behind):
    def part(of, content):
        return b"--cut\r\nContent-Type: %s\r\n\r\n%s\r\n" % (of, content)

    message = (b"Subject: long\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n" + part(b"application/x-data", b"x" * front) +
               part(b"text/" + kind, text) + part(b"application/x-data", b"y" * behind) + b"--cut--\r\n")
    with server.imap(user) as client:
        assert client.append("INBOX", None, None, message)[0] == "OK"
        client.noop()
        preview = client.fetch("1", "(PREVIEW)")[1][0]
    assert b'PREVIEW "Hello there.' in preview and len(preview) < 240, preview
