"""What the server accepts and refuses, and with which code."""
import smtplib

import pytest

from server import DOMAIN, wait_for

MAIL = b"From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"


def test_an_unknown_recipient_is_refused_at_rcpt(server):
    with server.smtp() as client:
        client.mail("stranger@example.org")
        code, text = client.rcpt(f"nobody-here@{DOMAIN}")
    assert code == 550 and text.startswith(b"5.1.1")


def test_relaying_is_refused(server):
    with server.smtp() as client:
        client.mail("stranger@example.org")
        code, text = client.rcpt("someone@elsewhere.example")
    assert code in (550, 554) and text.startswith(b"5.7.")


def test_auth_is_not_offered_in_clear(server):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=30) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] in (530, 538, 502, 503, 504)


def test_submission_needs_a_login(server, user):
    with server.submission() as client:
        client.ehlo()
        assert client.mail(user)[0] == 530


def test_a_wrong_password_is_refused(server, user):
    with server.submission() as client, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        client.login(user, "not this one")
    assert refused.value.smtp_code == 535


def test_an_account_sends_only_as_itself(server, user):
    with server.submission(user) as client:
        code, text = client.mail("someone-else@example.org")
        if code == 250:
            code, text = client.rcpt(user)
    assert code in (550, 553, 554) and text.startswith(b"5.7.")


def test_nor_in_the_from_field_of_another(server, user):
    with server.submission(user) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail(user, [user], b"From: Somebody <else@example.org>\r\n\r\nx\r\n")
    assert refused.value.smtp_code == 550


def test_submission_adds_what_is_missing_and_tells_no_address(server, user):
    with server.submission(user) as client:
        client.sendmail(user, [user], f"From: {user}\r\nSubject: bare\r\n\r\nhi\r\n".encode())
    with server.imap(user) as client:
        got = wait_for(client, 1)[0]
    head = got.split(b"\r\n\r\n")[0].lower()
    assert b"\r\nmessage-id: <" in head and b"\r\ndate: " in head
    assert b"127.0.0.1" not in head and b"client.example" not in head


def test_a_delivery_is_traced(server, user):
    server.deliver(user, MAIL)
    with server.imap(user) as client:
        got = wait_for(client, 1)[0]
    assert got.startswith(b"Return-Path: <stranger@example.org>\r\nReceived: from client.example ")
    assert got.endswith(MAIL)


def test_sub_addresses_reach_the_account(server, user):
    server.deliver(user.replace("@", "+shop@"), MAIL)
    with server.imap(user) as client:
        assert wait_for(client, 1)[0].endswith(MAIL)


def test_a_loop_is_refused(server, user):
    hops = b"".join(b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n" for _ in range(120))
    with server.smtp() as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("stranger@example.org", [user], hops + MAIL)
    assert refused.value.smtp_code == 554


def test_the_size_limit_is_announced_and_kept(server, user):
    with server.smtp() as client:
        assert int(client.esmtp_features["size"]) == 50 * 1024 * 1024
        assert client.mail("stranger@example.org", [f"SIZE={60 * 1024 * 1024}"])[0] == 552


def test_what_is_offered(server):
    with server.smtp() as client:
        offered = set(client.esmtp_features)
    assert {"pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking", "binarymime",
            "starttls"} <= offered


def test_chunks_arrive_as_sent(server, user):
    body = b"Subject: chunks\r\n\r\n.\r\n..dots stay\r\n" + bytes(range(1, 256)) * 100
    with server.smtp() as client:
        client.mail("stranger@example.org", ["BODY=BINARYMIME"])
        client.rcpt(user)
        for at in range(0, len(body), 1000):
            part = body[at:at + 1000]
            last = " LAST" if at + 1000 >= len(body) else ""
            client.send(f"BDAT {len(part)}{last}\r\n".encode() + part)
            assert client.getreply()[0] == 250
    with server.imap(user) as client:
        assert wait_for(client, 1)[0].endswith(body)


def test_a_large_message_arrives_whole(server, user):
    line = b"0123456789abcdef" * 4 + b"\r\n"
    body = b"Subject: large\r\n\r\n" + line * (25 * 1024 * 1024 // len(line))
    server.deliver(user, body)
    with server.imap(user) as client:
        assert wait_for(client, 1)[0].endswith(body)
