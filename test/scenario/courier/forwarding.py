"""Mail for an address that is sent on: with an ARC set and a sender of ours, to another Waxwing that trusts the seal, and
back by the same way when it fails."""
import base64
import email
import json
import smtplib
import subprocess
import time

import pytest

dkim = pytest.importorskip("dkim")
from internet import Internet  # noqa: E402
from server import DOMAIN, Failed, Server, messages, wait_for, wait_until  # noqa: E402
from smtppeer import Peer  # noqa: E402

AUTHOR = "127.0.0.5"  # where mail of author.test comes from
FAR = "far.test"
SETTINGS = """
[trust]
local =
{trust}
[courier]
retry_first = 1
retry_longest = 1
routes = {routes}
[smtp]
forwards_per_hour = 20
"""


class Scene:
    def __init__(self, folder):
        key = folder / "key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True)
        self.key = key.read_bytes()
        self.net, self.peer = Internet(), Peer()
        self.records = {"s._domainkey.author.test.": "v=DKIM1; k=rsa; p=" + base64.b64encode(public.stdout).decode()}
        self.net.zone("author.test").add_text(f"v=spf1 ip4:{AUTHOR} -all").add_text("_dmarc", "v=DMARC1; p=reject").add_text(
            "s._domainkey", self.records["s._domainkey.author.test."])
        self.net.zone("junk.test").add_text("v=spf1 -all").add_text("_dmarc", "v=DMARC1; p=quarantine")
        self.net.zone(DOMAIN).add_text("v=spf1 ip4:127.0.0.1 -all")
        self.net.publish()
        self.far = Server(settings=SETTINGS.format(trust=f"arc_sealers = {DOMAIN}", routes="") + self.net.settings())
        self.far.conf.write_text(self.far.conf.read_text().replace("mx.demo.test", "mx.far.test"))
        self.far.start()
        self.far.domain(FAR)
        self.far.account(f"bob@{FAR}")
        peer = f"127.0.0.1:{self.peer.port}"
        routes = f"{FAR}=127.0.0.1:{self.far.port(25)}, author.test={peer}, peer.test={peer}"
        self.server = Server(settings=SETTINGS.format(trust="", routes=routes) + self.net.settings(), linger=1)
        self.server.start()
        self.server.domain()
        for row in json.loads(self.server.tool("dkim", "list", DOMAIN, "--json").stdout):
            self.net.zone(DOMAIN).add_text(f"{row['selector']}._domainkey", row["record"])
            self.records[f"{row['selector']}._domainkey.{DOMAIN}."] = row["record"]
        self.net.publish()

    def close(self):
        for server in (self.server, self.far):
            try:
                server.stop()
            finally:
                server.remove()
        self.peer.close()
        self.net.close()

    def send(self, to, message, sender="jo@author.test", source=AUTHOR):
        with smtplib.SMTP("127.0.0.1", self.server.port(25), local_hostname="mx.author.test", source_address=(source, 0),
                          timeout=30) as client:
            client.sendmail(sender, [f"{to}@{DOMAIN}"], message)

    def taken(self, marker, count=1):
        """What the peer was given with these words in it."""
        find = lambda: [one for one in self.peer.taken if marker.encode() in one.data]
        return wait_until(lambda: len(find()) >= count and find(), 20, f"the peer is given {marker}")

    def signed(self, message):
        return dkim.sign(message, b"s", b"author.test", self.key) + message

    def forward(self, name, *targets):
        self.server.tool("forward", "add", f"{name}@{DOMAIN}", *targets)

    def at_far(self, marker):
        with self.far.imap(f"bob@{FAR}") as client:
            return wait_until(lambda: [one for one in messages(client) if marker.encode() in one], 30, marker)[0]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory.mktemp("forward"))
    yield scene
    scene.close()


def letter(subject, more=""):
    return (f"{more}From: Jo <jo@author.test>\r\nTo: somebody@{DOMAIN}\r\nSubject: {subject}\r\nDate: Fri, 11 Jul 2025 21:00:37 "
            f"-0700\r\nMessage-ID: <{subject}@author.test>\r\n\r\nHello  there,  {subject}.\r\n").encode()


