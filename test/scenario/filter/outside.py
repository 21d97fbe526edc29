"""rspamd and clamd, asked for real: present, slow and dead."""
import shutil
import signal
import smtplib

import pytest

from filters import ADD_HEADER, CARRIER, REJECT, REWRITE, Clamd, Rspamd
from server import PASSWORD, wait_until
from site_of_one import Site

PLAIN = "From: ann@example.org\r\nSubject: hello\r\nX-Spam-Status: No, trust me\r\n\r\n{}\r\n"


@pytest.fixture(scope="module")
def rspamd():
    if shutil.which("rspamd") is None:
        pytest.skip("rspamd is not installed")
    with Rspamd() as filter_:
        yield filter_


@pytest.fixture(scope="module")
def clamd():
    if shutil.which("clamd") is None:
        pytest.skip("clamd is not installed")
    with Clamd() as filter_:
        yield filter_


@pytest.fixture(scope="module")
def judged(rspamd):
    with Site(f"[filter]\nrspamd = {rspamd.url()}\n") as site:
        yield site


def test_what_rspamd_takes_for_spam_is_refused(judged):
    code, words = judged.refusal(PLAIN.format(REJECT))
    assert (code, words[:5]) == (550, "5.7.1"), words
    assert "GTUBE" in words.upper(), words


def test_ordinary_mail_passes_without_the_word_of_others(judged):
    judged.send(PLAIN.format("nothing special"))
    letter = judged.mail("INBOX", 1)[0]
    assert b"trust me" not in letter


def test_junk_is_filed_as_junk_and_says_why(judged):
    judged.send(PLAIN.format(ADD_HEADER))
    letter = judged.mail("Junk", 1)[0]
    assert b"X-Spam-Status: Yes, score=" in letter and b"GTUBE" in letter
    assert b"X-Junk-Reason: rspamd takes it for spam; see X-Spam-Status\r\n" in letter
    assert b"trust me" not in letter
    with judged.server.imap(judged.user, mailbox="Junk") as client:
        assert b"$Junk" in client.fetch("1", "(FLAGS)")[1][0]


def test_a_subject_is_rewritten_where_rspamd_wants_it(judged):
    judged.send(PLAIN.format(REWRITE))
    letters = judged.mail("Junk", 2)
    assert b"\r\nSubject: ***SPAM*** hello\r\n" in letters[1]
    assert b"\r\nSubject: hello\r\n" not in letters[1]


def test_who_is_let_in_is_not_told_what_was_thought_of_it(judged):
    for body in ("nothing special", ADD_HEADER):
        with judged.server.smtp() as client:
            client.mail("ann@example.org")
            client.rcpt(judged.user)
            assert client.data(PLAIN.format(body)) == (250, b"2.0.0 Message stored")


def test_a_subject_without_measure_stays_as_it_is(judged):
    before = len(judged.mail("Junk", 0))
    subject = "hello" + "\r\n more of it" * 400
    judged.send(PLAIN.format(REWRITE).replace("hello", subject, 1))
    letter = judged.mail("Junk", before + 1)[-1]
    assert f"\r\nSubject: {subject}\r\n".encode() in letter and b"X-Spam-Status: Yes, score=" in letter


