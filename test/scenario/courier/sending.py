"""Mail from our users to other servers: scripted ones here, for what real ones seldom do; smtp-sink and Postfix in peers.py."""
import email
import json
import signal
import threading
import os
import time

import pytest

from server import DOMAIN, Server, messages, wait_for, wait_until
from smtppeer import CUT, Peer, self_signed

SETTINGS = """
[courier]
relay = 127.0.0.1:{port}
relay_tls = optional
retry_first = 1
retry_longest = 2
reply_timeout = 5
connect_timeout = 5
"""


class Post:
    """A server, and a peer that all its mail goes to."""
    def __init__(self, peer, more=""):
        self.peer = peer
        self.server = Server(SETTINGS.format(port=peer.port) + more, linger=1)
        self.server.start()
        self.server.domain()
        self.server.account("alice")

    def send(self, to=("bob@example.org",), marker="one", options=(), rcpt_options=(), body="hello\r\n", mail_from="alice"):
        text = f"From: {mail_from}@{DOMAIN}\r\nTo: {to[0]}\r\nSubject: {marker}\r\nX-Marker: {marker}\r\n\r\n{body}"
        with self.server.submission(mail_from) as client:
            return client.sendmail(f"{mail_from}@{DOMAIN}", list(to), text, options, rcpt_options)

    def queue(self):
        return json.loads(self.server.tool("queue", "list", "--json").stdout)

    def until_empty(self, seconds=20):
        wait_until(lambda: not self.queue(), seconds, "the queue is empty")

    def until_taken(self, count, seconds=20):
        return wait_until(lambda: len(self.peer.taken) >= count and self.peer.taken, seconds, f"{count} messages taken")

    def report(self, count=1):
        with self.server.imap("alice") as client:
            return email.message_from_bytes(wait_for(client, count)[-1])

    def close(self):
        self.server.remove()
        self.peer.close()


@pytest.fixture
def make():
    made = []

    def build(more="", **how):
        made.append(Post(Peer(**how), more))
        return made[-1]
    yield build
    for post in made:
        post.close()


def marker_of(data):
    return email.message_from_bytes(data)["X-Marker"]


def status_of(report):
    return report.get_payload(1).as_string()


def test_a_message_is_delivered_and_shows_nothing_of_its_client(make):
    post = make()
    with post.server.submission("alice") as client:
        client.sendmail(f"alice@{DOMAIN}", ["bob@example.org", f"alice@{DOMAIN}"],
                        f"From: alice@{DOMAIN}\r\nDate: Sat, 21 Nov 2026 11:44:12 +0100\r\nUser-Agent: Secret/1.0\r\n"
                        "Bcc: eve@example.org\r\nMIME-Version: 1.0 (Secret Mail)\r\nX-Originating-IP: 192.0.2.9\r\n"
                        "Received: from client.example ([192.0.2.9]) by client.example (Secret) id 1; Sat, 21 Nov 2026 11:44:12 +0100\r\n"
                        "\r\n.dot\r\nlast\r\n")
    taken = post.until_taken(1)[0]
    assert taken.sender == f"alice@{DOMAIN}" and taken.recipients == ["bob@example.org"]
    assert taken.data.endswith(b"\r\n\r\n.dot\r\nlast\r\n")
    assert b"Date: Sat, 21 Nov 2026 10:44:12 +0000\r\n" in taken.data
    for secret in (b"Secret", b"eve@", b"192.0.2.9", b"127.0.0.1", b"client.example", b"+0100", b"Return-Path"):
        assert secret not in taken.data
    assert taken.data.count(b"\r\nReceived: from hidden.invalid") == 2
    post.until_empty()
    with post.server.imap("alice") as client:
        assert wait_for(client, 1)[0].startswith(b"Return-Path: <alice@demo.test>\r\n")


def test_port_25_relays_for_nobody(make):
    post = make()
    with post.server.smtp() as client:
        client.mail("alice@demo.test")
        assert client.rcpt("bob@example.org")[0] == 550


