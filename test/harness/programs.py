"""Mail programs as their users run them: each with a home folder of its own and settings that name our server."""
import os
import pwd
import ssl
import subprocess
import textwrap

from server import PASSWORD


def run(*words, folder=None, check=True, seconds=120, **more):
    """With that folder as home. What it has said is bytes."""
    if folder is not None:
        home = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "FETCHMAILHOME")}
        more = {"cwd": folder, "env": dict(os.environ, **home), **more}
    done = subprocess.run([str(word) for word in words], capture_output=True, timeout=seconds, **more)
    assert not check or done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done


def certificate(server, folder, port=993):
    """The server's, as a file that a program may be told to trust."""
    path = folder / "certificate.pem"
    path.write_text(ssl.get_server_certificate(("127.0.0.1", server.port(port))))
    return path


def mbsync(server, user, folder, *options, password=PASSWORD, port=993, mechanisms="*", check=True):
    """Both ways; the copy is in mbsync/ below the folder."""
    local = folder / "mbsync"
    local.mkdir(exist_ok=True)
    (folder / "mbsyncrc").write_text(textwrap.dedent(f"""\
        IMAPAccount ours
        Host 127.0.0.1
        Port {server.port(port)}
        User {user}
        Pass "{password}"
        SSLType {"IMAPS" if port == 993 else "STARTTLS"}
        AuthMechs {mechanisms}
        CertificateFile {certificate(server, folder)}

        IMAPStore far
        Account ours

        MaildirStore near
        Path {local}/
        Inbox {local}/INBOX
        SubFolders Verbatim

        Channel all
        Far :far:
        Near :near:
        Patterns *
        Create Both
        Expunge Both
        SyncState *
        """))
    return run("mbsync", *options, "-c", folder / "mbsyncrc", "-a", folder=folder, check=check)


def getmail(folder, retriever, delete):
    """Into the Maildir mail/ below the folder. It will not run as root; another user is himself already."""
    settings = [f"[retriever]\n{textwrap.dedent(retriever)}",
                f"[destination]\ntype = Maildir\npath = {folder}/mail/\n",
                f"[options]\nread_all = false\ndelete = {'true' if delete else 'false'}\n"]
    for name in ("cur", "new", "tmp"):
        (folder / "mail" / name).mkdir(parents=True, exist_ok=True)
    (folder / "getmailrc").write_text("".join(settings))
    somebody = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        somebody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        for above in (folder.parent, folder.parent.parent):
            above.chmod(above.stat().st_mode | 0o011)
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    run("getmail", "--getmaildir", folder, "--rcfile", folder / "getmailrc", folder=folder, **somebody)
