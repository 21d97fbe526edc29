"""
What other domains are told of a day: TLS reports on our sessions with them (RFC 8460), and DMARC reports on mail that
named them in From (RFC 7489 §7.2). They come as mail or over HTTPS to where the DNS says, and to nobody else.
"""
import base64
import datetime
import email
import gzip
import json
import pathlib
import shutil
import smtplib
import subprocess
import xml.etree.ElementTree as ET

import pytest

dkim = pytest.importorskip("dkim")
from authority import Authority  # noqa: E402
from internet import Internet  # noqa: E402
from policyhost import PolicyHost  # noqa: E402
from server import DOMAIN, Server, wait_until  # noqa: E402
from smtppeer import Peer  # noqa: E402

SETTINGS = """
[tls]
roots = {roots}
[trust]
local =
[reports]
interval = 3600
[courier]
port = {port}
sts_port = {sts_port}
routes = other.test={other}
retry_first = 3600
reply_timeout = 10
"""
HERE = "127.0.0.1"
TOMORROW = pathlib.Path(__file__).resolve().parents[2] / "harness/tomorrow.c"
WRONG = "TLSA 3 1 1 " + "00" * 32
ENFORCE = "version: STSv1\r\nmode: enforce\r\nmx: mx.{0}.test\r\nmax_age: 86400\r\n"
TESTING = ENFORCE.replace("enforce", "testing")
# name -> TLSA record or policy; certificate of the mail server (None: no TLS) and its days; certificate of the policy's
# host; and what the report says: policy type -> (successful sessions, result type of a failed one).
CASES = {
    "dane": ("match", "mx.dane.test", 2, None, {"tlsa": (1, None)}),
    "wrong": (WRONG, "mx.wrong.test", 2, None, {"tlsa": (0, "tlsa-invalid")}),
    "stripped": ("match", None, 2, None, {"tlsa": (0, "starttls-not-supported")}),
    "expired": ("authority", "mx.expired.test", -1, None, {"tlsa": (0, "certificate-expired")}),
    "named": ("authority", "somebody.else.test", 2, None, {"tlsa": (0, "certificate-host-mismatch")}),
    "forged": (None, "mx.forged.test", 2, None, {"tlsa": (0, "dnssec-invalid")}),
    "plain": (None, None, 2, None, {"no-policy-found": (0, "starttls-not-supported")}),
    "any": (None, "somebody.else.test", -1, None, {"no-policy-found": (1, None)}),
    "enforced": (ENFORCE, "mx.enforced.test", 2, "mta-sts.enforced.test", {"sts": (1, None)}),
    "stsnamed": (ENFORCE, "somebody.else.test", 2, "mta-sts.stsnamed.test", {"sts": (0, "certificate-host-mismatch")}),
    "stsselfmade": (ENFORCE, "self", 2, "mta-sts.stsselfmade.test", {"sts": (0, "certificate-not-trusted")}),
    "stsexpired": (TESTING, "mx.stsexpired.test", -1, "mta-sts.stsexpired.test", {"sts": (0, "certificate-expired")}),
    "stsother": (ENFORCE.replace("mx.", "other."), "mx.stsother.test", 2, "mta-sts.stsother.test",
                 {"sts": (0, "validation-failure")}),
    "ststried": (TESTING, None, 2, "mta-sts.ststried.test", {"sts": (0, "starttls-not-supported")}),
    "stsgone": ((404, "text/plain", ""), "mx.stsgone.test", 2, "mta-sts.stsgone.test",
                {"sts": (0, "sts-policy-fetch-error"), "no-policy-found": (1, None)}),
    "stsstolen": (ENFORCE, "mx.stsstolen.test", 2, "mta-sts.somebody.test",
                  {"sts": (0, "sts-webpki-invalid"), "no-policy-found": (1, None)}),
    "stsnonsense": ((200, "text/plain", "nonsense"), "mx.stsnonsense.test", 2, "mta-sts.stsnonsense.test",
                    {"sts": (0, "sts-policy-invalid"), "no-policy-found": (1, None)}),
}
WAITING = {"wrong", "stripped", "expired", "named", "forged", "stsnamed", "stsselfmade", "stsother"}
NOTHING = "".join(f"{kind}: 0 sent, 0 unwanted, 0 to be tried again\n" for kind in ("tls", "dmarc"))
POSTED = ("dane", "stsnamed")  # these want their report over HTTPS
MANY = 1000
# domain -> rua; who is told, by address
RUAS = {
    "told.test": "mailto:dmarc@collector.test", "strange.test": "mailto:dmarc@collector.test",
    "many.test": ",".join(f"mailto:m{number}@many.test" for number in range(MANY)),
    "sized.test": "mailto:small@sized.test!1k,mailto:large@sized.test!10m,mailto:vast@sized.test!999999999999999999999999t",
    "refused.test": "mailto:refused@refused.test",
    "nowhere.test": "https://nowhere.test/,mailto:nobody,mailto:a%0d%0aBcc:b@nowhere.test,mailto:x@nowhere.test!9z",
}
TOLD = {"told.test": {"dmarc@collector.test"}, "strange.test": set(), "many.test": {f"m{n}@many.test" for n in range(4)},
        "sized.test": {"large@sized.test", "vast@sized.test"}, "refused.test": set(),
        "nowhere.test": set()}


