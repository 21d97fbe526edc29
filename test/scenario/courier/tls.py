"""What the other servers' TLS has to prove: by DANE, by MTA-STS, by what is set, or not at all. Servers and zones are of a little internet."""
import email
import json
import shutil
import signal
import time

import pytest

from authority import Authority
from internet import Internet
from policyhost import PolicyHost
from server import DOMAIN, Server, wait_for, wait_until
from smtppeer import Peer

SETTINGS = """
[tls]
roots = {roots}
[courier]
port = {port}
sts_port = {sts_port}
retry_first = 1
retry_longest = 1
reply_timeout = 5
connect_timeout = 2
require_tls = strict.test, wrongname.test
"""
WRONG = "TLSA 3 1 1 " + "00" * 32
UNUSABLE = "TLSA 0 0 1 " + "00" * 32
# name -> TLSA record, certificate for (None: no TLS), its days, more of the zone; and what becomes of mail: "tls",
# "clear", or what is said of it while it waits.
CASES = {
    "ee": ("match", "mx.ee.test", 2, {}, "tls"),
    "eeexpired": ("match", "mx.eeexpired.test", -1, {}, "tls"),  # RFC 7672 §3.1.1
    "eename": ("match", "somebody.else.test", 2, {}, "tls"),
    "ta": ("authority", "mx.ta.test", 2, {}, "tls"),
    "tadomain": ("authority", "tadomain.test", 2, {}, "tls"),  # RFC 7672 §3.2.2
    "taname": ("authority", "somebody.else.test", 2, {}, "broke off"),
    "taexpired": ("authority", "mx.taexpired.test", -1, {}, "broke off"),
    "wrong": (WRONG, "mx.wrong.test", 2, {}, "broke off"),
    "stripped": ("match", None, 2, {}, "does not offer it"),
    "unusable": (UNUSABLE, "somebody.else.test", 2, {}, "tls"),  # RFC 7672 §2.2
    "unusablestripped": (UNUSABLE, None, 2, {}, "does not offer it"),
    "garbage": ("TLSA 3 0 0 " + "30" * 40, "somebody.else.test", 2, {}, "tls"),
    "insecure": (WRONG, "mx.insecure.test", 2, {"signed": False}, "tls"),
    "bogus": ("match", "mx.bogus.test", 2, {"bogus": True}, "forged"),
    "broken": (None, "somebody.else.test", -1, {}, "tls"),
    "clear": (None, None, 2, {}, "clear"),
    "strict": (None, "mx.strict.test", 2, {}, "tls"),
    "wrongname": (None, "somebody.else.test", 2, {}, "broke off"),
}

AGE = 12
ENFORCE = "version: STSv1\r\nmode: enforce\r\nmx: mx.{0}.test\r\nmax_age: 86400\r\n"
TESTING = ENFORCE.replace("enforce", "testing")
# name -> the policy, or (status, media type, text); the certificate of the policy's host; that of the mail server (None:
# no TLS), and what becomes of mail
STS_CASES = {
    "enforced": (ENFORCE, "mta-sts.enforced.test", "mx.enforced.test", "tls"),
    "enforcedname": (ENFORCE, "mta-sts.enforcedname.test", "somebody.else.test", "broke off"),
    "enforcedmx": (ENFORCE.replace("mx.", "other."), "mta-sts.enforcedmx.test", "mx.enforcedmx.test", "does not name"),
    "enforcedstrip": (ENFORCE, "mta-sts.enforcedstrip.test", None, "does not offer it"),
    "testingname": (TESTING, "mta-sts.testingname.test", "somebody.else.test", "tls"),
    "testingmx": (TESTING.replace("mx.", "other."), "mta-sts.testingmx.test", "mx.testingmx.test", "tls"),
    "testingstrip": (TESTING, "mta-sts.testingstrip.test", None, "clear"),
    "none": (ENFORCE.replace("enforce", "none"), "mta-sts.none.test", None, "clear"),
    "stolen": (ENFORCE, "mta-sts.somebody.test", None, "clear"),  # not theirs: as if there were no policy
    "moved": ((302, "text/plain", ENFORCE), "mta-sts.moved.test", None, "clear"),
    "markup": ((200, "text/html", ENFORCE), "mta-sts.markup.test", None, "clear"),
    "aging": (ENFORCE.replace("86400", str(AGE)), "mta-sts.aging.test", None, "does not offer it"),
    "steady": (ENFORCE.replace("86400", str(AGE)), "mta-sts.steady.test", "mx.steady.test", "tls"),
    "kept": (ENFORCE, "mta-sts.kept.test", None, "does not offer it"),
    "large": ((200, "text/plain", ENFORCE + "x" * 70000), "mta-sts.large.test", None, "clear"),
}
OUTCOMES = {name: case[-1] for name, case in {**CASES, **STS_CASES}.items()}


