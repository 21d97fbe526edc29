"""
SIGKILL at random moments, of a random role, of the supervisor or of all, under load. Then every message acknowledged
with 250 or OK is there exactly once, byte for byte, where it was moved to and with its flags; what was expunged is
gone; of what changes several messages at once all is there or nothing; nothing is there that nobody sent; and `waxwing
check` finds nothing. Processes are killed here, not the machine: what only a power cut would lose is not seen.  KILLS=200 SENDERS=20 SEED=n for the long run.
"""
import imaplib
import os
import pathlib
import random
import re
import smtplib
import subprocess
import tempfile
import threading
import time

import pytest

from faults import kill
from imapwire import Connection
from server import PASSWORD, Server, messages, wait_until

KILLS = int(os.environ.get("KILLS", "12"))
SENDERS = int(os.environ.get("SENDERS", "6"))
SEED = int(os.environ.get("SEED", "1"))
APPENDERS = 2
MOVERS = 2
BINDERS = 2
MOVES_MAX = 400 + 20 * KILLS  # messages a mover starts
BUNDLES_MAX = 100 + 5 * KILLS # commands of a binder
USERS = ["a", "b", "c"]       # get mail from all senders, and keep it
MOVER, REAPER = "d", "e"      # appends, flags, moves and expunges its own; expunges what arrives
BINDER = "f"                  # appends several at once, and replaces
OTHERS = {"gate", "keeper", "intake", "store", "nursery"}
FLAGS = "(\\Seen \\Answered kept)"
SLICE = 2000                  # messages fetched at once


def marker_of(mail):
    at = mail.find(b"\r\nX-Marker: ")
    return mail[at + 12:mail.find(b"\r\n", at + 2)].decode()


def flags_of(row):
    return {word.lower() for word in imaplib.ParseFlags(row)} - {b"\\recent"}


def read_all(client, folder="INBOX"):
    """(marker, flags, bytes) of every message, or None where the server cannot say just now."""
    answer, count = client.select(folder, readonly=True)
    if answer != "OK":
        return None
    found = []
    for first in range(1, int(count[0]) + 1, SLICE):
        answer, rows = client.fetch(f"{first}:{min(first + SLICE - 1, int(count[0]))}", "(FLAGS BODY.PEEK[])")
        if answer != "OK":
            return None
        found += [(marker_of(row[1]), flags_of(row[0]), row[1]) for row in rows if isinstance(row, tuple)]
    return found


class Load:
    """What was sent: `sent` may be there, once for each user; `kept` was acknowledged and must be."""

    def __init__(self, server):
        self.server = server
        self.sent = {}  # marker -> (users, bytes)
        self.kept = {}
        self.doomed = set()  # asked to be expunged, and
        self.dead = set()    # said to have been
        self.over = threading.Event()

    def message(self, rng, marker):
        body = rng.randbytes(rng.randrange(10, 6000)).hex()
        lines = "\r\n".join(body[at:at + 76] for at in range(0, len(body), 76))
        return f"Subject: {marker}\r\nX-Marker: {marker}\r\n\r\n{lines}\r\n".encode()

    def keep_trying(self, connect, work):
        while not self.over.is_set():
            try:
                with connect() as client:
                    for _ in range(20):
                        if self.over.is_set() or work(client) is False:
                            break
            except (imaplib.IMAP4.error, smtplib.SMTPException, OSError, EOFError):
                time.sleep(0.05)

    def send(self, number):
        rng = random.Random(f"{SEED} send {number}")
        count = 0

        def one(client):
            nonlocal count
            count += 1
            marker = f"s{number}-{count}"
            users = rng.choice([[user] for user in USERS + [REAPER]] + [USERS])
            data = self.message(rng, marker)
            client.mail("x@example.org")
            if any([client.rcpt(f"{user}@demo.test")[0] != 250 for user in users]):
                client.rset()
                time.sleep(0.05)
                return
            self.sent[marker] = (users, data)
            if client.data(data)[0] == 250:
                self.kept[marker] = (users, data)
        self.keep_trying(self.server.smtp, one)

    def append(self, number):
        rng = random.Random(f"{SEED} append {number}")
        count = 0

        def one(client):
            nonlocal count
            count += 1
            marker = f"i{number}-{count}"
            self.sent[marker] = ([USERS[number]], self.message(rng, marker))
            if client.append("INBOX", FLAGS, None, self.sent[marker][1])[0] == "OK":
                self.kept[marker] = self.sent[marker]
        self.keep_trying(lambda: self.server.imap(USERS[number]), one)

    def reap(self):
        """Expunges what has arrived, some of it: once the server says it is gone, it must not come back."""
        def some(client):
            uids = client.uid("SEARCH", "ALL")[1][0].split()[:50]
            if not uids:
                time.sleep(0.02)
                client.noop()
                return
            which = b",".join(uids).decode()
            answer, rows = client.uid("FETCH", which, "(BODY.PEEK[HEADER.FIELDS (X-Marker)])")
            if answer != "OK":
                return
            markers = {marker_of(b"\r\n" + row[1]) for row in rows if isinstance(row, tuple)}
            self.doomed |= markers
            if client.uid("STORE", which, "+FLAGS", "(\\Deleted)")[0] == "OK" and client.expunge()[0] == "OK":
                self.dead |= markers
        self.keep_trying(lambda: self.server.imap(REAPER), some)

    def look(self, user):
        try:
            with self.server.imap(user) as client:
                return read_all(client)
        except (imaplib.IMAP4.error, OSError):
            return None

    def check_user(self, user):
        expected = {m for m, (who, _) in self.kept.items() if user in who} - self.doomed

        def there():
            got = self.look(user)
            return got if got is not None and {row[0] for row in got} >= expected else None
        try:
            got = wait_until(there, 60, f"all acknowledged messages of {user}")
        except AssertionError:
            missing = expected - {row[0] for row in self.look(user) or []}
            raise AssertionError(f"{user} misses {len(missing)} of {len(expected)}: {sorted(missing)[:10]}") from None
        markers = [marker for marker, _, _ in got]
        assert len(markers) == len(set(markers)), f"{user} has something twice"
        assert not set(markers) & self.dead, f"{user} has what was expunged: {sorted(set(markers) & self.dead)[:5]}"
        for marker, flags, mail in got:
            who, data = self.sent[marker]
            assert user in who, f"{marker} is not for {user}"
            appended = marker.startswith("i")
            assert mail == data if appended else mail.endswith(b"\r\n" + data), f"{marker} was changed"
            wanted = flags_of(b"FLAGS " + FLAGS.encode()) if appended else set()
            assert flags == wanted or user == REAPER, f"{marker} has the flags {flags}"
        return len(expected)

    def check(self):
        return sum(map(self.check_user, USERS + [REAPER]))


