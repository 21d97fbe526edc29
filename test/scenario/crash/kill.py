"""
SIGKILL at random moments, of a random role or of all, under load; then every message acknowledged with 250 or OK is
there exactly once, byte for byte, and where it was moved to, with its flags. KILLS=200 SENDERS=20 for the long run.
"""
import imaplib
import os
import pathlib
import random
import signal
import smtplib
import subprocess
import tempfile
import threading
import time

import pytest

from server import PASSWORD, Server, messages, wait_until

KILLS = int(os.environ.get("KILLS", "12"))
SENDERS = int(os.environ.get("SENDERS", "6"))
APPENDERS = 2
MOVERS = 3
USERS = ["a", "b", "c"]


class Load:
    """Keeps sending, and remembers what was acknowledged (must be there once) and what was not answered (may be)."""

    def __init__(self, server):
        self.server = server
        self.acknowledged = {}  # marker -> (user, bytes)
        self.unsure = {}
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.random = random.Random(7)

    def message(self, marker):
        body = self.random.randbytes(self.random.randrange(10, 6000)).hex()
        lines = "\r\n".join(body[at:at + 76] for at in range(0, len(body), 76))
        return f"Subject: {marker}\r\nX-Marker: {marker}\r\n\r\n{lines}\r\n".encode()

    def note(self, where, marker, user, data):
        with self.lock:
            where[marker] = (user, data)

    def send(self, number):
        count = 0
        while not self.over.is_set():
            try:
                with self.server.smtp() as client:
                    for _ in range(20):
                        if self.over.is_set():
                            return
                        count += 1
                        marker, user = f"s{number}-{count}", USERS[count % len(USERS)]
                        data = self.message(marker)
                        client.mail("x@example.org")
                        if client.rcpt(f"{user}@demo.test")[0] != 250:
                            client.rset()
                            time.sleep(0.05)
                            continue
                        self.note(self.unsure, marker, user, data)
                        if client.data(data)[0] == 250:
                            self.note(self.acknowledged, marker, user, data)
            except (smtplib.SMTPException, OSError):
                time.sleep(0.05)

    def append(self, number):
        count = 0
        while not self.over.is_set():
            try:
                with self.server.imap(USERS[number]) as client:
                    for _ in range(10):
                        if self.over.is_set():
                            return
                        count += 1
                        marker = f"i{number}-{count}"
                        data = self.message(marker)
                        self.note(self.unsure, marker, USERS[number], data)
                        if client.append("INBOX", None, None, data)[0] == "OK":
                            self.note(self.acknowledged, marker, USERS[number], data)
            except (imaplib.IMAP4.error, OSError):
                time.sleep(0.05)


class Movers:
    """Connections of one account that append, flag and move; each message has the states it may be in now."""

    def __init__(self, server, load):
        self.server = server
        self.load = load
        self.states = {}  # marker -> list of (folder, flagged) or None for not there
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

    def work_on(self, client, marker, data):
        self.step(marker, ("Work", False), lambda: client.append("Work", None, None, data))
        if len(self.states[marker]) != 1:
            return
        client.select("Work")
        uid = self.find(client, marker)
        if uid is None:
            return
        self.step(marker, ("Work", True), lambda: client.uid("STORE", uid, "+FLAGS", "(\\Flagged kept)"))
        if len(self.states[marker]) == 1:
            self.step(marker, ("Done", True), lambda: client.uid("MOVE", uid, "Done"))

    def run(self, number):
        count = 0
        while not self.load.over.is_set():
            try:
                with self.server.imap("d") as client:
                    while not self.load.over.is_set() and count < 400:
                        count += 1
                        marker = f"m{number}-{count}"
                        self.work_on(client, marker, self.load.message(marker))
                if count >= 400:
                    return
            except (imaplib.IMAP4.error, OSError):
                time.sleep(0.05)

    def seen(self):
        """Every marker with where it stands and whether it is flagged."""
        found = {}
        with self.server.imap("d") as client:
            for folder in ("Work", "Done"):
                if client.select(folder, readonly=True)[1][0] == b"0":
                    continue
                rows = client.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]
                for row in (row for row in rows if isinstance(row, tuple)):
                    flagged = b"\\Flagged" in row[0] and b"kept" in row[0]
                    found.setdefault(marker_of(row[1]), []).append((folder, flagged))
        return found

    def check(self):
        found = wait_until(self.seen, 60, "the folders of d")
        for marker, allowed in self.states.items():
            places = found.get(marker, [])
            assert len(places) <= 1, f"{marker} is there more than once: {places}"
            assert (places[0] if places else None) in allowed, f"{marker} is {places}, allowed {allowed}"
        assert not self.lost, f"not there once when looked for: {[(m, f, found.get(m)) for m, f in self.lost[:5]]}"
        return len(found)


def marker_of(mail):
    at = mail.find(b"\r\nX-Marker: ")
    return mail[at + 12:mail.find(b"\r\n", at + 2)].decode()


def check(server, load):
    counted = 0
    for user in USERS:
        expected = {m for m, (who, _) in load.acknowledged.items() if who == user}

        def there():
            try:
                with server.imap(user) as client:
                    got = messages(client)
            except (imaplib.IMAP4.error, OSError):
                return None  # the last kill may still be felt; within the time allowed it must pass
            return got if {marker_of(mail) for mail in got} >= expected else None
        got = wait_until(there, 90, f"all acknowledged messages of {user}")
        found = [marker_of(mail) for mail in got]
        twice = {marker for marker in found if found.count(marker) > 1} if len(found) != len(set(found)) else set()
        assert not twice & expected, f"more than once: {sorted(twice & expected)[:5]}"
        for marker, mail in zip(found, got):
            who, data = load.unsure[marker]
            assert who == user
            assert mail.endswith(data), f"{marker} was changed"
        counted += len(expected)
    return counted


def kill_something(server, rng):
    roles = server.roles()
    names = sorted(set(roles.values())) + ["all"]
    name = rng.choice(names)
    if name == "all":
        server.kill()
        server.start()
        return name
    pid = rng.choice(sorted(pid for pid, role in roles.items() if role == name))
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    wait_until(lambda: server.tool("status", check=False).returncode == 0, 30, f"healthy after {name} was killed")
    return name


def test_what_was_acknowledged_survives_kills():
    server = Server(settings="[log]\nsegment_max = 4M\n", linger=1)
    rng = random.Random(int(os.environ.get("SEED", "1")))
    try:
        server.start()
        server.domain()
        for user in USERS:
            server.account(user)
        load = Load(server)
        threads = [threading.Thread(target=load.send, args=(n,), daemon=True) for n in range(SENDERS)]
        threads += [threading.Thread(target=load.append, args=(n,), daemon=True) for n in range(APPENDERS)]
        server.account("d")
        with server.imap("d") as client:
            assert client.create("Work")[0] == "OK" and client.create("Done")[0] == "OK"
        movers = Movers(server, load)
        threads += [threading.Thread(target=movers.run, args=(n,), daemon=True) for n in range(MOVERS)]
        for thread in threads:
            thread.start()
        killed = []
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.05, 0.6))
            killed.append(kill_something(server, rng))
        load.over.set()
        for thread in threads:
            thread.join(60)
        assert load.acknowledged
        count = check(server, load)
        server.kill()
        server.start()
        assert check(server, load) == count
        moved = movers.check()
        server.stop()
        print(f"{len(killed)} kills, {count} acknowledged and {moved} flagged or moved messages, all there")
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
