# SPDX-License-Identifier: ISC
"""ledger - what was sent, what was said about it, and what became of it.

Clients note each message with its id and the hash of its content in a file that the fault under test
cannot reach: SENT before the final dot, then ACKED, REFUSED or UNKNOWN. After repair and drain the
audit compares that with what lies in mailboxes, at the next hop, and in the queue:

  lost        acknowledged, and neither delivered, bounced nor queued: must be 0
  corrupt     delivered with another content: must be 0
  phantom     refused for good, or before the content was complete, and delivered: must be 0
  stuck       still queued when everything should have left: must be 0
  torn        a part of a message in an mbox, which a crash cut off in the middle of its delivery; all of it
              is there, too, if it was acknowledged. The format has no remedy: counted
  early       told 4xx, yet delivered (a crash between commit and reply; the client repeats it: a duplicate)
  duplicated  delivered more than once; beyond what was in flight at the crashes: must be 0
"""
import collections
import hashlib
import json
import os
import re
import time

SENT, ACKED, REFUSED, UNKNOWN = "SENT", "ACKED", "REFUSED", "UNKNOWN"


def normal(body):
    """A body whatever its line ends, its trailing empty lines, and the > that an mbox puts before From."""
    return re.sub(rb"(?m)^>+From ", b"From ", body.replace(b"\r\n", b"\n")).rstrip(b"\n")


def content_hash(body):
    return hashlib.sha256(normal(body)).hexdigest()[:24]


def content_size(body):
    """How much of a body is there: NUL bytes, which nobody sends here, are what a file system shows of a file
    whose size it wrote before the data."""
    return len(normal(body).replace(b"\0", b""))


