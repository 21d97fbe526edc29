"""Reports of other servers on our domains come by mail, are read, and are shown to the operator by `waxwing reports`."""
import base64
import email.message
import gzip
import io
import json
import re
import smtplib
import subprocess
import time
import zipfile
import zlib

import pytest

dkim = pytest.importorskip("dkim")
from internet import Internet  # noqa: E402
from server import DOMAIN, PROGRAM, Server, crlf, wait_for, wait_until  # noqa: E402

HERE = "127.0.0.1"
ADDRESS = f"mail-reports@{DOMAIN}"


class Scene:
    """A server that judges even what comes from this machine, and domains that report on its own."""

    def __init__(self, folder):
        self.key = folder / "key"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
        self.net = Internet()
        for name in ("one.test", "two.test", "many.test"):
            self.net.zone(name).add_text("s._domainkey", record).add_text("v=spf1 ip4:192.0.2.1 -all")
        self.net.zone(DOMAIN).add("MX 10 mx").add("mx", f"A {HERE}").add_text("v=spf1 -all").add_text(
            "_dmarc", f"v=DMARC1; p=reject; rua=mailto:{ADDRESS}")
        self.net.zone("spf.test").add_text(f"v=spf1 ip4:{HERE} -all").add_text("_dmarc", "v=DMARC1; p=reject")
        self.net.publish()
        self.server = Server(settings=self.net.settings() + "[server]\nintakes = 1\n[trust]\nlocal =\n"
                             "[reports]\ninterval = 1\n")
        self.server.start()
        self.server.domain()

    def close(self):
        try:
            self.server.stop()
        finally:
            self.server.remove()
            self.net.close()

    def mail(self, *parts, sender="reports@one.test", subtype="mixed", signed=True, texts=("A report is attached.",)):
        """Sends the parts, each (type, bytes), signed by the sender's domain; the reply to the message."""
        mail = email.message.EmailMessage()
        mail["From"] = sender
        mail["To"] = ADDRESS
        mail["Subject"] = "Report Domain: demo.test"
        for text in texts:
            mail.set_content(text)
        for kind, content in parts:
            mail.add_attachment(content, *kind.split("/"), filename="report." + kind.rpartition("+")[2])
        if subtype == "report":
            mail.replace_header("Content-Type", mail["Content-Type"].replace("mixed", 'report; report-type="tlsrpt"'))
        return self.send(mail.as_bytes(policy=mail.policy.clone(linesep="\r\n")), sender, signed)

    def send(self, message, sender="reports@one.test", signed=True, to=(ADDRESS,)):
        message = crlf(message)
        if signed:
            message = dkim.sign(message, b"s", sender.rpartition("@")[2].encode(), self.key.read_bytes()) + message
        with self.server.smtp() as client:
            client.ehlo("mail." + sender.rpartition("@")[2])
            client.mail(sender)
            for address in to:
                assert client.rcpt(address)[0] == 250
            code, text = client.data(message)
            return code, text.decode()

    def reports(self, *words):
        return json.loads(self.server.tool("reports", *words, "--json").stdout)

    def overview(self, domain=DOMAIN, *words):
        found = [row for row in self.reports(domain, *words) if row["domain"] == domain]
        return found[0] if found else None


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory.mktemp("reports"))
    yield scene
    scene.close()


def dmarc(name, rows, domain=DOMAIN, organization="One"):
    """rows: (source, count, disposition, dkim, spf)."""
    now = int(time.time())
    records = "".join(f"""
  <record>
    <row><source_ip>{source}</source_ip><count>{count}</count>
      <policy_evaluated><disposition>{done}</disposition><dkim>{signed}</dkim><spf>{sent}</spf></policy_evaluated></row>
    <identifiers><header_from>{domain}</header_from></identifiers>
    <auth_results><dkim><domain>{domain}</domain><result>{signed}</result></dkim>
      <spf><domain>bounce.{domain}</domain><result>{sent}</result></spf></auth_results>
  </record>""" for source, count, done, signed, sent in rows)
    return f"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata><org_name>{organization}</org_name><email>dmarc@one.test</email><report_id>{name}</report_id>
    <date_range><begin>{now - 86400}</begin><end>{now}</end></date_range></report_metadata>
  <policy_published><domain>{domain}</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><pct>100</pct></policy_published>{records}
