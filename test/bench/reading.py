"""How fast a large mailbox is read, changed, sorted and searched over IMAP, as a client that costs next to nothing sees it."""

import pathlib
import subprocess
import time

import peers

LETTERS, LETTERS_QUICK = 100_000, 10_000
BODIES, BODIES_QUICK = 10_000, 1_000
BODY_SIZE = 12288
FEW = 1_000  # for servers whose index takes long to be made
PARTS = ("lists", "searches", "few", "orders", "reconnect", "bodies", "changes")


class Reader:
    """imapload against one server."""

    def __init__(self, server, tool):
        self.server, self.tool = server, tool

    def run(self, user, *commands, tls=True):
        """Seconds, bytes and lines of each command; None for one that the server refused."""
        port = self.server.imap_port + 850 if tls else self.server.imap_port
        words = [self.tool, "127.0.0.1", str(port), "tls" if tls else "clear", *self.server.login_of(user), *commands]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        rows = [line.split(None, 4) for line in done.stdout.splitlines()]
        if len(rows) != len(commands):
            raise RuntimeError(f"{commands[min(len(rows), len(commands) - 1)]}: {done.stderr}")
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
]
ORDERS = [
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
        print("  (page cache not dropped: not allowed)", flush=True)
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


def twice(reader, note, commands, user=0):
    rows = reader.run(user, "SELECT INBOX", *[command for _, command in commands for _ in range(2)])[1:]
    for number, (title, _) in enumerate(commands):
        note(f"{title}, first", rows[2 * number])
        note(f"{title}, again", rows[2 * number + 1])


def few(server, folder, reader, note):
    """Searches where a full-text index is beside another."""
    user = server.fill_few(folder, FEW)
    twice(reader, note, [(f"{title} among {FEW:,}", command) for title, command in SEARCHES], user)


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


def bodies(reader, figures, count):
    reader.server.fill(1, count, BODY_SIZE)
    peers.wait_for_mail(reader.server, 1, count).logout()
    for turn in ("first", "again"):
        seconds, octets, _ = reader.run(1, "SELECT INBOX", "FETCH 1:* BODY.PEEK[]")[1]
        figures.note(f"BODY[] of many x 12 KiB over TLS, {turn}", octets / seconds / 1e6, "MB/s", count)


def reconnect(reader, note):
    """QRESYNC after a hundred changes (RFC 7162)."""
    client = peers.connect(reader.server, 0)
    if b"QRESYNC" not in client.capability()[1][0]:
        return
    client.enable("QRESYNC")
    count = int(client.select("INBOX")[1][0])
    validity = client.response("UIDVALIDITY")[1][0].decode()
    modseq = client.response("HIGHESTMODSEQ")[1][0].decode()
    for number in range(100):
        client.store(str(1 + 7 * number % count), "+FLAGS.SILENT", "(\\Answered)")
    client.logout()
    rows = reader.run(0, "ENABLE QRESYNC", f"SELECT INBOX (QRESYNC ({validity} {modseq}))")
    note("QRESYNC reconnect with 100 changes", rows[1])


def fill(server, folder, letters, figures):
    """The letters into user 0's mailbox; how long that takes is told of servers that have taken them by SMTP."""
    begun = time.monotonic()
    before = peers.cpu_seconds(server.pids())
    indexing = server.import_letters(folder, letters)
    delivered = peers.cpu_seconds(server.pids())
    peers.wait_for_mail(server, 0, letters).logout()
    figures.remark(f"filled with {letters:,} letters", f"{time.monotonic() - begun:12.1f} s")
    if server.has_vaults:
        taken_in = peers.cpu_seconds(server.pids()) - delivered
        figures.note("delivered, each core", letters / (delivered - before), "messages/s")
        figures.note("taken in, each core", letters / taken_in, "messages/s")
        indexing = index_vault(server)
        figures.note("taken in and indexed, each core", letters / (taken_in + indexing), "messages/s")
    if indexing is not None:
        figures.note("indexed, each core", letters / indexing, "messages/s", letters)


def index_vault(server):
    """What is left to do by itself; seconds of CPU. The vault's size before it is remembered, for index_share."""
    server.stop()
    server.unindexed_bytes = server.vault_bytes()
    server.start()
    with peers.connect(server, 0) as client:
        before = peers.cpu_seconds(server.pids())
        client.select("INBOX")
        server.settle()
        return peers.cpu_seconds(server.pids()) - before


def index_share(server, folder, letters, figures):
    text = sum(path.stat().st_size for path in sorted(folder.iterdir())[:letters])
    server.stop()
    try:
        size = server.index_bytes()
    finally:
        server.start()
    if size > 0:
        figures.note("index, of the letters", 100 * size / text, "%", letters)


def measure(server, tool, folder, quick, figures, parts):
    reader = Reader(server, tool)
    letters, count = (LETTERS_QUICK, BODIES_QUICK) if quick else (LETTERS, BODIES)
    letters = min(letters, server.letters or letters)

    def note(title, row, is_whole=False):
        if row is None:
            figures.remark(title, f"{'refused':>12}")
        else:
            figures.note(title, row[0] * 1000, "ms", None if " among " in title else letters, is_whole)

    def note_whole(title, row):
        note(title, row, is_whole=True)

    with figures.attempt("filling"):
        fill(server, folder, letters, figures)
        index_share(server, folder, letters, figures)
        acts = {
            "lists": lambda: lists(reader, note_whole),
            "searches": lambda: twice(reader, note_whole, SEARCHES),
            "few": lambda: few(server, folder, reader, note),
            "orders": lambda: twice(reader, note_whole, ORDERS),
            "reconnect": lambda: reconnect(reader, note),
            "bodies": lambda: bodies(reader, figures, min(count, letters)),
            "changes": lambda: changes(reader, note, count),
        }
        for part in parts:
            with figures.attempt(part):
                acts[part]()


def make_letters(folder, quick):
    tool, letters = pathlib.Path(folder) / "letters-tool", pathlib.Path(folder) / "letters"
    subprocess.run(["cc", "-O2", "-o", tool, pathlib.Path(__file__).parent / "letters.c"], check=True)
    letters.mkdir()
    subprocess.run([tool, letters, str(LETTERS_QUICK if quick else LETTERS)], check=True)
    letters.chmod(0o755)
    return letters


def load_tool(folder):
    return peers.compile_tool(folder, "imapload", "imapload.c", "client.c")
