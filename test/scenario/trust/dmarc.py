"""DMARC (RFC 7489) over SPF and DKIM, by table, and Authentication-Results as another implementation reads them."""
import pytest
from trustprobe import BOGUS, FAILED, Probe

CLIENT = "192.0.2.1"


@pytest.fixture
def probe():
    probe = Probe()
    probe.record("1.2.0.192.in-addr.arpa", "PTR", "mail.sender.example")
    probe.record("mail.sender.example", "A", CLIENT)
    for domain in ("sender.example", "sub.sender.example", "other.example"):
        probe.record(domain, "TXT", f"v=spf1 ip4:{CLIENT} -all")
    yield probe
    probe.close()


def judge(probe, author, sender, sample=0):
    message = b"".join(b"From: %s\r\n" % part.encode() for part in author) + b"\r\nhello\r\n"
    probe.ask("message", len(message), body=message)
    return {row[0]: row[1:] for row in probe.ask("judge", 1, CLIENT, "mail.sender.example", sender, "", sample)}


ROWS = [  # record at _dmarc.sender.example, From, sender, sample: result, what to do
    ("v=DMARC1; p=reject", "a@sender.example", "b@sender.example", 0, "pass", "none"),
    ("v=DMARC1; p=reject", "a@sender.example", "b@sub.sender.example", 0, "pass", "none"),
    ("v=DMARC1; p=reject", "a@sub.sender.example", "b@sender.example", 0, "pass", "none"),
    ("v=DMARC1; p=reject; aspf=s", "a@sender.example", "b@sub.sender.example", 0, "fail", "reject"),
    ("v=DMARC1; p=reject", "a@SENDER.example", "b@other.example", 0, "fail", "reject"),
    ("v=DMARC1;p=quarantine", "a@sender.example", "b@other.example", 0, "fail", "quarantine"),
    ("v=DMARC1; p=none", "a@sender.example", "b@other.example", 0, "fail", "none"),
    ("v=DMARC1; p=reject; sp=none", "a@sub.sender.example", "b@other.example", 0, "fail", "none"),
    ("v=DMARC1; p=none; sp=quarantine", "a@sub.sender.example", "b@other.example", 0, "fail", "quarantine"),
    ("v=DMARC1; p=none; sp=reject", "a@sender.example", "b@other.example", 0, "fail", "none"),
    ("v=DMARC1; p=reject; pct=30", "a@sender.example", "b@other.example", 29, "fail", "reject"),
    ("v=DMARC1; p=reject; pct=30", "a@sender.example", "b@other.example", 30, "fail", "quarantine"),
    ("v=DMARC1; p=quarantine; pct=0", "a@sender.example", "b@other.example", 0, "fail", "none"),
    ("v=DMARC1; p=reject; pct=101", "a@sender.example", "b@other.example", 99, "fail", "reject"),
    ("v=DMARC1; p=never; rua=mailto:x@y.example", "a@sender.example", "b@other.example", 0, "fail", "none"),
    ("v=DMARC1; p=reject; sp=never; rua=mailto:x@y.example", "a@sender.example", "b@other.example", 0, "fail", "none"),
    ("v=DMARC1; p=never", "a@sender.example", "b@other.example", 0, "none", "none"),
    ("v=DMARC1", "a@sender.example", "b@other.example", 0, "none", "none"),
    ("v=DMARC1; p=reject; ;unknown=x; nonsense", "a@sender.example", "b@other.example", 0, "fail", "reject"),
    ("p=reject; v=DMARC1", "a@sender.example", "b@other.example", 0, "none", "none"),
    ("v=DMARC2; p=reject", "a@sender.example", "b@other.example", 0, "none", "none"),
    ("v=DMARC1; p=reject", "a@stranger.example", "b@other.example", 0, "none", "none"),
    ("v=DMARC1; p=reject", "a@sender.example, b@other.example", "b@other.example", 0, "fail", "reject"),
    ("v=DMARC1; p=reject", "(a@other.example) Jo <a@sender.example>", "b@other.example", 0, "fail", "reject"),
    ("v=DMARC1; p=reject", "\"x@other.example\" <a@sender.example>", "b@other.example", 0, "fail", "reject"),
    ("v=DMARC1; p=reject", "nobody", "b@other.example", 0, "permerror", "none"),
    ("v=DMARC1; p=reject", ", ".join(f"a@{n}.example" for n in range(9)), "b@other.example", 0, "permerror", "none"),
    ("v=DMARC1; p=reject", "a@sender.example", "", 0, "pass", "none"),  # HELO stands in for <>
]


