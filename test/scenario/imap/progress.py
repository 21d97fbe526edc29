"""INPROGRESS (RFC 9585): who waits for a long command is told how far it is."""
import re

import pytest
from imapwire import Connection, numbered
from server import PASSWORD, Server


@pytest.fixture(scope="module")
def talkative():
    """It tells at every step, so that a short search is long enough."""
    with Server(settings="[imap]\nprogress = 0\n") as server:
        server.domain()
        yield server


@pytest.fixture
def connection(talkative, request):
    name = request.node.name.replace("_", "-")[:40].rstrip("-")
    talkative.tool("account", "add", f"{name}@demo.test", "--password-stdin", stdin=PASSWORD + "\n")
    connection = Connection(talkative, f"{name}@demo.test")
    for number in range(1, 21):
        connection.append(numbered(number))
    assert connection.run(b"SELECT INBOX")[-1].startswith("T: OK")
    return connection


def told(answer):
    return [re.fullmatch(r'S: \* OK \[INPROGRESS \("TAG" (\d+|NIL) (\d+|NIL)\)\] .*', line) for line in answer if "INPROGRESS" in line]


def test_a_search_says_how_far_it_is(connection):
    answer = connection.run(b"SEARCH HEADER X-None something")
    progress = [(int(line[1]), int(line[2])) for line in told(answer)]
    assert progress and all(0 < done <= goal == 20 for done, goal in progress)
    assert progress == sorted(progress)
    assert answer[-2:] == ["S: * SEARCH", "T: OK Searched"]


def test_what_has_no_end_in_sight_says_that_it_goes_on(connection):
    for command in b"THREAD REFERENCES UTF-8 ALL", b"ESEARCH IN (personal) HEADER X-None something":
        lines = told(connection.run(command))
        assert lines and all(line[1] == line[2] == "NIL" for line in lines)


def test_by_default_short_commands_say_nothing(server, user):
    connection = Connection(server, user)
    connection.append(numbered(1))
    connection.run(b"SELECT INBOX")
    assert "S: * CAPABILITY" in connection.run(b"CAPABILITY")[0]
    assert "INPROGRESS" in connection.run(b"CAPABILITY")[0]
    assert connection.run(b"SEARCH HEADER X-None something") == ["S: * SEARCH", "T: OK Searched"]