</feedback>
""".encode()


def tls(name, good, failures, domain=DOMAIN):
    """failures: (type, count, mx)."""
    return json.dumps({
        "organization-name": "One", "contact-info": "tls@one.test", "report-id": name,
        "date-range": {"start-datetime": "2026-11-19T00:00:00Z", "end-datetime": "2026-11-19T23:59:59Z"},
        "policies": [{
            "policy": {"policy-type": "sts", "policy-domain": domain, "policy-string": ["version: STSv1"], "mx-host": ["*"]},
            "summary": {"total-successful-session-count": good,
                        "total-failure-session-count": sum(row[1] for row in failures)},
            "failure-details": [{"result-type": kind, "failed-session-count": count, "receiving-mx-hostname": mx,
                                 "sending-mta-ip": "192.0.2.9"} for kind, count, mx in failures]}]}).encode()


def packed_zip(content, count=1, method=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for number in range(count):
            archive.writestr(f"one.test!{DOMAIN}!{number}.xml", content)
    return packed.getvalue()


ROWS = [("192.0.2.1", 100, "none", "pass", "pass"), ("203.0.113.9", 20, "reject", "fail", "fail"),
        ("203.0.113.9", 3, "quarantine", "fail", "fail"), ("198.51.100.7", 5, "none", "fail", "pass")]


def test_reports_of_both_kinds_are_taken_and_shown(scene):
    assert scene.mail(("application/gzip", gzip.compress(dmarc("a1", ROWS)))) == (250, "2.0.0 Report taken")
    assert scene.mail(("application/zip", packed_zip(dmarc("a2", ROWS[:1]))), sender="reports@two.test")[0] == 250
    code, _ = scene.mail(("application/tlsrpt+gzip", gzip.compress(tls("t1", 40, [("certificate-expired", 2, "mx1.demo.test"),
                                                                                 ("starttls-not-supported", 1, "mx2.demo.test")]))),
                         subtype="report")
    assert code == 250
    found = scene.overview()
    mail = found["dmarc"]
    assert (mail["reports"], mail["messages"], mail["passed"], mail["quarantined"], mail["rejected"]) == (2, 228, 205, 3, 20)
    assert [(row["count"], row["source"], row["disposition"]) for row in mail["failures"]] == [
        (20, "203.0.113.9", "reject"), (3, "203.0.113.9", "quarantine")]
    assert [(row["count"], row["source"], row["dkim"], row["spf"]) for row in mail["passes"]] == [
        (200, "192.0.2.1", "pass", "pass"), (5, "198.51.100.7", "fail", "pass")]
    assert mail["passes"][0]["signed"] == f"{DOMAIN}: pass"
    assert (found["tls"]["successful"], found["tls"]["failed"]) == (40, 3)
    assert [(row["count"], row["result"], row["mx"], row["policy"]) for row in found["tls"]["failures"]] == [
        (2, "certificate-expired", "mx1.demo.test", "sts"), (1, "starttls-not-supported", "mx2.demo.test", "sts")]
    assert [(row["domain"], row["reports"]) for row in found["reporters"]] == [("one.test", 2), ("two.test", 1)]
    text = scene.server.tool("reports", DOMAIN).stdout
    assert "228 messages in 2 reports, 205 passed, 23 did not; 3 were quarantined, 20 rejected" in text, text
    assert re.search(r"20 +fail +fail +reject +203\.0\.113\.9", text), text
    assert re.search(r"2 +certificate-expired +sts +mx1\.demo\.test", text), text
    assert re.search(r"2 +one\.test \(One\)", text), text


def test_a_report_that_comes_again_is_kept_once(scene):
    before = scene.overview()["dmarc"]["reports"]
    assert scene.mail(("application/gzip", gzip.compress(dmarc("b1", ROWS))))[0] == 250
    assert scene.mail(("application/zip", packed_zip(dmarc("b1", ROWS)))) == (250, "2.0.0 Report taken, not for the first time")
    assert scene.overview()["dmarc"]["reports"] == before + 1


def test_a_report_needs_somebody_who_vouches_for_it(scene):
    packed = ("application/gzip", gzip.compress(dmarc("c1", ROWS)))
    code, text = scene.mail(packed, signed=False)
    assert code == 550 and text.startswith("5.7.1 ") and "DKIM" in text
    code, text = scene.mail(packed, sender="reports@spf.test", signed=False)
    assert code == 250, text  # RFC 7489 section 7.2: DMARC passes, by SPF
    code, text = scene.mail(("application/tlsrpt+gzip", gzip.compress(tls("c2", 1, []))), sender="reports@spf.test", signed=False)
    assert code == 550 and "RFC 8460 section 3" in text
    mail = b"From: x@two.test\r\nTo: " + ADDRESS.encode() + b"\r\nContent-Type: text/xml\r\n\r\n" + dmarc("c3", ROWS)
    assert scene.send(mail)[0] == 550  # signed by another domain than that of its From


def test_the_answer_says_what_is_wrong(scene):
    good = dmarc("d1", ROWS)
    packed = gzip.compress(good)
    bomb = zlib.compressobj(9, wbits=31)
    bomb = bomb.compress(bytes(200 << 20)) + bomb.flush()
    for part, word in (
            (("application/pdf", b"%PDF-1.4"), "is no report"),
            (("application/gzip", packed[:-9]), "damaged"),
            (("application/gzip", packed[:-8] + b"\0\0\0\0" + packed[-4:]), "damaged"),
            (("application/gzip", bomb), "larger"),
            (("application/zip", packed_zip(good, 2)), "several files"),
            (("application/zip", packed_zip(bytes(200 << 20))), "larger"),
            (("application/zip", packed_zip(good)[:-30]), "damaged"),
            (("application/xml", good.replace(b"<feedback>", b'<!DOCTYPE f [<!ENTITY a "aaaaaaaa">]><feedback>&a;')), "is no report"),
            (("application/tlsrpt+json", b'{"a":' * 100000), "is no report"),
            (("application/gzip", gzip.compress(dmarc("d2", ROWS, domain="example.org"))), "not served here"),
    ):
        code, text = scene.mail(part)
        assert code == 550 and text.startswith("5.6.0 ") and word in text, (part[0], code, text)
    code, text = scene.mail()
    assert code == 550 and "there is no attachment" in text
    assert re.search(r'"reports_refused": [1-9]', json.dumps(scene.server.status()))


def peak(server):
    """VmHWM of the one intake, in MiB."""
    pid = next(pid for pid, role in server.roles().items() if role == "intake")
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1024


def test_memory_stays_bounded_whatever_comes(scene):
    sources = [(f"2001:db8:{number * 7919 % 65536:x}::{number:x}", number * 31 % 1009, "none", "pass", "pass") for number in range(8000)]
    rows = dmarc("m", sources)  # 4 MiB, and more rows than are kept
    json_bomb = b'{"date-range":{"start-datetime":"2026-11-19T00:00:00Z","end-datetime":"2026-11-19T23:59:59Z"},"policies":[' \
        + b"0," * 1000000 + b"0]}"
    for number in range(3):
        code, text = scene.mail(("application/gzip", gzip.compress(rows.replace(b">m<", b">m%d<" % number))), sender="r@many.test")
        assert code == 250, text
        assert scene.mail(("application/json", gzip.compress(json_bomb)), sender="r@many.test")[0] == 550
        assert scene.mail(("application/xml", b"<a>" * 1000000), sender="r@many.test")[0] == 550
    found = scene.overview()
    assert [row["reports"] for row in found["reporters"] if row["domain"] == "many.test"] == [3]
    assert found["dmarc"]["passed"] >= 3 * sum(row[1] for row in sources)  # what has no row of its own is not lost
    assert peak(scene.server) < 200


def test_what_they_write_does_not_reach_the_terminal(scene):
    evil = dmarc("e1", ROWS[:1], organization="Evil&#x1b;[2J\u202eOrg \\ &quot;").replace(b"&#x1b;", b"\xc2\x9b")
    assert scene.mail(("application/xml", evil), sender="r@many.test")[0] == 250
    assert all("\x1b" not in row["organization"] for row in scene.overview()["reporters"])
    shown = subprocess.run(["script", "-qec", f"{PROGRAM} -c {scene.server.conf} reports {DOMAIN}", "/dev/null"],
                           capture_output=True, check=True, timeout=60).stdout
    assert b"Evil?[2J?Org" in shown and b"\xc2\x9b" not in shown and b"\xe2\x80\xae" not in shown, shown


def test_the_overview_holds_whatever_they_write(scene):
    names = [f"wide{number}.test" for number in range(3)]
    for name in names:
        scene.server.domain(name)
        rows = [(f"{number:03}" + "x" * 200, number, "quarantine", ("pass", "fail")[number % 2], "fail") for number in range(100)]
        report = dmarc(f"w-{name}", rows, domain=name).replace(b"<header_from>" + name.encode(), b"<header_from>" + b'"' * 200)
        report = report.replace(b"<spf><domain>", b"<spf><domain>" + "ü".encode() * 100)
        report = report.replace(b"<dkim><domain>", b"<dkim><domain>" + b"d" * 200).replace(
            b"</policy_evaluated>", b"<reason><type>" + b"\\" * 200 + b"</type></reason></policy_evaluated>")
        assert scene.mail(("application/gzip", gzip.compress(report)), sender="r@many.test")[0] == 250
        failures = [("certificate-expired", number, f"{number:03}" + "m" * 200) for number in range(100)]
        assert scene.mail(("application/json", tls(f"w-{name}", 1, failures, domain=name)), sender="r@many.test")[0] == 250
    found = {row["domain"]: row for row in scene.reports()}
    assert all(len(found[name]["dmarc"]["failures"]) == len(found[name]["tls"]["failures"]) == 35 for name in names)
    assert all(found[name]["dmarc"]["messages"] == sum(range(100)) for name in names)
    text = scene.server.tool("reports").stdout
    assert all(text.count(f"\n{name}\n") == 1 for name in names)


def test_a_person_with_the_same_address_gets_the_mail_as_well(scene):
    scene.server.account("olga")
    scene.server.domain("person.test")
    scene.server.tool("address", "add", "mail-reports@person.test", f"olga@{DOMAIN}")
    to = ("mail-reports@person.test",)
    mail = b"From: a@one.test\r\nTo: mail-reports@person.test\r\nSubject: hello\r\n\r\nA question, no report.\r\n"
    assert scene.send(mail, to=to)[0] == 250
    mail = b"From: a@one.test\r\nSubject: hello\r\nContent-Type: text/xml\r\n\r\n" + dmarc("p1", ROWS, domain="person.test")
    assert scene.send(mail, to=to)[0] == 250
    with scene.server.imap("olga") as client:
        wait_for(client, 2)
    assert scene.overview("person.test")["dmarc"]["messages"] == 128


def forge(server, to):
    """A mail in the name of our domain, from somebody else; it is refused, and remembered."""
    with pytest.raises(smtplib.SMTPDataError):
        server.deliver(to, crlf(f"From: boss@{DOMAIN}\nSubject: pay this\n\nNow.\n".encode()), sender="x@two.test")


def send_reports(server):
    """Until what was counted has been told."""
    wait_until(lambda: "dmarc: 1 sent" in server.tool("reports", "send", "--day", "today").stdout, 30, "a report is sent")


def reported_by(scene, domain):
    """How many forged mails from this machine are reported, and who of that domain reports."""
    found = scene.overview() or {"dmarc": {"failures": []}, "reporters": []}
    rows = [row for row in found["dmarc"]["failures"] if row["source"] == HERE and row["disposition"] == "reject"]
    return sum(row["count"] for row in rows), [row["organization"] for row in found["reporters"] if row["domain"] == domain]


def test_what_one_of_us_sends_another_reads(scene):
    before, _ = reported_by(scene, "far.test")
    settings = scene.net.settings() + ("[server]\nhostname = mx.far.test\n[trust]\nlocal =\n[reports]\ninterval = 1\n"
                                       f"[courier]\nport = {scene.server.port(25)}\n")
    with Server(settings=settings) as far:
        far.domain("far.test")
        far.account("olaf@far.test")
        for row in json.loads(far.tool("dkim", "list", "far.test", "--json").stdout):
            scene.net.zone("far.test").add_text(f"{row['selector']}._domainkey", row["record"])
        scene.net.publish()
        forge(far, "olaf@far.test")
        send_reports(far)
        wait_until(lambda: reported_by(scene, "far.test") == (before + 1, ["far.test"]), 30, "the report has come")


def test_what_we_see_ourselves_is_shown_as_well(scene):
    before, _ = reported_by(scene, "mx.demo.test")
    scene.server.account("ida")
    forge(scene.server, "ida")
    send_reports(scene.server)
    wait_until(lambda: reported_by(scene, "mx.demo.test") == (before + 1, [DOMAIN]), 30, "the report has come")


def test_users_do_not_report(scene):
    scene.server.account("uwe")
    with scene.server.submission("uwe") as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail(f"uwe@{DOMAIN}", [ADDRESS], crlf(dmarc("u1", ROWS)))
    assert b"not from users" in refused.value.smtp_error


def test_the_command_knows_its_words(scene):
    assert scene.server.tool("reports", "unknown.test").stdout.startswith("no reports have come within 7 days")
    assert scene.reports("unknown.test") == []
    assert scene.server.tool("reports", "--days", "0", check=False).returncode == 2
    assert scene.server.tool("reports", "--days", "30", DOMAIN).stdout.startswith(DOMAIN)
