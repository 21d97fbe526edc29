"""`waxwing check`: an account that is sound, and records and pages damaged on the disk."""
import json
import os
import re
import subprocess
import threading
import time

from server import PASSWORD, messages, wait_for

LINE = b"0123456789abcdefghijklmnopqrstuvwxyz" * 2 + b"\r\n"
BIG = 4000 * len(LINE)  # four chunks of a sealed record and more


def check(server, name, *options, credential=PASSWORD):
    return server.tool("check", f"{name}@demo.test", *options, stdin=credential + "\n", check=False)


def findings(server, name, *options):
    done = check(server, name, "--json", *options)
    told = json.loads(done.stdout)
    assert told["found"] == len(told["findings"])
    assert done.returncode == (0 if told["found"] == told["repaired"] else 1), done.stderr
    return told


def big(subject):
    return b"Subject: " + subject + b"\r\nFrom: Bob <bob@example.org>\r\n\r\n" + LINE * 4000


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def segment(server):
    found = sorted((server.data / "log").glob("*.seg"))
    return found[0]


def test_a_sound_account_is_said_to_be(own):
    code = own.account("a").split(": ")[-1]
    for number in range(7):
        own.deliver("a", b"Subject: %d\r\n\r\nx\r\n" % number)
    with own.imap("a") as client:
        wait_for(client, 7)
        client.store("1:3", "+FLAGS", "(\\Flagged kept)")
        client.copy("1:2", "Archive")
        client.store("4", "+FLAGS", "\\Deleted")
        client.expunge()
        app = own.tool("app-password", "add", "a@demo.test", "--label", "x", stdin=PASSWORD + "\n").stdout
        for credential in (PASSWORD, code, app.split(": ")[-1].strip()):
            done = check(own, "a", credential=credential)
            assert (done.returncode, done.stdout, done.stderr) == (0, "6 messages read: all is well\n", "")
    told = findings(own, "a", "--quick")
    assert told == {"findings": [], "mode": "quick", "messages": 6, "found": 0, "repaired": 0}
    smtp = own.tool("app-password", "add", "a@demo.test", "--label", "y", "--scope", "smtp", stdin=PASSWORD + "\n").stdout
    for credential in ("something else", smtp.split(": ")[-1].strip(), ""):
        done = check(own, "a", credential=credential)
        assert done.returncode in (1, 2) and not done.stdout and len(done.stderr.splitlines()) == 1
    own.tool("account", "lock", "a@demo.test")
    assert "locked" in check(own, "a").stderr


