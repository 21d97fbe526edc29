"""[filter] rspamd = auto and clamd = auto: what is at work on the machine is found, and waxwing status names it."""
import os
import pathlib
import pwd
import shutil
import smtplib
import socket

import pytest

from alone import alone
from filters import ADD_HEADER, CARRIER, Clamd, Rspamd
from server import wait_until
from site_of_one import Site

PLAIN = "From: ann@example.org\r\nSubject: hello\r\n\r\n{}\r\n"
RSPAMD_PORT = 11333
CLAMD_SOCKET = "/run/clamav/clamd.ctl"
AUTO = "[filter]\nrspamd = auto\nclamd = auto\n"
ONE = AUTO + "[server]\nintakes = 1\n"  # several look each for itself
LONG = 30  # seconds: it is looked for every five while it is away

needs_rspamd = pytest.mark.skipif(shutil.which("rspamd") is None, reason="rspamd is not installed")
needs_clamd = pytest.mark.skipif(shutil.which("clamd") is None, reason="clamd is not installed")


def is_user(name):
    try:
        return pwd.getpwnam(name) is not None
    except KeyError:
        return False


class FoundRspamd(Rspamd):
    """As Debian's service runs it."""
    program = (("setpriv", "--reuid=_rspamd", "--regid=_rspamd", "--clear-groups") if os.geteuid() == 0 and is_user("_rspamd")
               else ()) + Rspamd.program

    def __init__(self):
        super().__init__()
        self.port = RSPAMD_PORT


class FoundClamd(Clamd):
    page = Clamd.page.replace("{home}/clamd.sock", CLAMD_SOCKET)

    def prepare(self):
        super().prepare()
        pathlib.Path(CLAMD_SOCKET).parent.mkdir(exist_ok=True)


def filter_of(site, name):
    return next(row for row in site.server.status()["filters"] if row["name"] == name)


def wait_for_state(site, name, state):
    return wait_until(lambda: (row := filter_of(site, name))["state"] == state and row, LONG, f"{name} to be {state}")


def outcome(site, text):
    try:
        site.send(text)
    except smtplib.SMTPDataError as refused:
        return refused.smtp_code
    return 250


@needs_rspamd
@alone
def test_rspamd_is_found_when_it_comes_and_missed_when_it_goes():
    with Site(ONE) as site:
        assert filter_of(site, "rspamd")["state"] == "not found"
        assert outcome(site, PLAIN.format(ADD_HEADER)) == 250
        assert len(site.mail("INBOX", 1)) == 1
        rspamd = FoundRspamd()
        with rspamd:
            row = wait_for_state(site, "rspamd", "up")
            assert row["found"] and row["version"].startswith("rspamd/")
            assert 'filter.found filter="rspamd"' in site.server.tail()
            assert outcome(site, PLAIN.format(ADD_HEADER)) == 250
            assert len(site.mail("Junk", 1)) == 1
            row = filter_of(site, "rspamd")
            assert (row["asked"], row["junk"], row["passed"]) == (1, 1, 0) and row["ms"] > 0
            assert "rspamd    up since" in site.server.tool("status").stdout
            rspamd.kill()
            assert outcome(site, PLAIN.format("hello")) == 451
            assert site.server.status()["state"] == "degraded"
            assert site.server.tool("status", check=False).returncode == 1
            rspamd.start()
            assert wait_until(lambda: outcome(site, PLAIN.format("hello")) == 250, LONG, "rspamd to be asked again")
            wait_for_state(site, "rspamd", "up")
            assert site.server.status()["state"] == "healthy"


@needs_clamd
@alone
def test_clamd_is_found_and_says_its_version():
    with FoundClamd(), Site(ONE) as site:
        row = wait_for_state(site, "clamd", "up")
        assert row["found"] and row["version"][0].isdigit()
        assert outcome(site, CARRIER) == 550
        assert outcome(site, PLAIN.format("clean")) == 250
        row = filter_of(site, "clamd")
        assert (row["asked"], row["refused"], row["passed"]) == (2, 1, 1)


@needs_rspamd
@needs_clamd
@alone
def test_what_is_switched_off_is_not_looked_for():
    with FoundRspamd(), FoundClamd(), Site("") as site:
        assert outcome(site, CARRIER) == 250
        assert len(site.mail("INBOX", 1)) == 1
        assert {filter_of(site, name)["state"] for name in ("rspamd", "clamd")} == {"off"}


@alone
def test_a_strangers_program_at_rspamds_place_is_shown_nothing():
    if os.geteuid() != 0:
        pytest.skip("only root can have others listen")
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", RSPAMD_PORT))
        os.fchown(trap.fileno(), 12345, 12345)
        trap.listen()
        trap.settimeout(0.1)
        with Site(AUTO) as site:
            assert outcome(site, PLAIN.format("private")) == 250
            assert filter_of(site, "rspamd")["state"] == "not found"
            with pytest.raises(TimeoutError):
                trap.accept()
