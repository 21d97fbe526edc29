"""The pages that domains have for mail programs and servers, as curl and others ask for them."""
import socket
import subprocess
import xml.etree.ElementTree as ET

import pytest

from authority import Authority
from internet import Internet
from server import DOMAIN, Server, insecure, wait_for

POLICY = f"version: STSv1\r\nmode: testing\r\nmx: mx.demo.test\r\nmax_age: 604800\r\n"


@pytest.fixture(scope="module")
def server():
    with Server(settings="[https]\nport = 443\nsts_mode = testing\n[pop3]\nport = 0\n") as server:
        server.domain()
        yield server


def get(server, host, path, *options):
    port = server.port(443)
    done = subprocess.run(["curl", "-sk", "-D", "-", "--resolve", f"{host}:{port}:127.0.0.1", *options, f"https://{host}:{port}{path}"],
                          capture_output=True, timeout=20, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body


def test_the_policy_is_served_for_domains_of_ours(server):
    status, head, body = get(server, f"mta-sts.{DOMAIN}", "/.well-known/mta-sts.txt")
    assert status == 200 and "Content-Type: text/plain\r\n" in head and body.decode() == POLICY
    assert get(server, "mta-sts.elsewhere.test", "/.well-known/mta-sts.txt")[0] == 404
    assert get(server, f"mta-sts.{DOMAIN}", "/")[0] == 404


@pytest.mark.parametrize("host, path", [(f"autoconfig.{DOMAIN}", f"/mail/config-v1.1.xml?emailaddress=a%40{DOMAIN}"),
                                        (DOMAIN, "/.well-known/autoconfig/mail/config-v1.1.xml")])
def test_programs_find_their_settings(server, host, path):
    status, head, body = get(server, host, path)
    assert status == 200 and "Content-Type: text/xml\r\n" in head
    provider = ET.fromstring(body).find("emailProvider")
    assert provider.find("domain").text == DOMAIN
    rows = [(one.get("type"), int(one.find("port").text), one.find("socketType").text) for one in provider
            if one.tag in ("incomingServer", "outgoingServer")]
    port = server.port
    assert rows == [("imap", port(993), "SSL"), ("imap", port(143), "STARTTLS"), ("pop3", port(995), "SSL"),
                    ("smtp", port(465), "SSL"), ("smtp", port(587), "STARTTLS")]
    assert {one.text for one in provider.iter("hostname")} == {"mx.demo.test"}


def test_nothing_else_is_taken(server):
    status, head, _ = get(server, DOMAIN, "/", "-d", "x")
    assert status == 400
    assert get(server, DOMAIN, "/", "-X", "DELETE")[0] == 405
    assert get(server, DOMAIN, "/", "-H", "X: " + "x" * 9000)[0] == 431
    with socket.create_connection(("127.0.0.1", server.port(443)), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP")
    with insecure().wrap_socket(socket.create_connection(("127.0.0.1", server.port(443)), 10)) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_status_names_the_port(server):
    assert any(str(server.port(443)) in str(one) for one in server.status().items())


def test_another_waxwing_goes_by_our_policy():
    """Over names and certificates of a little internet."""
    authority, net = Authority(), Internet()
    net.zone("far.test", signed=False).add("MX 10 mx").add("mx", "A 127.0.0.1").add("mta-sts", "A 127.0.0.1").add(
        "_mta-sts", '1 TXT "v=STSv1; id=1;"')
    net.publish()
    chain, key = authority.certificate("*.far.test")
    far = Server(settings=f"[https]\nport = 443\n[tls]\ncertificate = {chain}\nkey = {key}\n" + net.settings())
    far.conf.write_text(far.conf.read_text().replace("mx.demo.test", "mx.far.test"))
    try:
        with far:
            far.domain("far.test")
            far.account("bob@far.test")
            near = Server(settings=f"[tls]\nroots = {authority.roots}\n[courier]\nport = {far.port(25)}\nsts_port = "
                          f"{far.port(443)}\n[server]\nlog_level = debug\n" + net.settings())
            with near:
                near.domain()
                near.account("alice")
                with near.submission("alice") as client:
                    client.sendmail(f"alice@{DOMAIN}", ["bob@far.test"], f"From: alice@{DOMAIN}\r\n\r\nhello\r\n")
                with far.imap("bob@far.test") as client:
                    assert b"with ESMTPS" in wait_for(client, 1)[0]
                assert 'courier.sts.fetched' in near.log.read_text() and 'mode="enforce"' in near.log.read_text()
            zone = far.tool("dns", "far.test", "--zone").stdout
            assert "mta-sts.txt holds, with a certificate for that name" in zone and "mode: enforce" in zone
    finally:
        authority.close()
        net.close()
