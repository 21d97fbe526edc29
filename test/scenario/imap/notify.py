"""NOTIFY (RFC 5465) where a transcript does not reach: limits, deliveries."""
from imapwire import Connection, numbered


def test_a_delivery_is_told_without_a_command(server, user):
    waits = Connection(server, user)
    assert waits.run(b"NOTIFY SET (inboxes (MessageNew MessageExpunge))")[-1].startswith("T: OK")
    server.deliver(user, numbered(1))
    assert waits.hear() == "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)"
    waits.run(b"SELECT INBOX")
    assert waits.run(b"NOTIFY SET (selected (MessageNew (UID ENVELOPE) MessageExpunge))")[-1].startswith("T: OK")
    server.deliver(user, numbered(2))
    assert waits.hear() == "* 2 EXISTS"
    assert waits.hear().endswith(" RECENT")
    assert waits.hear().startswith('* 2 FETCH (UID 2 ENVELOPE ("Mon, 02 Feb 2021')


def test_too_many_mailboxes_are_refused_or_end_it(server, user):
    makes, waits = Connection(server, user), Connection(server, user)
    for number in range(1000):
        assert makes.run(b"CREATE many/%d" % number)[-1].startswith("T: OK")
    assert waits.run(b"NOTIFY SET (subtree many (MessageNew MessageExpunge))")[-1].startswith("T: OK")
    lines = b"".join(b"x%d CREATE many/%d\r\n" % (number, number) for number in range(1000, 2001))
    makes.socket.sendall(lines)
    for _ in range(1001):
        assert b" OK " in makes.file.readline()
    told = waits.hear()
    while told.startswith("* STATUS many/"):
        told = waits.hear()
    assert told.startswith("* OK [NOTIFICATIONOVERFLOW] "), told
    makes.append(numbered(1), "many/1")
    assert waits.run(b"NOOP") == ["T: OK Done"]
    assert waits.run(b"NOTIFY SET (subtree many (MessageNew MessageExpunge))")[-1].startswith("T: NO [NOTIFICATIONOVERFLOW]")
    assert waits.run(b"NOTIFY SET STATUS (mailboxes (many/1 many/2) (MessageNew MessageExpunge))")[-1].startswith("T: OK")
    makes.append(numbered(1), "many/2")
    assert waits.hear() == "* STATUS many/2 (MESSAGES 1 UIDNEXT 2)"


def test_what_happens_while_a_command_is_being_said_is_told(server, user):
    makes, waits = Connection(server, user), Connection(server, user)
    assert waits.run(b"NOTIFY SET (personal (SubscriptionChange))")[-1].startswith("T: OK")
    waits.socket.sendall(b"half APPEND INBOX {5}\r\n")
    assert waits.hear() == "+ OK"
    makes.socket.sendall(b"".join(b"x SUBSCRIBE s%d\r\n" % number for number in range(400)))
    for _ in range(400):
        assert b" OK " in makes.file.readline()
    waits.socket.sendall(b"hello\r\n")
    heard = []
    while not (line := waits.hear()).startswith("half "):
        heard.append(line)
    assert heard == [f'* LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" s{number}' for number in range(400)]
