"""
A little internet of names on loopback: NSD serves a root zone and everything below it, signed under a trust anchor of
its own; an unbound daemon stands for the resolver a server usually has. Ports are high ones, so no rights are needed.

    with internet.Internet() as net:
        net.zone("good.test").add("MX 10 mx.good.test.").add("mx", "A 127.0.0.1")
        net.zone("insecure.test", signed=False).add("MX 10 mx.insecure.test.")
        net.zone("bogus.test", bogus=True).add("TXT nobody-believes-this")
        net.server("slow.test", "slow")
        net.publish()
        Server(settings=net.settings())

Nothing is visible before publish(), which may be called again after more add(), remove(), zone() or server(): the
resolver daemon forgets then what it knew. Zones above a name (test., 127.in-addr.arpa.'s arpa.) are made by themselves.
"""
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ADDRESS = "127.0.0.1"
ALGORITHM = "ECDSAP256SHA256"
START_WAIT = 10


def free_port():
    """One that is free for UDP and TCP alike."""
    while True:
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
            stream.bind((ADDRESS, 0))
            try:
                packets.bind(stream.getsockname())
            except OSError:
                continue
            return stream.getsockname()[1]


def wire_name(name):
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def query(port, name, kind, timeout=0.2):
    """The response code and number of answers, or None where nothing comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect((ADDRESS, port))
            probe.send(struct.pack(">HHHHHH", 0x5757, 0x0100, 1, 0, 0, 0) + wire_name(name) + struct.pack(">HH", kind, 1))
            answer = probe.recv(4096)
        except OSError:
            return None
    return answer[3] & 15, struct.unpack(">H", answer[6:8])[0]


class Zone:
    """Records by owner, as in a zone file; owners are relative to the zone unless they end in a dot."""

    def __init__(self, name, signed=True, ds=None, bogus=False):
        self.name = name.strip(".").lower()
        self.signed = signed or bogus
        self.ds = self.signed if ds is None else ds  # whether the zone above vouches for its key
        self.bogus = bogus  # signatures that ran out years ago
        self.serial = 1
        self.records = []
        self.key = None
        self.file = None

    def add(self, *words):
        """add("MX 10 mx.good.test.") at the zone's own name, or add("mx", "A 127.0.0.1")."""
        owner, record = ("@", words[0]) if len(words) == 1 else words
        self.records.append((owner, record))
        return self

    def remove(self, *words):
        """Undoes an add() of the same words, or of those that start so; with an owner only, all of its records."""
        if len(words) == 2:
            owner, record = words
        else:
            owner, record = ("@", words[0]) if " " in words[0] else (words[0], "")
        self.records = [(name, text) for name, text in self.records if name != owner or not text.startswith(record)]
        return self

    def add_text(self, *words):
        """add() of a TXT record for a text of any length: it is quoted, and cut into strings of 255."""
        owner, text = ("@", words[0]) if len(words) == 1 else words
        quoted = ['"' + text[at:at + 255].replace("\\", "\\\\").replace('"', '\\"') + '"'
                  for at in range(0, len(text) or 1, 255)]
        return self.add(owner, "TXT " + " ".join(quoted))

    def is_below(self, other):
        return self.name != other.name and (other.name == "" or self.name.endswith("." + other.name))

    def __str__(self):
        origin = self.name + "." if self.name else "."
        lines = [f"$ORIGIN {origin}", "$TTL 300",
                 f"@ SOA ns.nic.test. hostmaster.nic.test. {self.serial} 3600 600 86400 60", "@ NS ns.nic.test."]
        return "\n".join(lines + [f"{owner} {record}" for owner, record in self.records]) + "\n"


