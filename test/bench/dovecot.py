"""Postfix with Dovecot behind it, as people run them, with durable settings."""

import os
import pathlib
import shutil
import subprocess
import time

import peers


class PostfixDovecot:
    smtp_port, imap_port = 28025, 28143
    has_vaults = False
    idle_connections = None

    def __init__(self, folder, short, *features, layout="maildir", letters=None):
        """
        layout: maildir or mdbox. features: mail_crypt; fts, its full-text index (fts_xapian); hibernation of idle
        connections. letters: as many are enough for a mailbox, where it takes them in slowly.
        """
        words = ["postfix+dovecot", layout, *features]
        self.name, self.short, self.layout, self.features, self.letters = " ".join(words), short, layout, features, letters
        # Flags in mdbox are in its log alone, so what was answered is on the disk only thus.
        self.fsync = "always" if layout == "mdbox" else "optimized"
        self.folder = pathlib.Path(folder) / "-".join(words)
        self.folder.mkdir(parents=True)
        os.chmod(self.folder, 0o755)
        for part in ("etc", "spool", "data", "mail", "run"):
            (self.folder / part).mkdir()
        self._write_dovecot()
        self._write_postfix()

    def _write_dovecot(self):
        subprocess.run(["id", "benchmail"], check=False, capture_output=True).returncode and subprocess.run(
            ["useradd", "--system", "--no-create-home", "benchmail"], check=True)
        shutil.chown(self.folder / "mail", "benchmail")
        users = "".join(f"user{user}:{{PLAIN}}{peers.PASSWORD}\n" for user in range(peers.USERS))
        (self.folder / "etc/users").write_text(users)
        certificate = self.folder / "etc/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.folder / "etc/key.pem", "-out", certificate, "-days", "30", "-subj",
                        "/CN=mail.demo.test"], check=True, capture_output=True)
        crypt, plugins = "", []
        if "mail_crypt" in self.features:
            private, public = self.folder / "etc/ec.pem", self.folder / "etc/ecpub.pem"
            subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", private],
                           check=True, capture_output=True)
            subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
            os.chmod(private, 0o644)
            plugins.append("mail_crypt")
            crypt = (f"plugin {{\n mail_crypt_global_private_key = <{private}\n"
                     f" mail_crypt_global_public_key = <{public}\n mail_crypt_save_version = 2\n}}\n")
        if "fts" in self.features:
            plugins += ["fts", "fts_xapian"]
            crypt += ("plugin {\n fts = xapian\n fts_xapian = partial=3 full=20\n fts_autoindex = no\n fts_enforced = yes\n}\n"
                      "service indexer-worker {\n vsz_limit = 0\n}\n")
        if "hibernation" in self.features:
            crypt += ("imap_hibernate_timeout = 5s\n"
                      "service imap {\n unix_listener imap-master {\n  user = dovecot\n }\n extra_groups = $default_internal_group\n}\n"
                      "service imap-hibernate {\n unix_listener imap-hibernate {\n  mode = 0666\n }\n}\n")
        crypt += f"mail_plugins = {' '.join(plugins)}\n"
        (self.folder / "etc/dovecot.conf").write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/run/state
instance_name = {self.folder.name}
log_path = {self.folder}/dovecot.log
protocols = imap pop3 lmtp
listen = 127.0.0.1
mail_location = {self.layout}:{self.folder}/mail/%n
mail_uid = benchmail
mail_gid = benchmail
mail_fsync = {self.fsync}
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
service imap {{
 process_limit = 5000
}}
service pop3-login {{
 inet_listener pop3 {{
  port = {self.imap_port - 33}
 }}
 inet_listener pop3s {{
  port = {self.imap_port + 852}
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
        peers.wait_for_port(self.smtp_port)
        peers.wait_for_port(self.imap_port)
        return time.monotonic() - begun

    def add_users(self):
        pass

    def login_of(self, user):
        return f"user{user}", peers.PASSWORD

    def import_letters(self, folder, messages):
        """The same as a Maildir, or by way of one: delivering them would take an hour. Seconds of indexing, or None."""
        is_maildir = self.layout == "maildir" and "mail_crypt" not in self.features
        source = self.folder / ("mail/user0" if is_maildir else "mail/letters")
        for part in ("cur", "new", "tmp"):
            (source / part).mkdir(parents=True)
        for number, letter in enumerate(sorted(folder.iterdir())[:messages]):
            (source / f"cur/{1000000000 + number}.M1P1.bench:2,").write_bytes(letter.read_bytes().replace(b"\r\n", b"\n"))
        subprocess.run(["chown", "-R", "benchmail", source], check=True)
        if not is_maildir:
            self._doveadm("-o", "mail_fsync=never", "import", "-u", "user0", f"maildir:{source}", "", "ALL")
            subprocess.run(["rm", "-rf", source], check=True)
        if "fts" not in self.features:
            return None
        begun = time.monotonic()
        self._doveadm("index", "-u", "user0", "INBOX")
        return time.monotonic() - begun

    def _doveadm(self, *words):
        subprocess.run(["doveadm", "-c", self.folder / "etc/dovecot.conf", *words], check=True, capture_output=True, timeout=600)

    def fill_few(self, folder, messages):
        """Those it has."""
        del folder
        assert messages == self.letters
        return 0

    def fill(self, user, messages, size):
        peers.deliver(self, messages, size, f"{user}:1")

    def empty(self):
        for mailbox in (self.folder / "mail").iterdir():
            shutil.rmtree(mailbox)

    def settle(self):
        pass

    def index_bytes(self):
        return sum(peers.folder_bytes(folder) for folder in (self.folder / "mail/user0").rglob("xapian-indexes"))

    def complaint(self):
        """What its log has of faults, the first of them."""
        lines = (self.folder / "dovecot.log").read_text(errors="replace").splitlines()
        return next((line for line in lines if any(word in line for word in ("Warning:", "Error:", "Fatal:", "Panic:"))), "")

    def pids(self):
        master = int((self.folder / "spool/pid/master.pid").read_text())
        return peers.tree_of(master) + peers.tree_of(self.dovecot.pid)

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder / "etc", "stop"], check=False, capture_output=True, timeout=60)
        peers.end(self.dovecot)
