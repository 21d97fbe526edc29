"""Mail from outside is judged by the running server, over a little internet of signed and broken names."""
import base64
import email
import smtplib
import subprocess
import time

import pytest

dkim = pytest.importorskip("dkim")
from internet import Internet  # noqa: E402
from server import DOMAIN, Server, messages, wait_for  # noqa: E402

HERE = "127.0.0.1"


class Scene:
    """A server that judges even what comes from this machine, and domains of every kind."""

    def __init__(self, folder):
        self.key = folder / "key"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
        self.net = Internet()
        self.net.reverse(HERE, "client.test")
        self.net.zone("client.test").add(f"A {HERE}").add_text("v=spf1 a -all")
        for name, policy in (("reject.test", "reject"), ("junk.test", "quarantine"), ("open.test", "none")):
            zone = self.net.zone(name).add_text(f"v=spf1 ip4:192.0.2.1 -all").add_text("_dmarc", f"v=DMARC1; p={policy}")
            zone.add_text("s._domainkey", record)
        self.net.zone("mine.test").add_text(f"v=spf1 ip4:{HERE} -all").add_text("_dmarc", "v=DMARC1; p=reject")
        self.net.zone("list.test").add_text("s._domainkey", record)
        self.net.zone("bogus.test", bogus=True).add_text("v=spf1 -all").add_text("_dmarc", "v=DMARC1; p=reject")
        self.net.server("dead.test", "servfail")
        self.net.publish()
        self.server = Server(settings=self.net.settings() + "[trust]\nlocal =\narc_sealers = list.test\n")
        self.server.start()
        self.server.domain()
        self.users = 0

    def close(self):
        try:
            self.server.stop()
        finally:
            self.server.remove()
            self.net.close()

    def user(self):
        self.users += 1
        self.server.account(f"user{self.users}")
        return f"user{self.users}"

    def signed(self, message, domain):
        return dkim.sign(message, b"s", domain.encode(), self.key.read_bytes()) + message


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory.mktemp("trust"))
    yield scene
    scene.close()


def letter(author, more=b""):
    return more + f"From: <{author}>\r\nTo: <user@{DOMAIN}>\r\nSubject: hello\r\n\r\nHello.\r\n".encode()


def received(scene, user, mailbox="INBOX"):
    with scene.server.imap(user, mailbox=mailbox) as client:
        return email.message_from_bytes(wait_for(client, 1)[0])


def results(message):
    """method -> result of the one field that is ours."""
    fields = message.get_all("Authentication-Results")
    assert [field.split(";")[0] for field in fields].count("mx.demo.test") == 1 and fields[0].startswith("mx.demo.test;")
    return {part.split("=")[0].strip(): part.split("=")[1].split()[0] for part in fields[0].split(";")[1:]}


@pytest.mark.parametrize("author, sender, wanted", [
    ("a@mine.test", "a@mine.test", {"spf": "pass", "dmarc": "pass", "dkim": "none", "iprev": "pass"}),
    ("a@open.test", "a@open.test", {"spf": "fail", "dmarc": "fail"}),
    ("a@nowhere.test", "a@nowhere.test", {"spf": "none", "dmarc": "none"}),
    ("a@nowhere.test", "", {"spf": "pass", "dmarc": "none"}),
    ("a@bogus.test", "a@bogus.test", {"spf": "temperror", "dmarc": "temperror"}),
    ("a@dead.test", "a@dead.test", {"spf": "temperror", "dmarc": "temperror"}),
])
def test_results_are_written(scene, author, sender, wanted):
    user = scene.user()
    with smtplib.SMTP(HERE, scene.server.port(25), local_hostname="client.test", timeout=30) as client:
        client.sendmail(sender, [f"{user}@{DOMAIN}"], letter(author))
    found = results(received(scene, user))
    assert wanted.items() <= found.items(), found


def test_what_a_policy_refuses_is_refused_with_its_name(scene):
    user = scene.user()
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        scene.server.deliver(user, letter("boss@reject.test"), sender="x@client.test")
    assert refusal.value.smtp_code == 550
    assert b"5.7.1" in refusal.value.smtp_error and b"reject.test" in refusal.value.smtp_error
    scene.server.deliver(user, scene.signed(letter("boss@reject.test"), "reject.test"), sender="x@client.test")
    found = results(received(scene, user))
    assert (found["dkim"], found["dmarc"]) == ("pass", "pass")


