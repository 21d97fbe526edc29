"""
What stands between two mail servers and means them ill: it passes on what both say, until it cuts the connection, hides
STARTTLS, or lets nothing more through.

    cutter = Cutter(("127.9.9.1", port), ("127.9.9.2", port), Attack("after", "DATA"))

`attack` may be replaced at any time, and counts for connections that come then; None passes everything on.
"""
import dataclasses
import socket
import struct
import threading

CONTENT_SEEN = 20  # bytes of a message that get through, where it is cut in the middle


@dataclasses.dataclass
class Attack:
    """
    before VERB: cuts instead of passing that command on.   after VERB: the server has answered, and nobody hears of it.
    connect: cuts at once.                                  content: in the middle of the message.
    dot: all but the last line of the message has got through.       reply: the server has taken it, and nobody hears of it.
    client N, server N: under TLS, instead of passing on the Nth record of that side.
    strip: STARTTLS is not shown.  refuse: STARTTLS is answered with 454.  stall: at DATA, nothing more gets through.
    """
    kind: str
    what: object = None
    times: int = 1  # so many connections; 0: all of them

    def __str__(self):
        return f"{self.kind} {self.what}" if self.what else self.kind


class Cut(Exception):
    pass


class Cutter:
    def __init__(self, here, there, attack):
        self.there, self.attack, self.is_closed = there, attack, False
        self.attacked = self.cuts = 0  # connections, and those that were cut
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.listener = socket.create_server(here, backlog=50)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.is_closed = True
        self.over.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def serve(self):
        while not self.is_closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                attack = self.attack
                if attack is not None and attack.times and self.attacked >= attack.times:
                    attack = None
                self.attacked += attack is not None
            threading.Thread(target=self.carry, args=(client, attack), daemon=True).start()

    def carry(self, client, attack):
        with client:
            try:
                with socket.create_connection(self.there, 10) as server:
                    server.settimeout(None)
                    Way(self, client, server, attack or Attack("none")).go()
            except Cut:
                with self.lock:
                    self.cuts += 1
            except (OSError, EOFError):
                pass


class Way:
    """One connection and its two ends, in step: a command, its answer."""

    def __init__(self, cutter, client, server, attack):
        self.cutter, self.client, self.server, self.attack = cutter, client, server, attack
        self.from_client, self.from_server = client.makefile("rb"), server.makefile("rb")

    def cut_if(self, kind, what=None):
        if self.attack.kind == kind and (what is None or self.attack.what == what):
            raise Cut

    def line(self, source):
        text = source.readline()
        if not text.endswith(b"\n"):
            raise EOFError
        return text

    def answer(self):
        lines = [self.line(self.from_server)]
        while lines[-1][3:4] == b"-":
            lines.append(self.line(self.from_server))
        return lines

    def go(self):
        self.cut_if("connect")
        self.client.sendall(b"".join(self.answer()))
        while True:
            command = self.line(self.from_client)
            verb = command.split()[0].upper().decode(errors="replace") if command.split() else ""
            self.cut_if("before", verb)
            if verb == "STARTTLS" and self.attack.kind == "refuse":
                self.client.sendall(b"454 4.7.0 not now\r\n")
                continue
            if verb == "DATA" and self.attack.kind == "stall":
                self.cutter.over.wait(60)
                raise Cut
            self.server.sendall(command)
            lines = self.answer()
            self.cut_if("after", verb)
            if verb == "EHLO" and self.attack.kind == "strip":
                shown = [line for line in lines if line[4:].strip().upper() != b"STARTTLS"]
                lines = shown[:-1] + [shown[-1].replace(b"-", b" ", 1)]
            self.client.sendall(b"".join(lines))
            if verb == "DATA" and lines[0].startswith(b"354"):
                self.content()
            elif verb == "STARTTLS" and lines[0].startswith(b"220"):
                self.under_tls()
                return

    def content(self):
        passed = b""
        while (line := self.line(self.from_client)) != b".\r\n":
            passed += line
            if self.attack.kind == "content" and len(passed) > CONTENT_SEEN:
                raise Cut
            self.server.sendall(line)
        self.cut_if("dot")
        self.server.sendall(line)
        lines = self.answer()
        self.cut_if("reply")
        self.client.sendall(b"".join(lines))

    def records(self, source, to, side):
        """TLS records, one at a time (RFC 8446 §5.1). Where it ends, both ends are closed."""
        count = 0
        try:
            while len(head := source.read(5)) == 5:
                count += 1
                self.cut_if(side, count)
                body = source.read(struct.unpack(">H", head[3:])[0])
                to.sendall(head + body)
        except Cut:
            with self.cutter.lock:
                self.cutter.cuts += 1
        except (OSError, EOFError):
            pass
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def under_tls(self):
        back = threading.Thread(target=self.records, args=(self.from_server, self.client, "server"), daemon=True)
        back.start()
        self.records(self.from_client, self.server, "client")
        back.join()