def arc(scene, message):
    return dkim.arc_verify(message, dnsfunc=lambda name, **_: scene.records.get(name.decode(), "").encode())


def test_the_copy_is_as_it_was_below_a_seal_that_holds(scene):
    scene.server.account("keeps")
    scene.forward("keeps", "carol@peer.test")
    message = scene.signed(letter("untouched"))
    scene.send("keeps", message)
    copy = scene.taken("untouched")[0]
    assert copy.data.endswith(message) and copy.recipients == ["carol@peer.test"]
    assert copy.data.startswith(b"ARC-Seal: i=1;") and b"Return-Path" not in copy.data
    result, rows, reason = arc(scene, copy.data)
    assert result == b"pass", (reason, rows)
    assert arc(scene, copy.data.replace(b"Hello", b"Hallo"))[0] == b"fail"
    assert b"dmarc=pass" in copy.data.split(b"ARC-Authentication-Results")[1].split(b"\r\nDelivered-To")[0]
    assert dkim.verify(copy.data, dnsfunc=lambda name, **_: scene.records.get(name.decode(), "").encode())
    assert copy.sender.startswith("SRS0=") and copy.sender.endswith(f"=author.test=jo@{DOMAIN}")
    with scene.server.imap("keeps") as client:
        kept = wait_for(client, 1)[0]
    assert kept.endswith(message) and b"ARC-Seal" not in kept and b"Delivered-To" not in kept


def test_a_trusting_waxwing_takes_what_its_policy_would_refuse(scene):
    """SPF alone was right, and is not any more for the server that sends it on."""
    scene.forward("reader", f"bob@{FAR}")
    with pytest.raises(smtplib.SMTPDataError, match="DMARC"), smtplib.SMTP("127.0.0.1", scene.far.port(25)) as client:
        client.sendmail("jo@author.test", [f"bob@{FAR}"], letter("direct"))
    scene.send("reader", letter("vouched"))
    found = email.message_from_bytes(scene.at_far("vouched"))
    said = " ".join(found["Authentication-Results"].split())
    assert said.startswith("mx.far.test") and "dmarc=fail" in said and "arc=pass" in said and "spf=pass" in said
    assert found["Return-Path"].startswith("<SRS0=") and found["Delivered-To"] == f"reader@{DOMAIN}"


def test_a_second_seal_continues_the_chain(scene):
    scene.forward("chained", "carol@peer.test")
    scene.send("chained", scene.signed(letter("chain")))
    first = scene.taken("chain@")[0].data
    scene.forward("again", "dave@peer.test")
    scene.send("again", first, sender="SRS0=abcd=xy=author.test=jo@first.test")
    second = [one for one in scene.taken("chain@", 2) if one.recipients == ["dave@peer.test"]][0]
    assert second.data.startswith(b"ARC-Seal: i=2;") and second.sender.startswith("SRS1=")
    result, rows, reason = arc(scene, second.data)
    assert result == b"pass", (reason, rows)


def test_a_failure_finds_its_way_back_and_does_not_tell_where_it_was(scene):
    scene.forward("secret", f"nobody@{FAR}")
    scene.send("secret", letter("lost"))
    report = scene.taken("lost@author.test")[0]
    assert (report.sender, report.recipients) == ("", ["jo@author.test"])
    said = email.message_from_bytes(report.data)
    assert said.get_content_type() == "multipart/report"
    assert f"Final-Recipient: rfc822; secret@{DOMAIN}".encode() in report.data and b"Status: 5.1.1" in report.data
    assert FAR.encode() not in report.data


def test_a_report_to_the_rewritten_sender_is_passed_on_and_nothing_else_is(scene):
    scene.forward("srs", "carol@peer.test")
    scene.send("srs", letter("srs"))
    sender = scene.taken("srs@author.test")[0].sender
    local = sender.split("@")[0]
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        scene.send(local, letter("not a report"))
    forged = local.replace(local[5:13], "aaaaaaaa")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        scene.send(forged, letter("forged"), sender="", source="127.0.0.1")
    bounce = b"From: <mailer-daemon@peer.test>\r\nTo: <x@x>\r\nSubject: bounced\r\n\r\nno\r\n"
    scene.send(local, bounce, sender="", source="127.0.0.1")
    passed = scene.taken("Subject: bounced")[0]
    assert (passed.sender, passed.recipients) == ("", ["jo@author.test"])


