"""Guessing is slowed down, and its victim is not: also after a restart."""
import smtplib
import time

import pytest

from server import DOMAIN, PASSWORD, Server, insecure

DELAY = 5
FREE = 3
HOME = "127.0.0.1"


def try_login(server, network, password):
    """How long the answer took. Each network is one of 127.0.0.0/8's."""
    began = time.monotonic()
    with smtplib.SMTP_SSL("127.0.0.1", server.port(465), local_hostname="client.example", context=insecure(), timeout=60,
                          source_address=(network, 0)) as client:
        try:
            client.ehlo()
            client.user, client.password = f"a@{DOMAIN}", password
            client.auth("PLAIN", client.auth_plain)  # login() would try every mechanism, and count as several
            assert password == PASSWORD
        except smtplib.SMTPAuthenticationError:
            assert password != PASSWORD
    return time.monotonic() - began


@pytest.fixture
def guarded():
    with Server(f"[auth]\nfailures_before_delay = {FREE}\ndelay = {DELAY}\n") as server:
        server.domain()
        server.account("a")
        yield server


def guess(server):
    for number in range(FREE):
        try_login(server, f"127.0.{10 + number}.1", f"wrong {number}")


def test_guesses_slow_down_strangers_but_not_the_owner(guarded):
    try_login(guarded, HOME, PASSWORD)
    guess(guarded)
    assert try_login(guarded, HOME, PASSWORD) < DELAY - 1
    assert try_login(guarded, "127.0.20.1", PASSWORD) >= DELAY


def test_a_restart_forgets_no_owner(guarded):
    try_login(guarded, HOME, PASSWORD)
    guarded.stop()
    guarded.start()
    guess(guarded)
    assert try_login(guarded, HOME, PASSWORD) < DELAY - 1
    assert try_login(guarded, "127.0.20.1", PASSWORD) >= DELAY

