"""Real faults for a running server: system calls that fail, descriptors that run out, processes that die."""
import contextlib
import itertools
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest

from server import alive, children, wait_until

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may attach to a role, which is not dumpable")


def tracer(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    return 0


@contextlib.contextmanager
def injected(pid, calls, what):
    """While this lasts, these system calls of a process go as strace(1) says of `inject`. Yields how many did."""
    with tempfile.NamedTemporaryFile(prefix="waxwing-strace-") as seen:
        strace = subprocess.Popen(["strace", "-f", "-qq", "-o", seen.name, "-p", str(pid), "-e", f"trace={calls}",
                                   "-e", f"inject={calls}:{what}"], stderr=subprocess.PIPE)
        try:
            wait_until(lambda: strace.poll() is not None or tracer(pid) == strace.pid, 10, "strace is attached")
            assert strace.poll() is None, strace.stderr.read().decode()
            yield lambda: pathlib.Path(seen.name).read_text().count("(INJECTED)")
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait(10)
            strace.stderr.close()
            wait_until(lambda: not alive(pid) or tracer(pid) == 0, 10, "strace has let go")


def failing(pid, calls, error, when="1+"):
    """While this lasts, these system calls of a process fail without being carried out."""
    return injected(pid, calls, f"error={error}:when={when}")


def pids(server, role):
    return sorted(pid for pid, name in server.roles().items() if name == role)


def pid_of(server, role):
    return wait_until(lambda: (found := pids(server, role)) and found[-1], 20, f"a {role} runs")


def kill(server, rng, name):
    """SIGKILL for one process of a role, for the supervisor, or for all; then the server is in order again. The name."""
    if name == "all":
        server.kill()
        server.start()
        return name
    if name == "supervisor":  # the others see that it has gone, and end
        below = children(server.process.pid)
        server.process.kill()
        server.process.wait(10)
        wait_until(lambda: not any(map(alive, below)), 20, "roles end with the supervisor")
        server.process = None
        server.start()
        return name
    try:
        os.kill(rng.choice(pids(server, name)), signal.SIGKILL)
    except (ProcessLookupError, IndexError):
        pass
    # One that was killed often enough waits for half a minute before it is started again.
    wait_until(lambda: server.tool("status", check=False).returncode == 0, 60, f"healthy after {name} was killed")
    return name


@contextlib.contextmanager
def store_down(server):
    """The folder of the log is away, as with a disk that is not mounted: store dies as often as it is started."""
    log, away = server.data / "log", server.data / "log.away"
    gone = pid_of(server, "store")
    log.rename(away)
    try:
        os.kill(gone, signal.SIGKILL)
        wait_until(lambda: not alive(gone), 10, "store is dead")
        yield
    finally:
        away.rename(log)
    wait_until(lambda: server.status()["state"] == "healthy", 30, "store is back")


def ready(server, role):
    """That every process of a role is ready, and their pids."""
    rows = [row for row in server.status()["roles"] if row["role"] == role]
    return all(row["state"] == "ready" for row in rows) and [row["pid"] for row in rows]


def detail(server, role):
    """What the processes of a role say of themselves."""
    return [row["detail"] for row in server.status()["roles"] if row["role"] == role and row["detail"]]


@contextlib.contextmanager
def few_descriptors(pid, spare):
    """Leaves a process so many descriptors more than it has: what it holds above the limit stays."""
    facts = pathlib.Path(f"/proc/{pid}/status").read_text()
    user, group = (int(facts.split(f"\n{name}:")[1].split()[0]) for name in ("Uid", "Gid"))
    before = [line.split()[3:5] for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
              if line.startswith("Max open files")][0]

    def limit(count):  # as the process's own user: root without CAP_SYS_RESOURCE may not
        more = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 and user != 0 else {}
        subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={count}:{before[1]}"], check=True, **more)

    held = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    free = (number for number in itertools.count() if number not in held)
    limit(next(itertools.islice(free, spare, None)))
    try:
        yield
    finally:
        if alive(pid):
            limit(before[0])


def memory(pid):
    """Bytes of its own that a process holds now."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu(pid):
    """Seconds of processor time a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
