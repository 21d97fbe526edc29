"""One IMAP connection that believes nothing: it keeps what its responses add up to, and after each of them checks what RFC
9051, RFC 3501 and RFC 7162 promise. What several connections of an account must agree on is in World."""
import select
import socket
import time
import zlib

from imapgrammar import members, parse, split
from server import PASSWORD, insecure


class Broken(AssertionError):
    pass


class World:
    """What all connections have been told, by (mailbox id, UIDVALIDITY)."""

    def __init__(self):
        self.mark = {}  # (key, uid) -> the marker of the message
        self.fixed = {}  # (key, uid, item) -> a value that never changes
        self.flags = {}  # (key, uid, modseq) -> flags: a state has but one
        self.gone = {}  # (key, uid) -> when it was first told
        self.doomed = set()  # (key, uid) that somebody has asked to take away
        self.copies = set()  # ((UIDVALIDITY, uid), (UIDVALIDITY, uid)): COPYUID said so
        self.latest = {}  # (key, uid) -> the highest MODSEQ that was told, and when
        self.modseq = {}  # key -> the highest that was told
        self.uidnext = {}  # key -> one above the highest UID that was told
        self.named = {}  # (name, UIDVALIDITY) -> mailbox id
        self.deleted = set()  # ids of mailboxes that somebody asked to delete
        self.ticks = 0
        self.responses = 0

    def tick(self):
        self.ticks += 1
        return self.ticks

    def same(self, table, key, value, what):
        if table.setdefault(key, value) != value:
            raise Broken(f"{what} {key}: was {table[key]!r}, is {value!r}")

    def take_away(self, key, uid):
        self.gone.setdefault((key, uid), self.tick())

    def judge(self, keys):
        """Of these mailboxes nothing is gone that nobody asked to take away; a copy of what has \\Deleted has it too."""
        doomed, size = {(key[1], uid) for key, uid in self.doomed}, -1
        while size != len(doomed):
            size = len(doomed)
            doomed |= {copy for source, copy in self.copies if source in doomed}
        for key, uid in self.gone:
            if key in keys and uid is not None and (key[1], uid) not in doomed:
                raise Broken(f"{key} {uid} is gone, and nobody asked for that")


class Command:
    def __init__(self, tag, words, view, on_end=None):
        self.tag, self.words, self.on_end = tag, words, on_end
        name = words.split(b" ")
        self.uid = name[0].upper() == b"UID"
        self.verb = (name[1] if self.uid else name[0]).upper()
        self.keeps = self.verb in (b"FETCH", b"STORE", b"SEARCH", b"SORT", b"THREAD") and not self.uid
        self.tick = view.world.tick()
        self.wanted, self.cache, self.partly, self.target = [], None, False, None  # what the sender knows of it
        self.fetched = {}  # uid -> flags that were told during the command
        self.answers = []  # SEARCH, ESEARCH, STATUS …
        self.codes = []  # of untagged conditions
        self.expunged = []
        self.floor_modseq, self.floor_uidnext = dict(view.world.modseq), dict(view.world.uidnext)


