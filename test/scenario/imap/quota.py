"""A quota at delivery: who holds all he may gets no more (RFC 3463 §3.3), until there is room again."""
import smtplib

from server import DOMAIN, PASSWORD, wait_for, wait_until


def message(size):
    return b"Subject: much\r\n\r\n" + (b"x" * 70 + b"\r\n") * (size // 72)


def recipient_code(server, address):
    with server.smtp() as client:
        client.mail("stranger@example.org")
        code, text = client.rcpt(address)
        return code, text.decode()


def test_a_full_account_takes_no_mail_open_or_closed_until_there_is_room(own):
    address = f"small@{DOMAIN}"
    own.tool("account", "add", address, "--password-stdin", "--quota", "10K", stdin=PASSWORD + "\n")
    own.account("other")
    own.tool("address", "add", f"both@{DOMAIN}", address, f"other@{DOMAIN}")
    for _ in range(3):
        own.deliver(address, message(900))
    client = own.imap(address)
    wait_for(client, 3)
    assert recipient_code(own, address)[0] == 250
    # the last one may go beyond it: its size is not known at RCPT
    own.deliver(address, message(9000))
    wait_for(client, 4)
    wait_until(lambda: recipient_code(own, address)[0] == 452, 10, "the account is full")
    assert "4.2.2" in recipient_code(own, address)[1]
    # who writes to several is not told of one of them
    assert recipient_code(own, f"both@{DOMAIN}")[0] == 250
    client.logout()
    own.stop()
    own.start()
    assert recipient_code(own, address)[0] == 452
    try:
        own.deliver(address, message(200))
        raise AssertionError("a full account took a message")
    except smtplib.SMTPRecipientsRefused as refused:
        assert refused.recipients[address][0] == 452
    client = own.imap(address)
    assert client.append("INBOX", None, None, message(200))[0] == "NO"
    client.store("4", "+FLAGS", "(\\Deleted)")
    client.expunge()
    wait_until(lambda: recipient_code(own, address)[0] == 250, 10, "there is room again")
    own.deliver(address, message(200))
    wait_for(client, 4)


def test_without_a_quota_nothing_is_full(own):
    own.account("large")
    client = own.imap("large")
    own.deliver("large", message(200000))
    wait_for(client, 1)
    assert recipient_code(own, f"large@{DOMAIN}")[0] == 250
