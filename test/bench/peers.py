"""The servers that are compared: each starts in a folder of its own, on high loopback ports, with durable settings."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

USERS = 100
PASSWORD = "bench-password"


def deliver_tool(folder):
    """Builds it where all servers look for it."""
    tool = pathlib.Path(folder) / "deliver"
    source = pathlib.Path(__file__).parent / "deliver.c"
    subprocess.run(["cc", "-O2", "-o", tool, source, "-lssl", "-lcrypto"], check=True)
    return tool


def deliver(server, messages, what, recipients=1, mode="clear"):
    """what: a size in bytes, or a folder of letters."""
    subprocess.run([server.folder.parent / "deliver", str(server.smtp_port), "20", str(messages), str(what), "demo.test",
                    str(recipients), mode], check=True, capture_output=True)


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
        self.passwords = []
        self.command("domain", "add", "demo.test")
        for user in range(USERS):
            address = f"user{user}@demo.test"
            self.command("account", "add", address, "--password-stdin", entered=PASSWORD + "\n")
            created = self.command("app-password", "add", address, "--label", "bench", entered=PASSWORD + "\n")
            self.passwords.append(created.split()[-1])

    def login_of(self, user):
        return f"user{user}@demo.test", self.passwords[user]

    def import_letters(self, folder, messages):
        """Into user 0's mailbox."""
        deliver(self, messages, folder)

    def fill(self, user, messages, size):
        """So many messages for that user."""
        deliver(self, messages, size, f"{user}:1")

    def empty(self):
        """All mailboxes, while it is stopped; the accounts stay."""
        for part in ("log", "vault"):
            shutil.rmtree(self.folder / "data" / part, ignore_errors=True)

    def settle(self):
        """Until what it does by itself, indexing for one, is done."""
        before, quiet = -1.0, 0
        while quiet < 4:
            time.sleep(1)
            now = cpu_seconds(self.pids())
            quiet = quiet + 1 if now - before < 0.03 else 0
            before = now

    def pids(self):
        return tree_of(self.process.pid)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class PostfixDovecot:
    smtp_port, imap_port = 28025, 28143

    def __init__(self, folder, encrypted=False, layout="maildir", fts=False):
        """layout: maildir or mdbox. fts: with its full-text index (fts_xapian)."""
        words = ["postfix+dovecot", layout] + ["mail_crypt"] * encrypted + ["fts"] * fts
        self.name, self.layout, self.fts = " ".join(words), layout, fts
        self.folder = pathlib.Path(folder) / "-".join(words)
        self.folder.mkdir(parents=True)
        os.chmod(self.folder, 0o755)
        for part in ("etc", "spool", "data", "mail", "run"):
            (self.folder / part).mkdir()
        self.encrypted = encrypted
        self._write_dovecot()
        self._write_postfix()

    def _write_dovecot(self):
        subprocess.run(["id", "benchmail"], check=False, capture_output=True).returncode and subprocess.run(
            ["useradd", "--system", "--no-create-home", "benchmail"], check=True)
        shutil.chown(self.folder / "mail", "benchmail")
        users = "".join(f"user{user}:{{PLAIN}}{PASSWORD}\n" for user in range(USERS))
        (self.folder / "etc/users").write_text(users)
        certificate = self.folder / "etc/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.folder / "etc/key.pem", "-out", certificate, "-days", "30", "-subj",
                        "/CN=mail.demo.test"], check=True, capture_output=True)
        crypt, plugins = "", []
        if self.encrypted:
            private, public = self.folder / "etc/ec.pem", self.folder / "etc/ecpub.pem"
            subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", private],
                           check=True, capture_output=True)
            subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
            os.chmod(private, 0o644)
            plugins.append("mail_crypt")
            crypt = (f"plugin {{\n mail_crypt_global_private_key = <{private}\n"
                     f" mail_crypt_global_public_key = <{public}\n mail_crypt_save_version = 2\n}}\n")
        if self.fts:
            plugins += ["fts", "fts_xapian"]
            crypt += ("plugin {\n fts = xapian\n fts_xapian = partial=3 full=20\n fts_autoindex = no\n fts_enforced = yes\n}\n"
                      "service indexer-worker {\n vsz_limit = 0\n}\n")
        crypt += f"mail_plugins = {' '.join(plugins)}\n"
        (self.folder / "etc/dovecot.conf").write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/run/state
