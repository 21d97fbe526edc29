"""What was measured, row by row and server by server, and the table of it."""

import collections
import contextlib
import sys
import traceback

RATES = ("messages/s", "1/s", "MB/s")

# How many times better than the fastest peer is aimed at, by how a row's title begins; for others, ahead.
AIMS = [
    ("4 KiB to", 10), ("50 KiB to", 5), ("1024 KiB to", 3),
    ("FETCH FLAGS", 3), ("FETCH ENVELOPE", 2), ("BODY[]", 3), ("SEARCH", 20),
]  # fmt: skip
WORLD = (" sent on to ", "queue drained to", " checked, to ")  # in titles of what has to do with other servers
WORLD_AIM = 3
# What a figure is to be at most, or of a rate at least, whatever the peers do; by how a title begins or ends.
LIMITS = [
    ("large queue, start until ready", 1000), ("large queue, listed", 5), ("large queue, memory", 100),
    ("large queue, read after the start", 10), ("start until ready", 100), ("memory idle", 25),
    (": written per byte", 1.3), ("idle TLS IMAP connection", 40),
    ("index, of the letters", 40), ("taken in", 1000),
]  # fmt: skip

# count: how many it was measured with, where that is not the same for all; is_whole: it took so long for all of them.
Row = collections.namedtuple("Row", "value unit count is_whole")


def fits(title, pattern):
    return title.startswith(pattern) or title.endswith(pattern)


def aim_of(title):
    if any(part in title for part in (": written", ": acknowledged", " among ", ": CPU")):
        return 1
    if any(part in title for part in WORLD):
        return WORLD_AIM
    return next((aim for pattern, aim in AIMS if title.startswith(pattern)), 1)


def limit_of(title):
    return next((limit for pattern, limit in LIMITS if fits(title, pattern)), None)


def better(unit, value, other):
    """How many times better value is than other: faster, or smaller."""
    if value <= 0 or other <= 0:
        return None
    return value / other if unit in RATES else other / value


class Figures(dict):
    """What one server did, printed as it comes, with how many times better ours is."""

    def __init__(self, server, ours=None):
        super().__init__()
        self.server, self.ours, self.faults = server, ours, []
        self.short = getattr(server, "short", server.name)
        print(f"\n{server.name}", flush=True)

    def note(self, title, value, unit, count=None, is_whole=False):
        self[title] = Row(value, unit, count, is_whole)
        ratio = better(unit, self.ours[title].value, self.scaled(title)) if self.ours and title in self.ours else None
        many = f" of {count:,}" if count else ""
        print(f"  {title:<58} {value:12.2f} {unit + many:<24}" + (f" waxwing {ratio:8.2f} x" if ratio else ""), flush=True)

    def remark(self, title, text):
        print(f"  {title:<58} {text}", flush=True)

    def scaled(self, title):
        """The value as it would be with as many as ours."""
        row = self[title]
        mine = self.ours[title].count if self.ours and title in self.ours else None
        return row.value * mine / row.count if row.is_whole and row.count and mine else row.value

    def is_other(self, title):
        """Whether it was measured with another number than ours."""
        return self.ours is not None and title in self.ours and self[title].count != self.ours[title].count

    def is_like(self, title):
        """Whether its value may stand beside ours: a time for fewer, which does not grow with them, may not."""
        row = self[title]
        return row.is_whole or row.unit != "ms" or not self.is_other(title)

    @contextlib.contextmanager
    def attempt(self, what):
        """What fails in it costs these rows alone."""
        try:
            yield
        except Exception as fault:  # noqa: BLE001 whatever it is, the other rows are worth having
            text = (str(fault).strip().splitlines() or [type(fault).__name__])[0][:200]
            complaint = self.server.complaint() if hasattr(self.server, "complaint") else ""
            self.faults.append((what, text + f" ({complaint})" * (complaint != "")))
            self.remark(what, f"FAILED: {self.faults[-1][1]}")
            traceback.print_exc(file=sys.stderr)


def verdict(ratio, aim, value, unit, limit):
    if ratio is not None and ratio < 1:
        return "behind"
    if limit is not None and (value < limit if unit in RATES else value > limit):
        return "misses its limit"
    if ratio is not None and ratio < aim:
        return "ahead, below the aim"
    return "ahead" if ratio is not None else "within its limit" if limit is not None else ""


def cell(peer, title):
    if title not in peer:
        return "-"
    sign = "" if not peer.is_other(title) else "*" if peer[title].is_whole else "+"
    return f"{peer.scaled(title):.1f}{sign}"


def table_line(title, ours, peers):
    row = ours[title]
    rivals = [peer for peer in peers if title in peer]
    ratios = [ratio for peer in rivals if peer.is_like(title) and (ratio := better(row.unit, row.value, peer.scaled(title))) is not None]
    ratio, aim, limit = min(ratios, default=None), aim_of(title), limit_of(title)
    wanted = [f"{aim} x"] * (ratio is not None) + [f"{'>=' if row.unit in RATES else '<='} {limit}"] * (limit is not None)
    cells = [f"{row.value:.1f}", *[cell(peer, title) for peer in peers]]
    return (f"{title:<58} {row.unit:<10}" + "".join(f" {text:>10}" for text in cells) +
            f" {f'{ratio:.2f} x' if ratio is not None else '':>10} {' '.join(wanted):>12}  "
            f"{verdict(ratio, aim, row.value, row.unit, limit)}")


def table(ours, peers):
    """A line for each row: ours, each peer, how many times better ours is than the best of them, and what was aimed at."""
    names = ["waxwing", *[peer.short for peer in peers]]
    print("\n" + f"{'':<58} {'unit':<10}" + "".join(f" {name:>10}" for name in names) + f" {'ratio':>10} {'aim':>12}")
    for title in ours:
        print(table_line(title, ours, peers))
    print("\nratio: how many times better than the best of the peers, at what each was measured with\n"
          "* measured with fewer messages, and the time multiplied to as many as ours; + measured with fewer, as it is: "
          "a time like this has no part in the ratio")
    for figures in [ours, *peers]:
        for what, why in figures.faults:
            print(f"not measured: {figures.server.name}: {what}: {why}")
