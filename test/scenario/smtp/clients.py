"""Real programs send mail, and it arrives as it was sent."""
import textwrap

from programs import run
from server import PASSWORD, wait_for

BODY = b"From: Stranger <stranger@example.org>\r\nSubject: by a real client\r\n\r\nHello,\r\n.a dot\r\n..two\r\n.\r\nend\r\n"


def from_self(user):
    return BODY.replace(b"Stranger <stranger@example.org>", user.encode())


def received(server, user):
    with server.imap(user) as client:
        return wait_for(client, 1)


def test_swaks_sends_in_clear(server, user):
    run("swaks", "--server", f"127.0.0.1:{server.port(25)}", "--from", "stranger@example.org", "--to", user,
        "--header", "Subject: swaks", "--body", "hello from swaks")
    assert b"hello from swaks" in received(server, user)[0]


def test_swaks_sends_with_starttls(server, user):
    run("swaks", "--server", f"127.0.0.1:{server.port(25)}", "--tls", "--from", "stranger@example.org", "--to", user,
        "--body", "hello over TLS")
    got = received(server, user)[0]
    assert b"hello over TLS" in got
    assert b" with ESMTPS " in got and b"\r\n\ttls TLS_" in got


def test_swaks_submits_with_a_password(server, user):
    run("swaks", "--server", f"127.0.0.1:{server.port(587)}", "--tls", "--auth", "PLAIN", "--auth-user", user,
        "--auth-password", PASSWORD, "--from", user, "--to", user, "--body", "to myself")
    assert b"to myself" in received(server, user)[0]


def test_swaks_submits_with_auth_login_on_465(server, user):
    run("swaks", "--server", f"127.0.0.1:{server.port(465)}", "--tls-on-connect", "--auth", "LOGIN", "--auth-user", user,
        "--auth-password", PASSWORD, "--from", user, "--to", user, "--body", "implicit TLS")
    assert b"implicit TLS" in received(server, user)[0]


def test_curl_sends(server, user, tmp_path):
    (tmp_path / "mail").write_bytes(BODY)
    run("curl", "-sS", f"smtp://127.0.0.1:{server.port(25)}/client.example", "--mail-from", "stranger@example.org",
        "--mail-rcpt", user, "-T", tmp_path / "mail")
    assert received(server, user)[0].endswith(BODY)


def test_curl_submits_with_tls(server, user, tmp_path):
    (tmp_path / "mail").write_bytes(from_self(user))
    run("curl", "-sS", "-k", f"smtps://127.0.0.1:{server.port(465)}/client.example", "--user", f"{user}:{PASSWORD}",
        "--mail-from", user, "--mail-rcpt", user, "-T", tmp_path / "mail")
    assert b"\r\n.a dot\r\n..two\r\n.\r\nend\r\n" in received(server, user)[0]


def test_msmtp_submits(server, user, tmp_path):
    settings = tmp_path / "msmtprc"
    settings.write_text(textwrap.dedent(f"""\
        account default
        host 127.0.0.1
        port {server.port(587)}
        tls on
        tls_starttls on
        tls_certcheck off
        auth plain
        user {user}
        password {PASSWORD}
        from {user}
        """))
    settings.chmod(0o600)
    run("msmtp", "-C", settings, user, input=from_self(user).replace(b"\r\n", b"\n"))
    assert b"..two\r\n.\r\nend" in received(server, user)[0]


def test_smtplib_delivers_to_many_at_once(server, user):
    names = [user]
    for number in range(3):
        name = user.replace("@", f"-{number}@")
        server.account(name)
        names.append(name)
    with server.smtp() as client:
        assert client.sendmail("stranger@example.org", names, BODY) == {}
    for name in names:
        assert received(server, name)[0].endswith(BODY)
