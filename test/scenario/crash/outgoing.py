"""
SIGKILL at random moments, of a random role, of the supervisor or of all, while mail goes out to Postfix and Exim under
TLS that DANE vouches for. Then every recipient accepted with 250 has the message once, or twice where a kill came after
the other server had taken it and before that was durable here (RFC 5321 §6.1), and those are counted; those in our own
house have it once; of every refused recipient the sender has heard; and the queue is empty.
KILLS=100 SENDERS=8 SEED=n for the long run.
"""
import collections
import json
import os
import random
import re
import smtplib
import threading
import time

import pytest

from authority import Authority
from faults import kill
from internet import Internet, free_port
from mailservers import Door, Exim, Postfix, available
from server import DOMAIN, Server, messages, wait_until

pytestmark = pytest.mark.skipif(not available(), reason="Postfix, Exim and OpenSMTPD, and root to run them")

KILLS = int(os.environ.get("KILLS", "8"))
SENDERS = int(os.environ.get("SENDERS", "4"))
SEED = int(os.environ.get("SEED", "1"))
TWICE_MAX = 24  # for each kill of one who knows what is not durable yet: a message for each connection
SETTINGS = """
[smtp]
recipients_per_hour = 1000000
[abuse]
new_recipients = 0
bounces = 0
[tls]
roots = {roots}
[log]
segment_max = 8M
[courier]
port = {port}
retry_first = 1
retry_longest = 1
connect_timeout = 5
"""


class World:
    def __init__(self):
        self.authority, self.net, self.port = Authority(), Internet(), free_port()
        self.peers, self.closing = {}, [self.authority.close, self.net.close]

    def start(self):
        block = f"127.{random.randrange(64, 200)}.{random.randrange(1, 250)}"
        doors = {"postfix": {f"{block}.1": ""}, "exim": {f"{block}.2": "", f"{block}.3": "storm"}}
        names = {f"{block}.1": "postfix.test", f"{block}.2": "exim.test", f"{block}.3": "storm.test"}
        for address, domain in names.items():
            self.net.zone(domain).add("MX 10 mx").add("mx", f"A {address}").add(
                f"_{self.port}._tcp.mx", self.authority.tlsa(f"mx.{domain}"))
        self.net.publish()
        for name, kind in (("postfix", Postfix), ("exim", Exim)):
            rows = {address: Door(self.authority.certificate(f"mx.{names[address]}"), habit)
                    for address, habit in doors[name].items()}
            self.peers[name] = kind(list(names.values()), self.port, rows)
            self.closing.append(self.peers[name].close)
        self.server = Server(SETTINGS.format(roots=self.authority.roots, port=self.port) + self.net.settings(), linger=1)
        self.closing.append(self.server.remove)
        self.server.start()
        self.server.domain()
        for name in ("alice", "bob"):
            self.server.account(name)

    def close(self):
        for close in reversed(self.closing):
            close()


class Load:
    """Messages to one or more recipients, here, there and nowhere; what was acknowledged has to come."""

    RECIPIENTS = ("x@postfix.test", "y@postfix.test", "x@exim.test", "x@storm.test", "nobody@postfix.test", f"bob@{DOMAIN}")

    WEIGHTS = (6, 6, 6, 1, 2, 4)

    def __init__(self, server):
        self.server, self.over = server, threading.Event()
        self.kept = {}  # marker -> recipients
        self.tried = set()

    def send(self, number):
        rng, sent = random.Random(f"{SEED} out {number}"), 0
        while not self.over.is_set():
            try:
                with self.server.submission("alice") as client:
                    for _ in range(20):
                        if self.over.is_set():
                            break
                        sent += 1
                        self.send_one(client, rng, f"o{number}-{sent}")
            except (smtplib.SMTPException, OSError):
                time.sleep(0.05)

    def send_one(self, client, rng, marker):
        to = list(dict.fromkeys(rng.choices(self.RECIPIENTS, self.WEIGHTS, k=rng.choice((1, 1, 1, 2, 3)))))
        body = "\r\n".join(rng.randbytes(35).hex() for _ in range(rng.randrange(1, 60)))
        client.mail(f"alice@{DOMAIN}")
        if any([client.rcpt(address)[0] != 250 for address in to]):
            client.rset()
            return
        self.tried.add(marker)
        if client.data(f"From: alice@{DOMAIN}\r\nSubject: {marker}\r\nX-Marker: {marker}\r\n\r\n{body}\r\n".encode())[0] == 250:
            self.kept[marker] = to


