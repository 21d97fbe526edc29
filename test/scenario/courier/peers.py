"""
Real servers as the other side, Postfix, Exim and OpenSMTPD, each behind names with and without DANE and MTA-STS, with
certificates that are right, run out or another's, and with somebody on the way who means ill: one table of what becomes
of mail. And the way back: the three deliver to us, and prove us by DANE.
"""
import collections
import dataclasses
import datetime
import gzip
import json
import random
import smtplib
import time

import pytest

from authority import Authority
from cutting import Attack, Cutter
from internet import Internet, free_port
from mailservers import Door, Exim, OpenSMTPD, Postfix, available
from policyhost import PolicyHost
from server import DOMAIN, Server, messages, wait_until

pytestmark = pytest.mark.skipif(not available(), reason="Postfix, Exim and OpenSMTPD, and root to run them")

SETTINGS = """
[tls]
roots = {roots}
certificate = {chain}
key = {key}
[courier]
port = {port}
sts_port = {sts_port}
retry_first = 1
retry_longest = 1
reply_timeout = 10
connect_timeout = 2
require_tls = .strict.test
[reports]
interval = {interval}
"""
INTERVAL = 1
SERVERS = {"postfix": Postfix, "exim": Exim, "opensmtpd": OpenSMTPD}
WRONG = "TLSA 3 1 1 " + "00" * 32
REPORTS = "reports.plain.test"
POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"
EXPIRED, MISMATCH, UNTRUSTED = "certificate-expired", "certificate-host-mismatch", "certificate-not-trusted"
NOTLS, INVALID = "starttls-not-supported", "validation-failure"
BROKEN, REFUSED, DARK, UNNAMED = "broke off", "refuses to begin it", "does not offer it", "does not name"


@dataclasses.dataclass
class Case:
    """
    A server, the certificate it shows (right; old: run out; other: of another name; unknown: of an authority nobody
    knows; none), how the domain is found (its zone: signed, plain, strict), and what becomes of the mail: "tls", "clear",
    a status it comes back with, or what is said of it while it waits.
    """
    server: str
    certificate: str
    zone: str
    outcome: str
    tlsa: str = ""        # "3 1 1", "2 1 1", "wrong"
    policy: str = ""      # mode of the MTA-STS policy; "enforce elsewhere": it names another server
    attack: Attack = None
    habit: str = ""
    to: str = "bob"
    options: tuple = ()
    field: str = ""       # of the message's header
    copies: int = 1       # 2: nobody can know that it was taken the first time
    told: str = None      # the domain's TLS report has this failure (RFC 8460 §4.3); "": none; None: nobody asks for it
    name: str = ""


