"""
Many connections of one account do what comes to their mind, while mail arrives; each response is held against the
grammar (imapgrammar.py) and against what the protocol promises (imapview.py). At the end all agree with one another, and
with a connection that comes fresh.

  SEED=7 SECONDS=600 CONNECTIONS=16   repeats a run, for so long, with so many; by default a new seed and a few seconds
"""
import os
import random
import select
import threading
import time

from imapgrammar import members
from imapview import Broken, View, World

SECONDS = float(os.environ.get("SECONDS") or 8)
CONNECTIONS = int(os.environ.get("CONNECTIONS") or 12)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
FOLDERS = [b"INBOX", b"One", b"Two"]  # these stay
PASSING = [b"Gone", b"Gone/Below", b"Come"]  # these are made, renamed and deleted
FLAGS = [b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Draft", b"blue", b"$Forwarded"]
ITEMS = [b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODYSTRUCTURE", b"BODY", b"EMAILID", b"THREADID",
         b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]", b"BODY[TEXT]", b"BODY.PEEK[]", b"BODY.PEEK[1]<0.20>", b"BODY[HEADER]",
         b"BINARY.SIZE[1]", b"BINARY.PEEK[1]", b"RFC822.HEADER", b"PREVIEW"]
ROOM = 120  # messages in a folder; above that, more are taken away


def letter(mark, dice):
    lines = [b"From: Stress <stress@example.org>", b"To: \"Many, of them\" <all@demo.test>", b"Subject: " + mark,
             b"Message-ID: <" + mark + b"@example.org>", b"Date: Mon, 1 Jan 2024 00:00:00 +0000", b"MIME-Version: 1.0"]
    if dice.random() < 0.3:
        lines += [b'Content-Type: multipart/mixed; boundary="b"', b"", mark, b"--b", b"Content-Type: text/plain; charset=utf-8",
                  b"Content-Transfer-Encoding: base64", b"", b"R3LDvMOfZQ==", b"--b", b"Content-Type: message/rfc822", b"",
                  b"Subject: in it", b"", b"body", b"--b--"]
    else:
        lines += [b"Content-Type: text/plain", b"", mark, *(b"line %d" % i for i in range(dice.randrange(60)))]
    return b"\r\n".join(lines) + b"\r\n"


def written(numbers):
    """A set as clients write them: ranges, singles, at times backwards."""
    return b",".join(b"%d" % number for number in numbers)


class Mail(threading.Thread):
    """Deliveries meanwhile."""

    def __init__(self, server, user, seed):
        super().__init__(daemon=True)
        self.server, self.user, self.dice = server, user, random.Random(seed)
        self.ending = threading.Event()
        self.sent, self.fault = [], None

    def run(self):
        try:
            with self.server.smtp() as client:
                while not self.ending.wait(self.dice.uniform(0.02, 0.4)):
                    mark = b"smtp-%d" % len(self.sent)
                    client.sendmail("stress@example.org", [self.user], letter(mark, self.dice))
                    self.sent.append(mark)
        except Exception as error:  # noqa: BLE001 it is the test's to judge
            self.fault = error


