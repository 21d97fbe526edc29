"""A maildrop beside everything else that happens to the mailbox, and the messages that are not like the others."""
import email
import email.policy
import pathlib
import poplib
import smtplib

import pytest

from server import DOMAIN, PASSWORD, Server, crlf, insecure, wait_until

MIB = 1 << 20


def mail(number):
    return f"Subject: number {number}\r\n\r\nbody {number}\r\n".encode()


@pytest.fixture
def filled(server, user):
    for number in range(5):
        server.deliver(user, mail(number))
    return user


def content(client, number):
    return b"\r\n".join(client.retr(number)[1] + [b""])


def flags(server, user):
    with server.imap(user) as client:
        return [b"\\Seen" in line for line in client.fetch("1:*", "(FLAGS)")[1]]


def test_new_mail_is_there_at_the_next_login(server, user):
    """At once, however fast one follows the other; a maildrop that is open stays as it was."""
    for number in range(15):
        before = server.pop3(user)
        server.deliver(user, mail(number))
        assert before.stat()[0] == number
        after = server.pop3(user)
        assert after.stat()[0] == number + 1
        assert content(after, number + 1).endswith(mail(number))
        after.quit()
        before.quit()


def test_what_was_fetched_is_seen(server, filled):
    client = server.pop3(filled)
    client.retr(2)
    client.top(3, 100)
    client.quit()
    assert flags(server, filled) == [False, True, False, False, False]


def test_what_was_fetched_is_seen_without_quit_too(server, filled):
    client = server.pop3(filled)
    client.retr(1)
    client.retr(2)
    client.retr(5)
    client.dele(4)
    client.close()
    wait_until(lambda: flags(server, filled) == [True, True, False, False, True], 10, "three are seen and nothing is deleted")


