"""The servers that are compared: each starts in a folder of its own, on high loopback ports, with durable settings."""

import concurrent.futures
import imaplib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

USERS = 200
PASSWORD = "bench-password"

TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


def compile_tool(folder, name, *sources):
    tool, here = pathlib.Path(folder) / name, pathlib.Path(__file__).parent
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", tool, *[here / source for source in sources], "-lssl", "-lcrypto"],
                   check=True)
    return tool


def deliver_tool(folder):
    """Builds it where all servers look for it."""
    return compile_tool(folder, "deliver", "deliver.c")


def deliver(server, messages, what, recipients=1, mode="clear"):
    """what: a size in bytes, or a folder of letters."""
    subprocess.run([server.folder.parent / "deliver", str(server.smtp_port), "20", str(messages), str(what), "demo.test",
                    str(recipients), mode], check=True, capture_output=True, timeout=600)


def connect(server, user):
    client = imaplib.IMAP4("127.0.0.1", server.imap_port)
    client.starttls(TRUSTING)
    client.login(*server.login_of(user))
    return client


def wait_for_mail(server, user, messages, seconds=600):
    """A connection with INBOX selected, once so many are in it."""
    client = connect(server, user)
    end = time.monotonic() + seconds
    while int(client.select("INBOX")[1][0]) < messages:
        if time.monotonic() > end:
            raise RuntimeError(f"not {messages} messages in time")
        time.sleep(0.1)
    return client


def end(process):
    """By asking, or after half a minute without."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        for pid in reversed(tree_of(process.pid)):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def folder_bytes(folder):
    return sum(path.stat().st_blocks * 512 for path in pathlib.Path(folder).rglob("*") if path.is_file())


def wait_for_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def tree_of(pid):
    """The process and everything below it."""
    found = [pid]
    for parent in found:
        for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def pss_kib(pids):
    total = 0
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


def wait_for_rest(server, seconds=300):
    """Until it has done next to nothing for four seconds."""
    before, quiet, end_at = -1.0, 0, time.monotonic() + seconds
    while quiet < 4 and time.monotonic() < end_at:
        time.sleep(1)
        now = cpu_seconds(server.pids())
        quiet = quiet + 1 if now - before < 0.03 else 0
        before = now


def written_bytes(pids):
    total = 0
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines():
                if line.startswith("write_bytes:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total


class Waxwing:
    name = "waxwing"
    letters = idle_connections = None
    has_vaults = True  # of which mail is taken in, and indexed, by itself
    smtp_port, imap_port = 27025, 27143

    def __init__(self, folder, program):
        self.folder = pathlib.Path(folder) / "waxwing"
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        self.program = str(program)
        self.config = self.folder / "waxwing.conf"
        self.config.write_text(
            f"[server]\nhostname = mail.demo.test\ndata = {self.folder}/data\nlisten = 127.0.0.1\n"
            "port_offset = 27000\nlog_level = error\nuser = nobody\n"
            "[smtp]\nconnections_per_address = 100000\nconnections_max = 100000\n"
            "[imap]\nconnections_per_account = 1000\n"
            "[auth]\nfailures_before_delay = 100\n"
        )

    def start(self):
        begun = time.monotonic()
        self.process = subprocess.Popen([self.program, "-c", self.config, "serve"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"
        return time.monotonic() - begun

    def command(self, *words, entered=""):
        return subprocess.run([self.program, "-c", self.config, *words], input=entered, text=True, check=True,
                              capture_output=True).stdout

    def add_users(self):
        self.command("domain", "add", "demo.test")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as several:
            self.passwords = list(several.map(self._add_user, range(USERS)))

    def _add_user(self, user):
        """Returns its app password."""
        address = f"user{user}@demo.test"
        self.command("account", "add", address, "--password-stdin", entered=PASSWORD + "\n")
        created = self.command("app-password", "add", address, "--label", "bench", entered=PASSWORD + "\n")
        return created.split()[-1]

    def login_of(self, user):
        return f"user{user}@demo.test", self.passwords[user]

    def import_letters(self, folder, messages):
        """Into user 0's mailbox."""
        deliver(self, messages, folder)

    def fill_few(self, folder, messages):
        """Returns whose mailbox has that many, indexed."""
        deliver(self, messages, folder, "3:1")
        with wait_for_mail(self, 3, messages):
            self.settle()
        return 3

    def fill(self, user, messages, size):
        """So many messages for that user."""
        deliver(self, messages, size, f"{user}:1")

    def empty(self):
        """All mailboxes, while it is stopped; the accounts stay."""
        for part in ("log", "vault"):
            shutil.rmtree(self.folder / "data" / part, ignore_errors=True)

    def settle(self):
        """Until what it does by itself, indexing for one, is done."""
        wait_for_rest(self)

    def vault_bytes(self):
        return folder_bytes(self.folder / "data/vault")

    def index_bytes(self):
        """By how much indexing has made the vaults grow."""
        return self.vault_bytes() - self.unindexed_bytes

    def pids(self):
        return tree_of(self.process.pid)

    def stop(self):
        end(self.process)
