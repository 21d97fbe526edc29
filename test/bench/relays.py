"""The servers whose mail to and from other servers is compared: Waxwing, Postfix with the milters people give it, OpenSMTPD."""

import json
import os
import pathlib
import shutil
import subprocess

import peers

SENDER = "user0@demo.test"
INSIDE = "127.0.0.1"  # where our users come from
OUTSIDE = "192.0.2.1"  # and other servers, to us
SELECTOR = "bench"


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem", "-days", "30", "-subj", "/CN=mail.demo.test"],
                   check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def make_user(*names):
    for name in names:
        if subprocess.run(["id", name], check=False, capture_output=True).returncode != 0:
            subprocess.run(["useradd", "--system", "--no-create-home", name], check=True)


class Waxwing(peers.Waxwing):
    mode, clients, fewer, is_slow = "starttls", 20, 1, False
    submission = f"{INSIDE}:27587"
    outside = f"{OUTSIDE}:27025"

    def __init__(self, folder, program, short="waxwing", sign="off"):
        self.name = self.short = short
        super().__init__(folder, program)
        text = self.config.read_text().replace("listen = 127.0.0.1\n", f"listen = {INSIDE}, {OUTSIDE}\n")
        self.config.write_text(text.replace("[smtp]\n", "[smtp]\nrecipients_per_hour = 0\n") +
                               f"[dns]\nresolver = 127.0.0.1@53\ntrust_anchor = {folder}/root.key\n"
                               f"[trust]\nsign = {sign}\n")

    def sender(self):
        """Who sends, as `deliver` wants it."""
        return f"{SENDER}:{self.passwords[0]}"

    def flush(self):
        self.command("queue", "retry", "--all")

    def queued(self):
        """As it says; none while nobody says it."""
        status = subprocess.run([self.program, "-c", self.config, "status", "--json"], capture_output=True, text=True).stdout
        details = [role["detail"] or {} for role in json.loads(status or "{}").get("roles", [])]
        return next((detail["queued"] for detail in details if "queued" in detail), 0)

    def readers(self, count):
        return [peers.connect(self, user) for user in range(count)]

    def count(self, readers):
        """Messages that can be read."""
        found = 0
        for reader in readers:
            found += int(reader.select("INBOX")[1][0])
        return found

    def sample(self, readers):
        readers[0].select("INBOX")
        return readers[0].fetch("1", "(BODY.PEEK[HEADER])")[1][0][1]

    def keeper(self):
        """The process that signs."""
        titles = {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in self.pids()}
        return [pid for pid, title in titles.items() if b"keeper" in title]


