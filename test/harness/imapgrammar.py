"""A strict reader of what an IMAP server says: RFC 9051 §9, RFC 3501 §9 and the extensions that are announced. What does
not follow the grammar to the letter raises Malformed; everything else becomes a Response."""
import dataclasses
import re

ATOM = frozenset(range(0x21, 0x7F)) - frozenset(b'(){%*"\\]')
ASTRING = ATOM | frozenset(b"]")
FIXED_FLAGS = {b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Seen", b"\\Draft", b"\\Recent"}
MAX_32, MAX_63 = (1 << 32) - 1, (1 << 63) - 1
DATE_TIME = re.compile(rb"[ 0-3]\d-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} \d\d:\d\d:\d\d [+-]\d{4}")
# Codes that are an atom alone (RFC 9051 §7.1, RFC 5530 §3, RFC 3516 §4.3).
PLAIN_CODES = set(b"""ALERT PARSE READ-ONLY READ-WRITE TRYCREATE UIDNOTSTICKY NOMODSEQ CLOSED ALREADYEXISTS
AUTHENTICATIONFAILED AUTHORIZATIONFAILED CANNOT CLIENTBUG CONTACTADMIN CORRUPTION EXPIRED EXPUNGEISSUED HASCHILDREN INUSE
LIMIT NONEXISTENT NOPERM OVERQUOTA PRIVACYREQUIRED SERVERBUG UNAVAILABLE UNKNOWN-CTE USEATTR NOTSAVED TOOBIG
COMPRESSIONACTIVE UIDREQUIRED""".split())


class Malformed(AssertionError):
    pass


@dataclasses.dataclass
class Response:
    kind: str  # OK NO BAD BYE PREAUTH, +, or the name of the data
    tag: bytes = b"*"
    number: int = 0
    code: tuple = ()
    data: object = None
    raw: bytes = b""


def split(data):
    """The length of the first whole response in data, literals included; 0 while it is not whole."""
    at = 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return 0
        found = re.search(rb"\{(\d+)\}$", data[at:end])
        if not found:
            return end + 2
        at = end + 2 + int(found[1])
        if at > len(data):
            return 0


class Reader:
    def __init__(self, raw, utf8):
        self.raw, self.at, self.utf8 = raw, 0, utf8

    def fail(self, wanted):
        raise Malformed(f"{wanted} expected at {self.at}: {self.raw[max(0, self.at - 60):self.at]!r} >>> "
                        f"{self.raw[self.at:self.at + 100]!r}")

    def peek(self):
        return self.raw[self.at] if self.at < len(self.raw) else -1

    def sees(self, text):
        return self.raw.startswith(text, self.at)

    def take(self, text):
        if not self.sees(text):
            self.fail(repr(text))
        self.at += len(text)

    def maybe(self, text):
        if self.sees(text):
            self.at += len(text)
            return True
        return False

    def some(self, allowed, wanted):
        start = self.at
        while self.peek() in allowed:
            self.at += 1
        if self.at == start:
            self.fail(wanted)
        return self.raw[start:self.at]

    def match(self, pattern, wanted):
        found = re.compile(pattern).match(self.raw, self.at)
        if not found:
            self.fail(wanted)
        self.at = found.end()
        return found[0]

    def number(self, least=0, most=MAX_32):
        digits = self.match(rb"\d+", "a number")
        if len(digits) > 1 and digits[0:1] == b"0":
            self.fail("a number without a leading zero")
        value = int(digits)
        if not least <= value <= most:
            self.fail(f"a number from {least} to {most}")
        return value

    def quoted(self):
        self.take(b'"')
        found = bytearray()
        while not self.maybe(b'"'):
            byte = self.peek()
            if byte == 0x5C:
                self.at += 1
                byte = self.peek()
                if byte not in b'"\\':
                    self.fail("a quoted special")
            if byte in (-1, 0, 13, 10) or (byte > 0x7F and not self.utf8):
                self.fail("a character that may be quoted")
            found.append(byte)
            self.at += 1
        if self.utf8:
            bytes(found).decode()
        return bytes(found)

    def literal(self):
        size = int(self.match(rb"\{\d+\}\r\n", "a literal")[1:-3])
        text = self.raw[self.at:self.at + size]
        if len(text) != size:
            self.fail("a whole literal")
        self.at += size
        return text

    def string(self):
        if self.peek() == 0x22:
            return self.quoted()
        text = self.literal()
        if b"\0" in text:
            self.fail("a literal without NUL")
        return text

    def nstring(self):
        return None if self.maybe(b"NIL") else self.string()

    def astring(self):
        return self.string() if self.peek() in b'"{' else self.some(ASTRING, "an astring")

    def many(self, one, least=0):
        """( one SP one … )"""
        self.take(b"(")
        found = []
        while not self.maybe(b")"):
            if found:
                self.take(b" ")
            found.append(one())
        if len(found) < least:
            self.fail(f"at least {least} in the list")
        return found

    def flag(self, star=False):
        if star and self.maybe(b"\\*"):
            return b"\\*"
        if self.maybe(b"\\"):
            return b"\\" + self.some(ATOM, "a flag")
        return self.some(ATOM, "a keyword")

    def set(self):
        """A set without "*": the server knows its numbers (RFC 9051 §9, uid-set)."""
        found = []
        while True:
            first = self.number(1)
            last = self.number(1) if self.maybe(b":") else first
            if self.raw[self.at - 1:self.at] == b":":
                self.fail("a number")
            found.append((min(first, last), max(first, last)))
            if not self.maybe(b","):
                return found

    # --- envelope and structure (RFC 9051 §7.5.2) ---

    def address(self):
        self.take(b"(")
        parts = []
        for index in range(4):
            if index:
                self.take(b" ")
            parts.append(self.nstring())
        self.take(b")")
        if parts[3] is None and parts[2] is None and parts[0] is not None:
            self.fail("no name in the mark of a group's end")
        return tuple(parts)

    def addresses(self):
        if self.maybe(b"NIL"):
            return []
        self.take(b"(")
        found = []
        while not self.maybe(b")"):
            found.append(self.address())
        if not found:
            self.fail("an address")
        return found

    def envelope(self):
        self.take(b"(")
        found = {"date": self.nstring()}
        self.take(b" ")
        found["subject"] = self.nstring()
        for name in ("from", "sender", "reply-to", "to", "cc", "bcc"):
            self.take(b" ")
            found[name] = self.addresses()
        for name in ("in-reply-to", "message-id"):
            self.take(b" ")
            found[name] = self.nstring()
        self.take(b")")
        return found

    def parameters(self):
        if self.maybe(b"NIL"):
            return []
        found = self.many(self.string, 2)
        if len(found) % 2:
            self.fail("a value for each parameter")
        return found

    def disposition(self):
        if self.maybe(b"NIL"):
            return
        self.take(b"(")
        self.string()
        self.take(b" ")
        self.parameters()
        self.take(b")")

    def language(self):
        if self.peek() == 0x28:
            self.many(self.string, 1)
        else:
            self.nstring()

    def extension(self):
        if self.peek() == 0x28:
            self.many(self.extension, 1)
        elif self.peek() in b"0123456789":
            self.number(0, MAX_63)
        else:
            self.nstring()

    def rest_of_body(self):
        for part in (self.disposition, self.language, self.nstring):
            if not self.maybe(b" "):
                return
            part()
        while self.maybe(b" "):
            self.extension()

    def one_part(self, extended):
        kind = self.string().upper()
        self.take(b" ")
        subtype = self.string().upper()
        self.take(b" ")
        self.parameters()
        self.take(b" ")
        self.nstring()
        self.take(b" ")
        self.nstring()
        self.take(b" ")
        self.string()
        self.take(b" ")
        self.number()
        if kind == b"MESSAGE" and subtype in (b"RFC822", b"GLOBAL") and self.sees(b" ("):
            self.take(b" ")
            self.envelope()
            self.take(b" ")
            self.body(extended)
            self.take(b" ")
            self.number(0, MAX_63)
        elif kind == b"TEXT":
            self.take(b" ")
            self.number(0, MAX_63)
        elif kind == b"MESSAGE" and subtype == b"RFC822":
            self.fail("the envelope of the message in it")
        if extended and self.maybe(b" "):
            self.nstring()
            self.rest_of_body()

    def body(self, extended, depth=0):
        if depth > 200:
            self.fail("an end of the nesting")
        self.take(b"(")
        if self.peek() == 0x28:
            while self.peek() == 0x28:
                self.body(extended, depth + 1)
            self.take(b" ")
            self.string()
            if extended and self.maybe(b" "):
                self.parameters()
                self.rest_of_body()
        else:
            self.one_part(extended)
        self.take(b")")

    # --- FETCH ---

    def object_id(self):
        self.take(b"(")
        found = self.match(rb"[A-Za-z0-9_-]{1,255}", "an object id")  # RFC 8474 §7
        self.take(b")")
        return found

    def section(self):
        start = self.at
        part = rb"[1-9]\d*(\.[1-9]\d*)*"
        if not self.sees(b"]"):
            if self.match(rb"(" + part + rb")?\.?(HEADER\.FIELDS(\.NOT)? |HEADER|TEXT|MIME)?", "a section").endswith(b" "):
                self.many(self.astring, 1)
        self.take(b"]")
        name = self.raw[start:self.at - 1]
        if self.maybe(b"<"):
            self.number(0, MAX_63)
            self.take(b">")
        return name.upper()

    def item(self):
        name = self.match(rb"[A-Z0-9.]+\[?", "a FETCH item")
        if name in (b"BODY[", b"BINARY[", b"BINARY.SIZE["):
            section = self.section()
            self.take(b" ")
            if name == b"BINARY.SIZE[":
                return name + section, self.number()
            if name == b"BINARY[" and self.maybe(b"~"):
                return name + section, self.literal()
            return name + section, self.nstring()
        self.take(b" ")
        return name, self.value(name)

    def value(self, name):
        if name == b"FLAGS":
            found = self.many(self.flag)
            if len(found) != len(set(map(bytes.lower, found))):
                self.fail("each flag once")
            for one in found:
                if one.startswith(b"\\") and one not in FIXED_FLAGS:
                    self.fail("a flag that exists")
            return frozenset(found)
        if name == b"UID":
            return self.number(1)
        if name == b"RFC822.SIZE":
            return self.number(0, MAX_63)
        if name == b"MODSEQ":
            self.take(b"(")
            found = self.number(1, MAX_63)
            self.take(b")")
            return found
        if name == b"INTERNALDATE":
            found = self.quoted()
            return found if DATE_TIME.fullmatch(found) else self.fail("a date")
        if name == b"ENVELOPE":
            return self.envelope()
        if name in (b"BODY", b"BODYSTRUCTURE"):
            return self.body(name == b"BODYSTRUCTURE")
        if name in (b"EMAILID", b"THREADID"):
            return None if name == b"THREADID" and self.maybe(b"NIL") else self.object_id()
        if name == b"SAVEDATE":
            return None if self.maybe(b"NIL") else self.quoted()
        if name in (b"RFC822", b"RFC822.HEADER", b"RFC822.TEXT", b"PREVIEW"):
            return self.nstring()
        return self.fail("a FETCH item that is known")

    def fetch(self):
        items = self.many(self.item, 1)
        if len(dict(items)) != len(items):
            self.fail("each item once")
        return dict(items)

    # --- the others ---

    def attribute(self):
        self.take(b"\\")
        return b"\\" + self.some(ATOM, "an attribute")

    def extended_item(self):
        name = self.astring()
        self.take(b" ")
        self.extended_value()
        return name

    def extended_value(self):
        if self.peek() == 0x28:
            self.many(self.extended_value)
        else:
            self.astring()

    def list(self):
        attributes = self.many(self.attribute)
        self.take(b" ")
        if not self.maybe(b"NIL"):
            self.take(b'"')
            self.maybe(b"\\")
            self.at += 1
            self.take(b'"')
        self.take(b" ")
        name = self.astring()
        if self.maybe(b" "):
            self.many(self.extended_item)
        return name, attributes

    def status_item(self):
        name = self.match(rb"[A-Z]+", "a STATUS item")
        self.take(b" ")
        if name == b"MAILBOXID":
            return name, self.object_id()
        if name in (b"UIDNEXT", b"UIDVALIDITY"):
            return name, self.number(1)
        if name in (b"MESSAGES", b"UNSEEN", b"DELETED", b"RECENT"):
            return name, self.number()
        if name == b"APPENDLIMIT" and self.maybe(b"NIL"):
            return name, None
        if name in (b"SIZE", b"HIGHESTMODSEQ", b"APPENDLIMIT"):
            return name, self.number(0, MAX_63)
        return self.fail("a STATUS item that is known")

    def status(self):
        name = self.astring()
        self.take(b" ")
        return name, dict(self.many(self.status_item))

    def search(self):
        found, modseq = [], None
        while self.maybe(b" "):
            if self.maybe(b"(MODSEQ "):
                modseq = self.number(1, MAX_63)
                self.take(b")")
                break
            found.append(self.number(1))
        return found, modseq

    def thread(self):
        def branch():
            self.take(b"(")
            numbers = []
            while self.peek() not in b"()":
                numbers.append(self.number(1))
                if not self.maybe(b" "):
                    break
            while self.peek() == 0x28:
                numbers += branch()
            self.take(b")")
            return numbers
        found = []
        if self.maybe(b" "):
            while self.peek() == 0x28:
                found += branch()
        return found

    def esearch(self):
        found = {}
        if self.maybe(b" (TAG "):
            found["tag"] = self.string()
            if self.maybe(b" MAILBOX "):  # RFC 7377 §2.1
                found["mailbox"] = self.astring()
                self.take(b" UIDVALIDITY ")
                found["uidvalidity"] = self.number(1)
            self.take(b")")
        found["uid"] = self.maybe(b" UID")
        while self.maybe(b" "):
            name = self.match(rb"[A-Z]+", "a result")
            self.take(b" ")
            if name in found:
                self.fail("each result once")
            if name in (b"MIN", b"MAX"):
                found[name] = self.number(1)
            elif name == b"COUNT":
                found[name] = self.number()
            elif name == b"MODSEQ":
                found[name] = self.number(1, MAX_63)
            elif name == b"ALL":
                found[name] = self.set()
            elif name == b"PARTIAL":
                self.match(rb"\((-?[1-9]\d*):(-?[1-9]\d*) ", "a range")
                found[name] = None if self.maybe(b"NIL") else self.set()
                self.take(b")")
            else:
                self.fail("a result that is known")
        return found

    def names(self):
        found = []
        while self.maybe(b" "):
            found.append(self.some(ATOM, "a capability"))
        return found

    def id(self):
        if self.maybe(b"NIL"):
            return []
        self.take(b"(")
        found = []
        while not self.maybe(b")"):
            if found:
                self.take(b" ")
            found.append(self.string())
            self.take(b" ")
            found.append(self.nstring())
        return found

    def namespaces(self):
        for index in range(3):
            if index:
                self.take(b" ")
            if self.maybe(b"NIL"):
                continue
            self.take(b"(")
            while not self.maybe(b")"):
                self.take(b"(")
                self.string()
                self.take(b" ")
                if not self.maybe(b"NIL"):
                    self.quoted()
                self.take(b")")

    # --- METADATA, QUOTA, ACL ---

    def entry(self):
        """RFC 5464 §6.2.1"""
        name = self.astring()
        if not name.lower().startswith((b"/private/", b"/shared/")) or b"//" in name or name.endswith(b"/"):
            self.fail("the name of an annotation")
        return name

    def metadata(self):
        mailbox = self.astring()
        self.take(b" ")
        if self.peek() != 0x28:
            return mailbox, [self.entry()]

        def one():
            name = self.entry()
            self.take(b" ")
            return name, (self.literal() if self.maybe(b"~") else self.nstring())
        return mailbox, dict(self.many(one, 1))

    def quota(self):
        """RFC 9208 §5.1"""
        def resource():
            name = self.some(ATOM, "a resource")
            self.take(b" ")
            used = self.number(0, MAX_63)
            self.take(b" ")
            return name, used, self.number(0, MAX_63)
        root = self.astring()
        self.take(b" ")
        return root, self.many(resource)

    def astrings(self):
        """A name and what belongs to it (RFC 4314 §3.6 to §3.8, RFC 9208 §5.2)."""
        found = [self.astring()]
        while self.maybe(b" "):
            found.append(self.astring())
        return found

    def progress(self):
        """RFC 9585 §5"""
        self.take(b"(")
        self.maybe(b"NIL") or self.quoted()
        for _ in range(2):
            self.take(b" ")
            self.maybe(b"NIL") or self.number()
        self.take(b")")

    # --- conditions (RFC 9051 §7.1) ---

    def code(self):
        name = self.some(ATOM, "a response code")
        if name in PLAIN_CODES:
            return (name,)
        if name == b"CAPABILITY":
            return name, self.names()
        if name == b"INPROGRESS":
            return (name, self.progress()) if self.maybe(b" ") else (name,)
        if name == b"BADCHARSET":
            return (name, self.many(self.astring, 1)) if self.maybe(b" ") else (name,)
        self.take(b" ")
        if name in (b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN"):
            return name, self.number(1)
        if name == b"HIGHESTMODSEQ":
            return name, self.number(1, MAX_63)
        if name == b"PERMANENTFLAGS":
            return name, self.many(lambda: self.flag(star=True))
        if name == b"APPENDUID":
            return name, self.number(1), (self.take(b" "), self.set())[1]
        if name == b"COPYUID":
            validity = self.number(1)
            self.take(b" ")
            source = self.set()
            self.take(b" ")
            return name, validity, source, self.set()
        if name == b"MODIFIED":
            return name, self.set()
        if name == b"MAILBOXID":
            return name, self.object_id()
        if name == b"METADATA":
            return name, self.match(rb"TOOMANY|NOPRIVATE|(MAXSIZE|LONGENTRIES) \d+", "what is wrong with the annotation")
        return self.fail("a response code that is known")

    def condition(self, tag):
        kind = self.match(rb"OK|NO|BAD|BYE|PREAUTH", "a condition").decode()
        self.take(b" ")
        code = ()
        if self.maybe(b"["):
            code = self.code()
            self.take(b"]")
            self.take(b" ")
        self.match(rb"[^\r\n\x00\x80-\xff]+" if not self.utf8 else rb"[^\r\n\x00]+", "a text")
        return Response(kind, tag, code=code)

    def named(self, name):
        plain = {b"LIST": self.list, b"LSUB": self.list, b"STATUS": self.status, b"ID": self.id,
                 b"NAMESPACE": self.namespaces, b"FLAGS": lambda: self.many(self.flag),
                 b"METADATA": self.metadata, b"QUOTA": self.quota, b"QUOTAROOT": self.astrings, b"ACL": self.astrings,
                 b"MYRIGHTS": self.astrings, b"LISTRIGHTS": self.astrings}
        bare = {b"SEARCH": self.search, b"SORT": self.search, b"ESEARCH": self.esearch, b"CAPABILITY": self.names,
                b"ENABLED": self.names, b"THREAD": self.thread}
        if name in plain:
            self.take(b" ")
            data = plain[name]()
        elif name in bare:
            data = bare[name]()
        elif name == b"VANISHED":
            self.take(b" ")
            earlier = self.maybe(b"(EARLIER) ")
            data = earlier, self.set()
        else:
            self.fail("a response that is known")
        return Response(name.decode(), data=data)

    def untagged(self):
        if self.peek() in b"0123456789":
            number = self.number()
            self.take(b" ")
            name = self.match(rb"[A-Z]+", "a response").decode()
            if name not in ("EXISTS", "RECENT", "EXPUNGE", "FETCH", "UIDFETCH") or (number == 0 and name not in ("EXISTS", "RECENT")):
                self.fail("data with a number")
            data = None
            if name in ("FETCH", "UIDFETCH"):  # RFC 9586 §3.3
                self.take(b" ")
                data = self.fetch()
            return Response(name, number=number, data=data)
        if re.compile(rb"(OK|NO|BAD|BYE|PREAUTH) ").match(self.raw, self.at):
            return self.condition(b"*")
        return self.named(self.match(rb"[A-Z]+", "a response"))

    def response(self):
        if self.maybe(b"+ "):
            self.match(rb"[^\r\n]*", "a text")
            found = Response("+", b"+")
        elif self.maybe(b"* "):
            found = self.untagged()
        else:
            tag = self.some(ASTRING - frozenset(b"+"), "a tag")
            self.take(b" ")
            found = self.condition(tag)
            if found.kind in ("BYE", "PREAUTH"):
                self.fail("a condition that may have a tag")
        self.take(b"\r\n")
        if self.at != len(self.raw):
            self.fail("the end")
        found.raw = self.raw
        return found


def parse(raw, utf8=False):
    return Reader(raw, utf8).response()


def members(ranges):
    return [number for first, last in ranges for number in range(first, last + 1)]
