#!/usr/bin/env python3
"""Measures Waxwing beside Postfix with Dovecot, and Cyrus, in one run, and prints each figure with its ratio."""

import argparse
import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import cyrus
import figures as tables
import idle
import peers
import pop3
import reading
import relays
from dovecot import PostfixDovecot
from peers import connect

CLIENTS = 20
# size in bytes, messages
SIZES = [(4096, 4000), (51200, 1000), (1048576, 100)]
WORLD_SECONDS = 1200
INOTIFY = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")  # Dovecot wants one for each idle connection

PARTS = ("delivery", "idle", "reading", "pop3", "world")
READS = ("lists", "searches", "orders", "reconnect", "bodies")
ACTS = (*READS, "changes")
# What is compared with what. Of letters that take long (mail_crypt: 4 ms each, in and out; fts: 20 to 100, in) fewer are enough.
PEERS = [
    (lambda folder: PostfixDovecot(folder, "maildir"), PARTS, ACTS),
    (lambda folder: PostfixDovecot(folder, "hibernate", "hibernation"), ("idle",), ()),
    (lambda folder: PostfixDovecot(folder, "crypt", "mail_crypt", letters=2_000), ("delivery", "reading", "pop3"), READS),
    (lambda folder: PostfixDovecot(folder, "mdbox", layout="mdbox"), ("reading", "pop3"), ACTS),
    (cyrus.Cyrus, ("idle", "reading", "pop3"), ACTS),
    (lambda folder: PostfixDovecot(folder, "fts", "fts", letters=reading.FEW), ("reading",), ("few",)),
]


def log_in(server, user):
    client = connect(server, user)
    client.select("INBOX")
    return client


def count_of(client):
    client.noop()
    values = client.untagged_responses.get("EXISTS")
    return int(values[-1]) if values and values[-1] is not None else 0


def deliver(server, tool, size, messages, mailboxes, mode):
    """Messages a second until all are visible over IMAP, and bytes written to disk for each byte received."""
    readers = [log_in(server, user) for user in range(mailboxes)]
    before = [count_of(reader) for reader in readers]
    written = peers.written_bytes(server.pids())
    begun = time.monotonic()
    subprocess.run([tool, str(server.smtp_port), str(CLIENTS), str(messages), str(size), "demo.test", str(mailboxes),
                    mode], check=True, capture_output=True, timeout=300)
    acknowledged = time.monotonic() - begun
    missing = set(range(mailboxes))
    share = {user: len(range(user, messages, mailboxes)) for user in missing}
    while missing and time.monotonic() - begun < 300:
        missing = {user for user in missing if count_of(readers[user]) < before[user] + share[user]}
    visible = time.monotonic() - begun
    if missing:
        raise RuntimeError(f"{len(missing)} mailboxes never showed all their mail")
    written = peers.written_bytes(server.pids()) - written
    for reader in readers:
        reader.logout()
    return messages / visible, messages / acknowledged, written / (messages * size)


def logins(server, times=200):
    begun = time.monotonic()
    for _ in range(times):
        connect(server, 1).shutdown()
    return times / (time.monotonic() - begun)


def idle_loads(server, quick):
    """How many connections over how many accounts."""
    if quick:
        return [(min(200, server.idle_connections or 200), 100)]
    if server.idle_connections is not None:
        return [(server.idle_connections, 100)]
    return [(2000, 200), (10000, 100)] if server.name == "waxwing" else [(2000, 200)]


def idle_memory(server, tool, quick, figures):
    for number, (connections, accounts) in enumerate(idle_loads(server, quick)):
        title = "idle TLS IMAP connection" if number == 0 else f"idle TLS IMAP connection, {connections} on {accounts} accounts"
        with figures.attempt(title):
            server.stop()
            server.start()
            found = idle.measure(server, tool, connections, accounts)
            figures.note(title, found["KiB"], "KiB", connections)
            if number == 0:
                figures.note("logins, SELECT and IDLE, 32 at a time", found["logins"], "1/s", connections)
            for what in ("each", "one"):
                if what in found:
                    figures.note(f"announced to {connections}, mail to {what} account, worst", found[what]["worst"] * 1000, "ms")


def deliveries(server, figures, tool, quick):
    for size, messages in SIZES:
        for mailboxes in (1, 100):
            for mode in ("clear", "starttls"):
                title = f"{size // 1024} KiB to {mailboxes} {mode}"
                with figures.attempt(title):
                    count = messages // (5 if quick or server.letters else 1)
                    visible, acknowledged, written = deliver(server, tool, size, count, mailboxes, mode)
                    figures.note(f"{title}: visible", visible, "messages/s")
                    figures.note(f"{title}: acknowledged", acknowledged, "messages/s")
                    figures.note(f"{title}: written per byte", written, "bytes")