class World:
    def __init__(self):
        self.authority, self.net, self.peers = Authority(), Internet(), {}
        self.collector = Peer(address="127.0.22.100", tls=self.authority.certificate("somebody.else.test", -1))
        self.collector.script["rcpt"] = lambda to, _: "550 5.1.1 nobody" if to.startswith("refused@") else None
        self.port = self.collector.port
        self.policies = PolicyHost("127.0.22.101")
        self.self_made = Authority()
        for number, (name, case) in enumerate(CASES.items()):
            self.add_case(name, f"127.0.22.{number + 1}", *case[:4])
        self.net.zone("forger.test", bogus=True).add("mx", "A 127.0.22.99")
        self.net.zone("quiet.test").add("MX 10 mx.any.test.")  # wants no reports
        # Reports arrive there however bad its TLS is, as no other mail would.
        self.net.zone("tlscollector.test").add("MX 10 mx").add("mx", "A 127.0.22.100").add(f"_{self.port}._tcp.mx", WRONG)
        self.net.zone("collector.test").add("MX 10 mx").add("mx", "A 127.0.22.100").add(
            "told.test._report._dmarc", 'TXT "v=DMARC1"')
        self.key = self.authority.folder / "dkim.key"
        self.authority.run("genrsa", "-out", str(self.key), "2048")
        public = self.authority.run("pkey", "-in", str(self.key), "-pubout", "-outform", "DER")
        for name, rua in RUAS.items():
            self.net.zone(name).add("MX 10 mx").add("mx", "A 127.0.22.100").add_text("v=spf1 ip4:192.0.2.1 -all").add_text(
                "_dmarc", f"v=DMARC1; p=reject; sp=none; adkim=s; rua={rua}").add_text(
                    "s._domainkey", "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode())
        self.net.zone("silent.test").add_text("_dmarc", "v=DMARC1; p=none")
        self.net.zone("other.test").add_text("_dmarc", "v=DMARC1; p=none; rua=mailto:mail-reports@other.test")
        self.net.zone("sub.other.test").add("MX 10 mx.any.test.").add_text(
            "_smtp._tls", "v=TLSRPTv1; rua=mailto:mail-reports@other.test")
        self.other = Server("[trust]\nlocal =\n" + self.net.settings())
        self.server = Server(SETTINGS.format(port=self.port, sts_port=self.policies.port, roots=self.authority.roots,
                                             other=f"{HERE}:{self.other.port(25)}") + self.net.settings(), linger=1)
        self.net.publish()
        self.server.start()
        self.server.domain()
        self.server.account("alice")
        ours = self.net.zone(DOMAIN)
        for row in json.loads(self.server.tool("dkim", "list", DOMAIN, "--json").stdout):
            ours.add_text(f"{row['selector']}._domainkey", row["record"])
        self.net.publish()
        self.other.start()
        self.other.domain("other.test")

    def add_case(self, name, address, what, holder, days, policy_holder):
        tls = None
        if holder is not None:
            tls = self.self_made.certificate(f"mx.{name}.test") if holder == "self" else self.authority.certificate(holder, days)
        self.peers[name] = Peer(("PIPELINING",), address=address, port=self.port, tls=tls)
        zone = self.net.zone(f"{name}.test", signed=policy_holder is None)
        zone.add("MX 10 mx.forger.test." if name == "forged" else "MX 10 mx").add("mx", f"A {address}")
        rua = f"https://reports.{name}.test/v1" if name in POSTED else "mailto:tls@tlscollector.test"
        zone.add_text("_smtp._tls", f"v=TLSRPTv1; rua={rua}").add("reports", "A 127.0.22.101")
        self.policies.certificates[f"reports.{name}.test"] = self.authority.certificate(f"reports.{name}.test")
        if policy_holder is None:
            record = {"match": lambda: self.authority.tlsa(holder or f"mx.{name}.test", days),
                      "authority": self.authority.tlsa}.get(what, lambda: what)()
            if record:
                zone.add(f"_{self.port}._tcp.mx", record)
            return
        status, kind, text = what if isinstance(what, tuple) else (200, "text/plain", what)
        self.policies.certificates[f"{name}.test"] = self.authority.certificate(policy_holder)
        self.policies.pages[f"{name}.test"] = (status, kind, text.format(name))
        zone.add("_mta-sts", '1 TXT "v=STSv1; id=1;"').add("mta-sts", "A 127.0.22.101")

    def letter(self, domain, subject="hello", signs=False):
        """To alice from outside; the answer's code."""
        text = f"From: a@{domain}\r\nTo: alice@{DOMAIN}\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode()
        if signs:
            text = dkim.sign(text, b"s", domain.encode(), self.key.read_bytes()) + text
        try:
            self.server.deliver("alice", text, sender=f"a@{domain}")
        except smtplib.SMTPDataError as refusal:
            return refusal.smtp_code
        return 250

    def send_all(self):
        """All mail there is; then a restart, which what was counted has to outlive."""
        with self.server.submission("alice") as client:
            for to in [f"bob@{name}.test" for name in CASES] + ["bob@quiet.test", "bob@sub.other.test"]:
                client.sendmail(f"alice@{DOMAIN}", [to], f"From: alice@{DOMAIN}\r\nTo: {to}\r\n\r\nhello\r\n")
        for domain in RUAS:
            assert [self.letter(domain) for _ in range(3)] == [550] * 3
            assert self.letter(domain, signs=True) == 250
            assert self.letter(domain, "Report Domain: demo.test", signs=True) == 250  # a report of theirs
            assert self.letter(domain, "Report Domain: demo.test") == 550  # somebody else's
        assert self.letter("silent.test") == 250 and self.letter("other.test") == 250
        wait_until(self.is_tried, 30, "all mail has been tried")
        for entry in json.loads(self.server.tool("queue", "list", "--json").stdout):
            self.server.tool("queue", "remove", entry["id"])  # a restart would try it again
        self.days = {datetime.datetime.now(datetime.timezone.utc).date()}
        self.server.stop()
        self.server.start()

    def is_tried(self):
        entries = json.loads(self.server.tool("queue", "list", "--json").stdout)
        waiting = {one["destinations"][0].removesuffix(".test") for one in entries if one["state"] == "deferred"}
        return len(entries) == len(WAITING) and waiting == WAITING

    def report(self, day):
        def send():
            return self.server.tool("reports", "send", "--day", str(day), check=False).stdout
        return wait_until(send, 15, "reports can be sent")  # a role may just have started

    def close(self):
        self.server.remove()
        self.other.remove()
        self.net.close()
        self.policies.close()
        for peer in [self.collector, *self.peers.values()]:
            peer.close()
        for one in (self.authority, self.self_made):
            shutil.rmtree(one.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def world():
    made = World()
    try:
        made.send_all()
        made.days.add(datetime.datetime.now(datetime.timezone.utc).date())
        made.said = "".join(made.report(day) for day in sorted(made.days))
        count = len(CASES) - len(POSTED) + sum(map(len, TOLD.values()))
        wait_until(lambda: len(made.collector.taken) >= count, 30, "the reports have arrived")
        yield made
    finally:
        made.close()


def mails(world, to):
    """(message, its file) of those that came to the address."""
    found = []
    for one in world.collector.taken:
        if one.recipients == [to]:
            message = email.message_from_bytes(one.data)
            found.append((one, message, message.get_payload()[1]))
    return found


def tls_reports(world):
    """domain -> report, however it came."""
    found = {}
    for _, message, file in mails(world, "tls@tlscollector.test"):
        assert file.get_content_type() == "application/tlsrpt+gzip"
        found[message["TLS-Report-Domain"]] = json.loads(gzip.decompress(file.get_payload(decode=True)))
    for host, path, kind, content in world.policies.posted:
        assert (path, kind) == ("/v1", "application/tlsrpt+gzip")
        found[host.removeprefix("reports.")] = json.loads(gzip.decompress(content))
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_domain_hears_how_tls_with_it_went(world, name):
    report, expected = tls_reports(world)[f"{name}.test"], CASES[name][4]
    assert report["organization-name"] == DOMAIN and report["contact-info"] == f"postmaster@{DOMAIN}"
    assert report["date-range"]["start-datetime"].endswith("T00:00:00Z")
    found = {}
    for policy in report["policies"]:
        details, summary = policy.get("failure-details", []), policy["summary"]
        assert summary["total-failure-session-count"] == sum(one["failed-session-count"] for one in details) == len(details)
        assert policy["policy"]["policy-domain"] == f"{name}.test"
        found[policy["policy"]["policy-type"]] = (summary["total-successful-session-count"],
                                                 details[0]["result-type"] if details else None)
    assert found == expected


def test_a_failure_is_told_with_who_spoke_to_whom_and_the_policy(world):
    by_type = {one["policy"]["policy-type"]: one for one in tls_reports(world)["expired.test"]["policies"]}
    detail = by_type["tlsa"]["failure-details"][0]
    assert detail["receiving-mx-hostname"] == "mx.expired.test" and "expired" in detail["failure-reason-code"]
    assert detail["receiving-ip"].startswith("127.0.22.") and detail["sending-mta-ip"].startswith("127.")
    assert by_type["tlsa"]["policy"]["policy-string"][0].startswith("2 0 1 ")
    policy = tls_reports(world)["stsnamed.test"]["policies"][0]["policy"]
    assert policy["policy-string"] == ["version: STSv1", "mode: enforce", "mx: mx.stsnamed.test", "max_age: 86400"]
    assert policy["mx-host"] == ["mx.stsnamed.test"]


def test_who_wants_no_reports_gets_none(world):
    assert set(tls_reports(world)) == {f"{name}.test" for name in CASES}
    assert not [one for one in world.collector.taken if "silent.test" in one.data.decode() or "quiet.test" in one.data.decode()]


def test_the_mail_is_signed_and_comes_from_nobody(world):
    rows = json.loads(world.server.tool("dkim", "list", DOMAIN, "--json").stdout)
    records = {f"{row['selector']}._domainkey.{DOMAIN}.".encode(): row["record"].encode() for row in rows}
    for to in ("tls@tlscollector.test", "dmarc@collector.test"):
        taken, message, file = mails(world, to)[0]
        assert taken.sender == "" and message["From"] == f"<noreply@{DOMAIN}>" and message["To"] == f"<{to}>"
        assert message["Subject"].replace("\r\n", "").startswith("Report Domain: ") and message["Auto-Submitted"]
        subject = message["Subject"].split()
        assert subject[3:5] == ["Submitter:", DOMAIN] and subject[5] == "Report-ID:" and subject[6].endswith(f"@{DOMAIN}>")
        assert file.get_filename().startswith(f"{DOMAIN}!{subject[2]}!")
        assert len(message.get_all("DKIM-Signature")) == 2
        for number in range(2):
            assert dkim.DKIM(taken.data).verify(idx=number, dnsfunc=lambda name, timeout=5: records[name])


def test_tls_reports_are_multipart_report_and_arrive_whatever_their_tls_is(world):
    for _, message, _ in mails(world, "tls@tlscollector.test"):
        assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "tlsrpt"
        assert message["TLS-Report-Submitter"] == DOMAIN and message["TLS-Required"] == "No"
        signed = [field.split("h=")[1].split(";")[0].lower() for field in message.get_all("DKIM-Signature")]
        assert all("tls-report-domain" in one and "tls-report-submitter" in one for one in signed)


@pytest.mark.parametrize("domain", RUAS)
def test_dmarc_reports_go_to_those_alone_who_want_them(world, domain):
    told = {one.recipients[0] for one in world.collector.taken if f"Report Domain: {domain}".encode() in one.data}
    assert told == TOLD[domain]


def test_a_dmarc_report_counts_what_came_and_what_was_done(world):
    [(_, message, file)] = mails(world, "dmarc@collector.test")
    assert file.get_content_type() == "application/gzip" and file.get_filename().endswith(".xml.gz")
    report = ET.fromstring(gzip.decompress(file.get_payload(decode=True)))
    published = {one.tag: one.text for one in report.find("policy_published")}
    assert published == {"domain": "told.test", "adkim": "s", "aspf": "r", "p": "reject", "sp": "none", "pct": "100"}
    assert report.findtext("report_metadata/org_name") == DOMAIN
    assert f"<{report.findtext('report_metadata/report_id')}>" in message["Subject"]
    rows = {}
    for record in report.findall("record"):
        evaluated = record.find("row/policy_evaluated")
        rows[tuple(evaluated.findtext(one) for one in ("disposition", "dkim", "spf"))] = int(record.findtext("row/count"))
        assert record.findtext("row/source_ip") == HERE and record.findtext("identifiers/header_from") == "told.test"
        assert record.findtext("identifiers/envelope_from") == "told.test"
        assert (record.findtext("auth_results/spf/domain"), record.findtext("auth_results/spf/result")) == ("told.test", "fail")
        if evaluated.findtext("dkim") == "pass":
            assert [one.text for one in record.find("auth_results/dkim")] == ["told.test", "s", "pass"]
    assert rows == {("reject", "fail", "fail"): 4, ("none", "pass", "fail"): 1}


def test_another_server_of_this_kind_takes_them(world):
    """It wants them signed, and reads them as it would those of any other."""
    def known():
        return {one["domain"]: one for one in json.loads(world.other.tool("reports", "--json").stdout)}
    found = wait_until(lambda: len(known()) == 2 and known(), 30, "both reports are taken")
    dmarc, tls = found["other.test"]["dmarc"], found["sub.other.test"]["tls"]
    assert (dmarc["reports"], dmarc["messages"], dmarc["failures"][0]["source"]) == (1, 1, HERE)
    assert (tls["reports"], tls["successful"], tls["failed"]) == (1, 1, 0)
    assert {one["domain"] for domain in found.values() for one in domain["reporters"]} == {DOMAIN}


def test_of_a_report_that_nobody_takes_nobody_hears(world):
    wait_until(lambda: json.loads(world.server.tool("queue", "list", "--json").stdout) == [], 15, "the queue is empty")
    assert "RCPT TO:<refused@refused.test>" in [line.split(" NOTIFY")[0] for line in world.collector.lines]
    with world.server.imap("alice") as client:
        assert client.search(None, "FROM", '"Mail Delivery"') == ("OK", [b""])
        assert client.search(None, "FROM", '"told.test"')[1] != [b""]


def test_what_is_told_is_told_once(world):
    assert "tls: 18 sent" in world.said and "dmarc: 5 sent, 2 unwanted" in world.said
    before = len(world.collector.taken), len(world.policies.posted)
    for day in world.days:
        assert world.report(day) == NOTHING
    assert (len(world.collector.taken), len(world.policies.posted)) == before


def test_a_day_that_is_none_is_refused(world):
    done = world.server.tool("reports", "send", "--day", "yesterday", check=False)
    assert done.returncode == 2 and "usage" in done.stderr


def test_a_day_is_told_of_by_itself_once_it_is_over(world, monkeypatch):
    day = datetime.datetime.now(datetime.timezone.utc).date()
    assert world.letter("told.test") == 550
    world.server.stop()
    before = len(mails(world, "dmarc@collector.test"))
    text = world.server.conf.read_text()
    world.server.conf.write_text(text.replace("interval = 3600", "interval = 1\nspread = 0"))
    tomorrow = world.authority.folder / "tomorrow.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tomorrow, TOMORROW], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(tomorrow))
    world.server.start()
    monkeypatch.delenv("LD_PRELOAD")
    try:
        wait_until(lambda: len(mails(world, "dmarc@collector.test")) > before, 30, "the report has arrived")
    finally:
        world.server.stop()
    _, message, file = mails(world, "dmarc@collector.test")[-1]
    report = ET.fromstring(gzip.decompress(file.get_payload(decode=True)))
    start = datetime.datetime.fromtimestamp(int(report.findtext("report_metadata/date_range/begin")), datetime.timezone.utc)
    assert start.date() == day and report.findtext("record/row/count") == "1"


def test_a_database_that_is_none_is_begun_anew(world):
    for file in world.server.data.glob("reports.db*"):
        file.write_bytes(b"nothing that could be opened\n" * 1000)
    world.server.start()
    wait_until(lambda: "reports.moved_aside" in world.server.log.read_text(), 20, "it is moved aside")
    assert world.letter("told.test") == 550 and world.letter("told.test", signs=True) == 250
    assert "dmarc: 1 sent" in world.report("today")
    assert (world.server.data / "reports.db.damaged").read_bytes().startswith(b"nothing that could be opened")
