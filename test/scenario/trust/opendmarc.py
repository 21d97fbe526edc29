"""
DMARC as libopendmarc has it, for every combination of who a message is from, what SPF and DKIM have passed, and what
the record says: both must come to the same end.
"""
import base64
import ctypes
import itertools
import subprocess
import time

import pytest
from trustprobe import Probe

dkim = pytest.importorskip("dkim")
try:
    LIBRARY = ctypes.CDLL("libopendmarc.so.2")
except OSError:
    pytest.skip("no libopendmarc", allow_module_level=True)

CLIENT, ORGANIZATION, RECORD_AT = "192.0.2.1", "sender.example", "_dmarc.sender.example"
AUTHORS = ("sender.example", "sub.sender.example", "deep.sub.sender.example", "SENDER.example", "other.example", "xsender.example")
PASSED = (None, "sender.example", "sub.sender.example", "other.example", "xsender.example")
RECORDS = ["v=DMARC1; p=reject", "v=DMARC1; p=quarantine", "v=DMARC1; p=none", "v=DMARC1;p=reject;sp=none",
           "v=DMARC1; p=none; sp=quarantine", "v=DMARC1; p=reject; adkim=s", "v=DMARC1; p=reject; aspf=s",
           "v=DMARC1; p=reject; adkim=s; aspf=s", "v=DMARC1; p=quarantine; sp=reject; adkim=r; aspf=r; pct=100",
           "v=DMARC1 ; p = reject ; rua = mailto:x@sender.example", "v=DMARC2; p=reject", "v=DMARC1; sp=reject"]
OUTCOMES = {14: ("none", "none"), 15: ("pass", "none"), 16: ("fail", "reject"), 17: ("fail", "quarantine"), 18: ("fail", "none")}
PASS, FAIL, MAIL_FROM, IPV4, NONE_ABSENT = 1, 2, 1, 4, 14


def is_lax(record, author, spf, signer):
    """
    Where libopendmarc 1.4.2 takes a domain below that of From for the same, though strict alignment is asked for, which
    RFC 7489 §3.1.1 and §3.1.2 do not allow: there it is no judge.
    """
    return any(f"{tag}=s" in record and passed and passed.endswith("." + author.lower())
               for tag, passed in (("adkim", signer), ("aspf", spf)))


class Library(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("file", ctypes.c_char * 4096), ("more", ctypes.c_char * 4096)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    suffixes = tmp_path_factory.mktemp("opendmarc") / "suffixes"
    suffixes.write_text("example\n")
    settings = Library(1, str(suffixes).encode())
    LIBRARY.opendmarc_policy_connect_init.restype = ctypes.c_void_p
    assert LIBRARY.opendmarc_policy_library_init(ctypes.byref(settings)) == 0
    yield LIBRARY
    LIBRARY.opendmarc_policy_library_shutdown(ctypes.byref(settings))


def theirs(library, record, author, spf, signer):
    context = ctypes.c_void_p(library.opendmarc_policy_connect_init(CLIENT.encode(), IPV4))
    try:
        assert library.opendmarc_policy_store_from_domain(context, author.encode()) == 0
        library.opendmarc_policy_store_spf(context, (spf or "other.example").encode(), PASS if spf else FAIL, MAIL_FROM, None)
        if signer:
            library.opendmarc_policy_store_dkim(context, signer.encode(), b"s", PASS, None)
        author = author.lower()
        if author != ORGANIZATION and not author.endswith("." + ORGANIZATION):
            return OUTCOMES[NONE_ABSENT]
        organization = None if author == ORGANIZATION else ORGANIZATION.encode()
        if library.opendmarc_policy_store_dmarc(context, record.encode(), author.encode(), organization) != 0:
            return OUTCOMES[NONE_ABSENT]  # what cannot be read is no record (RFC 7489 §6.6.3)
        return OUTCOMES[library.opendmarc_get_policy_to_enforce(context)]
    finally:
        library.opendmarc_policy_connect_shutdown(context)


class Ours:
    def __init__(self, folder):
        subprocess.run(["openssl", "genrsa", "-out", folder / "key", "2048"], check=True, capture_output=True)
        self.key = (folder / "key").read_bytes()
        self.public = subprocess.run(["openssl", "pkey", "-in", folder / "key", "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout
        self.probe, self.messages = Probe(), {}

    def lay(self, record):
        self.probe.ask("clear")
        self.probe.record(RECORD_AT, "TXT", record)
        self.probe.record("1.2.0.192.in-addr.arpa", "PTR", "mail.sender.example")
        self.probe.record("mail.sender.example", "A", CLIENT)
        for name in filter(None, PASSED):
            self.probe.record(f"s._domainkey.{name}", "TXT", "v=DKIM1; p=" + base64.b64encode(self.public).decode())
            self.probe.record(name, "TXT", f"v=spf1 ip4:{CLIENT} -all")
        self.probe.record("fails.example", "TXT", "v=spf1 -all")

    def message(self, author, signer):
        if (author, signer) not in self.messages:
            text = f"From: a@{author}\r\nSubject: x\r\n\r\nhello\r\n".encode()
            field = dkim.sign(text, b"s", signer.encode(), self.key) if signer else b""
            self.messages[author, signer] = field + text
        return self.messages[author, signer]

    def judge(self, author, spf, signer):
        message = self.message(author, signer)
        self.probe.ask("message", len(message), body=message)
        sender = f"b@{spf or 'fails.example'}"
        answer = {row[0]: row[1:] for row in self.probe.ask("judge", int(time.time()), CLIENT, "mail.sender.example", sender, "", 0)}
        return tuple(answer["dmarc"][:2])


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    made = Ours(tmp_path_factory.mktemp("keys"))
    yield made
    made.probe.close()


@pytest.mark.parametrize("record", RECORDS)
def test_opendmarc_comes_to_the_same_end(library, ours, record):
    ours.lay(record)
    differ, seen = [], set()
    for author, spf, signer in itertools.product(AUTHORS, PASSED, PASSED):
        one, other = ours.judge(author, spf, signer), theirs(library, record, author, spf, signer)
        seen.add(one)
        if one != other and not is_lax(record, author, spf, signer):
            differ.append((author, spf, signer, one, other))
    assert not differ, differ[:10]
    assert len(seen) > 1 or seen == {OUTCOMES[NONE_ABSENT]}
