"""
Real mail servers as the other side: Postfix, Exim and OpenSMTPD, each one process tree with many doors, that is,
addresses on loopback with a certificate and a habit of their own. What is delivered lies in Maildirs by recipient.

    exim = Exim("signed.test", port, {"127.9.9.1": Door(tls=authority.certificate("mx.signed.test"))}, resolver="127.9.9.53")
    exim.mail("bob@signed.test")

Exim and OpenSMTPD cannot be installed beside Postfix, so they are unpacked (tools/deps has them fetched) and live in a
folder of their own as their root. All of this needs root.
"""
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from server import ROOT, wait_until

PACKAGES = ROOT / "build-peers"
NOBODY = 65534


@dataclasses.dataclass
class Door:
    tls: tuple = None  # (chain, key), or in clear only
    habit: str = ""    # greylist, storm, slow, stuck; what a server knows stands in its class


def available():
    """Whether such servers can be run here."""
    return os.geteuid() == 0 and shutil.which("postfix") and pathlib.Path("/etc/postfix").exists() and \
        all(list(PACKAGES.glob(f"{name}_*.deb")) for name in ("exim4-daemon-light", "opensmtpd"))


def connects(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class MailServer:
    def __init__(self, domains, port, doors, resolver=None, out_port=25, roots=None):
        """Mail for the domains and all below them is delivered, but for local parts that begin with nobody; other mail is sent."""
        self.domains, self.port, self.doors, self.resolver, self.out_port = domains, port, doors, resolver, out_port
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"waxwing-{type(self).__name__.lower()}-"))
        self.folder.chmod(0o755)
        self.process, self.seen, self.roots = None, {}, roots
        (self.folder / "mail").mkdir()
        shutil.chown(self.folder / "mail", NOBODY, NOBODY)
        self.set_up()
        self.start()
        for address in doors:
            wait_until(lambda a=address: connects(a, port), 20, f"{type(self).__name__} listens: {self.log()[-2000:]}")

    def all_mail(self):
        """Every message delivered so far."""
        for path in set((self.folder / "mail/new").glob("*")) - self.seen.keys():
            self.seen[path] = path.read_bytes()
        return self.seen.values()

    def mail(self, marker):
        """The messages delivered with that X-Marker."""
        return [data for data in self.all_mail() if f"\nX-Marker: {marker}\n".encode() in data.replace(b"\r\n", b"\n")]

    def certificates(self, folder):
        """Copies what the doors show, as ADDRESS.pem and ADDRESS.key."""
        folder.mkdir(parents=True)
        for address, door in self.doors.items():
            for path, kind in zip(door.tls or (), ("pem", "key")):
                shutil.copy(path, folder / f"{address}.{kind}")

    def close(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postfix(MailServer):
    """Habits: greylist (postscreen's tests after the greeting), storm (4xx for whoever is called late…), slow (2 s)."""

    MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_protocols = ipv4
myhostname = mail.postfix.test
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
virtual_mailbox_domains = regexp:{folder}/etc/domains
virtual_mailbox_base = {folder}
virtual_mailbox_maps = regexp:{folder}/etc/people
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_received_header = yes
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
smtp_bind_address = {bind}
transport_maps = inline:{{ {{demo.test=smtp:demo.test:{out_port}}} {{fraud.test=smtp:fraud.test:{out_port}}} }}
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
postscreen_access_list =
postscreen_greet_wait = 1s
postscreen_bare_newline_enable = yes
postscreen_cache_map = btree:$data_directory/postscreen
maillog_file = {folder}/log.txt
maillog_file_prefixes = {folder}
"""
    MASTER = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
smtp unix - - y - - smtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
trace unix - - n - 0 bounce
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
postlog unix-dgram n - n - 1 postlogd
"""
    HABITS = {
        "": "",
        "storm": "-o { smtpd_recipient_restrictions = check_client_access static:{451 4.3.0 a storm} }",
        "slow": "-o { smtpd_recipient_restrictions = sleep 2, permit_mynetworks, reject }",
        "stuck": "-o { smtpd_recipient_restrictions = sleep 60, permit_mynetworks, reject }",
    }

    def set_up(self):
        for name in ("queue", "data", "etc", "queue/etc"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        self.certificates(self.folder / "tls")
        rows = []
        for number, (address, door) in enumerate(self.doors.items()):
            tls = f"-o smtpd_tls_security_level=may -o smtpd_tls_cert_file={self.folder}/tls/{address}.pem " \
                  f"-o smtpd_tls_key_file={self.folder}/tls/{address}.key" if door.tls else ""
            if door.habit == "greylist":
                rows.append(f"{address}:{self.port} inet n - n - 1 postscreen -o smtpd_service_name=behind{number} {tls}\n"
                            f"behind{number} pass - - n - - smtpd {tls}")
            else:
                rows.append(f"{address}:{self.port} inet n - n - - smtpd {tls} {self.HABITS[door.habit]}")
        (self.folder / "etc/master.cf").write_text("\n".join(rows) + self.MASTER)
        (self.folder / "etc/domains").write_text(f"/(^|[.])({'|'.join(self.domains)})$/ here\n")
        (self.folder / "etc/people").write_text("if !/^nobody/\n/./ mail/\nendif\n")
        bind = next(iter(self.doors))
        (self.folder / "etc/main.cf").write_text(self.MAIN.format(folder=self.folder, out_port=self.out_port, bind=bind))
        if self.resolver:
            (self.folder / "queue/etc/resolv.conf").write_text(f"nameserver {self.resolver}\noptions trust-ad edns0\n")
            shutil.copy("/etc/services", self.folder / "queue/etc/services")

    def run(self, *words):
        done = subprocess.run(["postfix", "-c", self.folder / "etc", *words], capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stderr

    def start(self):
        status, error = self.run("start")
        assert status == 0, error + self.log()

    def log(self):
        path = self.folder / "log.txt"
        return path.read_text() if path.exists() else ""

    def close(self):
        self.run("stop")
        super().close()


class Housed(MailServer):
    """One that is unpacked, with a root of its own: its programs, their libraries, and a few files in etc."""

    def house(self, package, users, programs):
        unpacked = self.folder / "unpacked"
        subprocess.run(["dpkg", "-x", next(PACKAGES.glob(f"{package}_*.deb")), unpacked], check=True)
        self.root = self.folder / "root"
        for name in ("dev", "tmp", "etc", "run", "bin", "usr/sbin", "var/log", "var/spool", "var/lib"):
            (self.root / name).mkdir(parents=True)
        (self.root / "tmp").chmod(0o1777)
        (self.root / "var/run").symlink_to("/run")
        for name, number in (("null", 3), ("urandom", 9)):
            os.mknod(self.root / "dev" / name, 0o20666, os.makedev(1, number))
            (self.root / "dev" / name).chmod(0o666)
        for program in programs:
            inside = unpacked / program.lstrip("/")
            self.put(inside if inside.exists() else pathlib.Path(program), program)
        rows = [("root", 0), ("nobody", NOBODY)] + [(name, 4200 + at) for at, name in enumerate(users)]
        (self.root / "etc/passwd").write_text("".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in rows))
        (self.root / "etc/group").write_text("".join(f"{name}:x:{uid}:\n" for name, uid in rows))
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        shutil.copy("/etc/services", self.root / "etc/services")
        (self.root / "etc/resolv.conf").write_text(f"nameserver {self.resolver or '127.0.0.1'}\noptions trust-ad edns0\n")
        (self.folder / "mail").rename(self.root / "mail")
        (self.folder / "mail").symlink_to(self.root / "mail")
        self.certificates(self.root / "tls")
        if self.roots:
            (self.root / "etc/ssl/certs").mkdir(parents=True)
            shutil.copy(self.roots, self.root / "etc/ssl/certs/ca-certificates.crt")
        shutil.rmtree(unpacked)

    def put(self, source, inside):
        """A program with what it is linked to."""
        target = self.root / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        target.chmod(0o755)
        for line in subprocess.run(["ldd", source], capture_output=True, text=True, check=True).stdout.splitlines():
            assert "not found" not in line, f"{inside}: {line}"
            path = next((word for word in line.split() if word.startswith("/")), None)
            if path is not None and not (self.root / path.lstrip("/")).exists():
                (self.root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, self.root / path.lstrip("/"))

    def start(self):
        with open(self.folder / "log.txt", "ab") as log:
            self.process = subprocess.Popen(["chroot", self.root, *self.COMMAND], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)

    def log(self):
        more = [path.read_text(errors="replace") for path in self.root.glob("var/log/*/*log")]
        return "".join([(self.folder / "log.txt").read_text(errors="replace"), *more])


class Exim(Housed):
    """
    Habits: greylist (the first attempt of a recipient), storm (one stage in six says 4xx), slow, stuck, login (only who
    has logged in, under TLS, as USER with PASSWORD; on the next port TLS begins with the first byte).
    """
    USER, PASSWORD = "us@demo.test", "pa,ss@w%rd:"

    COMMAND = ("/usr/sbin/exim4", "-bdf", "-q1s")
    CONF = """
primary_hostname = mail.exim.test
local_interfaces = <; {addresses}
daemon_smtp_ports = {port} : {next_port}
tls_on_connect_ports = {next_port}
auth_advertise_hosts = ${{if def:tls_in_cipher{{*}}{{}}}}
log_file_path = /var/log/exim4/%slog
log_selector = +all
rfc1413_query_timeout = 0s
host_lookup =
queue_only
queue_run_max = 5
remote_max_parallel = 1
smtp_accept_max = 200
smtp_accept_queue = 0
bounce_return_message = false
deliver_drop_privilege
tls_advertise_hosts = ${{if exists{{/tls/$received_ip_address.pem}}{{*}}{{}}}}
tls_certificate = /tls/$received_ip_address.pem
tls_privatekey = /tls/$received_ip_address.key
chunking_advertise_hosts =
acl_smtp_connect = storm
acl_smtp_mail = storm
acl_smtp_rcpt = rcpt
acl_smtp_predata = storm
acl_smtp_data = storm
begin acl
storm:
  defer condition = ${{if and{{{{match_ip{{$received_ip_address}}{{{storm}}}}}{{<{{${{randint:6}}}}{{1}}}}}}}}
        message = 4.3.2 a storm
  accept
rcpt:
  deny local_parts = ^nobody
       message = 5.1.1 nobody of that name
  defer condition = ${{if match_ip{{$received_ip_address}}{{{greylist}}}}}
        ! ratelimit = 1 / 1h / strict / grey-$local_part
        message = 4.7.1 greylisted
  warn condition = ${{if match_ip{{$received_ip_address}}{{{slow}}}}}
       delay = 2s
  warn condition = ${{if match_ip{{$received_ip_address}}{{{stuck}}}}}
       delay = 60s
  require acl = storm
  deny condition = ${{if match_ip{{$received_ip_address}}{{{login}}}}}
       ! authenticated = *
       message = 5.7.0 log in first
  accept
begin routers
here:
  driver = accept
  domains = {domains}
  transport = maildir
others:
  driver = dnslookup
  transport = out
  ignore_target_hosts = 0.0.0.0
  dnssec_request_domains = *
  self = send
  no_more
begin transports
maildir:
  driver = appendfile
  directory = /mail
  maildir_format
  envelope_to_add
  create_directory
out:
  driver = smtp
  port = {out_port}
  hosts_require_dane = *
  dnssec_request_domains = *
begin retry
* * F,1h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_set_id = $auth2
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
"""

    def set_up(self):
        self.house("exim4-daemon-light", ["Debian-exim"], ["/usr/sbin/exim4", "/bin/sh"])
        (self.root / "etc/exim4").mkdir()
        for name in ("spool/exim4", "log/exim4"):
            (self.root / "var" / name).mkdir()
            os.chown(self.root / "var" / name, 4200, 4200)
        (self.root / "run/exim4").mkdir()
        for path in (self.root / "mail", *(self.root / "tls").glob("*")):
            os.chown(path, 4200, 4200)
        habits = {habit: "<; " + " ; ".join([address for address, door in self.doors.items() if door.habit == habit] or ["192.0.2.1"])
                  for habit in ("storm", "greylist", "slow", "stuck", "login")}
        (self.root / "etc/exim4/exim4.conf").write_text(self.CONF.format(
            addresses=" ; ".join(self.doors), port=self.port, next_port=self.port + 1, user=self.USER, password=self.PASSWORD, out_port=self.out_port,
            domains=" : ".join(f"{name} : *.{name}" for name in self.domains), **habits))


class OpenSMTPD(Housed):
    """It has no habits."""

    COMMAND = ("/usr/sbin/smtpd", "-d", "-F")

    def __init__(self, *arguments, way_out=None, **more):
        self.way_out = way_out
        super().__init__(*arguments, **more)

    def set_up(self):
        self.house("opensmtpd", ["opensmtpd", "opensmtpq"], [
            "/usr/sbin/smtpd", "/usr/sbin/smtpctl", "/usr/libexec/opensmtpd/mail.maildir", "/usr/libexec/opensmtpd/mail.mda", "/bin/sh"])
        (self.root / "var/lib/opensmtpd/empty").mkdir(parents=True)
        (self.root / "var/spool/smtpd").mkdir()
        (self.root / "var/spool/smtpd").chmod(0o711)
        for path in (self.root / "tls").glob("*.key"):
            path.chmod(0o600)
        rows = [f'pki "{address}" cert "/tls/{address}.pem"\npki "{address}" key "/tls/{address}.key"'
                for address, door in self.doors.items() if door.tls]
        rows += [f"listen on {address} port {self.port} hostname mail.opensmtpd.test" + (f' tls pki "{address}"' if door.tls else "")
                 for address, door in self.doors.items()]
        rows += ['table people { "@" = "nobody" }',
                 'action here maildir "/mail" virtual <people>',
                 f'action out relay host {self.way_out or "smtp://127.0.0.1"}',
                 'match from any for rcpt-to regex "^nobody" reject',
                 f'match from any for domain regex "(^|[.])({"|".join(self.domains)})$" action here',
                 "match from any for any action out"]
        (self.root / "etc/smtpd.conf").write_text("\n".join(rows) + "\n")
        (self.root / "etc/smtpd.conf").chmod(0o600)
        (self.root / "etc/mailname").write_text("mail.opensmtpd.test\n")
