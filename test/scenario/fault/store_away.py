"""While store is away, an open account shows what its vault knows, says of the rest that it is not available, and goes
on by itself when store is back."""
import os
import signal
import smtplib

import pytest

from faults import pid_of, pids, store_down
from server import DOMAIN, messages, wait_for, wait_until


def removed_marks(server):
    return list((server.data / "vault").glob("*.removed"))


def test_what_the_vault_knows_can_be_read(own):
    own.account("alice")
    own.account("bob")
    own.deliver("alice", b"Subject: one\r\n\r\nbody\r\n")
    own.deliver("bob", b"Subject: two\r\n\r\nbody\r\n")
    with own.imap("bob") as client:
        wait_for(client, 1)
    with own.imap("alice") as client:
        wait_for(client, 1)
        wait_until(lambda: len(pids(own, "session")) == 1, 20, "the other account is closed")
        session = max(pids(own, "session"))
        with store_down(own):
            kind, data = client.uid("FETCH", "1", "(FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
            assert kind == "OK" and b"one" in data[0], data
            assert client.uid("STORE", "1", "+FLAGS", "\\Flagged")[0] == "OK"
            assert client.create("Folder")[0] == "OK"
            assert client.uid("SEARCH", "FLAGGED")[1] == [b"1"]
            kind, answer = client.append("INBOX", None, None, b"Subject: three\r\n\r\n")
            assert kind == "NO" and answer[0].startswith(b"[UNAVAILABLE]"), answer
            # Another account can be opened meanwhile.
            other = own.imap("bob")
            assert other.uid("FETCH", "1", "(ENVELOPE)")[0] == "OK"
            kind, answer = other.uid("FETCH", "1", "(BODY.PEEK[])")
            assert kind == "NO" and answer[0].startswith(b"[UNAVAILABLE]"), answer
        # It is the same connection that goes on working afterwards.
        wait_until(lambda: other.uid("FETCH", "1", "(BODY.PEEK[])")[0] == "OK", 30, "bodies are back")
        other.logout()
        own.deliver("alice", b"Subject: four\r\n\r\nbody\r\n")
        wait_until(lambda: len(messages(client)) == 2, 30, "new mail is taken in")
        assert client.append("INBOX", None, None, b"Subject: five\r\n\r\n")[0] == "OK"
        assert session in pids(own, "session")


def test_a_store_that_stands_still_holds_up_only_what_needs_it(own):
    own.account("alice")
    own.deliver("alice", b"Subject: one\r\n\r\nbody\r\n")
    with own.imap("alice") as client:
        wait_for(client, 1)
        store = pid_of(own, "store")
        os.kill(store, signal.SIGSTOP)
        try:
            assert client.uid("FETCH", "1", "(FLAGS ENVELOPE)")[0] == "OK"
            assert client.uid("STORE", "1", "+FLAGS", "\\Seen")[0] == "OK"
            assert own.tool("status", check=False).returncode == 1
            assert [row["state"] for row in own.status()["roles"] if row["role"] == "store"] == ["not answering"]
            with own.smtp() as sender:
                assert sender.mail("stranger@example.org")[0] == 250
                assert sender.rcpt(f"alice@{DOMAIN}")[0] == 250
        finally:
            os.kill(store, signal.SIGCONT)
        own.deliver("alice", b"Subject: two\r\n\r\nbody\r\n")
        wait_until(lambda: len(messages(client)) == 2, 30, "new mail is taken in")


@pytest.mark.parametrize("how", ["store comes back", "everything is restarted"])
def test_a_removed_account_is_forgotten_later(own, how):
    own.account("alice")
    own.account("bob")
    own.deliver("alice", b"Subject: one\r\n\r\n" + b"x" * 3000)
    with own.imap("alice") as client:
        wait_for(client, 1)
    if how == "store comes back":
        with store_down(own):
            own.tool("account", "remove", f"alice@{DOMAIN}")
            assert removed_marks(own)
    else:
        store = pid_of(own, "store")
        os.kill(store, signal.SIGSTOP)
        own.tool("account", "remove", f"alice@{DOMAIN}")
        wait_until(lambda: removed_marks(own), 10, "the removal is noted")
        own.kill()
        assert removed_marks(own)
        own.start()
    wait_until(lambda: not removed_marks(own), 30, "store has forgotten")
    wait_until(lambda: not [entry for entry in (own.data / "vault").iterdir()], 10, "the vault is gone")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        own.deliver("alice", b"Subject: two\r\n\r\n")
    own.deliver("bob", b"Subject: three\r\n\r\n")
    with own.imap("bob") as client:
        assert len(wait_for(client, 1)) == 1
