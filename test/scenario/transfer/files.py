"""mbox and .eml in and out: the round trip, Python's own mbox, a program that is broken off, and hostile files."""
import mailbox
import os
import re
import signal
import time

import letters
import pytest
from server import PASSWORD, PROGRAM, crlf, wait_until
from terminal import in_terminal


@pytest.mark.parametrize("form", ["mbox", "eml"])
def test_all_of_an_account_goes_out_and_comes_back(server, user, tmp_path, form):
    letters.fill(server, user, folders=("INBOX", "Archive", "Work/2024", "R&APw-ckgrat", "a.b", "50.mbox/x.eml", ".hidden"))
    before = letters.account(server, user)
    assert sum(map(len, before.values())) == 28
    done = letters.transfer(server, "export", user, form, tmp_path / "out")
    assert done.stdout.startswith("28 messages in ")
    for path in (tmp_path / "out").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    other = f"back-{user}"
    server.account(other)
    done = letters.transfer(server, "import", other, form, tmp_path / "out")
    assert letters.account(server, other) == before
    done = letters.transfer(server, "import", other, form, tmp_path / "out")
    assert done.stdout.startswith("0 messages in ") and done.stdout.endswith("; 28 were imported before\n")
    done = letters.transfer(server, "export", user, form, tmp_path / "out", check=False)
    assert done.returncode == 0
    letters.transfer(server, "import", other, form, tmp_path / "out")
    assert letters.account(server, other) == before


def test_python_reads_the_mbox_that_is_written(server, user, tmp_path):
    letters.fill(server, user, folders=("INBOX",))
    letters.transfer(server, "export", user, "mbox", tmp_path / "out", "--folder", "INBOX")
    box = mailbox.mbox(tmp_path / "out/INBOX.mbox", create=False)
    assert sorted("".join(sorted(message.get_flags())) for message in box) == ["AFOR", "DOT", "O", "OR"]
    assert [message["X-Keywords"] for message in box][-1] == "work $Forwarded $Junk"
    assert len(list(box)) == 4


def test_python_writes_the_mbox_that_is_read(server, user, tmp_path):
    box = mailbox.mbox(tmp_path / "old mail")
    for number, flags in ((1, ""), (2, "RO"), (3, "ROAF")):
        body = b"Hello.\nFrom here on.\n" if number == 2 else b"Hello.\n"
        message = mailbox.mboxMessage(letters.letter(number, body).replace(b"\r\n", b"\n"))
        message.set_flags(flags)
        message.set_from("ann@example.org", time.gmtime(1400000000 + number))
        box.add(message)
    box.close()
    done = letters.transfer(server, "import", user, "mbox", tmp_path / "old mail", "--folder", "Old/Mail")
    assert done.stdout == "3 messages in 1 folders imported; 0 were imported before\n"
    found = letters.account(server, user)["Old/Mail"]
    assert [row[1] for row in found] == [(), ("\\Seen",), ("\\Answered", "\\Flagged", "\\Seen")]
    assert found[1][0] == crlf(letters.letter(2, b"Hello.\r\nFrom here on.\r\n"))
    with server.imap(user, mailbox='"Old/Mail"') as client:
        assert b"13-May-2014 16:53:2" in client.fetch("1", "(INTERNALDATE)")[1][0]


def test_eml_files_of_others(server, user, tmp_path):
    (tmp_path / "in/Sub folder").mkdir(parents=True)
    (tmp_path / "in/a.eml").write_bytes(letters.letter(1))
    (tmp_path / "in/b.EML").write_bytes(letters.letter(2).replace(b"\r\n", b"\n"))
    (tmp_path / "in/Sub folder/c.eml").write_bytes(letters.letter(3))
    (tmp_path / "in/Sub folder/empty.eml").write_bytes(b"")
    (tmp_path / "in/notes.txt").write_text("no mail")
    os.symlink("/etc/passwd", tmp_path / "in/link.eml")
    os.utime(tmp_path / "in/a.eml", (1400000000, 1400000000))
    done = letters.transfer(server, "import", user, "eml", tmp_path / "in", check=False)
    assert done.returncode == 1 and "2 messages or folders were left out" in done.stdout
    found = letters.account(server, user)
    assert [row[0] for row in found["INBOX"]] == [letters.letter(1), letters.letter(2)]
    assert [row[0] for row in found["Sub folder"]] == [letters.letter(3)]
    with server.imap(user) as client:
        assert b"13-May-2014 16:53:20" in client.fetch("1", "(INTERNALDATE)")[1][0]


