"""
Where mail goes because the operator says so: through servers that want a login, to one that takes what cannot be
reached, and, of some senders, only over TLS that is proved.
"""
import json
import urllib.parse

import pytest

from authority import Authority
from internet import Internet, free_port
from mailservers import Door, Exim, available
from policyhost import PolicyHost
from server import DOMAIN, Server, wait_until
from smtppeer import Peer, self_signed

pytestmark = pytest.mark.skipif(not available(), reason="Exim, and root to run it")

SETTINGS = """
[tls]
roots = {roots}
[courier]
port = {port}
sts_port = {sts_port}
retry_first = 1
retry_longest = 1
reply_timeout = 10
connect_timeout = 2
routes = {routes}
fallback = smtp://{login}@smart.test:{port}
require_tls_from = secret@{domain}, secure.test
"""
ROUTES = {
    "first.test": "smtps://{login}@smart.test:{tls_port}",
    ".first.test": "smtps://{login}@smart.test:{tls_port}",
    "second.test": "smtp://{login}@smart.test:{port}",
    "false.test": "smtp://somebody:else@smart.test:{port}",
    "wrongname.test": "smtps://{login}@other.test:{tls_port}",
    "strips.test": "smtp://{login}@clear.test:{port}",
}
SECRET = [f"secret@{DOMAIN}", "alice@secure.test"]
ADDRESSES = {"smart": "127.0.30.1", "proven": "127.0.30.2", "unknown": "127.0.30.3", "clear": "127.0.30.4", "away": "127.0.30.9"}


class World:
    def __init__(self):
        self.authority, self.net, port = Authority(), Internet(), free_port()
        tls = self.authority.certificate("smart.test")
        self.exim = Exim(["first.test", "second.test", "false.test", "wrongname.test", "strips.test", "fallen.test",
                          "nowhere.test"],
                         port, {ADDRESSES["smart"]: Door(tls=tls, habit="login")})
        self.peers = {"proven": Peer(address=ADDRESSES["proven"], port=port, tls=self.authority.certificate("mx.proven.test")),
                      "unknown": Peer(address=ADDRESSES["unknown"], port=port, tls=self_signed("mx.unknown.test")),
                      "clear": Peer(("PIPELINING", "AUTH PLAIN LOGIN"), address=ADDRESSES["clear"], port=port)}
        for name in ("smart", "other"):
            self.net.zone(f"{name}.test").add(f"A {ADDRESSES['smart']}")
        for name in self.peers:
            zone = self.net.zone(f"{name}.test", signed=False).add("MX 10 mx").add("mx", f"A {ADDRESSES[name]}")
            zone.add(f"A {ADDRESSES[name]}")
        for name, how in (("fallen", {"signed": False}), ("dane", {}), ("enforced", {"signed": False})):
            self.net.zone(f"{name}.test", **how).add("MX 10 mx").add("mx", f"A {ADDRESSES['away']}")
        self.net.zone("dane.test").add(f"_{port}._tcp.mx", "TLSA 3 1 1 " + "00" * 32)
        self.policies = PolicyHost("127.0.30.10")
        self.policies.certificates["enforced.test"] = self.authority.certificate("mta-sts.enforced.test")
        self.policies.pages["enforced.test"] = (200, "text/plain", "version: STSv1\r\nmode: enforce\r\nmx: mx.enforced.test\r\nmax_age: 86400\r\n")
        self.net.zone("enforced.test").add("_mta-sts", '1 TXT "v=STSv1; id=1;"').add("mta-sts", "A 127.0.30.10")
        self.net.publish()
        login = ":".join(urllib.parse.quote(word, safe="") for word in (Exim.USER, Exim.PASSWORD))
        routes = ", ".join(f"{name}={way}" for name, way in ROUTES.items()).format(login=login, port=port, tls_port=port + 1)
        self.server = Server(SETTINGS.format(port=port, sts_port=self.policies.port, roots=self.authority.roots, domain=DOMAIN,
                                             routes=routes, login=login) + self.net.settings(), linger=1)
        self.server.start()
        self.server.domain()
        self.server.account("alice")
        self.server.tool("domain", "add", "secure.test")
        for address in SECRET:
            self.server.tool("address", "add", address, f"alice@{DOMAIN}")

    def send(self, to, marker, sender=f"alice@{DOMAIN}"):
        with self.server.submission("alice") as client:
            client.sendmail(sender, [to], f"From: {sender}\r\nTo: {to}\r\nX-Marker: {marker}\r\n\r\nhello\r\n")

    def queue(self):
        listed = self.server.tool("queue", "list", "--json").stdout
        shown = [self.server.tool("queue", "show", one["id"], "--json", check=False).stdout for one in json.loads(listed)]
        return listed + "".join(shown)

    def close(self):
        self.server.remove()
        self.exim.close()
        self.net.close()
        self.policies.close()
        self.authority.close()
        for peer in self.peers.values():
            peer.close()


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.close()


