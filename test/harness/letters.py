"""Mail for the scenarios of import and export: what it is made of, and how it is compared."""
import email.utils
import imaplib
import re
import subprocess

from server import PASSWORD, PROGRAM

FLAGS = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"}


def letter(number, body=b"Hello.\r\n"):
    return (b"Message-ID: <%d@letters.example>\r\nFrom: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\n"
            b"Date: %s\r\nSubject: letter %d\r\n\r\n" % (
                number, email.utils.formatdate(1600000000 + number * 60).encode(), number)) + body


def transfer(server, *words, credential=PASSWORD, check=True, seconds=120):
    return server.tool(*map(str, words), stdin=credential + "\n", check=check, seconds=seconds)


def begin(server, *words, credential=PASSWORD):
    """The same, without waiting for its end."""
    process = subprocess.Popen([PROGRAM, "-c", server.conf, *map(str, words)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write(credential + "\n")
    process.stdin.close()
    return process


def folders_of(client):
    found = []
    for line in client.list()[1]:
        if b"\\Noselect" in line.split(b")")[0]:
            continue
        name = re.match(r'\([^)]*\) "." (.*)', line.decode())[1]
        found.append(name[1:-1] if name.startswith('"') else name)
    return found


def account(server, user, password=PASSWORD):
    """All of an account: folder -> sorted (bytes, flags, date); \\Recent is nobody's."""
    with server.imap(user, password, mailbox=None) as client:
        return everything(client)


def everything(client):
    found = {}
    for folder in folders_of(client):
        total = int(client.select(f'"{folder}"', readonly=True)[1][0])
        rows = []
        kind, data = client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])") if total else ("OK", [])
        assert kind == "OK"
        for part in data:
            if isinstance(part, tuple):
                flags = {flag.decode() for flag in imaplib.ParseFlags(part[0])} - {"\\Recent"}
                when = imaplib.Internaldate2tuple(part[0])
                rows.append((part[1], tuple(sorted(flags)), tuple(when[:6])))
        found[folder] = sorted(rows)
    return found


def fill(server, user, folders=("INBOX", "Archive", "Work/2024", "R&APw-ckgrat", "a.b")):
    """Folders with letters of all kinds in them."""
    number = 0
    with server.imap(user, mailbox=None) as client:
        for folder in folders:
            client.create(f'"{folder}"')
            for flags in ("", "\\Seen", "\\Seen \\Answered \\Flagged", "\\Draft \\Deleted work $Forwarded $Junk"):
                number += 1
                body = b"From the start\r\n>From here\r\n\r\nFrom there\r\n" if number % 2 else b"\xff\x01plain\r\n.\r\n"
                assert client.append(f'"{folder}"', f"({flags})", imaplib.Time2Internaldate(1500000000 + number * 1000),
                                     letter(number, body))[0] == "OK"
        client.create("Empty")
