"""Straight to other servers, by the MX records of a little internet; smtp-sink among them."""
import json
import shutil
import socket
import subprocess

import pytest

from internet import Internet
from mailservers import connects
from server import DOMAIN, Server, wait_until
from smtppeer import Peer

SETTINGS = """
[courier]
port = {port}
retry_first = 1
retry_longest = 2
reply_timeout = 5
connect_timeout = 2
routes = routed.test=127.0.0.2:{port}
"""
class World:
    def __init__(self):
        self.net = Internet()
        self.peer = Peer(address="127.0.0.2")
        self.port = self.peer.port
        zone = self.net.zone
        zone("first.test").add("MX 10 dead").add("dead", "A 127.0.0.9").add("MX 20 live").add("live", "A 127.0.0.2")
        zone("plain.test").add("A 127.0.0.2")
        zone("late.test").add("MX 10 live.first.test.")
        zone("null.test").add("MX 0 .")
        zone("nulls.test").add("MX 0 .").add("MX 10 .")
        zone("beside.test").add("MX 0 .").add("MX 10 live.first.test.")
        zone("crowd.test")
        for number in range(300):
            zone("crowd.test").add(f"MX 10 m{number}")
        zone("loop.test").add(f"MX 10 mx.{DOMAIN}.").add("MX 20 worse").add("worse", "A 127.0.0.2")
        zone("lame.test").add("MX 10 nowhere")
        zone("bogus.test", bogus=True).add("MX 10 live.first.test.")
        zone("sink.test").add("MX 10 sink").add("sink", "A 127.0.0.3")
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

    def deferred(self, domain):
        """What `queue show` says of the message to that domain, once it was tried in vain."""
        def shown():
            rows = [one for one in json.loads(self.server.tool("queue", "list", "--json").stdout)
                    if one["destinations"] == [domain] and one["attempts"] > 0]
            return rows and json.loads(self.server.tool("queue", "show", rows[0]["id"], "--json").stdout)
        return wait_until(shown, 20, "it is deferred")

    def close(self):
        self.server.remove()
        self.peer.close()
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


@pytest.mark.parametrize("domain, status", [("null.test", "5.1.10"), ("nulls.test", "5.1.10"), ("nowhere.example", "5.1.2"), ("loop.test", "5.4.6"),
                                            ("lame.test", "5.1.2")])
def test_a_domain_that_can_take_no_mail_is_a_failure_at_once(world, domain, status):
    user = "u" + domain.split(".")[0]
    world.server.account(user)
    taken = len(world.peer.taken)
    world.send(user, f"bob@{domain}")
    assert f"Status: {status}\r\n" in world.failure(user)
    assert len(world.peer.taken) == taken


def test_an_address_in_brackets_and_a_server_beside_a_null_mx_get_theirs(world):
    world.server.account("odd")
    world.send("odd", "bob@[127.0.0.2]", "carol@beside.test")
    wait_until(lambda: {"bob@[127.0.0.2]", "carol@beside.test"} <= {to for one in world.peer.taken for to in one.recipients},
               20, "both are delivered")


def test_the_queue_says_why_the_dns_is_of_no_use(world):
    world.server.account("curious")
    world.send("curious", "bob@crowd.test")
    shown = world.deferred("crowd.test")
    assert shown["destinations"][0]["reply"] == "The DNS does not say where that domain's mail goes: too many records"
    world.server.tool("queue", "remove", shown["entry"]["id"])


def test_who_answers_a_report_reaches_the_postmaster(world):
    world.server.account("chief@" + DOMAIN)
    with world.server.smtp() as client:
        client.mail("bob@first.test")
        assert client.rcpt(f"postmaster@mx.{DOMAIN}")[0] == 250
        assert client.rcpt(f"anybody@mx.{DOMAIN}")[0] == 550


def test_a_forged_answer_is_no_answer(world):
    world.server.account("forged")
    world.send("forged", "bob@bogus.test")
    shown = world.deferred("bogus.test")
    assert shown["destinations"][0]["code"] == 451
    world.server.tool("queue", "remove", shown["entry"]["id"])


def test_name_servers_that_are_silent_hold_up_only_what_needs_them(world):
    def taken(address):
        return [one for one in world.peer.taken if one.recipients == [address]]
    world.server.account("silence")
    world.net.freeze("resolver")
    try:
        world.send("silence", "bob@late.test")
        world.send("silence", "bob@routed.test")
        wait_until(lambda: taken("bob@routed.test"), 20, "the one that needs no name goes out")
        wait_until(lambda: [one for one in json.loads(world.server.tool("queue", "list", "--json").stdout)
                            if one["attempts"] > 0 and one["destinations"] == ["late.test"]], 40, "the other waits")
        assert not taken("bob@late.test")
        world.send("silence", *[f"bob@d{number}.test" for number in range(25)])
        wait_until(lambda: "courier dns.silent " in world.server.log.read_text(), 40, "the log says that nobody answers")
    finally:
        world.net.thaw("resolver")
    wait_until(lambda: taken("bob@late.test"), 40, "it goes out when they answer")
    assert "courier dns.answers.again " in world.server.log.read_text()


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
