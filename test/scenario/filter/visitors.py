"""What clients from outside are put through before and while they bring mail: turn, name, and how much; from addresses of the
world outside, in a network of the test's own."""
import smtplib
import socket
import time

from alone import alone
from server import DOMAIN, wait_until
from site_of_one import Site

PLAIN = "From: ann@example.org\r\nSubject: hello\r\n\r\nhello\r\n"
QUIET = "[trust]\ndmarc = off\nspf = off\ndkim = off\niprev = off\n[filter]\n"
ONE, NEIGHBOUR, OTHER, SIX = "192.0.2.7", "192.0.2.8", "198.51.100.7", "2001:db8::7"
WAIT = "greeting_wait = 2\n"


class Wire:
    """A client that says what it likes when it likes."""

    def __init__(self, site, source=ONE):
        self.socket = socket.create_connection(("127.0.0.1", site.server.port(25)), timeout=20, source_address=(source, 0))
        self.lines = self.socket.makefile("rb")

    def say(self, *lines):
        self.socket.sendall(b"".join(line.encode() + b"\r\n" for line in lines))

    def hear(self):
        """The next reply, all of its lines in one; empty where the connection has ended."""
        whole = b""
        while line := self.lines.readline():
            whole += line
            if line[3:4] != b"-":
                break
        return whole.decode()

    def ask(self, *lines):
        self.say(*lines)
        return self.hear()

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send(site, source=ONE, helo="mail.example.org", sender="ann@example.org", to=None):
    with smtplib.SMTP("127.0.0.1", site.server.port(25), local_hostname=helo, source_address=(source, 0), timeout=20) as client:
        client.sendmail(sender, [to or site.user], PLAIN)


def refusal(call, *words, **options):
    """The code and words with which it ended."""
    try:
        call(*words, **options)
    except smtplib.SMTPRecipientsRefused as refused:
        return next(iter(refused.recipients.values()))
    except smtplib.SMTPResponseException as refused:
        return refused.smtp_code, refused.smtp_error
    return 250, b""


def row(site, name):
    return next(row for row in site.server.status()["filters"] if row["name"] == name)


def wait_for_row(site, name, **counts):
    """A connection is counted at its end."""
    return wait_until(lambda: (found := row(site, name)) | counts == found and found, 20, f"{name}: {counts}")


@alone
def test_who_speaks_before_the_greeting_is_sent_away():
    with Site(QUIET + WAIT) as site:
        with Wire(site) as wire:
            assert wire.ask("EHLO mail.example.org").startswith("554 5.5.0 ")
            assert wire.hear() == ""
        wait_for_row(site, "turn", asked=1, refused=1)


@alone
def test_who_waits_is_greeted_and_once_known_greeted_at_once():
    with Site(QUIET + WAIT) as site:
        began = time.monotonic()
        send(site)
        assert time.monotonic() - began >= 2
        before = wait_for_row(site, "turn", asked=1)
        assert before["ms"] >= 2000
        send(site, NEIGHBOUR)
        site.server.deliver(site.user, PLAIN.encode())  # of [trust] local: it is put through nothing
        after = wait_for_row(site, "turn", asked=2)
        assert after["ms"] * after["asked"] < before["ms"] * before["asked"] + 1000  # nobody has waited since
        assert len(site.mail("INBOX", 3)) == 3


@alone
def test_who_speaks_too_early_may_be_let_in_as_junk():
    with Site(QUIET + WAIT + "out_of_turn = junk\n") as site:
        with Wire(site) as wire:
            wire.say("EHLO mail.example.org")
            assert wire.hear().startswith("220 ") and wire.hear().startswith("250-")
            for line, code in (("MAIL FROM:<ann@example.org>", "250"), (f"RCPT TO:<{site.user}>", "250"), ("DATA", "354"),
                               ("X-Junk-Reason: because", None), (PLAIN + ".", "250")):
                wire.say(line)
                assert code is None or wire.hear().startswith(code)
        letter = site.mail("Junk", 1)[0]
        assert b"X-Junk-Reason: the sending server spoke before it was its turn\r\n" in letter and b"because" not in letter
        wait_for_row(site, "turn", junk=1)
        with Wire(site) as wire:
            began = time.monotonic()
            assert wire.hear().startswith("220 ")
            assert time.monotonic() - began >= 2  # junk makes nobody known


