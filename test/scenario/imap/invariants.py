"""Connections of one account change a mailbox at random; each keeps its own picture of it from what it is told, and
after every answer that picture must be a possible one (RFC 9051 §2.3.1, §5.5, §7.4, §7.5; RFC 7162 §3.2.10). Two of them
are told at any time (RFC 5465), three keep the results of a search (RFC 5267)."""
import os
import random
import re
import socket

import pytest
from server import PASSWORD, insecure

ROUNDS = int(os.environ.get("ROUNDS", 400))


class Picture:
    def __init__(self, server, user, resyncs):
        raw = socket.create_connection(("127.0.0.1", server.port(993)), timeout=20)
        self.socket = insecure().wrap_socket(raw)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.count = 0
        self.messages = []  # UID, or None while it was not said, by sequence number
        self.known = {}  # UID: flags, modseq
        self.resyncs = resyncs
        self.watches = False  # NOTIFY is on: it may be told at any time
        self.results = None  # of a search that is kept up to date (RFC 5267 §4.3)
        self.run(f'LOGIN "{user}" "{PASSWORD}"')
        if resyncs:
            self.run("ENABLE QRESYNC")
        self.run("SELECT INBOX")
        self.run("UID FETCH 1:* (FLAGS MODSEQ)")

    def watch(self):
        """RFC 5465: everything at once, expunges too, so no sequence number is said from now on."""
        self.run("NOTIFY SET (selected (MessageNew (UID FLAGS MODSEQ) MessageExpunge FlagChange))")
        self.watches = True

    def keep_results(self):
        self.results = set()
        self.run("UID SEARCH RETURN (UPDATE ALL) FLAGGED")

    def run(self, command, follows=False):
        self.count += 1
        tag = f"t{self.count}"
        self.socket.sendall(f"{tag} {command}\r\n".encode())
        may_expunge = self.watches or not re.match(r"(FETCH|STORE|SEARCH) ", command)
        while True:
            line = self.file.readline().decode().rstrip("\r\n")
            if line.startswith(tag + " "):
                assert " BAD " not in line, (command, line)
                break
            self.take(line, may_expunge)
        # VANISHED says UIDs, so they must be known; this never tells of expunges.
        if None in self.messages and not follows:
            first = "UID FETCH 1" if self.watches else f"FETCH {self.messages.index(None) + 1}"
            self.run(f"{first}:* (UID FLAGS MODSEQ)", follows=True)

    def take(self, line, may_expunge):
        if found := re.fullmatch(r"\* (\d+) EXISTS", line):
            assert int(found[1]) >= len(self.messages), "EXISTS never falls without an EXPUNGE"
            self.messages += [None] * (int(found[1]) - len(self.messages))
        elif found := re.fullmatch(r"\* (\d+) EXPUNGE", line):
            assert may_expunge and not self.resyncs
            assert 1 <= int(found[1]) <= len(self.messages)
            self.known.pop(self.messages.pop(int(found[1]) - 1), None)
        elif found := re.fullmatch(r"\* VANISHED (\S+)", line):
            assert may_expunge and self.resyncs
            for part in found[1].split(","):
                first, _, last = part.partition(":")
                for uid in range(int(first), int(last or first) + 1):
                    assert uid in self.messages, f"{uid} is gone, but was not there"
                    self.messages.remove(uid)
                    self.known.pop(uid, None)
        elif found := re.match(r"\* ESEARCH \(TAG \S+\) UID (ALL|ADDTO \(0|REMOVEFROM \(0) ([^)]+)", line):
            uids = {uid for part in found[2].split(",") for first, _, last in [part.partition(":")]
                    for uid in range(int(first), int(last or first) + 1)}
            if found[1].startswith("REMOVE"):
                assert uids <= self.results, "only what was there is taken out"
                self.results -= uids
            else:
                assert not uids & self.results, "nothing is added twice"
                self.results |= uids
        elif found := re.match(r"\* (\d+) FETCH \((.*)\)$", line):
            self.take_fetch(int(found[1]), found[2])

    def take_fetch(self, number, items):
        assert 1 <= number <= len(self.messages), "a number beyond EXISTS"
        if found := re.search(r"UID (\d+)", items):
            uid = int(found[1])
            assert self.messages[number - 1] in (None, uid), "a number means another message"
            self.messages[number - 1] = uid
            said = [each for each in self.messages if each is not None]
            assert said == sorted(set(said)), "UIDs rise with the numbers"
        elif self.resyncs:
            raise AssertionError(f"no UID in {items}")
        uid = self.messages[number - 1]
        flags = re.search(r"FLAGS \(([^)]*)\)", items)
        modseq = re.search(r"MODSEQ \((\d+)\)", items)
        if uid is None:
            return
        old_flags, old_modseq = self.known.get(uid, (None, 0))
        if modseq:
            assert int(modseq[1]) >= old_modseq, "MODSEQ never falls"
        self.known[uid] = (frozenset(flags[1].split()) - {r"\Recent"} if flags else old_flags,
                           int(modseq[1]) if modseq else old_modseq)


