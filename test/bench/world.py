#!/usr/bin/env python3
"""
Mail to and from the world, in a network of its own (run.py starts it in one): messages to other servers, which one sink
stands for, over STARTTLS; and mail from them, with all checks on. Waxwing, Postfix and OpenSMTPD.
"""

import argparse
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import figures as tables
import peers
import relays

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "harness"))
import internet  # noqa: E402 the harness is not a package

DESTINATIONS = 100
MAILBOXES = 10
PATIENCE = 60
STALL = 20  # seconds without any message: it will not come


class Sink:
    """Where mail to other servers goes."""

    def __init__(self, folder, tool):
        self.counts = folder / "counts"
        self.words = [tool, "25", *relays.certificate(folder), self.counts]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.words)
        peers.wait_for_port(25)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def read(self):
        """Messages, bytes, connections, messages without TLS, and when the last one came."""
        return struct.unpack("5Q", self.counts.read_bytes()) if self.counts.exists() else (0,) * 5

    def wait(self, messages):
        """Until so many have come in all. Returns when the last one did."""
        end, last, moved = time.monotonic() + PATIENCE, -1, time.monotonic()
        while (found := self.read())[0] < messages:
            now = time.monotonic()
            if found[0] != last:
                last, moved = found[0], now
            if now > end or now - moved > STALL:
                raise RuntimeError(f"only {found[0]} of {messages} messages came")
            time.sleep(0.005)
        if found[0] > messages:
            raise RuntimeError(f"{found[0]} messages came, not {messages}")
        return found[4] / 1e9


def cpu_seconds(server):
    """Of what lives and of its dead children."""
    total = 0
    for pid in server.pids():
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


