"""A test in a network and a /run of its own: the ports and sockets that programs are looked for at are nobody else's there."""
import functools
import inspect
import os
import subprocess
import sys

import pytest

# Addresses of the world outside: three networks by IPv4, and one by IPv6 (RFC 5737, RFC 3849).
OUTSIDE = ["192.0.2.7", "192.0.2.8", "198.51.100.7", "203.0.113.7", "2001:db8::7"]

UNSHARE = ["unshare", "--mount", "--net"] + ([] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"])
PREPARE = "ip link set lo up && mount -t tmpfs -o mode=755 tmpfs /run" + "".join(
    f" && ip address add {address + '/128 dev lo nodad' if ':' in address else address + '/32 dev lo'}" for address in OUTSIDE)
WITHIN = "WAXWING_TEST_ALONE"


def alone(test):
    """For tests without fixtures and parameters: pytest is run again for this one, in there."""
    @functools.wraps(test)
    def wrapped():
        if WITHIN in os.environ:
            test()
            return
        if subprocess.run([*UNSHARE, "sh", "-c", PREPARE], capture_output=True).returncode != 0:
            pytest.skip("this machine lets nobody make a network namespace")
        where = f"{inspect.getsourcefile(test)}::{test.__name__}"
        done = subprocess.run([*UNSHARE, "sh", "-c", PREPARE + ' && exec "$@"', "sh", sys.executable, "-m", "pytest", "-q",
                               "-p", "no:cacheprovider", where], capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, **{WITHIN: "1"}))
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return wrapped