class Postfix:
    """milters: "sign" for opendkim that signs what leaves, "check" for opendkim and opendmarc that check what comes."""

    mode, clients, fewer, is_slow = "starttls", 20, 1, False
    submission = f"{INSIDE}:28025"
    outside = f"{OUTSIDE}:28025"
    port = 28025

    def __init__(self, folder, short="postfix", milters=None):
        self.name = self.short = short
        self.folder = pathlib.Path(folder) / short.replace(" ", "-")
        self.milters = milters
        self.processes = []
        for part in ("etc", "spool", "data", "mail", "run"):
            (self.folder / part).mkdir(parents=True)
        self.folder.chmod(0o755)
        make_user("benchmail")
        shutil.chown(self.folder / "mail", "benchmail")
        shutil.chown(self.folder / "data", "postfix")
        self._write()
        if milters == "sign":
            self._write_opendkim("s", f"Domain demo.test\nSelector {SELECTOR}\nKeyFile {self._key()}\n"
                                 f"InternalHosts {self._hosts(INSIDE)}\n")
        elif milters == "check":
            self._write_opendkim("v", f"Nameservers {OUTSIDE}\nAuthservID mail.demo.test\n"
                                 f"InternalHosts {self._hosts('127.9.9.9')}\n")
            self._write_opendmarc()

    def _write(self):
        chain, key = certificate(self.folder / "etc")
        uid = subprocess.run(["id", "-u", "benchmail"], check=True, capture_output=True, text=True).stdout.strip()
        sockets = {"sign": ("dkim",), "check": ("dkim", "dmarc")}.get(self.milters, ())
        (self.folder / "etc/main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {INSIDE}, {OUTSIDE}
inet_protocols = ipv4
myhostname = mail.demo.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = demo.test
virtual_mailbox_limit = 0
virtual_mailbox_base = {self.folder}/mail
virtual_mailbox_maps = texthash:{self.folder}/etc/users
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {chain}
smtpd_tls_key_file = {key}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_milters = {', '.join(f'unix:{self.folder}/run/{name}' for name in sockets)}
milter_default_action = tempfail
smtp_tls_security_level = may
smtp_tls_session_cache_database = btree:{self.folder}/data/smtp_scache
message_size_limit = 104857600
maillog_file = {self.folder}/postfix.log
maillog_file_prefixes = {self.folder}
""")
        (self.folder / "etc/users").write_text("".join(f"user{user}@demo.test user{user}/\n" for user in range(peers.USERS)))
        (self.folder / "etc/master.cf").write_text(f"""
{INSIDE}:{self.port} inet n - n - - smtpd
{OUTSIDE}:{self.port} inet n - n - - smtpd
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
virtual unix - n n - - virtual
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
""")

    def _key(self):
        key = self.folder / "etc/dkim.key"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True)
        return key

    def _hosts(self, *addresses):
        hosts = self.folder / "etc/hosts"
        hosts.write_text("".join(f"{address}\n" for address in addresses))
        return hosts

    def _write_opendkim(self, mode, more):
        (self.folder / "etc/opendkim.conf").write_text(f"""
Socket local:{self.folder}/run/dkim
Mode {mode}
RequireSafeKeys no
Canonicalization relaxed/relaxed
Syslog no
UMask 0
Background no
{more}""")

    def _write_opendmarc(self):
        (self.folder / "etc/opendmarc.conf").write_text(f"""
Socket local:{self.folder}/run/dmarc
AuthservID mail.demo.test
TrustedAuthservIDs mail.demo.test
IgnoreHosts {self._hosts('127.9.9.9')}
RejectFailures true
SPFIgnoreResults true
SPFSelfValidate true
Syslog no
UMask 0
Background no
""")

    def start(self):
        for name in ("opendkim", "opendmarc"):
            if (self.folder / f"etc/{name}.conf").exists():
                self.processes.append(subprocess.Popen([name, "-f", "-c" if name == "opendmarc" else "-x",
                                                        self.folder / f"etc/{name}.conf"], stderr=subprocess.DEVNULL))
        subprocess.run(["postfix", "-c", self.folder / "etc", "start"], check=True, capture_output=True)
        peers.wait_for_port(self.port)

    def add_users(self):
        pass

    def sender(self):
        return SENDER

    def flush(self):
        subprocess.run(["postqueue", "-c", self.folder / "etc", "-f"], check=True, capture_output=True)

    def readers(self, count):
        return [self.folder / f"mail/user{user}/new" for user in range(count)]

    def count(self, readers):
        return sum(len(os.listdir(reader)) for reader in readers if reader.is_dir())

    def sample(self, readers):
        return next(readers[0].iterdir()).read_bytes()

    def complaint(self):
        log = self.folder / "postfix.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return next((line for line in lines if any(word in line for word in ("warning:", "error:", "fatal:", "panic:"))), "")

    def pids(self):
        master = int((self.folder / "spool/pid/master.pid").read_text())
        return peers.tree_of(master) + [pid for process in self.processes for pid in peers.tree_of(process.pid)]

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder / "etc", "stop"], check=False, capture_output=True, timeout=60)
        for process in self.processes:
            peers.end(process)
        self.processes = []


SMTPD = pathlib.Path(__file__).resolve().parent.parent.parent / "build/opensmtpd"
PLACES = (("spool", "/var/spool"), ("run", "/run"), ("lib", "/var/lib"))


def fetch_opensmtpd():
    """Its package cannot stand beside Postfix's, so it is only unpacked. False where that is not possible here."""
    if (SMTPD / "usr/sbin/smtpd").exists():
        return True
    shutil.rmtree(SMTPD, ignore_errors=True)
    SMTPD.mkdir(parents=True)
    done = subprocess.run(["apt-get", "download", "opensmtpd"], cwd=SMTPD, capture_output=True)
    for package in SMTPD.glob("*.deb"):
        done = subprocess.run(["dpkg", "-x", package, SMTPD], capture_output=True)
    return done.returncode == 0 and (SMTPD / "usr/sbin/smtpd").exists()


class OpenSmtpd:
    """
    In a mount namespace of ours: where it keeps everything is built into it. Debian 12's cannot sign a handshake
    (OpenSSL 3), so it takes messages in clear; to others it speaks TLS.
    """

    name = short = "opensmtpd"
    mode, clients = "clear", 5  # as many may wait to be accepted
    fewer, is_slow = 40, True  # it rests for seconds between its connections
    submission = f"{INSIDE}:29025"

    def __init__(self, folder):
        if not (SMTPD / "usr/sbin/smtpd").exists():
            raise RuntimeError("OpenSMTPD's package is not there")
        self.folder = pathlib.Path(folder) / "opensmtpd"
        for part in ("spool", "run", "lib/opensmtpd/empty"):
            (self.folder / part).mkdir(parents=True)
        self.folder.chmod(0o755)
        make_user("opensmtpd", "opensmtpq")
        shutil.chown(SMTPD / "usr/sbin/smtpctl", group="opensmtpq")
        (SMTPD / "usr/sbin/smtpctl").chmod(0o2755)
        self.conf = self.folder / "smtpd.conf"
        self.conf.write_text(f"""
smtp max-message-size 100M
smtp limit max-mails 100000
smtp limit max-rcpt 100000
listen on {INSIDE} port 29025 hostname mail.demo.test
action "out" relay helo mail.demo.test
match from any for any action "out"
""")

    def start(self):
        for part, place in PLACES:
            subprocess.run(["mount", "--bind", self.folder / part, place], check=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([SMTPD / "usr/sbin/smtpd", "-d", "-f", self.conf], stdout=log, stderr=log)
        peers.wait_for_port(29025)

    def add_users(self):
        pass

    def sender(self):
        return SENDER

    def flush(self):
        subprocess.run([SMTPD / "usr/sbin/smtpctl", "schedule", "all"], check=True, capture_output=True)

    def complaint(self):
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        return next((line for line in lines if any(word in line for word in ("warn:", "fatal", "error"))), "")

    def pids(self):
        return peers.tree_of(self.process.pid)

    def stop(self):
        peers.end(self.process)
        for _, place in PLACES:
            subprocess.run(["umount", "--lazy", place], check=False)