instance_name = {self.folder.name}
log_path = {self.folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
mail_location = {self.layout}:{self.folder}/mail/%n
mail_uid = benchmail
mail_gid = benchmail
first_valid_uid = 1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{self.folder}/etc/key.pem
disable_plaintext_auth = no
auth_username_format = %n
mail_max_userip_connections = 5000
passdb {{
 driver = passwd-file
 args = {self.folder}/etc/users
}}
userdb {{
 driver = static
 args = uid=benchmail gid=benchmail home={self.folder}/mail/%n
}}
default_client_limit = 20000
default_vsz_limit = 4G
default_process_limit = 5000
service imap-login {{
 service_count = 0
 process_min_avail = 2
 inet_listener imap {{
  port = {self.imap_port}
 }}
 inet_listener imaps {{
  port = {self.imap_port + 850}
 }}
}}
service lmtp {{
 unix_listener lmtp {{
  mode = 0666
 }}
}}
{crypt}""")

    def _write_postfix(self):
        etc = self.folder / "etc"
        (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
myhostname = mail.demo.test
mydestination =
virtual_mailbox_domains = demo.test
virtual_transport = lmtp:unix:{self.folder}/run/lmtp
lmtp_destination_recipient_limit = 1
lmtp_destination_concurrency_limit = 20
alias_maps =
alias_database =
smtpd_tls_security_level = may
smtpd_tls_cert_file = {etc}/cert.pem
smtpd_tls_key_file = {etc}/key.pem
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
message_size_limit = 104857600
maillog_file = {self.folder}/postfix.log
maillog_file_prefixes = {self.folder}
""")
        shutil.chown(self.folder / "data", "postfix")
        (etc / "master.cf").write_text(f"""
127.0.0.1:{self.smtp_port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
""")

    def start(self):
        begun = time.monotonic()
        self.dovecot = subprocess.Popen(["dovecot", "-F", "-c", self.folder / "etc/dovecot.conf"], stderr=subprocess.DEVNULL)
        subprocess.run(["postfix", "-c", self.folder / "etc", "start"], check=True, capture_output=True)
        wait_for_port(self.smtp_port)
        wait_for_port(self.imap_port)
        return time.monotonic() - begun

    def add_users(self):
        pass

    def login_of(self, user):
        return f"user{user}", PASSWORD

    def import_letters(self, folder, messages):
        """The same as a Maildir, or by way of one: delivering them would take an hour."""
        is_maildir = self.layout == "maildir" and not self.encrypted
        source = self.folder / ("mail/user0" if is_maildir else "mail/letters")
        for part in ("cur", "new", "tmp"):
            (source / part).mkdir(parents=True)
        for number, letter in enumerate(sorted(folder.iterdir())[:messages]):
            (source / f"cur/{1000000000 + number}.M1P1.bench:2,").write_bytes(letter.read_bytes().replace(b"\r\n", b"\n"))
        subprocess.run(["chown", "-R", "benchmail", source], check=True)
        if not is_maildir:
            self._doveadm("-o", "mail_fsync=never", "import", "-u", "user0", f"maildir:{source}", "", "ALL")
            subprocess.run(["rm", "-rf", source], check=True)
        if self.fts:
            self._doveadm("index", "-u", "user0", "INBOX")

    def _doveadm(self, *words):
        subprocess.run(["doveadm", "-c", self.folder / "etc/dovecot.conf", *words], check=True, capture_output=True)

    def fill(self, user, messages, size):
        deliver(self, messages, size, f"{user}:1")

    def empty(self):
        for mailbox in (self.folder / "mail").iterdir():
            shutil.rmtree(mailbox)

    def settle(self):
        pass

    def pids(self):
        master = int((self.folder / "spool/pid/master.pid").read_text())
        return tree_of(master) + tree_of(self.dovecot.pid)

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder / "etc", "stop"], check=False, capture_output=True)
        self.dovecot.send_signal(signal.SIGTERM)
        self.dovecot.wait(30)
