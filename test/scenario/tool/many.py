"""More accounts than one packet of the control socket can tell of."""
import concurrent.futures
import json

import pytest

from server import DOMAIN, Server

COUNT = 1500
NAMES = [f"{number:04}-{'x' * 55}@{DOMAIN}" for number in range(COUNT)]  # 1,500 of these take 110 KiB as text


@pytest.fixture(scope="module")
def crowded():
    with Server() as server:
        server.domain()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(server.account, NAMES))
        yield server


def test_all_accounts_are_listed(crowded):
    text = crowded.tool("account", "list").stdout
    assert len(text) > 98304
    assert [line.split("\t")[0] for line in text.splitlines()] == NAMES


def test_all_accounts_are_listed_as_json(crowded):
    rows = json.loads(crowded.tool("account", "list", "--json").stdout)
    assert [row["address"] for row in rows] == NAMES
    assert crowded.status()["state"] == "healthy"


def test_all_addresses_are_listed(crowded):
    """90 targets at a time: a command takes about a hundred words."""
    for start in range(0, COUNT, 90):
        crowded.tool("address", "add", f"everybody@{DOMAIN}", *NAMES[start:start + 90])
    text = crowded.tool("address", "list").stdout
    assert text.splitlines() == [f"everybody@{DOMAIN}\t{name}" for name in NAMES]
    rows = json.loads(crowded.tool("address", "list", "--json").stdout)
    assert [row["target"] for row in rows] == NAMES
