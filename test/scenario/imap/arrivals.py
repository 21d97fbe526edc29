"""When new mail shows: the first at once, a burst within about a second, all of it for who asks."""
import smtplib
import time

import pytest

from server import insecure

BURST = 30


def mail(number):
    return f"From: s@example.org\r\nSubject: number {number}\r\n\r\nbody\r\n".encode()


@pytest.fixture
def burst(server, user):
    """Delivers so many over one connection."""
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=30) as sender:
        sender.starttls(context=insecure())

        def deliver(count):
            for number in range(count):
                sender.sendmail("s@example.org", [user], mail(number))

        yield deliver


def last_exists(client):
    values = client.untagged_responses.get("EXISTS")
    return int(values[-1]) if values and values[-1] is not None else 0


def test_a_burst_shows_in_idle_soon(server, user, burst):
    with server.imap(user) as client:
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+")
        client.sock.settimeout(20)
        burst(BURST)
        delivered = time.monotonic()
        seen = 0
        while seen < BURST:
            words = client.readline().split()
            if words[-1] == b"EXISTS":
                seen = int(words[1])
        assert time.monotonic() - delivered < 5
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"i "):
            pass


def test_who_asks_sees_all_that_was_acknowledged(server, user, burst):
    with server.imap(user) as client:
        for round in range(1, 4):
            burst(BURST)
            assert client.noop()[0] == "OK"
            assert last_exists(client) == round * BURST
