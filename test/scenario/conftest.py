import itertools
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "harness"))

from server import DOMAIN, Server  # noqa: E402

names = (f"user{number}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def shared():
    """One running server for all scenarios that do no harm to it."""
    with Server() as server:
        server.domain()
        yield server


@pytest.fixture
def server(shared):
    if shared.process.poll() is not None:
        pytest.fail(f"the server has ended\n{shared.tail()}")
    return shared


@pytest.fixture
def own():
    """A server of the scenario's own, with the domain, not yet shared with anybody."""
    with Server() as server:
        server.domain()
        yield server


@pytest.fixture
def user(server):
    """The address of a new account with nothing in it."""
    name = f"{next(names)}@{DOMAIN}"
    server.account(name)
    return name
