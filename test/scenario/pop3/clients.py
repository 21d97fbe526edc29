"""Real programs fetch mail by POP3, keep it or delete it, and do not fetch it twice."""
import os
import poplib
import textwrap

import pytest

from programs import certificate, getmail, run
from server import DOMAIN, PASSWORD, Server, insecure
from terminal import in_terminal

COUNT = 12


def mail(number):
    return (f"From: Stranger <s@example.org>\r\nSubject: number {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n"
            f"body {number}\r\n.a dot\r\n..two\r\n").encode()


@pytest.fixture
def filled(server, user):
    for number in range(COUNT):
        server.deliver(user, mail(number))
    return user


def left(server, user):
    client = server.pop3(user)
    count = client.stat()[0]
    client.quit()
    return count


def test_curl_lists_and_fetches(server, filled):
    for scheme, port, words in (("pop3s", 995, []), ("pop3", 110, ["--ssl-reqd"])):
        base = ["curl", "-sS", "-k", "--user", f"{filled}:{PASSWORD}", *words]
        url = f"{scheme}://127.0.0.1:{server.port(port)}"
        assert run(*base, f"{url}/").stdout.count(b"\r\n") == COUNT
        assert run(*base, f"{url}/3").stdout.endswith(mail(2))
        assert run(*base, "-X", "UIDL", f"{url}/").stdout.count(b"\r\n") == COUNT
        assert b"body 4" in run(*base, "-X", "TOP 5 1", f"{url}/").stdout
        for mechanism in ("PLAIN", "LOGIN"):
            assert run(*base, "--login-options", f"AUTH={mechanism}", f"{url}/1").stdout.endswith(mail(0))
    assert run("curl", "-sS", "-k", "--user", f"{filled}:{PASSWORD}", f"pop3://127.0.0.1:{server.port(110)}/", check=False).returncode != 0
    run("curl", "-sS", "-k", "--user", f"{filled}:{PASSWORD}", "-I", "-m", "20", "-X", "DELE 1", f"pop3s://127.0.0.1:{server.port(995)}/", check=False)
    assert left(server, filled) == COUNT - 1


def fetchmail(server, user, folder, *words, port=995, tls="ssl", password=PASSWORD):
    settings, script, out = folder / "fetchmailrc", folder / "take", folder / "out"
    script.write_text(f"#!/bin/sh\ncat >>{out}\n")
    script.chmod(0o755)
    settings.write_text(f'poll 127.0.0.1 service {server.port(port)} protocol pop3 uidl user "{user}" password "{password}" {tls} '
                        f'no sslcertck {" ".join(words)} no rewrite mda "{script}"\n')
    settings.chmod(0o600)
    done = run("fetchmail", "-f", settings, "--nosyslog", "-v", "--pidfile", folder / "pid", check=False,
               folder=folder)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: there was nothing new
    return out.read_bytes().count(b"Subject: number ") if out.exists() else 0


def test_fetchmail_keeps_and_knows_what_it_has(server, filled, tmp_path):
    assert fetchmail(server, filled, tmp_path, "keep") == COUNT
    assert fetchmail(server, filled, tmp_path, "keep") == COUNT
    server.deliver(filled, mail(99))
    assert fetchmail(server, filled, tmp_path, "keep") == COUNT + 1
    assert left(server, filled) == COUNT + 1


def test_fetchmail_takes_everything_by_stls(server, filled, tmp_path):
    assert fetchmail(server, filled, tmp_path, "nokeep fetchall", port=110, tls='sslproto "TLS1.2+"') == COUNT
    assert b"\n.a dot" in (tmp_path / "out").read_bytes() and b"\n..two" in (tmp_path / "out").read_bytes()
    assert left(server, filled) == 0


def take(server, user, folder, delete):
    """By getmail; how many are there then."""
    getmail(folder, f"""\
        type = SimplePOP3SSLRetriever
        server = 127.0.0.1
        port = {server.port(995)}
        username = {user}
        password = {PASSWORD}
        """, delete)
    return len(list((folder / "mail/new").iterdir()))