def matrix():
    rows = []
    for server in ("postfix", "exim"):
        def add(*words, server=server, **more):
            rows.append(Case(server, *words, **more))
        add("right", "signed", "tls", tlsa="3 1 1", told="")
        add("right", "signed", "tls", tlsa="2 1 1", told="")
        add("old", "signed", "tls", tlsa="3 1 1", told="")  # RFC 7672 §3.1.1
        add("old", "signed", BROKEN, tlsa="2 1 1", told=EXPIRED)
        add("other", "signed", BROKEN, tlsa="2 1 1", told=MISMATCH)
        add("right", "signed", BROKEN, tlsa="wrong", told="tlsa-invalid")
        add("none", "signed", DARK, tlsa="3 1 1", told=NOTLS)
        add("right", "signed", "tls", tlsa="3 1 1", policy="enforce elsewhere", told="")  # RFC 8461 §2: DANE alone counts
        add("right", "plain", "tls", tlsa="wrong", told="")
        add("right", "plain", "tls", policy="enforce", told="")
        add("old", "plain", BROKEN, policy="enforce", told=EXPIRED)
        add("other", "plain", BROKEN, policy="enforce", told=MISMATCH)
        add("unknown", "plain", BROKEN, policy="enforce", told=UNTRUSTED)
        add("none", "plain", DARK, policy="enforce", told=NOTLS)
        add("right", "plain", UNNAMED, policy="enforce elsewhere", told=INVALID)
        add("old", "plain", "tls", policy="testing", told=EXPIRED)
        add("none", "plain", "clear", policy="testing", told=NOTLS)
        add("old", "plain", "tls", told="")
        add("none", "plain", "clear", told=NOTLS)
        add("right", "strict", "tls", told="")
        add("unknown", "strict", BROKEN, told=UNTRUSTED)
        add("none", "strict", DARK, told=NOTLS)
        add("right", "plain", "5.1.1", to="nobody")
        add("right", "signed", "5.7.30", tlsa="3 1 1", options=("REQUIRETLS",))  # neither of them knows it
        add("right", "signed", "tls", tlsa="wrong", field="TLS-Required: No")  # RFC 8689 §3
        add("none", "plain", "clear", policy="enforce", field="TLS-Required: No")
        add("none", "strict", DARK, field="TLS-Required: No")
        add("none", "plain", "clear", habit="greylist")
        add("none", "plain", "clear", habit="slow")
        add("none", "plain", "did not answer in time", habit="stuck")
        add("right", "signed", DARK, tlsa="3 1 1", attack=Attack("strip", times=0), told=NOTLS)
        add("right", "plain", DARK, policy="enforce", attack=Attack("strip", times=0), told=NOTLS)
        add("right", "plain", "clear", attack=Attack("strip", times=0), told=NOTLS)
        add("right", "signed", REFUSED, tlsa="3 1 1", attack=Attack("refuse", times=0), told=NOTLS)
        add("right", "plain", "clear", attack=Attack("refuse", times=0), told=NOTLS)
        add("right", "strict", "tls", attack=Attack("strip"))  # the second time nobody is on the way
        add("none", "plain", "did not answer in time", attack=Attack("stall", times=0))
    rows.append(Case("postfix", "none", "plain", "storm", habit="storm"))
    rows += [Case("exim", "none", "plain", "clear", habit="storm", name=f"exim-storm-{number}") for number in range(8)]
    # The OpenSMTPD of Debian 12 offers STARTTLS, and then breaks off every handshake: its way of keeping keys in another
    # process does not go with OpenSSL 3.
    rows += [Case("opensmtpd", "none", "plain", "clear", told=NOTLS), Case("opensmtpd", "right", "plain", "clear", told=INVALID),
             Case("opensmtpd", "right", "signed", BROKEN, tlsa="3 1 1", told=INVALID),
             Case("opensmtpd", "right", "plain", BROKEN, policy="enforce", told=INVALID),
             Case("opensmtpd", "right", "plain", "clear", policy="testing", told=INVALID),
             Case("opensmtpd", "right", "strict", BROKEN, told=INVALID),
             Case("opensmtpd", "none", "signed", DARK, tlsa="3 1 1", told=NOTLS),
             Case("opensmtpd", "none", "plain", "5.0.0", to="nobody")]
    return rows + cuts()


def cuts():
    """The connection breaks at every stage, once each."""
    stages = [Attack("connect")] + [Attack(kind, verb) for verb in ("EHLO", "MAIL", "RCPT", "DATA", "QUIT")
                                    for kind in ("before", "after")]
    stages += [Attack("content"), Attack("dot"), Attack("reply")]
    rows = [Case(server, "none", "plain", "clear", attack=attack, copies=2 if attack.kind == "reply" else 1)
            for server in SERVERS for attack in stages]
    for server in ("postfix", "exim"):
        rows += [Case(server, "right", "signed", "tls", tlsa="3 1 1", attack=Attack(kind, "STARTTLS"))
                 for kind in ("before", "after")]
        rows += [Case(server, "right", "signed", "tls", tlsa="3 1 1", attack=Attack(side, number), copies=0)
                 for side, most in (("client", 9), ("server", 13)) for number in range(1, most + 1)]
    return rows


