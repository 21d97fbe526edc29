"""How fast a large mailbox is read, changed, sorted and searched over IMAP, as a client that costs next to nothing sees it."""

import imaplib
import pathlib
import ssl
import subprocess
import time

import peers

TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE
LETTERS, LETTERS_QUICK = 100_000, 10_000
BODIES, BODIES_QUICK = 10_000, 1_000
BODY_SIZE = 12288


def connect(server, user):
    client = imaplib.IMAP4("127.0.0.1", server.imap_port)
    client.starttls(TRUSTING)
    client.login(*server.login_of(user))
    return client


def wait_for(server, user, messages, seconds=600):
    client = connect(server, user)
    end = time.monotonic() + seconds
    while int(client.select("INBOX")[1][0]) < messages:
        if time.monotonic() > end:
            raise RuntimeError(f"{server.name}: not {messages} messages in time")
        time.sleep(0.5)
    return client


class Reader:
    """imapload against one server."""

    def __init__(self, server, tool):
        self.server, self.tool = server, tool

    def run(self, user, *commands, tls=True):
        """Seconds, bytes and lines of each command; None for one that the server refused."""
        port = self.server.imap_port + 850 if tls else self.server.imap_port
        words = [self.tool, "127.0.0.1", str(port), "tls" if tls else "clear", *self.server.login_of(user), *commands]
        done = subprocess.run(words, capture_output=True, text=True, timeout=900)
        rows = [line.split(None, 4) for line in done.stdout.splitlines()]
        if len(rows) != len(commands):
            raise RuntimeError(f"{self.server.name}: {commands[len(rows)]}: {done.stderr}")
        return [(float(row[0]), int(row[1]), int(row[2])) if row[3] == "OK" else None for row in rows]


LISTS = [
    ("FETCH FLAGS UID INTERNALDATE RFC822.SIZE", "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE)"),
    ("FETCH ENVELOPE BODYSTRUCTURE", "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"),
]
SEARCHES = [
    ("SEARCH BODY, a rare word", "SEARCH BODY zebrafish"),
    ("SEARCH TEXT, a rare word", "SEARCH TEXT zebrafish"),
    ("SEARCH BODY, a common word", "SEARCH BODY the"),
    ("SEARCH SUBJECT, a common word", "SEARCH SUBJECT the"),
    ("SORT (REVERSE DATE)", "SORT (REVERSE DATE) UTF-8 ALL"),
    ("SORT (SUBJECT)", "SORT (SUBJECT) UTF-8 ALL"),
    ("THREAD REFERENCES", "THREAD REFERENCES UTF-8 ALL"),
]


def cold(server):
    """As after a restart of the machine."""
    server.stop()
    subprocess.run(["sync"], check=True)
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        print("  (page cache not dropped: not allowed)")
    server.start()


def lists(reader, note):
    cold(reader.server)
    for temperature in ("cold", "warm"):
        if temperature == "cold":
            rows = [reader.run(0, "SELECT INBOX", command)[1] for _, command in LISTS]
        else:
            rows = reader.run(0, "SELECT INBOX", *[command for _, command in LISTS])[1:]
        for (title, _), row in zip(LISTS, rows):
            note(f"{title}, {temperature}", row)


def searches(reader, note):
    rows = reader.run(0, "SELECT INBOX", *[command for _, command in SEARCHES for _ in range(2)])[1:]
    for number, (title, _) in enumerate(SEARCHES):
        note(f"{title}, first", rows[2 * number])
        note(f"{title}, again", rows[2 * number + 1])


def changes(reader, note, count):
    commands = [
        ("STORE 1,000 one by one", "x1000:STORE %u +FLAGS.SILENT (\\Flagged)"),
        (f"STORE {count:,} as one", f"STORE 1:{count} +FLAGS.SILENT (\\Seen)"),
        (f"COPY {count:,}", f"COPY 1:{count} bench-copy"),
        (f"MOVE {count:,}", f"MOVE 1:{count} bench-move"),
        ("APPEND 1,000 of 4 KiB", "x1000:APPEND bench-move %L4096%"),
        ("", f"STORE 1:{count} +FLAGS.SILENT (\\Deleted)"),
        (f"EXPUNGE {count:,}", "EXPUNGE"),
    ]
    rows = reader.run(0, "CREATE bench-copy", "CREATE bench-move", "SELECT INBOX", *[command for _, command in commands])[3:]
    for (title, _), row in zip(commands, rows):
        if title:
            note(title, row)


def bodies(reader, note, count):
    reader.server.fill(1, count, BODY_SIZE)
    wait_for(reader.server, 1, count).logout()
    for turn in ("first", "again"):
        row = reader.run(1, "SELECT INBOX", "FETCH 1:* BODY.PEEK[]")[1]
        note(f"BODY[] of {count:,} x 12 KiB over TLS, {turn}", row)


def reconnect(reader, note):
    """QRESYNC after a hundred changes (RFC 7162)."""
    client = connect(reader.server, 0)
    if b"QRESYNC" not in client.capability()[1][0]:
        return
    client.select("INBOX")
    validity = client.response("UIDVALIDITY")[1][0].decode()
    modseq = client.response("HIGHESTMODSEQ")[1][0].decode()
    for number in range(100):
        client.store(str(1 + 7 * number), "+FLAGS.SILENT", "(\\Answered)")
    client.logout()
    rows = reader.run(0, "ENABLE QRESYNC", f"SELECT INBOX (QRESYNC ({validity} {modseq}))")
    note("QRESYNC reconnect with 100 changes", rows[1])


def measure(server, tool, folder, quick, note):
    """note(title, (seconds, bytes, lines) or None) is called for every row."""
    reader = Reader(server, tool)
    letters, count = (LETTERS_QUICK, BODIES_QUICK) if quick else (LETTERS, BODIES)
    begun = time.monotonic()
    server.import_letters(folder, letters)
    wait_for(server, 0, letters).logout()
    note(f"(filled with {letters:,} letters)", (time.monotonic() - begun, 0, 0))
    server.settle()
    lists(reader, note)
    searches(reader, note)
    reconnect(reader, note)
    bodies(reader, note, count)
    changes(reader, note, count)


def make_letters(folder, quick):
    tool, letters = pathlib.Path(folder) / "letters-tool", pathlib.Path(folder) / "letters"
    subprocess.run(["cc", "-O2", "-o", tool, pathlib.Path(__file__).parent / "letters.c"], check=True)
    letters.mkdir()
    subprocess.run([tool, letters, str(LETTERS_QUICK if quick else LETTERS)], check=True)
    letters.chmod(0o755)
    return letters


def load_tool(folder):
    tool = pathlib.Path(folder) / "imapload"
    source = pathlib.Path(__file__).parent / "imapload.c"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", tool, source, "-lssl", "-lcrypto"], check=True)
    return tool


if __name__ == "__main__":
    import sys
    import tempfile

    peers.USERS = 2
    home = tempfile.mkdtemp(prefix="waxwing-bench-")
    pathlib.Path(home).chmod(0o755)
    peers.deliver_tool(home)
    mine = peers.Waxwing(home, pathlib.Path(sys.argv[1]).resolve())
    try:
        is_quick = "--quick" in sys.argv
        mine.start()
        mine.add_users()
        measure(mine, load_tool(home), make_letters(home, is_quick), is_quick,
                lambda title, row: print(f"  {title:<56}", "refused" if row is None else
                                         f"{row[0] * 1000:10.1f} ms {row[1] / 1e6:8.1f} MB {row[2]:8} lines", flush=True))
    finally:
        mine.stop()
        subprocess.run(["rm", "-rf", home], check=False)
