"""Bytes that have changed on the disk: a damaged record costs that message and no other, a damaged vault its account and
nobody else's, and each is said."""
import imaplib
import struct
import time

import pytest

from faults import cpu, pids
from server import PASSWORD, Server, alive, messages, wait_for, wait_until

ALIGN = 64
ROW = 97


def records(server):
    """Offsets of head and body, and the body's length, of each record in the first segment, in order."""
    log = (server.data / "log/0000000000000001.seg").read_bytes()
    found, at = [], 4096
    while (at := log.find(b"WWRC", at)) >= 0:
        if at % ALIGN == 0:
            recipients, length = struct.unpack_from("<I", log, at + 8)[0], struct.unpack_from("<Q", log, at + 16)[0]
            found.append((at, at + 64 + recipients * (ROW + 1) + 16, length))
        at += ALIGN - at % ALIGN
    return found


def flip(path, *places):
    with open(path, "r+b") as file:
        for place in places:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 0x5A]))


def segment(server):
    return server.data / "log/0000000000000001.seg"


def end(server, how):
    server.stop() if how == "stopped" else server.kill()


def subjects(client):
    return [mail.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for mail in messages(client)]


def test_a_damaged_body_costs_that_message(own):
    own.account("alice")
    for number in range(4):
        own.deliver("alice", f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
    with own.imap("alice") as client:
        wait_for(client, 4)
    own.stop()
    _, body, length = records(own)[1]
    flip(segment(own), body + length // 2)
    own.start()
    with own.imap("alice") as client:
        assert client.uid("FETCH", "1:*", "(FLAGS ENVELOPE)")[0] == "OK"
        kind, answer = client.uid("FETCH", "2", "(BODY.PEEK[])")
        assert kind == "NO" and answer[0].startswith(b"[CORRUPTION]"), answer
        kind, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
        assert kind == "NO" and len([part for part in data if isinstance(part, tuple)]) in (0, 3), data
        for uid in ("1", "3", "4"):
            assert client.uid("FETCH", uid, "(BODY.PEEK[])")[0] == "OK"
        own.deliver("alice", b"Subject: new\r\n\r\n")
        wait_until(lambda: client.noop()[0] == "OK" and client.uid("SEARCH", "ALL")[1] == [b"1 2 3 4 5"], 20, "new mail")
        assert client.uid("STORE", "2", "+FLAGS", "\\Deleted")[0] == "OK"
        assert client.expunge()[0] == "OK"
        assert subjects(client) == ["0", "2", "3", "new"]
        assert len(pids(own, "session")) == 1
    assert "imap.command.failed" in own.log.read_text()
    assert own.status()["state"] == "healthy"


def test_a_message_whose_bytes_are_lost_is_not_said_to_be_expunged(own):
    own.account("alice")
    own.deliver("alice", b"Subject: lost\r\n\r\nbody\r\n")
    with own.imap("alice") as client:
        wait_for(client, 1)
    own.stop()
    segment(own).unlink()
    own.start()
    with own.imap("alice") as client:
        assert client.fetch("1", "(FLAGS ENVELOPE)")[0] == "OK"
        kind, answer = client.fetch("1", "(BODY.PEEK[])")
        assert kind == "NO" and answer[0].startswith(b"[CORRUPTION]"), answer


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("where", ["head", "body"])
def test_a_damaged_record_that_is_pending_costs_that_message(own, how, where):
    own.account("alice")
    own.account("bob")
    for number in range(4):
        own.deliver("alice", f"Subject: {number}\r\n\r\n".encode())
        own.deliver("bob", f"Subject: {number}\r\n\r\n".encode())
    end(own, how)
    note = ["[damaged] a message that was lost"] if where == "body" else []  # of the other nobody knows whose it was
    head, body, length = records(own)[4]  # alice's third
    flip(segment(own), head + 70 if where == "head" else body + length // 2)
    own.start()
    own.deliver("alice", b"Subject: later\r\n\r\n")
    with own.imap("alice") as client:
        wait_for(client, 4 + len(note))
        assert sorted(subjects(client)) == ["0", "1", "3"] + note + ["later"]
        own.deliver("alice", b"Subject: last\r\n\r\n")
        wait_until(lambda: "last" in subjects(client), 20, "mail goes on coming in")
        session = pids(own, "session")
        assert len(session) == 1
    with own.imap("bob") as client:
        assert len(wait_for(client, 4)) == 4
    said = own.log.read_text()
    assert ("store.log.damaged" if where == "head" else "takein.unreadable") in said
    own.kill()
    own.start()
    with own.imap("alice") as client:
        assert sorted(subjects(client)) == ["0", "1", "3"] + note + ["last", "later"]


@pytest.mark.parametrize("name", ["checkpoint", "0000000000000001.seg"])
def test_a_damaged_head_of_the_log_loses_nothing_that_is_filed(own, name):
    own.account("alice")
    for number in range(3):
        own.deliver("alice", f"Subject: {number}\r\n\r\n".encode())
    with own.imap("alice") as client:
        wait_for(client, 3)
    own.stop()
    flip(own.data / "log" / name, 20)
    own.start()
    own.deliver("alice", b"Subject: 3\r\n\r\n")
    with own.imap("alice") as client:
        wait_for(client, 4)
        assert subjects(client) == ["0", "1", "2", "3"]
    own.kill()
    own.start()
    with own.imap("alice") as client:
        assert subjects(client) == ["0", "1", "2", "3"]


def resting(pid, seconds=0.3):
    """Whether a process uses next to no time for a while."""
    try:
        used, until = cpu(pid), time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > until, seconds + 5, "time passes")
        return cpu(pid) - used < seconds / 2
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("pages", ["the head", "the first", "one in the middle", "all but the first"])
def test_a_damaged_vault_is_its_accounts_trouble_alone(own, pages):
    own.account("alice")
    own.account("bob")
    with own.imap("alice") as client:
        for number in range(30):
            assert client.append("INBOX", None, None, f"Subject: {number}\r\n\r\n".encode())[0] == "OK"
        names = {path.parent.name: path for path in own.data.glob("vault/*/vault.db")}
        alice, = names.values()
    own.stop()
    size = alice.stat().st_size
    where = {"the head": [20], "the first": [4096 + 200], "one in the middle": [size // 2 + 200],
             "all but the first": range(size - 200, 8192, -4096)}
    flip(alice, *where[pages])
    own.start()
    own.deliver("alice", b"Subject: still accepted\r\n\r\n")
    own.deliver("bob", b"Subject: not concerned\r\n\r\n")
    for _ in range(3):
        try:
            with own.imap("alice", mailbox=None) as client:
                for command in (client.select, client.list, lambda: client.status("INBOX", "(MESSAGES UNSEEN)"),
                                lambda: client.uid("FETCH", "1:*", "(FLAGS ENVELOPE)"), lambda: client.create("New")):
                    assert command()[0] in ("OK", "NO")
        except (imaplib.IMAP4.error, OSError) as error:
            assert "UNAVAILABLE" in str(error) or "SELECTED" in str(error), error
    # A session that cannot go on ends; none goes round in circles.
    wait_until(lambda: all(not alive(pid) or resting(pid) for pid in pids(own, "session")), 20, "the sessions rest")
    said = own.log.read_text()
    assert "signal=6" not in said and "signal=11" not in said, said[-2000:]
    if pages != "one in the middle":  # which may be one that nobody has asked for
        assert "session.attach.failed" in said or "imap.command.failed" in said or "takein.failed" in said, said[-2000:]
    with own.imap("bob") as client:
        assert len(wait_for(client, 1)) == 1
    assert own.status()["state"] == "healthy"


# --- what the operator is told ---


def looks(server):
    """What `waxwing status` says is to be looked at."""
    lines = server.tool("status").stdout.splitlines()
    return [line.removeprefix("look at ") for line in lines if line.startswith("look at ")]


def keeper_says(server):
    return next(role["detail"] for role in server.status()["roles"] if role["role"] == "keeper")


@pytest.mark.parametrize("what", ["filed", "pending", "vault"])
def test_the_operator_is_told_whose_mail_is_damaged_until_it_is_mended(own, what):
    own.account("alice")
    own.account("bob")
    for name in ("alice", "bob"):
        for number in range(3):
            own.deliver(name, f"Subject: {number}\r\n\r\nbody {number}\r\n".encode())
        if what != "pending":
            with own.imap(name) as client:
                wait_for(client, 3)
    own.stop()
    if what == "vault":
        vault = own.data / "vault/0000000000000001/vault.db"
        flip(vault, *range(8192 + 200, vault.stat().st_size, 4096))
    else:
        _, body, length = records(own)[1]
        flip(segment(own), body + length // 2)
    own.start()
    assert looks(own) == [] and keeper_says(own)["damaged_accounts"] == []
    with own.imap("bob") as client:
        wait_for(client, 3)
    try:
        with own.imap("alice", mailbox=None) as client:
            if client.select()[0] == "OK":
                client.fetch("1:*", "(BODY.PEEK[])")
    except (imaplib.IMAP4.error, OSError):
        assert what == "vault"
    wait_until(lambda: looks(own), 20, "it is said")
    [said] = looks(own)
    assert said.startswith("alice@demo.test: some of this account's mail is damaged") and said.endswith(
        "waxwing check alice@demo.test")
    [account] = keeper_says(own)["damaged_accounts"]
    assert account["address"] == "alice@demo.test" and account["times"] > 0
    assert own.status()["state"] == "healthy" and "account.damaged" in own.log.read_text()
    if what == "vault":
        own.tool("account", "remove", "alice@demo.test")
    else:
        assert own.tool("check", "alice@demo.test", "--quick", stdin=PASSWORD + "\n", check=False).returncode in (0, 1)
        assert looks(own)  # which it does not read
        assert own.tool("check", "alice@demo.test", "--repair", stdin=PASSWORD + "\n", check=False).returncode == 0
    wait_until(lambda: not looks(own), 20, "it is mended")
    assert keeper_says(own)["damaged_accounts"] == []


def test_the_operator_is_told_of_a_damaged_log(own):
    own.account("alice")
    for number in range(4):
        own.deliver("alice", f"Subject: {number}\r\n\r\n".encode())
    own.kill()
    flip(segment(own), records(own)[1][0] + 70)
    own.start()
    with own.imap("alice") as client:
        wait_for(client, 3)
    [said] = looks(own)
    assert said.startswith("log: damaged in ") and "look after the disk" in said


@pytest.mark.parametrize("pages", ["the head", "the first", "those that are read later"])
def test_what_is_counted_for_reports_is_begun_anew_where_it_is_damaged(pages):
    with Server("[reports]\ninterval = 1\n") as server:
        server.domain()
        server.account("alice")
        server.stop()
        reports = server.data / "reports.db"
        size = reports.stat().st_size
        (server.data / "reports.db-wal").unlink()  # whose pages are in the database by now; it would mend it
        flip(reports, *{"the head": [20], "the first": [4096 + 200],
                        "those that are read later": range(6 * 4096 + 200, size, 4096)}[pages])
        before = reports.read_bytes()
        server.start()
        if pages == "those that are read later":
            failed = server.tool("reports", check=False)
            assert failed.returncode == 1 and "damaged on the disk; see `waxwing status`" in failed.stderr
        wait_until(lambda: "reports.moved_aside" in server.log.read_text(), 20, "it is moved aside")
        server.deliver("alice", b"Subject: still accepted\r\n\r\n")
        with server.imap("alice") as client:
            wait_for(client, 1)
        wait_until(lambda: server.tool("reports", check=False).returncode == 0, 20, "there is another one")
        assert (server.data / "reports.db.damaged").read_bytes()[:4096] == before[:4096]  # which names the file
        [said] = looks(server)
        assert said.startswith("reports: ") and server.status()["reports_moved_aside"] is True
        server.stop()
        server.start()  # and this one can be opened
        assert looks(server) == [] and server.tool("reports").returncode == 0
        assert server.log.read_text().count("reports.moved_aside") == 1
