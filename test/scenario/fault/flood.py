"""Floods: too many connections, half-open ones, slow ones, wrong passwords, and more messages in flight than there is
memory for. Each gets the protocol's own refusal and costs a bounded amount; everybody else is served."""
import concurrent.futures
import contextlib
import imaplib
import smtplib
import socket
import ssl
import threading
import time

import pytest

from faults import detail, memory, pid_of
from server import DOMAIN, Server, children, insecure, wait_for, wait_until

PER_ADDRESS = 12
MIB = 1 << 20
BUDGET = 8 * MIB
SETTINGS = f"""
[server]
gates = 1
intakes = 1
[smtp]
message_max = 4M
idle_timeout = 5
connection_time = 8
connections_max = 300
connections_per_address = {PER_ADDRESS}
[imap]
login_timeout = 5
[auth]
delay = 1
[intake]
memory_max = 8M
"""


@pytest.fixture
def small():
    server = Server(settings=SETTINGS)
    text = server.conf.read_text()
    server.conf.write_text(text.replace("failures_before_delay = 50\n", "failures_before_delay = 5\n"))
    try:
        server.start()
        server.domain()
        server.account("alice")
        yield server
    finally:
        server.remove()


def connect(server, port=25, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", server.port(port)), timeout=30, source_address=(source, 0))


def everything(sock):
    """Until the server closes; nothing where it resets."""
    said = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while more := sock.recv(65536):
            said += more
    return said


def mail_flows(server, count, source="127.0.0.9"):
    """From an address that has done nothing wrong."""
    with smtplib.SMTP("127.0.0.1", server.port(25), local_hostname="client.example", timeout=30,
                      source_address=(source, 0)) as client:
        client.sendmail("stranger@example.org", [f"alice@{DOMAIN}"], b"Subject: flows\r\n\r\n")
    reader = imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=insecure(), timeout=30)
    with reader:
        reader.login(f"alice@{DOMAIN}", "a long enough password")
        reader.select()
        wait_for(reader, count)


@pytest.mark.parametrize("port, refusal", [(25, b"421 "), (143, b"* BYE")])
def test_one_address_gets_so_many_connections_and_no_more(small, port, refusal):
    with contextlib.ExitStack() as held:
        callers = [held.enter_context(connect(small, port, "127.0.0.2")) for _ in range(PER_ADDRESS)]
        for caller in callers:
            assert caller.recv(4096).startswith((b"220 ", b"* OK"))
        for _ in range(40):
            with connect(small, port, "127.0.0.2") as one_more:
                said = everything(one_more)
                assert said.startswith(refusal) and said.endswith(b"\r\n"), said
        assert detail(small, "gate")[0]["refused"] == 40
        # Not before login, either, where TLS would have to be agreed on first.
        with connect(small, 993, "127.0.0.2") as one_more:
            assert everything(one_more) == b""
        with connect(small, port, "127.0.0.3") as other:
            assert other.recv(4096).startswith((b"220 ", b"* OK"))
    wait_until(lambda: detail(small, "gate")[0]["connections"] == 0, 20, "all are gone")
    with connect(small, port, "127.0.0.2") as again:
        assert again.recv(4096).startswith((b"220 ", b"* OK"))


def test_many_addresses_share_a_bound(small):
    gate = pid_of(small, "gate")
    mail_flows(small, 1)
    before = memory(gate)
    with contextlib.ExitStack() as held:
        callers = [held.enter_context(connect(small, 25, f"127.0.1.{1 + number // 10}")) for number in range(250)]
        for caller in callers:
            assert caller.recv(4096).startswith(b"220 ")
        assert memory(gate) - before < 250 * 64 * 1024
        mail_flows(small, 2)
        rest = [held.enter_context(connect(small, 25, f"127.0.2.{1 + number // 10}")) for number in range(60)]
        said = [caller.recv(4096)[:4] for caller in rest]
        assert said.count(b"421 ") >= 10 and set(said) == {b"220 ", b"421 "}, said
    wait_until(lambda: detail(small, "gate")[0]["connections"] == 0, 20, "all are gone")
    mail_flows(small, 3)


def drip(sock, pieces, until):
    """Sends a little at a time, for as long as that is allowed; returns what the server said in the end."""
    said = b""
    sock.settimeout(0.5)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        for piece in pieces:
            if time.monotonic() > until:
                raise AssertionError("nobody ended it")
            sock.sendall(piece)
            try:
                more = sock.recv(65536)
                if not more:
                    break
                said += more
            except (TimeoutError, ssl.SSLWantReadError):
                pass
    return said


def endless(piece):
    while True:
        yield piece


