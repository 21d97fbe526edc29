"""
SCRAM with the clients of Debian that speak it, and its absence for those that would pick it by themselves: by default it
is taken but not announced, so that a password a person chose works in every program.
"""
import contextlib
import imaplib
import os
import re
import subprocess
import textwrap

import pytest

from programs import mbsync, run
from server import DOMAIN, PASSWORD, Server, insecure

USER = f"a@{DOMAIN}"
MAIL = b"Subject: kept\r\n\r\nstill here\r\n"


@contextlib.contextmanager
def serving(setting):
    with Server(f"[auth]\nscram = {setting}\n") as server:
        server.domain()
        server.account("a")
        server.deliver("a", MAIL)
        server.word = server.tool("app-password", "add", USER, "--label", "x", stdin=PASSWORD + "\n").stdout.split()[-1]
        yield server


@pytest.fixture(scope="module", params=["announced", "asked", "off"])
def servers(request):
    with serving(request.param) as server:
        yield request.param, server


@pytest.fixture(scope="module")
def announced():
    with serving("announced") as server:
        yield server


def gsasl(server, protocol, port, mechanism, password, *more):
    return run("gsasl", f"--{protocol}", f"--connect=127.0.0.1:{server.port(port)}", "-m", mechanism, "-a", USER, "-p",
               password, "--x509-ca-file=", *more, stdin=subprocess.DEVNULL, check=False)


ROWS = [("imap", 143), ("smtp", 587)]


@pytest.mark.parametrize("protocol,port", ROWS)
@pytest.mark.parametrize("mechanism,more", [("SCRAM-SHA-256-PLUS", ()), ("SCRAM-SHA-256", ("--no-cb",))])
def test_gsasl_logs_in_by_name(servers, protocol, port, mechanism, more):
    setting, server = servers
    done = gsasl(server, protocol, port, mechanism, server.word, *more)
    assert (done.returncode == 0) == (setting != "off"), done.stdout + done.stderr
    assert gsasl(server, protocol, port, mechanism, "xxxx-xxxx-xxxx-xxxx", *more).returncode != 0
    assert gsasl(server, protocol, port, mechanism, PASSWORD, *more).returncode != 0


@pytest.mark.parametrize("protocol,port", ROWS)
def test_gsasl_left_to_itself_takes_the_best_there_is(servers, protocol, port):
    setting, server = servers
    done = run("gsasl", f"--{protocol}", f"--connect=127.0.0.1:{server.port(port)}", "-a", USER, "-p", server.word,
               "--x509-ca-file=", stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    chosen = re.search(rb"^(?:\. AUTHENTICATE|AUTH) (\S+)", done.stdout, re.MULTILINE).group(1).decode()
    assert chosen == ("SCRAM-SHA-256-PLUS" if setting == "announced" else "PLAIN")


def test_what_is_announced_is_what_the_setting_says(servers):
    setting, server = servers
    with imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=insecure(), timeout=30) as client:
        imap = client.capabilities
    with server.submission() as client:
        client.ehlo()
        smtp = client.esmtp_features["auth"].split()
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        assert (f"AUTH={mechanism}" in imap) == (setting == "announced")
        assert (mechanism in smtp) == (setting == "announced")
    assert "AUTH=PLAIN" in imap and "PLAIN" in smtp


def msmtp(server, port, mechanism, password):
    tls = "on" if port == 465 else "off"
    return run("msmtp", "--host=127.0.0.1", f"--port={server.port(port)}", f"--auth={mechanism}", f"--user={USER}",
               f"--passwordeval=echo {password}", "--tls=on", f"--tls-starttls={'off' if tls == 'on' else 'on'}",
               "--tls-certcheck=off", f"--from={USER}", USER, input=b"Subject: x\n\nx\n", check=False)


@pytest.mark.parametrize("port", [465, 587])
def test_msmtp_with_scram(announced, port):
    done = msmtp(announced, port, "scram-sha-256", announced.word)
    assert done.returncode == 0, done.stderr


def test_msmtp_as_it_comes_with_the_chosen_password(servers):
    done = msmtp(servers[1], 465, "on", PASSWORD)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("port", [143, 993])
def test_mbsync_with_scram(announced, tmp_path, port):
    done = mbsync(announced, USER, tmp_path, "-D", password=announced.word, port=port, mechanisms="SCRAM-SHA-256")
    assert b"AUTHENTICATE SCRAM-SHA-256" in done.stdout


def test_mbsync_as_it_comes_with_the_chosen_password(servers, tmp_path):
    """What a new user tries first. It picks SCRAM where it sees it, and that cannot work with such a password."""
    setting, server = servers
    done = mbsync(server, USER, tmp_path, check=False)
    assert (done.returncode == 0) == (setting != "announced"), done.stdout + done.stderr


def test_neomutt_as_it_comes(servers, tmp_path):
    setting, server = servers
    settings = tmp_path / "muttrc"
    out = tmp_path / "out"
    settings.write_text(textwrap.dedent(f"""
        set imap_user = "{USER}"
        set imap_pass = "{server.word if setting == "announced" else PASSWORD}"
        set folder = "imaps://127.0.0.1:{server.port(993)}/"
        set spoolfile = "imaps://127.0.0.1:{server.port(993)}/INBOX"
        set certificate_file = "{server.data}/tls-cert.pem"
        set ssl_verify_host = no
        set quit = yes
        push "<pipe-entry>cat>{out}<enter><exit>"
        """))
    done = run("script", "-q", "-e", "-c", f"neomutt -n -F {settings}", "/dev/null", stdin=subprocess.DEVNULL, check=False,
               env=dict(os.environ, HOME=str(tmp_path), TERM="xterm"))
    assert out.exists() and b"still here" in out.read_bytes(), done.stdout[-500:]
