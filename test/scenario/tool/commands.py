"""The program itself: how it starts, stops, explains and complains."""
import json
import os
import signal
import subprocess

import pytest

from server import PASSWORD, PROGRAM, Server, children, wait_for, wait_until


def run(*words, **more):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, **more)


def test_every_setting_is_explained():
    out = run("config").stdout
    assert "[smtp]" in out and "message_max" in out and "# default: 50M" in out


def test_a_bad_file_is_named_with_its_line(tmp_path):
    (tmp_path / "bad.conf").write_text("[smtp]\n\nprot = 25\n")
    done = run("-c", str(tmp_path / "bad.conf"), "config", "check")
    assert done.returncode != 0
    assert "bad.conf:3:" in done.stderr and len(done.stderr.splitlines()) == 1
    assert run("-c", str(tmp_path / "bad.conf"), "serve").returncode != 0


@pytest.mark.parametrize("words, told", [
    ([], "usage: waxwing [-c FILE] COMMAND"),
    (["-c"], "usage: waxwing [-c FILE] COMMAND"),
    (["-x"], "usage: waxwing [-c FILE] COMMAND"),
    (["what"], "there is no command `what`"),
    (["help", "what"], "there is no command `what`"),
    (["serve", "now"], "usage: waxwing serve [--foreground]"),
    (["account"], "usage: waxwing account add ADDRESS"),
    (["account", "addd", "a@demo.test"], "account list [--json] | account remove ADDRESS"),
    (["account", "add"], "usage: waxwing account add ADDRESS [--password-stdin] [--quota SIZE]"),
    (["domain", "add"], "usage: waxwing domain add DOMAIN"),
    (["domain", "add", "a.test", "b.test"], "usage: waxwing domain add DOMAIN"),
    (["app-password", "list"], "usage: waxwing app-password list ADDRESS [--json]"),
    (["stop", "it"], "usage: waxwing stop"),
    (["config", "smtp.prot"], "there is no setting smtp.prot"),
])
def test_bad_usage_exits_with_2(words, told):
    done = run(*words)
    assert done.returncode == 2 and done.stdout == "" and told in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words, told, status", [
    ("status now", "usage: waxwing status [--json]", 2),
    ("account list --jsn", "unknown option --jsn", 2),
    ("account add b@demo.test --quota", "--quota needs a value", 2),
    ("account add b@demo.test --quota 5X", "5X is no size", 2),
    ("account add @demo.test", "waxwing address add", 2),
    ("account add b@nope.test", "first run `waxwing domain add nope.test`", 1),
    ("account add b", "write it as name@domain", 1),
    ("account lock b@demo.test", "there is no account b@demo.test", 1),
    ("domain add @", "write it as example.org", 1),
    ("domain remove nope.test", "there is no domain nope.test", 1),
    ("address add x@demo.test b@demo.test", "there is no account b@demo.test", 1),
    ("address remove x@demo.test", "there is no further address x@demo.test", 1),
])
def test_what_the_server_refuses_is_told_in_one_line(server, words, told, status):
    done = server.tool(*words.split(), stdin="long enough\nlong enough too\n", check=False)
    assert done.returncode == status and done.stdout == "" and told in done.stderr and len(done.stderr.splitlines()) == 1


def test_version_and_help():
    assert run("version").stdout.startswith("waxwing ")
    assert "account add" in run("help").stdout


def test_status_without_a_server_exits_with_2(tmp_path):
    (tmp_path / "w.conf").write_text(f"[server]\ndata = {tmp_path}/none\n")
    done = run("-c", str(tmp_path / "w.conf"), "status")
    assert done.returncode == 2 and "not running" in done.stderr


def test_status_tells_roles(server):
    done = server.tool("status", "--json")
    assert done.returncode == 0
    text = json.dumps(json.loads(done.stdout))
    for role in ("gate", "keeper", "intake", "store"):
        assert role in text
    assert server.tool("status").stdout


def test_what_exists_is_not_added_twice(server, user):
    for words, stdin in ((("domain", "add", "demo.test"), ""), (("account", "add", user, "--password-stdin"), "x y z\n")):
        done = server.tool(*words, stdin=stdin, check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_the_control_socket_is_private(server):
    assert os.stat(server.data / "control.sock").st_mode & 0o077 == 0


def test_it_stops_on_the_command_and_starts_again_with_its_data():
    with Server() as server:
        server.domain()
        server.account("a@demo.test")
        server.tool("stop")
        assert server.process.wait(20) == 0
        server.process = None
        server.start()
        assert "a@demo.test" in server.tool("account", "list").stdout
        server.stop()


def test_a_role_that_is_killed_comes_back(own):
    own.account("a")
    for role in ("gate", "keeper", "intake", "store"):
        before = {pid for pid, name in own.roles().items() if name == role}
        assert before, role
        for pid in before:
            os.kill(pid, 9)
        wait_until(lambda: {p for p, n in own.roles().items() if n == role} - before, 20, f"{role} is back")
        wait_until(lambda: own.tool("status", check=False).returncode == 0, 20, "healthy again")
        own_deliver(own)
    with own.imap("a") as client:
        assert len(wait_for(client, 4)) == 4


@pytest.mark.parametrize("words", [("domain", "add", "other.test"), ("dkim", "rotate", "demo.test")])
def test_mail_and_logins_go_on_while_keys_are_made(own, words):
    own.account("a")
    app = own.tool("app-password", "add", "a@demo.test", "--label", "x", stdin=PASSWORD + "\n").stdout.split()[-1]
    makers = [pid for pid, name in own.roles().items() if name == "keeper" and not children(pid)]
    assert len(makers) == 2
    for pid in makers:
        os.kill(pid, signal.SIGSTOP)
    try:
        with subprocess.Popen([PROGRAM, "-c", own.conf, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as adding:
            # whatever comes of it can only come once they go on
            own_deliver(own)
            with own.imap("a", app) as client:
                wait_for(client, 1)
            assert own.tool("domain", "list").stdout == "demo.test\n"
            assert len(own.tool("dkim", "list", "demo.test").stdout.splitlines()) == 2
            assert adding.poll() is None
            for pid in makers:
                os.kill(pid, signal.SIGCONT)
            assert adding.wait(60) == 0, adding.stderr.read()
    finally:
        for pid in makers:
            os.kill(pid, signal.SIGCONT)
    assert len(own.tool("dkim", "list", words[2]).stdout.splitlines()) == (2 if words[0] == "domain" else 4)


def own_deliver(server):
    """As another server would: what is answered 4xx, or cut off, is tried again."""
    import smtplib

    def once():
        try:
            server.deliver("a", b"Subject: x\r\n\r\nx\r\n")
            return True
        except (smtplib.SMTPException, OSError):
            return False
    wait_until(once, 20, "a message is accepted")
