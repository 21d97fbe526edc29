"""New settings and certificates for new connections; those that are open stay."""
import concurrent.futures
import os
import shutil
import ssl
import subprocess
import threading

import pytest

from server import DOMAIN, Failed, Server, messages, wait_for, wait_until

MAIL = b"Subject: x\r\n\r\nx\r\n"


def make_certificate(folder, name):
    """Readable by all: the gate reads it before it gives up its rights, but as whoever runs the tests."""
    certificate, key = folder / f"{name}-cert.pem", folder / f"{name}-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "30", "-subj", f"/CN={name}.test", "-out", certificate, "-keyout", key], check=True, capture_output=True)
    return certificate, key


def served(server, port=993):
    """The certificate a new connection sees."""
    return ssl.get_server_certificate(("127.0.0.1", server.port(port)))


def install(folder, pair):
    for made, name in zip(pair, ("cert.pem", "key.pem")):
        shutil.copyfile(made, folder / ".new")
        os.replace(folder / ".new", folder / name)


@pytest.fixture
def renewed(tmp_path):
    """A server with a certificate of its own, in a folder where another one can take its place."""
    tmp_path.chmod(0o755)
    install(tmp_path, make_certificate(tmp_path, "first"))
    with Server(f"[tls]\ncertificate = {tmp_path}/cert.pem\nkey = {tmp_path}/key.pem\n") as server:
        server.domain()
        server.account("a")
        yield server


def gates(server):
    return {role["pid"]: role["state"] for role in server.status()["roles"] if role["role"] == "gate"}


def test_a_renewed_certificate_is_served_and_no_connection_is_dropped(renewed, tmp_path):
    idle = renewed.imap("a")
    sending = renewed.submission("a")
    begun = renewed.submission("a")
    begun.mail(f"a@{DOMAIN}")
    begun.rcpt(f"a@{DOMAIN}")
    first = served(renewed)
    before = gates(renewed)
    install(tmp_path, make_certificate(tmp_path, "second"))
    renewed.tool("reload")
    assert served(renewed) == (tmp_path / "cert.pem").read_text() != first
    assert served(renewed, 465) == served(renewed)
    assert renewed.tool("status").returncode == 0
    assert begun.data(MAIL)[0] == 250
    sending.sendmail(f"a@{DOMAIN}", [f"a@{DOMAIN}"], MAIL)
    assert len(wait_for(idle, 2)) == 2
    with renewed.imap("a") as fresh:
        assert len(messages(fresh)) == 2
    after = gates(renewed)
    assert {after[pid] for pid in before if pid in after} == {"draining"}
    assert sum(state == "ready" for state in after.values()) == len(before)
    for client in (sending, begun):
        client.quit()
    idle.logout()
    wait_until(lambda: not set(gates(renewed)) & set(before), 20, "the old gates end with their last connection")
    assert renewed.tool("status").returncode == 0


def test_a_certificate_that_cannot_be_used_changes_nothing(renewed, tmp_path):
    first = served(renewed)
    before = gates(renewed)
    with renewed.imap("a") as client:
        (tmp_path / "cert.pem").write_text("no certificate\n")
        with pytest.raises(Failed) as failed:
            renewed.tool("reload")
        assert failed.value.status == 1 and "the old ones stay" in failed.value.error
        assert client.noop()[0] == "OK"
    assert served(renewed) == first
    wait_until(lambda: gates(renewed) == before, 10, "the gates are those of before")


def test_reload_after_reload_leaves_no_gate_behind(renewed):
    count = len(gates(renewed))
    with renewed.imap("a") as client:
        for _ in range(5):
            renewed.tool("reload")
            renewed.deliver("a", MAIL)
        assert len(wait_for(client, 5)) == 5
    wait_until(lambda: len(gates(renewed)) == count, 20, "only the newest gates are left")


def test_a_gate_that_is_killed_while_old_ones_drain_comes_back(renewed):
    client = renewed.imap("a")
    renewed.tool("reload")
    serving = {pid for pid, state in gates(renewed).items() if state == "ready"}
    for pid in serving:
        os.kill(pid, 9)
    wait_until(lambda: sum(state == "ready" for state in gates(renewed).values()) == len(serving), 20, "they are back")
    assert client.noop()[0] == "OK"
    client.logout()


def test_who_comes_amid_a_reload_is_served(renewed):
    """The keeper restarts with it: logins and recipients wait for the new one."""
    answers, over = [], threading.Event()

    def come_and_go():
        while not over.is_set():
            with renewed.smtp() as client:
                client.mail("b@example.org")
                answers.append(client.rcpt(f"a@{DOMAIN}")[0])
            renewed.imap("a").logout()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        clients = [pool.submit(come_and_go) for _ in range(2)]
        try:
            for _ in range(4):
                renewed.tool("reload")
        finally:
            over.set()
        for client in clients:
            client.result(60)
    assert len(answers) >= 4 and set(answers) == {250}


def test_new_settings_are_for_new_connections(own):
    own.account("a")
    with own.smtp() as old:
        own.conf.write_text(own.conf.read_text() + "[smtp]\nmessage_max = 100K\n")
        own.tool("reload")
        with own.smtp() as new:
            assert new.esmtp_features["size"] == str(100 * 1024)
        old.ehlo()
        assert old.esmtp_features["size"] == str(50 * 1024 * 1024)
        old.sendmail("b@example.org", [f"a@{DOMAIN}"], MAIL)


def test_what_takes_a_restart_is_refused_by_name(own):
    text = own.conf.read_text()
    for section, line in (("smtp", "port = 2525"), ("log", "sync = 7"), ("server", "gates = 3")):
        own.conf.write_text(f"{text}[{section}]\n{line}\n")
        with pytest.raises(Failed) as failed:
            own.tool("reload")
        name = line.split()[0]
        assert failed.value.status == 1 and f"[{section}] {name} cannot change" in failed.value.error
        shown = own.tool("config", f"{section}.{name}").stdout
        assert "changed by a restart" in shown
    assert "changed by waxwing reload" in own.tool("config", "smtp.message_max").stdout


def test_a_wrong_file_changes_nothing(own):
    own.conf.write_text(own.conf.read_text() + "[smtp]\nprot = 25\n")
    with pytest.raises(Failed) as failed:
        own.tool("reload")
    assert failed.value.status == 1 and "waxwing.conf:" in failed.value.error
    with own.smtp() as client:
        assert client.noop()[0] == 250