def test_what_came_by_here_before_is_a_loop(scene):
    scene.forward("loop", "carol@peer.test")
    with pytest.raises(smtplib.SMTPDataError, match="5.4.6"):
        scene.send("loop", letter("looping", f"Delivered-To: loop@{DOMAIN}\r\n"))
    scene.server.account("round")
    scene.forward("round", "carol@peer.test")
    scene.send("round", letter("circle", f"Delivered-To: round@{DOMAIN}\r\n"))  # who keeps a copy loses nothing
    with scene.server.imap("round") as client:
        wait_for(client, 1)
    assert not [one for one in scene.peer.taken if b"circle" in one.data]


def test_junk_is_kept_or_refused_and_not_sent_on(scene):
    scene.forward("junk", "carol@peer.test")
    with pytest.raises(smtplib.SMTPDataError, match="junk"):
        scene.send("junk", letter("cheap").replace(b"author.test", b"junk.test"), sender="x@junk.test")
    scene.server.account("binned")
    scene.forward("binned", "carol@peer.test")
    scene.send("binned", letter("cheap").replace(b"author.test", b"junk.test"), sender="x@junk.test")
    with scene.server.imap("binned", mailbox="Junk") as client:
        wait_for(client, 1)
    assert not [one for one in scene.peer.taken if b"cheap" in one.data]


def test_each_address_has_a_copy_of_its_own_and_so_have_our_own_users(scene):
    scene.server.account("alice")
    scene.forward("one", "one@peer.test")
    scene.forward("two", "two@peer.test", "three@peer.test")
    with smtplib.SMTP("127.0.0.1", scene.server.port(25), source_address=(AUTHOR, 0)) as client:
        client.sendmail("jo@author.test", [f"one@{DOMAIN}", f"two@{DOMAIN}"], letter("both"))
    copies = {tuple(sorted(one.recipients)): one.data for one in scene.taken("both@", 2)}
    assert set(copies) == {("one@peer.test",), ("three@peer.test", "two@peer.test")}
    assert b"two@" not in copies[("one@peer.test",)]
    own = f"From: alice@{DOMAIN}\r\nTo: one@{DOMAIN}\r\nSubject: own\r\n\r\nmine\r\n"
    with scene.server.submission("alice") as client:
        client.sendmail(f"alice@{DOMAIN}", [f"one@{DOMAIN}"], own)
    sent = scene.taken("Subject: own")[0]
    assert sent.sender == f"alice@{DOMAIN}" and sent.recipients == ["one@peer.test"] and b"DKIM-Signature" in sent.data


def test_an_address_elsewhere_is_not_flooded(scene):
    scene.forward("flood", "flooded@peer.test")
    for _ in range(20):
        scene.send("flood", letter("flood"))
    with pytest.raises(smtplib.SMTPDataError, match="4.7.1"):
        scene.send("flood+tag", letter("flood"))


def test_the_tool_lists_and_removes(scene):
    scene.forward("tool", "a@peer.test", "b@peer.test")
    rows = json.loads(scene.server.tool("forward", "list", "--json").stdout)
    assert {"address": f"tool@{DOMAIN}", "target": "b@peer.test"} in rows
    scene.server.tool("forward", "remove", f"tool@{DOMAIN}", "a@peer.test")
    assert f"tool@{DOMAIN}\tb@peer.test\n" in scene.server.tool("forward", "list").stdout
    scene.server.tool("forward", "remove", f"tool@{DOMAIN}")
    with pytest.raises(Failed, match="not sent on"):
        scene.server.tool("forward", "remove", f"tool@{DOMAIN}")
    with pytest.raises(Failed, match="domain of this server"):
        scene.forward("tool", f"alice@{DOMAIN}")
