"""
A mail server that does as a scenario says, for what real ones do only when they are ill. What it has acknowledged with
250 stands in `taken`, in order; `script` changes what it says at a stage:

    peer.script["rcpt"] = lambda address, peer: "450 4.2.1 later"   an answer, None: as usual, CUT: the connection breaks
"""
import socket
import ssl
import subprocess
import tempfile
import threading

CUT = object()
STAGES = ["connect", "ehlo", "starttls", "mail", "rcpt", "data", "content", "end", "quit"]


def self_signed(name="peer.test", folder=None):
    folder = folder or tempfile.mkdtemp(prefix="waxwing-peer-")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"], check=True, capture_output=True)
    return f"{folder}/cert.pem", f"{folder}/key.pem"


class Taken:
    def __init__(self, sender, recipients, data, connection, tls):
        self.sender, self.recipients, self.data, self.connection, self.tls = sender, recipients, data, connection, tls


class Peer:
    def __init__(self, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000"), tls=None, port=0, address="127.0.0.1"):
        self.extensions, self.tls, self.script = list(extensions), tls, {}
        self.taken, self.lines, self.connections, self.open = [], [], 0, set()
        self.lock = threading.Lock()
        self.listener = socket.create_server((address, port), backlog=200)
        self.address, self.port = address, self.listener.getsockname()[1]
        self.is_closed = False
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.is_closed = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for each in list(self.open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def serve(self):
        while not self.is_closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
            self.open.add(client)
            threading.Thread(target=self.talk, args=(client, number), daemon=True).start()

    def recipients(self):
        """Every acknowledged (message, recipient), as often as it was."""
        return [(one.data, to) for one in self.taken for to in one.recipients]

    def ask(self, stage, argument):
        rule = self.script.get(stage)
        return rule(argument, self) if callable(rule) else rule

    def talk(self, client, number):
        try:
            Conversation(self, client, number).run()
        except (OSError, EOFError, ssl.SSLError, ValueError):
            pass
        finally:
            self.open.discard(client)
            client.close()


class Conversation:
    def __init__(self, peer, client, number):
        self.peer, self.client, self.number = peer, client, number
        self.file = client.makefile("rb")
        self.is_tls = False
        self.sender, self.to = None, []

    def say(self, stage, argument, usual):
        """False where the connection is to end."""
        answer = self.peer.ask(stage, argument)
        if answer is CUT:
            raise EOFError
        text = answer or usual
        self.client.sendall(text.encode() + b"\r\n")
        return text.lstrip()[:1] in "23"

    def run(self):
        if not self.say("connect", None, "220 peer.test ESMTP"):
            return
        while line := self.file.readline():
            text = line.decode(errors="replace").rstrip("\r\n")
            with self.peer.lock:
                self.peer.lines.append(text)
            verb = text.split(" ")[0].upper()
            if verb == "QUIT":
                self.say("quit", None, "221 bye")
                return
            getattr(self, f"on_{verb.lower()}", self.unknown)(text)

    def unknown(self, _):
        self.client.sendall(b"500 5.5.2 what?\r\n")

    def on_ehlo(self, text):
        words = list(self.peer.extensions) + (["STARTTLS"] if self.peer.tls and not self.is_tls else [])
        lines = ["peer.test"] + words
        usual = "\r\n".join(f"250{'-' if at < len(lines) - 1 else ' '}{word}" for at, word in enumerate(lines))
        self.say("ehlo", text, usual)

    def on_helo(self, text):
        self.say("helo", text, "250 peer.test")

    def on_starttls(self, text):
        if not self.say("starttls", text, "220 go ahead"):
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.peer.tls)
        self.client = context.wrap_socket(self.client, server_side=True)
        self.file = self.client.makefile("rb")
        self.is_tls = True

    def on_rset(self, _):
        self.sender, self.to = None, []
        self.client.sendall(b"250 2.0.0 forgotten\r\n")

    def on_mail(self, text):
        if self.say("mail", text, "250 2.1.0 ok"):
            self.sender, self.to = text[10:].split(">")[0].lstrip("<"), []

    def on_rcpt(self, text):
        address = text[8:].split(">")[0].lstrip("<")
        if self.sender is None:
            self.client.sendall(b"503 5.5.1 MAIL first\r\n")
            return
        if self.say("rcpt", address, "250 2.1.5 ok"):
            self.to.append(address)

    def on_bdat(self, text):
        data = self.file.read(int(text.split()[1]))
        if not self.to:
            self.client.sendall(b"554 5.5.1 no recipients\r\n")
        else:
            self.end(data)

    def on_data(self, _):
        if not self.to:
            self.client.sendall(b"554 5.5.1 no recipients\r\n")
            return
        if not self.say("data", None, "354 go ahead"):
            return
        data = []
        if self.peer.ask("content", None) is CUT:
            raise EOFError
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                raise EOFError
            data.append(line[1:] if line.startswith(b".") else line)
        self.end(b"".join(data))

    def end(self, data):
        answer = self.peer.ask("end", data)
        if answer is CUT:
            raise EOFError
        text = answer or "250 2.0.0 taken"
        if text.startswith("2"):
            with self.peer.lock:
                self.peer.taken.append(Taken(self.sender, self.to, data, self.number, self.is_tls))
        self.sender, self.to = None, []
        self.client.sendall(text.encode() + b"\r\n")
