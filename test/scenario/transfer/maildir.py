"""Maildir in and out: the round trip, what Python's own reader sees, repeating, and hostile trees."""
import imaplib
import mailbox
import os

import letters
import pytest
from server import PASSWORD, crlf


def test_all_of_an_account_goes_out_and_comes_back(server, user, tmp_path):
    letters.fill(server, user)
    before = letters.account(server, user)
    assert sum(map(len, before.values())) == 20
    done = letters.transfer(server, "export", user, "maildir", tmp_path / "out")
    assert done.stdout.startswith("20 messages in ")
    other = f"back-{user}"
    server.account(other)
    letters.transfer(server, "import", other, "maildir", tmp_path / "out")
    assert letters.account(server, other) == before


def test_python_reads_what_is_written(server, user, tmp_path):
    letters.fill(server, user, folders=("INBOX", "Work/2024"))
    letters.transfer(server, "export", user, "maildir", tmp_path / "out")
    box = mailbox.Maildir(tmp_path / "out", create=False)
    assert sorted(box.list_folders()) == ["Archive", "Drafts", "Empty", "Junk", "Sent", "Trash", "Work", "Work.2024"]
    assert sorted(message.get_flags() for message in box) == ["", "DPTab", "FRS", "S"]
    assert {int(message.get_date()) for message in box} == {1500000000 + number * 1000 for number in range(1, 5)}
    found = sorted(crlf(bytes(message)) for message in box)
    with server.imap(user, mailbox=None) as client:
        assert len(letters.everything(client)["INBOX"]) == len(found) == 4
    assert all(b"Subject: letter " in text for text in found)
    for path in (tmp_path / "out").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_python_writes_what_is_read(server, user, tmp_path):
    box = mailbox.Maildir(tmp_path / "in")
    lists = box.add_folder("Lists.Böse &-Sachen".replace("ö", "&APY-"))
    for number, target in ((1, box), (2, lists)):
        message = mailbox.MaildirMessage(letters.letter(number).replace(b"\r\n", b"\n"))
        message.set_flags("FS")
        message.set_date(1400000000)
        target.add(message)
    fresh = mailbox.MaildirMessage(letters.letter(3).replace(b"\r\n", b"\n"))
    fresh.set_subdir("new")
    box.add(fresh)
    done = letters.transfer(server, "import", user, "maildir", tmp_path / "in")
    assert done.stdout == "3 messages in 2 folders imported; 0 were imported before\n"
    found = letters.account(server, user)
    assert [row[:2] for row in found["INBOX"]] == [(letters.letter(1), ("\\Flagged", "\\Seen")), (letters.letter(3), ())]
    rows = found["Lists/B&APY-se &-Sachen"]
    assert [row[:2] for row in rows] == [(letters.letter(2), ("\\Flagged", "\\Seen"))]


def test_a_repeated_import_brings_nothing_twice_nor_back(server, user, tmp_path):
    box = mailbox.Maildir(tmp_path / "in")
    for number in range(5):
        box.add(letters.letter(number))
    box.add(letters.letter(0))  # the same message twice in a folder is two messages
    done = letters.transfer(server, "import", user, "maildir", tmp_path / "in", "--dry-run")
    assert done.stdout.startswith("6 messages in 1 folders would be imported")
    assert letters.account(server, user)["INBOX"] == []
    letters.transfer(server, "import", user, "maildir", tmp_path / "in")
    with server.imap(user) as client:
        client.store("1:2", "+FLAGS", "\\Deleted")
        client.expunge()
    box.add(letters.letter(9))
    done = letters.transfer(server, "import", user, "maildir", tmp_path / "in")
    assert done.stdout == "1 messages in 1 folders imported; 6 were imported before\n"
    assert len(letters.account(server, user)["INBOX"]) == 5
    letters.transfer(server, "import", user, "maildir", tmp_path / "in", "--again", "--folder", "INBOX")
    assert len(letters.account(server, user)["INBOX"]) == 12


def test_a_repeated_export_adds_what_is_new_and_keeps_flags_true(server, user, tmp_path):
    letters.fill(server, user, folders=("INBOX",))
    letters.transfer(server, "export", user, "maildir", tmp_path / "out")
    with server.imap(user) as client:
        client.store("1", "+FLAGS", "\\Flagged")
        client.append("INBOX", None, None, letters.letter(77))
    done = letters.transfer(server, "export", user, "maildir", tmp_path / "out")
    assert done.stdout.startswith("1 messages in ") and done.stdout.endswith("; 4 were there before\n")
    box = mailbox.Maildir(tmp_path / "out", create=False)
    assert sorted(message.get_flags() for message in box) == ["", "DPTab", "F", "FRS", "S"]