CASES = {}
for case in matrix():
    words = [case.server, case.certificate, case.zone, case.tlsa.replace(" ", ""), case.policy.replace(" ", "-"), case.habit,
             str(case.attack or "").replace(" ", "-"), case.to if case.to != "bob" else "", *case.options,
             case.field.replace(": ", "-")]
    case.name = (case.name or "-".join(word for word in words if word)).lower()
    assert case.name not in CASES, case.name
    CASES[case.name] = case


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()


class World:
    def __init__(self):
        self.block = f"127.{random.randrange(64, 200)}.{random.randrange(1, 200)}"
        self.port, self.next = free_port(), 10
        self.authority, self.stranger = Authority(), Authority()
        self.net = Internet(also=f"{self.block}.3@53")
        self.policies = PolicyHost(f"{self.block}.2")
        self.cutters, self.ways, self.doors, self.closing = {}, {}, {name: {} for name in SERVERS}, []
        for case in CASES.values():
            self.lay(case)
        self.policies.certificates[REPORTS] = self.authority.certificate(REPORTS)
        self.net.zone("plain.test").add("reports", f"A {self.block}.2")
        self.days = {today()}

    def address(self):
        self.next += 1
        return f"127.{self.block.split('.')[1]}.{int(self.block.split('.')[2]) + self.next // 250}.{self.next % 250 + 1}"

    def certificate(self, case, host):
        """What is attacked under DANE-EE shows one certificate, whose name does not count."""
        if case.certificate == "none":
            return None
        by = self.stranger if case.certificate == "unknown" else self.authority
        is_other = case.certificate == "other" or case.attack is not None and case.tlsa == "3 1 1"
        return by.certificate("somebody.else.test" if is_other else host, -1 if case.certificate == "old" else 2)

    def lay(self, case):
        """Its server's door, which all that are alike share, somebody before it, and its names."""
        zone = self.net.zone(f"{case.zone}.test", signed=case.zone == "signed")
        host = f"mx-{case.name}.{zone.name}"
        tls = self.certificate(case, host)
        doors = self.doors[case.server]
        there = next((address for address, door in doors.items() if door == Door(tls, case.habit)), None)
        if there is None:
            there = self.address()
            doors[there] = Door(tls, case.habit)
        if case.attack is not None:
            self.ways[case.name] = (self.address(), there)
        zone.add(case.name, f"MX 10 {host}.").add(f"{host}.", f"A {self.ways.get(case.name, (there,))[0]}")
        if case.tlsa:
            zone.add(f"_{self.port}._tcp.{host}.", self.tlsa(case, tls))
        if case.policy:
            self.policy(case, zone, host)
        if case.told is not None:
            zone.add_text(f"_smtp._tls.{case.name}", f"v=TLSRPTv1; rua=https://{REPORTS}/")

    def tlsa(self, case, tls):
        if case.tlsa == "wrong":
            return WRONG
        return self.authority.tlsa_of(tls[0] if tls and case.tlsa == "3 1 1" else self.authority.roots, case.tlsa[0])

    def policy(self, case, zone, host):
        mode, _, elsewhere = case.policy.partition(" ")
        domain = f"{case.name}.{zone.name}"
        self.policies.certificates[domain] = self.authority.certificate(f"mta-sts.{domain}")
        self.policies.pages[domain] = (200, "text/plain", POLICY.format(mode=mode, mx="mx.elsewhere.test" if elsewhere else host))
        zone.add(f"_mta-sts.{domain}.", 'TXT "v=STSv1; id=1;"').add(f"mta-sts.{domain}.", f"A {self.block}.2")

    def start(self):
        ours = self.authority.certificate("mx.demo.test")
        settings = SETTINGS.format(roots=self.authority.roots, chain=ours[0], key=ours[1], port=self.port,
                                   sts_port=self.policies.port, interval=INTERVAL)
        self.server = Server(settings + self.net.settings(), linger=1)
        self.closing.append(self.server.remove)
        port = self.server.port(25)
        self.net.zone(DOMAIN).add("MX 10 mx").add("mx", "A 127.0.0.1").add(f"_{port}._tcp.mx", self.authority.tlsa_of(ours[0], "3"))
        self.net.zone("fraud.test").add("MX 10 mx").add("mx", "A 127.0.0.1").add(f"_{port}._tcp.mx", WRONG)
        self.net.publish()
        resolver = f"{self.block}.3"
        more = {"postfix": {"out_port": port}, "exim": {"out_port": port},
                "opensmtpd": {"way_out": f"smtp+tls://mx.{DOMAIN}:{port}", "roots": self.authority.roots}}
        self.peers = {}
        for name, kind in SERVERS.items():
            self.peers[name] = kind(["signed.test", "plain.test", "strict.test"], self.port, self.doors[name], resolver,
                                    **more[name])
            self.closing.append(self.peers[name].close)
        for name, (here, there) in self.ways.items():
            self.cutters[name] = Cutter((here, self.port), (there, self.port), CASES[name].attack)
            self.closing.append(self.cutters[name].close)
        self.server.start()
        self.server.domain()
        self.server.account("alice")
        with self.server.submission("alice") as client:
            for case in CASES.values():
                self.send(client, case)

    def send(self, client, case):
        to = f"{case.to}@{case.name}.{case.zone}.test"
        head = [f"From: alice@{DOMAIN}", f"To: {to}", f"X-Marker: {case.name}", *filter(None, [case.field])]
        client.sendmail(f"alice@{DOMAIN}", [to], "\r\n".join(head) + "\r\n\r\nhello\r\n", case.options)

    def mail(self, case):
        return self.peers[case.server].mail(case.name)

    def said(self, case):
        """What was last said of it, or "" where it is not in the queue."""
        for one in json.loads(self.server.tool("queue", "list", "--json").stdout):
            if one["destinations"] == [f"{case.name}.{case.zone}.test"]:
                return self.server.tool("queue", "show", one["id"], "--json", check=False).stdout
        return ""

    def report(self, address):
        """The report on that recipient, as text, or None."""
        with self.server.imap("alice") as client:
            found = [one.decode() for one in messages(client) if f"rfc822; {address}\r\n".encode() in one]
        return found[0] if found else None

    def close(self):
        for close in reversed(self.closing):
            close()
        self.net.close()
        self.policies.close()
        self.authority.close()
        self.stranger.close()


