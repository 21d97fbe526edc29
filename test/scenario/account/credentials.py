"""Passwords change, app passwords come and go, the recovery code works: the mail stays, the old credential is dead."""
import imaplib

import pytest

from server import Failed, PASSWORD, wait_for, wait_until

MAIL = b"Subject: kept\r\n\r\nstill here\r\n"
NEW = "another long password"


def can_log_in(server, user, password):
    try:
        with server.imap(user, password) as client:
            return wait_for(client, 1)[0].endswith(MAIL)
    except imaplib.IMAP4.error:
        return False


@pytest.fixture
def known(server, request):
    name = f"known-{abs(hash(request.node.name)) % 10**8}@demo.test"
    code = server.account(name)
    server.deliver(name, MAIL)
    assert can_log_in(server, name, PASSWORD)
    return name, code


def recovery_code(text):
    """The code is the last word of what `account add` prints."""
    return text.split()[-1]


def test_a_password_is_changed_with_the_old_one(server, known):
    name, _ = known
    server.tool("account", "passwd", name, stdin=f"{PASSWORD}\n{NEW}\n")
    assert can_log_in(server, name, NEW)
    assert not can_log_in(server, name, PASSWORD)


def test_who_was_logged_in_with_the_old_password_is_put_out(server, known):
    name, _ = known
    client = server.imap(name, PASSWORD)
    client.select()
    server.tool("account", "passwd", name, stdin=f"{PASSWORD}\n{NEW}\n")

    def is_out():
        try:
            client.noop()
            return False
        except (imaplib.IMAP4.abort, OSError):
            return True
    wait_until(is_out, 15, "the old connection ends")
    assert can_log_in(server, name, NEW)


def test_a_password_is_not_changed_with_a_wrong_one(server, known):
    name, _ = known
    with pytest.raises(Failed):
        server.tool("account", "passwd", name, stdin=f"wrong\n{NEW}\n")
    with pytest.raises(Failed):
        server.tool("account", "passwd", name, stdin=f"{NEW}\n")
    assert can_log_in(server, name, PASSWORD)


def test_the_recovery_code_sets_a_new_password(server, known):
    name, printed = known
    server.tool("account", "passwd", name, "--recovery", recovery_code(printed), stdin=f"{NEW}\n")
    assert can_log_in(server, name, NEW)
    assert not can_log_in(server, name, PASSWORD)


def app_password(server, name, *words):
    return server.tool("app-password", "add", name, "--label", "phone", *words, stdin=PASSWORD + "\n").stdout.split()[-1]


def test_an_app_password_opens_the_mail_until_it_is_removed(server, known):
    name, _ = known
    word = app_password(server, name)
    assert can_log_in(server, name, word)
    listed = server.tool("app-password", "list", name).stdout
    assert "phone" in listed and word not in listed
    number = next(line for line in listed.splitlines() if "phone" in line).split()[0]
    server.tool("app-password", "remove", name, number)
    assert not can_log_in(server, name, word)
    assert can_log_in(server, name, PASSWORD)


def test_an_app_password_is_good_for_its_scope_only(server, known):
    name, _ = known
    word = app_password(server, name, "--scope", "smtp")
    assert not can_log_in(server, name, word)
    with server.submission(name, word) as client:
        assert client.noop()[0] == 250


def test_a_locked_account_is_locked_and_opens_again(server, known):
    name, _ = known
    server.tool("account", "lock", name)
    assert not can_log_in(server, name, PASSWORD)
    server.tool("account", "unlock", name)
    assert can_log_in(server, name, PASSWORD)


def test_a_removed_account_is_gone(server, known):
    name, _ = known
    server.tool("account", "remove", name)
    assert not can_log_in(server, name, PASSWORD)
    with server.smtp() as client:
        client.mail("a@example.org")
        assert client.rcpt(name)[0] == 550
    assert name not in server.tool("account", "list").stdout


def test_further_addresses_and_a_catch_all_reach_an_account(server, known):
    name, _ = known
    server.tool("domain", "add", "other.test")
    server.tool("address", "add", "sales@other.test", name)
    server.tool("address", "add", "@other.test", name)
    server.deliver("sales@other.test", MAIL)
    server.deliver("whoever@other.test", MAIL)
    with server.imap(name) as client:
        wait_for(client, 3)
    assert "sales@other.test" in server.tool("address", "list").stdout
    server.tool("address", "remove", "@other.test")
    with server.smtp() as client:
        client.mail("a@example.org")
        assert client.rcpt("whoever@other.test")[0] == 550


def test_costlier_hashing_is_taken_over_at_the_next_login(own):
    own.account("a")
    own.deliver("a", MAIL)
    own.conf.write_text(own.conf.read_text().replace("argon2_memory = 8M", "argon2_memory = 16M"))
    own.tool("reload")
    assert can_log_in(own, "a", PASSWORD)
    assert can_log_in(own, "a", PASSWORD)
    assert not can_log_in(own, "a", NEW)
