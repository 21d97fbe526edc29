"""Accounts that suddenly write as their owner never did: their mail is held, owner and operator are told, nothing is lost."""
import email
import json
import os
import shutil
import signal
import smtplib
import subprocess
import threading

import pytest

from filters import listens
from internet import free_port
from server import DOMAIN, Server, messages, wait_for, wait_until
from smtppeer import Peer

SETTINGS = """
[server]
gates = 2
intakes = 2
[smtp]
recipients_per_hour = 0
[courier]
relay = 127.0.0.1:{port}
relay_tls = optional
retry_first = 1
[abuse]
new_recipients = 40
bounces = 10
"""


class Post:
    """A server whose mail all goes to one peer; boss, the oldest account, is its operator."""
    def __init__(self, more="", port=None):
        self.peer = Peer()
        self.server = Server(SETTINGS.format(port=port or self.peer.port) + more, linger=1)
        self.server.start()
        self.server.domain()
        for name in ("boss", "alice", "carol"):
            self.server.account(name)

    def send(self, *to, user="alice", client=None):
        text = f"From: {user}@{DOMAIN}\r\nTo: {to[0]}\r\nSubject: x\r\n\r\nhello\r\n"
        if client is not None:
            return client.sendmail(f"{user}@{DOMAIN}", list(to), text)
        with self.server.submission(user) as own:
            return own.sendmail(f"{user}@{DOMAIN}", list(to), text)

    def flood(self, count, clients=4, user="alice"):
        """To so many strangers, in as many connections at a time; what could not be sent."""
        failed = []

        def run(which):
            try:
                with self.server.submission(user) as client:
                    for number in range(which, count, clients):
                        self.send(f"stranger{number}@example.org", user=user, client=client)
            except (smtplib.SMTPException, OSError) as error:
                failed.append(error)
        threads = [threading.Thread(target=run, args=(which,)) for which in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return failed

    def ask(self, what):
        """What `waxwing queue` says, once the queue is read."""
        def tried():
            done = self.server.tool("queue", what, "--json", check=False)
            return done if done.returncode == 0 else None
        return json.loads(wait_until(tried, 20, "the queue is read").stdout)

    def queue(self):
        return self.ask("list")

    def accounts(self):
        return self.ask("accounts")

    def until_still(self):
        """Nothing is on its way but what is held; reports of other kinds have gone."""
        return wait_until(lambda: self.accounts() and {one["state"] for one in self.queue()} == {"held"} and self.queue(),
                          20, "all that is queued is held")

    def taken(self):
        return {to for one in self.peer.taken for to in one.recipients}

    def mail(self, user, count=1):
        with self.server.imap(user) as client:
            return [email.message_from_bytes(one) for one in wait_for(client, count)]

    def close(self):
        self.server.remove()
        self.peer.close()


@pytest.fixture
def make():
    made = []

    def build(more="", port=None):
        made.append(Post(more, port))
        return made[-1]
    yield build
    for post in made:
        post.close()


def test_a_flood_to_strangers_is_held_and_sent_when_it_was_the_owner(make):
    post = make()
    assert post.flood(100) == []  # the client is told nothing
    held = post.until_still()
    assert len(held) >= 60 and len(post.taken()) <= 40 and {one["why"] for one in held} == {"account looks hijacked"}
    assert "held: account looks hijacked" in post.server.tool("queue", "list").stdout
    [account] = post.accounts()
    assert account["address"] == f"alice@{DOMAIN}" and account["messages"] == len(held)
    assert (account["why"], account["seen"], account["usual"]) == ("many new recipients", 41, 0)
    assert "the mail of 1 accounts is held" in post.server.tool("status").stdout
    assert "account.held" in post.server.log.read_text()
    [owner] = post.mail("alice")
    assert owner["Return-Path"] == "<>" and owner["Subject"] == "Your mail to others is held back"
    assert "41 of them" in owner.get_payload() and "change your password" in owner.get_payload()
    [operator] = post.mail("boss")
    assert f"waxwing queue release --account alice@{DOMAIN}" in operator.get_payload()
    assert "stranger" not in owner.get_payload() + operator.get_payload() + post.server.log.read_text()
    # others are not held, nor is what comes to the account
    post.send("bob@example.org", user="carol")
    wait_until(lambda: "bob@example.org" in post.taken(), 20, "others' mail goes out")
    assert "messages are sent now" in post.server.tool("queue", "release", "--account", f"alice@{DOMAIN}").stdout
    wait_until(lambda: not post.queue(), 20, "the queue is empty")
    assert {f"stranger{number}@example.org" for number in range(100)} <= post.taken()
    assert len(post.peer.recipients()) == 101 and post.accounts() == []
    # and now as many are as usual
    assert post.flood(100) == []
    wait_until(lambda: not post.queue(), 20, "the queue is empty again")
    assert post.accounts() == []


def test_a_hold_outlives_every_role(make):
    post = make()
    post.flood(60)
    before = {one["id"] for one in post.until_still()}
    taken = post.taken()
    post.mail("boss")
    for role in ("courier", "keeper", "store"):
        pid = next(pid for pid, name in post.server.roles().items() if name == role)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: any(name == role and other != pid for other, name in post.server.roles().items()), 20, role)
        post.send(f"after-{role}@example.org")
        assert len(post.until_still()) >= len(before)
    post.server.kill()
    post.server.start()
    after = {one["id"] for one in post.until_still()}
    assert before < after and len(after) == len(before) + 3
    post.send("bob@example.org", user="carol")
    wait_until(lambda: "bob@example.org" in post.taken(), 20, "others' mail goes out")
    assert post.taken() - taken == {"bob@example.org"}
    assert len(post.mail("alice")) == 1 and len(post.mail("boss")) == 1  # told once