def count(found, name):
    """How often each (marker, recipient) is among messages; name: of the field that has the recipient, or who it is."""
    counts = collections.Counter()
    for mail in found:
        marker = re.search(rb"\nX-Marker: (\S+)", mail)
        to = re.search(rb"(?m)^" + name + rb": (?:rfc822; )?(\S+)", mail) if isinstance(name, bytes) else None
        counts[marker.group(1).decode(), to.group(1).decode() if to else name] += 1
    return counts


def arrived(world):
    counts = count(world.peers["postfix"].all_mail(), b"Delivered-To") + count(world.peers["exim"].all_mail(), b"Envelope-to")
    for user, name in (("alice", b"Final-Recipient"), ("bob", f"bob@{DOMAIN}")):
        with world.server.imap(user) as client:
            counts += count(messages(client), name)
    return counts


def killing(world, load):
    rng, killed = random.Random(SEED), collections.Counter()
    for _ in range(KILLS):
        before = len(load.kept)
        time.sleep(rng.uniform(0.05, 0.5))
        names = sorted(set(world.server.roles().values())) + ["courier", "store", "supervisor", "all"]
        killed[kill(world.server, rng, rng.choice(names))] += 1
        wait_until(lambda: len(load.kept) > before, 60, "mail is accepted again")
    return killed


def until_empty(server):
    def queue():
        return server.tool("queue", "list", "--json", check=False).stdout.strip()
    try:
        wait_until(lambda: queue() == "[]", 120, "the queue is empty")
    except AssertionError:
        rows = json.loads(queue())
        shown = [server.tool("queue", "show", row["id"], "--json", check=False).stdout for row in rows[:3]]
        raise AssertionError(f"{len(rows)} messages stay in the queue: {shown}") from None


def test_what_was_accepted_goes_out_once_whoever_is_killed():
    world = World()
    try:
        world.start()
        load = Load(world.server)
        threads = [threading.Thread(target=load.send, args=(number,), daemon=True) for number in range(SENDERS)]
        for thread in threads:
            thread.start()
        killed = killing(world, load)
        load.over.set()
        for thread in threads:
            thread.join(60)
        begun = time.monotonic()
        until_empty(world.server)
        wanted = {(marker, to) for marker, all_of_them in load.kept.items() for to in all_of_them}
        try:
            wait_until(lambda: arrived(world).keys() >= wanted, 60, "all that was accepted has come")
        except AssertionError:
            missing = wanted - arrived(world).keys()
            raise AssertionError(f"{len(missing)} of {len(wanted)} are missing: {sorted(missing)[:10]}") from None
        counts = arrived(world)
        assert not {marker for marker, _ in counts} - load.tried
        often = {what: count for what, count in counts.items() if count > 1}
        assert not [what for what in often if what[1] == f"bob@{DOMAIN}"], "nothing in between could make these come twice"
        knew = sum(count for name, count in killed.items() if name in ("courier", "store", "supervisor", "all"))
        more = sum(count - 1 for count in often.values())
        print(f"{dict(killed)}: {len(wanted)} recipients of {len(load.kept)} messages, {more} deliveries too many; "
              f"{time.monotonic() - begun:.0f} s after the last kill")
        assert more <= TWICE_MAX * knew, often
    finally:
        world.close()
