"""Where the server is stopped, everybody who is connected gets the protocol's last word, in clear and under TLS."""
import socket

from server import insecure


def last_words(sock):
    said = b""
    while True:
        try:
            more = sock.recv(4096)
        except ConnectionResetError:
            return said
        if not more:
            return said
        said += more


def smtp_clear(server):
    client = server.smtp()
    return client.sock


def smtp_starttls(server):
    client = server.smtp()
    client.starttls(context=insecure())
    client.ehlo()
    return client.sock


def submission(server):
    client = server.submission("alice")
    return client.sock


def imap_before_login(server):
    clear = socket.create_connection(("127.0.0.1", server.port(993)), timeout=20)
    secure = insecure().wrap_socket(clear)
    assert secure.recv(4096).startswith(b"* OK")
    return secure


def imap_selected(server):
    return server.imap("alice").sock


def imap_idle(server):
    client = server.imap("alice")
    client.send(b"i IDLE\r\n")
    assert client.readline().startswith(b"+")
    return client.sock


def test_who_is_connected_is_told(own):
    own.account("alice")
    waiting = {kind: kind(own) for kind in (smtp_clear, smtp_starttls, submission, imap_before_login, imap_selected, imap_idle)}
    own.stop()
    for kind, sock in waiting.items():
        sock.settimeout(20)
        said = last_words(sock)
        expected = b"* BYE" if kind.__name__.startswith("imap") else b"421 "
        assert said.startswith(expected) and said.endswith(b"\r\n"), (kind.__name__, said)
        sock.close()