@pytest.fixture(scope="module")
def world():
    made = World()
    try:
        made.start()
        yield made
    finally:
        made.close()


def is_tls(mail):
    return b"TLSv1" in mail or b"TLS1." in mail


@pytest.mark.parametrize("name", CASES)
def test_every_combination_has_its_outcome(world, name):
    case = CASES[name]
    if case.outcome in ("tls", "clear"):
        mail = wait_until(lambda: world.mail(case), 40, f"it is delivered; {world.said(case)}")[0]
        assert is_tls(mail) == (case.outcome == "tls")
        return
    if case.outcome[0] == "5":
        address = f"{case.to}@{case.name}.{case.zone}.test"
        report = wait_until(lambda: world.report(address), 40, "the sender is told")
        assert f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: {case.outcome}\r\n" in report
        assert world.said(case) == ""
    else:
        wait_until(lambda: case.outcome in world.said(case), 40, f"it waits: {case.outcome}")
    assert not world.mail(case)


@pytest.fixture(scope="module")
def told(world):
    """What TLS reports say: domain -> type of policy -> types of failures; "" where there were sessions without one."""
    time.sleep(INTERVAL + 1)  # what is counted is written down then
    for day in world.days | {today()}:
        world.server.tool("reports", "send", "--day", str(day))
    asked = sum(case.told is not None for case in CASES.values())
    wait_until(lambda: len(world.policies.posted) >= asked, 40, "the reports have come")
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for _, _, _, content in world.policies.posted:
        for one in json.loads(gzip.decompress(content))["policies"]:
            types = found[one["policy"]["policy-domain"]][one["policy"]["policy-type"]]
            types |= {detail["result-type"] for detail in one.get("failure-details", [])}
            types |= {""} if one["summary"]["total-successful-session-count"] > 0 else set()
    return found


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.told is not None])
def test_its_domain_is_told_what_was_wrong(told, name):
    case = CASES[name]
    kind = "tlsa" if case.tlsa and case.zone == "signed" else "sts" if case.policy else "no-policy-found"
    assert told[f"{name}.{case.zone}.test"] == {kind: {case.told}}


