"""What two connections are told of MODSEQs while they change the same mailbox (RFC 7162)."""
import pytest

from imapgrammar import members
from imapview import View, World
from server import PASSWORD


@pytest.fixture
def pair(server, user):
    for number in range(3):
        server.deliver(user, f"From: a@example.org\r\nSubject: {number}\r\n\r\nbody {number}\r\n")
    world = World()
    views = [View(server, user, world, name, PASSWORD) for name in ("one-", "other-")]
    for view in views:
        view.run(b"ENABLE QRESYNC")
        view.run(b'SELECT "INBOX"')
        while len(view.uids) < 3:
            view.run(b"NOOP")
        view.run(b"UID FETCH 1:* (FLAGS)")
    yield views
    for view in views:
        view.close()


def test_what_reading_marks_as_seen_has_the_modseq_of_that_change(pair):
    one, other = pair
    told = one.run(b"FETCH 2 (BODY[TEXT])").fetched
    assert [b"\\Seen" in flags for flags in told[one.uids[1]]] == [True]
    modseq = one.state[one.uids[1]]["modseq"]
    other.run(b"UID FETCH %d (FLAGS MODSEQ)" % one.uids[1])
    assert other.state[one.uids[1]]["modseq"] == modseq > 0


def test_a_held_back_expunge_is_not_lost_with_the_connection(pair):
    one, other = pair
    first, last = one.uids[0], one.uids[2]
    other.world.doomed.add((other.key, first))
    other.send(b"UID STORE %d +FLAGS.SILENT (\\Deleted)" % first, wanted=[first], change=lambda have: have | {b"\\Deleted"})
    other.wait(lambda: not other.pending)
    one.run(b"NOOP")
    before = one.modseq
    other.run(b"EXPUNGE")
    other.send(b"UID STORE %d +FLAGS (\\Flagged)" % last, wanted=[last], change=lambda have: have | {b"\\Flagged"})
    other.wait(lambda: not other.pending)
    command = one.run(b"FETCH 2 (UID)")  # by number: it must not tell of the expunge, but tells the new flags
    assert one.state[last]["flags"] == {b"\\Flagged"} and len(one.uids) == 3
    assert (b"HIGHESTMODSEQ", before) in command.codes
    cache = one.checkpoint()
    one.close()
    one.connect()
    one.run(b"ENABLE QRESYNC")
    back = one.send(b'SELECT "INBOX" (QRESYNC (%d %d))' % (cache["key"][1], cache["modseq"]), cache=cache)
    one.wait(lambda: not one.pending)
    assert [members(answer.data[1]) for answer in back.answers if answer.kind == "VANISHED"] == [[first]]
    assert one.uids == cache["uids"][1:]


def test_what_others_changed_is_not_lost_with_close(pair):
    one, other = pair
    first, last = one.uids[0], one.uids[2]
    one.world.doomed.add((one.key, first))
    one.send(b"UID STORE %d +FLAGS (\\Deleted)" % first, wanted=[first], change=lambda have: have | {b"\\Deleted"})
    one.wait(lambda: not one.pending)
    other.send(b"UID STORE %d +FLAGS (\\Flagged)" % last, wanted=[last], change=lambda have: have | {b"\\Flagged"})
    other.wait(lambda: not other.pending)
    command = one.run(b"CLOSE")
    assert command.cache["uids"] == [uid for uid in other.uids if uid != first]
    one.send(b'SELECT "INBOX" (QRESYNC (%d %d))' % (command.cache["key"][1], command.cache["modseq"]), cache=command.cache)
    one.wait(lambda: not one.pending)
    assert one.state[last]["flags"] == {b"\\Flagged"}


def test_close_says_the_modseq_after_what_it_expunged(pair):
    one, other = pair
    first = one.uids[0]
    one.world.doomed.add((one.key, first))
    one.send(b"UID STORE %d +FLAGS (\\Deleted)" % first, wanted=[first], change=lambda have: have | {b"\\Deleted"})
    one.wait(lambda: not one.pending)
    cache = one.run(b"CLOSE").cache
    other.run(b"NOOP")
    assert len(other.uids) == 2
    back = one.send(b'SELECT "INBOX" (QRESYNC (%d %d))' % (cache["key"][1], cache["modseq"]), cache=cache)
    one.wait(lambda: not one.pending)
    assert [answer.kind for answer in back.answers if answer.kind != "FLAGS"] == [], "nothing is left to tell"


def test_an_annotation_raises_the_modseq_of_its_mailbox(pair):
    """RFC 7162 §3.2, so that a client that comes back asks for annotations too; reading one does not."""
    one, other = pair

    def highest():
        return one.run(b'STATUS "INBOX" (HIGHESTMODSEQ)').answers[0].data[1][b"HIGHESTMODSEQ"]

    before = highest()
    other.run(b'SETMETADATA "INBOX" (/private/comment "mine")')
    after = highest()
    assert after > before
    one.run(b'GETMETADATA "INBOX" /private/comment')
    assert highest() == after
