"""A disk that fails: nothing is acknowledged that is not on it, and what was acknowledged is there afterwards."""
import smtplib

import pytest

from faults import detail, failing, pid_of, root_only
from server import messages, wait_for, wait_until

pytestmark = root_only

SYNC = "fdatasync,fsync,sync_file_range"
WRITE = "pwritev,pwritev2,pwrite64,write"


def letter(number, size=0):
    return f"Subject: letter {number}\r\n\r\n{'x' * size}\r\n".encode()


def subjects(client):
    found = [mail.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for mail in messages(client)]
    assert len(found) == len(set(found)), found
    return set(found)


def try_to_deliver(server, user, number):
    """Whether it was acknowledged; a refusal has to be for now only."""
    try:
        server.deliver(user, letter(number))
        return True
    except smtplib.SMTPDataError as refused:
        assert refused.smtp_code in (451, 452), refused
        return False


@pytest.mark.parametrize("calls", [SYNC, WRITE], ids=["sync", "write"])
def test_a_store_whose_disk_fails_takes_no_mail_until_it_works_again(own, calls):
    own.account("alice")
    acknowledged = {number for number in range(3) if try_to_deliver(own, "alice", number)}
    assert acknowledged == {0, 1, 2}
    with own.imap("alice") as client:
        assert len(wait_for(client, 3)) == 3
        with failing(pid_of(own, "store"), calls, "EIO") as failed:
            assert not try_to_deliver(own, "alice", 3)
            assert failed() > 0
            status, answer = client.append("INBOX", None, None, letter("appended"))
            assert status == "NO" and answer[0].startswith((b"[UNAVAILABLE]", b"[SERVERBUG]")), answer
            # What is there can still be read.
            assert len(subjects(client)) >= 3
            assert own.tool("status", check=False).returncode == 1
            assert own.status()["state"] == "degraded"
            assert "disk" in own.tool("status", check=False).stdout
            assert detail(own, "store")[0]["fault"] != 0
            assert not try_to_deliver(own, "alice", 4)
        wait_until(lambda: try_to_deliver(own, "alice", 5), 30, "mail is taken again")
        wait_until(lambda: own.status()["state"] == "healthy", 20, "healthy again")
        wait_until(lambda: subjects(client) >= {"letter 0", "letter 1", "letter 2", "letter 5"}, 20, "all is there")
        assert client.append("INBOX", None, None, letter("later"))[0] == "OK"
    own.kill()
    own.start()
    with own.imap("alice") as client:
        assert subjects(client) >= {"letter 0", "letter 1", "letter 2", "letter 5", "letter later"}


def test_one_fault_in_between_loses_nothing(own):
    own.account("alice")
    with failing(pid_of(own, "store"), SYNC, "EIO", when="2"):
        acknowledged = {f"letter {number}" for number in range(6) if try_to_deliver(own, "alice", number)}
    wait_until(lambda: try_to_deliver(own, "alice", "last"), 30, "mail is taken again")
    own.kill()
    own.start()
    with own.imap("alice") as client:
        wait_until(lambda: subjects(client) >= acknowledged | {"letter last"}, 20, "all is there")


@pytest.mark.parametrize("calls, error", [("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync,fsync", "EIO"),
                                          ("pread64", "EIO")])
def test_a_vault_that_cannot_be_written_refuses_and_loses_nothing(own, calls, error):
    own.account("alice")
    own.deliver("alice", letter(0))
    with own.imap("alice") as client:
        wait_for(client, 1)
        assert client.create("Before")[0] == "OK"
        session = pid_of(own, "session")
        with failing(session, calls, error) as failed:
            kind, answer = client.create("During")
            if calls == "pread64":  # the vault may find all it needs in memory
                assert client.uid("FETCH", "1", "(BODY.PEEK[])")[0] == "NO"
            else:
                assert kind == "NO", answer
            assert failed() > 0
            kind, answer = client.append("INBOX", None, None, letter("appended"))
            appended = kind == "OK"
            own.deliver("alice", letter(1))  # the log takes it
            client.noop()
            assert client.uid("STORE", "1", "+FLAGS", "\\Flagged")[0] in ("OK", "NO")
        assert client.create("After")[0] == "OK"
        names = {line.split()[-1].strip(b'"') for line in client.list()[1]}
        assert {b"Before", b"After"} <= names
        wait_until(lambda: "letter 1" in subjects(client), 20, "what came meanwhile is there")
        assert subjects(client) >= {"letter 0"} | ({"letter appended"} if appended else set())
        assert pid_of(own, "session") == session
    own.kill()
    own.start()
    with own.imap("alice") as client:
        assert subjects(client) >= {"letter 0", "letter 1"}
        assert names <= {line.split()[-1].strip(b'"') for line in client.list()[1]}
