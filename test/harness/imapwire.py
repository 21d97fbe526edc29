"""IMAP as it stands on the wire: commands as bytes, answers as lines."""
import socket

from server import PASSWORD, insecure


def numbered(number, *more):
    head = [f"From: Sender {number} <s{number}@example.org>", "To: bob@example.org", f"Subject: Message {number}",
            f"Date: Mon, {number:02} Feb 2021 10:00:00 +0000", f"Message-ID: <m{number}@example.org>", *more]
    return ("\r\n".join(head) + f"\r\n\r\nThis is number {number}.\r\n").encode()


class Connection:
    def __init__(self, server, user):
        raw = socket.create_connection(("127.0.0.1", server.port(993)), timeout=20)
        self.socket = insecure().wrap_socket(raw)
        self.file = self.socket.makefile("rb")
        self.count = 0
        self.file.readline()
        answer = self.run(f'LOGIN "{user}" "{PASSWORD}"'.encode())[-1]
        if not answer.startswith("T: OK"):
            self.__exit__()
            raise ConnectionRefusedError(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def run(self, command):
        """The lines of the answer; the tagged one, its tag cut off, comes last."""
        self.count += 1
        tag = b"t%d" % self.count
        self.socket.sendall(tag + b" " + command + b"\r\n")
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError("the server has closed the connection")
            line = line.rstrip(b"\r\n")
            if line.startswith(tag + b" "):
                return lines + ["T: " + line[len(tag) + 1:].decode()]
            lines.append("S: " + line.decode("utf-8", "backslashreplace").replace(f'"{tag.decode()}"', '"TAG"'))

    def hear(self):
        """The next line, without a command."""
        line = self.file.readline()
        assert line, "the server has closed the connection"
        return line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")

    def append(self, message, arguments="INBOX"):
        answer = self.run(f"APPEND {arguments} {{{len(message)}+}}\r\n".encode() + message)
        assert answer[-1].startswith("T: OK"), answer