class Internet:
    def __init__(self, also=None):
        """also: where the resolver daemon is to listen, too, for those who cannot be told a port: ADDRESS@53."""
        self.also = f"  interface: {also}\n" if also else ""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="internet-"))
        self.folder.chmod(0o755)
        self.zones = {}
        self.servers = {}  # zone -> (process, port)
        self.authority_port = free_port()
        self.resolver_port = free_port()
        self.anchor = self.folder / "root.key"
        self.processes = {}
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.zone("")
        self.zone("nic.test").add("ns", f"A {ADDRESS}")

    # --- what there is ---

    def zone(self, name, **how):
        """The zone of that name, made where there is none. how: signed, ds, bogus, for a new one."""
        name = name.strip(".").lower()
        if name not in self.zones:
            top = name.rsplit(".", 1)[-1]
            if name != top:
                self.zone(top)
            self.zones[name] = Zone(name, **how)
        return self.zones[name]

    def reverse(self, address, name):
        """What an IPv4 address is called."""
        first, rest = address.split(".", 1)
        owner = ".".join(reversed(rest.split(".")))
        self.zone(f"{first}.in-addr.arpa").add(owner, f"PTR {name.strip('.')}.")

    def server(self, name, behaviour):
        """A zone, not signed, whose only server misbehaves: silent, slow, refused, servfail, garbage, lying, huge."""
        port = free_port()
        process = subprocess.Popen([sys.executable, __file__, behaviour, str(port)], stdin=subprocess.DEVNULL)
        self.processes[f"server {name}"] = process
        self.servers[name] = port
        self.zone(name.rsplit(".", 1)[-1]).add(name + ".", "NS ns." + name + ".").add("ns." + name + ".", f"A {ADDRESS}")
        return port

    def stripping(self, port):
        """A forwarder, at a port of its own, through which DNSSEC does not pass."""
        words = [sys.executable, __file__, "strip", str(port), str(self.resolver_port)]
        self.run("stripping", words, port)

    def settings(self, **more):
        """For Server(): everything is asked through the resolver daemon, and trusted by this internet's root."""
        rows = {"resolver": self.resolver, "trust_anchor": self.anchor, "timeout": 5, **more}
        return "\n[dns]\n" + "".join(f"{name} = {value}\n" for name, value in rows.items())

    @property
    def resolver(self):
        return f"{ADDRESS}@{self.resolver_port}"

    # --- zones and signatures ---

    def parent(self, zone):
        above = [other for other in self.zones.values() if zone.is_below(other)]
        return max(above, key=lambda other: len(other.name)) if above else None

    def make_key(self, zone):
        if zone.signed and zone.key is None:
            made = subprocess.run(["ldns-keygen", "-a", ALGORITHM, "-k", (zone.name or "") + "."], cwd=self.folder,
                                  check=True, capture_output=True, text=True)
            zone.key = made.stdout.strip()

    def ds_of(self, zone):
        return (self.folder / (zone.key + ".ds")).read_text().split("DS", 1)[1].strip()

    def write(self, zone, children):
        plain = self.folder / f"zone-{zone.name or 'root'}"
        text = str(zone)
        for child in children:
            text += f"{child.name}. NS ns.nic.test.\n"
            if child.ds:
                text += f"{child.name}. DS {self.ds_of(child)}\n"
        if plain.exists() and plain.read_text() == text:
            return
        zone.serial += 1
        text = text.replace(f" {zone.serial - 1} 3600 ", f" {zone.serial} 3600 ", 1)
        plain.write_text(text)
        zone.file = plain
        if zone.signed:
            zone.file = self.folder / f"{plain.name}.signed"
            dates = ["-i", "20150101", "-e", "20150201"] if zone.bogus else []
            subprocess.run(["ldns-signzone", "-n", "-b", *dates, "-o", (zone.name or "") + ".", "-f", zone.file, plain,
                            zone.key], cwd=self.folder, check=True, capture_output=True)

    def publish(self):
        """Signs what has changed and has both daemons start afresh with it."""
        for zone in self.zones.values():
            self.make_key(zone)
        for zone in self.zones.values():
            self.write(zone, [other for other in self.zones.values() if self.parent(other) is zone])
        self.anchor.write_text(". IN DS " + self.ds_of(self.zones[""]) + "\n")
        self.start_authority()
        self.start_resolver()
        return self

    # --- processes ---

    def run(self, name, words, port):
        self.stop(name)
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes[name] = process
        deadline = time.monotonic() + START_WAIT
        while (query(port, ".", 2) or (2, 0)) != (0, 1):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{name} does not answer:\n{(self.folder / f'{name}.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def start_authority(self):
        zones = "".join(f'zone:\n  name: "{zone.name or "."}"\n  zonefile: "{zone.file}"\n'
                        for zone in self.zones.values())
        conf = self.folder / "nsd.conf"
        conf.write_text(f"""
server:
  ip-address: {ADDRESS}@{self.authority_port}
  username: {self.user}
  chroot: ""
  database: ""
  pidfile: ""
  zonesdir: ""
  zonelistfile: "{self.folder}/zone.list"
  xfrdfile: "{self.folder}/xfrd.state"
  xfrdir: "{self.folder}"
  server-count: 1
  rrl-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
{zones}""")
        self.run("authority", ["nsd", "-d", "-c", conf], self.authority_port)

    def start_resolver(self):
        stubs = "".join(f'stub-zone:\n  name: "{name}."\n  stub-addr: {ADDRESS}@{port}\n'
                        for name, port in {**dict.fromkeys(self.zones, self.authority_port), **self.servers}.items())
        conf = self.folder / "unbound.conf"
        conf.write_text(f"""
server:
  interface: {ADDRESS}@{self.resolver_port}
{self.also}  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  use-syslog: no
  num-threads: 1
  do-not-query-localhost: no
  unblock-lan-zones: yes
  local-zone: "test." nodefault
  local-zone: "127.in-addr.arpa." nodefault
  trust-anchor-file: "{self.anchor}"
  trust-anchor-signaling: no
remote-control:
  control-enable: no
{stubs}""")
        self.run("resolver", ["unbound", "-d", "-c", conf], self.resolver_port)

    def stop(self, name):
        """One of: authority, resolver, server ZONE."""
        process = self.processes.pop(name, None)
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def freeze(self, name):
        """It neither answers nor refuses, until thaw() or stop()."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name):
        self.processes[name].send_signal(signal.SIGCONT)

    def close(self):
        for name in list(self.processes):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- name servers that misbehave, each a process of its own ---

def reply(question, behaviour):
    """What is sent back to a question, or None."""
    head, rest = question[:2], question[12:]
    end = rest.index(b"\0") + 5
    asked = rest[:end]
    codes = {"servfail": 2, "refused": 5}
    if behaviour in codes:
        return head + struct.pack(">HHHHH", 0x8400 | codes[behaviour], 1, 0, 0, 0) + asked
    if behaviour == "garbage":
        return head + b"\x84\0" + b"\xff" * 40
    kind = struct.unpack(">H", asked[-4:-2])[0]
    if behaviour == "lying":  # an answer to another question, for another name
        return (head + struct.pack(">HHHHH", 0x8400, 1, 1, 0, 0) + asked + wire_name("good.test") +
                struct.pack(">HHIH", kind, 1, 300, 4) + b"\x7f\x06\x06\x06")
    if behaviour == "huge" and kind == 16:  # more records than anybody needs
        many = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 300, 7) + b"\x06%06d" % number for number in range(300))
        return head + struct.pack(">HHHHH", 0x8400, 1, 300, 0, 0) + asked + many
    return head + struct.pack(">HHHHH", 0x8400, 1, 0, 0, 0) + asked


def misbehave(behaviour, port):
    """slow: an answer, after ten seconds; silent: none. Over TCP the same."""
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets.bind((ADDRESS, port))
    streams = socket.create_server((ADDRESS, port))

    def send(question, give):
        if behaviour == "slow":
            time.sleep(10)
        answer = None if behaviour == "silent" else reply(question, behaviour)
        if answer is not None:
            give(answer)

    def on_stream(stream):
        with stream:
            while (size := stream.recv(2)) and len(size) == 2:
                send(stream.recv(struct.unpack(">H", size)[0]),
                     lambda answer: stream.sendall(struct.pack(">H", len(answer)) + answer))

    while True:
        for ready in select.select([packets, streams], [], [])[0]:
            if ready is streams:
                threading.Thread(target=on_stream, args=(streams.accept()[0],), daemon=True).start()
                continue
            question, peer = packets.recvfrom(4096)

            def give(answer, peer=peer):
                if len(answer) > 1200:  # what is long goes over TCP
                    answer = answer[:2] + struct.pack(">HHHHH", 0x8600, 1, 0, 0, 0) + question[12:12 + 5 + question[12:].index(b"\0")]
                packets.sendto(answer, peer)
            threading.Thread(target=send, args=(question, give), daemon=True).start()


def strip(port, resolver_port):
    """A forwarder of old: what it asks on has no EDNS, and so what it answers has no signatures."""
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets.bind((ADDRESS, port))
    while True:
        question, peer = packets.recvfrom(4096)
        end = question.index(b"\0", 12) + 5
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as onward:
            onward.settimeout(5)
            onward.sendto(question[:10] + b"\0\0" + question[12:end], (ADDRESS, resolver_port))
            try:
                packets.sendto(onward.recv(4096), peer)
            except OSError:
                continue


if __name__ == "__main__":
    if sys.argv[1] == "strip":
        strip(int(sys.argv[2]), int(sys.argv[3]))
    misbehave(sys.argv[1], int(sys.argv[2]))