def test_getmail_keeps_and_then_deletes(server, filled, tmp_path):
    assert take(server, filled, tmp_path, False) == COUNT
    assert take(server, filled, tmp_path, False) == COUNT
    assert left(server, filled) == COUNT
    server.deliver(filled, mail(99))
    assert take(server, filled, tmp_path, True) == COUNT + 1
    assert left(server, filled) == 0


def mpop(server, user, folder, *words, auth="on", port=995, starttls="off", password=PASSWORD):
    settings, out = folder / "mpoprc", folder / "out"
    settings.write_text(textwrap.dedent(f"""\
        defaults
        tls on
        tls_starttls {starttls}
        tls_certcheck off
        uidls_file {folder}/uidls
        account ours
        host 127.0.0.1
        port {server.port(port)}
        user {user}
        auth {auth}
        passwordeval printf %s '{password}'
        delivery mbox {out}
        account default : ours
        """))
    settings.chmod(0o600)
    run("mpop", "-C", settings, *words)
    return out.read_bytes().count(b"\nSubject: number ") if out.exists() else 0


@pytest.mark.parametrize(("auth", "port", "starttls"), [("user", 995, "off"), ("plain", 110, "on"), ("login", 110, "on")])
def test_mpop_keeps_and_then_deletes(server, filled, tmp_path, auth, port, starttls):
    more = {"auth": auth, "port": port, "starttls": starttls}
    assert mpop(server, filled, tmp_path, "--keep=on", **more) == COUNT
    assert mpop(server, filled, tmp_path, "--keep=on", **more) == COUNT
    server.deliver(filled, mail(99))
    assert mpop(server, filled, tmp_path, "--keep=off", **more) == COUNT + 1
    assert left(server, filled) == 0


def test_mpop_by_scram(tmp_path):
    """With an app password: SCRAM is for those. mpop uses it only where it is announced."""
    user = f"u@{DOMAIN}"
    with Server("[auth]\nscram = announced\n") as server:
        server.domain()
        server.account(user)
        server.deliver(user, mail(1))
        made = server.tool("app-password", "add", user, "--label", "mpop", "--scope", "pop3", stdin=PASSWORD + "\n").stdout.split()[-1]
        for auth in ("scram-sha-256", "on"):
            folder = tmp_path / auth
            folder.mkdir()
            assert mpop(server, user, folder, "--keep=on", auth=auth, password=made) == 1


def test_poplib(server, filled):
    client = poplib.POP3("127.0.0.1", server.port(110), timeout=30)
    assert "STLS" in client.capa() and "USER" not in client.capa()
    client.stls(insecure())
    assert client.capa()["SASL"][0] == "PLAIN"
    client.utf8()
    client.user(filled)
    client.pass_(PASSWORD)
    assert client.stat()[0] == COUNT == len(client.list()[1]) == len(client.uidl()[1])
    assert b"\r\n".join(client.retr(5)[1] + [b""]).endswith(mail(4))
    assert client.top(5, 1)[1][-1] == b"body 4"
    with pytest.raises(poplib.error_proto):
        client.retr(COUNT + 1)
    client.dele(1)
    client.rset()
    client.dele(2)
    client.quit()
    assert left(server, filled) == COUNT - 1


def test_neomutt_fetches_into_a_file(server, filled, tmp_path):
    spool = tmp_path / "spool"
    spool.touch()
    settings = tmp_path / "muttrc"
    settings.write_text(textwrap.dedent(f"""\
        set folder = "{tmp_path}"
        set mbox_type = mbox
        set spoolfile = "{spool}"
        set pop_host = "pops://127.0.0.1:{server.port(995)}"
        set pop_user = "{filled}"
        set pop_pass = "{PASSWORD}"
        set pop_authenticators = "user"
        set pop_delete = yes
        set certificate_file = "{certificate(server, tmp_path, 995)}"
        set ssl_verify_host = no
        set ssl_verify_dates = no
        set quit = yes
        set move = no
        push "<fetch-mail><quit>"
        """))
    shown = in_terminal("neomutt", "-n", "-F", settings, env=dict(os.environ, HOME=str(tmp_path), TERM="xterm"))
    assert spool.read_bytes().count(b"\nSubject: number ") == COUNT, shown[-2000:]
    assert left(server, filled) == 0
