"""What `make install` puts where, and the server it makes: as root, with its own system user, on the real ports."""
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from server import PROGRAM, ROOT, alive, children, wait_until

PREFIX = "/usr/local"


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    folder.chmod(0o755)
    run("make", "-C", ROOT, "install", f"BUILD={PROGRAM.resolve().parent}", f"DESTDIR={folder}", f"PREFIX={PREFIX}")
    return folder


def test_everything_is_in_its_place(installed):
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert found == {"usr/local/bin/waxwing", "lib/systemd/system/waxwing.service", "usr/lib/sysusers.d/waxwing.conf",
                     "usr/local/share/man/man1/waxwing.1", "usr/local/share/man/man5/waxwing.conf.5"}
    unit = (installed / "lib/systemd/system/waxwing.service").read_text()
    assert f"ExecStart={PREFIX}/bin/waxwing serve" in unit and "@PREFIX@" not in unit


def test_the_manual_tells_every_command_and_setting(installed):
    pages = {page: run("man", "-l", installed / "usr/local/share/man" / page, env=dict(os.environ, MANWIDTH="120", LC_ALL="C"))
             for page in ("man1/waxwing.1", "man5/waxwing.conf.5")}
    program = installed / "usr/local/bin/waxwing"
    for line in run(program, "help").splitlines():
        if line.startswith("  ") and not line.startswith("   "):
            assert " ".join(line.split()[:2]) in pages["man1/waxwing.1"]
    for line in run(program, "config").splitlines():
        if " = " in line and not line.startswith("#"):
            assert line.split()[0] in pages["man5/waxwing.conf.5"].split()
    assert "@DERIVED@" not in "".join(pages.values())


def test_the_unit_is_in_order(installed, tmp_path):
    """Offline: the program is where the unit says, in a root of its own."""
    unit = tmp_path / "waxwing.service"
    text = (installed / "lib/systemd/system/waxwing.service").read_text()
    unit.write_text(text.replace(PREFIX, f"{installed}{PREFIX}").replace("Documentation=", "#"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if str(unit) in line or "waxwing.service" in line]
    assert not complaints, done.stderr


# --- the server -------------------------------------------------------------------------------------------------------

# A mount namespace for the user database and an empty /var/lib, a network namespace for the ports below 1024, and no
# capability but what the unit leaves.
HOUSE = """
set -e
mount --bind {folder}/etc/passwd /etc/passwd
mount --bind {folder}/etc/group /etc/group
mount -t tmpfs tmpfs /var/lib
ip link set lo up
exec setpriv --bounding-set=-all,{capabilities} --no-new-privs {folder}{prefix}/bin/waxwing serve
"""


def capabilities(installed):
    for line in (installed / "lib/systemd/system/waxwing.service").read_text().splitlines():
        if line.startswith("CapabilityBoundingSet="):
            return ",".join(f"+{name[4:].lower()}" for name in line.split("=")[1].split())
    raise AssertionError("the unit leaves every capability")


class House:
    def __init__(self, installed):
        etc = installed / "etc"
        etc.mkdir()
        for name in ("passwd", "group"):
            (etc / name).write_bytes(pathlib.Path("/etc", name).read_bytes())
        run("systemd-sysusers", f"--root={installed}")
        self.uid = next(int(line.split(":")[2]) for line in (etc / "passwd").read_text().splitlines()
                        if line.startswith("waxwing:"))
        self.program = f"{installed}{PREFIX}/bin/waxwing"
        script = HOUSE.format(folder=installed, prefix=PREFIX, capabilities=capabilities(installed))
        self.process = subprocess.Popen(["unshare", "-m", "-n", "sh", "-c", script], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline() == "ready\n", self.process.stderr.read()

    def inside(self, *words, stdin=""):
        return run("nsenter", "-t", self.process.pid, "-m", "-n", *words, input=stdin)

    def tool(self, *words, stdin=""):
        return self.inside(self.program, *words, stdin=stdin)

    def roles(self):
        for pid in children(self.process.pid):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            yield pid, words[words.index(b"role") + 1].decode() if b"role" in words else "session"


@pytest.fixture(scope="module")
def house(installed):
    if os.geteuid() != 0:
        pytest.skip("only root installs a system")
    house = House(installed)
    everyone = [house.process.pid] + children(house.process.pid)
    try:
        yield house
        house.process.terminate()
        assert house.process.wait(20) == 0
        wait_until(lambda: not any(map(alive, everyone)), 10, "all have ended")
    finally:
        house.process.kill()


def ids(pid, what):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return line.split()[1:]
    raise AssertionError(what)


def test_the_roles_run_as_the_system_user_and_have_no_rights(house):
    seen = set()
    for pid, role in house.roles():
        if role == "session":
            continue
        seen.add(role)
        assert set(ids(pid, "Uid")) == {str(house.uid)}, role
        assert int(ids(pid, "CapEff")[0], 16) == 0 and int(ids(pid, "CapPrm")[0], 16) == 0, role
        assert ids(pid, "NoNewPrivs") == ["1"] and ids(pid, "Seccomp") == ["2"], role
        if role in ("gate", "intake"):
            assert os.listdir(f"/proc/{pid}/root") == [], f"{role} sees files"
    assert seen == {"courier", "gate", "intake", "keeper", "store"}
    assert ids(house.process.pid, "Uid")[0] == "0"


def test_the_data_belongs_to_the_system_user_and_to_nobody_else(house):
    data = pathlib.Path(f"/proc/{house.process.pid}/root/var/lib/waxwing")
    assert data.stat().st_uid == house.uid and data.stat().st_mode & 0o066 == 0
    for path in data.rglob("*"):
        status = path.lstat()
        assert status.st_mode & 0o077 == 0 or path.is_symlink() or path.name == "empty", path
        assert status.st_uid in (house.uid, 0), path


def test_mail_goes_round_on_the_real_ports(house):
    house.tool("domain", "add", "demo.test")
    house.tool("account", "add", "a@demo.test", "--password-stdin", stdin="a long enough password\n")
    text = house.inside(sys.executable, "-c", textwrap.dedent("""
        import imaplib, smtplib, ssl
        with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.example") as client:
            client.sendmail("b@example.org", ["a@demo.test"], "Subject: hello\\r\\n\\r\\nhello\\r\\n")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=context) as client:
            client.login("a@demo.test", "a long enough password")
            client.select()
            print(client.fetch("1", "BODY.PEEK[TEXT]")[1][0][1])
        """))
    assert "hello" in text
    session = [pid for pid, role in house.roles() if role == "session" and ids(pid, "Uid")[0] != "0"]
    assert session and all(set(ids(pid, "Uid")) == {str(house.uid)} for pid in session)
    assert house.tool("reload") == ""
    assert "healthy" in house.tool("status")