def act(picture, chance):
    message = b"Subject: x\r\n\r\ny\r\n"
    many = len(picture.messages)
    if many < 5 or chance.random() < 0.15:
        return picture.run("APPEND INBOX {%d+}\r\n%s" % (len(message), message.decode()))
    if picture.watches:
        uid = chance.choice([each for each in picture.messages if each is not None])
        flag = chance.choice([r"\Seen", r"\Flagged", r"\Deleted"])
        return picture.run(chance.choice([f"UID STORE {uid} {chance.choice('+-')}FLAGS ({flag})", "NOOP", "NOOP",
                                          f"UID MOVE {uid} INBOX", f"UID COPY {uid} INBOX", "EXPUNGE"]))
    first = chance.randint(1, many)
    numbers = f"{first}:{min(many, first + chance.randint(0, 3))}"
    flag = chance.choice([r"\Seen", r"\Flagged", r"\Deleted", "$Forwarded"])
    if chance.random() < 0.1:
        picture.run(f"STORE {numbers} +FLAGS.SILENT ({flag})")
        for uid in picture.messages[first - 1:int(numbers.split(":")[1])]:  # what it did itself it is not told
            flags, modseq = picture.known[uid]
            picture.known[uid] = (flags | {flag}, modseq)
        return None
    return picture.run(chance.choice([
        f"STORE {numbers} {chance.choice('+-')}FLAGS ({flag})",
        f"COPY {numbers} INBOX", f"MOVE {numbers} INBOX", "EXPUNGE", "NOOP", "NOOP", "CHECK",
        f"FETCH {numbers} (UID FLAGS MODSEQ)", f"UID FETCH {first}:* (FLAGS)", "SEARCH RETURN (COUNT) UNSEEN"]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_connection_has_a_true_picture(server, user, seed):
    chance = random.Random(seed)
    pictures = [Picture(server, user, resyncs) for resyncs in (True, False, True, False)]
    pictures[2].watch()
    pictures[3].watch()
    for picture in pictures[1:]:
        picture.keep_results()
    for _ in range(ROUNDS):
        act(chance.choice(pictures), chance)
    for picture in pictures:
        picture.run("NOOP")
    told = [list(picture.messages) for picture in pictures]
    flags = [{uid: known[0] for uid, known in picture.known.items() if known[0] is not None} for picture in pictures]
    truth = Picture(server, user, True)
    for picture, messages, known in zip(pictures, told, flags):
        assert len(messages) == len(truth.messages)
        assert all(mine in (None, theirs) for mine, theirs in zip(messages, truth.messages))
        wrong = {uid: (seen, truth.known[uid][0]) for uid, seen in known.items() if truth.known[uid][0] != seen}
        assert not wrong, (picture.resyncs, wrong)
        flagged = {uid for uid, (flags, _) in truth.known.items() if r"\Flagged" in flags}
        assert picture.results in (None, flagged), (picture.watches, picture.results ^ flagged)
