"""A mailbox that is deleted while its children stay, and made again, is another one (RFC 9051 §6.3.5, RFC 8474 §4.1)."""
from imapview import View, World
from server import PASSWORD


def test_who_has_the_old_mailbox_open_does_not_get_into_the_new_one(server, user):
    world = World()
    one, other = (View(server, user, world, name, PASSWORD) for name in ("one-", "other-"))
    for words in (b'CREATE "Work"', b'CREATE "Work/Below"'):
        one.run(words)
    one.run(b'APPEND "Work"', literal=b"Subject: old\r\n\r\nold\r\n")
    one.run(b'SELECT "Work"')
    one.run(b"UID FETCH 1:* (FLAGS)")
    old = one.key
    other.run(b'DELETE "Work"')
    other.run(b'CREATE "Work"')
    other.run(b'APPEND "Work"', literal=b"Subject: new\r\n\r\nnew\r\n")
    one.send(b"UID STORE 1 +FLAGS (\\Deleted)", wanted=[], change=lambda have: have)
    while one.receive():
        pass
    assert one.bye, "the connection ends, as its mailbox is gone"
    other.run(b'SELECT "Work"')
    other.run(b"UID FETCH 1:* (FLAGS ENVELOPE)")
    assert other.key[0] != old[0] and other.key[1] > old[1]
    assert other.state == {1: {"flags": frozenset(), "modseq": 0}}, "what was meant for the old one did not happen to the new"
    one.close()
    other.close()
