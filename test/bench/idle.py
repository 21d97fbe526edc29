#!/usr/bin/env python3
"""What idle TLS IMAP connections cost in memory, role by role, and how fast new mail is announced to all of them.

    test/bench/idle.py PROGRAM [CONNECTIONS ACCOUNTS]...     by itself, against a Waxwing of its own
    measure(server, tool, connections, accounts)             from run.py, against any server of peers.py
"""

import os
import pathlib
import shutil
import smtplib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import peers

ANSWER_SECONDS = 180
SETTLE_SECONDS = 12  # after the last one has done something, for what is let go only when it has been quiet for a while


def build(folder):
    return peers.compile_tool(folder, "idle", "idle.c")


def role_of(pid, main):
    """The word behind `role`, or the name of the program; sessions have the supervisor's command line."""
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    if b"role" in words:
        return words[words.index(b"role") + 1].decode()
    if b"serve" in words:
        return "supervisor" if pid == main else pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def memory_by_role(pids):
    """KiB of PSS, and processes, of each role."""
    found = {}
    for pid in pids:
        try:
            role = role_of(pid, pids[0])
        except OSError:
            continue
        kib, count = found.get(role, (0, 0))
        found[role] = (kib + peers.pss_kib([pid]), count + 1)
    return found


def kernel_kib():
    """Page tables, slab and kernel stacks of the whole machine: not in any process's PSS, so worth a look beside it."""
    wanted = ("PageTables:", "Slab:", "KernelStack:")
    rows = (row.split() for row in pathlib.Path("/proc/meminfo").read_text().splitlines())
    return {row[0][:-1]: int(row[1]) for row in rows if row[0] in wanted}


class Held:
    """The connections, from their logins on until closed."""

    def __init__(self, tool, port, connections, logins, folder):
        path = pathlib.Path(folder) / "logins"
        path.write_text("".join(f"{user} {password}\n" for user, password in logins))
        path.chmod(0o600)
        self.logins = logins
        self.process = subprocess.Popen([tool, str(port), str(connections), path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._expect("held")

    def _expect(self, word):
        """A tool that waits for what never comes is ended, and reading from it with it."""
        patience = threading.Timer(ANSWER_SECONDS, self.process.kill)
        patience.start()
        line = self.process.stdout.readline()
        patience.cancel()
        if not line.startswith(word):
            self.process.kill()
            why = self.process.stderr.read().strip() or f"nothing more in {ANSWER_SECONDS} s"
            raise RuntimeError(f"no {word!r} from {self.process.args[2]} connections: {why}")
        return line

    def announce(self, smtp_port, address_of, first, count):
        """Delivers a message to each of the accounts; seconds from its 250 until all its connections have seen it."""
        self.process.stdin.write(f"watch {first} {count}\n")
        self.process.stdin.flush()
        self._expect("watching")
        acknowledged = {}
        with smtplib.SMTP("127.0.0.1", smtp_port, local_hostname="client.example") as smtp:
            for account in range(first, first + count):
                smtp.sendmail("stranger@example.org", [address_of(account)], "Subject: announced\r\n\r\nHello\r\n")
                acknowledged[account] = time.monotonic()
        begun = min(acknowledged.values())
        rows = [self._expect("seen").split() for _ in acknowledged]
        self._expect("done")
        each = [float(seen) - acknowledged[int(account)] for _, account, seen, _ in rows]
        return {"median": statistics.median(each), "worst": max(each),
                "all": max(float(row[2]) for row in rows) - max(acknowledged.values()),
                "deliveries": max(acknowledged.values()) - begun}

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


def announce_all(server, held, connections, accounts, figures):
    address_of = lambda account: f"user{account}@demo.test"
    figures["each"] = held.announce(server.smtp_port, address_of, 0, accounts)
    time.sleep(2)  # what comes within a second of another message shares its batch
    figures["one"] = held.announce(server.smtp_port, address_of, 0, 1)
    time.sleep(SETTLE_SECONDS)


def measure(server, tool, connections, accounts):
    """
    server: of peers.py, started, with at least so many users. Returns KiB of PSS per connection, in all and by role,
    and how long announcements take: of one message to each account, and of one to the first account alone.
    """
    folder = tempfile.mkdtemp(prefix="waxwing-idle-")
    before = memory_by_role(server.pids())
    kernel = kernel_kib()
    try:
        begun = time.monotonic()
        held = Held(tool, server.imap_port + 850, connections, [server.login_of(user) for user in range(accounts)], folder)
        figures = {"logins": connections / (time.monotonic() - begun)}
        try:
            peers.wait_for_rest(server)
            time.sleep(SETTLE_SECONDS)
            after = memory_by_role(server.pids())
            roles = {role: (kib - before.get(role, (0, 0))[0]) / connections for role, (kib, _) in after.items()}
            figures["KiB"] = sum(roles.values())
            figures["roles"] = roles
            figures["sessions"] = after.get("session", (0, 0))[1]
            figures["kernel"] = {what: (kib - kernel[what]) / connections for what, kib in kernel_kib().items()}
            if server.smtp_port is not None:
                announce_all(server, held, connections, accounts, figures)
                figures["KiB later"] = (sum(kib for kib, _ in memory_by_role(server.pids()).values()) -
                                        sum(kib for kib, _ in before.values())) / connections
        finally:
            held.close()
    finally:
        shutil.rmtree(folder)
    return figures


def tell(connections, accounts, figures):
    print(f"{connections} connections over {accounts} accounts")
    print(f"  {'logins':<40} {figures['logins']:10.0f} 1/s")
    print(f"  {'memory of all processes, per connection':<40} {figures['KiB']:10.1f} KiB")
    for role, kib in sorted(figures["roles"].items()):
        print(f"    {role:<38} {kib:10.1f} KiB")
    print(f"  {'the same after new mail was announced':<40} {figures['KiB later']:10.1f} KiB")
    for what, kib in figures["kernel"].items():
        print(f"  {'kernel beside it: ' + what:<40} {kib:10.1f} KiB")
    for what, title in (("each", "a message to each account"), ("one", "a message to one account")):
        times = figures[what]
        print(f"  {title:<40} {1000 * times['median']:10.1f} ms median, {1000 * times['worst']:.1f} ms worst, all "
              f"{1000 * times['all']:.1f} ms after the last of {1000 * times['deliveries']:.0f} ms of deliveries", flush=True)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    numbers = [int(word) for word in sys.argv[2:]] or [2000, 200, 2000, 100, 10000, 100, 1000, 1]
    loads = list(zip(numbers[::2], numbers[1::2]))
    peers.USERS = max(accounts for _, accounts in loads)
    folder = tempfile.mkdtemp(prefix="waxwing-bench-")
    os.chmod(folder, 0o755)
    tool = build(folder)
    server = peers.Waxwing(folder, program)
    try:
        server.start()
        server.add_users()
        server.stop()
        for connections, accounts in loads:
            server.start()
            try:
                tell(connections, accounts, measure(server, tool, connections, accounts))
            finally:
                server.stop()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
