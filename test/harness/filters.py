"""rspamd and clamd of a scenario's own, on loopback: with their own rules off but the test patterns, so that what they say is known."""
import base64
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from internet import free_port
from server import children, wait_until

# What rspamd takes for spam by agreement: the letter says which action it is to answer (enable_test_patterns).
GTUBE = "{}JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
REJECT, ADD_HEADER, REWRITE = (GTUBE.format(letter) for letter in "XYZ")

# The EICAR test file, in two parts so that no scanner takes this page for it.
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + r"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
EICAR_SIGNATURE = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-File\n"

# A letter with it.
CARRIER = ("From: ann@example.org\r\nSubject: virus\r\nMIME-Version: 1.0\r\n"
           "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee there\r\n--b\r\n"
           "Content-Type: application/octet-stream; name=eicar.com\r\nContent-Transfer-Encoding: base64\r\n\r\n"
           + base64.b64encode(EICAR.encode()).decode() + "\r\n--b--\r\n")

RSPAMD = """
options {{
    filters = "";
    enable_test_patterns = true;
    url_tld = "{home}/tlds";
    pidfile = "{home}/rspamd.pid";
    dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
    tempdir = "{home}";
    stats_file = "{home}/stats";
    hs_cache_dir = "{home}";
    dbdir = "{home}";
}}
logging {{ type = "file"; filename = "{home}/log"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; rewrite_subject = 10; add_header = 6; greylist = 4; subject = "***SPAM*** %s"; }}
"""

CLAMD = """
LogFile {home}/log
LocalSocket {home}/clamd.sock
LocalSocketMode 666
TCPSocket {port}
TCPAddr 127.0.0.1
DatabaseDirectory {home}/db
Foreground yes
"""


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Filter:
    """A program that starts, listens on a port, and ends with the scenario."""

    program = ()
    page = ""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=type(self).__name__.lower() + "-"))
        self.home.chmod(0o755)
        self.port = free_port()
        self.process = None

    def prepare(self):
        """Further files below home."""

    def start(self):
        self.prepare()
        (self.home / "conf").write_text(self.page.format(home=self.home, port=self.port))
        words = [word.format(conf=self.home / "conf") for word in self.program]
        with open(self.home / "out", "w") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=out)
        wait_until(lambda: self.process.poll() is not None or listens(self.port), 60, f"{words[0]} to listen")
        assert self.process.poll() is None, (self.home / "out").read_text()[-2000:]
        return self

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None

    def signal(self, number):
        """To all of its processes: any of them may be the one that answers."""
        for pid in [self.process.pid, *children(self.process.pid)]:
            os.kill(pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home)


class Rspamd(Filter):
    program = ("rspamd", "-f", "-i", "-c", "{conf}")
    page = RSPAMD

    def prepare(self):
        self.home.chmod(0o777)
        (self.home / "tlds").write_text("com\norg\nexample\n")

    def url(self):
        return f"http://127.0.0.1:{self.port}"


class Clamd(Filter):
    program = ("clamd", "-c", "{conf}")
    page = CLAMD

    def prepare(self):
        (self.home / "db").mkdir(exist_ok=True)
        (self.home / "db" / "test.hdb").write_text(EICAR_SIGNATURE)

    def socket(self):
        return str(self.home / "clamd.sock")