class Movers:
    """Connections of one account that append, flag, move and expunge; each message has the states it may be in now."""

    def __init__(self, server, load):
        self.server = server
        self.load = load
        self.states = {}  # marker -> list of (folder, flagged) or None for not there
        self.data = {}
        self.lost = []

    def step(self, marker, after, command):
        before = self.states.get(marker, [None])
        self.states[marker] = before + [after]
        if command()[0] == "OK":
            self.states[marker] = [after]

    def find(self, client, marker):
        answer, found = client.uid("SEARCH", "HEADER", "X-Marker", marker)
        if answer != "OK":
            return None  # store is away just now
        found = found[0].split()
        if len(found) != 1:
            self.lost.append((marker, found))
            return None
        return found[0].decode()

    def work_on(self, client, marker, expunge):
        self.step(marker, ("Work", False), lambda: client.append("Work", None, None, self.data[marker]))
        if self.states[marker] != [("Work", False)] or client.select("Work")[0] != "OK":
            return
        uid = self.find(client, marker)
        if uid is None:
            return
        if expunge:
            def delete():
                client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
                return client.uid("EXPUNGE", uid)
            self.step(marker, None, delete)
            return
        self.step(marker, ("Work", True), lambda: client.uid("STORE", uid, "+FLAGS", "(\\Flagged kept)"))
        if self.states[marker] == [("Work", True)]:
            self.step(marker, ("Done", True), lambda: client.uid("MOVE", uid, "Done"))

    def run(self, number):
        rng = random.Random(f"{SEED} move {number}")
        count = 0

        def one(client):
            nonlocal count
            if count >= MOVES_MAX:
                time.sleep(0.2)
                return
            count += 1
            marker = f"m{number}-{count}"
            self.data[marker] = self.load.message(rng, marker)
            self.work_on(client, marker, rng.random() < 0.3)
        self.load.keep_trying(lambda: self.server.imap(MOVER), one)

    def look(self):
        try:
            with self.server.imap(MOVER) as client:
                folders = {folder: read_all(client, folder) for folder in ("Work", "Done", "INBOX")}
        except (imaplib.IMAP4.error, OSError):
            return None
        return None if None in folders.values() else folders

    def check(self):
        folders = wait_until(self.look, 60, f"the folders of {MOVER}")
        assert not folders["INBOX"], "something fell back into INBOX"
        found = {}
        for folder in ("Work", "Done"):
            for marker, flags, mail in folders[folder]:
                assert mail == self.data[marker], f"{marker} was changed"
                flags -= {b"\\deleted"}
                assert flags in (set(), {b"\\flagged", b"kept"}), f"{marker} has the flags {flags}"
                found.setdefault(marker, []).append((folder, bool(flags)))
        for marker, allowed in self.states.items():
            places = found.get(marker, [])
            assert len(places) <= 1, f"{marker} is there more than once: {places}"
            assert (places[0] if places else None) in allowed, f"{marker} is {places}, allowed {allowed}"
        assert not self.lost, f"not there once when looked for: {[(m, f, found.get(m)) for m, f in self.lost[:5]]}"
        return len(found)