def test_who_is_slow_is_ended_in_time(small):
    """Idle, dripping and half-open connections, all at once; meanwhile mail flows."""
    until = time.monotonic() + 40
    secure = insecure().wrap_socket(connect(small, 993, "127.0.3.9"))
    cases = {
        "smtp idle": (connect(small, 25, "127.0.3.1"), [], b"421 "),
        "smtp dripping a command": (connect(small, 25, "127.0.3.2"), endless(b"N"), b"421 "),
        "smtp dripping commands": (connect(small, 25, "127.0.3.3"), endless(b"NOOP\r\n"), b"421 "),
        "imap idle": (connect(small, 143, "127.0.3.4"), [], b"* BYE"),
        "imap dripping": (connect(small, 143, "127.0.3.5"), endless(b"x"), b"* BYE"),
        "imap with TLS, dripping": (secure, endless(b"x"), b"* BYE"),
        "TLS without a byte": (connect(small, 993, "127.0.3.6"), [], b""),
        "TLS half open": (connect(small, 465, "127.0.3.7"), [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], b""),
        "TLS dripping": (connect(small, 993, "127.0.3.8"), endless(b"\x16"), b""),
    }

    def run(case):
        sock, pieces, _ = case
        said = drip(sock, pieces, until)
        sock.settimeout(30)
        return said + everything(sock)

    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        running = {name: pool.submit(run, case) for name, case in cases.items()}
        mail_flows(small, 1)
        for name, future in running.items():
            said = future.result(60)
            expected = cases[name][2]
            last = said.split(b"\r\n")[-2] if b"\r\n" in said else b""
            assert last.startswith(expected) if expected else not said.startswith((b"220", b"*")), (name, said[-300:])
    for sock, _, _ in cases.values():
        sock.close()
    wait_until(lambda: detail(small, "gate")[0]["connections"] == 0, 20, "all are gone")


def test_wrong_passwords_by_the_dozen_do_not_keep_others_out(small):
    keeper = pid_of(small, "keeper")
    most = 0
    stop = threading.Event()
    sockets = {}
    answers = []

    def guess(number):
        """Guesses until it is told to stop, or its connection is cut."""
        user = "alice" if number % 2 else f"nobody{number}"
        while not stop.is_set():
            with (contextlib.suppress(ConnectionError, ssl.SSLError),
                  insecure().wrap_socket(connect(small, 993, f"127.0.4.{1 + number // 4}")) as sock):
                sock.settimeout(60)
                sockets[number] = sock
                file = sock.makefile("rb")
                if not file.readline():
                    continue
                sock.sendall(f"a LOGIN {user}@{DOMAIN} wrong\r\n".encode())
                if answer := file.readline():
                    answers.append(answer)

    with small.imap("alice"):
        pass  # from here she is known to come from this network
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        guessers = [pool.submit(guess, number) for number in range(12)]
        try:
            for _ in range(3):
                with small.imap("alice") as client:
                    assert client.noop()[0] == "OK"
                most = max(most, len(children(keeper)))
                small.deliver("alice", b"Subject: meanwhile\r\n\r\n")
            wait_until(lambda: len(answers) >= 6, 60, "some guesses are answered")
        finally:
            stop.set()
            for sock in sockets.values():  # most of them are being kept waiting
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for guesser in guessers:
            guesser.result(60)
    assert all(answer.startswith(b"a NO [") for answer in answers), set(answers)
    assert most <= 4, most
    assert pid_of(small, "keeper") == keeper
    with small.imap("alice") as client:
        assert len(wait_for(client, 3)) == 3


def begin_message(server, number, size):
    """Sends the most of a message, and rests before its end."""
    sock = connect(server, 25, f"127.0.5.{1 + number}")
    file = sock.makefile("rb")

    def say(line):
        sock.sendall(line + b"\r\n")
        while (answer := file.readline())[3:4] == b"-":
            pass
        return answer

    file.readline()
    say(b"EHLO client.example")
    say(b"MAIL FROM:<stranger@example.org>")
    say(f"RCPT TO:<alice@{DOMAIN}>".encode())
    assert say(b"DATA").startswith(b"354")
    line = b"x" * 998 + b"\r\n"
    sock.sendall(b"Subject: large\r\n\r\n" + line * (size // len(line)))
    return sock, file


def test_messages_in_flight_have_a_budget(small):
    """Twenty senders hold two megabytes each where there is room for four of them."""
    roles = {role: pid_of(small, role) for role in ("gate", "intake", "store")}
    mail_flows(small, 1)
    before = {role: memory(pid) for role, pid in roles.items()}
    started = []
    try:
        for number in range(20):
            started.append(begin_message(small, number, 2 * MIB))
        grown = {role: memory(pid) - before[role] for role, pid in roles.items()}
        assert grown["intake"] < 3 * BUDGET and grown["gate"] < 24 * MIB and grown["store"] < 8 * MIB, grown
        mail_flows(small, 2)  # small messages have room of their own
        answers = []
        for sock, file in started:
            sock.sendall(b".\r\n")
            answers.append(file.readline())
    finally:
        for sock, file in started:
            file.close()
            sock.close()
    accepted = sum(answer.startswith(b"250") for answer in answers)
    assert all(answer.startswith((b"250", b"451", b"452")) for answer in answers), answers
    assert 1 <= accepted <= 5, answers
    wait_until(lambda: detail(small, "store")[0]["held"] == 0, 20, "nothing is held any more")
    mail_flows(small, 2 + accepted + 1)
    assert all(pid_of(small, role) == pid for role, pid in roles.items())