def test_nothing_is_delivered_twice_that_was_acknowledged(world):
    """Of a record under TLS nobody knows which one has the answer to the message: one of each row of them, at most."""
    found = {name: len(world.mail(case)) for name, case in CASES.items() if case.outcome in ("tls", "clear")}
    assert {name: count for name, count in found.items() if CASES[name].copies not in (0, count)} == {}
    for server in ("postfix", "exim"):
        for side, most in (("client", 0), ("server", 1)):
            rows = [count for name, count in found.items() if CASES[name].server == server and CASES[name].copies == 0 and
                    CASES[name].attack.kind == side]
            assert set(rows) <= {1, 2} and rows.count(2) <= most, (server, side, rows)


def test_every_cut_has_come_to_pass(world):
    idle = [name for name, cutter in world.cutters.items() if not cutter.attacked or CASES[name].copies and not cutter.cuts and
            CASES[name].attack.kind not in ("strip", "refuse", "stall")]
    assert idle == []


@pytest.mark.parametrize("server", ["postfix", "exim"])
@pytest.mark.parametrize("how", ["strip", "refuse"])
def test_what_waited_goes_under_tls_when_nobody_hides_it_any_more(world, server, how):
    case = CASES[f"{server}-right-signed-311-{how}"]
    assert not world.mail(case)
    world.cutters[case.name].attack = None
    mail = wait_until(lambda: world.mail(case), 40, "it is delivered")
    assert len(mail) == 1 and is_tls(mail[0])


def give(world, server, marker, to):
    """Gives a server a message of its own to send."""
    address = next(address for address, door in world.doors[server].items() if door == Door())
    with smtplib.SMTP(address, world.port, timeout=30) as client:
        client.sendmail("bob@plain.test", [to], f"From: bob@plain.test\r\nTo: {to}\r\nX-Marker: {marker}\r\n\r\nback\r\n")


@pytest.mark.parametrize("server, proof", [("postfix", "Verified TLS connection established to mx.demo.test"),
                                           ("exim", "CV=dane"), ("opensmtpd", "server-cert-check result=\"success\"")])
def test_they_deliver_to_us_and_prove_us(world, server, proof):
    give(world, server, f"from-{server}", f"alice@{DOMAIN}")
    with world.server.imap("alice") as client:
        mail = wait_until(lambda: [one for one in messages(client) if f"X-Marker: from-{server}\r\n".encode() in one], 40,
                          f"it has come: {world.peers[server].log()[-2000:]}")
    assert len(mail) == 1 and b" with ESMTPS " in mail[0]
    wait_until(lambda: proof in world.peers[server].log(), 20, "it has seen that we are who we are")


@pytest.mark.parametrize("server, reason", [("postfix", "no matching DANE TLSA records"), ("exim", "certificate verification failed")])
def test_they_would_not_take_another_for_us(world, server, reason):
    give(world, server, "fraud", "alice@fraud.test")
    wait_until(lambda: [line for line in world.peers[server].log().splitlines() if reason in line], 40,
               "its records do not fit our key")