def test_what_is_deferred_is_delivered_later(make):
    post = make()
    answers = iter(["451 4.7.1 greylisted", "451 4.7.1 greylisted"])
    post.peer.script["rcpt"] = lambda address, peer: next(answers, None)
    post.send()
    assert marker_of(post.until_taken(1)[0].data) == "one"
    post.until_empty()
    assert len(post.peer.taken) == 1


def test_a_refused_recipient_is_reported_and_the_others_get_theirs(make):
    post = make()
    post.peer.script["rcpt"] = lambda address, peer: "550 5.1.1 nobody here" if address.startswith("no") else None
    post.send(to=("bob@example.org", "no@example.org"))
    report = post.report()
    post.until_empty()
    assert [one.recipients for one in post.peer.taken] == [["bob@example.org"]]
    assert report["Return-Path"] == "<>" and report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status" and report["Auto-Submitted"] == "auto-replied"
    status = status_of(report)
    assert "Final-Recipient: rfc822; no@example.org\n" in status and "Action: failed\n" in status
    assert "Status: 5.1.1\n" in status and "Diagnostic-Code: smtp; 550 nobody here" in status
    assert "bob@" not in status
    assert report.get_payload(2).get_content_type() == "text/rfc822-headers"
    assert "X-Marker: one" in report.get_payload(2).get_payload()


def test_what_its_sender_asks_of_reports_is_done(make):
    post = make()
    post.send(options=["ENVID=QQ314", "RET=FULL"], rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;b+2Bb@example.org"])
    status = status_of(post.report())
    assert "Action: relayed\n" in status and "Original-Envelope-Id: QQ314\n" in status
    assert "Original-Recipient: rfc822;b+b@example.org\n" in status
    post.until_empty()
    assert not [line for line in post.peer.lines if "NOTIFY" in line or "ENVID" in line]


def test_reports_are_left_to_who_makes_them(make):
    post = make(extensions=("PIPELINING", "DSN"))
    post.send(marker="two", options=["ENVID=QQ315", "RET=FULL"], rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    post.until_taken(1)
    post.until_empty()
    assert [line for line in post.peer.lines if line.startswith("MAIL") and "RET=FULL ENVID=QQ315" in line]
    assert [line for line in post.peer.lines if line.startswith("RCPT") and "NOTIFY=SUCCESS,FAILURE" in line]
    with post.server.imap("alice") as client:
        assert messages(client) == []


def test_who_wants_no_report_gets_none(make):
    post = make()
    post.peer.script["rcpt"] = "550 5.1.1 nobody"
    post.send(marker="three", rcpt_options=["NOTIFY=NEVER"])
    post.until_empty()
    post.send(to=(f"alice@{DOMAIN}",), marker="four", rcpt_options=["NOTIFY=SUCCESS"])
    with post.server.imap("alice") as client:
        found = [email.message_from_bytes(one) for one in wait_for(client, 2)]
    reports = [one for one in found if one.is_multipart()]
    assert len(reports) == 1 and "Action: delivered\n" in status_of(reports[0])


def test_what_nobody_takes_is_delayed_then_given_back(make):
    post = make(more="delay_notice = 2\nlifetime = 5\n")
    post.peer.script["mail"] = "450 4.3.2 not now"
    post.send()
    delay = post.report()
    assert "Action: delayed\n" in status_of(delay) and "Will-Retry-Until:" in status_of(delay)
    failure = post.report(2)
    assert "Action: failed\n" in status_of(failure) and "450 not now" in status_of(failure)
    post.until_empty()
    assert post.peer.taken == []


def test_a_server_that_cannot_be_reached_is_tried_again(make):
    post = make()
    port = post.peer.port
    post.peer.close()
    post.send()
    wait_until(lambda: [one for one in post.queue() if one["attempts"] > 0], 10, "an attempt has failed")
    shown = json.loads(post.server.tool("queue", "show", post.queue()[0]["id"], "--json").stdout)
    assert "1 in the queue" in post.server.tool("status").stdout
    assert shown["sender"] == f"alice@{DOMAIN}" and shown["recipients"][0]["address"] == "bob@example.org"
    assert "refused" in shown["destinations"][0]["reply"]
    post.peer = Peer(port=port)
    post.until_taken(1)
    post.until_empty()


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "content"])
def test_a_connection_cut_early_costs_nothing_but_time(make, stage):
    post = make()
    cuts = iter([CUT, CUT])
    post.peer.script[stage] = lambda argument, peer: next(cuts, None)
    post.send(to=("bob@example.org", "carol@example.org"))
    post.until_taken(1)
    post.until_empty()
    assert sorted(to for _, to in post.peer.recipients()) == ["bob@example.org", "carol@example.org"]