class World:
    def __init__(self, chosen):
        self.quick, self.program = chosen.quick, chosen.program.resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="waxwing-world-"))
        self.folder.chmod(0o755)
        self.tool = peers.deliver_tool(self.folder)
        self.sink = Sink(self.folder, peers.compile_tool(self.folder, "sink", "sink.c"))
        self.net = internet.Internet()
        self.net.resolver_port = 53
        self._publish()
        self.letters = self._write_letters(400 if self.quick else 2000)

    def _publish(self):
        far = self.net.zone("far.test")
        for number in range(DESTINATIONS):
            far.add(str(number), f"MX 10 mx.{number}").add(f"mx.{number}", f"A 127.7.0.{number + 1}")
        sender = self.net.zone("sender.example").add_text(f"v=spf1 ip4:{relays.OUTSIDE}/24 -all")
        sender.add("mx", f"A {relays.OUTSIDE}").add_text("_dmarc", "v=DMARC1; p=reject")
        self.net.reverse(relays.OUTSIDE, "mx.sender.example")
        self.key = self.folder / "sender.key"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", self.key, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", self.key, "-pubout"], check=True, capture_output=True, text=True).stdout
        sender.add_text(f"{relays.SELECTOR}._domainkey", "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1]))
        self.net.publish()
        shutil.copy(self.net.anchor, self.folder / "root.key")
        self._start_forwarder()

    def _start_forwarder(self):
        """The resolver at an address that is not loopback: opendkim's (libunbound) asks no other, and knows no .test."""
        conf = self.folder / "forwarder.conf"
        conf.write_text(f"""
server:
  interface: {relays.OUTSIDE}
  access-control: {relays.OUTSIDE}/24 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1
""")
        self.forwarder = subprocess.Popen(["unbound", "-d", "-c", conf], stderr=subprocess.DEVNULL)

    def _write_letters(self, count):
        """A folder of so many messages from sender.example, signed."""
        import dkim  # python3-dkim

        folder = self.folder / "letters"
        folder.mkdir()
        for number in range(count):
            letter = (f"From: Alice <alice@sender.example>\r\nTo: <user@demo.test>\r\nSubject: letter {number}\r\n"
                      f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@sender.example>\r\n\r\n").encode()
            letter += b"".join(b"%073d.\r\n" % (number * 1000 + line) for line in range(50))
            signature = dkim.sign(letter, relays.SELECTOR.encode(), b"sender.example", self.key.read_bytes(),
                                  canonicalize=(b"relaxed", b"relaxed"),
                                  include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
            (folder / f"{number:06d}").write_bytes(signature + letter)
        return folder

    def run(self, *words):
        """`deliver` with these words."""
        done = subprocess.run([self.tool, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or "it could not be delivered")

    def send(self, server, messages, size, destinations):
        """One of our users does, to bob at each of the destinations in turn."""
        self.run(server.submission, server.clients, messages, size, ".far.test", destinations, server.mode, server.sender())

    def close(self):
        self.sink.stop()
        self.net.close()
        peers.end(self.forwarder)
        shutil.rmtree(self.folder, ignore_errors=True)


def note_cpu(figures, title, server, before, messages):
    figures.note(f"{title}: CPU", (cpu_seconds(server) - before) / messages * 1e6, "us")


def relayed(world, server, figures, title, size, messages, destinations):
    """Until the last message is with the sink, from the first connection of those who send."""
    rest(server)
    before, cpu, begun = world.sink.read()[0], cpu_seconds(server), time.monotonic()
    world.send(server, messages, size, destinations)
    acknowledged = time.monotonic() - begun
    ended = world.sink.wait(before + messages)
    figures.note(f"{title}: at the other end", messages / (ended - begun), "messages/s", messages)
    figures.note(f"{title}: acknowledged", messages / acknowledged, "messages/s")
    rest(server)
    note_cpu(figures, title, server, cpu, messages)


def drained(world, server, figures, title, size, messages, destinations):
    """A queue that the other end's absence has filled, from its return."""
    world.sink.stop()
    try:
        world.send(server, messages, size, destinations)
        rest(server)
    finally:
        world.sink.start()
    before, cpu, begun = world.sink.read()[0], cpu_seconds(server), time.monotonic()
    server.flush()
    figures.note(title, messages / (world.sink.wait(before + messages) - begun), "messages/s", messages)
    rest(server)
    note_cpu(figures, title, server, cpu, messages)


def rest(server):
    """Until it has done next to nothing for a second."""
    quiet, end = 0, time.monotonic() + PATIENCE
    before = cpu_seconds(server)
    while quiet < 4 and time.monotonic() < end:
        time.sleep(0.25)
        now = cpu_seconds(server)
        quiet = quiet + 1 if now - before < 0.02 else 0
        before = now


def number_of(world, server, messages):
    return max(40, messages // (5 if world.quick else 1) // server.fewer)


def outgoing(world, server, figures):
    sizes = ((4096, 4000),) if world.quick or server.is_slow else ((4096, 4000), (51200, 1000))
    for size, messages in sizes:
        for destinations in (1, DESTINATIONS):
            title = f"{size // 1024} KiB sent on to {destinations}"
            with figures.attempt(title):
                relayed(world, server, figures, title, size, number_of(world, server, messages), destinations)
    for destinations in () if server.is_slow else (1, DESTINATIONS):
        title = f"queue drained to {destinations}"
        with figures.attempt(title):
            drained(world, server, figures, title, 4096, number_of(world, server, 2000), destinations)


def signed(world, server, figures):
    title = f"4 KiB signed and sent on to {DESTINATIONS}"
    count = 400 if world.quick else 2000
    keeper = server.keeper() if hasattr(server, "keeper") else None
    before = peers.cpu_seconds(keeper) if keeper else 0
    with figures.attempt(title):
        relayed(world, server, figures, title, 4096, count, DESTINATIONS)
        if keeper:
            signatures = count / (peers.cpu_seconds(keeper) - before)
            figures.note("messages signed by RSA and Ed25519, of a core", signatures, "1/s")
            figures.note("the same, of what openssl speed shows", 100 * signatures / bound(), "%")


def incoming(world, server, figures):
    """Mail that SPF, DKIM and DMARC are asked about, until it can be read."""
    title, count = f"4 KiB checked, to {MAILBOXES}", len(os.listdir(world.letters))
    with figures.attempt(title):
        readers = server.readers(MAILBOXES)
        arguments = (world.letters, "demo.test", MAILBOXES, "starttls", "alice@sender.example")
        world.run(server.outside, 20, 40, *arguments)  # so that all know what the DNS says
        rest(server)
        before, cpu, begun = server.count(readers), cpu_seconds(server), time.monotonic()
        world.run(server.outside, 20, count, *arguments)
        acknowledged = time.monotonic() - begun
        while (found := server.count(readers)) < before + count:
            if time.monotonic() - begun > PATIENCE:
                raise RuntimeError(f"only {found - before} of {count} messages came")
        figures.note(f"{title}: visible", count / (time.monotonic() - begun), "messages/s")
        figures.note(f"{title}: acknowledged", count / acknowledged, "messages/s")
        rest(server)
        note_cpu(figures, title, server, cpu, count)
        missing = [word for word in (b"spf=pass", b"dkim=pass", b"dmarc=pass") if word not in server.sample(readers)]
        if missing:
            raise RuntimeError(f"no message says {missing}")


def bound():
    """As many as OpenSSL makes with both kinds of key on one core: nobody who uses it can make more."""
    done = subprocess.run(["openssl", "speed", "-seconds", "1", "-mr", "rsa2048", "ed25519"], check=True, capture_output=True,
                          text=True)
    rows = [line.split(":") for line in done.stdout.splitlines()]
    return 1 / sum(1 / float(next(row[column] for row in rows if row[0] == name)) for name, column in (("+F2", 3), ("+F6", 4)))


def large_queue(world, server, figures):
    """A hundred thousand messages in the queue: nothing of it may take long, or much memory."""
    count = 5000 if world.quick else 100_000
    with figures.attempt(f"queue of {count}"):
        world.sink.stop()
        begun = time.monotonic()
        world.send(server, count, 2048, DESTINATIONS)
        figures.note("large queue, filled", count / (time.monotonic() - begun), "messages/s", count)
        rest(server)
        figures.note("large queue, memory of all processes", peers.pss_kib(server.pids()) / 1024, "MiB", count)
        server.stop()
        figures.note("large queue, start until ready", server.start() * 1000, "ms", count)
        begun = time.monotonic()
        while (listed := server.queued()) < count:
            if time.monotonic() - begun > PATIENCE:
                raise RuntimeError(f"only {listed} are listed")
            time.sleep(0.1)
        figures.note("large queue, read after the start", time.monotonic() - begun, "s", count)
        begun = time.monotonic()
        server.command("queue", "list")
        figures.note("large queue, listed", time.monotonic() - begun, "s", count)
        world.sink.start()
        before, begun = world.sink.read()[0], time.monotonic()
        server.flush()
        figures.note("large queue, drained", count / (world.sink.wait(before + count) - begun), "messages/s", count)
        figures.note("large queue, memory afterwards", peers.pss_kib(server.pids()) / 1024, "MiB", count)


PARTS = {"outgoing": outgoing, "signed": signed, "incoming": incoming, "queue": large_queue}
# Who is measured, and in what.
OURS = [
    (lambda world: relays.Waxwing(world.folder, world.program), ("outgoing", "incoming", "queue")),
    (lambda world: relays.Waxwing(world.folder, world.program, "waxwing, signing", "leaving"), ("signed",)),
]
PEERS = [
    (lambda world: relays.Postfix(world.folder), ("outgoing",)),
    (lambda world: relays.OpenSmtpd(world.folder), ("outgoing",)),
    (lambda world: relays.Postfix(world.folder, "opendkim", "sign"), ("signed",)),
    (lambda world: relays.Postfix(world.folder, "milters", "check"), ("incoming",)),
]


def measure(world, make, parts, ours):
    """None: it could not even be set up."""
    try:
        server = make(world)
    except Exception as fault:  # noqa: BLE001 the others go on
        print(f"\na server cannot be set up: {fault}", flush=True)
        return None
    figures = tables.Figures(server, ours)
    try:
        with figures.attempt("the rest"):
            world.sink.start()
            server.start()
            server.add_users()
            for part in parts:
                PARTS[part](world, server, figures)
    finally:
        world.sink.stop()
        with figures.attempt("stopping"):
            server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
    return figures


def measure_all(world, rows, parts, ours):
    found = []
    for make, fit in rows:
        wanted = [part for part in fit if part in parts]
        figures = measure(world, make, wanted, ours) if wanted else None
        found += [figures] if figures is not None else []
    return found


def compare(world, parts, alone):
    ours, *more = measure_all(world, OURS, parts, None) or [None]
    if ours is None:
        return
    for figures in more:
        ours.update(figures)
        ours.faults += figures.faults
    others = [] if alone else measure_all(world, PEERS, parts, ours)
    tables.table(ours, others)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="a fifth or less of everything")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts alone")
    chosen = parser.parse_args()
    begun, peers.USERS = time.monotonic(), MAILBOXES
    world = World(chosen)
    try:
        compare(world, chosen.only or list(PARTS), chosen.alone)
    finally:
        world.close()
    print(f"\n{time.monotonic() - begun:.0f} s for mail to and from the world", flush=True)


if __name__ == "__main__":
    main()
