"""What people move to Junk and out of it, rspamd learns: the real one, with its Bayes classifier, where it is set."""
import json
import socket
import time
import urllib.request

import pytest

from filters import ADD_HEADER, RSPAMD, Rspamd, listens
from internet import free_port
from server import wait_until
from site_of_one import Site

PASSWORD = "open sesame"
LEARNING = """
worker "controller" {{ bind_socket = "127.0.0.1:CONTROLLER"; count = 1; password = "open sesame"; secure_ip = ""; }}
classifier "bayes" {{
    tokenizer {{ name = "osb"; }}
    backend = "sqlite3";
    cache {{ path = "{home}/learned.sqlite"; }}
    min_tokens = 1;
    statfile {{ symbol = "BAYES_HAM"; path = "{home}/ham.sqlite"; spam = false; }}
    statfile {{ symbol = "BAYES_SPAM"; path = "{home}/spam.sqlite"; spam = true; }}
}}
"""
LETTER = ("From: {name}@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\n"
          "{name} writes about {name} things, and about how many of these {name} has had until now\r\n")


class Pupil(Rspamd):
    def __init__(self):
        super().__init__()
        self.controller = free_port()
        self.page = RSPAMD + LEARNING.replace("CONTROLLER", str(self.controller))

    def start(self):
        super().start()
        wait_until(lambda: listens(self.controller), 20, "the controller")
        return self

    def learned(self):
        """(spam, ham), by its own account."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.controller}/stat", headers={"Password": PASSWORD})
        with urllib.request.urlopen(request, timeout=10) as answer:
            files = {one["symbol"]: one["revision"] for one in json.load(answer)["statfiles"]}
        return files["BAYES_SPAM"], files["BAYES_HAM"]

    def settings(self, learns=True):
        more = f"rspamd_learn = http://127.0.0.1:{self.controller}\nrspamd_password = {PASSWORD}\n" if learns else ""
        return f"[trust]\nlocal =\niprev = off\nspf = off\ndkim = off\ndmarc = off\n[dns]\nresolver = 127.0.0.1@9\n" \
               f"timeout = 1\n[filter]\nclamd = off\nrspamd = {self.url()}\n{more}"


@pytest.fixture
def pupil():
    with Pupil() as running:
        yield running


def deliver(site, *names):
    for name in names:
        site.send(LETTER.format(name=name))
    site.mail("INBOX", len(names))


def uid_of(client, name):
    [uid] = client.uid("SEARCH", "SUBJECT", name)[1][0].split()
    return uid


def taught(site):
    roles = json.loads(site.server.tool("status", "--json").stdout)["roles"]
    return sum(role["detail"]["taught"] for role in roles if role["role"] == "intake")


def ok(answer):
    assert answer[0] == "OK", answer


def test_what_is_moved_and_marked_is_learned(pupil):
    with Site(pupil.settings()) as site:
        deliver(site, "pills", "casino", "aunt", "uncle", "bin")
        with site.server.imap(site.user) as client:
            ok(client.uid("MOVE", uid_of(client, "pills"), "Junk"))
            wait_until(lambda: pupil.learned() == (1, 0), 20, "the moved one is learned as spam")
            ok(client.uid("COPY", uid_of(client, "casino"), "Junk"))
            ok(client.uid("STORE", uid_of(client, "casino"), "+FLAGS", r"(\Deleted)"))
            client.expunge()
            wait_until(lambda: pupil.learned() == (2, 0), 20, "the copied one, too")
            ok(client.uid("STORE", uid_of(client, "aunt"), "+FLAGS", "($NotJunk)"))
            wait_until(lambda: pupil.learned() == (2, 1), 20, "what is marked is ham")
            ok(client.uid("STORE", uid_of(client, "uncle"), "+FLAGS", "($Junk)"))
            wait_until(lambda: pupil.learned() == (3, 1), 20, "or spam")
            client.select("Junk")
            ok(client.uid("MOVE", uid_of(client, "pills"), "INBOX"))
            wait_until(lambda: pupil.learned()[1] == 2, 20, "what was taken out of Junk is ham")
        wait_until(lambda: taught(site) == 5, 10, f"the intakes have counted them\n{site.server.tail()}")


def test_what_the_server_files_and_what_is_thrown_away_is_not_learned(pupil):
    with Site(pupil.settings()) as site:
        site.send("From: eve@example.org\r\nSubject: filed\r\n\r\n" + ADD_HEADER + "\r\n")
        site.mail("Junk", 1)
        deliver(site, "here", "pills")
        with site.server.imap(site.user, mailbox="Junk") as client:
            ok(client.uid("MOVE", uid_of(client, "filed"), "Trash"))
            client.select("INBOX")
            ok(client.uid("MOVE", uid_of(client, "here"), "Archive"))
            ok(client.uid("STORE", uid_of(client, "pills"), "+FLAGS", r"(\Flagged Later)"))
            ok(client.uid("MOVE", uid_of(client, "pills"), "Junk"))
            wait_until(lambda: pupil.learned() == (1, 0), 20, "only that one is learned")


def test_a_client_that_has_gone_is_learned_from_still(pupil):
    with Site(pupil.settings().replace("[trust]", "[session]\nlinger = 0\n[trust]", 1)) as site:
        deliver(site, "pills")
        with site.server.imap(site.user) as client:
            ok(client.uid("MOVE", uid_of(client, "pills"), "Junk"))
        wait_until(lambda: pupil.learned() == (1, 0), 20, "it is learned")


def test_nobody_learns_unless_it_is_set(pupil):
    with Site(pupil.settings(learns=False)) as site:
        deliver(site, "pills")
        with site.server.imap(site.user) as client:
            ok(client.uid("MOVE", uid_of(client, "pills"), "Junk"))
            client.select("Junk")
            ok(client.uid("STORE", uid_of(client, "pills"), "+FLAGS", "($Junk)"))
        site.server.stop()  # which would end what is under way
        assert pupil.learned() == (0, 0)
        site.server.start()


def test_a_move_waits_for_no_controller_that_hangs_or_is_away(pupil):
    settings = pupil.settings()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        with Site(settings.replace(str(pupil.controller), str(deaf.getsockname()[1]))) as site:
            deliver(site, *(f"letter{number}" for number in range(40)))
            with site.server.imap(site.user) as client:
                start = time.monotonic()
                for _ in range(40):
                    ok(client.uid("MOVE", client.uid("SEARCH", "ALL")[1][0].split()[0], "Junk"))
                assert time.monotonic() - start < 20
                client.select("Junk")
                assert len(client.search(None, "ALL")[1][0].split()) == 40
                deaf.settimeout(20)
                deaf.accept()[0].close()  # somebody came to teach; and now hears that nobody learns
                wait_until(lambda: "intake.teach.unheard" in site.server.log.read_text(), 20, "it is logged")
