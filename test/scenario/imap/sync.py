"""Programs that keep two copies of a mailbox in step: new mail, flags and deletions go both ways, and once all is in step
another run transfers nothing. At the end two of them, and a third client, fight over the same messages."""
import os
import random
import ssl
import textwrap
import threading
import time

import pytest

from programs import getmail, mbsync, run
from server import PASSWORD, messages, wait_for, wait_until

COUNT = 8
FIGHT = float(os.environ.get("SECONDS") or 8)


def mail(number):
    return (f"From: Stranger <s@example.org>\r\nTo: me@demo.test\r\nSubject: number {number}\r\n"
            f"Message-ID: <{number}@example.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nbody {number}\r\n").encode()


@pytest.fixture
def filled(server, user):
    for number in range(COUNT):
        server.deliver(user, mail(number))
    with server.imap(user) as client:
        wait_for(client, COUNT)
    return user


def far(server, user, mailbox="INBOX"):
    """number of the message -> its flags, as the server has it."""
    with server.imap(user, mailbox=mailbox) as client:
        client.noop()
        parts = client.fetch("1:*", "(FLAGS BODY.PEEK[TEXT])")[1] if messages(client) else []
    found = {}
    for part in parts:
        if isinstance(part, tuple):
            number = int(part[1].split()[1])
            assert number not in found, f"number {number} is there twice"
            flags = part[0].split(b"FLAGS (")[1].split(b")")[0].split()
            found[number] = {flag[1:].decode() for flag in flags if flag.startswith(b"\\") and flag != b"\\Recent"}
    return found


def counters(server, user, mailbox="INBOX"):
    with server.imap(user, mailbox=None) as client:
        return client.status(mailbox, "(MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)")[1][0]


LETTERS = {"D": "Draft", "F": "Flagged", "R": "Answered", "S": "Seen", "T": "Deleted"}


def near(maildir):
    """The same of a Maildir."""
    found = {}
    for path in [*(maildir / "cur").iterdir(), *(maildir / "new").iterdir()]:
        number = int(path.read_bytes().rpartition(b"body ")[2])
        assert number not in found, f"number {number} is there twice"
        found[number] = {LETTERS[letter] for letter in path.name.partition(":2,")[2] if letter in LETTERS}
    return found


def file_of(maildir, number):
    return next(path for path in [*(maildir / "cur").iterdir(), *(maildir / "new").iterdir()]
                if path.read_bytes().endswith((b"body %d\r\n" % number, b"body %d\n" % number)))


def number_of(client, number):
    return client.search(None, "SUBJECT", f'"number {number}"')[1][0].split()[0]


# --- offlineimap ---

def offlineimap(server, user, folder):
    (folder / "offlineimaprc").write_text(textwrap.dedent(f"""\
        [general]
        accounts = ours
        metadata = {folder}/metadata
        ui = quiet
        fsync = False
        [Account ours]
        localrepository = near
        remoterepository = far
        [Repository near]
        type = Maildir
        localfolders = {folder}/offlineimap
        [Repository far]
        type = IMAP
        remotehost = 127.0.0.1
        remoteport = {server.port(993)}
        remoteuser = {user}
        remotepass = {PASSWORD}
        ssl = yes
        cert_fingerprint = {fingerprint(server)}
        maxconnections = 2
        """))
    return run("offlineimap", "-c", folder / "offlineimaprc", "-o", folder=folder)


def fingerprint(server):
    import hashlib
    return hashlib.sha512(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.port(993))))).hexdigest()


