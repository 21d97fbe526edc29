"""Any word in a sealed mailbox is found, before it is indexed and after, and what is deleted is found no more."""
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from server import PASSWORD, wait_until


def letter(subject, text, sender="Ann <ann@firm.example>", html=None, attachment=None, **fields):
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, sender, "user@demo.test"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    if attachment:
        message.add_attachment(b"%PDF-1.4 secretbytes", maintype="application", subtype="pdf", filename=attachment)
    return message.as_bytes(policy=SMTP)


LETTERS = [
    letter("Invoice for May", "The quick brown fox jumps over the lazy dog.", Message_ID="<abc123def456ghi789@firm.example>"),
    letter("Straße nach Zürich", "Wir fahren durch die Hauptstraße.", sender="Jürgen Groß <jg@straße.example>"),
    letter("日本語の件名", "これは検索のテストです。"),
    letter("สวัสดี", "ภาษาไทยไม่มีช่องว่าง"),
    letter("With HTML", "see the other part", html="<style>.hidden{}</style><p>caf&eacute; <b>cro</b>issant</p>"),
    letter("With a file", "attached", attachment="Rechnung-Übersicht.pdf", X_Custom="odd value", Cc="carl@other.example"),
    letter("Empty", "", DKIM_Signature="v=1; b=c2lnbmVk", Autocrypt="addr=ann@firm.example; keydata=a2V5"),
]

ROWS = [
    (["SUBJECT", "invoice"], {1}),
    (["SUBJECT", "nvoi"], {1}),
    (["BODY", "fox"], {1}),
    (["TEXT", "fox"], {1}),
    (["SUBJECT", "fox"], set()),
    (["BODY", "quick brown"], {1}),
    (["BODY", "brown quick"], set()),
    (["BODY", "ick br"], {1}),
    (["BODY", "dog."], {1}),
    (["SUBJECT", "STRASSE"], {2}),
    (["SUBJECT", "zurich"], {2}),
    (["BODY", "strasse"], {2}),
    (["BODY", "Straße"], {2}),
    (["FROM", "gross"], {2}),
    (["FROM", "jurgen"], {2}),
    (["SUBJECT", "日本"], {3}),
    (["SUBJECT", "本語の件"], {3}),
    (["BODY", "検索"], {3}),
    (["BODY", "索"], {3}),
    (["BODY", "ภาษา"], {4}),
    (["BODY", "cafe"], {5}),
    (["BODY", "croissant"], {5}),
    (["BODY", "hidden"], set()),
    (["BODY", "ubersicht"], {6}),
    (["TEXT", "rechnung"], {6}),
    (["BODY", "secretbytes"], set()),
    (["CC", "carl"], {6}),
    (["HEADER", "X-Custom", "odd"], {6}),
    (["HEADER", "X-Custom", ""], {6}),
    (["HEADER", "Message-ID", "<abc123def456ghi789@firm.example>"], {1}),
    (["TEXT", "abc123def456"], {1}),
    (["NOT", "BODY", "e"], {3, 4, 7}),
    (["OR", "BODY", "fox", "BODY", "cafe"], {1, 5}),
    (["TEXT", "nowhere"], set()),
    (["TEXT", "subject"], {1, 2, 3, 4, 5, 6, 7}),
    (["TEXT", "ubjec"], {1, 2, 3, 4, 5, 6, 7}),
    (["TEXT", "x-custom: odd"], {6}),
    (["TEXT", "-cust"], {6}),
    (["FROM", "from"], set()),
    (["SUBJECT", "subject"], set()),
    (["BODY", "x-custom"], set()),
    (["TEXT", "c2lnbmVk"], set()),
    (["TEXT", "autocrypt"], set()),
    (["TEXT", "keydata"], set()),
    (["HEADER", "DKIM-Signature", "c2ln"], {7}),
    (["FUZZY", "SUBJECT", "invoce"], {1}),
    (["FUZZY", "BODY", "quikc fax"], set()),
    (["FUZZY", "BODY", "quikc brow"], {1}),
    (["FUZZY", "TEXT", "strase"], {2}),
    (["FUZZY", "BODY", "検索"], {3}),
    (["FUZZY", "FROM", "jurgn"], {2}),
    (["NOT", "FUZZY", "TEXT", "subject"], set()),
    (["FUZZY", "OR", "SUBJECT", "invoce", "BODY", "croisant"], {1, 5}),
    (["FUZZY", "TEXT", "abc123def456"], {1}),
    # more texts than are looked up in the index by one command
    ([*(["NOT", "TEXT", "nowhere"] * 40), "BODY", "fox"], {1}),
    ([*(["NOT", "TEXT", "fox"] * 40), "BODY", "fox"], set()),
    ([*(["OR", "BODY", "nowhere"] * 28), "BODY", "croissant"], {5}),
    ([*(["OR", "BODY", "fox"] * 28), "BODY", "croissant"], {1, 5}),
    (["FROM", "ann", "SUBJECT", "with"], {5, 6}),
    (["BODY", "..."], set()),
]


@pytest.fixture
def box(server, user):
    for number, message in enumerate(LETTERS, 1):
        server.deliver(user, message)
        with server.imap(user) as client:
            wait_until(lambda: client.noop() and client.select()[1] == [b"%d" % number], 20, "it arrives")
    return user


def search(client, keys):
    """UIDs; texts go as literals."""
    client.literal = keys[-1].encode()
    kind, data = client.uid("SEARCH", "CHARSET", "UTF-8", *keys[:-1])
    assert kind == "OK", (keys, data)
    return {int(uid) for uid in data[0].split()}


def check_rows(server, user):
    with server.imap(user) as client:
        for keys, uids in ROWS:
            assert search(client, keys) == uids, keys


def index(server, user, *options):
    return server.tool("index", user, "--password-stdin", *options, stdin=PASSWORD + "\n").stdout


def test_words_are_found_before_and_after_they_are_indexed(server, box):
    check_rows(server, box)
    assert index(server, box) == f"{len(LETTERS)} messages are indexed\n"
    check_rows(server, box)
    assert index(server, box, "--rebuild") == f"{len(LETTERS)} messages are indexed\n"
    check_rows(server, box)


def test_what_is_deleted_is_found_no_more(server, box):
    index(server, box)
    with server.imap(box) as client:
        assert client.store("1:2", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert client.expunge()[0] == "OK"
        assert search(client, ["BODY", "fox"]) == set()
        assert search(client, ["SUBJECT", "strasse"]) == set()
        assert search(client, ["BODY", "croissant"]) == {5}
    server.deliver(box, letter("Another", "The fox is back."))
    with server.imap(box) as client:
        wait_until(lambda: client.noop() and client.select()[1] == [b"%d" % (len(LETTERS) - 1)], 20, "it arrives")
        assert search(client, ["BODY", "fox"]) == {8}
    index(server, box)
    with server.imap(box) as client:
        assert search(client, ["BODY", "fox"]) == {8}
        assert search(client, ["TEXT", "strasse"]) == set()
    checked = server.tool("check", box, "--password-stdin", stdin=PASSWORD + "\n")
    assert checked.returncode == 0, checked.stdout


def test_the_index_survives_a_restart(server, box):
    index(server, box)
    server.stop()
    server.start()
    check_rows(server, box)
