"""`waxwing dns` asking a little internet."""
import json
import subprocess
import time

from server import PROGRAM

HOST = "mx.good.test"


def make_certificate(folder, name, organization=None):
    """A certificate for the host: its own issuer, or one of an authority of that name."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    if organization is None:
        openssl("req", "-x509", *new, "-keyout", key, "-out", certificate, "-subj", f"/CN={HOST}", "-days", "9")
    else:
        openssl("req", "-x509", *new, "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-subj",
                f"/O={organization}/CN=Test", "-days", "9")
        openssl("req", *new, "-keyout", key, "-out", folder / "request", "-subj", f"/CN={HOST}")
        openssl("x509", "-req", "-in", folder / "request", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-out",
                certificate, "-days", "9")
    return key, certificate


class Asking:
    """The command with settings of its own; nothing has to run for it but the internet."""

    def __init__(self, net, folder, organization="Let's Encrypt", **dns):
        self.net, self.folder = net, folder
        self.conf = folder / "waxwing.conf"
        self.key, self.certificate = make_certificate(folder, "own", organization)
        self.settings(**dns)

    def settings(self, host=HOST, tls="", **dns):
        self.conf.write_text(f"[server]\nhostname = {host}\ndata = {self.folder}\nport_offset = 0\n"
                             f"[tls]\ncertificate = {self.certificate}\nkey = {self.key}\n{tls}{self.net.settings(**dns)}")

    def run(self, *words):
        started = time.monotonic()
        done = subprocess.run([PROGRAM, "-c", self.conf, "dns", *words], capture_output=True, text=True, timeout=60)
        self.seconds = time.monotonic() - started
        self.status, self.error = done.returncode, done.stderr
        return done.stdout

    def records(self, domain):
        """What there is to say about a domain, by title."""
        answer = json.loads(self.run(domain, "--json"))
        assert answer["complete"] == (self.status == 0)
        return {row["title"] if row["title"] != "SRV" else row["name"]: row for row in answer["records"]}

    def publish(self, domain):
        """Puts into the zone just what the command says."""
        zone = self.net.zone(domain)
        for line in self.run(domain, "--zone").splitlines():
            if line and not line.startswith(";"):
                owner, _, _, record = line.split(" ", 3)
                zone.add(owner, record)
        return zone