@pytest.mark.parametrize("content, text", [
    (b"no mbox at all\n", "is no mbox from byte 0 on"),
    (b"From here\nSubject: x\n\n", "is no mbox from byte 0 on"),
    (b"From x Sat Jan  3 01:05:34 1996\n\nFrom x Sat Jan  3 01:05:34 1996\n\n", "it is empty"),
])
def test_what_is_no_mbox_is_said(server, user, tmp_path, content, text):
    (tmp_path / "box").write_bytes(content)
    done = letters.transfer(server, "import", user, "mbox", tmp_path / "box", check=False)
    assert done.returncode == 1 and text in done.stderr, done.stderr
    assert letters.account(server, user)["INBOX"] == []


def test_the_server_goes_away_and_the_import_goes_on_later(own, tmp_path):
    own.account("a")
    count = 3000
    box = mailbox.mbox(tmp_path / "box")
    box.lock()
    for number in range(count):
        box.add(letters.letter(number, b"x" * 3000 + b"\n").replace(b"\r\n", b"\n"))
    box.close()
    process = letters.begin(own, "import", "a@demo.test", "mbox", tmp_path / "box")
    with own.imap("a") as client:
        wait_until(lambda: int(client.select("INBOX")[1][0]) > 200, 30, "some have come")
    own.kill()
    assert process.wait(30) == 1
    assert "run the same command again to go on" in process.stderr.read()
    own.start()
    letters.transfer(own, "import", "a@demo.test", "mbox", tmp_path / "box")
    found = letters.account(own, "a")["INBOX"]
    assert len(found) == len({row[0] for row in found}) == count
    assert own.tool("check", "a@demo.test", stdin=PASSWORD + "\n", check=False).returncode == 0


def begin_in_the_middle(server, user, box, *words):
    """An import of an mbox, stopped (SIGSTOP) when some of it has come."""
    with open(box, "wb") as file:
        for number in range(3000):
            file.write(b"From a Fri Jul 14 02:40:00 2017\n" + letters.letter(number, b"x" * 6000).replace(b"\r\n", b"\n") + b"\n\n")
    process = letters.begin(server, "import", user, "mbox", box, *words)
    with server.imap(user) as client:
        wait_until(lambda: int(client.select("INBOX")[1][0]) > 50, 30, "some have come")
    process.send_signal(signal.SIGSTOP)
    return process


@pytest.mark.parametrize("form, pattern", [
    ("mbox", rb"\[#+\.+\] \d+ messages, \d+ %"),
    ("maildir", rb"\[#+\.+\] \d+ of 3000 messages, \d+ %"),
    ("eml", rb"\[#+\.+\] \d+ of 3000 messages, \d+ %"),
])
def test_on_a_terminal_it_shows_how_far_all_of_it_is(server, user, tmp_path, form, pattern):
    """Of all folders together."""
    for folder in range(6):
        letters_of = [letters.letter(number, b"x" * 4000) for number in range(folder * 500, folder * 500 + 500)]
        place = tmp_path / "in" / (f"f{folder}.mbox" if form == "mbox" else f"f{folder}/cur" if form == "maildir" else f"f{folder}")
        (place.parent if form == "mbox" else place).mkdir(parents=True, exist_ok=True)
        if form == "mbox":
            place.write_bytes(b"".join(b"From a Fri Jul 14 02:40:00 2017\n" + letter.replace(b"\r\n", b"\n") + b"\n\n"
                                       for letter in letters_of))
        for number, letter in enumerate(letters_of if form != "mbox" else ()):
            (place / f"{number}.eml").write_bytes(letter)
    shown = in_terminal(PROGRAM, "-c", server.conf, "import", user, form, tmp_path / "in", prompt=b"password: ",
                        typed=PASSWORD.encode() + b"\n")
    assert b"3000 messages in 6 folders imported" in shown, shown
    lines = re.findall(pattern, shown)
    percents = [int(line.split()[-2]) for line in lines]
    assert len(lines) > 2 and percents == sorted(percents) and 0 < percents[-1] <= 100, lines