class Binders:
    """
    Commands that change several messages at once: MULTIAPPEND (RFC 3502), CATENATE (RFC 4469), REPLACE (RFC 8508). Each
    has the sets of markers that may be there, which are seen as a whole or not at all, by others too.
    """
    def __init__(self, server, load):
        self.server = server
        self.load = load
        self.allowed = {}  # name -> list of sets of markers
        self.data = {}
        self.torn = []
        self.looks = 0

    def step(self, client, name, after, command):
        before = self.allowed.get(name, [frozenset()])
        self.allowed[name] = before + [after]
        answer = client.run(command)
        if not answer[-1].startswith("T: OK"):
            return None
        self.allowed[name] = [after]
        return re.search(r"APPENDUID \d+ (\d+)", "\n".join(answer)).group(1)

    def bundle(self, rng, client, name):
        markers = [f"{name}.{part}" for part in range(rng.randrange(2, 6))]
        command = b"APPEND INBOX"
        for marker in markers:
            self.data[marker] = self.load.message(rng, marker)
            command += b" (\\Seen) {%d+}\r\n" % len(self.data[marker]) + self.data[marker]
        self.step(client, name, frozenset(markers), command)

    def replace(self, rng, client, name):
        old, new = f"{name}.old", f"{name}.new"
        self.data[old] = self.load.message(rng, old)
        uid = self.step(client, name, frozenset([old]), b"APPEND INBOX {%d+}\r\n" % len(self.data[old]) + self.data[old])
        if uid is None or not client.run(b"SELECT INBOX")[-1].startswith("T: OK"):
            return
        head = f"Subject: {new}\r\nX-Marker: {new}\r\n\r\n".encode()
        self.data[new] = head + self.data[old].partition(b"\r\n\r\n")[2]
        self.step(client, name, frozenset([new]), f'UID REPLACE {uid} INBOX CATENATE (TEXT {{{len(head)}+}}\r\n'.encode() + head
                  + f' URL "/INBOX/;UID={uid}/;SECTION=TEXT")'.encode())

    def run(self, number):
        rng = random.Random(f"{SEED} bind {number}")
        count = 0

        def one(client):
            nonlocal count
            if count >= BUNDLES_MAX:
                time.sleep(0.2)
                return
            count += 1
            rng.choice([self.bundle, self.replace])(rng, client, f"b{number}-{count}")
        self.load.keep_trying(lambda: Connection(self.server, f"{BINDER}@demo.test"), one)

    def watch(self):
        """What is seen at any one moment is whole."""
        def look(client):
            answer, count = client.select("INBOX", readonly=True)
            if answer != "OK" or count[0] == b"0":
                return
            answer, rows = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (X-Marker)])")
            if answer != "OK":
                return
            markers = [marker_of(b"\r\n" + row[1]) for row in rows if isinstance(row, tuple)]
            self.looks += 1
            for name, there in self.sort(markers).items():
                if there not in self.allowed[name] and not self.is_whole(name, there):
                    self.torn.append((name, sorted(there)))
            time.sleep(0.05)
        self.load.keep_trying(lambda: self.server.imap(BINDER), look)

    def is_whole(self, name, there):
        """While a command is under way its sets change under the one who looks, but none has a part of a bundle."""
        bundle = {marker for marker in self.data if marker.startswith(name + ".")}
        return len(there) == 1 if f"{name}.old" in bundle else there == bundle

    @staticmethod
    def sort(markers):
        found = {}
        for marker in markers:
            found.setdefault(marker.partition(".")[0], set()).add(marker)
        return found

    def look(self):
        try:
            with self.server.imap(BINDER) as client:
                return read_all(client)
        except (imaplib.IMAP4.error, OSError):
            return None

    def check(self):
        rows = wait_until(self.look, 60, f"the messages of {BINDER}")
        markers = [marker for marker, _, _ in rows]
        assert len(markers) == len(set(markers)), "something is there twice"
        for marker, _, mail in rows:
            assert mail == self.data[marker], f"{marker} was changed"
        found = self.sort(markers)
        for name, allowed in self.allowed.items():
            there = found.pop(name, set())
            assert there in allowed, f"{name} is {sorted(there)}, allowed {allowed}"
        assert not found, f"nobody brought {found}"
        assert not self.torn, f"seen in part: {self.torn[:5]}"
        return len(markers)


