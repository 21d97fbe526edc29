"""What is asked, over a signed internet and past servers that are slow, dead or lie: `waxwing dns` says what is so."""
import pytest

from asking import HOST, Asking
from internet import Internet


@pytest.fixture
def internet():
    with Internet() as net:
        yield net


@pytest.fixture
def asking(internet, tmp_path):
    internet.zone("good.test").add("MX 10 mx").add("mx", "A 127.0.0.1")
    internet.reverse("127.0.0.1", HOST)
    return Asking(internet, tmp_path)


def test_signed_unsigned_and_forged_answers(asking, internet):
    internet.zone("insecure.test", signed=False).add(f"MX 10 {HOST}.")
    internet.zone("bogus.test", bogus=True).add(f"MX 10 {HOST}.")
    internet.zone("orphan.test", ds=True, signed=True).add("TXT x")
    internet.publish()
    signed = asking.records("good.test")
    assert (signed["MX"]["state"], signed["MX"]["secure"]) == ("ok", True)
    assert (signed["SPF"]["state"], signed["SPF"]["secure"]) == ("missing", True)  # a denial is signed, too
    unsigned = asking.records("insecure.test")
    assert (unsigned["MX"]["state"], unsigned["MX"]["secure"]) == ("ok", False)
    forged = asking.records("bogus.test")
    assert forged["MX"]["state"] == "bogus" and "expired" in forged["MX"]["note"]
    assert forged["MX"]["fails"] and asking.status == 1
    # A name that is not there at all, in a signed zone and in one without a signature.
    assert asking.records("nothing.good.test")["MX"]["state"] == "missing"
    assert asking.records("nothing.insecure.test")["MX"]["state"] == "missing"


def test_another_root_is_not_believed(asking, internet, tmp_path):
    internet.publish()
    asking.settings(trust_anchor="")  # the real one
    assert asking.records("good.test")["MX"]["state"] == "bogus"
    empty = tmp_path / "no-key"
    empty.write_text("; nothing here\n")
    asking.settings(trust_anchor=empty)
    asking.run("good.test")
    assert asking.status == 1 and "no DNSSEC key" in asking.error
    asking.settings(trust_anchor=tmp_path / "missing")
    asking.run("good.test")
    assert asking.status == 1 and "cannot read [dns] trust_anchor" in asking.error
    asking.settings(resolver="dns.example")
    asking.run("good.test")
    assert asking.status == 1 and "[dns] resolver" in asking.error


def test_aliases_are_followed(asking, internet):
    zone = internet.zone("good.test")
    zone.add("a1", "CNAME a2").add("a2", "CNAME a3.insecure.test.").add("_dmarc", "CNAME policy")
    zone.add("policy", 'TXT "v=DMARC1; p=reject"').add("loop", "CNAME loop2").add("loop2", "CNAME loop")
    internet.zone("insecure.test", signed=False).add("a3", f"MX 5 {HOST}.")
    internet.publish()
    assert asking.records("good.test")["DMARC"]["state"] == "ok"
    through = asking.records("a1.good.test")["MX"]
    assert (through["state"], through["secure"], through["have"]) == ("ok", False, [f"5 {HOST}."])
    assert asking.records("loop.good.test")["MX"]["state"] == "unknown"


def test_a_large_text_comes_over_tcp(asking, internet):
    internet.zone("good.test").add_text("v=spf1 " + "ip4:192.0.2.1 " * 300 + "mx -all")
    internet.publish()
    spf = asking.records("good.test")["SPF"]
    assert spf["state"] == "ok" and len(spf["have"][0]) > 4000


@pytest.mark.parametrize("behaviour, state", [
    ("refused", "unknown"), ("servfail", "unknown"), ("garbage", "unknown"), ("lying", "unknown"), ("huge", "missing")])
def test_servers_that_misbehave(asking, internet, behaviour, state):
    internet.server("odd.test", behaviour)
    internet.publish()
    found = asking.records("odd.test")
    assert found["MX"]["state"] == state and asking.status == 1
    assert asking.seconds < 8
    if behaviour == "huge":
        assert (found["SPF"]["state"], found["SPF"]["note"]) == ("unknown", "too many records")


@pytest.mark.parametrize("behaviour", ["silent", "slow"])
def test_who_does_not_answer_is_not_waited_for(asking, internet, behaviour):
    internet.server("odd.test", behaviour)
    internet.publish()
    asking.settings(timeout=2)
    found = asking.records("odd.test")
    assert (found["MX"]["state"], found["MX"]["note"]) == ("unknown", "no answer in time")
    assert found["addresses"]["state"] == "ok"  # of a zone whose server is well
    assert 2 <= asking.seconds < 8


def test_a_dead_resolver(asking, internet):
    internet.publish()
    asking.settings(timeout=2)
    internet.freeze("resolver")
    assert asking.records("good.test")["MX"]["state"] == "unknown"
    assert asking.seconds < 10
    internet.thaw("resolver")
    internet.stop("resolver")
    assert asking.records("good.test")["MX"]["state"] == "unknown"
    assert asking.seconds < 10
    # A second one that is named takes over.
    asking.settings(resolver=f"{internet.resolver}, 127.0.0.1@{internet.authority_port}", timeout=10)
    assert asking.records("good.test")["MX"]["state"] == "ok"