def test_a_from_that_hides_its_domain_is_no_way_around_a_policy(scene):
    user = scene.user()
    many = ", ".join(["boss@reject.test"] + [f"a@m{number}.test" for number in range(4)])
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        scene.server.deliver(user, f"From: {many}\r\n\r\nhello\r\n", sender="x@client.test")
    assert refusal.value.smtp_code == 550 and b"more than 4 domains" in refusal.value.smtp_error
    scene.server.deliver(user, 'From: "The Boss <boss@reject.test>\r\n\r\nhello\r\n', sender="x@client.test")
    junk = received(scene, user, "Junk")
    assert results(junk)["dmarc"] == "permerror"
    assert junk["X-Junk-Reason"] == "From names no domain that could say whether it is genuine"


def test_what_a_policy_quarantines_is_in_junk(scene):
    user = scene.user()
    scene.server.deliver(user, letter("boss@junk.test"), sender="x@client.test")
    junk = received(scene, user, "Junk")
    assert results(junk)["dmarc"] == "fail"
    assert junk["X-Junk-Reason"].startswith("the DMARC policy of junk.test wants it")
    scene.server.deliver(user, scene.signed(letter("boss@junk.test"), "junk.test"), sender="x@client.test")
    assert results(received(scene, user))["dmarc"] == "pass"
    with scene.server.imap(user, mailbox="Junk") as client:
        assert len(messages(client)) == 1
        assert b"$Junk" in client.fetch("1", "(FLAGS)")[1][0]


def test_forged_results_are_removed_and_others_stay(scene):
    user = scene.user()
    forged = (b"Authentication-Results: mx.demo.test; dmarc=pass\r\nAuthentication-Results: (x)\r\n \"MX.demo.test\" 1;\r\n"
              b" spf=pass\r\nAuthentication-Results: \"mx\\.demo.test\"; dmarc=pass\r\nAuthentication-Results: other.example; spf=fail\r\n")
    scene.server.deliver(user, letter("a@open.test", forged), sender="a@open.test")
    fields = received(scene, user).get_all("Authentication-Results")
    assert [field.split(";")[0] for field in fields] == ["mx.demo.test", "other.example"]
    assert "dmarc=fail" in fields[0]


def test_a_trusted_sealer_gets_a_changed_message_in(scene):
    user = scene.user()
    said = letter("boss@reject.test", b"Authentication-Results: list.test; dmarc=pass\r\n")
    chain = b"".join(dkim.arc_sign(said, b"s", b"list.test", scene.key.read_bytes(), b"list.test"))
    scene.server.deliver(user, chain + said, sender="x@client.test")
    found = results(received(scene, user))
    assert (found["dmarc"], found["arc"]) == ("fail", "pass")
    with pytest.raises(smtplib.SMTPDataError):
        scene.server.deliver(user, chain + said.replace(b"Hello.", b"Hallo."), sender="x@client.test")


def test_own_users_are_not_judged(scene):
    user = scene.user()
    with scene.server.submission(user) as client:
        client.sendmail(f"{user}@{DOMAIN}", [f"{user}@{DOMAIN}"], letter(f"{user}@{DOMAIN}"))
    assert received(scene, user).get_all("Authentication-Results") is None


def test_a_large_message_is_verified_whole(scene):
    user = scene.user()
    message = letter("a@junk.test") + b"0123456789abcdef" * 4 + b"\r\n"
    message += b"".join(b"line %d of a long message\r\n" % number for number in range(60000))
    scene.server.deliver(user, scene.signed(message, "junk.test"), sender="x@client.test")
    scene.server.deliver(user, scene.signed(message, "junk.test") + b"more\r\n", sender="x@client.test")
    assert results(received(scene, user))["dkim"] == "pass"
    assert results(received(scene, user, "Junk"))["dkim"] == "fail"


def test_a_name_server_that_says_nothing_costs_no_more_than_the_setting(scene):
    with Internet() as net:
        net.server("mute.test", "silent")
        net.zone("strict.test").add_text("_dmarc", "v=DMARC1; p=reject")
        net.publish()
        with Server(settings=net.settings(timeout=30) + "[trust]\nlocal =\ntimeout = 2\n") as server:
            server.domain()
            server.account("user")
            start = time.monotonic()
            server.deliver("user", letter("a@mute.test"), sender="a@mute.test")
            assert time.monotonic() - start < 6
            with server.imap("user") as client:
                assert results(email.message_from_bytes(wait_for(client, 1)[0]))["spf"] == "temperror"
            silent = scene.signed(letter("boss@strict.test"), "mute.test")
            with pytest.raises(smtplib.SMTPDataError) as refusal:  # the policy is asked for before all else
                server.deliver("user", silent, sender="a@mute.test")
            assert refusal.value.smtp_code == 550
            own = silent.replace(b"mute.test", b"strict.test")
            with pytest.raises(smtplib.SMTPDataError) as refusal:
                server.deliver("user", own, sender="a@mute.test")
            assert refusal.value.smtp_code == 451
