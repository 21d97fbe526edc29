"""ARC both ways with dkimpy, chains of several sealers, and what breaks them."""
import base64
import subprocess
import time

import pytest

dkim = pytest.importorskip("dkim")
from trustprobe import Probe  # noqa: E402

MESSAGE = (b"From: <jo@author.example>\r\nTo: <list@list.example>\r\nSubject: hello\r\n"
           b"Date: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <1@author.example>\r\n\r\nHello  there.\r\n")
SEALERS = ["one.example", "two.example", "three.example"]


@pytest.fixture
def probe():
    probe = Probe()
    yield probe
    probe.close()


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("arc") / "key"
    subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True,
                            capture_output=True).stdout
    return path, "v=DKIM1; p=" + base64.b64encode(public).decode()


def publish(probe, key):
    for domain in SEALERS:
        probe.record(f"s._domainkey.{domain}", "TXT", key[1])


def judge(probe, message, trusted=""):
    probe.ask("message", len(message), body=message)
    answer = probe.ask("judge", int(time.time()), "192.0.2.1", "mail.example", "jo@author.example", trusted, 0)
    return {row[0]: row[1:] for row in answer}


def seal(probe, message, domain, key):
    probe.ask("message", len(message), body=message)
    words = probe.ask("arc-seal", domain, "s", key[0], int(time.time()), "192.0.2.1", "mail.example",
                      "jo@author.example", "", 0)[0][0]
    return words if words == "not sealed" else bytes.fromhex(words) + message


def dkimpy_seal(message, domain, key, result="pass"):
    arc = "; arc=pass" if b"ARC-Seal" in message else ""  # it goes by what the results say
    said = f"Authentication-Results: {domain}; dmarc={result} header.from=author.example{arc}\r\n".encode()
    chain = dkim.ARC(said + message, linesep=b"\r\n")
    fields = chain.sign(b"s", domain.encode(), key[0].read_bytes(), domain.encode())
    return b"".join(fields) + said + message


def dkimpy_verify(message, key):
    return dkim.arc_verify(message, dnsfunc=lambda *_, **__: key[1].encode())[0]


def test_dkimpy_verifies_what_we_seal(probe, key):
    publish(probe, key)
    message = MESSAGE
    for number, domain in enumerate(SEALERS, 1):
        message = seal(probe, message, domain, key)
        assert dkimpy_verify(message, key) == b"pass"
        assert judge(probe, message)["arc"] == ["pass", str(number), ""]


def test_what_dkimpy_seals_verifies(probe, key):
    publish(probe, key)
    message = MESSAGE
    for number, domain in enumerate(SEALERS, 1):
        message = dkimpy_seal(message, domain, key)
        assert judge(probe, message)["arc"] == ["pass", str(number), ""]
    assert dkimpy_verify(seal(probe, message, SEALERS[0], key), key) == b"pass"  # and we go on with it


def test_broken_chains_fail(probe, key):
    publish(probe, key)
    one = seal(probe, MESSAGE, SEALERS[0], key)
    two = seal(probe, one, SEALERS[1], key)
    first_seal = one[:one.index(b"ARC-Message")]
    rows = {"a changed body": two.replace(b"Hello", b"Hallo"), "a changed field": two.replace(b"hello", b"hallo"),
            "changed results": two.replace(b"receiver.example", b"reciever.example", 1),
            "a seal twice": first_seal + one, "a set missing": two[:-len(one)] + MESSAGE,
            "a seal missing": one[len(first_seal):], "cv=pass of the first": one.replace(b"cv=none", b"cv=pass", 1),
            "a number beyond": two.replace(b"i=2;", b"i=51;"), "no number": one.replace(b"ARC-Seal: i=1;", b"ARC-Seal:")}
    for title, message in rows.items():
        assert message not in (one, two)
        assert judge(probe, message)["arc"][0] == "fail", title


def test_a_failed_chain_is_said_once_and_not_sealed_again(probe, key):
    publish(probe, key)
    broken = seal(probe, MESSAGE, SEALERS[0], key).replace(b"Hello", b"Hallo")
    said = seal(probe, broken, SEALERS[1], key)
    assert b"cv=fail" in said
    assert judge(probe, said)["arc"][:2] == ["fail", "2"]
    assert seal(probe, said, SEALERS[2], key) == "not sealed"


def test_a_chain_that_is_none_gets_the_next_number(probe, key):
    publish(probe, key)
    one = seal(probe, MESSAGE, SEALERS[0], key)
    two = seal(probe, one, SEALERS[1], key)
    for broken in (one[:one.index(b"ARC-Message")] + two, two[:-len(one)] + MESSAGE):  # a seal twice, a set missing
        said = seal(probe, broken, SEALERS[2], key)
        assert b"i=3; " in said[:said.index(b"cv=fail")]
        assert judge(probe, said)["arc"][:2] == ["fail", "3"]


def test_a_trusted_sealer_vouches(probe, key):
    publish(probe, key)
    probe.record("_dmarc.author.example", "TXT", "v=DMARC1; p=reject")
    assert judge(probe, MESSAGE)["dmarc"][:2] == ["fail", "reject"]
    passed, failed = (dkimpy_seal(MESSAGE, SEALERS[0], key, result) for result in ("pass", "fail"))
    assert judge(probe, passed)["vouched"] == ["0"]
    assert judge(probe, passed, SEALERS[0])["vouched"] == ["1"]
    assert judge(probe, failed, SEALERS[0])["vouched"] == ["0"]
    assert judge(probe, passed.replace(b"Hello", b"Hallo"), SEALERS[0])["vouched"] == ["0"]
    further = seal(probe, passed, SEALERS[1], key)
    assert judge(probe, further, SEALERS[0])["vouched"] == ["0"]  # who sealed last is a stranger
    assert judge(probe, further, f"x.example, {SEALERS[1]},{SEALERS[0]}")["vouched"] == ["1"]
