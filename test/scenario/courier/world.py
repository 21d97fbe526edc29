"""Straight to other servers, by the MX records of a little internet; smtp-sink and Postfix among them."""
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from internet import Internet
from server import DOMAIN, Server, wait_until
from smtppeer import Peer, self_signed

SETTINGS = """
[courier]
port = {port}
retry_first = 1
retry_longest = 2
reply_timeout = 5
connect_timeout = 2
"""
MASTER = """
{address}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
trace unix - - n - 0 bounce
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_protocols = ipv4
myhostname = mail.postfix.test
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{bob@postfix.test=bob/}} }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
maillog_file = {folder}/log.txt
maillog_file_prefixes = {folder}
"""


class Postfix:
    def __init__(self, address, port):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="waxwing-postfix-"))
        self.folder.chmod(0o755)
        for name in ("queue", "data", "mail", "etc"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail", 65534, 65534)
        certificate, key = self_signed("mail.postfix.test", str(self.folder))
        (self.folder / "etc/master.cf").write_text(MASTER.format(address=address, port=port))
        (self.folder / "etc/main.cf").write_text(MAIN.format(folder=self.folder, certificate=certificate, key=key))
        subprocess.run(["postfix", "-c", self.folder / "etc", "start"], check=True, capture_output=True)
        wait_until(lambda: connects(address, port), 10, "Postfix listens")

    def mail(self):
        return [path.read_bytes() for path in (self.folder / "mail/bob/new").glob("*")]

    def close(self):
        subprocess.run(["postfix", "-c", self.folder / "etc", "stop"], check=False, capture_output=True, timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)


def connects(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class World:
    def __init__(self):
        self.net = Internet()
        self.peer = Peer(address="127.0.0.2")
        self.port = self.peer.port
        self.others = []
        zone = self.net.zone
        zone("first.test").add("MX 10 dead").add("dead", "A 127.0.0.9").add("MX 20 live").add("live", "A 127.0.0.2")
        zone("plain.test").add("A 127.0.0.2")
        zone("null.test").add("MX 0 .")
        zone("loop.test").add(f"MX 10 mx.{DOMAIN}.").add("MX 20 worse").add("worse", "A 127.0.0.2")
        zone("lame.test").add("MX 10 nowhere")
        zone("bogus.test", bogus=True).add("MX 10 live.first.test.")
        zone("sink.test").add("MX 10 sink").add("sink", "A 127.0.0.3")
        zone("postfix.test").add("MX 10 mail").add("mail", "A 127.0.0.4")
        self.net.publish()
        self.server = Server(SETTINGS.format(port=self.port) + self.net.settings(), linger=1)
        self.server.start()
        self.server.domain()

    def send(self, user, *to):
        with self.server.submission(user) as client:
            client.sendmail(f"{user}@{DOMAIN}", list(to), f"From: {user}@{DOMAIN}\r\nSubject: x\r\n\r\nhello\r\n")

    def failure(self, user, count=1):
        with self.server.imap(user) as client:
            rows = wait_until(lambda: client.noop() and len(client.search(None, "ALL")[1][0].split()) >= count and
                              client.fetch(str(count), "(BODY.PEEK[])")[1], 20, "a report")
        return rows[0][1].decode()

    def close(self):
        self.server.remove()
        self.peer.close()
        for other in self.others:
            other.close()
        self.net.close()


@pytest.fixture(scope="module")
def world():
    made = World()
    try:
        yield made
    finally:
        made.close()


def test_the_best_server_that_answers_gets_it(world):
    world.server.account("first")
    world.send("first", "bob@first.test", "carol@plain.test")
    wait_until(lambda: len(world.peer.taken) == 2, 20, "both are delivered")
    assert sorted(one.recipients[0] for one in world.peer.taken) == ["bob@first.test", "carol@plain.test"]


@pytest.mark.parametrize("domain, status", [("null.test", "5.1.10"), ("nowhere.example", "5.1.2"), ("loop.test", "5.4.6"),
                                            ("lame.test", "5.1.2")])
def test_a_domain_that_can_take_no_mail_is_a_failure_at_once(world, domain, status):
    user = "u" + domain.split(".")[0]
    world.server.account(user)
    taken = len(world.peer.taken)
    world.send(user, f"bob@{domain}")
    assert f"Status: {status}\r\n" in world.failure(user)
    assert len(world.peer.taken) == taken


def test_a_forged_answer_is_no_answer(world):
    world.server.account("forged")
    world.send("forged", "bob@bogus.test")

    def failed():
        rows = [one for one in json.loads(world.server.tool("queue", "list", "--json").stdout)
                if one["destinations"] == ["bogus.test"] and one["attempts"] > 0]
        return rows and json.loads(world.server.tool("queue", "show", rows[0]["id"], "--json").stdout)
    shown = wait_until(failed, 20, "it is deferred")
    assert shown["destinations"][0]["code"] == 451
    world.server.tool("queue", "remove", shown["entry"]["id"])


@pytest.mark.skipif(not shutil.which("smtp-sink"), reason="Postfix's smtp-sink is not installed")
def test_many_go_to_smtp_sink(world):
    sink = subprocess.Popen(["smtp-sink", "-c", f"127.0.0.3:{world.port}", "100"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, user="nobody")
    try:
        wait_until(lambda: connects("127.0.0.3", world.port), 10, "smtp-sink listens")
        world.server.account("many")
        with world.server.submission("many") as client:
            for number in range(50):
                client.sendmail(f"many@{DOMAIN}", [f"x{number}@sink.test"], f"From: many@{DOMAIN}\r\n\r\n{number}\r\n")
        wait_until(lambda: not [one for one in json.loads(world.server.tool("queue", "list", "--json").stdout)
                                if "sink.test" in one["destinations"]], 30, "the queue is empty")
    finally:
        sink.terminate()
    assert b"mesg=50" in sink.communicate()[0].split()


@pytest.mark.skipif(not shutil.which("postfix") or not pathlib.Path("/etc/postfix").exists(), reason="no Postfix")
def test_postfix_takes_mail_over_tls(world):
    postfix = Postfix("127.0.0.4", world.port)
    world.others.append(postfix)
    world.server.account("pf")
    world.send("pf", "bob@postfix.test", "nobody@postfix.test")
    mail = wait_until(postfix.mail, 30, "Postfix has delivered it")[0]
    assert b"using TLSv1.3" in mail and b"by mail.postfix.test (Postfix) with ESMTPS" in mail
    assert "Final-Recipient: rfc822; nobody@postfix.test\r\nAction: failed\r\nStatus: 5.1.1" in world.failure("pf")
