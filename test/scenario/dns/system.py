"""[dns] resolver = system, in a network and with a resolv.conf of its own: DNSSEC passes through it, or does not."""
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "harness"))

from asking import HOST, Asking  # noqa: E402
from internet import Internet  # noqa: E402

ALONE = ["unshare", "--map-root-user", "--mount", "--net"]


@pytest.fixture(scope="module", autouse=True)
def may_be_alone():
    if subprocess.run([*ALONE, "ip", "link", "set", "lo", "up"], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody make a network namespace")


@pytest.mark.parametrize("kind, state", [
    ("validating", ["ok", "ok"]), ("stripping", ["unknown", "bogus"]), ("none", ["unknown", "unknown"])])
def test_whom_the_system_asks(tmp_path, kind, state):
    done = subprocess.run([*ALONE, sys.executable, __file__, kind, tmp_path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == state


def alone(kind, folder):
    """What `waxwing dns` finds through the system's resolver, and when told to trust in it. A stripping one gives way to
    the world's servers, of which there is none here, so that nothing is known; who insists on it gets what is bogus."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    text = folder / "resolv.conf"
    text.write_text("" if kind == "none" else "nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", text, "/etc/resolv.conf"], check=True)
    with Internet() as net:
        if kind == "validating":
            net.resolver_port = 53
        net.zone("good.example").add(f"MX 10 {HOST}.")
        net.publish()
        if kind == "stripping":
            net.stripping(53)
        asking = Asking(net, folder)
        for resolver in ("system", "127.0.0.1"):
            asking.settings(resolver=resolver, timeout=3)
            print(asking.records("good.example")["MX"]["state"])


if __name__ == "__main__":
    alone(sys.argv[1], pathlib.Path(sys.argv[2]))