class Actor:
    """One connection, and what it does next."""

    def __init__(self, stress, number):
        self.stress, self.dice = stress, random.Random(SEED * 1000 + number)
        self.view = View(stress.server, stress.user, stress.world, f"c{number}-")
        self.kept = []
        self.appended = 0
        self.dress()

    def dress(self):
        kind = self.dice.choice(["plain", "condstore", "qresync", "qresync", "rev2"])
        if kind != "plain":
            self.view.run(b"ENABLE " + {"condstore": b"CONDSTORE", "qresync": b"QRESYNC", "rev2": b"IMAP4rev2"}[kind])

        if self.dice.random() < 0.3:
            self.view.compress()

    # --- choosing ---

    def some(self, by_uid, most=12):
        """Numbers, and the UIDs they stand for."""
        view = self.view
        have = sorted(uid for uid in view.uids if uid) if by_uid else list(range(1, len(view.uids) + 1))
        if not have:
            return None, []
        if self.dice.random() < 0.3:
            low, high = sorted(self.dice.choices(range(len(have)), k=2))
            chosen = have[low:high + 1]
            text = b"%d:%d" % self.dice.choice([(chosen[0], chosen[-1]), (chosen[-1], chosen[0])])
            if high == len(have) - 1 and self.dice.random() < 0.5 and (not by_uid or None not in view.uids):
                text = b"%d:*" % chosen[0]
        else:
            chosen = sorted(self.dice.sample(have, min(len(have), self.dice.randint(1, most))))
            text = written(chosen)
        unknown = [None] if by_uid and None in view.uids and b":" in text else []
        return text, chosen + unknown if by_uid else [view.uids[number - 1] for number in chosen]

    def act(self):
        view = self.view
        if view.key is None:
            return self.open()
        acts = [(self.fetch, 20), (self.store, 24), (self.search, 8), (self.copy, 6), (self.expunge, 7), (self.append, 10), (self.replace, 3),
                (self.noop, 10), (self.idle, 5), (self.open, 4), (self.close, 2), (self.folders, 3), (self.status, 4),
                (self.look, 8), (self.pipeline, 3), (self.leave, 1), (self.around, 4)]
        self.dice.choices([act for act, _ in acts], [weight for _, weight in acts])[0]()

    # --- doing ---

    def open(self):
        name = self.dice.choice(FOLDERS * 4 + PASSING)
        verb = self.dice.choice([b"SELECT"] * 5 + [b"EXAMINE"])
        more, cache, partly = b"", None, False
        usable = [cache for cache in self.kept if cache["name"] == name]
        if "QRESYNC" in self.view.enabled and usable and self.dice.random() < 0.8:
            cache = self.dice.choice(usable)
            partly = bool(cache["uids"]) and self.dice.random() < 0.3
            known = b" %d:%d" % (cache["uids"][0], cache["uids"][-1]) if partly else b""
            more = b" (QRESYNC (%d %d%s))" % (cache["key"][1], cache["modseq"], known)
        elif self.view.enabled and self.dice.random() < 0.3:
            more = b" (CONDSTORE)"
            self.view.condstore = True
        self.view.send(b'%s "%s"%s' % (verb, name, more), self.opened, cache=cache, partly=partly)

    def opened(self, command, response):
        if response.kind == "NO" and command.mailbox in FOLDERS:
            self.view.fail(f"{command.mailbox} could not be opened: {response.raw!r}")

    def keep(self, *_):
        """What a client that goes away would remember."""
        view = self.view
        if "QRESYNC" in view.enabled and view.key and None not in view.uids and view.mailbox:
            if all(view.state.get(uid, {}).get("flags") is not None for uid in view.uids):
                self.kept = self.kept[-15:] + [dict(view.checkpoint(), name=view.mailbox)]

    def fetch(self):
        by_uid = self.dice.random() < 0.5
        text, wanted = self.some(by_uid, 6)
        if not text:
            return self.noop()
        items = self.dice.sample(ITEMS, self.dice.randint(1, 4))
        if b"BODY" in items and b"BODYSTRUCTURE" in items:
            items.remove(b"BODY")
        if self.view.condstore:
            items.append(b"MODSEQ")
        self.view.send(b"%sFETCH %s (%s)" % (b"UID " * by_uid, text, b" ".join(items)), self.good, wanted=wanted)

    def look(self):
        """All of it; after this the flags of all messages are known."""
        since = b""
        if self.view.condstore and self.view.modseq and self.dice.random() < 0.3:
            since = b" (CHANGEDSINCE %d)" % self.dice.randint(1, self.view.modseq)
            if "QRESYNC" in self.view.enabled and self.dice.random() < 0.6:
                since = since[:-1] + b" VANISHED)"
        wanted = [uid for uid in self.view.uids if uid] if not since else None
        self.view.send(b"UID FETCH 1:* (FLAGS%s)%s" % (b" MODSEQ" * self.view.condstore, since), self.looked, wanted=wanted)

    def looked(self, command, response):
        self.good(command, response)
        if self.view.key and self.dice.random() < 0.7:
            self.keep()

    def store(self):
        by_uid = self.dice.random() < 0.5
        text, wanted = self.some(by_uid)
        if not text or self.view.read_only:
            return self.noop()
        deleted = len(self.view.uids) > ROOM or self.dice.random() < 0.15
        flags = frozenset([b"\\Deleted"] if deleted else self.dice.sample(FLAGS, self.dice.randint(1, 2)))
        how = self.dice.choice([b"+", b"-", b"+", b""]) if not deleted else b"+"
        silent = b".SILENT" * (self.dice.random() < 0.3)
        unless = b""
        if self.view.condstore and self.dice.random() < 0.4:
            known = [self.view.state[uid]["modseq"] for uid in wanted if uid in self.view.state] or [0]
            unless = b"(UNCHANGEDSINCE %d) " % self.dice.choice([max(known), max(known), min(known)])
        change = {b"+": lambda have: have | flags, b"-": lambda have: have - flags, b"": lambda have: flags}[how]
        if deleted and None in wanted:
            return self.look()  # who takes away says what
        if deleted:
            self.stress.world.doomed |= {(self.view.key, uid) for uid in wanted}
        self.view.send(b"%sSTORE %s %s%sFLAGS%s (%s)" % (b"UID " * by_uid, text, unless, how, silent, b" ".join(flags)),
                       self.good, wanted=wanted, change=change)

    def search(self):
        by_uid = self.dice.random() < 0.5
        key = self.dice.choice([b"ALL", b"UNSEEN", b"FLAGGED", b"DELETED", b"KEYWORD blue", b"SUBJECT smtp", b"TEXT line",
                                b"NOT SEEN OR FLAGGED ANSWERED", b"LARGER 400", b"UID 1:50", b"BODY 30"])
        text = self.dice.choice([b"SEARCH ", b"SEARCH RETURN (MIN MAX COUNT ALL) ", b"SEARCH RETURN () ",
                                 b"SORT (REVERSE DATE) UTF-8 ", b"THREAD REFERENCES UTF-8 ", b"SEARCH RETURN (SAVE COUNT) "])
        if self.view.condstore and text.startswith(b"SEARCH") and self.dice.random() < 0.2:
            key += b" MODSEQ 1"
        self.view.send(b"UID " * by_uid + text + key, self.good)

    def copy(self):
        by_uid = self.dice.random() < 0.5
        text, wanted = self.some(by_uid, 5)
        if not text:
            return self.noop()
        move = not self.view.read_only and self.dice.random() < 0.5
        name = self.dice.choice(FOLDERS * 3 + PASSING)
        world, key = self.stress.world, self.view.key
        if move and None in wanted:
            return self.look()
        if move:
            world.doomed |= {(key, uid) for uid in wanted}
        self.view.send(b'%s%s %s "%s"' % (b"UID " * by_uid, b"MOVE" if move else b"COPY", text, name), self.copied,
                       wanted=wanted, target=self.stress.keys.get(name), into=name, copied=[])

    def copied(self, command, response):
        if response.kind == "NO" and command.into in FOLDERS and self.view.key in self.stress.keys.values():
            self.view.fail(f"not copied: {response.raw!r}")
        for old, _ in command.copied if command.verb == b"MOVE" else []:
            if old in self.view.uids:
                self.view.fail(f"UID {old} was moved away, and is there")

    def expunge(self):
        if self.view.read_only:
            return self.noop()
        text, wanted = self.some(True)
        if text and self.dice.random() < 0.5:
            self.view.send(b"UID EXPUNGE " + text, self.good)
        else:
            self.view.send(b"EXPUNGE", self.good)

    def new_mark(self):
        self.appended += 1
        return self.view.name.encode() + b"%d" % self.appended

    def append(self):
        """One message, or several (RFC 3502)."""
        name = self.dice.choice(FOLDERS)
        marks = [self.new_mark() for _ in range(self.dice.choice([1, 1, 2, 4]))]
        words = b'APPEND "%s"' % name
        for mark in marks:
            words += b' (%s) "01-Jan-2024 00:00:00 +0000"' % b" ".join(self.dice.sample(FLAGS, self.dice.randint(0, 2)))
            text = letter(mark, self.dice)
            if mark != marks[-1]:
                words += b" {%d+}\r\n" % len(text) + text
        self.view.send(words, self.filed, literal=text, into=name, marks=marks)

    def filed(self, command, response):
        if response.kind != "OK" or response.code[0] != b"APPENDUID":
            self.view.fail(f"APPEND ended with {response.raw!r}")
        self.note_filed(command, response.code)

    def note_filed(self, command, code):
        key = self.stress.keys[command.into]
        if code[1] != key[1]:
            self.view.fail("APPENDUID has another UIDVALIDITY")
        if len(members(code[2])) != len(command.marks):
            self.view.fail(f"APPENDUID names {code[2]!r} for {len(command.marks)} messages")
        for uid, mark in zip(members(code[2]), command.marks):
            self.stress.world.same(self.stress.world.mark, (key, uid), mark, "what was appended")
            self.stress.appended.add((key, uid))

    def replace(self):
        """RFC 8508, by number or UID."""
        view = self.view
        number = self.dice.randint(1, len(view.uids)) if view.uids else 0
        if not number or view.read_only or view.uids[number - 1] is None:
            return self.noop()
        by_uid, name, uid = self.dice.random() < 0.5, self.dice.choice(FOLDERS), view.uids[number - 1]
        mark = self.new_mark()
        self.stress.world.doomed.add((view.key, uid))
        view.send(b'%s %d "%s" (\\Draft)' % (b"UID REPLACE" if by_uid else b"REPLACE", uid if by_uid else number, name),
                  self.replaced, literal=letter(mark, self.dice), into=name, marks=[mark], old=uid)

    def replaced(self, command, response):
        codes = [code for code in command.codes if code[0] == b"APPENDUID"]
        gone = response.code in ((b"EXPUNGEISSUED",), (b"NONEXISTENT",))  # somebody was quicker
        if response.kind == "OK" and len(codes) == 1:
            self.note_filed(command, codes[0])
            if command.old in self.view.uids:
                self.view.fail(f"UID {command.old} was replaced, and is there")
        elif not (response.kind == "NO" and gone and not codes) and self.view.key in self.stress.keys.values():
            self.view.fail(f"REPLACE ended with {response.raw!r} after {codes}")

    def noop(self):
        self.view.send(self.dice.choice([b"NOOP", b"NOOP", b"CHECK"]), self.nooped)

    def nooped(self, command, response):
        self.good(command, response)
        if self.dice.random() < 0.4:
            self.keep()

    def idle(self):
        self.view.send(b"IDLE", self.good)
        self.until = time.monotonic() + self.dice.uniform(0.02, 0.6)

    def close(self):
        self.view.send(self.dice.choice([b"CLOSE", b"UNSELECT"]), self.closed)

    def closed(self, command, response):
        self.good(command, response)
        cache = command.cache
        if cache and all(cache["state"].get(uid, {}).get("flags") is not None for uid in cache["uids"]):
            self.kept = self.kept[-15:] + [cache]

    def folders(self):
        one, other = self.dice.sample(PASSING, 2)
        delete = b'DELETE "%s"' % one if self.view.mailbox not in PASSING else b"NAMESPACE"
        self.view.send(self.dice.choice([b'CREATE "%s"' % one, b'CREATE "%s"' % one, delete, b'LIST "" "*"',
                                         b'RENAME "%s" "%s"' % (one, other),
                                         b'LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))']))

    def status(self):
        name = self.dice.choice(FOLDERS + PASSING)
        self.view.send(b'STATUS "%s" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ MAILBOXID)' % name)
        self.view.condstore = True  # RFC 7162 §3.1

    def around(self):
        """What is about mailboxes, not messages."""
        name = self.dice.choice(FOLDERS)
        self.view.send(self.dice.choice([
            b'SETMETADATA "%s" (/private/comment "%d")' % (name, self.dice.randrange(10)), b'GETMETADATA "%s" /private/comment' % name,
            b'GETQUOTAROOT "%s"' % name, b'MYRIGHTS "%s"' % name, b'GETACL "%s"' % name, b"NAMESPACE", b"ID NIL", b"CAPABILITY",
            b"ESEARCH IN (personal) RETURN (ALL COUNT) FLAGGED", b'ESEARCH IN (mailboxes "%s") UNSEEN' % name]), self.good)

    def pipeline(self):
        """Commands that do not wait for one another; by UID, so that none is ambiguous (RFC 9051 §5.5)."""
        for _ in range(3):
            text, wanted = self.some(True, 3)
            if text:
                self.view.send(b"UID FETCH %s (FLAGS RFC822.SIZE)" % text, self.good, wanted=wanted)

    def leave(self):
        """Goes away without a word, at times in the middle of a command."""
        if self.dice.random() < 0.5:
            self.view.send(b"UID FETCH 1:* (FLAGS BODY.PEEK[])")
        self.again()

    def again(self):
        self.view.close()
        self.view.connect()
        self.dress()

    def good(self, command, response):
        if response.kind != "OK":
            if response.code == (b"EXPUNGEISSUED",) and command.verb == b"FETCH":
                return
            if self.view.key not in self.stress.keys.values():
                return  # somebody has deleted it
            self.view.fail(f"{command.words!r} ended with {response.raw!r}")
        elif self.dice.random() < 0.1:
            self.keep()

    # --- its turn ---

    def turn(self, may_act):
        view = self.view
        while view.has_input():
            if not view.receive():
                break
        if view.ended:
            if not view.bye or view.key in self.stress.keys.values():
                view.fail("the server closed the connection")
            return self.again()  # what it had selected was deleted
        if view.idling and (time.monotonic() > self.until or not may_act):
            view.done()
        if may_act and not view.pending:
            self.act()