def test_only_a_folder_and_what_is_below(server, user, tmp_path):
    letters.fill(server, user)
    letters.transfer(server, "export", user, "maildir", tmp_path / "out", "--folder", "Work")
    assert sorted(mailbox.Maildir(tmp_path / "out", create=False).list_folders()) == ["Work", "Work.2024"]
    other = f"below-{user}"
    server.account(other)
    letters.transfer(server, "import", other, "maildir", tmp_path / "out", "--folder", "Old mail")
    assert len(letters.account(server, other)["Old mail/Work/2024"]) == 4


def test_links_are_not_followed_and_nothing_is_written_over(server, user, tmp_path):
    box = mailbox.Maildir(tmp_path / "in")
    box.add(letters.letter(1))
    secret = tmp_path / "secret"
    secret.write_bytes(b"Subject: secret\n\nx\n")
    os.symlink(secret, tmp_path / "in/cur/1.link:2,S")
    os.mkfifo(tmp_path / "in/cur/2.fifo:2,S")
    other = mailbox.Maildir(tmp_path / "elsewhere")
    other.add(letters.letter(2))
    os.symlink(tmp_path / "elsewhere", tmp_path / "in/.Linked")
    done = letters.transfer(server, "import", user, "maildir", tmp_path / "in", check=False)
    assert done.returncode == 1 and "2 messages or folders were left out" in done.stdout
    assert "Traceback" not in done.stderr and "1.link" in done.stderr and "2.fifo" in done.stderr
    assert sum(map(len, letters.account(server, user).values())) == 1
    (tmp_path / "full").mkdir()
    (tmp_path / "full/precious").write_text("x")
    done = letters.transfer(server, "export", user, "maildir", tmp_path / "full", check=False)
    assert done.returncode == 1 and "is not empty" in done.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["precious"]


@pytest.mark.parametrize("words, status, text", [
    (["import", "{user}", "maildir"], 2, "usage"),
    (["import", "{user}", "pst", "/x"], 2, "there is no format pst"),
    (["import", "{user}", "maildir", "/x", "--bad"], 2, "unknown option --bad"),
    (["export", "{user}", "maildir", "/x", "--again"], 2, "unknown option --again"),
    (["import", "{user}", "maildir", "/nonexistent"], 1, "cannot open /nonexistent: No such file"),
    (["import", "{user}", "maildir", "/etc"], 1, "/etc is no Maildir"),
    (["import", "nobody@demo.test", "maildir", "/x"], 1, "nobody@demo.test"),
    (["export", "{user}", "maildir", "/proc/nothing"], 1, "cannot make the folder"),
])
def test_what_is_wrong_is_said_in_a_line(server, user, words, status, text):
    done = letters.transfer(server, *[word.format(user=user) for word in words], check=False)
    assert (done.returncode, text in done.stderr) == (status, True), done.stderr


def test_only_the_owner(server, user, tmp_path):
    done = letters.transfer(server, "export", user, "maildir", tmp_path / "out", credential="wrong", check=False)
    assert done.returncode == 1 and "neither a password nor the recovery code" in done.stderr
    assert PASSWORD not in done.stderr and not (tmp_path / "out").exists()


def test_flags_follow_the_source(server, user, tmp_path):
    """What changed there changes here; what changed here stays, and what was deleted stays away."""
    def flags():
        with server.imap(user) as client:
            rows = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            return {row[1].split()[1].decode(): sorted(imaplib.ParseFlags(row[0]))
                    for row in rows if isinstance(row, tuple)}

    def rename(number, letters_now):
        path, = cur.glob(f"{number}:*")
        path.rename(cur / f"{number}:2,{letters_now}")

    cur = tmp_path / "in/cur"
    cur.mkdir(parents=True)
    (tmp_path / "in/new").mkdir()
    for number in range(4):
        (cur / f"{number}:2,S").write_bytes(f"Subject: m{number}\n\nx\n".encode())
    letters.transfer(server, "import", user, "maildir", tmp_path / "in")
    with server.imap(user) as client:
        names = [row[1].split()[1] for row in client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(row, tuple)]
        at = {name.decode(): str(names.index(name) + 1) for name in names}
        client.store(at["m0"], "FLAGS", "(\\Flagged)")
        client.store(at["m1"], "+FLAGS", "(\\Draft)")
        client.store(at["m3"], "+FLAGS", "(\\Deleted)")
        client.expunge()
    rename(0, "RS")
    rename(1, "F")
    rename(3, "FRS")
    done = letters.transfer(server, "import", user, "maildir", tmp_path / "in")
    assert done.stdout.startswith("0 messages in ") and "\n2 that were imported before have other flags now\n" in done.stdout
    recent = [b"\\Recent"]
    expected = {"m0": [b"\\Answered", b"\\Flagged"], "m1": [b"\\Draft", b"\\Flagged"], "m2": [b"\\Seen"]}
    assert {name: [flag for flag in found if flag not in recent] for name, found in flags().items()} == expected
    done = letters.transfer(server, "import", user, "maildir", tmp_path / "in")
    assert "other flags" not in done.stdout
