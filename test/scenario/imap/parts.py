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
