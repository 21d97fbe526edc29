"""Real programs read mail and keep copies of it in step."""
import imaplib
import os
import textwrap

import pytest

from programs import certificate, mbsync, run
from server import PASSWORD, crlf, insecure, messages, wait_for
from terminal import in_terminal

COUNT = 12


def mail(number):
    return f"From: Stranger <s@example.org>\r\nSubject: number {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\nbody {number}\r\n".encode()


@pytest.fixture
def filled(server, user):
    for number in range(COUNT):
        server.deliver(user, mail(number))
    with server.imap(user) as client:
        wait_for(client, COUNT)
    return user


def test_imaplib_reads_with_starttls(server, filled):
    with imaplib.IMAP4("127.0.0.1", server.port(143), timeout=30) as client:
        assert "LOGINDISABLED" in client.capabilities
        client.starttls(insecure())
        client.login(filled, PASSWORD)
        client.select()
        assert [got.endswith(mail(number)) for number, got in enumerate(messages(client))] == [True] * COUNT


def test_imaplib_changes_flags_moves_and_searches(server, filled):
    with server.imap(filled) as client:
        assert client.create("Archive/2026")[0] == "OK"
        assert client.store("1:3", "+FLAGS", r"(\Seen $Label1)")[0] == "OK"
        assert client.search(None, "KEYWORD $Label1")[1] == [b"1 2 3"]
        assert client.search(None, "SUBJECT", '"number 7"')[1] == [b"8"]
        assert client.search(None, "BODY", '"body 5"')[1] == [b"6"]
        assert client.uid("MOVE", "1:2", "Archive/2026")[0] == "OK"
        assert len(messages(client)) == COUNT - 2
        assert client.select("Archive/2026")[1] == [b"2"]
        assert b"$Label1" in client.fetch("1", "(FLAGS)")[1][0]
        assert client.append("Archive/2026", r"(\Flagged)", None, mail(99))[0] == "OK"
        assert messages(client)[2] == mail(99)
        assert client.store("3", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert client.expunge()[0] == "OK"
        assert len(messages(client)) == 2


def test_new_mail_shows_in_idle_at_once(server, user):
    """In every open connection of the account, without a poll."""
    watchers = []
    for _ in range(2):
        client = server.imap(user)
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+")
        watchers.append(client)
    server.deliver(user, mail(1))
    for client in watchers:
        client.sock.settimeout(5)
        while b"1 EXISTS" not in (line := client.readline()):
            assert line.startswith(b"*"), line
        client.send(b"DONE\r\n")
        client.sock.close()


def test_curl_reads(server, filled):
    base = ["curl", "-sS", "-k", "--user", f"{filled}:{PASSWORD}"]
    url = f"imaps://127.0.0.1:{server.port(993)}"
    assert b"INBOX" in run(*base, f"{url}/").stdout
    assert run(*base, f"{url}/INBOX;MAILINDEX=3").stdout.endswith(mail(2))
    assert b"* SEARCH 5" in run(*base, f"{url}/INBOX?SUBJECT%20%22number%204%22").stdout


def test_mbsync_goes_both_ways_and_the_second_run_transfers_nothing(server, filled, tmp_path):
    with server.imap(filled) as client:
        client.create("Notes")
        client.append("Notes", None, None, mail(50))
    mbsync(server, filled, tmp_path)
    inbox = tmp_path / "mbsync/INBOX"
    files = list((inbox / "new").iterdir()) + list((inbox / "cur").iterdir())
    assert len(files) == COUNT
    assert sorted(crlf(path.read_bytes()).rpartition(b"\r\n\r\n")[2] for path in files) == sorted(
        b"body %d\r\n" % number for number in range(COUNT))
    (inbox / "cur/mine:2,S").write_bytes(mail(77).replace(b"\r\n", b"\n"))
    mbsync(server, filled, tmp_path)
    with server.imap(filled) as client:
        assert sum(b"number 77" in got for got in messages(client)) == 1
        before = client.status("INBOX", "(MESSAGES UIDNEXT)")
    listed = sorted(str(path) for path in (tmp_path / "mbsync").rglob("*") if ":2," in path.name)
    mbsync(server, filled, tmp_path)
    assert sorted(str(path) for path in (tmp_path / "mbsync").rglob("*") if ":2," in path.name) == listed
    with server.imap(filled) as client:
        assert client.status("INBOX", "(MESSAGES UIDNEXT)") == before


def test_neomutt_reads_in_batch(server, filled, tmp_path):
    settings = tmp_path / "muttrc"
    copy = tmp_path / "copy"
    settings.write_text(textwrap.dedent(f"""\
        set folder = "imaps://127.0.0.1:{server.port(993)}/"
        set spoolfile = "imaps://127.0.0.1:{server.port(993)}/INBOX"
        set imap_user = "{filled}"
        set imap_pass = "{PASSWORD}"
        set imap_authenticators = "plain"
        set certificate_file = "{certificate(server, tmp_path)}"
        set ssl_verify_host = no
        set ssl_verify_dates = no
        set header_cache = ""
        set mbox_type = mbox
        set confirmappend = no
        set confirmcreate = no
        set quit = yes
        set delete = yes
        set move = no
        set sort = mailbox-order
        push "<tag-pattern>~A<enter><tag-prefix><copy-message>{copy}<enter><exit>"
        """))
    shown = in_terminal("neomutt", "-n", "-F", settings, env=dict(os.environ, HOME=str(tmp_path), TERM="xterm"))
    assert copy.exists(), shown[-2000:]
    assert copy.read_bytes().count(b"\nSubject: number ") == COUNT


def test_fetchmail_takes_everything(server, filled, tmp_path):
    settings = tmp_path / "fetchmailrc"
    out = tmp_path / "out"
    script = tmp_path / "take"
    script.write_text(f"#!/bin/sh\ncat >>{out}\n")
    script.chmod(0o755)
    settings.write_text(f'poll 127.0.0.1 service {server.port(993)} protocol imap user "{filled}" password "{PASSWORD}" ssl '
                        f'no sslcertck fetchall no rewrite mda "{script}"\n')
    settings.chmod(0o600)
    run("fetchmail", "-f", settings, "--nosyslog", "-s", "--pidfile", tmp_path / "pid", folder=tmp_path)
    assert out.read_bytes().count(b"Subject: number ") == COUNT
    with server.imap(filled) as client:
        assert messages(client) == []
