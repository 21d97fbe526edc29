"""DMARC by RFC 9989: whose policy it is, and what is aligned, by the records up the tree (§4.10), by table."""
import pytest
from trustprobe import BOGUS, FAILED, Probe

CLIENT = "192.0.2.1"
HOST = "mail.helo.example"


@pytest.fixture
def probe():
    probe = Probe()
    probe.ask("edition", "9989")
    yield probe
    probe.close()


def judge(probe, records, author, sender, sample=0):
    """records: of names below _dmarc. The sender's domain lets us send for it; the author's exists where it has a record."""
    for name, text in records.items():
        probe.record("_dmarc." + name, "TXT", text)
    probe.record(sender, "TXT", f"v=spf1 ip4:{CLIENT} -all")
    message = b"From: a@%s\r\n\r\nhello\r\n" % author.encode()
    probe.ask("message", len(message), body=message)
    answer = {row[0]: row[1:] for row in probe.ask("judge", 1, CLIENT, HOST, f"b@{sender}", "", sample)}
    result, disposition, _, policy_domain, _ = answer["dmarc"]
    return result, disposition, policy_domain


NONE, REJECT, QUARANTINE = "v=DMARC1; p=none", "v=DMARC1; p=reject", "v=DMARC1; p=quarantine"
LONG = ".".join("abcdefghij") + ".org.example"  # 12 labels

ROWS = [  # records, From, sender: result, what to do, whose policy
    # §4.10.1: the author domain, else the organizational domain, else the public suffix domain
    ({"org.example": REJECT}, "org.example", "other.example", "fail", "reject", "org.example"),
    ({"org.example": REJECT}, "a.b.org.example", "other.example", "fail", "reject", "org.example"),
    ({"b.org.example": NONE, "org.example": REJECT}, "a.b.org.example", "other.example", "fail", "reject", "org.example"),
    ({"b.org.example": REJECT}, "a.b.org.example", "other.example", "fail", "reject", "b.org.example"),
    ({"a.org.example": NONE, "org.example": REJECT}, "a.org.example", "other.example", "fail", "none", "a.org.example"),
    ({"example": "v=DMARC1; p=none; sp=reject; psd=y"}, "org.example", "other.org", "fail", "reject", "example"),
    ({"example": REJECT + "; psd=y", "org.example": NONE}, "a.org.example", "other.org", "fail", "none", "org.example"),
    ({"example": REJECT + "; psd=y", "a.org.example": QUARANTINE}, "b.a.org.example", "x.org", "fail", "reject", "example"),
    ({"b.org.example": QUARANTINE + "; psd=n", "org.example": REJECT}, "a.b.org.example", "org.example", "fail", "quarantine",
     "b.org.example"),
    ({}, "org.example", "other.example", "none", "none", ""),
    # §4.10.2: relaxed alignment is by the organizational domains
    ({"org.example": REJECT}, "a.org.example", "b.org.example", "pass", "none", "org.example"),
    ({"org.example": REJECT}, "a.org.example", "org.example", "pass", "none", "org.example"),
    ({"org.example": REJECT}, "org.example", "b.c.org.example", "pass", "none", "org.example"),
    ({"a.org.example": REJECT}, "a.org.example", "org.example", "fail", "reject", "a.org.example"),  # nobody speaks for it
    ({"a.org.example": REJECT}, "a.org.example", "b.a.org.example", "pass", "none", "a.org.example"),
    ({"example": NONE + "; psd=y", "org.example": REJECT}, "org.example", "two.example", "fail", "reject", "org.example"),
    ({"example": NONE + "; psd=y", "org.example": REJECT}, "org.example", "a.org.example", "pass", "none", "org.example"),
    ({"org.example": REJECT, "b.org.example": NONE + "; psd=n"}, "org.example", "b.org.example", "fail", "reject", "org.example"),
    ({"org.example": REJECT, "b.org.example": NONE + "; psd=n"}, "org.example", "a.b.org.example", "fail", "reject",
     "org.example"),
    ({"org.example": REJECT, "b.org.example": NONE + "; psd=y"}, "org.example", "a.b.org.example", "fail", "reject",
     "org.example"),
    ({"org.example": REJECT, "b.org.example": NONE}, "org.example", "a.b.org.example", "pass", "none", "org.example"),
    ({"org.example": REJECT + "; aspf=s"}, "a.org.example", "org.example", "fail", "reject", "org.example"),
    # step 4: of many labels, the last seven
    ({"org.example": REJECT}, LONG, "org.example", "pass", "none", "org.example"),
    ({LONG.split(".", 4)[4]: REJECT}, LONG, "org.example", "none", "none", ""),
    ({LONG.split(".", 5)[5]: REJECT}, LONG, "x.example", "fail", "reject", LONG.split(".", 5)[5]),
    # tags of this edition
    ({"org.example": REJECT + "; t=y"}, "org.example", "other.example", "fail", "quarantine", "org.example"),
    ({"org.example": QUARANTINE + "; t=y"}, "org.example", "other.example", "fail", "none", "org.example"),
    ({"org.example": REJECT + "; t=n; pct=0"}, "org.example", "other.example", "fail", "reject", "org.example"),
    ({"org.example": "v=DMARC1; p=none; np=reject"}, "gone.org.example", "other.example", "fail", "reject", "org.example"),
    ({"org.example": "v=DMARC1; p=reject; sp=none"}, "gone.org.example", "other.example", "fail", "none", "org.example"),
    ({"org.example": "v=DMARC1; p=reject; np=never; rua=mailto:a@b.example"}, "org.example", "x.example", "fail", "none",
     "org.example"),
]


@pytest.mark.parametrize("records, author, sender, result, disposition, policy_domain", ROWS)
def test_the_records_up_the_tree_tell(probe, records, author, sender, result, disposition, policy_domain):
    assert judge(probe, records, author, sender, sample=99) == (result, disposition, policy_domain)


def test_np_is_for_domains_that_do_not_exist_alone(probe):
    probe.record("there.org.example", "A", CLIENT)
    records = {"org.example": "v=DMARC1; p=none; np=reject"}
    assert judge(probe, records, "there.org.example", "other.example") == ("fail", "none", "org.example")


def test_several_records_are_as_none_and_the_walk_goes_on(probe):
    probe.record("_dmarc.a.org.example", "TXT", NONE)
    records = {"a.org.example": QUARANTINE, "org.example": REJECT}
    assert judge(probe, records, "a.org.example", "other.example") == ("fail", "reject", "org.example")


@pytest.mark.parametrize("outcome", [FAILED, BOGUS])
def test_a_walk_that_ends_in_silence_is_no_verdict(probe, outcome):
    probe.record("_dmarc.org.example", "TXT", outcome=outcome)
    assert judge(probe, {}, "a.org.example", "a.org.example")[:2] == ("temperror", "none")
    probe.ask("clear")
    probe.record("_dmarc.b.org.example", "TXT", outcome=outcome)
    assert judge(probe, {"org.example": REJECT}, "org.example", "b.org.example")[:2] == ("temperror", "none")
