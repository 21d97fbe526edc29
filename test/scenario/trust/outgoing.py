"""Mail of our own users is signed by keeper, with keys that nobody else ever has."""
import base64
import json
import os
import re

import pytest

dkim = pytest.importorskip("dkim")
from server import DOMAIN, Failed, Server, wait_for, wait_until  # noqa: E402
from smtppeer import Peer  # noqa: E402


@pytest.fixture(scope="module")
def signing():
    with Server(settings="[trust]\nsign = all\n") as server:
        server.domain()
        server.account("alice")
        yield server


def keys(server, state=None):
    rows = json.loads(server.tool("dkim", "list", DOMAIN, "--json").stdout)
    return {row["selector"]: row["record"] for row in rows if state in (None, row["state"])}


def send(server, message):
    with server.submission("alice") as client:
        client.sendmail(f"alice@{DOMAIN}", [f"alice@{DOMAIN}"], message)
    with server.imap("alice") as client:
        found = wait_for(client, 1)[0]
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
    return found


def verdicts(message, records):
    def ask(name, **_):
        return records.get(name.decode().split(".")[0], "").encode()
    def verify(number):
        try:
            return dkim.DKIM(message).verify(idx=number, dnsfunc=ask)
        except dkim.ValidationError:
            return False
    return [verify(number) for number in range(len(re.findall(rb"(?m)^DKIM-Signature:", message)))]


LETTER = f"From: Alice <alice@{DOMAIN}>\r\nTo: alice@{DOMAIN}\r\nSubject: hello\r\nBcc: x@{DOMAIN}\r\n\r\nHello.\r\n".encode()


@pytest.mark.parametrize("body", [b"", b"\r\n" * 9, b"line\r\n" * 100000], ids=["plain", "empty lines", "large"])
def test_both_signatures_verify(signing, body):
    message = send(signing, LETTER + body)
    assert message.startswith(b"Return-Path:") and b"\r\nMessage-ID:" in message
    assert verdicts(message, keys(signing)) == [True, True]
    assert verdicts(message.replace(b"Hello.", b"Hallo."), keys(signing)) == [False, False]
    assert verdicts(message.replace(b"\r\nDate:", b"\r\nDate: x"), keys(signing)) == [False, False]
    assert verdicts(b"Subject: more\r\n" + message, keys(signing)) == [False, False]
    algorithms = re.findall(rb"a=([a-z0-9-]+); c=relaxed/relaxed", message)
    assert sorted(algorithms) == [b"ed25519-sha256", b"rsa-sha256"]


def test_new_keys_are_published_before_they_sign(signing):
    before = keys(signing, "signs")
    assert len(before) == 2
    signing.tool("dkim", "rotate", DOMAIN)
    assert keys(signing, "signs") == before
    assert len(keys(signing, "waits")) == 2
    assert verdicts(send(signing, LETTER), before) == [True, True]
    with pytest.raises(Failed, match="wait already"):
        signing.tool("dkim", "rotate", DOMAIN)
    with pytest.raises(Failed, match="no domain"):
        signing.tool("dkim", "list", "elsewhere.example")


def test_dns_advice_has_the_keys(signing):
    zone = signing.tool("dns", DOMAIN, "--zone").stdout
    for selector in keys(signing):
        assert f"{selector}._domainkey" in zone


def memory_holds(pid, wanted):
    """Whether a process's memory has these bytes anywhere; one that has just ended has none."""
    if not os.path.exists(f"/proc/{pid}/mem"):
        return False
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw") or end - start > 256 << 20:
                continue
            try:
                memory.seek(start)
                if wanted in memory.read(end - start):
                    return True
            except OSError:
                continue
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="reads other processes' memory")
def test_private_keys_stay_with_keeper(signing):
    """A private RSA key in DER is its version, then the modulus, which everybody knows (RFC 8017 §A.1.2)."""
    send(signing, LETTER)
    record = next(text for selector, text in keys(signing, "signs").items() if selector.startswith("r"))
    public = base64.b64decode(record.split("p=")[1])
    modulus = public[public.index(b"\x02\x82\x01\x01\x00"):][:128]
    holders = {name for pid, name in signing.roles().items() if memory_holds(pid, b"\x02\x01\x00" + modulus)}
    assert holders == {"keeper"}
    for path in signing.data.rglob("*"):
        assert not path.is_file() or modulus not in path.read_bytes()


def test_what_leaves_is_signed_and_what_stays_is_not():
    """By default."""
    with Peer() as peer, Server(settings=f"[courier]\nrelay = 127.0.0.1:{peer.port}\nrelay_tls = optional\n") as server:
        server.domain()
        server.account("alice")
        assert b"DKIM-Signature" not in send(server, LETTER)
        with server.submission("alice") as client:
            client.sendmail(f"alice@{DOMAIN}", ["bob@example.org"], LETTER)
        wait_until(lambda: peer.taken, 20, "the message is taken")
        assert verdicts(peer.taken[0].data, keys(server)) == [True, True]
