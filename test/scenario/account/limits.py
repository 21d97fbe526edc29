"""`waxwing account limit`: what one account may send to others and hold, changed while the server runs."""
import json
import re
import smtplib

import pytest

from server import DOMAIN, Server, wait_for, wait_until

SETTINGS = """
[server]
gates = 2
intakes = 2
[smtp]
recipients_per_hour = 4
[courier]
relay = 127.0.0.1:9
"""
ALICE = f"alice@{DOMAIN}"


@pytest.fixture
def house():
    server = Server(SETTINGS)
    try:
        server.start()
        server.domain()
        for name in ("alice", "carol"):
            server.account(name)
        yield server
    finally:
        server.remove()


def send(server, *to, user="alice"):
    """None, or how it was refused."""
    try:
        with server.submission(user) as client:
            client.sendmail(f"{user}@{DOMAIN}", list(to), f"From: {user}@{DOMAIN}\r\nSubject: x\r\n\r\nhello\r\n")
    except smtplib.SMTPDataError as refused:
        return refused.smtp_code, refused.smtp_error.decode()
    return None


def strangers(count):
    return [f"stranger{number}@example.org" for number in range(count)]


def listed(server, address):
    return next(one for one in json.loads(server.tool("account", "list", "--json").stdout) if one["address"] == address)


def test_an_account_may_write_to_as_many_people_as_its_own_limit_says(house):
    assert send(house, *strangers(4)) is None
    code, text = send(house, "one@example.org")
    assert code == 451 and text.startswith("4.7.1 You may write to 4 people elsewhere within an hour")
    assert re.search(r"; please try again in (5[5-9]|60) minutes$", text)
    house.tool("account", "limit", ALICE, "--recipients-per-hour", "10")
    assert send(house, *strangers(6)) is None  # at once, with what was sent before
    assert send(house, "one@example.org")[0] == 451
    code, text = send(house, *strangers(11))
    assert code == 550 and text.startswith("5.7.1 You may write to 10 people") and "fewer at a time" in text
    assert send(house, *strangers(5), user="carol")[0] == 550  # who has none of her own
    house.tool("account", "limit", ALICE, "--recipients-per-hour", "0")
    assert send(house, *strangers(50)) is None
    house.tool("account", "limit", ALICE, "--recipients-per-hour", "default")
    assert send(house, "one@example.org")[0] == 451
    assert send(house, f"carol@{DOMAIN}", ALICE) is None  # people here are not counted
    assert house.log.read_text().count("account.sends.much") == 5


def test_an_account_may_send_so_many_messages(house):
    house.tool("account", "limit", ALICE, "--recipients-per-hour", "0", "--messages-per-hour", "2")
    assert send(house, *strangers(5)) is None and send(house, *strangers(5)) is None
    code, text = send(house, "one@example.org")
    assert code == 451 and text.startswith("4.7.1 You may send 2 messages elsewhere within an hour, and have;")
    shown = house.tool("account", "limit", ALICE).stdout.splitlines()
    assert shown == ["quota\tnone", "recipients per hour\tany number (its own limit), 10 in the last hour",
                     "messages per hour\t2 (its own limit), 2 in the last hour"]
    assert send(house, "one@example.org", user="carol") is None


def test_limits_outlive_a_restart_and_are_listed(house):
    house.tool("account", "limit", ALICE, "--recipients-per-hour", "2", "--quota", "1M")
    house.stop()
    house.start()
    assert send(house, *strangers(2)) is None and send(house, "one@example.org")[0] == 451
    one = listed(house, ALICE)
    assert (one["quota"], one["recipients_per_hour"], one["messages_per_hour"]) == (1 << 20, 2, None)
    assert f"{ALICE}\tactive\t1048576\t2\tdefault" in house.tool("account", "list").stdout.splitlines()
    assert house.tool("account", "limit", f"nobody@{DOMAIN}", check=False).returncode == 1
    done = house.tool("account", "limit", ALICE, "--messages-per-hour", "none", check=False)
    assert done.returncode == 2 and "--messages-per-hour takes a number" in done.stderr


def code_of(server, address):
    with server.smtp() as client:
        client.mail("stranger@example.org")
        return client.rcpt(address)[0]


def test_a_quota_is_changed_with_the_account_open_and_closed(house):
    client = house.imap("alice")
    text = b"Subject: much\r\n\r\n" + b"x" * 8000 + b"\r\n"
    house.deliver("alice", text)
    wait_for(client, 1)
    house.tool("account", "limit", ALICE, "--quota", "4K")
    wait_until(lambda: code_of(house, ALICE) == 452, 10, "the open account is full")
    assert client.append("INBOX", None, None, text)[0] == "NO"
    house.tool("account", "limit", ALICE, "--quota", "1M")
    assert code_of(house, ALICE) == 250
    assert client.append("INBOX", None, None, text)[0] == "OK"
    house.tool("account", "limit", ALICE, "--quota", "10K")
    wait_until(lambda: code_of(house, ALICE) == 452, 10, "it is full again")
    client.logout()
    wait_until(lambda: house.status()["sessions"] == 0, 20, "the session is closed")
    assert code_of(house, ALICE) == 452
    house.tool("account", "limit", ALICE, "--quota", "0")
    assert code_of(house, ALICE) == 250
    with house.imap("alice") as client:
        assert client.append("INBOX", None, None, text)[0] == "OK"
