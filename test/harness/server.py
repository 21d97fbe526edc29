"""A Waxwing of its own for a scenario: data folder, ports, accounts, all through what INTERFACE.md promises."""
import imaplib
import json
import os
import pathlib
import poplib
import pwd
import random
import select
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("WAXWING", ROOT / "build/waxwing"))
DOMAIN = "demo.test"
PASSWORD = "a long enough password"

# Password hashing as cheap as the settings allow: what is tested is not how long it takes. Filters that happen to be at work
# on this machine are nobody's but those scenarios' that name them.
SETTINGS = """
[server]
hostname = mx.demo.test
data = {data}
user = {user}
listen = 127.0.0.1
port_offset = {offset}
[auth]
argon2_memory = 8M
argon2_passes = 1
failures_before_delay = 50
[session]
linger = {linger}
[filter]
rspamd = off
clamd = off
"""


def insecure():
    """The server's certificate is self-signed: a scenario trusts it as it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def free_offset():
    while True:
        offset = random.randrange(15000, 50000)
        try:
            for port in (25, 110, 143, 443, 465, 587, 993, 995):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
            return offset
        except OSError:
            continue


def children(pid):
    """Every process below pid, by /proc."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


class Failed(Exception):
    def __init__(self, status, error):
        super().__init__(f"exit {status}: {error}")
        self.status, self.error = status, error


class Server:
    def __init__(self, settings="", linger=2, folder=None):
        self.home = pathlib.Path(folder or tempfile.mkdtemp(prefix="waxwing-"))
        self.home.chmod(0o711)
        self.data = self.home / "data"
        self.conf = self.home / "waxwing.conf"
        self.log = self.home / "log.txt"
        self.offset = free_offset()
        self.process = None
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self.conf.write_text(SETTINGS.format(data=self.data, user=user, offset=self.offset, linger=linger) + settings)
        self.conf.chmod(0o644)

    def port(self, standard):
        return standard + self.offset

    # --- life ---

    def start(self):
        environment = dict(os.environ, HOME=str(self.home))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-c", self.conf, "serve", "--foreground"], stdout=subprocess.PIPE,
                                            stderr=log, stdin=subprocess.DEVNULL, env=environment, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        if line.strip() != "ready":
            self.kill()
            raise AssertionError(f"the server did not get ready: {line!r}\n{self.tail()}")
        return self

    def tail(self):
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def roles(self):
        """pid -> name of role; sessions are forks of the supervisor and have its command line."""
        found = {}
        for pid in children(self.process.pid):
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                comm = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[pid] = words[words.index(b"role") + 1].decode() if b"role" in words else comm
        return found

    def stop(self, seconds=20):
        if self.process is None:
            return
        below = children(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop on SIGTERM\n{self.tail()}") from None
        status = self.process.returncode
        self.process = None
        wait_until(lambda: not any(map(alive, below)), 10, "roles end with the supervisor")
        assert status == 0, f"exit {status}\n{self.tail()}"

    def kill(self):
        """All of it at once, as a power cut would."""
        if self.process is None:
            return
        everyone = [self.process.pid] + children(self.process.pid)
        for pid in everyone:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)
        self.process = None
        wait_until(lambda: not any(map(alive, everyone)), 10, "killed processes are gone")

    def remove(self):
        self.kill()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.remove()

    # --- administration ---

    def tool(self, *words, stdin="", check=True, seconds=60):
        done = subprocess.run([PROGRAM, "-c", self.conf, *words], input=stdin, capture_output=True, text=True,
                              timeout=seconds)
        if check and done.returncode != 0:
            raise Failed(done.returncode, done.stderr + self.tail())
        return done

    def domain(self, name=DOMAIN):
        self.tool("domain", "add", name)

    def account(self, name, password=PASSWORD):
        """Returns what `account add` prints: the recovery code."""
        address = name if "@" in name else f"{name}@{DOMAIN}"
        return self.tool("account", "add", address, "--password-stdin", stdin=password + "\n").stdout.strip()

    def status(self):
        return json.loads(self.tool("status", "--json", check=False).stdout)

    # --- mail ---

    def smtp(self):
        client = smtplib.SMTP("127.0.0.1", self.port(25), local_hostname="client.example", timeout=30)
        client.ehlo()
        return client

    def submission(self, user=None, password=PASSWORD):
        client = smtplib.SMTP_SSL("127.0.0.1", self.port(465), local_hostname="client.example", context=insecure(), timeout=30)
        if user:
            client.login(user if "@" in user else f"{user}@{DOMAIN}", password)
        return client

    def imap(self, user, password=PASSWORD, mailbox="INBOX"):
        client = imaplib.IMAP4_SSL("127.0.0.1", self.port(993), ssl_context=insecure(), timeout=30)
        client.login(user if "@" in user else f"{user}@{DOMAIN}", password)
        if mailbox:
            assert client.select(mailbox)[0] == "OK"
        return client

    def pop3(self, user, password=PASSWORD):
        client = poplib.POP3_SSL("127.0.0.1", self.port(995), context=insecure(), timeout=30)
        client.user(user if "@" in user else f"{user}@{DOMAIN}")
        client.pass_(password)
        return client

    def deliver(self, to, message, sender="stranger@example.org"):
        with self.smtp() as client:
            client.sendmail(sender, [to if "@" in to else f"{to}@{DOMAIN}"], message)


def messages(client, what="BODY.PEEK[]", which="1:*"):
    """The bytes of the messages of the selected mailbox, in order."""
    client.noop()
    if client.search(None, "ALL")[1] in ([b""], [None]):
        return []
    kind, data = client.fetch(which, f"({what})")
    assert kind == "OK", data
    return [part[1] for part in data if isinstance(part, tuple)]


def wait_for(client, count, seconds=30):
    """Until the selected mailbox holds so many."""
    return wait_until(lambda: len(found) >= count and found if (found := messages(client)) or count == 0 else None, seconds,
                      f"{count} messages in the mailbox")
