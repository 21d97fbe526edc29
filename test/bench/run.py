#!/usr/bin/env python3
"""Measures Waxwing beside Postfix and Dovecot in one run and prints each figure with its ratio."""

import argparse
import pathlib
import shutil
import subprocess
import tempfile
import time

import cyrus
import idle
import peers
import reading
from reading import connect

CLIENTS = 20
# size in bytes, messages
SIZES = [(4096, 4000), (51200, 1000), (1048576, 100)]

PARTS = ("delivery", "idle", "reading")
RATES = ("messages/s", "1/s", "MB/s")
# what is compared with which part
PEERS = [
    (peers.PostfixDovecot, PARTS),
    (lambda folder: peers.PostfixDovecot(folder, encrypted=True), PARTS),
    (lambda folder: peers.PostfixDovecot(folder, layout="mdbox"), ("reading",)),
    (cyrus.Cyrus, ("reading",)),
    (lambda folder: peers.PostfixDovecot(folder, fts=True), ("reading",)),
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
                    mode], check=True, capture_output=True)
    acknowledged = time.monotonic() - begun
    missing = set(range(mailboxes))
    share = {user: len(range(user, messages, mailboxes)) for user in missing}
    while missing and time.monotonic() - begun < 300:
        missing = {user for user in missing if count_of(readers[user]) < before[user] + share[user]}
    visible = time.monotonic() - begun
    if missing:
        raise RuntimeError(f"{server.name}: {len(missing)} mailboxes never showed all their mail")
    written = peers.written_bytes(server.pids()) - written
    for reader in readers:
        reader.logout()
    return messages / visible, messages / acknowledged, written / (messages * size)


def logins(server, times=200):
    begun = time.monotonic()
    for _ in range(times):
        connect(server, 1).shutdown()
    return times / (time.monotonic() - begun)


def idle_memory(server, tool, quick, note):
    for connections, accounts in ([(200, 100)] if quick else [(2000, 100), (10000, 100)]):
        if connections > 2000 and server.name != "waxwing":
            continue  # half a MiB each
        server.stop()
        server.start()
        try:
            figures = idle.measure(server, tool, connections, accounts)
        except RuntimeError as fault:
            print(f"  {connections} idle connections: {fault}", flush=True)
            continue
        note(f"idle TLS IMAP connection, {connections} on {accounts} accounts", figures["KiB"], "KiB")
        note(f"new mail to each announced to all {connections}, worst", figures["each"]["worst"] * 1000, "ms")


class Figures(dict):
    """What one server did, printed as it comes; higher is better where the unit is one of a rate."""

    def __init__(self, server):
        super().__init__()
        self.server = server
        print(f"\n{server.name}", flush=True)

    def note(self, what, value, unit):
        self[what] = (value, unit)
        print(f"  {what:<60} {value:12.2f} {unit}", flush=True)

    def note_reading(self, what, row):
        if row is None:
            print(f"  {what:<60} {'refused':>12}", flush=True)
        elif "BODY[]" in what:
            self.note(what, row[1] / row[0] / 1e6, "MB/s")
        else:
            self.note(what, row[0] * 1000, "ms")


def deliveries(server, figures, tool, quick):
    for size, messages in SIZES:
        for mailboxes in (1, 100):
            for mode in ("clear", "starttls"):
                title = f"{size // 1024} KiB to {mailboxes} {mode}"
                visible, acknowledged, written = deliver(server, tool, size, messages // (5 if quick else 1), mailboxes, mode)
                figures.note(f"{title}: visible", visible, "messages/s")
                figures.note(f"{title}: acknowledged", acknowledged, "messages/s")
                figures.note(f"{title}: written per byte", written, "bytes")


def measure(server, tools, parts, quick):
    figures = Figures(server)
    try:
        figures.note("start until ready", server.start() * 1000, "ms")
        server.add_users()
        figures.note("memory idle, all processes", peers.pss_kib(server.pids()) / 1024, "MiB")
        if "delivery" in parts:
            deliveries(server, figures, tools["deliver"], quick)
            figures.note("logins, one after another", logins(server), "1/s")
        if "idle" in parts:
            idle_memory(server, tools["idle"], quick, figures.note)
        if "reading" in parts:
            server.stop()
            server.empty()
            server.start()
            reading.measure(server, tools["load"], tools["letters"], quick, figures.note_reading)
    finally:
        server.stop()
    return figures


def compare(ours, theirs):
    """How many times better ours is: faster, or smaller."""
    print(f"\nwaxwing / {theirs.server.name}: times better")
    for what, (value, unit) in theirs.items():
        if what in ours and value > 0 and ours[what][0] > 0:
            ratio = ours[what][0] / value if unit in RATES else value / ours[what][0]
            print(f"  {what:<60} {ratio:12.2f} x", flush=True)


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
    folder = tempfile.mkdtemp(prefix="waxwing-bench-")
    pathlib.Path(folder).chmod(0o755)
    tools = {"deliver": peers.deliver_tool(folder), "idle": idle.build(folder)}
    if "reading" in parts:
        tools["load"], tools["letters"] = reading.load_tool(folder), reading.make_letters(folder, chosen.quick)
    try:
        ours = measure(peers.Waxwing(folder, chosen.program.resolve()), tools, parts, chosen.quick)
        for make, fit in [] if chosen.alone else PEERS:
            wanted = [part for part in parts if part in fit]
            if make is cyrus.Cyrus and not cyrus.install():
                print("\ncyrus: cannot be installed here (root and debootstrap are needed)")
            elif wanted:
                compare(ours, measure(make(folder), tools, wanted, chosen.quick))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
