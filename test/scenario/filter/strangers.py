"""What strangers are asked without any other program: lists in the DNS, and greylisting; and how much our own may send."""
import os
import signal
import smtplib
import time

import pytest

from internet import Internet
from server import DOMAIN, PASSWORD, children, wait_until
from site_of_one import Site

PLAIN = "From: ann@example.org\r\nSubject: hello\r\n\r\nhello\r\n"
JUDGED = "[trust]\nlocal =\ndmarc = off\nspf = off\ndkim = off\niprev = off\n"


@pytest.fixture(scope="module")
def internet():
    with Internet() as net:
        for name in ("bl.test", "quiet.test", "closed.test"):
            net.zone(name)
        net.zone("bl.test").add("1.0.0.127", "A 127.0.0.2").add("1.0.0.127", 'TXT "see https://bl.test/"')
        net.zone("closed.test").add("1.0.0.127", "A 127.255.255.254")
        net.publish()
        yield net


def test_a_listed_address_is_refused_and_told_why(internet):
    with Site(JUDGED + "[filter]\ndnsbl = quiet.test, bl.test\n" + internet.settings()) as site:
        assert site.refusal(PLAIN) == (550, "5.7.1 127.0.0.1 is listed by bl.test: see https://bl.test/")


def test_lists_that_do_not_list_or_do_not_answer_refuse_nobody(internet):
    with Site(JUDGED + "[filter]\ndnsbl = quiet.test, closed.test, none.nowhere\n" + internet.settings()) as site:
        site.send(PLAIN)
        assert len(site.mail("INBOX", 1)) == 1


def test_networks_of_our_own_are_not_looked_up(internet):
    with Site("[filter]\ndnsbl = bl.test\ngreylist = on\n" + internet.settings()) as site:
        site.send(PLAIN)
        assert len(site.mail("INBOX", 1)) == 1


def test_who_comes_again_later_is_let_in_and_stays_known():
    with Site(JUDGED + "[filter]\ngreylist = on\ngreylist_delay = 2\n") as site:
        code, words = site.refusal(PLAIN)
        assert (code, words[:5]) == (451, "4.7.1"), words

        def is_let_in():
            try:
                site.send(PLAIN)
            except smtplib.SMTPDataError as refused:
                assert refused.smtp_code == 451
                return False
            return True

        wait_until(is_let_in, 10, "the second try")
        site.send(PLAIN)
        assert len(site.mail("INBOX", 2)) == 2
        with pytest.raises(smtplib.SMTPDataError):
            site.server.deliver(site.user, PLAIN.encode(), sender="other@example.org")


def submit(site, *recipients):
    with site.server.submission("ann", PASSWORD) as client:
        client.sendmail(site.user, list(recipients), f"From: {site.user}\r\nSubject: x\r\n\r\nhi\r\n")


def test_an_account_writes_to_so_many_people_an_hour():
    with Site("[smtp]\nrecipients_per_hour = 3\n[courier]\nrelay = 127.0.0.1:9\n") as site:
        submit(site, "a@example.org", "b@example.org")
        with pytest.raises(smtplib.SMTPDataError) as caught:
            submit(site, "c@example.org", "d@example.org")
        assert caught.value.smtp_code == 451 and b"within an hour" in caught.value.smtp_error
        submit(site, "c@example.org")
        submit(site, f"ann@{DOMAIN}")
        assert len(site.mail("INBOX", 1)) == 1


def send_from(site, source):
    """What becomes of a letter from there, and how long it took."""
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", site.server.port(25), local_hostname="client.example", source_address=(source, 0),
                      timeout=30) as client:
        try:
            client.sendmail("ann@example.org", [site.user], PLAIN)
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code, time.monotonic() - began
    return 250, time.monotonic() - began


def signal_all(process, number):
    """NSD answers from processes below its first one."""
    for pid in [process.pid, *children(process.pid)]:
        os.kill(pid, number)


@pytest.mark.parametrize("when_down", ["defer", "pass"])
def test_a_list_whose_server_hangs_or_dies_holds_nothing_back(when_down):
    """NSD serves the list; what it has said before is known still, and of the rest it has no say."""
    with Internet() as net:
        for last in range(1, 5):
            net.zone("bl.test").add(f"{last}.0.0.127", "A 127.0.0.2")
        net.publish()
        settings = JUDGED + f"[filter]\ndnsbl = bl.test\ntimeout = 2\nwhen_down = {when_down}\ngreeting_wait = 0\n"
        with Site(settings + net.settings()) as site:
            assert send_from(site, "127.0.0.1")[0] == 550
            signal_all(net.processes["authority"], signal.SIGSTOP)
            try:
                code, seconds = send_from(site, "127.0.0.2")
            finally:
                signal_all(net.processes["authority"], signal.SIGCONT)
            assert code == 250 and seconds < 15
            assert send_from(site, "127.0.0.1")[0] == 550
            signal_all(net.processes["authority"], signal.SIGKILL)
            net.processes["authority"].wait()
            assert send_from(site, "127.0.0.3")[0] == 250
            assert len(site.mail("INBOX", 2)) == 2
            row = next(row for row in site.server.status()["filters"] if row["name"] == "dnsbl")
            assert (row["refused"], row["failed"]) == (2, 2) and row["state"] == "up"
            assert site.server.status()["state"] == "healthy"
