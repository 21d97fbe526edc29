"""Certificates of a test authority, and the TLSA records for them."""
import hashlib
import pathlib
import shutil
import ssl
import subprocess
import tempfile


class Authority:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="waxwing-authority-"))
        self.folder.chmod(0o755)
        self.made = {}
        self.run("req", "-x509", *self.key("root"), "-days", "2", "-out", "root.pem", "-subj", "/CN=Test Root")

    @property
    def roots(self):
        return self.folder / "root.pem"

    @staticmethod
    def key(name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]

    def run(self, *words):
        return subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True).stdout

    def certificate(self, name, days=2):
        """(chain, key) for a name; days below 0: it has run out. Made once."""
        file = f"{name}{days}"
        if file not in self.made:
            self.run("req", "-new", *self.key(file), "-out", f"{file}.csr", "-subj", f"/CN={name}")
            (self.folder / f"{file}.ext").write_text(f"subjectAltName=DNS:{name}\n")
            self.run("x509", "-req", "-in", f"{file}.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
                     "-days", str(days), "-extfile", f"{file}.ext", "-out", f"{file}.one")
            chain = self.folder / f"{file}.pem"
            chain.write_text((self.folder / f"{file}.one").read_text() + self.roots.read_text())
            self.made[file] = (str(chain), str(self.folder / f"{file}.key"))
        return self.made[file]

    def tlsa(self, name=None, days=2):
        """A TLSA record for the key of that name's certificate (3 1 1), or for the authority's own certificate (2 0 1)."""
        if name is None:
            return "TLSA 2 0 1 " + hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.roots.read_text())).hexdigest()
        return self.tlsa_of(self.certificate(name, days)[0], 3)

    def tlsa_of(self, chain, usage):
        """A TLSA record for the key of a file's first certificate."""
        public = self.run("x509", "-in", chain, "-noout", "-pubkey")
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True,
                             capture_output=True).stdout
        return f"TLSA {usage} 1 1 " + hashlib.sha256(der).hexdigest()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