class World:
    def __init__(self):
        self.authority, self.net, self.peers, port = Authority(), Internet(), {}, 0
        for number, (name, (record, holder, days, how, _)) in enumerate(CASES.items()):
            address = f"127.0.20.{number + 1}"
            tls = self.authority.certificate(holder, days) if holder else None
            self.peers[name] = Peer(("PIPELINING", "REQUIRETLS"), address=address, port=port, tls=tls)
            port = self.peers[name].port
            if record == "match":
                record = self.authority.tlsa(holder or f"mx.{name}.test", days)
            elif record == "authority":
                record = self.authority.tlsa()
            zone = self.net.zone(f"{name}.test", **how).add("MX 10 mx").add("mx", f"A {address}")
            if record:
                zone.add(f"_{port}._tcp.mx", record)
        self.policies = PolicyHost("127.0.21.100")
        self.policies.once.add("aging.test")
        for number, (name, (policy, host, holder, _)) in enumerate(STS_CASES.items()):
            address = f"127.0.21.{number + 1}"
            self.peers[name] = Peer(("PIPELINING",), address=address, port=port,
                                    tls=self.authority.certificate(holder) if holder else None)
            self.policies.certificates[f"{name}.test"] = self.authority.certificate(host)
            status, kind, text = policy if isinstance(policy, tuple) else (200, "text/plain", policy)
            self.policies.pages[f"{name}.test"] = (status, kind, text.format(name))
            self.net.zone(f"{name}.test", signed=False).add("MX 10 mx").add("mx", f"A {address}").add(
                "_mta-sts", '1 TXT "v=STSv1; id=1;"').add("mta-sts", "A 127.0.21.100")
        self.net.publish()
        self.server = Server(SETTINGS.format(port=port, sts_port=self.policies.port, roots=self.authority.roots) +
                             self.net.settings(), linger=1)
        self.server.start()
        self.server.domain()
        self.server.account("alice")
        for name in OUTCOMES:
            self.send(f"bob@{name}.test")

    def send(self, to, options=(), more=""):
        with self.server.submission("alice") as client:
            client.sendmail(f"alice@{DOMAIN}", [to], f"From: alice@{DOMAIN}\r\nTo: {to}\r\n{more}\r\nhello\r\n", options)

    def said(self, name):
        """What was last said of the mail to that domain, or "" where it is not in the queue."""
        for one in json.loads(self.server.tool("queue", "list", "--json").stdout):
            answer = self.server.tool("queue", "show", one["id"], "--json", check=False)  # it may just have gone
            shown = json.loads(answer.stdout) if answer.returncode == 0 else {"recipients": [{"address": ""}]}
            if shown["recipients"][0]["address"] == f"bob@{name}.test":
                return json.dumps(shown)
        return ""

    def all_said(self):
        for one in json.loads(self.server.tool("queue", "list", "--json").stdout):
            yield self.server.tool("queue", "show", one["id"], "--json", check=False).stdout

    def close(self):
        self.server.remove()
        self.net.close()
        self.policies.close()
        for peer in self.peers.values():
            peer.close()
        shutil.rmtree(self.authority.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.close()


@pytest.mark.parametrize("name", OUTCOMES)
def test_mail_goes_where_the_demand_is_met_and_waits_where_it_is_not(world, name):
    peer, outcome = world.peers[name], OUTCOMES[name]
    if outcome in ("tls", "clear"):
        taken = wait_until(lambda: peer.taken, 15, "it is delivered")[0]
        assert taken.tls == (outcome == "tls") and taken.recipients == [f"bob@{name}.test"]
    else:
        wait_until(lambda: outcome in world.said(name), 15, f"it waits: {outcome}")
        assert not peer.taken


def test_requiretls_is_given_to_those_alone_who_prove_who_they_are(world):
    world.send("carol@ee.test", ["REQUIRETLS"])
    world.send("carol@unusable.test", ["REQUIRETLS"])
    wait_until(lambda: [one for one in world.peers["ee"].taken if one.recipients == ["carol@ee.test"]], 15, "it has it")
    with world.server.imap("alice") as client:
        report = email.message_from_bytes(wait_for(client, 1)[0])
    assert "carol@unusable.test" in report.as_string() and "Status: 5.7.10" in report.as_string()
    assert not [one for one in world.peers["unusable"].taken if one.recipients == ["carol@unusable.test"]]


@pytest.mark.parametrize("name", ["wrong", "stripped", "enforcedname", "enforcedmx"])
def test_mail_that_says_so_goes_whatever_policies_ask_for(world, name):
    """RFC 8689 §3"""
    world.send(f"dora@{name}.test", more="TLS-Required: No\r\n")
    taken = wait_until(lambda: world.peers[name].taken, 15, "it is delivered")[0]
    assert taken.recipients == [f"dora@{name}.test"]  # what bob was sent still waits
    assert taken.tls == (name != "stripped")
    del world.peers[name].taken[:]


def test_what_we_demand_ourselves_is_demanded_all_the_same(world):
    world.send("dora@wrongname.test", more="TLS-Required: No\r\n")
    wait_until(lambda: any("dora@wrongname.test" in shown and "broke off" in shown for shown in world.all_said()), 15, "it waits")
    assert not world.peers["wrongname"].taken


def test_a_policy_holds_until_its_age_is_over_though_it_cannot_be_fetched_again(world):
    """Their server offers no TLS. At half of its age the policy is asked for again, in vain; at its end mail goes in clear."""
    asked, peer = world.policies.times["aging.test"], world.peers["aging"]
    wait_until(lambda: peer.taken, 30, "the policy is over")
    assert asked[1] - asked[0] >= AGE / 2 - 1 and not peer.taken[0].tls
    assert time.monotonic() - asked[0] >= AGE - 1
    assert [path for name, path in world.policies.asked if name == "aging.test"][0] == "/.well-known/mta-sts.txt"


def test_a_policy_is_fetched_again_when_its_id_changes(world):
    peer, zone = world.peers["enforcedstrip"], world.net.zone("enforcedstrip.test")
    wait_until(lambda: "does not offer it" in world.said("enforcedstrip"), 15, "it waits by the old policy")
    status, kind, text = world.policies.pages[zone.name]
    world.policies.pages[zone.name] = (status, kind, text.replace("enforce\r", "none\r"))
    zone.remove("_mta-sts", "1 TXT").add("_mta-sts", '1 TXT "v=STSv1; id=2;"')
    world.net.write(zone, [])
    world.net.processes["authority"].send_signal(signal.SIGHUP)  # it reads its zones anew
    wait_until(lambda: peer.taken, 20, "the new policy lets it go")
    assert len(world.policies.times[zone.name]) >= 2


def test_a_policy_that_is_used_is_fetched_again_before_it_is_over(world):
    """Without any more mail."""
    asked = world.policies.times["steady.test"]
    wait_until(lambda: len(asked) >= 2, 20, "it is asked for again")
    assert AGE / 2 <= asked[1] - asked[0] < AGE


def test_policies_survive_a_restart_though_they_cannot_be_fetched(world):
    """Whoever can make us restart, and keep us from the policy, must not get the mail in clear."""
    wait_until(lambda: "does not offer it" in world.said("kept"), 15, "it waits by its policy")
    for stop in (world.server.stop, world.server.kill):
        stop()
        world.policies.pages["kept.test"] = (503, "text/plain", "")
        before, asked = world.peers["kept"].connections, len(world.policies.times["kept.test"])
        world.server.start()
        world.server.tool("queue", "retry", "--all")
        wait_until(lambda: world.peers["kept"].connections > before, 20, "it is tried again")
        wait_until(lambda: "does not offer it" in world.said("kept"), 15, "it waits still")
        assert not world.peers["kept"].taken and len(world.policies.times["kept.test"]) == asked