class Ledger:
    """Appends to a file; one line an event, written with one call."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, event, ident, **more):
        line = json.dumps({"event": event, "id": ident, "time": time.time(), **more})
        os.write(self.fd, line.encode() + b"\n")


def read(path):
    """The events of a ledger file, as dicts, in order."""
    with open(path, encoding="ascii") as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


# One copy of a message at the end of a channel. `hash` is of what arrived; `size` of what may be a part of a
# message, else None; `where` tells a reader of the report about the place.
Arrival = collections.namedtuple("Arrival", "id channel hash time size where", defaults=(None, ""))


class Figures:
    """The audit's result. `deliveries` are (id, channel) pairs."""

    def __init__(self):
        self.sent = self.acked = self.refused = self.unknown = 0
        self.delivered = self.bounced = 0
        self.lost, self.corrupt, self.phantom, self.stuck, self.early = [], [], [], [], []
        self.torn = []        # (id, channel, time)
        self.duplicated = []  # (id, channel, time of the first copy)
        self.excess = []      # duplicated without a crash that explains it
        self.crashes = 0

    def add(self, other):
        """Sum up several experiments."""
        for name in ("sent", "acked", "refused", "unknown", "delivered", "bounced", "crashes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("lost", "corrupt", "phantom", "stuck", "early", "torn", "duplicated", "excess"):
            getattr(self, name).extend(getattr(other, name))

    @property
    def good(self):
        return not (self.lost or self.corrupt or self.phantom or self.stuck or self.excess)

    def __str__(self):
        return (f"crashes {self.crashes} sent {self.sent} acked {self.acked} refused {self.refused} "
                f"unknown {self.unknown} delivered {self.delivered} bounced {self.bounced} | "
                f"lost {len(self.lost)} corrupt {len(self.corrupt)} phantom {len(self.phantom)} "
                f"stuck {len(self.stuck)} early {len(self.early)} torn {len(self.torn)} "
                f"duplicated {len(self.duplicated)} (not explained by a crash: {len(self.excess)})")

    def details(self, limit=5):
        """Some of the ids behind the figures that are wrong, a line each."""
        return "".join(f"  {name}: {x}\n" for name in
                       ("lost", "corrupt", "phantom", "stuck", "excess", "torn") for x in getattr(self, name)[:limit])


def explained(t, crash_times, window, begun=None):
    """Was what was begun (if not at t) and had come at t still in flight at a crash?"""
    begun = t if begun is None else begun
    return any(min(t, begun) - 1 <= crash <= t + window or begun <= crash <= begun + window for crash in crash_times)


def is_torn(a, most, crash_times, window, begun=None):
    """Is this a part of a message of `most` bytes, as a crash in the middle of a delivery leaves it in an mbox?
    Of one without a readable time it is only known that there must have been a crash."""
    if a.channel != "mb" or a.size is None or a.size >= most:
        return False
    return explained(a.time, crash_times, window, begun) if a.time else bool(crash_times)


def wrong_copy(a, m=None):
    """What is to be said about a copy that is corrupt."""
    sent = f"sent {m.get('size')} bytes {m['hash']} by {m['how']} at {m['time']:.2f}" if m else "not sent"
    return (a.id, a.channel, f"got {a.size} bytes {a.hash} at {a.time:.2f}, {sent}; {a.where}")


def audit(events, arrivals, queued, crash_times, in_flight=2.0, early_is_phantom=False):
    """Compare. `queued`: ids still in the queue after the drain. `crash_times`: when something was
    killed or cut. A delivery is in flight at a crash for `in_flight` seconds after its copy arrived:
    the time in which what is known of it need not be on disk."""
    f = Figures()
    f.crashes = len(crash_times)
    messages, verdict = {}, {}
    for e in events:
        if e["event"] == SENT:
            messages[e["id"]] = e
        elif e["event"] in (ACKED, REFUSED, UNKNOWN):
            verdict[e["id"]] = e
    copies = collections.defaultdict(list)
    for a in arrivals:
        copies[a.id, a.channel].append(a)
    for ident, m in messages.items():
        v = verdict.get(ident, {"event": UNKNOWN})
        f.sent += 1
        f.acked += v["event"] == ACKED
        f.refused += v["event"] == REFUSED
        f.unknown += v["event"] == UNKNOWN
        if ident in queued and v["event"] != REFUSED:
            f.stuck.append((ident, m["to"]))
        for channel in m["to"]:
            got = copies.get((ident, channel), [])
            whole = [a for a in got if a.hash is None or a.hash == m["hash"]]
            f.delivered += bool(whole) and channel != "bounce"
            f.bounced += bool(whole) and channel == "bounce"
            begun = m["time"] if m["how"] == "sendmail" else None
            for a in got:
                if a in whole:
                    continue
                if (whole or v["event"] != ACKED) and is_torn(a, m.get("size", 0), crash_times, in_flight, begun):
                    f.torn.append((ident, channel, a.time))
                else:
                    f.corrupt.append(wrong_copy(a, m))
            if v["event"] == ACKED and not got and ident not in queued:
                f.lost.append((ident, channel))
            if v["event"] == REFUSED and got:
                # 5xx, or no final dot was sent, is a promise; 4xx only says "again".
                early = v.get("code", 0) // 100 == 4 and not early_is_phantom
                (f.early if early else f.phantom).append((ident, channel))
            times = sorted(a.time for a in whole)
            for t in times[:-1]:
                # Each copy but the last was forgotten: a crash soon after it must explain that.
                f.duplicated.append((ident, channel, t))
                # sendmail's file in maildrop/ may outlive a crash between its acceptance into the
                # queue and the durable removal of its name.
                # A report counts from when it was made (whole seconds); it is delivered later.
                window = 2 * in_flight + 1 if channel == "bounce" else in_flight
                if not explained(t, crash_times, window, begun):
                    f.excess.append((ident, m["how"], channel, t, [round(c - t, 2) for c in crash_times]))
    for a in arrivals:
        if a.id in messages:
            continue
        # Of a part without its head it is not known whose it is: of a message that is not lost, then.
        headless = a.id == "?" or any(ident.startswith(a.id) for ident in messages)
        if headless and not f.lost and is_torn(a, float("inf"), crash_times, in_flight):
            f.torn.append((a.id, a.channel, a.time))
        else:
            f.corrupt.append(wrong_copy(a))
    return f
