"""DKIM both ways with dkimpy, and before opendkim."""
import base64
import importlib.util
import pathlib
import re
import subprocess
import time

import pytest

dkim = pytest.importorskip("dkim")
from trustprobe import FAILED, Probe  # noqa: E402

DATA = pathlib.Path(importlib.util.find_spec("dkim").origin).parent / "tests/data"
DOMAIN = "sender.example"
MESSAGE = (b"From: Jo SIXPACK <joe@sender.example>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n"
           b"Subject: Is   dinner\r\n\tready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
           b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
           b"Hi.\r\n\r\nWe lost  the game.\t \r\n \tAre you hungry yet?\r\n\r\nJoe.\r\n\r\n\r\n")
BODIES = [b"", b"\r\n", b"\r\n\r\n\r\n", b" \t\r\n", b"x", b"x\r\n \r\n", b" x\r\n\t y z \r\n", b"x\ry\r\n\r", b"a\r\r\nb\r\n",
          b"\r\n\r\nx" + b"\r\n" * 5000, b"".join(b"line %d  \t with spaces \r\n" % n for n in range(3000))]


@pytest.fixture
def probe():
    probe = Probe()
    yield probe
    probe.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Selector: private key as a file and as dkimpy wants it, and the record."""
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for selector, options in {"r1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
                              "r2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                              "r4096": ["RSA", "-pkeyopt", "rsa_keygen_bits:4096"], "ed": ["ED25519"]}.items():
        path = folder / selector
        subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", *options, "-out", path], check=True,
                       capture_output=True)
        public, private = (subprocess.run(["openssl", "pkey", "-in", path, "-outform", "DER", *more], check=True,
                                          capture_output=True).stdout for more in (["-pubout"], []))
        if selector == "ed":
            made[selector] = (path, base64.b64encode(private[-32:]),
                              "v=DKIM1; k=ed25519; p=" + base64.b64encode(public[-32:]).decode())
        else:
            made[selector] = (path, path.read_bytes(), "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode())
    return made


def publish(probe, keys):
    for selector, (_, _, record) in keys.items():
        probe.record(f"{selector}._domainkey.{DOMAIN}", "TXT", record)


def verify(probe, message, now=None, chunk=7):
    probe.ask("message", len(message), body=message)
    return probe.ask("dkim", int(now or time.time()), chunk)


def dkimpy_sign(keys, selector, message, **more):
    algorithm = b"ed25519-sha256" if selector == "ed" else b"rsa-sha256"
    signer = dkim.DKIM(message, signature_algorithm=algorithm)
    return signer.sign(selector.encode(), DOMAIN.encode(), keys[selector][1], **more) + message


@pytest.mark.parametrize("canon", [(b"relaxed", b"relaxed"), (b"simple", b"simple"), (b"relaxed", b"simple"),
                                   (b"simple", b"relaxed")], ids=lambda c: b"/".join(c).decode())
def test_what_dkimpy_signs_verifies(probe, keys, canon):
    publish(probe, keys)
    header = MESSAGE[:MESSAGE.index(b"\r\n\r\n") + 4]
    for number, body in enumerate([MESSAGE[len(header):], *BODIES]):
        for selector in keys if number == 0 else ["r2048"]:
            signed = dkimpy_sign(keys, selector, header + body, canonicalize=canon)
            for chunk in (1, 7, 1000000) if number < 9 else (4096,):
                answer = verify(probe, signed, chunk=chunk)
                assert answer[0][0] == "pass", (selector, body[:40], chunk, answer)


def test_a_changed_message_fails(probe, keys):
    publish(probe, keys)
    signed = dkimpy_sign(keys, "r2048", MESSAGE, canonicalize=(b"relaxed", b"relaxed"))
    for old, new, reason in [(b"lost", b"won!", "body"), (b"dinner", b"supper", "header"), (b"Jo S", b"Al S", "header")]:
        result, why, *_ = verify(probe, signed.replace(old, new, 1))[0]
        assert result == "fail" and reason in why


@pytest.mark.parametrize("selector", ["r1024", "r2048", "r4096", "ed"])
def test_dkimpy_verifies_what_we_sign(probe, keys, selector):
    publish(probe, keys)
    record = keys[selector][2].encode()
    header = MESSAGE[:MESSAGE.index(b"\r\n\r\n") + 4]
    for body in [MESSAGE[len(header):], *BODIES]:
        message = header + body
        probe.ask("message", len(message), body=message)
        field = bytes.fromhex(probe.ask("dkim-sign", DOMAIN, selector, keys[selector][0], int(time.time()))[0][0])
        assert max(map(len, field.split(b"\r\n"))) <= 78
        assert dkim.verify(field + message, dnsfunc=lambda *_, **__: record), field
        assert verify(probe, field + message)[0][0] == "pass"
        for name in (b"Subject: another\r\n", b"From: <mallory@other.example>\r\n", b"Reply-To: <m@other.example>\r\n"):
            assert verify(probe, field + name + message)[0][0] == "fail"  # oversigned


def test_opendkim_verifies_what_we_sign(probe, keys, tmp_path):
    probe.ask("message", len(MESSAGE), body=MESSAGE)
    field = bytes.fromhex(probe.ask("dkim-sign", DOMAIN, "r2048", keys["r2048"][0], int(time.time()))[0][0])
    (tmp_path / "zone").write_text(f"r2048._domainkey.{DOMAIN} {keys['r2048'][2]}\n")
    (tmp_path / "conf").write_text(f"Mode v\nSyslog no\nTestDNSData {tmp_path}/zone\n")
    for message, result in ((field + MESSAGE, "pass"), (field + MESSAGE.replace(b"dinner", b"supper"), "fail")):
        (tmp_path / "message").write_bytes(message)
        run = subprocess.run(["/usr/sbin/opendkim", "-x", "conf", "-t", "message", "-v", "-v"], cwd=tmp_path,
                             capture_output=True, text=True, timeout=20)
        assert f"dkim={result}" in run.stdout, run.stdout + run.stderr


def test_weak_signatures_are_no_pass(probe, keys):
    publish(probe, keys)
    part = dkimpy_sign(keys, "r2048", MESSAGE, length=True)
    assert verify(probe, part)[0][0] == "pass"
    assert verify(probe, part + b"and more\r\n")[0][:2] == ["policy", "a part of the body alone is signed"]
    assert verify(probe, part[:-30])[0][0] == "fail"
    sha1 = part.replace(b"rsa-sha256", b"rsa-sha1", 1)
    assert verify(probe, sha1)[0][0] == "policy"


def test_time_counts(probe, keys):
    publish(probe, keys)
    probe.ask("message", len(MESSAGE), body=MESSAGE)
    field = bytes.fromhex(probe.ask("dkim-sign", DOMAIN, "ed", keys["ed"][0], 1000000)[0][0])
    for now, result in ((1000000, "pass"), (1000000 - 3000, "pass"), (1000000 - 4000, "fail"), (1086401, "fail")):
        assert verify(probe, field + MESSAGE, now)[0][0] == result


def test_keys_are_read_as_they_are_meant(probe, keys):
    rsa, edwards = keys["r2048"][2].split("p=")[1], keys["ed"][2].split("p=")[1]
    weak = subprocess.run("openssl genrsa 768 2>/dev/null | openssl pkey -pubout -outform DER | base64 -w0", shell=True,
                          capture_output=True, text=True, check=True).stdout
    signed = dkimpy_sign(keys, "r2048", MESSAGE)
    rows = [(f"p={rsa}", "pass"), (f"v=DKIM1;p={rsa};t=y", "pass"), (f"v=DKIM1; h=sha1:sha256; s=email; p={rsa}", "pass"),
            (f"v=DKIM2; p={rsa}", "permerror"), (f"k=rsa; v=DKIM1; p={rsa}", "permerror"), ("v=DKIM1; p=", "permerror"),
            (f"h=sha1; p={rsa}", "permerror"), (f"s=tlsrpt; p={rsa}", "permerror"), (f"k=ed25519; p={edwards}", "permerror"),
            (f"p={edwards}", "permerror"), ("p=!!!!", "permerror"), ("nonsense", "permerror"), (f"p={weak}", "policy")]
    for record, result in rows:
        probe.ask("clear")
        probe.record(f"r2048._domainkey.{DOMAIN}", "TXT", record)
        answer = verify(probe, signed)[0]
        assert answer[0] == result, (record, answer)
    probe.ask("clear")
    assert verify(probe, signed)[0][0] == "permerror"
    probe.record(f"r2048._domainkey.{DOMAIN}", "TXT", outcome=FAILED)
    assert verify(probe, signed)[0][0] == "temperror"


def test_many_signatures_are_bounded(probe, keys):
    publish(probe, keys)
    message = MESSAGE
    for number in range(12):
        message = dkimpy_sign(keys, "ed" if number % 2 else "r1024", message)
    answers = verify(probe, message)
    assert len(answers) == 8 and {row[0] for row in answers} == {"pass"}


def test_rfc_8463_example(probe):
    """RFC 8463 §A.3, as dkimpy has it."""
    message = re.sub(b"\r?\n", b"\r\n", (DATA / "rfc6376.signed.msg").read_bytes())
    records = {"brisbane": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}
    for selector, record in records.items():
        probe.record(f"{selector}._domainkey.football.example.com", "TXT", record)
    answers = {row[3]: row[0] for row in verify(probe, message, 1528637909)}
    assert answers.get("brisbane") == "pass", answers