@pytest.mark.parametrize("to", ["bob@first.test", "bob@below.first.test", "bob@second.test"])
def test_a_route_logs_in_at_the_server_it_leads_to(world, to):
    world.send(to, f"route-{to}")
    data = wait_until(lambda: world.exim.mail(f"route-{to}"), 20, "Exim delivers it")[0]
    assert b"esmtpsa" in data and f"for {to}".encode() in data


def test_a_server_without_the_certificate_for_its_name_hears_no_password(world):
    world.send("bob@wrongname.test", "wrongname")
    wait_until(lambda: "broke off" in world.queue(), 20, "it waits")
    world.send("bob@strips.test", "strips")
    wait_until(lambda: "bob@strips.test" in world.queue() and "does not offer" in world.queue(), 20, "it waits")
    assert not world.exim.mail("wrongname")
    assert not [line for line in world.peers["clear"].lines if line.startswith("AUTH")]


def test_a_login_that_is_refused_is_said_and_tells_no_password(world):
    world.send("bob@false.test", "false")
    said = wait_until(lambda: "535" in world.queue() and world.queue(), 20, "it waits, and says why")
    assert "bob@false.test" in said and "else" not in said
    log = world.server.log.read_text()
    assert "courier.destination.failed" in log and "somebody:else" not in log and Exim.PASSWORD not in log


def test_what_cannot_be_reached_goes_to_the_fallback(world):
    world.send("bob@fallen.test", "fallen")
    assert b"esmtpsa" in wait_until(lambda: world.exim.mail("fallen"), 30, "Exim delivers it")[0]
    world.send("bob@nowhere.test", "nowhere")  # no such domain: nobody else would find it, either
    wait_until(lambda: "bob@nowhere.test" not in world.queue(), 20, "it is given back")


@pytest.mark.parametrize("domain", ["dane.test", "enforced.test"])
def test_what_a_policy_protects_never_does(world, domain):
    world.send(f"bob@{domain}", domain)
    wait_until(lambda: f"bob@{domain}" in world.queue() and "cannot be reached" in world.queue(), 30, "it was tried, and waits")
    assert f"bob@{domain}" in world.queue() and not world.exim.mail(domain)


@pytest.mark.parametrize("sender", SECRET)
def test_a_sender_who_wants_it_never_sends_without_tls_that_is_proved(world, sender):
    for name in world.peers:
        world.send(f"bob@{name}.test", f"not {sender}")
        world.send(f"bob@{name}.test", sender, sender=sender)

    def taken(peer, marker):
        return [one for one in peer.taken if f"X-Marker: {marker}\r\n".encode() in one.data]

    for name, peer in world.peers.items():
        wait_until(lambda p=peer: taken(p, f"not {sender}"), 20, f"{name} has what may go any way")
    assert wait_until(lambda: taken(world.peers["proven"], sender), 20, "proved")[0].tls
    wait_until(lambda: world.queue().count("set for that sender") >= 2, 20, "the others wait")
    for name in ("unknown", "clear"):
        assert not taken(world.peers[name], sender)
        assert not [line for line in world.peers[name].lines if sender in line]
