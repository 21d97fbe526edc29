"""rspamd and clamd, asked for real: present, slow and dead."""
import os
import shutil
import signal

import pytest

from filters import ADD_HEADER, CARRIER, REJECT, REWRITE, Clamd, Rspamd
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
    assert b"trust me" not in letter
    with judged.server.imap(judged.user, mailbox="Junk") as client:
        assert b"$Junk" in client.fetch("1", "(FLAGS)")[1][0]


def test_a_subject_is_rewritten_where_rspamd_wants_it(judged):
    judged.send(PLAIN.format(REWRITE))
    letters = judged.mail("Junk", 2)
    assert b"\r\nSubject: ***SPAM*** hello\r\n" in letters[1]
    assert b"\r\nSubject: hello\r\n" not in letters[1]


@pytest.mark.parametrize("way", ["socket", "port"])
def test_a_virus_is_refused_and_other_mail_is_not(clamd, way):
    where = clamd.socket() if way == "socket" else f"127.0.0.1:{clamd.port}"
    with Site(f"[filter]\nclamd = {where}\n") as site:
        code, words = site.refusal(CARRIER)
        assert code == 550 and words == "5.7.1 The message carries a virus: Eicar-Test-File.UNOFFICIAL", words
        site.send(PLAIN.format("clean"))
        site.send(PLAIN.format("x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 20000))
        assert len(site.mail("INBOX", 2)) == 2


DEAD = {"rspamd": "rspamd = http://127.0.0.1:9\n", "clamd": "clamd = /nowhere/clamd.sock\n"}


@pytest.mark.parametrize("which", DEAD)
def test_mail_waits_while_a_filter_is_dead(which):
    with Site("[filter]\n" + DEAD[which]) as site:
        code, words = site.refusal(PLAIN.format("hello"))
        assert (code, words[:5]) == (451, "4.7.1"), words


@pytest.mark.parametrize("which", DEAD)
def test_mail_passes_a_dead_filter_where_that_is_wanted(which):
    with Site("[filter]\nwhen_down = pass\n" + DEAD[which]) as site:
        site.send(PLAIN.format("hello"))
        assert len(site.mail("INBOX", 1)) == 1


def test_a_filter_that_does_not_answer_costs_its_time_and_no_more(clamd):
    with Site(f"[filter]\nclamd = {clamd.socket()}\ntimeout = 2\n") as site:
        os.kill(clamd.process.pid, signal.SIGSTOP)
        try:
            code, words = site.refusal(PLAIN.format("hello"))
        finally:
            os.kill(clamd.process.pid, signal.SIGCONT)
        assert (code, words[:5]) == (451, "4.7.1"), words
        site.send(PLAIN.format("again"))
        assert len(site.mail("INBOX", 1)) == 1
