#!/usr/bin/env python3
"""Measures Waxwing beside Postfix and Dovecot in one run and prints each figure with its ratio.

    test/bench/run.py PROGRAM [--quick]
"""

import imaplib
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import time

import peers

HERE = pathlib.Path(__file__).parent
CLIENTS = 20
# size in bytes, messages
SIZES = [(4096, 4000), (51200, 1000), (1048576, 100)]


TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


def connect(server, user):
    client = imaplib.IMAP4("127.0.0.1", server.imap_port)
    client.starttls(TRUSTING)
    client.login(*server.login_of(user))
    return client


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


def fetch_flags(server, tool, messages):
    """Rows a second when flags, UIDs and sizes of a large mailbox are listed; the best of three."""
    server.fill(tool, messages)
    client = log_in(server, 0)
    while count_of(client) < messages:
        time.sleep(0.5)
    best = 0
    for _ in range(3):
        begun = time.monotonic()
        kind, rows = client.fetch("1:*", "(FLAGS UID RFC822.SIZE)")
        best = max(best, len(rows) / (time.monotonic() - begun))
        assert kind == "OK" and len(rows) >= messages
    client.logout()
    return best


def logins(server, times=200):
    begun = time.monotonic()
    for _ in range(times):
        connect(server, 1).shutdown()
    return times / (time.monotonic() - begun)


def idle_memory(server, connections):
    """PSS of all processes for each idle TLS connection, over 100 accounts."""
    before = peers.pss_kib(server.pids())
    held = [log_in(server, number % peers.USERS) for number in range(connections)]
    time.sleep(2)
    used = peers.pss_kib(server.pids()) - before
    for client in held:
        client.shutdown()
    return used / connections


def measure(server, tool, quick):
    figures = {}
    print(f"\n{server.name}", flush=True)

    def note(what, value, unit):
        figures[what] = value
        print(f"  {what:<52} {value:12.2f} {unit}", flush=True)

    try:
        note("start until ready", server.start() * 1000, "ms")
        server.add_users()
        note("memory idle, all processes", peers.pss_kib(server.pids()) / 1024, "MiB")
        for size, messages in SIZES:
            for mailboxes in (1, 100):
                for mode in ("clear", "starttls"):
                    title = f"{size // 1024} KiB to {mailboxes} {mode}"
                    visible, acknowledged, written = deliver(server, tool, size, messages // (5 if quick else 1),
                                                             mailboxes, mode)
                    note(f"{title}: visible", visible, "messages/s")
                    note(f"{title}: acknowledged", acknowledged, "messages/s")
                    note(f"{title}: written per byte", written, "")
        note("logins, one after another", logins(server), "1/s")
        listed = 10000 if quick else 100000
        note(f"FETCH FLAGS UID RFC822.SIZE of {listed}", fetch_flags(server, tool, listed), "messages/s")
        server.stop()
        server.start()
        note("idle TLS IMAP connection", idle_memory(server, 200 if quick else 2000), "KiB")
    finally:
        server.stop()
    return figures


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    quick = "--quick" in sys.argv
    folder = tempfile.mkdtemp(prefix="waxwing-bench-")
    pathlib.Path(folder).chmod(0o755)
    tool = pathlib.Path(folder) / "deliver"
    subprocess.run(["cc", "-O2", "-o", tool, HERE / "deliver.c", "-lssl", "-lcrypto"], check=True)
    try:
        ours = measure(peers.Waxwing(folder, program), tool, quick)
        for encrypted in (False, True):
            theirs = measure(peers.PostfixDovecot(folder, encrypted), tool, quick)
            print(f"\nwaxwing / postfix+dovecot{' mail_crypt' if encrypted else ''}")
            for what, value in theirs.items():
                if what in ours and value > 0:
                    print(f"  {what:<52} {ours[what] / value:12.2f} x")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