def test_what_a_thief_wrote_is_thrown_away(make):
    post = make()
    post.flood(60)
    held = post.until_still()
    out = post.server.tool("queue", "remove", "--account", f"alice@{DOMAIN}").stdout
    assert out.startswith(f"{len(held)} messages are removed")
    assert post.queue() == [] and len(post.accounts()) == 1
    taken = post.taken()
    post.send("late@example.org")
    assert len(post.until_still()) == 1
    post.server.tool("queue", "release", "--account", f"alice@{DOMAIN}")
    wait_until(lambda: not post.queue(), 20, "the queue is empty")
    assert post.taken() - taken == {"late@example.org"}
    # which taught nobody that a flood is as usual
    post.flood(60)
    assert post.until_still()


def test_many_refused_recipients_hold_an_account(make):
    post = make()
    post.peer.script["rcpt"] = lambda address, peer: "550 5.1.1 nobody here" if address.startswith("gone") else None
    for number in range(12):
        post.send(f"gone{number}@example.org")
    [account] = wait_until(post.accounts, 20, "the account is held")
    assert account["why"] == "many bounces" and account["seen"] == 11
    post.send("bob@example.org")
    assert len(post.until_still()) >= 1 and post.taken() == set()
    assert "refused many recipients" in [one for one in post.mail("boss")][0].get_payload()


@pytest.mark.skipif(not shutil.which("smtp-sink"), reason="Postfix's smtp-sink is not installed")
def test_a_real_server_that_refuses_all_holds_an_account(make):
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen(["smtp-sink", "-c", "-f", "RCPT", *user, f"127.0.0.1:{port}", "100"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sink:
        try:
            wait_until(lambda: sink.poll() is None and listens(port), 10, "smtp-sink listens")
            post = make(port=port)
            assert post.flood(30) == []
            [account] = wait_until(post.accounts, 20, "the account is held")
            assert account["why"] == "many bounces"
        finally:
            sink.terminate()


def test_a_list_that_is_known_and_a_first_one_are_as_usual(make):
    post = make()
    everyone = [f"member{number}@example.org" for number in range(39)]
    for _ in range(4):
        post.send(*everyone)
    wait_until(lambda: len(post.peer.recipients()) == 4 * 39, 20, "all is delivered")
    assert post.accounts() == []
    post.send("one@example.org")
    wait_until(lambda: "one@example.org" in post.taken(), 20, "it is delivered")
    post.send("two@example.org")
    assert len(post.until_still()) == 1
    post.server.stop()  # what was known is kept
    post.server.start()
    wait_until(post.accounts, 20, "it is held still")


def test_the_operator_holds_an_account_and_others_are_told_nothing(make):
    post = make(f"operator = carol@{DOMAIN}\n")
    post.server.tool("queue", "hold", "--account", f"alice@{DOMAIN}")
    post.send("bob@example.org")
    [one] = post.until_still()
    assert one["why"] == "account held by the operator" and post.accounts()[0]["why"] == "by the operator"
    assert post.server.tool("queue", "hold", "--account", f"nobody@{DOMAIN}", check=False).returncode == 1
    assert post.server.tool("queue", "release", "--account", f"carol@{DOMAIN}", check=False).returncode == 1
    assert post.server.tool("queue", "release", "--account", check=False).returncode == 2
    post.server.tool("queue", "release", "--account", f"alice@{DOMAIN}")
    wait_until(lambda: post.taken() == {"bob@example.org"}, 20, "it is sent")
    with post.server.imap("alice") as client:
        assert messages(client) == []
    post.flood(60)
    assert "held back" in post.mail("carol")[0]["Subject"]
    with post.server.imap("boss") as client:
        assert messages(client) == []


def test_an_account_that_is_removed_leaves_its_mail_held(make):
    post = make()
    post.flood(60)
    held = len(post.until_still())
    taken = post.taken()
    post.server.tool("account", "remove", f"alice@{DOMAIN}")
    post.server.stop()
    post.server.start()
    assert len(post.until_still()) == held and post.taken() == taken
    post.server.tool("queue", "remove", "--account", f"alice@{DOMAIN}")
    assert post.queue() == []