def test_messages_that_are_gone_meanwhile(server, filled):
    """Expunged and moved away by IMAP: they cannot be fetched, the others can, and deleting all is no mistake."""
    client = server.pop3(filled)
    with server.imap(filled) as imap:
        imap.store("1", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.create("Elsewhere")
        assert imap.uid("MOVE", "3", "Elsewhere")[0] == "OK"
    for gone in (1, 3):
        for fetch in (client.retr, lambda number: client.top(number, 1)):
            with pytest.raises(poplib.error_proto, match="-ERR That message is gone"):
                fetch(gone)
    assert content(client, 2).endswith(mail(1))
    assert client.stat()[0] == 5
    for number in range(1, 5):
        client.dele(number)
    server.deliver(filled, mail(9))
    client.quit()
    after = server.pop3(filled)
    assert [content(after, number).endswith(mail(which)) for number, which in ((1, 4), (2, 9))] == [True, True]
    assert after.stat()[0] == 2
    with server.imap(filled, mailbox="Elsewhere") as imap:
        assert imap.search(None, "ALL")[1] == [b"1"]


def test_two_maildrops_at_once(server, filled):
    one, other = server.pop3(filled), server.pop3(filled)
    for number in (1, 2, 3):
        one.dele(number)
    for number in (2, 3, 4):
        other.dele(number)
    one.quit()
    assert content(other, 5).endswith(mail(4))
    with pytest.raises(poplib.error_proto):
        other.retr(1)
    other.quit()
    last = server.pop3(filled)
    assert last.stat()[0] == 1 and content(last, 1).endswith(mail(4))


def test_an_idle_imap_client_sees_what_pop3_deletes(server, filled):
    watcher = server.imap(filled)
    watcher.send(b"i IDLE\r\n")
    assert watcher.readline().startswith(b"+")
    client = server.pop3(filled)
    client.dele(2)
    client.quit()
    watcher.sock.settimeout(10)
    assert watcher.readline() == b"* 2 EXPUNGE\r\n"
    watcher.sock.close()


def test_utf8_in_headers_is_for_those_who_ask(server, user):
    """RFC 6856 §2, §4; RFC 6858."""
    message = "From: Grüße <grüße@bücher.example>\r\nTo: x\r\nSubject: schöne Grüße\r\nX-Ü: x\r\n\r\nKörper\r\n"
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=30) as smtp:
        smtp.ehlo()
        smtp.sendmail("grüße@bücher.example", [user], message.encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    plain = server.pop3(user)
    answer, lines, _ = plain.retr(1)
    assert int(answer.split()[1]) == len(b"\r\n".join(lines + [b""])) != int(plain.list(1).split()[2])
    for shown in (content(plain, 1), b"\r\n".join(plain.top(1, 5)[1])):
        header, _, body = shown.partition(b"\r\n\r\n")
        assert header.isascii() and body.startswith("Körper".encode())
        read = email.message_from_bytes(header, policy=email.policy.default)
        assert read["Subject"] == "schöne Grüße"
        assert read["From"].addresses[0].display_name == "Grüße" and read["From"].addresses[0].domain.endswith(".invalid")
    plain.quit()
    asking = poplib.POP3_SSL("127.0.0.1", server.port(995), context=insecure(), timeout=30)
    asking.utf8()
    asking.user(user)
    asking.pass_(PASSWORD)
    raw = content(asking, 1)
    assert raw.endswith(message.encode())
    assert asking.list(1).split()[2] == b"%d" % len(raw)


def test_bare_newlines_end_no_message(server, user):
    """What IMAP stored with them has CRLF here, and a line with a dot alone is none (RFC 1939 §3)."""
    stored = b"Subject: x\n\nbefore\n.\n+OK forged\n.\r\n..\nafter"
    with server.imap(user) as client:
        client.literal = stored
        assert client._simple_command("APPEND", "INBOX")[0] == "OK"
    client = server.pop3(user)
    assert content(client, 1) == crlf(stored) + b"\r\n"
    assert client.noop() == b"+OK Done"
    assert client.top(1, 2)[1] == [b"Subject: x", b"", b"before", b"."]


def sessions(server):
    return [pid for pid, role in server.roles().items() if role == "session"]


def peak(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def test_a_large_message_takes_little_memory(own):
    own.account("u")
    body = b"".join(b"%070d\r\n" % number for number in range(49 * MIB // 72))
    own.deliver("u", b"Subject: large\r\n\r\n" + body)
    own.pop3("u").quit()  # it is taken in, which holds all of it; the session then ends
    wait_until(lambda: not sessions(own), 20, "the session ends")
    client = own.pop3("u")
    assert len(sessions(own)) == 1
    before = peak(sessions(own)[0])
    assert content(client, 1).endswith(body)
    assert client.list(1).split()[2] == b"%d" % len(content(client, 1))
    grown = peak(sessions(own)[0]) - before
    print(f"peak memory grew by {grown} KiB from {before} KiB")
    assert grown < 8 * 1024
    client.quit()


def test_many_messages():
    with Server("[smtp]\nconnections_per_address = 1000\n") as server:
        server.domain()
        server.account("u")
        with server.smtp() as smtp:
            for number in range(2000):
                smtp.sendmail("s@example.org", [f"u@{DOMAIN}"], mail(number))
        client = server.pop3("u")
        while client.stat()[0] < 2000:  # an account that comes to life takes in its newest mail first
            client.quit()
            client = server.pop3("u")
        assert len(client.list()[1]) == len(client.uidl()[1]) == 2000
        ids = [line.split()[1] for line in client.uidl()[1]]
        assert len(set(ids)) == 2000
        client.retr(1)
        client.retr(4)
        for number in range(1, 2001):
            if number % 4 != 0:
                client.dele(number)
        client.quit()
        client = server.pop3("u")
        assert [line.split()[1] for line in client.uidl()[1]] == ids[3::4]
        assert b"\nSubject: number " in content(client, 500)
        client.close()
        wait_until(lambda: [1, 500] == [number for number, seen in enumerate(flags(server, "u"), 1) if seen], 10,
                   "the two that were fetched, and are still there, are seen")
