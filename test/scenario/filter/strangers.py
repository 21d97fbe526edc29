"""What strangers are asked without any other program: lists in the DNS, and greylisting; and how much our own may send."""
import smtplib

import pytest

from internet import Internet
from server import DOMAIN, PASSWORD, wait_until
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