@pytest.mark.parametrize("way", ["socket", "port"])
def test_a_virus_is_refused_and_other_mail_is_not(clamd, way):
    where = clamd.socket() if way == "socket" else f"127.0.0.1:{clamd.port}"
    with Site(f"[filter]\nclamd = {where}\n") as site:
        code, words = site.refusal(CARRIER)
        assert code == 550 and words == "5.7.1 The message carries a virus: Eicar-Test-File.UNOFFICIAL", words
        site.send(PLAIN.format("clean"))
        site.send(PLAIN.format("x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 20000))
        assert len(site.mail("INBOX", 2)) == 2


FILTERS = {"rspamd": lambda filter_: f"rspamd = {filter_.url()}\n", "clamd": lambda filter_: f"clamd = {filter_.socket()}\n"}


@pytest.fixture(params=FILTERS)
def spoilt(request):
    """A filter of the test's own, and the setting that names it."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    with {"rspamd": Rspamd, "clamd": Clamd}[request.param]() as filter_:
        yield filter_, FILTERS[request.param](filter_)


def outcome(site):
    try:
        site.send(PLAIN.format("hello"))
    except smtplib.SMTPDataError as refused:
        return refused.smtp_code, refused.smtp_error[:5]
    return 250, b""


WAITS, PASSES = (451, b"4.7.1"), (250, b"")


@pytest.mark.parametrize("when_down, expected", [("defer", WAITS), ("pass", PASSES)])
def test_a_filter_that_dies_and_comes_back(spoilt, when_down, expected):
    filter_, setting = spoilt
    with Site(f"[filter]\nwhen_down = {when_down}\n" + setting) as site:
        assert outcome(site) == PASSES
        filter_.kill()
        assert outcome(site) == expected
        assert site.server.status()["state"] == "degraded"
        filter_.start()
        assert outcome(site) == PASSES
        name = type(filter_).__name__.lower()
        row = next(row for row in site.server.status()["filters"] if row["name"] == name)
        assert row["passed"] == 2 and row["failed"] <= 1, row


@pytest.mark.parametrize("when_down, expected", [("defer", WAITS), ("pass", PASSES)])
def test_a_filter_that_hangs_costs_its_time_and_no_more(spoilt, when_down, expected):
    filter_, setting = spoilt
    with Site(f"[server]\nintakes = 1\n[filter]\ntimeout = 2\nwhen_down = {when_down}\n" + setting) as site:
        assert outcome(site) == PASSES
        filter_.signal(signal.SIGSTOP)
        try:
            assert outcome(site) == expected
            assert outcome(site) == expected
        finally:
            filter_.signal(signal.SIGCONT)
        assert wait_until(lambda: outcome(site) == PASSES, 30, "it to be asked again")
        name = type(filter_).__name__.lower()
        row = next(row for row in site.server.status()["filters"] if row["name"] == name)
        assert row["failed"] == 1, row  # the second did not wait for it


def test_a_filter_that_is_nowhere_holds_mail_back_from_the_start():
    for setting in ("rspamd = http://127.0.0.1:9\n", "clamd = /nowhere/clamd.sock\n"):
        with Site("[filter]\n" + setting) as site:
            assert outcome(site) == WAITS


def test_our_own_greylist_steps_back_while_rspamd_is_at_work(rspamd):
    strangers = "[trust]\nlocal =\ndmarc = off\nspf = off\ndkim = off\niprev = off\n[filter]\ngreylist = auto\n"
    with Site(strangers + FILTERS["rspamd"](rspamd)) as site:
        assert outcome(site) == PASSES
    with Site(strangers) as site:
        assert outcome(site) == WAITS


def test_what_our_users_send_is_looked_at_where_that_is_wanted(rspamd):
    """rspamd is told who has logged in, not from where; what it only doubts goes out as it is."""
    with Site(f"[filter]\nrspamd_outbound = on\nrspamd = {rspamd.url()}\n[courier]\nrelay = 127.0.0.1:9\n") as site:
        with site.server.submission("ann", PASSWORD) as client:
            for text in ("nothing special", ADD_HEADER):
                client.sendmail(site.user, [site.user], f"From: {site.user}\r\nSubject: x\r\n\r\n{text}\r\n")
            with pytest.raises(smtplib.SMTPDataError) as caught:
                client.sendmail(site.user, ["a@example.org"], f"From: {site.user}\r\nSubject: x\r\n\r\n{REJECT}\r\n")
        assert caught.value.smtp_code == 550, site.server.tail()
        letters = site.mail("INBOX", 2)
        assert not any(b"X-Spam" in letter or b"X-Junk" in letter for letter in letters)
        said = [line for line in (rspamd.home / "log").read_text().splitlines() if f"from: <{site.user}>" in line]
        assert said and all(f"user: {site.user}" in line and " ip: " not in line for line in said), said


def test_what_our_users_send_is_their_own_business_otherwise(rspamd):
    with Site(f"[filter]\nrspamd = {rspamd.url()}\n") as site, site.server.submission("ann", PASSWORD) as client:
        client.sendmail(site.user, [site.user], f"From: {site.user}\r\nSubject: x\r\n\r\n{REJECT}\r\n")
        assert len(site.mail("INBOX", 1)) == 1