def test_tls_is_used_where_it_is_offered_and_done_without_where_it_fails(make):
    post = make(tls=self_signed())
    post.send()
    assert post.until_taken(1)[0].tls
    post.until_empty()
    broken = make(tls=self_signed())
    broken.peer.tls = ("/dev/null", "/dev/null")
    broken.send()
    assert not broken.until_taken(1)[0].tls


def test_a_relay_is_verified_where_tls_is_demanded(tmp_path):
    tmp_path.chmod(0o755)
    certificate = self_signed(folder=str(tmp_path))
    post = Post(Peer(tls=certificate, extensions=("PIPELINING",)))
    try:
        conf = post.server.conf.read_text().replace("relay_tls = optional", "relay_tls = starttls")
        post.server.conf.write_text(conf)
        post.server.tool("reload")
        post.send()
        wait_until(lambda: [one for one in post.queue() if one["attempts"] > 0], 10, "the certificate is refused")
        assert post.peer.taken == []
        post.server.conf.write_text(conf + f"[tls]\nroots = {certificate[0]}\n")
        post.server.tool("reload")
        assert post.until_taken(1)[0].tls
    finally:
        post.close()


def test_a_connection_carries_many_messages(make):
    post = make(more="connections_per_destination = 1\n")
    for number in range(10):
        post.send(marker=str(number))
    post.until_taken(10)
    post.until_empty()
    assert post.peer.connections < 5
    assert sorted(marker_of(one.data) for one in post.peer.taken) == [str(number) for number in range(10)]


def test_a_long_list_has_all_its_turns(make):
    post = make(more="[abuse]\nnew_recipients = 0\n")
    names = [f"x{number}@example.org" for number in range(230)]
    deferred = set(names[::50])
    post.peer.script["rcpt"] = lambda address, peer: "450 4.2.1 later" if address in deferred else None
    post.send(to=names)
    wait_until(lambda: len(post.peer.recipients()) >= 225, 20, "the others have it")
    deferred.clear()
    wait_until(lambda: len(post.peer.recipients()) >= 230, 20, "all have it")
    post.until_empty()
    assert sorted(to for _, to in post.peer.recipients()) == sorted(names)


def test_a_server_that_turns_us_away_may_think_better_of_it(make):
    post = make()
    answers = iter(["554 5.7.1 not you", "554 5.7.1 not you"])
    post.peer.script["connect"] = lambda argument, peer: next(answers, None)
    post.send()
    post.until_taken(1)
    post.until_empty()
    assert len(post.peer.taken) == 1


def test_a_tarpit_holds_up_nobody_but_itself(make):
    trap = Peer()
    post = make(more=f"routes = slow.test=127.0.0.1:{trap.port}\n")
    gate = threading.Event()
    trap.script["mail"] = lambda *_: gate.wait(30) and None
    try:
        for number in range(5):
            post.send(to=(f"x{number}@slow.test", f"y{number}@example.org"), marker=str(number))
        post.until_taken(5, 10)
        assert len(post.queue()) == 5 and not trap.taken
        gate.set()
        wait_until(lambda: len(trap.taken) == 5, 20, "the slow one has them all, too")
        post.until_empty()
    finally:
        trap.close()


def test_an_answer_that_does_not_end_is_cut_off(make):
    post = make()
    answers = iter(["\r\n".join(["250-more"] * 300), "250-" + "x" * 100000])

    def drip(_, peer):
        for each in list(peer.open):
            try:
                while True:
                    each.sendall(b"250-more\r\n")
                    time.sleep(1)
            except OSError:
                pass
    post.peer.script["ehlo"] = lambda argument, peer: next(answers, None) or (drip(argument, peer) if peer.connections == 3 else None)
    post.send()
    post.until_taken(1, 40)
    post.until_empty()
    assert post.peer.connections == 4