def emptied(server):
    server.stop()
    server.empty()
    server.start()


def measure_parts(server, tools, parts, rows, quick, figures):
    figures.note("start until ready", server.start() * 1000, "ms")
    server.add_users()
    figures.note("memory idle, all processes", peers.pss_kib(server.pids()) / 1024, "MiB")
    with figures.attempt("logins"):
        figures.note("logins, one after another", logins(server, 50 if quick else 200), "1/s")
    if "delivery" in parts:
        deliveries(server, figures, tools["deliver"], quick)
    if "idle" in parts:
        emptied(server)  # else what was delivered is indexed beside the logins
        idle_memory(server, tools["idle"], quick, figures)
    for part in ("reading", "pop3"):
        if part in parts:
            emptied(server)
        if part in parts and part == "reading":
            reading.measure(server, tools["load"], tools["letters"], quick, figures, rows)
        elif part in parts:
            pop3.measure(server, tools["pop3"], quick, figures)


def measure(make, tools, parts, rows, quick, ours):
    """None: the server could not even be set up."""
    try:
        server = make(tools["folder"])
    except Exception as fault:  # noqa: BLE001 the others go on
        print(f"\na peer cannot be set up: {fault}", flush=True)
        return None
    figures = tables.Figures(server, ours)
    begun = time.monotonic()
    try:
        with figures.attempt("the rest"):
            measure_parts(server, tools, parts, rows, quick, figures)
    finally:
        with figures.attempt("stopping"):
            server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
    figures.remark("all of this", f"{time.monotonic() - begun:12.0f} s")
    return figures


@contextlib.contextmanager
def enough_inotify():
    try:
        before = INOTIFY.read_text()
        INOTIFY.write_text("30000")
    except OSError as fault:
        print(f"(Dovecot announces slowly: {fault})")
        before = None
    try:
        yield
    finally:
        if before is not None:
            INOTIFY.write_text(before)


def compare(chosen, parts, tools):
    if not parts:
        return
    ours = measure(lambda folder: peers.Waxwing(folder, chosen.program.resolve()), tools, parts, reading.PARTS, chosen.quick, None)
    others = []
    for make, fit, rows in [] if chosen.alone else PEERS:
        wanted = [part for part in parts if part in fit]
        if not wanted:
            continue
        if make is cyrus.Cyrus and not cyrus.install():
            print("\ncyrus: cannot be installed here (root and debootstrap are needed)")
            continue
        others.append(measure(make, tools, wanted, rows, chosen.quick, ours))
    if ours is not None:
        tables.table(ours, [figures for figures in others if figures is not None])


# A network with nobody else in it, where ports and name servers are what they are in the world.
ALONE = """ip link set lo up; ip addr add "$1"/24 dev lo; mount --bind "$2" /etc/resolv.conf; shift 2; exec "$@\""""


def world(chosen, folder):
    """Mail to and from other servers: world.py, with a table of its own."""
    if not chosen.alone and not relays.fetch_opensmtpd():
        print("\nopensmtpd: its package cannot be had here")
    resolver = pathlib.Path(folder) / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    words = ["unshare", "--net", "--mount", "sh", "-ec", ALONE, "sh", relays.OUTSIDE, resolver, sys.executable,
             pathlib.Path(__file__).parent / "world.py", chosen.program.resolve()]
    done = subprocess.run(words + ["--quick"] * chosen.quick + ["--alone"] * chosen.alone, timeout=WORLD_SECONDS)
    if done.returncode != 0:
        print("not measured: mail to and from the world (root, namespaces and the packages of tools/deps are needed)")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="a fifth or a tenth of everything")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts alone")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    return parser.parse_args()


def main():
    chosen = arguments()
    parts = chosen.only or PARTS
    if chosen.quick:
        peers.USERS = 100
    folder = tempfile.mkdtemp(prefix="waxwing-bench-")
    pathlib.Path(folder).chmod(0o755)
    begun = time.monotonic()
    try:
        tools = {"folder": folder, "deliver": peers.deliver_tool(folder), "idle": idle.build(folder), "pop3": pop3.build(folder)}
        if "reading" in parts:
            tools["load"], tools["letters"] = reading.load_tool(folder), reading.make_letters(folder, chosen.quick)
        with enough_inotify():
            compare(chosen, [part for part in parts if part != "world"], tools)
        if "world" in parts:
            world(chosen, folder)
    finally:
        shutil.rmtree(folder)
    print(f"\n{time.monotonic() - begun:.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