class Stress:
    def __init__(self, server, user):
        self.server, self.user, self.world = server, user, World()
        self.appended = set()
        self.keys = {}
        first = self.fresh("first")
        for name in FOLDERS:
            if name != b"INBOX":
                first.run(b'CREATE "%s"' % name)
            first.run(b'SELECT "%s"' % name)
            self.keys[name] = first.key
        first.close()
        self.actors = [Actor(self, number) for number in range(CONNECTIONS)]

    def fresh(self, name):
        return View(self.server, self.user, self.world, f"{name}-")

    def go(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end or any(actor.view.pending for actor in self.actors):
            may_act = time.monotonic() < end
            if not may_act and time.monotonic() > end + 60:
                raise Broken(f"no answer: {[actor.view.pending[0].words for actor in self.actors if actor.view.pending]}")
            waiting = [actor.view.socket for actor in self.actors if actor.view.pending]
            if len(waiting) == len(self.actors) and not any(actor.view.socket.pending() for actor in self.actors):
                select.select(waiting, [], [], 0.02)
            for actor in self.actors:
                actor.turn(may_act)

    # --- afterwards ---

    def truth(self, name):
        """(uid, flags) of all messages, as a connection sees them that comes now."""
        view = self.fresh("fresh")
        view.run(b'EXAMINE "%s"' % name)
        if view.uids:
            view.run(b"FETCH 1:* (UID FLAGS MODSEQ RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[TEXT])")
        found = [(uid, view.state[uid]["flags"]) for uid in view.uids]
        for word, is_so in ((b"SEEN", b"\\Seen"), (b"DELETED", b"\\Deleted"), (b"KEYWORD blue", b"blue")):
            answer = view.run(b"UID SEARCH " + word).answers[0].data[0]
            assert answer == [uid for uid, flags in found if is_so in flags], word
        status = view.run(b'STATUS "%s" (MESSAGES UNSEEN DELETED)' % name).answers[-1].data[1]
        assert status == {b"MESSAGES": len(found), b"UNSEEN": sum(b"\\Seen" not in flags for _, flags in found),
                          b"DELETED": sum(b"\\Deleted" in flags for _, flags in found)}
        view.close()
        return found

    def compare(self, view, name, truth):
        if len(view.uids) != len(truth):
            view.fail(f"{name}: has {len(view.uids)} messages, a fresh connection {len(truth)}")
        for number, (have, (uid, flags)) in enumerate(zip(view.uids, truth), 1):
            if have not in (uid, None):
                view.fail(f"{name}: number {number} is {have}, for a fresh connection {uid}")
            known = view.state.get(have, {}).get("flags")
            if known is not None and known != flags:
                view.fail(f"{name}: {uid} has {sorted(known)} here, for a fresh connection {sorted(flags)}")

    def agree(self):
        for actor in self.actors:
            if actor.view.key not in self.keys.values():
                actor.again()  # as its mailbox may be gone
            actor.view.run(b"NOOP")
        truths = {name: self.truth(name) for name in FOLDERS}
        by_key = {self.keys[name]: name for name in FOLDERS}
        for actor in self.actors:
            if actor.view.key in by_key:
                name = by_key[actor.view.key]
                self.compare(actor.view, name, truths[name])
        return truths

    def resume_all(self, truths):
        """Everything that was kept by anybody leads to the same state."""
        view = self.fresh("back")
        view.run(b"ENABLE QRESYNC")
        for actor in self.actors:
            for cache in [cache for cache in actor.kept if cache["name"] in FOLDERS]:
                command = view.send(b'EXAMINE "%s" (QRESYNC (%d %d))' % (cache["name"], cache["key"][1], cache["modseq"]),
                                    cache=cache)
                try:
                    view.wait(lambda: command not in view.pending)
                    self.compare(view, cache["name"], truths[cache["name"]])
                except Broken as error:
                    raise Broken(f"{error}\nkept: {cache}\n" + "\n".join(actor.view.trace)) from None
        view.close()

    def account_for(self, truths, sent):
        """What was accepted is there, or was taken away by somebody."""
        present = {(self.keys[name], uid) for name in FOLDERS for uid, _ in truths[name]}
        for key, uid in self.appended:
            assert (key, uid) in present or (key, uid) in self.world.doomed, f"APPENDUID {uid} of {key} is nowhere"
        marks = set(self.world.mark.values())
        unseen = [mark for mark in sent if mark not in marks]
        nameless = [one for one in self.world.gone if one not in self.world.mark]
        assert len(unseen) <= len(nameless), f"delivered, and never seen: {unseen}"

    def watch(self):
        """All wait in IDLE; what comes, changes or goes is told to all of them."""
        views = [actor.view for actor in self.actors]
        for view in views:
            if view.key != self.keys[b"INBOX"] or view.read_only:
                view.run(b'SELECT "INBOX"')
            view.run(b"UID FETCH 1:* (FLAGS)")
        for view in views[1:]:
            view.send(b"IDLE")
        for view in views[1:]:
            view.wait(lambda view=view: view.idling)
        self.server.deliver(self.user, letter(b"for-idle", random.Random(1)))
        count = len(views[1].uids)
        for view in views[1:]:
            view.wait(lambda view=view: len(view.uids) > count, 20)
        views[0].run(b"NOOP")
        views[0].run(b"UID FETCH 1:* (UID)")
        last = views[0].uids[-1]
        self.world.doomed.add((self.keys[b"INBOX"], last))
        command = views[0].send(b"UID STORE %d +FLAGS (\\Deleted)" % last, wanted=[last], change=lambda have: have | {b"\\Deleted"})
        views[0].wait(lambda: command not in views[0].pending)
        views[0].run(b"UID EXPUNGE %d" % last)
        for view in views[1:]:
            view.wait(lambda view=view: len(view.uids) == count, 20)
            view.done()
            view.wait(lambda view=view: not view.pending)


def test_many_connections_agree_with_the_protocol_and_with_one_another(own):
    own.account("stress")
    print(f"SEED={SEED} SECONDS={SECONDS:g} CONNECTIONS={CONNECTIONS}")
    stress = Stress(own, "stress@demo.test")
    mail = Mail(own, "stress@demo.test", SEED)
    mail.start()
    try:
        stress.go(SECONDS)
    finally:
        mail.ending.set()
        mail.join(30)
    assert mail.fault is None, mail.fault
    truths = stress.agree()
    stress.world.judge(set(stress.keys.values()))
    stress.account_for(truths, mail.sent)
    stress.resume_all(truths)
    stress.watch()
    commands = sum(actor.view.counter for actor in stress.actors)
    print(f"{commands} commands, {stress.world.responses} responses, {len(mail.sent)} deliveries, "
          f"{len(stress.world.mark)} messages, {len(stress.world.gone)} expunged")
    unwell = [line for line in own.log.read_text(errors="replace").splitlines()
              if " warn " in line or " error " in line or "runtime error" in line]
    assert unwell == [], unwell
    assert commands > 10 * CONNECTIONS, "too little happened to say anything"
    for actor in stress.actors:
        actor.view.close()
