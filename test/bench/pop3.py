"""How fast a maildrop is fetched over POP3 under TLS, as a client that costs next to nothing sees it."""

import subprocess

import peers

USER = 2
MESSAGES, MESSAGES_QUICK = 1_000, 100
SIZE = 12288


def build(folder):
    return peers.compile_tool(folder, "popload", "popload.c", "client.c")


def run(server, tool, *commands):
    """Seconds and bytes of the login, then of each command."""
    words = [tool, "127.0.0.1", str(server.imap_port + 852), "tls", *server.login_of(USER), *commands]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    rows = [line.split(None, 4) for line in done.stdout.splitlines()]
    if len(rows) != len(commands) + 1 or any(row[3] != "OK" for row in rows):
        raise RuntimeError(f"{commands[max(len(rows), 1) - 1]}: {done.stderr}")
    return [(float(row[0]), int(row[1])) for row in rows]


def measure(server, tool, quick, figures):
    count = MESSAGES_QUICK if quick else MESSAGES
    with figures.attempt("POP3"):
        server.fill(USER, count, SIZE)
        peers.wait_for_mail(server, USER, count).logout()
        rows = run(server, tool, "STAT", "UIDL", "LIST", "QUIT")
        figures.note(f"POP3 login, STAT, UIDL and LIST of {count:,}", 1000 * sum(seconds for seconds, _ in rows[:4]), "ms")
        rows = run(server, tool, f"x{count}:RETR %u", f"x{count}:|RETR %u", f"x{count}:|DELE %u", "QUIT")
        for title, (seconds, octets) in (("one by one", rows[1]), ("pipelined", rows[2])):
            figures.note(f"POP3 RETR of {count:,} x 12 KiB over TLS, {title}", octets / seconds / 1e6, "MB/s")
        figures.note(f"POP3 DELE of {count:,}, pipelined, and QUIT", 1000 * (rows[3][0] + rows[4][0]), "ms")