class View:
    def __init__(self, server, user, world, name, password=PASSWORD):
        self.server, self.user, self.password, self.world, self.name = server, user, password, world, name
        self.trace = []
        self.counter = 0
        self.connect()

    # --- the line ---

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.server.port(993)), timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = insecure().wrap_socket(raw)
        self.input = b""
        self.pack, self.unpack = None, None  # COMPRESS=DEFLATE, once it is on
        self.pending = []
        self.enabled = set()
        self.condstore = False
        self.idling = False
        self.ended = None
        self.bye = False
        self.forget()
        self.selected_tick = 0
        while not self.input.endswith(b"\r\n"):
            self.input += self.socket.recv(65536)
        self.take_all()
        self.run(b'LOGIN "%s" "%s"' % (self.user.encode(), self.password.encode()))

    def forget(self):
        self.key = None
        self.mailbox = None
        self.uids = []  # sequence number - 1 -> UID, or None while it is not known
        self.state = {}  # uid -> {"flags", "modseq"}
        self.modseq = 0  # the highest that was told here
        self.cap = None  # HIGHESTMODSEQ said because expunges are held back
        self.overdue = set()  # UIDs that must be told as gone at the next chance
        self.read_only = False
        self.opening = {}

    def close(self):
        self.socket.close()

    def fail(self, what):
        raise Broken(f"{self.name}: {what}\n" + "\n".join(self.trace[-60:]))

    def send(self, words, on_end=None, literal=None, **known):
        self.counter += 1
        tag = b"%s%d" % (self.name.encode(), self.counter)
        command = Command(tag, words, self, on_end)
        vars(command).update(known)
        self.pending.append(command)
        if command.verb in (b"SELECT", b"EXAMINE"):
            command.mailbox = words.split(b'"')[1]
            self.needs_closed = bool(self.key) and bool({"QRESYNC", "IMAP4rev2"} & self.enabled)
            if not self.needs_closed:
                self.forget()
        line = tag + b" " + words + b"\r\n"
        if literal is not None:
            line = tag + b" " + words + b" {%d+}\r\n" % len(literal) + literal + b"\r\n"
        self.note(f"C: {line[:300]!r}")
        self.put(line)
        return command

    def put(self, data):
        if self.pack:
            data = self.pack.compress(data) + self.pack.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(data)

    def compress(self):
        """RFC 4978 §3"""
        self.run(b"COMPRESS DEFLATE")
        self.pack, self.unpack = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def done(self):
        self.note("C: DONE")
        self.idling = False
        self.put(b"DONE\r\n")

    def note(self, line):
        self.trace.append(f"{time.monotonic():.3f} {line}")
        if len(self.trace) > 4000:
            del self.trace[:2000]

    def has_input(self, seconds=0):
        return bool(self.socket.pending()) or bool(select.select([self.socket], [], [], seconds)[0])

    def receive(self):
        """Whatever is there now; false once the server has closed."""
        try:
            data = self.socket.recv(262144)
        except (ConnectionResetError, OSError) as error:
            self.note(f"ended: {error}")
            data = b""
        if not data:
            self.ended = True
            return False
        self.input += self.unpack.decompress(data) if self.unpack else data
        self.take_all()
        return True

    def take_all(self):
        while size := split(self.input):
            raw, self.input = self.input[:size], self.input[size:]
            self.note(f"S: {raw[:400]!r}")
            self.world.responses += 1
            try:
                self.take(parse(raw, "UTF8=ACCEPT" in self.enabled or "IMAP4rev2" in self.enabled))
            except Broken:
                raise
            except AssertionError as error:
                self.fail(error)

    def run(self, words, literal=None, want="OK", seconds=60):
        """One command to its end, alone."""
        command = self.send(words, literal=literal)
        self.wait(lambda: command not in self.pending, seconds)
        if want and command.end.kind != want:
            self.fail(f"{words!r} ended with {command.end.raw!r}")
        return command

    def wait(self, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            if self.has_input(max(0.0, deadline - time.monotonic())):
                if not self.receive():
                    self.fail("the server closed the connection")
            elif time.monotonic() > deadline:
                self.fail(f"no answer within {seconds} s")

    # --- responses ---

    def take(self, response):
        current = self.pending[0] if self.pending else None
        handler = getattr(self, "on_" + response.kind.lower().replace("+", "plus"), None)
        if response.tag not in (b"*", b"+"):
            return self.on_end(response)
        if current is None and response.kind not in ("OK", "BYE", "PREAUTH"):
            self.fail(f"unasked, with no command under way: {response.raw!r}")
        if handler:
            handler(response, current)
        elif current:
            current.answers.append(response)

    def on_plus(self, response, current):
        if current.verb != b"IDLE":
            self.fail(f"a continuation nobody asked for: {response.raw!r}")
        self.idling = True

    def on_bye(self, response, current):
        self.bye = True

    def on_bad(self, response, current):
        self.fail(f"untagged BAD: {response.raw!r}")

    def on_no(self, response, current):
        self.fail(f"untagged NO: {response.raw!r}")

    def on_ok(self, response, current):
        code = response.code
        if not code or current is None:
            return
        current.codes.append(code)
        if code[0] == b"CLOSED":
            if not self.key or current.verb not in (b"SELECT", b"EXAMINE"):
                self.fail("CLOSED, and nothing was selected")
            self.forget()
            self.needs_closed = False
        elif current.verb in (b"SELECT", b"EXAMINE"):
            if code[0] in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ", b"MAILBOXID", b"UNSEEN", b"PERMANENTFLAGS"):
                if code[0] in self.opening:
                    self.fail(f"{code[0]} twice")
                self.opening[code[0]] = code[1]
                if b"UIDVALIDITY" in self.opening and b"MAILBOXID" in self.opening:
                    self.key = (self.opening[b"MAILBOXID"], self.opening[b"UIDVALIDITY"])
        elif code[0] == b"HIGHESTMODSEQ":
            self.cap = code[1]

    def on_enabled(self, response, current):
        self.enabled |= {name.decode() for name in response.data}
        if {"CONDSTORE", "QRESYNC"} & self.enabled:
            self.condstore = True

    def on_exists(self, response, current):
        if response.number < len(self.uids):
            self.fail(f"EXISTS fell from {len(self.uids)} to {response.number} without EXPUNGE")
        self.uids += [None] * (response.number - len(self.uids))

    def on_recent(self, response, current):
        if "IMAP4rev2" in self.enabled:
            self.fail("RECENT in IMAP4rev2")
        if response.number > len(self.uids):
            self.fail("more recent than there are")

    def may_expunge(self, response, current):
        if current is None or current.keeps:
            self.fail(f"RFC 9051 §7.5.1: {response.raw!r} during {current and current.words!r}")
        if current.verb in (b"SELECT", b"EXAMINE", b"CLOSE", b"LOGOUT"):
            self.fail(f"{response.raw!r} during {current.words!r}")

    def leave(self, index):
        uid = self.uids.pop(index)
        self.overdue.discard(uid)
        self.state.pop(uid, None)
        self.pending[0].expunged.append(uid)
        if uid is not None:
            self.world.take_away(self.key, uid)

    def on_expunge(self, response, current):
        self.may_expunge(response, current)
        if "QRESYNC" in self.enabled:
            self.fail("EXPUNGE, where VANISHED was agreed on (RFC 7162 §3.2.10)")
        if response.number > len(self.uids):
            self.fail(f"EXPUNGE {response.number} of {len(self.uids)}")
        self.leave(response.number - 1)

    def on_vanished(self, response, current):
        earlier, ranges = response.data
        if "QRESYNC" not in self.enabled:
            self.fail("VANISHED without QRESYNC")
        if earlier:
            if current.verb not in (b"SELECT", b"EXAMINE", b"FETCH"):
                self.fail("VANISHED (EARLIER) out of place")
            current.answers.append(response)
            return
        self.may_expunge(response, current)
        for uid in members(ranges):
            if uid in self.uids:
                self.leave(self.uids.index(uid))
                continue
            # One whose number was never told: it is among those between its neighbours.
            low = max((i for i, have in enumerate(self.uids) if have and have < uid), default=-1)
            if low + 1 >= len(self.uids) or self.uids[low + 1] is not None:
                self.fail(f"VANISHED {uid}, which is not here: {self.uids}")
            self.leave(low + 1)
            self.world.take_away(self.key, uid)

    def place(self, number, uid):
        if number > len(self.uids):
            self.fail(f"FETCH {number} of {len(self.uids)}")
        known = self.uids[number - 1]
        if uid is None or known == uid:
            return
        if known is not None:
            self.fail(f"number {number} is UID {known}, and was told as {uid}")
        below = [have for have in self.uids[:number - 1] if have]
        above = [have for have in self.uids[number:] if have]
        if (below and below[-1] >= uid) or (above and above[0] <= uid):
            self.fail(f"UID {uid} at {number} is out of order")
        if (self.key, uid) in self.world.gone and self.world.gone[self.key, uid] < self.selected_tick:
            self.fail(f"UID {uid} was expunged before the mailbox was opened")
        self.uids[number - 1] = uid
        self.world.uidnext[self.key] = max(self.world.uidnext.get(self.key, 1), uid + 1)

    def on_fetch(self, response, current):
        items = response.data
        number, uid = response.number, items.get(b"UID")
        if self.key is None:
            self.fail("FETCH with nothing selected")
        self.place(number, uid)
        unasked = current.verb != b"FETCH" and bool({"QRESYNC", "IMAP4rev2"} & self.enabled)
        if uid is None and (unasked or current.uid):
            self.fail(f"FETCH without UID: {response.raw!r}")
        uid = uid or self.uids[number - 1]
        if uid is None:
            return
        current.fetched.setdefault(uid, []).append(items.get(b"FLAGS"))
        self.overdue_check(uid)
        state = self.state.setdefault(uid, {"modseq": 0, "flags": None})
        modseq = items.get(b"MODSEQ")
        flags = items.get(b"FLAGS")
        if flags is not None:
            if b"\\Recent" in flags and "IMAP4rev2" in self.enabled:
                self.fail("\\Recent in IMAP4rev2")
            flags -= {b"\\Recent"}
        if modseq is not None:
            if modseq < state["modseq"]:
                self.fail(f"the MODSEQ of {uid} fell from {state['modseq']} to {modseq}")
            if modseq > state["modseq"] and flags is None and not self.silent(current):
                state["flags"] = None
            state["modseq"] = modseq
            self.modseq = max(self.modseq, modseq)
            self.world.modseq[self.key] = max(self.world.modseq.get(self.key, 0), modseq)
            if modseq > self.world.latest.get((self.key, uid), (0, 0))[0]:
                self.world.latest[self.key, uid] = modseq, self.world.tick()
            if flags is not None:
                self.world.same(self.world.flags, (self.key, uid, modseq), flags, "flags at one MODSEQ")
            elif self.silent(current) and state["flags"] is not None:
                state["flags"] = current.change(state["flags"])
                self.world.same(self.world.flags, (self.key, uid, modseq), state["flags"], "flags of a silent STORE")
        if flags is not None:
            state["flags"] = flags
            if b"\\Deleted" in flags:
                self.world.doomed.add((self.key, uid))
        for item in (b"RFC822.SIZE", b"INTERNALDATE", b"EMAILID"):
            if item in items:
                self.world.same(self.world.fixed, (self.key, uid, item), items[item], "what never changes")
        for item, value in items.items():
            mark = value and value["subject"] if item == b"ENVELOPE" else None
            if item == b"BODY[HEADER.FIELDS (SUBJECT)":
                mark = value.strip()[len(b"Subject: "):]
            elif item == b"BODY[TEXT":
                mark = value.split(b"\r\n")[0]
            if mark is not None:
                self.world.same(self.world.mark, (self.key, uid), mark, "the message of UID")

    def overdue_check(self, uid):
        if uid in self.overdue:
            self.fail(f"UID {uid} was left out of an earlier answer, and is there")

    @staticmethod
    def silent(current):
        return current.verb == b"STORE" and b".SILENT" in current.words

    def on_status(self, response, current):
        name, items = response.data
        current.answers.append(response)
        if b"MAILBOXID" in items and b"UIDVALIDITY" in items:
            key = (items[b"MAILBOXID"], items[b"UIDVALIDITY"])
            self.check_counters(current, key, name, items.get(b"UIDNEXT"), items.get(b"HIGHESTMODSEQ"))

    def check_counters(self, current, key, name, uidnext, modseq):
        self.world.same(self.world.named, (name.upper() if name.upper() == b"INBOX" else name, key[1]), key[0],
                        "the mailbox of name and UIDVALIDITY")
        if uidnext is not None:
            if uidnext < current.floor_uidnext.get(key, 0):
                self.fail(f"UIDNEXT {uidnext} of {key}, but {current.floor_uidnext[key] - 1} has been given")
            self.world.uidnext[key] = max(uidnext, self.world.uidnext.get(key, 0))
        if modseq is not None:
            if modseq < current.floor_modseq.get(key, 0):
                self.fail(f"HIGHESTMODSEQ {modseq} of {key} is below {current.floor_modseq[key]}")
            self.world.modseq[key] = max(modseq, self.world.modseq.get(key, 0))

    def on_search(self, response, current):
        current.answers.append(response)
        self.check_numbers(response.data[0], current)

    on_sort = on_search

    def on_thread(self, response, current):
        current.answers.append(response)
        self.check_numbers(response.data, current)

    def on_esearch(self, response, current):
        current.answers.append(response)
        found = response.data
        if found.get("tag") != current.tag or found["uid"] != (current.uid or "mailbox" in found):
            self.fail(f"ESEARCH for another command: {response.raw!r}")
        every = members(found.get(b"ALL", []))
        if "mailbox" in found:
            return  # RFC 7377: not of what is selected
        self.check_numbers(every, current)
        if b"ALL" in found and b"COUNT" in found and len(every) != found[b"COUNT"]:
            self.fail("COUNT is not what ALL has")
        if every and (found.get(b"MIN", min(every)) != min(every) or found.get(b"MAX", max(every)) != max(every)):
            self.fail("MIN or MAX is not that of ALL")

    def check_numbers(self, numbers, current):
        if len(set(numbers)) != len(numbers):
            self.fail("the same number twice")
        for number in numbers:
            if not current.uid and number > len(self.uids):
                self.fail(f"number {number} of {len(self.uids)}")
            if current.uid and None not in self.uids and number not in self.uids:
                self.fail(f"UID {number} found, which is not here")

    # --- ends of commands ---

    def on_end(self, response):
        if not self.pending or self.pending[0].tag != response.tag:
            self.fail(f"the end of a command that is not under way: {response.raw!r}")
        command = self.pending[0]
        command.end = response
        if response.kind == "BAD":
            self.fail(f"BAD: {command.words!r}: {response.raw!r}")
        getattr(self, "end_" + command.verb.decode().lower(), lambda *_: None)(command, response)
        if not command.keeps and self.overdue and command.verb in (b"NOOP", b"IDLE", b"EXPUNGE"):
            self.fail(f"not told as gone: {self.overdue}")
        if command.verb in (b"NOOP", b"IDLE") and self.key and self.condstore:
            self.check_told(command)
        if response.code and response.code[0] == b"HIGHESTMODSEQ" and self.key:
            self.modseq = max(self.modseq, response.code[1])
        if self.condstore and self.key and response.kind == "OK" and command.verb in (b"NOOP", b"IDLE", b"EXPUNGE", b"MOVE"):
            self.cap = None
        self.pending.pop(0)
        if command.verb == b"IDLE":
            self.idling = False
        if command.on_end:
            command.on_end(command, response)

    def check_told(self, command):
        """What somebody was told before this command began, this connection has been told by its end."""
        for uid, state in self.state.items():
            modseq, when = self.world.latest.get((self.key, uid), (0, 0))
            if when < command.tick and state["flags"] is not None and 0 < state["modseq"] < modseq:
                self.fail(f"the change of {uid} with MODSEQ {modseq} was never told; {state}")

    def checkpoint(self):
        """What a client would keep for its next visit (RFC 7162 §3.2.5): UIDs, flags, and the MODSEQ they stand for."""
        modseq = self.modseq if self.cap is None else min(self.cap, self.modseq)
        return {"key": self.key, "modseq": modseq, "uids": list(self.uids), "state": {u: dict(s) for u, s in self.state.items()}}

    def end_select(self, command, response):
        if self.needs_closed:
            self.fail("no CLOSED (RFC 9051 §7.1)")
        if response.kind != "OK":
            self.forget()
            return
        for name in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ", b"MAILBOXID", b"PERMANENTFLAGS"):
            if name not in self.opening:
                self.fail(f"SELECT without {name}")
        self.check_counters(command, self.key, command.mailbox, self.opening[b"UIDNEXT"], self.opening[b"HIGHESTMODSEQ"])
        if any(uid and uid >= self.world.uidnext[self.key] for uid in self.uids):
            self.fail("a UID that is not below UIDNEXT")
        self.modseq = max(self.modseq, self.opening[b"HIGHESTMODSEQ"])
        self.selected_tick = command.tick
        self.mailbox = command.mailbox
        self.read_only = response.code == (b"READ-ONLY",)
        if self.read_only != (command.verb == b"EXAMINE"):
            self.fail("read-only or not?")
        if command.cache and command.cache["key"] == self.key:
            self.resume(command)

    def resume(self, command):
        """RFC 7162 §3.2.5: what was kept, less VANISHED (EARLIER), with the FETCHes put in, is the mailbox as it is now."""
        cache = command.cache
        vanished = set()
        for answer in command.answers:
            if answer.kind == "VANISHED":
                vanished |= set(members(answer.data[1]))
        placed = {uid for uid in self.uids if uid}
        if vanished & placed:
            self.fail(f"vanished, and there: {vanished & placed}")
        kept = [uid for uid in cache["uids"] if uid not in vanished]
        rest = [uid for uid in kept if uid not in placed]
        slots = [index for index, uid in enumerate(self.uids) if uid is None]
        if len(rest) > len(slots) or (len(rest) < len(slots) and not command.partly):
            self.fail(f"resynchronized to {len(rest)} + {len(placed)} messages, there are {len(self.uids)}; kept {kept}")
        for uid, index in zip(rest, slots):
            self.uids[index] = uid
        known = [uid for uid in self.uids if uid]
        if known != sorted(set(known)) or self.uids[:len(known)] != known:
            self.fail(f"UIDs out of order after resynchronizing: {self.uids}")
        for uid in rest:
            self.state[uid] = dict(cache["state"][uid])

    end_examine = end_select

    def end_close(self, command, response):
        """With HIGHESTMODSEQ it says what the cache stands for without what it expunged (RFC 7162 §3.2.8)."""
        if response.code and response.code[0] == b"HIGHESTMODSEQ" and None not in self.uids:
            cache = self.checkpoint()
            left = [uid for uid in self.uids if b"\\Deleted" not in (self.state.get(uid, {}).get("flags") or ())]
            command.cache = dict(cache, uids=left, modseq=response.code[1], name=self.mailbox)
        self.forget()

    def end_unselect(self, command, response):
        self.forget()

    def end_fetch(self, command, response):
        if response.kind != "OK" or not command.wanted:
            return
        for uid in command.wanted:
            if uid and uid not in command.fetched and uid in self.uids:
                self.overdue.add(uid)

    def end_store(self, command, response):
        if response.kind != "OK":
            return
        modified = set(members(response.code[1])) if response.code and response.code[0] == b"MODIFIED" else set()
        if modified and b"UNCHANGEDSINCE" not in command.words:
            self.fail("MODIFIED, and nothing was asked")
        if not command.uid:
            modified = {self.uids[number - 1] for number in modified}
        for uid in command.wanted:
            if uid in modified or uid not in self.uids or uid is None:
                continue
            if self.silent(command):
                if not self.condstore and uid in self.state:
                    self.state[uid]["flags"] = None  # by whom it was changed last is not told
                continue
            told = [flags for flags in command.fetched.get(uid, []) if flags is not None]
            if not told:
                self.overdue.add(uid)
            elif not any(command.change(flags) - {b"\\Recent"} == flags - {b"\\Recent"} for flags in told):
                self.fail(f"STORE {command.words!r} of {uid} told {told}")

    def end_copy(self, command, response):
        codes = ([response.code] if response.code else []) + command.codes
        for code in codes:
            if code[0] != b"COPYUID":
                continue
            source, target = members(code[2]), members(code[3])
            if len(source) != len(target) or target != sorted(target):
                self.fail("COPYUID does not fit")
            command.copied = list(zip(source, target))
            if not set(source) <= set(command.wanted) and None not in command.wanted:
                self.fail(f"COPYUID of what was not asked for: {source} {command.wanted}")
            for old, new in command.copied:
                self.world.copies.add(((self.key[1], old), (code[1], new)))
                if command.target and command.target[1] != code[1]:
                    self.fail("COPYUID has another UIDVALIDITY")
                mark = self.world.mark.get((self.key, old))
                if mark is not None and command.target:
                    self.world.same(self.world.mark, (command.target, new), mark, "the copy, UID")

    end_move = end_copy