def test_an_mbox_made_shorter_meanwhile_is_said(server, user, tmp_path):
    process = begin_in_the_middle(server, user, tmp_path / "box")
    os.truncate(tmp_path / "box", 1000)
    process.send_signal(signal.SIGCONT)
    assert process.wait(30) == 1
    error = process.stderr.read()
    assert "made shorter while it was being read" in error and "run the same command again" in error
    found = letters.account(server, user)["INBOX"]
    assert 50 < len(found) == len({row[0] for row in found}) < 3000


def test_clients_go_on_meanwhile_and_it_is_quick(server, user, tmp_path):
    count = 5000
    box = mailbox.Maildir(tmp_path / "in")
    for number in range(count):
        (tmp_path / f"in/cur/{1500000000 + number}.M1P1.old:2,S").write_bytes(letters.letter(number, b"word " * 800 + b"\r\n"))
    assert len(box) == count
    with server.imap(user) as client:
        begun = time.monotonic()
        process = letters.begin(server, "import", user, "maildir", tmp_path / "in")
        slowest = 0.0
        while process.poll() is None:
            before = time.monotonic()
            client.noop()
            slowest = max(slowest, time.monotonic() - before)
        took = time.monotonic() - begun
        assert process.returncode == 0 and int(client.select("INBOX")[1][0]) == count
    begun = time.monotonic()
    letters.transfer(server, "export", user, "maildir", tmp_path / "out")
    out = time.monotonic() - begun
    print(f"5000 x 4 KiB: in {count / took:.0f} messages/s, slowest NOOP meanwhile {slowest * 1000:.0f} ms; "
          f"out {count / out:.0f} messages/s")
    assert slowest < 2.0


def test_an_export_that_is_broken_off_goes_on(server, user, tmp_path):
    with server.imap(user) as client:
        for number in range(300):
            client.append("INBOX", None, None, letters.letter(number, b"x" * 60000 + b"\r\n"))
    process = letters.begin(server, "export", user, "eml", tmp_path / "out")
    wait_until(lambda: (tmp_path / "out/INBOX").exists() and len(list((tmp_path / "out/INBOX").iterdir())) > 5, 30, "begun")
    process.send_signal(signal.SIGINT)
    status = process.wait(30)
    done = letters.transfer(server, "export", user, "eml", tmp_path / "out")
    assert status == 0 or "; 0 were there before" not in done.stdout
    assert len(list((tmp_path / "out/INBOX").glob("*.eml"))) == 300
    assert len((tmp_path / "out/INBOX/index.tsv").read_text().splitlines()) == 300


def test_the_quota_holds(server, tmp_path):
    server.tool("account", "add", "small@demo.test", "--password-stdin", "--quota", "100K", stdin=PASSWORD + "\n")
    box = mailbox.mbox(tmp_path / "box")
    for number in range(40):
        box.add(letters.letter(number, b"x" * 8000 + b"\n").replace(b"\r\n", b"\n"))
    box.close()
    done = letters.transfer(server, "import", "small@demo.test", "mbox", tmp_path / "box", check=False)
    assert done.returncode == 1 and "the account's quota has no room for more" in done.stderr
    first = letters.account(server, "small")["INBOX"]
    assert 10 <= len(first) <= 12
    with server.imap("small") as client:  # what is deleted makes room, and does not come back
        client.store("1:*", "+FLAGS", "(\\Deleted)")
        client.expunge()
    done = letters.transfer(server, "import", "small@demo.test", "mbox", tmp_path / "box", check=False)
    assert done.returncode == 1 and f"; {len(first)} were imported before" in done.stdout
    second = letters.account(server, "small")["INBOX"]
    assert len(second) == len(first) and not {str(row) for row in first} & {str(row) for row in second}
