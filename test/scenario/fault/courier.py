"""Faults while mail goes out: nothing that was accepted is lost, and what comes twice is what was under way."""
import os
import signal
import threading

import pytest

from faults import failing, few_descriptors, pid_of, pids, root_only, store_down
from server import DOMAIN, Server, wait_until
from smtppeer import Peer

CONNECTIONS = 2
SETTINGS = """
[courier]
relay = 127.0.0.1:{port}
relay_tls = optional
retry_first = 1
retry_longest = 1
connections_per_destination = {connections}
messages_per_connection = 1
"""


@pytest.fixture
def peer():
    with Peer() as made:
        yield made


@pytest.fixture
def post(peer):
    server = Server(SETTINGS.format(port=peer.port, connections=CONNECTIONS), linger=1)
    try:
        server.start()
        server.domain()
        server.account("alice")
        yield server
    finally:
        server.remove()


def send(server, first, last):
    with server.submission("alice") as client:
        for number in range(first, last):
            client.sendmail(f"alice@{DOMAIN}", [f"x{number}@example.org"], f"From: alice@{DOMAIN}\r\n\r\n{'x' * 300}\r\n")


def taken(peer):
    return [to for _, to in peer.recipients()]


def is_empty(server):
    return server.tool("queue", "list", "--json", check=False).stdout.strip() == "[]"


def test_nothing_more_is_sent_while_nobody_can_note_it(post, peer):
    """What the other server has taken while store is away, courier alone knows: it must not become much."""
    gate = threading.Event()
    peer.script["mail"] = lambda *_: gate.wait(60) and None
    send(post, 0, 20)
    wait_until(lambda: [line for line in peer.lines if line.startswith("MAIL")], 20, "the first one is under way")
    with store_down(post):
        gate.set()
        wait_until(lambda: taken(peer), 20, "what was under way goes on")
        send_begun = len([line for line in peer.lines if line.startswith("MAIL")])
        gone = pids(post, "courier")[-1]
        assert len(taken(peer)) <= send_begun <= 2 * CONNECTIONS
        os.kill(gone, signal.SIGKILL)
    wait_until(lambda: set(taken(peer)) == {f"x{number}@example.org" for number in range(20)}, 40, "all is sent")
    wait_until(lambda: is_empty(post), 20, "the queue is empty")
    assert len(taken(peer)) <= 20 + 2 * CONNECTIONS


@root_only
@pytest.mark.parametrize("calls, error", [("connect", "ENETUNREACH"), ("socket", "EMFILE"), ("pread64", "EIO"),
                                          ("epoll_ctl", "ENOMEM"), ("recvfrom,read", "ECONNRESET")])
def test_what_fails_in_courier_costs_nothing_but_time(post, peer, calls, error):
    send(post, 0, 1)
    wait_until(lambda: len(taken(peer)) == 1, 20, "it works")
    with failing(pid_of(post, "courier"), calls, error) as failed:
        send(post, 1, 8)
        wait_until(lambda: failed() > 3, 20, "it has failed")
    wait_until(lambda: set(taken(peer)) == {f"x{number}@example.org" for number in range(8)}, 40, "all is sent")
    wait_until(lambda: is_empty(post), 20, "the queue is empty")
    assert len(taken(peer)) <= 8 + (CONNECTIONS if "read" in calls and "pread" not in calls else 0)


@root_only
@pytest.mark.parametrize("calls", ["fdatasync,fsync,sync_file_range", "pwritev,pwritev2,pwrite64,write"], ids=["sync", "write"])
def test_a_log_that_cannot_be_written_while_mail_goes_out(post, peer, calls):
    peer.script["rcpt"] = "451 4.2.1 later"
    send(post, 0, 10)
    with failing(pid_of(post, "store"), calls, "EIO") as failed:
        wait_until(lambda: failed() > 0, 20, "a note has failed")
        peer.script.clear()
    wait_until(lambda: set(taken(peer)) == {f"x{number}@example.org" for number in range(10)}, 40, "all is sent")
    wait_until(lambda: is_empty(post), 20, "the queue is empty")
    post.kill()
    post.start()
    wait_until(lambda: is_empty(post), 20, "it stays empty")
    assert len(taken(peer)) == 10


@root_only
def test_without_descriptors_mail_waits(post, peer):
    send(post, 0, 1)
    wait_until(lambda: len(taken(peer)) == 1, 20, "it works")
    peer.script["end"] = lambda *_: "451 4.3.0 not yet"
    with few_descriptors(pid_of(post, "courier"), 0):
        send(post, 1, 8)
        wait_until(lambda: not is_empty(post), 20, "it waits")
    peer.script.clear()
    wait_until(lambda: set(taken(peer)) == {f"x{number}@example.org" for number in range(8)}, 40, "all is sent")
    wait_until(lambda: is_empty(post), 20, "the queue is empty")
    assert len(taken(peer)) == 8
