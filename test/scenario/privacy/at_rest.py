"""
What a thief of the disk finds: mail with known markers everywhere it can carry one is sent, read, filed and searched
for; then every byte of the data folder and every command line is looked through for them.
"""
import base64
import os
import pathlib
import quopri

from server import Server, wait_for

MARKERS = {
    "sender": "xqsenderzv",
    "subject": "Xqsubjectzv",
    "body": "Xqbodywordzv",
    "attachment": "Xqattachmentzv",
    "content": "Xqcontentzv",
    "folder": "Xqfolderzv",
    "keyword": "Xqkeywordzv",
    "search": "Xqsearchedzv",
    "recipient_name": "Xqnamezv",
    "umlaut": "Xqgrößezv",
    "helo": "xqhelozv",
    "appended": "Xqappendedzv",
    "password": "Xqpasswordzv-long",
}
MAIL = "\r\n".join([
    f"From: Someone <{MARKERS['sender']}@example.org>",
    f"To: {MARKERS['recipient_name']} <a@demo.test>",
    f"Subject: {MARKERS['subject']} {MARKERS['umlaut']}",
    "Message-ID: <Xqsubjectzv.1@example.org>",
    "MIME-Version: 1.0",
    "Content-Type: multipart/mixed; boundary=b",
    "", "--b", "Content-Type: text/plain; charset=utf-8", "", f"{MARKERS['body']} {MARKERS['umlaut']}",
    "--b", f"Content-Type: application/octet-stream; name={MARKERS['attachment']}.txt",
    "Content-Transfer-Encoding: base64", "", base64.b64encode(MARKERS["content"].encode() * 50).decode(),
    "--b--", ""]).encode()


def forms(text):
    """A marker as the ways it can stand on a disk: any alignment of base64, both ends of UTF-16, any case."""
    raw = text.encode()
    found = {raw, raw.lower(), raw.upper(), quopri.encodestring(raw).strip(), raw.hex().encode(), raw[::-1]}
    found |= {text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("utf-7")}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        found.add(encoded[4 if shift else 0:-4])
    return {form for form in found if len(form) >= 8}


def look(folder, wanted):
    hits = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            hits += [(str(path), name, form) for name, all_forms in wanted.items() for form in all_forms if form in data]
            hits += [(str(path), name, "name") for name in wanted if MARKERS[name].lower() in path.name.lower()]
    return hits


def command_lines(pids):
    for pid in pids:
        try:
            yield pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def use_it_all(server):
    server.domain()
    server.account("a", MARKERS["password"])
    with server.smtp() as client:
        client.ehlo(MARKERS["helo"] + ".example")
        client.sendmail(f"{MARKERS['sender']}@example.org", ["a@demo.test"], MAIL)
    with server.imap("a", MARKERS["password"]) as client:
        assert wait_for(client, 1)[0].endswith(MAIL)
        assert client.create(MARKERS["folder"])[0] == "OK"
        assert client.append(MARKERS["folder"], f"({MARKERS['keyword']})", None,
                             f"Subject: {MARKERS['appended']}\r\n\r\nx\r\n".encode())[0] == "OK"
        assert client.store("1", "+FLAGS", f"({MARKERS['keyword']})")[0] == "OK"
        assert client.search(None, "BODY", MARKERS["body"])[1] == [b"1"]
        client.search(None, "TEXT", MARKERS["search"])
        assert client.copy("1", MARKERS["folder"])[0] == "OK"
    assert "indexed" in server.tool("index", "a@demo.test", "--password-stdin", stdin=MARKERS["password"] + "\n").stdout
    client = server.pop3("a", MARKERS["password"])
    assert MARKERS["body"].encode() in b"".join(client.retr(1)[1])
    client.quit()
    with server.smtp() as client:  # and one for the locked account, which stays pending
        client.sendmail(f"{MARKERS['sender']}@example.org", ["a@demo.test"], MAIL)


def test_nothing_is_readable_at_rest():
    wanted = {name: forms(text) for name, text in MARKERS.items()}
    with Server(settings="[smtp]\n", linger=1) as server:
        use_it_all(server)
        pids = [server.process.pid] + list(server.roles())
        lines = b"".join(command_lines(pids))
        assert not [name for name, all_forms in wanted.items() if any(form in lines for form in all_forms)]
        assert look(server.home, wanted) == []
        server.stop()
        assert look(server.home, wanted) == []
        assert not list(server.home.rglob("core*"))


def test_the_search_would_find_a_marker(tmp_path):
    """Were it written in clear, in base64 or as UTF-16, the search above would say so."""
    (tmp_path / "clear").write_bytes(b"x" * 5000 + MARKERS["body"].encode())
    (tmp_path / "base64").write_bytes(base64.b64encode(b"yy" + b"Subject: " + MARKERS["subject"].encode() + b"tail"))
    (tmp_path / "wide").write_bytes(b"\0" + MARKERS["folder"].encode("utf-16-le"))
    wanted = {name: forms(text) for name, text in MARKERS.items()}
    assert {name for _, name, _ in look(tmp_path, wanted)} == {"body", "subject", "folder"}


def test_files_are_for_the_owner_only():
    with Server() as server:
        use_it_all(server)
        for path in server.data.rglob("*"):
            mode = os.lstat(path).st_mode & 0o777
            allowed = 0o711 if path.is_dir() else 0o600
            if path.name == "empty" or path.name.endswith("cert.pem"):
                continue
            assert mode & ~allowed == 0, f"{path}: {mode:o}"
        server.stop()


def test_the_log_names_nobody():
    with Server() as server:
        use_it_all(server)
        server.stop()
        text = server.log.read_text(errors="replace").lower()
        for marker in list(MARKERS.values()) + ["127.0.0.1", "a@demo.test"]:
            assert marker.lower() not in text, marker