@pytest.mark.parametrize("record, author, sender, sample, result, disposition", ROWS)
def test_the_policy_is_what_the_record_says(probe, record, author, sender, sample, result, disposition):
    probe.record("_dmarc.sender.example", "TXT", record)
    probe.record("mail.sender.example", "TXT", "v=spf1 a -all")
    assert judge(probe, [author], sender, sample)["dmarc"][:2] == [result, disposition]


@pytest.mark.parametrize("records, result", [
    ([], "fail"),
    (["anything"], "fail"),
    (["v=DMARC1; p=none"], "fail"),
    (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "none"),
    (["v=DMARC1; p=never"], "none"),
])
def test_the_organization_is_asked_only_where_there_is_no_record(probe, records, result):  # RFC 7489 §6.6.3
    probe.record("_dmarc.sender.example", "TXT", "v=DMARC1; p=reject")
    for record in records:
        probe.record("_dmarc.sub.sender.example", "TXT", record)
    assert judge(probe, ["a@sub.sender.example"], "b@other.example")["dmarc"][0] == result


def test_two_froms_are_as_one_with_both(probe):
    probe.record("_dmarc.sender.example", "TXT", "v=DMARC1; p=reject")
    for author in (["b@other.example", "a@sender.example"], ["a@sender.example", "b@other.example"]):
        assert judge(probe, author, "b@other.example")["dmarc"][:2] == ["fail", "reject"]


def test_a_from_behind_many_fields_is_seen(probe):
    probe.record("_dmarc.sender.example", "TXT", "v=DMARC1; p=reject")
    message = b"X-Field: x\r\n" * 2000 + b"From: a@sender.example\r\n\r\nhello\r\n"
    probe.ask("message", len(message), body=message)
    answer = probe.ask("judge", 1, CLIENT, "mail.sender.example", "b@other.example", "", 0)
    assert {row[0]: row[1:] for row in answer}["dmarc"][:2] == ["fail", "reject"]


def test_two_records_are_as_none(probe):
    probe.record("_dmarc.sender.example", "TXT", "v=DMARC1; p=reject")
    probe.record("_dmarc.sender.example", "TXT", "v=DMARC1; p=none")
    assert judge(probe, ["a@sender.example"], "b@other.example")["dmarc"][0] == "none"


@pytest.mark.parametrize("outcome", [FAILED, BOGUS])
def test_what_cannot_be_asked_now_is_no_verdict(probe, outcome):
    probe.record("_dmarc.sender.example", "TXT", outcome=outcome)
    assert judge(probe, ["a@sender.example"], "b@other.example")["dmarc"][:2] == ["temperror", "none"]
    probe.ask("clear")
    probe.record("_dmarc.sender.example", "TXT", "v=DMARC1; p=reject")
    probe.record("sender.example", "TXT", outcome=outcome)
    assert judge(probe, ["a@sender.example"], "b@sender.example")["dmarc"][:2] == ["temperror", "none"]
    assert judge(probe, ["a@sender.example"], "b@other.example")["dmarc"][:2] == ["fail", "reject"]


def test_others_read_our_results(probe):
    authres = pytest.importorskip("authres")
    probe.record("_dmarc.sender.example", "TXT", "v=DMARC1; p=reject")
    field = bytes.fromhex(judge(probe, ["a@sender.example"], "b@sender.example")["field"][0]).decode()
    assert all(len(line) <= 998 for line in field.split("\r\n"))
    read = authres.AuthenticationResultsHeader.parse(field.replace("\r\n\t", " ").strip())
    assert read.authserv_id == "receiver.example"
    assert {(one.method, one.result) for one in read.results} == {
        ("iprev", "pass"), ("spf", "pass"), ("dkim", "none"), ("dmarc", "pass")}


def test_addresses_lead_back(probe):
    assert judge(probe, ["a@b.example"], "")["iprev"] == ["pass"]
    probe.ask("clear")
    assert judge(probe, ["a@b.example"], "")["iprev"] == ["permerror"]
    probe.record("1.2.0.192.in-addr.arpa", "PTR", "mail.sender.example")
    assert judge(probe, ["a@b.example"], "")["iprev"] == ["fail"]
    probe.record("mail.sender.example", "A", outcome=FAILED)
    assert judge(probe, ["a@b.example"], "")["iprev"] == ["temperror"]
