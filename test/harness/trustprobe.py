"""Asks build/trust-probe (test/conformance/trust/probe.c): what src/trust makes of a message, by a zone of our own."""
import ipaddress
import os
import pathlib
import subprocess

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SPF": 99}
FOUND, NO_DATA, NO_NAME, FAILED, BOGUS = range(5)
PROGRAM = pathlib.Path(os.environ.get("WAXWING", "build/waxwing")).resolve().parent / "trust-probe"


def escaped(name):
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else f"\\{ord(c):03}" for c in name)


def wire_name(name):
    labels = [label.encode("latin-1") for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def rdata(kind, value):
    if kind == "A":
        return ipaddress.IPv4Address(value).packed
    if kind == "AAAA":
        return ipaddress.IPv6Address(value).packed
    if kind == "MX":
        return int(value[0]).to_bytes(2, "big") + wire_name(value[1])
    if kind in ("TXT", "SPF"):
        parts = [value] if isinstance(value, (str, bytes)) else value
        parts = [part.encode() if isinstance(part, str) else part for part in parts]
        parts = [part[at:at + 255] for part in parts for at in range(0, max(len(part), 1), 255)]
        return b"".join(bytes([len(part)]) + part for part in parts)
    return wire_name(value)


class Probe:
    def __init__(self):
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words, body=b""):
        line = "\t".join(str(word) for word in words)
        self.process.stdin.write(line.encode() + b"\n" + body)
        self.process.stdin.flush()
        answer = []
        while (line := self.process.stdout.readline().decode("utf-8", "replace").rstrip("\n")) != ".":
            if line == "" and self.process.poll() is not None:
                raise RuntimeError(f"trust-probe has ended with {self.process.returncode}")
            answer.append(line.split("\t"))
        return answer

    def record(self, name, kind, value=None, outcome=FOUND):
        data = rdata(kind, value) if outcome == FOUND else b""
        assert self.ask("zone", escaped(name), TYPES[kind], outcome, data.hex()) == []

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
