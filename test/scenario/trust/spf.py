"""The SPF council's own test suite (RFC 7208), as Debian's python3-spf brings it along."""
import gzip
import pathlib

import pytest

yaml = pytest.importorskip("yaml")
from trustprobe import FAILED, TYPES, Probe  # noqa: E402

SUITE = pathlib.Path("/usr/share/doc/python3-spf/rfc7208-tests.yml.gz")
DEFAULT = "DEFAULT"  # what the suite calls an explanation that a domain does not give


def load_name(probe, name, rows):
    """A bare TIMEOUT: every type that has no record before it gives no answer."""
    seen = set()
    has_text = any(isinstance(row, dict) and "TXT" in row for row in rows)
    for row in rows:
        if row == "TIMEOUT":
            for kind in TYPES.keys() - seen:
                probe.record(name, kind, outcome=FAILED)
            continue
        for kind, value in row.items():
            kinds = [kind] if kind != "SPF" or has_text else ["SPF", "TXT"]
            for kind in kinds:
                if value == "TIMEOUT":
                    probe.record(name, kind, outcome=FAILED)
                elif value != "NONE":
                    probe.record(name, kind, value)
                if value != "NONE":
                    seen.add(kind)


def cases():
    if not SUITE.exists():
        return []
    with gzip.open(SUITE) as file:
        scenarios = list(yaml.safe_load_all(file))
    return [(scenario["description"], scenario["zonedata"], scenario["tests"]) for scenario in scenarios if scenario]


@pytest.mark.parametrize("description, zone, tests", cases(), ids=lambda value: value if isinstance(value, str) else "")
def test_we_agree_with_the_suite(description, zone, tests):
    probe = Probe()
    try:
        for name, rows in zone.items():
            load_name(probe, name, rows)
        wrong = []
        for title, test in tests.items():
            wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
            result, text, reason = probe.ask("spf", test["host"], test["helo"], test["mailfrom"])[0]
            if result not in wanted:
                wrong.append(f"{title}: {result} ({reason}), not {wanted}")
            elif "explanation" in test and result == "fail" and (text or DEFAULT) != test["explanation"]:
                wrong.append(f"{title}: says {text!r}, not {test['explanation']!r}")
        assert wrong == []
    finally:
        probe.close()
    assert len(tests) > 0


def test_the_suite_is_there():
    if not SUITE.exists():
        pytest.skip("packages are installed without their documentation here")
    assert sum(len(tests) for _, _, tests in cases()) > 180