def test_damaged_records_are_found_and_replaced(own):
    own.account("a")
    for subject in (b"one", b"two", b"three", b"four"):
        own.deliver("a", big(subject))
    with own.imap("a") as client:
        wait_for(client, 4)
        client.store("2", "+FLAGS", "(\\Flagged kept)")
        client.copy("1", "Archive")
    own.stop()
    log = segment(own)
    length = 4096 * -(-BIG // 4096) + 8192  # about what one takes: a record starts a bit before each multiple
    flip(log, 12288)  # the beginning of the first, without which nothing of it opens
    flip(log, length + BIG // 2)  # amid the second
    subprocess.run(["fallocate", "-p", "-o", str(2 * length + BIG // 4), "-l", str(BIG // 2), log], check=True)
    own.start()

    told = findings(own, "a")
    assert [(f["kind"], f["mailbox"], f["uid"]) for f in told["findings"]] == \
        [("lost", "INBOX", 1), ("lost", "Archive", 1), ("lost", "INBOX", 2), ("lost", "INBOX", 3)]
    assert not any(f["repaired"] for f in told["findings"])
    assert [f["uid"] for f in findings(own, "a", "--quick")["findings"]] == [3]
    with own.imap("a") as client:  # nothing was changed, and what is sound can be read
        assert client.uid("SEARCH", "ALL")[1] == [b"1 2 3 4"]
        assert client.uid("FETCH", "4", "(BODY.PEEK[])")[1][0][1].endswith(big(b"four"))

        told = findings(own, "a", "--repair")
        assert told["found"] == 4 and told["repaired"] == 4
        assert findings(own, "a")["found"] == 0
        client.noop()
        assert client.uid("SEARCH", "ALL")[1] == [b"4 5 6 7"]
        texts = {number: client.uid("FETCH", number, "(FLAGS BODY.PEEK[])")[1][0] for number in "567"}
        assert b"Subject: [damaged] one\r\n" in texts["5"][1] and b"From: \"Bob\" <bob@example.org>\r\n" in texts["5"][1]
        assert b"\\Flagged" in texts["6"][0] and b"kept" in texts["6"][0]
        for number, subject in (("6", b"two"), ("7", b"three")):
            text = texts[number][1]
            assert b"X-Waxwing-Damaged: " in text and b"Subject: %s\r\n" % subject in text
            original = text[-len(big(subject)):]
            same = sum(map(int.__eq__, original, big(subject)))
            assert len(LINE) * 100 < same < len(original)
        client.select("Archive")
        assert b"[damaged] one" in messages(client)[0]


def test_what_cannot_be_taken_in_is_found_and_replaced(own):
    own.account("a")
    for subject in (b"one", b"two"):
        own.deliver("a", big(subject))
    own.stop()
    flip(segment(own), 12288)
    own.start()
    pending = [("pending", None, False)]
    for _ in range(2):  # the record stays, for there may be a backup; one note in the mailbox says that it is there
        with own.imap("a") as client:
            texts = sorted(wait_for(client, 2), key=len)
            assert len(texts) == 2 and texts[1].endswith(big(b"two")) and b"Subject: [damaged] " in texts[0]
            assert re.search(rb"It arrived at \w+, \d+ \w+ 20\d\d ", texts[0])
            told = findings(own, "a")
            assert [(f["kind"], f["mailbox"], f["repaired"]) for f in told["findings"]] == pending
            assert len(wait_for(client, 2)) == 2
        own.stop()
        own.start()
    assert findings(own, "a", "--repair")["repaired"] == 1
    assert findings(own, "a")["found"] == 0
    own.stop()
    own.start()
    with own.imap("a") as client:
        assert len(wait_for(client, 2)) == 2
    assert findings(own, "a")["found"] == 0


def test_any_damaged_page_is_noticed(own):
    own.account("a")
    for number in range(120):
        own.deliver("a", b"Subject: %s %d\r\n\r\nx\r\n" % (b"a long subject" * 40, number))
    with own.imap("a") as client:
        wait_for(client, 120)
    own.stop()
    vault = next((own.data / "vault").glob("*/vault.db"))
    pages = os.path.getsize(vault) // 4096
    assert pages > 40 and check_after(own, lambda: None) == (0, True)
    usable = 0
    for page in range(3, pages, pages // 10):
        status, usable_now = check_after(own, lambda page=page: flip(vault, page * 4096 + 100))
        assert status == 1, f"page {page} of {pages} is damaged, and nobody says so"
        usable += usable_now
        flip(vault, page * 4096 + 100)
    assert usable > 0, "no page could be damaged without losing sight of the whole mailbox"


def check_after(server, damage):
    """The check's status, and whether the flags of all messages can still be listed; the damage is made good after."""
    damage()
    server.start()
    status = check(server, "a").returncode
    try:
        with server.imap("a") as client:
            usable = len(client.fetch("1:*", "(FLAGS)")[1]) == 120
    except Exception:
        usable = False
    server.kill()
    return status, usable


def test_connections_are_served_meanwhile(own):
    own.account("a")
    for _ in range(40):
        own.deliver("a", big(b"x"))
    with own.imap("a") as client:
        wait_for(client, 40)
        results = []
        thread = threading.Thread(target=lambda: results.append([check(own, "a") for _ in range(3)]))
        thread.start()
        slowest = 0.0
        while thread.is_alive():
            before = time.monotonic()
            client.noop()
            slowest = max(slowest, time.monotonic() - before)
        thread.join()
        assert [done.returncode for done in results[0]] == [0, 0, 0]
        assert slowest < 1.0