def sound(server, *options, users=(*USERS, MOVER, REAPER, BINDER)):
    """`waxwing check`, which finds nothing."""
    for user in users:
        done = server.tool("check", f"{user}@demo.test", *options, stdin=PASSWORD + "\n", check=False, seconds=300)
        assert done.returncode == 0, f"{user}: {done.stdout}{done.stderr}"


def kill_something(server, rng, only_sessions):
    roles = server.roles()
    names = sorted(role for role in set(roles.values()) if role not in OTHERS)
    if not only_sessions or not names:
        names = sorted(set(roles.values())) + ["supervisor", "all"]
    return kill(server, rng, rng.choice(names))


def start_load(server, load, movers, binders):
    jobs = [(load.send, number) for number in range(SENDERS)] + [(load.append, number) for number in range(APPENDERS)]
    jobs += [(movers.run, number) for number in range(MOVERS)] + [(load.reap,)]
    jobs += [(binders.run, number) for number in range(BINDERS)] + [(binders.watch,)]
    threads = [threading.Thread(target=job, args=arguments, daemon=True) for job, *arguments in jobs]
    for thread in threads:
        thread.start()
    return threads


def kill_for_a_while(server):
    """Sessions alone in the last third: a store that dies, too, forgets what it was wrongly told is taken."""
    rng = random.Random(SEED)
    killed = {}
    for number in range(KILLS):
        time.sleep(rng.uniform(0.02, 0.5))
        name = kill_something(server, rng, only_sessions=number >= KILLS * 2 // 3)
        killed[name] = killed.get(name, 0) + 1
        if name in ("all", "supervisor"):
            sound(server, "--quick", users=[rng.choice(USERS + [MOVER, REAPER, BINDER])])
    return killed


def test_what_was_acknowledged_survives_kills():
    server = Server(settings="[log]\nsegment_max = 4M\n", linger=1)
    try:
        server.start()
        server.domain()
        for user in USERS + [MOVER, REAPER, BINDER]:
            server.account(user)
        with server.imap(MOVER) as client:
            assert client.create("Work")[0] == "OK" and client.create("Done")[0] == "OK"
        load = Load(server)
        movers = Movers(server, load)
        binders = Binders(server, load)
        threads = start_load(server, load, movers, binders)
        killed = kill_for_a_while(server)
        load.over.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"
        assert load.kept and load.dead and movers.states and binders.allowed and binders.looks
        sound(server)
        counts = load.check(), movers.check(), binders.check()
        server.kill()
        server.start()
        assert (load.check(), movers.check(), binders.check()) == counts
        sound(server)
        server.stop()
        print(f"{killed}: {counts[0]} acknowledged are there, {len(load.dead)} expunged are not, {counts[1]} flagged or "
              f"moved, {counts[2]} of {len(binders.allowed)} bundles, looked at {binders.looks} times")
    finally:
        server.remove()


def test_a_full_disk_is_a_temporary_error():
    """On a small tmpfs: 4xx and NO, nothing corrupt, and it goes on when there is room again."""
    tmp_path = pathlib.Path(tempfile.mkdtemp(prefix="waxwing-"))
    tmp_path.chmod(0o711)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=711", "none", tmp_path]).returncode:
        pytest.skip("cannot mount a tmpfs here")
    server = Server(settings="[log]\nsegment_max = 2M\n", folder=tmp_path)
    try:
        server.start()
        server.domain()
        server.account("a")
        kept, refused = 0, None
        big = b"Subject: big\r\n\r\n" + b"y" * 60 + b"\r\n" + (b"x" * 70 + b"\r\n") * 4000
        for _ in range(200):
            try:
                server.deliver("a", big)
                kept += 1
            except smtplib.SMTPException as error:
                refused = error
                break
        assert refused is not None, "the disk did not fill up"
        code = getattr(refused, "smtp_code", 0) or 452
        assert 400 <= code < 500
        subprocess.run(["mount", "-o", "remount,size=64m", tmp_path], check=True)

        def accepted():
            try:
                server.deliver("a", b"Subject: after\r\n\r\nx\r\n")
                return True
            except (smtplib.SMTPException, OSError):
                return False
        wait_until(accepted, 30, "mail is accepted when there is room again")
        with server.imap("a", PASSWORD) as client:
            wait_until(lambda: len(messages(client, "UID")) >= 0 and client.select()[1][0] == str(kept + 1).encode(), 30,
                       f"{kept + 1} messages")
        server.stop()
    finally:
        server.kill()
        subprocess.run(["umount", "-l", tmp_path])
