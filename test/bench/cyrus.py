"""Cyrus as a peer. Its packages cannot stand beside Dovecot's, so it lives in a small Debian of its own."""

import os
import pathlib
import shutil
import subprocess
import time

import peers

ROOT = pathlib.Path(__file__).parent.parent.parent / "build/cyrus"
PACKAGES = ("cyrus-imapd", "cyrus-pop3d", "cyrus-admin", "sasl2-bin", "libsasl2-modules")
MIRROR = "http://deb.debian.org/debian"


def install():
    """Once; a few minutes. False where that is not possible here."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        return False
    made_of = " ".join(PACKAGES)
    if (ROOT / "ready").exists() and (ROOT / "ready").read_text() == made_of:
        return True
    shutil.rmtree(ROOT, ignore_errors=True)
    words = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", ROOT, MIRROR]
    subprocess.run(words, capture_output=True)  # fails to configure Cyrus, which wants a mail server beside it
    script = ("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d;"
              "DEBIAN_FRONTEND=noninteractive dpkg --force-depends --configure -a")
    done = subprocess.run(["chroot", ROOT, "sh", "-c", script], capture_output=True)
    if done.returncode == 0:
        (ROOT / "ready").write_text(made_of)
    return done.returncode == 0


class Cyrus:
    """IMAP and POP3 alone: mail is put into its spool."""

    name = short = "cyrus"
    smtp_port, imap_port = None, 29143
    letters = None
    has_vaults = False
    idle_connections = 200  # 3.4 MiB each

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "cyrus"
        self.folder.mkdir()
        self.home = ROOT / "srv"
        shutil.rmtree(self.home, ignore_errors=True)
        for part in ("conf", "conf/proc", "conf/db", "conf/socket", "spool"):
            (self.home / part).mkdir(parents=True)
        self._certificate()
        (self.home / "imapd.conf").write_text("""
configdirectory: /srv/conf
defaultpartition: default
partition-default: /srv/spool
admins: cyrus
unixhierarchysep: yes
altnamespace: yes
virtdomains: off
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /srv/sasldb
sasl_mech_list: PLAIN
autocreate_quota: 100000000
createonpost: yes
duplicatesuppression: no
idlesocket: /srv/conf/socket/idle
tls_server_cert: /srv/both.pem
tls_server_key: /srv/both.pem
""")
        (self.home / "cyrus.conf").write_text(f"""
START {{
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -r -C /srv/imapd.conf"
}}
SERVICES {{
  imap cmd="/usr/lib/cyrus/bin/imapd -C /srv/imapd.conf" listen="127.0.0.1:{self.imap_port}" prefork=1 maxchild=12000
  imaps cmd="/usr/lib/cyrus/bin/imapd -s -C /srv/imapd.conf" listen="127.0.0.1:{self.imap_port + 850}" prefork=1 maxchild=12000
  pop3s cmd="/usr/lib/cyrus/bin/pop3d -s -C /srv/imapd.conf" listen="127.0.0.1:{self.imap_port + 852}" prefork=1 maxchild=100
}}
EVENTS {{
}}
""")
        for user in ("cyrus", *[f"user{number}" for number in range(peers.USERS)]):
            self._inside("saslpasswd2", "-p", "-c", "-f", "/srv/sasldb", "-u", ROOT_NAME, user, entered=peers.PASSWORD)
        self._inside("chown", "-R", "cyrus:mail", "/srv")

    def _certificate(self):
        key, certificate = self.folder / "key.pem", self.folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        key, "-out", certificate, "-days", "30", "-subj", "/CN=mail.demo.test"], check=True, capture_output=True)
        (self.home / "both.pem").write_text(certificate.read_text() + key.read_text())

    def _inside(self, *words, entered=None):
        return subprocess.run(["chroot", ROOT, *words], input=entered, text=True, check=True, capture_output=True)

    def start(self):
        begun = time.monotonic()
        self.process = subprocess.Popen(["chroot", ROOT, "/usr/lib/cyrus/bin/master", "-C", "/srv/imapd.conf", "-M",
                                         "/srv/cyrus.conf", "-p", "/srv/master.pid"], stderr=subprocess.DEVNULL)
        peers.wait_for_port(self.imap_port)
        return time.monotonic() - begun

    def add_users(self):
        pass

    def login_of(self, user):
        return f"user{user}", peers.PASSWORD

    def _into_spool(self, user, letters):
        peers.connect(self, user).logout()  # makes the mailbox
        place = pathlib.Path(self._inside("/usr/lib/cyrus/bin/mbpath", "-C", "/srv/imapd.conf", f"user/user{user}").stdout.strip())
        inside = ROOT / place.relative_to("/")
        for number, letter in enumerate(letters, 1):
            (inside / f"{number}.").write_bytes(letter)
        self._inside("chown", "-R", "cyrus:mail", str(place))
        self._inside("su", "-s", "/bin/sh", "cyrus", "-c", f"/usr/lib/cyrus/bin/reconstruct -C /srv/imapd.conf user/user{user}")

    def import_letters(self, folder, messages):
        self._into_spool(0, (path.read_bytes() for path in sorted(folder.iterdir())[:messages]))

    def fill(self, user, messages, size):
        head = b"From: <bench@bench.test>\r\nTo: <user@demo.test>\r\nSubject: load\r\n\r\n"
        line = b"x" * 74 + b"\r\n"
        self._into_spool(user, [head + line * (size // len(line))] * messages)

    def settle(self):
        pass

    def index_bytes(self):
        return 0

    def empty(self):
        pass

    def pids(self):
        return peers.tree_of(self.process.pid)

    def stop(self):
        peers.end(self.process)


ROOT_NAME = os.uname().nodename
