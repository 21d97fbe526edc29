"""`waxwing dns`: its records load in name servers, and once they are published it is content; what differs it tells."""
import json
import shutil
import signal
import subprocess

import pytest

from asking import HOST, Asking, make_certificate
from internet import Internet
from server import PROGRAM, Server


@pytest.fixture
def internet():
    with Internet() as net:
        yield net


@pytest.fixture
def asking(internet, tmp_path):
    internet.zone("good.test").add("mx", "A 127.0.0.1")
    internet.reverse("127.0.0.1", HOST)
    return Asking(internet, tmp_path)


def whole_zone(asking, domain):
    return (f"$ORIGIN {domain}.\n@ 3600 IN SOA ns.{domain}. hostmaster.{domain}. 1 3600 600 86400 60\n"
            f"@ 3600 IN NS ns.{domain}.\nns 3600 IN A 127.0.0.1\nmx 3600 IN A 127.0.0.1\n" + asking.run(domain, "--zone"))


@pytest.mark.parametrize("checker", [["nsd-checkzone", "good.test"], ["named-checkzone", "good.test"],
                                     ["kzonecheck", "-o", "good.test"]], ids=lambda words: words[0])
def test_name_servers_load_the_fragment(asking, internet, tmp_path, checker):
    if shutil.which(checker[0]) is None:
        pytest.skip(f"there is no {checker[0]}")
    asking.settings(tls=f"next = {make_certificate(tmp_path, 'next')[0]}\n")
    file = tmp_path / "zone"
    file.write_text(whole_zone(asking, "good.test"))
    done = subprocess.run([*checker, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_published_is_found_in_place(asking, internet, tmp_path):
    internet.publish()
    before = asking.records("good.test")
    assert asking.status == 1
    assert {row["state"] for title, row in before.items() if title != "addresses"} == {"missing"}
    asking.publish("good.test")
    internet.publish()
    after = asking.records("good.test")
    assert asking.status == 0
    assert {row["state"] for row in after.values()} == {"ok"}
    assert "is in place" in asking.run("good.test")
    assert asking.status == 0


def test_the_keys_in_tlsa_are_those_of_the_certificates(asking, internet, tmp_path):
    key, certificate = make_certificate(tmp_path, "next")
    digests = []
    for source in (["x509", "-in", asking.certificate, "-noout", "-pubkey"], ["pkey", "-in", key, "-pubout"]):
        pem = subprocess.run(["openssl", *source], capture_output=True, check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, capture_output=True,
                             check=True).stdout
        digests.append(subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout[:64].decode())
    internet.publish()
    for following in (key, certificate):
        asking.settings(tls=f"next = {following}\n")
        assert asking.records("good.test")["TLSA"]["want"] == [f"3 1 1 {digest}" for digest in digests]

    def state(*wrong):
        zone = internet.zone("good.test").remove("_25._tcp.mx", "TLSA")
        for digest in wrong:
            zone.add("_25._tcp.mx", f"TLSA 3 1 1 {digest}")
        internet.publish()
        row = asking.records("good.test")["TLSA"]
        return row["state"], row["fails"], row["note"]
    assert state(*digests)[:2] == ("ok", False)
    assert state(digests[0])[:2] == ("differs", True)
    assert "refuse to deliver" in state("00" * 32)[2]
    assert "remove what is old" in state(*digests, "00" * 32)[2]


def test_differences_are_told_exactly(asking, internet):
    zone = asking.publish("good.test")
    internet.publish()

    def changed(owner, kind, *records):
        was = list(zone.records)
        zone.remove(owner, kind)
        for record in records:
            zone.add(owner, record)
        internet.publish()
        found = asking.records("good.test")
        zone.records[:] = was
        return found

    spf = changed("good.test.", "TXT", 'TXT "v=spf1 mx -all"', 'TXT "v=spf1 -all"')["SPF"]
    assert spf["state"] == "differs" and spf["fails"] and "more than one SPF record" in spf["note"]
    assert spf["have"] == ['"v=spf1 mx -all"', '"v=spf1 -all"'] or spf["have"] == ['"v=spf1 -all"', '"v=spf1 mx -all"']
    spf = changed("good.test.", "TXT", 'TXT "v=spf1 ip4:192.0.2.1 -all"', 'TXT "another purpose"')["SPF"]
    assert (spf["state"], spf["have"], spf["want"]) == ("differs", ['"v=spf1 ip4:192.0.2.1 -all"'], ['"v=spf1 mx -all"'])
    assert "127.0.0.1" in spf["note"] and '"fail"' in spf["note"]
    assert changed("good.test.", "TXT", 'TXT "v=spf1 ip4:127.0.0.0/8 -all"')["SPF"]["state"] == "ok"  # works as well
    dmarc = changed("_dmarc.good.test.", "TXT", 'TXT "v=DMARC1; p=none"')["DMARC"]
    assert dmarc["state"] == "ok" and "only watches" in dmarc["note"]
    dmarc = changed("_dmarc.good.test.", "TXT", 'TXT "v=DMARC1; p=perhaps"')["DMARC"]
    assert dmarc["state"] == "differs" and dmarc["fails"]
    mx = changed("good.test.", "MX", "MX 10 mx.elsewhere.test.")["MX"]
    assert (mx["state"], mx["have"], mx["want"]) == ("differs", ["10 mx.elsewhere.test."], [f"10 {HOST}."])
    caa = changed("mx.good.test.", "CAA", 'CAA 0 issue "other.example"')["CAA"]
    assert caa["state"] == "differs" and caa["fails"]
    sts = changed("_mta-sts.good.test.", "TXT", 'TXT "v=STSv1; id=1;"')["MTA-STS"]
    assert sts["state"] == "differs" and sts["fails"]
    name = "_imaps._tcp.good.test"
    srv = changed(name + ".", "SRV", f"SRV 0 1 1993 {HOST}.")[name]
    assert (srv["state"], srv["fails"], srv["have"]) == ("differs", False, [f"0 1 1993 {HOST}."])
    assert changed("autoconfig.good.test.", "CNAME", "A 127.0.0.1")["autoconfig"]["state"] == "ok"


def test_an_address_must_lead_back_to_the_host(asking, internet):
    internet.zone("127.in-addr.arpa").remove("1.0.0", "PTR").add("1.0.0", "PTR customer-1.provider.test.")
    internet.publish()
    row = asking.records("good.test")["addresses"]
    assert row["state"] == "differs" and row["fails"] and "127.0.0.1 is not called" in row["note"]


def test_what_strangers_cannot_verify_is_not_promised(asking, internet, tmp_path):
    asking.key, asking.certificate = make_certificate(tmp_path, "self")
    asking.settings()
    internet.publish()
    found = asking.records("good.test")
    assert "MTA-STS" not in found and "CAA" not in found and "TLSA" in found
    asking.certificate = tmp_path / "missing"
    asking.settings()
    found = asking.records("good.test")
    assert "TLSA" not in found
    assert "cannot read" in asking.run("good.test") and "cannot read" in asking.run("good.test", "--zone")


def test_a_host_elsewhere_stays_out_of_the_zone(asking, internet):
    internet.publish()
    asking.settings(host="mx.provider.test")
    for line in asking.run("good.test", "--zone").splitlines():
        assert not line or line.startswith(";") or line.split(" ")[0].endswith("good.test.")


def test_the_server_tells_its_signing_keys(asking, internet):
    internet.publish()
    assert "the DKIM keys are missing here" in asking.run("good.test")
    server = Server(settings=internet.settings())
    try:
        server.start()
        assert "there is no domain good.test" in subprocess.run(
            [PROGRAM, "-c", server.conf, "dns", "good.test"], capture_output=True, text=True).stdout
        server.domain("good.test")
        asking.conf = server.conf
        keys = [row for row in json.loads(asking.run("good.test", "--json"))["records"] if row["title"] == "DKIM"]
        assert len(keys) == 2 and {row["state"] for row in keys} == {"missing"}  # RSA and Ed25519
        asking.publish("good.test")
        internet.publish()
        found = json.loads(asking.run("good.test", "--json"))
        assert {row["state"] for row in found["records"] if row["title"] == "DKIM"} == {"ok"}
        assert found["problem"] == ""
        internet.zone("good.test").remove(keys[0]["name"].rstrip(".") + ".")
        internet.publish()
        states = {row["name"]: row["state"] for row in json.loads(asking.run("good.test", "--json"))["records"]}
        assert (states[keys[0]["name"]], states[keys[1]["name"]]) == ("missing", "ok")
        server.process.send_signal(signal.SIGSTOP)  # a server that hangs is not waited for
        assert "the server did not answer in time" in asking.run("good.test") and asking.seconds < 20
        server.process.send_signal(signal.SIGCONT)
    finally:
        server.remove()


def test_a_record_without_measure_is_shown_in_part(asking, internet):
    whole = "v=spf1 " + " ".join(f"ip4:192.0.2.{number}" for number in range(250)) + " -all"
    internet.zone("good.test").add_text(whole)
    internet.publish()
    lines = asking.run("good.test").splitlines()
    assert max(map(len, lines)) < 1100
    assert any('have TXT "v=spf1 ip4:192.0.2.0 ' in line and line.endswith(" bytes more") for line in lines)
    assert "ip4:192.0.2.249" in asking.run("good.test", "--json")


def test_wrong_usage(asking):
    for words in ([], ["a b"], ["good.test", "--all"], ["good.test", "other.test"], [".."], ["x" * 300 + ".test"]):
        asking.run(*words)
        assert asking.status in (1, 2) and asking.error
