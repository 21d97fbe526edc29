"""From another server, a real Dovecot: folders, flags, dates; again without duplicates; broken off and gone on."""
import imaplib
import signal
import socket
import time

import letters
import pytest
from dovecot import PASSWORD as OTHER
from dovecot import Dovecot
from server import PASSWORD, wait_until

BOTH = f"{PASSWORD}\n{OTHER}"


def fill(client, separator=".", prefix=""):
    """The same as letters.fill, with what this server calls its folders."""
    number = 0
    for folder in ("INBOX", f"{prefix}Archive", f"{prefix}Work{separator}2024", f"{prefix}R&APw-ckgrat &- mehr"):
        client.create(f'"{folder}"')
        for flags in ("", "\\Seen", "\\Seen \\Answered \\Flagged", "\\Draft \\Deleted work $Forwarded"):
            number += 1
            when = imaplib.Time2Internaldate(1500000000 + number * 1000)
            assert client.append(f'"{folder}"', f"({flags})", when, letters.letter(number))[0] == "OK"


def rows(found, names):
    """Bytes, flags and dates of the letters in each of these folders, for comparing."""
    return {here: found[there] for there, here in names.items()}


@pytest.mark.parametrize("separator, prefix, mechanisms, scheme", [
    (".", "", "plain login", "imaps"),
    ("/", "", "scram-sha-256 login", "imap"),
    (".", "INBOX.", "plain login", "imaps"),
])
def test_all_of_it_comes_once(server, user, monkeypatch, separator, prefix, mechanisms, scheme):
    with Dovecot(mechanisms=mechanisms, separator=separator, prefix=prefix) as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.home / "cert.pem"))
        url = other.url if scheme == "imaps" else f"imap://ann@old.example@localhost:{other.plain}"
        with other.imap() as client:
            fill(client, separator, prefix)
            names = {"INBOX": "INBOX", f"{prefix}Archive": "Archive", f"{prefix}Work{separator}2024": "Work/2024",
                     f"{prefix}R&APw-ckgrat &- mehr": "R&APw-ckgrat &- mehr"}
            there = rows(letters.everything(client), names)
        done = letters.transfer(server, "import", user, "imap", url, credential=BOTH)
        assert done.stdout.startswith("16 messages in "), done.stdout
        here = letters.account(server, user)
        assert {name: here[name] for name in there} == there
        with server.imap(user) as client:
            client.store("1", "+FLAGS", "\\Deleted")
            client.expunge()  # that one, and the one that came with the flag
        with other.imap() as client:
            client.append("INBOX", None, None, letters.letter(99))
        done = letters.transfer(server, "import", user, "imap", url, credential=BOTH)
        assert done.stdout.startswith("1 messages in ") and done.stdout.endswith("; 16 were imported before\n")
        assert sum(map(len, letters.account(server, user).values())) == 15


def test_what_is_not_in_order_is_refused(server, user, monkeypatch):
    with Dovecot() as other:
        done = letters.transfer(server, "import", user, "imap", other.url, credential=BOTH, check=False)
        assert done.returncode == 1 and "certificate of localhost is not to be trusted" in done.stderr
        done = letters.transfer(server, "import", user, "imap", other.url, "--insecure", credential=BOTH)
        assert done.returncode == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(other.home / "cert.pem"))
        for url, credential, text in (
                (f"imaps://ann@old.example@127.0.0.1:{other.tls}", BOTH, "not to be trusted"),
                (other.url, f"{PASSWORD}\nwrong", "refuses the login"),
                (other.url, PASSWORD, "two passwords are needed"),
                ("imap.example.org", BOTH, "is no address of a server"),
                ("imaps://a@localhost:1", BOTH, "cannot connect to localhost port 1"),
                (f"imaps://a@localhost:{other.plain}", BOTH, "no TLS with localhost")):
            done = letters.transfer(server, "import", user, "imap", url, credential=credential, check=False)
            assert (done.returncode, text in done.stderr) == (1, True), done.stderr


def test_what_another_server_says_does_not_drive_the_terminal(server, user):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = letters.begin(server, "import", user, "imap", f"imap://a@127.0.0.1:{listener.getsockname()[1]}", "--insecure",
                                credential=BOTH)
        listener.settimeout(30)
        with listener.accept()[0] as peer:
            peer.sendall(b"* BYE \x1b]0;gotcha\x07 \x9b2J \xe2\x80\xae Stra\xc3\x9fe\r\n")
            assert process.wait(30) == 1
    output, error = process.stdout.read(), process.stderr.read()
    assert "?]0;gotcha? ?2J ? Straße" in error, error
    assert not any(character in error + output for character in "\x1b\x07\x9b\u202e")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_broken_off_it_goes_on(server, user, monkeypatch, how):
    count = 1500
    with Dovecot() as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.home / "cert.pem"))
        other.fill(letters.letter(number, b"x" * 2000 + b"\r\n") for number in range(count))
        process = letters.begin(server, "import", user, "imap", other.url, credential=BOTH)
        with server.imap(user) as client:
            wait_until(lambda: int(client.select("INBOX")[1][0]) > 100, 30, "some have come")
            process.send_signal(how)
            assert process.wait(30) != 0
            error = process.stderr.read()
            assert how == signal.SIGKILL or "run the same command again to go on" in error
            begun = int(client.select("INBOX")[1][0])
            client.store("1:10", "+FLAGS", "\\Deleted")
            client.expunge()
        done = letters.transfer(server, "import", user, "imap", other.url, credential=BOTH)
        assert done.stdout.endswith(" were imported before\n")
        found = letters.account(server, user)["INBOX"]
        subjects = {row[0].split(b"Subject: ")[1].split(b"\r\n")[0] for row in found}
        assert begun < count and len(found) == len(subjects) == count - 10


def test_five_thousand(server, user, monkeypatch):
    count = 5000
    with Dovecot() as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.home / "cert.pem"))
        other.fill(letters.letter(number, b"word " * 800 + b"\r\n") for number in range(count))
        begun = time.monotonic()
        done = letters.transfer(server, "import", user, "imap", other.url, credential=BOTH, seconds=300)
        first = time.monotonic() - begun
        assert done.stdout == "5000 messages in 1 folders imported; 0 were imported before\n"
        begun = time.monotonic()
        done = letters.transfer(server, "import", user, "imap", other.url, credential=BOTH)
        again = time.monotonic() - begun
        assert done.stdout == "0 messages in 1 folders imported; 5000 were imported before\n"
        print(f"5000 x 4 KiB from Dovecot: {count / first:.0f} messages/s; again, nothing new: {again:.2f} s")
        assert again < first
