"""COMPRESS=DEFLATE (RFC 4978): what passes is compressed both ways, across a silence too, and within bounds."""
import socket
import zlib

from server import PASSWORD, insecure, wait_until


class Connection:
    def __init__(self, server, user):
        raw = socket.create_connection(("127.0.0.1", server.port(993)), timeout=20)
        self.socket = insecure().wrap_socket(raw)
        self.packer = self.unpacker = None
        self.left = b""
        self.came = 0  # bytes on the wire
        self.count = 0
        self.line()
        assert self.run(f'LOGIN "{user}" "{PASSWORD}"')[-1].startswith(b"OK")

    def say(self, data):
        if self.packer:
            data = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(65536)
        assert data, "the server has closed the connection"
        self.came += len(data)
        self.left += self.unpacker.decompress(data) if self.unpacker else data

    def line(self):
        while b"\r\n" not in self.left:
            self.more()
        line, self.left = self.left.split(b"\r\n", 1)
        return line

    def run(self, command):
        self.count += 1
        tag = b"t%d " % self.count
        self.say(tag + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        lines = []
        while not (line := self.line()).startswith(tag):
            lines.append(line)
        return lines + [line[len(tag):]]

    def compress(self):
        answer = self.run("COMPRESS DEFLATE")
        assert answer[-1].startswith(b"OK"), answer
        self.packer = zlib.compressobj(wbits=-15)
        self.unpacker = zlib.decompressobj(wbits=-15)


def message(number, size):
    return (f"Subject: Number {number}\r\n\r\n" + f"This is line {number}.\r\n" * (size // 20)).encode()


def test_what_passes_is_compressed_and_the_same(server, user):
    client = Connection(server, user)
    assert b"COMPRESS=DEFLATE" in client.run("CAPABILITY")[0]
    client.compress()
    large = message(1, 300000)
    answer = client.run(b"APPEND INBOX {%d+}\r\n" % len(large) + large)
    assert answer[-1].startswith(b"OK"), answer
    client.run("SELECT INBOX")
    before = client.came
    answer = client.run("FETCH 1 BODY.PEEK[]")
    assert b"\r\n".join(answer[1:-1])[:len(large)] == large
    assert client.came - before < len(large) // 10


def test_it_begins_once_and_only_with_deflate(server, user):
    client = Connection(server, user)
    assert client.run("COMPRESS LZMA")[-1].startswith(b"BAD")
    assert client.run("COMPRESS")[-1].startswith(b"BAD")
    client.compress()
    assert client.run("COMPRESS DEFLATE")[-1].startswith(b"NO [COMPRESSIONACTIVE]")
    assert client.run("NOOP")[-1].startswith(b"OK")


def test_nothing_may_follow_before_the_answer(server, user):
    client = Connection(server, user)
    client.socket.sendall(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
    assert client.line().startswith(b"a BAD")
    assert client.line().startswith(b"b OK")


def test_a_silence_changes_nothing(server, user):
    """The session closes all it can after seven seconds (CLIENT_PARK_MS, SESSION_QUIET_MS); news still come compressed."""
    client = Connection(server, user)
    client.compress()
    client.run("SELECT INBOX")
    client.say(b"i IDLE\r\n")
    assert client.line().startswith(b"+ ")
    client.socket.settimeout(8)
    try:
        client.line()
        raise AssertionError("nothing was to be said")
    except TimeoutError:
        client.socket.settimeout(20)
    for number in range(3):
        server.deliver(user, message(number, 100))
        wait_until(lambda: client.line().startswith(b"* %d EXISTS" % (number + 1)), 20, "the message is announced")
    client.say(b"DONE\r\n")
    while not client.line().startswith(b"i OK"):
        pass
    assert client.run("FETCH 1:3 (FLAGS)")[-1].startswith(b"OK")


def test_what_is_not_compressed_ends_the_connection(server, user):
    client = Connection(server, user)
    client.compress()
    client.socket.sendall(b"\xff\xff\xff\xff")
    assert client.socket.recv(100) == b""
    other = Connection(server, user)
    assert other.run("NOOP")[-1].startswith(b"OK")
