"""A Dovecot of a scenario's own, on loopback, with one Maildir: the other server that mail is brought in from."""
import imaplib
import os
import pathlib
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile

from server import wait_until

USER, PASSWORD = "ann@old.example", 'an "old" pass\\word'

CONF = """
base_dir = {home}/run
state_dir = {home}/run/state
log_path = {home}/dovecot.log
protocols = imap
listen = 127.0.0.1
mail_location = maildir:{home}/mail/%u{layout}
mail_uid = {user}
mail_gid = {user}
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
namespace inbox {{
 inbox = yes
 separator = {separator}
 prefix = {prefix}
}}
passdb {{
 driver = passwd-file
 args = scheme=PLAIN {home}/users
}}
userdb {{
 driver = static
 args = uid={user} gid={group} home={home}/mail/%u
}}
service anvil {{
 chroot =
}}
service imap-login {{
 chroot =
 inet_listener imap {{
  port = {plain}
 }}
 inet_listener imaps {{
  port = {tls}
 }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dovecot:
    def __init__(self, mechanisms="plain login", separator=".", prefix="", layout=""):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.home.chmod(0o755)
        self.plain, self.tls = free_port(), free_port()
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        group = "nogroup" if user == "nobody" else user
        for part in ("mail", "run"):
            (self.home / part).mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.home / "mail", user)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.home / "key.pem", "-out", self.home / "cert.pem", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        (self.home / "users").write_text(f"{USER}:{PASSWORD}\n")
        (self.home / "users").chmod(0o644)
        (self.home / "dovecot.conf").write_text(CONF.format(
            home=self.home, user=user, group=group, plain=self.plain, tls=self.tls, mechanisms=mechanisms,
            separator=separator, prefix=prefix, layout=layout))

    def __enter__(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.home / "dovecot.conf"], stderr=subprocess.DEVNULL)
        wait_until(self.answers, 20, "dovecot answers")
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.tls), 1).close()
            return True
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.home, ignore_errors=True)

    def imap(self):
        context = ssl.create_default_context(cafile=str(self.home / "cert.pem"))
        client = imaplib.IMAP4_SSL("localhost", self.tls, ssl_context=context, timeout=30)
        if b"AUTH=PLAIN" in client.welcome:
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        else:
            client.authenticate("LOGIN", lambda asked: (USER if b"User" in asked else PASSWORD).encode())
        return client

    def fill(self, found):
        """INBOX as files."""
        cur = self.home / "mail" / USER / "cur"
        cur.mkdir(parents=True)
        for number, letter in enumerate(found):
            (cur / f"{1500000000 + number}.M1P1.old:2,S").write_bytes(letter)
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", user, self.home / "mail"], check=True)

    @property
    def url(self):
        return f"imaps://{USER}@localhost:{self.tls}"