def in_step_both_ways(server, user, maildir, sync):
    """What every program for a Maildir has to do."""
    sync()
    assert near(maildir) == far(server, user) == {number: set() for number in range(COUNT)}
    # Here one is new, one read and starred, one deleted; there another is answered and another deleted.
    (maildir / "cur/1700000000.1.here:2,S").write_bytes(mail(50).replace(b"\r\n", b"\n"))
    read = file_of(maildir, 1)
    read.rename(maildir / "cur" / (read.name.partition(":2,")[0] + ":2,FS"))
    file_of(maildir, 2).unlink()
    with server.imap(user) as client:
        client.store(number_of(client, 3), "+FLAGS", r"(\Answered)")
        client.store(number_of(client, 4), "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.create("Projects")
        client.append("Projects", r"(\Flagged)", None, mail(60))
    sync()
    sync()
    expected = {0: set(), 1: {"Flagged", "Seen"}, 3: {"Answered"}, 5: set(), 6: set(), 7: set(), 50: {"Seen"}}
    assert far(server, user) == expected
    assert near(maildir) == expected
    assert far(server, user, "Projects") == {60: {"Flagged"}}
    before, files = counters(server, user), sorted(path.name for path in maildir.parent.rglob("*:2,*"))
    sync()
    assert counters(server, user) == before, "another run changed something there"
    assert sorted(path.name for path in maildir.parent.rglob("*:2,*")) == files, "another run changed something here"


def test_offlineimap_goes_both_ways_and_then_transfers_nothing(server, filled, tmp_path):
    in_step_both_ways(server, filled, tmp_path / "offlineimap/INBOX", lambda: offlineimap(server, filled, tmp_path))
    assert list(near(tmp_path / "offlineimap/Projects")) == [60]


# --- mbsync ---

def test_mbsync_goes_both_ways_and_then_transfers_nothing(server, filled, tmp_path):
    in_step_both_ways(server, filled, tmp_path / "mbsync/INBOX", lambda: mbsync(server, filled, tmp_path))


# --- interimap, which needs QRESYNC on both sides: two accounts of ours ---

@pytest.fixture
def twins(server, filled):
    other = filled.replace("@", "-twin@")
    server.account(other)
    return filled, other


def interimap(server, here, there, folder):
    (folder / "interimap").mkdir(exist_ok=True)
    sides = "".join(textwrap.dedent(f"""\
        [{name}]
        type = imaps
        host = 127.0.0.1
        port = {server.port(993)}
        username = {user}
        password = {PASSWORD}
        SSL_verify = NO
        """) for name, user in (("local", here), ("remote", there)))
    (folder / "interimap/config").write_text(f"database = {folder}/state.db\nlist-mailbox = \"*\"\n{sides}")
    (folder / "interimap/config").chmod(0o600)
    return run("interimap", "--config", folder / "interimap/config", folder=folder)


def test_interimap_resynchronizes_two_accounts(server, twins, tmp_path):
    here, there = twins
    interimap(server, here, there, tmp_path)
    assert far(server, there) == far(server, here) == {number: set() for number in range(COUNT)}
    with server.imap(here) as client:
        client.store(number_of(client, 1), "+FLAGS", r"(\Seen \Flagged)")
        client.store(number_of(client, 2), "+FLAGS", r"(\Deleted)")
        client.expunge()
    with server.imap(there) as client:
        client.store(number_of(client, 3), "+FLAGS", r"(\Answered)")
        client.store(number_of(client, 4), "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.append("INBOX", r"(\Seen)", None, mail(50))
    interimap(server, here, there, tmp_path)
    expected = {0: set(), 1: {"Flagged", "Seen"}, 3: {"Answered"}, 5: set(), 6: set(), 7: set(), 50: {"Seen"}}
    assert far(server, here) == far(server, there) == expected
    before = counters(server, here), counters(server, there)
    interimap(server, here, there, tmp_path)
    assert (counters(server, here), counters(server, there)) == before


# --- getmail, over IMAP ---

def test_getmail_takes_each_message_once(server, filled, tmp_path):
    def fetch():
        getmail(tmp_path, f"""\
            type = SimpleIMAPSSLRetriever
            server = 127.0.0.1
            port = {server.port(993)}
            username = {filled}
            password = {PASSWORD}
            mailboxes = ("INBOX",)
            """, False)
        return sorted(near(tmp_path / "mail"))

    assert fetch() == list(range(COUNT))
    assert fetch() == list(range(COUNT))
    server.deliver(filled, mail(99))
    with server.imap(filled) as client:
        wait_for(client, COUNT + 1)
    assert fetch() == [*range(COUNT), 99]


# --- a fight ---

def quarrel(server, user, until, dice, faults):
    """A client that flags, moves, deletes and adds, without asking anybody."""
    try:
        with server.imap(user) as client:
            number = 1000
            while time.monotonic() < until:
                found = client.uid("SEARCH", None, "ALL")[1][0].split()
                uid = dice.choice(found) if found else None
                what = dice.random()
                if uid is None or (what < 0.35 and len(found) < 30):
                    number += 1
                    client.append("INBOX", r"(\Seen)" if dice.random() < 0.5 else None, None, mail(number))
                elif what < 0.75:
                    client.uid("STORE", uid, dice.choice(["+FLAGS", "-FLAGS"]), dice.choice([r"(\Seen)", r"(\Flagged)", r"(\Answered)"]))
                elif what < 0.85:
                    client.uid("STORE", uid, "+FLAGS", r"(\Deleted)")
                    client.expunge()
                else:
                    client.uid("MOVE", uid, "Aside")
    except Exception as error:  # noqa: BLE001 it is the test's to judge
        faults.append(error)


def meddle(maildir, dice):
    """The same, in a copy at home."""
    files = [path for path in (maildir / "cur").iterdir()]
    for path in dice.sample(files, min(3, len(files))):
        letters = "".join(sorted(letter for letter in "FRS" if dice.random() < 0.5))
        if dice.random() < 0.2:
            path.unlink()
        else:
            path.rename(maildir / "cur" / (path.name.partition(":2,")[0] + ":2," + letters))


def test_clients_that_fight_end_in_the_same_state(server, filled, tmp_path):
    dice = random.Random(int(os.environ.get("SEED") or 1))
    with server.imap(filled) as client:
        client.create("Aside")
    homes = {"mbsync": (mbsync, tmp_path / "one"), "offlineimap": (offlineimap, tmp_path / "other")}
    for program, home in homes.values():
        home.mkdir()
        program(server, filled, home)
    until, faults = time.monotonic() + FIGHT, []
    fighters = [threading.Thread(target=quarrel, args=(server, filled, until, random.Random(dice.random()), faults))]
    rounds = {name: 0 for name in homes}

    def sync(name, own):
        program, home = homes[name]
        try:
            while time.monotonic() < until:
                meddle(home / name / "INBOX", own)
                try:
                    program(server, filled, home)
                except AssertionError as error:
                    # A message that another took away in the middle of it is no fault; the next run goes on.
                    assert "BAD" not in str(error), error
                rounds[name] += 1
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    fighters += [threading.Thread(target=sync, args=(name, random.Random(dice.random()))) for name in homes]
    for fighter in fighters:
        fighter.start()
    for fighter in fighters:
        fighter.join(FIGHT + 120)
    assert faults == [] and min(rounds.values()) > 0

    def agreed():
        for program, home in homes.values():
            program(server, filled, home)
        there = far(server, filled)
        return all(near(home / name / "INBOX") == there for name, (_, home) in homes.items())

    wait_until(agreed, 60, "both copies are as the server has it")
    before = counters(server, filled), counters(server, filled, "Aside")
    for program, home in homes.values():
        program(server, filled, home)
        assert near(home / "mbsync/Aside" if program is mbsync else home / "offlineimap/Aside").keys() == far(server, filled, "Aside").keys()
    assert (counters(server, filled), counters(server, filled, "Aside")) == before