def test_a_message_is_held_released_and_removed(make):
    post = make()
    post.peer.script["mail"] = "450 4.3.2 not now"
    post.send()
    one = wait_until(post.queue, 10, "it is in the queue")[0]["id"]
    post.server.tool("queue", "hold", one)
    post.peer.script.clear()
    wait_until(lambda: post.queue()[0]["state"] == "held", 10, "it is held")
    post.server.stop()
    post.server.start()
    wait_until(lambda: post.server.tool("queue", "list", "--json", check=False).returncode == 0 and post.queue() and
               post.queue()[0]["state"] == "held", 10, "it is held after a restart, too")
    post.server.tool("queue", "release", one)
    post.until_taken(1)
    post.until_empty()
    post.peer.script["mail"] = "450 4.3.2 not now"
    post.send()
    two = wait_until(post.queue, 10, "it is in the queue")[0]["id"]
    post.server.tool("queue", "remove", two)
    assert not post.queue()
    assert post.server.tool("queue", "show", two, check=False).returncode == 1


def test_a_message_for_later_waits(make):
    post = make()
    post.send(options=["HOLDFOR=3"])
    assert wait_until(post.queue, 5, "it is in the queue")[0]["state"] == "scheduled"
    assert not post.peer.taken
    post.until_taken(1)
    post.until_empty()


def test_a_server_without_what_the_message_needs_is_a_clear_failure(make):
    post = make(extensions=("PIPELINING", "SIZE 100000"))
    post.send(body=("y" * 70 + "\r\n") * 2000, marker="large")
    assert "Status: 5.3.4\n" in status_of(post.report())
    post.send(options=["REQUIRETLS"], marker="secret")
    report = post.report(2)
    assert "Status: 5.7.30\n" in status_of(report)
    for words in ("Remote-MTA", "Diagnostic-Code", "says:"):  # the other server has said nothing
        assert words not in report.as_string()
    post.until_empty()
    assert post.peer.taken == []


def test_a_server_that_knows_only_helo_gets_its_mail(make):
    post = make()
    post.peer.script["ehlo"] = "502 5.5.1 what?"
    post.send()
    post.until_taken(1)
    assert [line for line in post.peer.lines if line.startswith("HELO ")]


def test_a_restart_loses_nothing_and_repeats_nothing(make):
    post = make()
    post.peer.script["rcpt"] = lambda address, peer: "451 4.2.0 later" if address.startswith("later") else None
    for number in range(5):
        post.send(to=(f"now{number}@example.org", f"later{number}@example.org"), marker=str(number))
    post.until_taken(5)
    wait_until(lambda: all(one["attempts"] > 0 for one in post.queue()), 10, "all are deferred")
    post.server.kill()
    post.server.start()
    post.peer.script.clear()
    wait_until(lambda: len(post.peer.recipients()) >= 10, 20, "all are delivered")
    post.until_empty()
    found = sorted(to for _, to in post.peer.recipients())
    assert found == sorted([f"now{n}@example.org" for n in range(5)] + [f"later{n}@example.org" for n in range(5)])


def test_killed_roles_lose_nothing(make):
    """Of a message whose acknowledgement was on its way when a role was killed nobody can know: those may come twice."""
    post = make()
    total = 60

    def kill_now_and_then():
        for role in ("courier", "store", "intake", "keeper", "courier", "store"):
            time.sleep(0.5)
            for pid, name in post.server.roles().items():
                if name == role:
                    os.kill(pid, signal.SIGKILL)
    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    sent = []
    number = 0
    while len(sent) < total:
        number += 1
        try:
            post.send(marker=str(number))
            sent.append(str(number))
        except Exception:  # refused or cut: not acknowledged, so it may or may not arrive
            time.sleep(0.05)
    killer.join()
    wait_until(lambda: {marker_of(one.data) for one in post.peer.taken} >= set(sent), 40, "every message that was accepted")
    wait_until(lambda: post.server.tool("queue", "list", "--json", check=False).stdout.strip() == "[]", 20, "the queue is empty")
    twice = len(post.peer.taken) - len({marker_of(one.data) for one in post.peer.taken})
    assert twice <= 6, "at most the one under way at each kill"