@alone
def test_what_must_be_waited_for_is():
    with Site(QUIET + "greeting_wait = 0\n") as site:
        with Wire(site) as wire:
            assert wire.hear().startswith("220 ")
            assert wire.ask("EHLO mail.example.org", "MAIL FROM:<a@example.org>").startswith("554 5.5.0 ")
        with Wire(site) as wire:
            wire.hear()
            wire.ask("EHLO mail.example.org")
            wire.say("MAIL FROM:<a@example.org>", f"RCPT TO:<{site.user}>", "DATA", PLAIN, ".")
            assert [wire.hear()[:3] for _ in range(3)] == ["250", "250", "554"]
        with Wire(site) as wire:  # a group as it should be (RFC 2920)
            wire.hear()
            wire.ask("EHLO mail.example.org")
            wire.say("MAIL FROM:<a@example.org>", f"RCPT TO:<{site.user}>", "DATA")
            assert [wire.hear()[:3] for _ in range(3)] == ["250", "250", "354"]
            assert wire.ask(PLAIN + ".").startswith("250")
        assert len(site.mail("INBOX", 1)) == 1
        with socket.create_connection(("127.0.0.1", site.server.port(25)), timeout=20) as near:  # [trust] local may
            near.sendall(b"EHLO here\r\nQUIT\r\n")
            heard = b"".join(iter(lambda: near.recv(4096), b""))
            assert b"\r\n221 " in heard


@alone
def test_names_that_cannot_be_the_clients_are_refused():
    with Site(QUIET + "greeting_wait = 0\n") as site:
        for name, code in (("mx.demo.test", 550), ("[127.0.0.1]", 550), ("localhost", 550), ("192.0.2.7", 501), ("a/b", 501),
                           ("[192.0.2.7]", 250), ("nowhere", 250), ("unknown.example.net", 250)):
            with Wire(site) as wire:
                wire.hear()
                assert wire.ask(f"EHLO {name}").startswith(str(code)), name
        wait_for_row(site, "helo", refused=5, passed=3)
        site.server.deliver(site.user, PLAIN.encode())
        with smtplib.SMTP("127.0.0.1", site.server.port(25), local_hostname="localhost", timeout=20) as near:
            assert near.sendmail("a@example.org", [site.user], PLAIN) == {}


@alone
def test_a_doubtful_name_may_be_let_in_as_junk():
    with Site(QUIET + "greeting_wait = 0\nhelo = junk\n") as site:
        send(site, helo="localhost")
        letter = site.mail("Junk", 1)[0]
        assert b"X-Junk-Reason: what the sending server calls itself cannot be its name\r\n" in letter


@alone
def test_a_network_may_open_so_many_connections():
    with Site(QUIET + "greeting_wait = 0\nconnections_per_hour = 2\n") as site:
        send(site)
        send(site, NEIGHBOUR)
        code, words = refusal(send, site)
        assert code == 421 and words.startswith(b"4.7.0 Too many connections from your network"), words
        send(site, OTHER)
        site.server.deliver(site.user, PLAIN.encode())
        assert len(site.mail("INBOX", 4)) == 4
        assert row(site, "rates")["deferred"] == 1


@alone
def test_a_network_and_a_sender_may_send_so_much():
    with Site(QUIET + "greeting_wait = 0\nmessages_per_hour = 3\nsender_messages_per_hour = 2\n") as site:
        send(site)
        send(site, NEIGHBOUR)
        code, words = refusal(send, site)
        assert code == 450 and words.startswith(b"4.7.1 "), words
        send(site, sender="bob@example.org")
        assert refusal(send, site, sender="carl@example.org")[0] == 450
        send(site, OTHER)
        assert len(site.mail("INBOX", 4)) == 4


@alone
def test_who_guesses_addresses_learns_of_none():
    with Site(QUIET + "greeting_wait = 0\nunknown_per_hour = 3\n") as site:
        codes = [refusal(send, site, to=f"guess{number}@{DOMAIN}")[0] for number in range(5)]
        assert codes == [550, 550, 550, 450, 450]
        assert refusal(send, site)[0] == 450
        send(site, OTHER)
        assert len(site.mail("INBOX", 1)) == 1


@alone
def test_those_who_log_in_are_put_through_nothing():
    with Site(QUIET + "connections_per_hour = 1\nout_of_turn = refuse\n" + WAIT) as site:
        send(site)
        for _ in range(3):
            with smtplib.SMTP("127.0.0.1", site.server.port(587), local_hostname="localhost", source_address=(ONE, 0),
                              timeout=20) as client:
                assert client.ehlo()[0] == 250
        assert row(site, "rates")["deferred"] == 0
