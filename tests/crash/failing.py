#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""failing - each kind of system call on the way of a message into the queue fails once, with each of its
errors, at its first, second ... k-th time.

strace, attached to cleanup, lets the call fail (getpid stands in for it, which the sandbox allows) while clients send: small messages, one that gets a file of
its own, and enough to use up a segment. Each client must hear 250, or 4xx (452 4.3.1 where there is no
room), and nothing else; then the ledger must hold, and what was told 4xx must not be delivered.
"""
import argparse
import collections
import contextlib
import fcntl
import multiprocessing
import pathlib
import random
import sys
import tempfile
import threading
import time

import kill
import ledger
import world

# Calls for which a segment must be used up, and a new one made, while the fault is set.
ROTATE = ("openat", "fallocate", "renameat2", "fsync", "pwrite64", "flock", "ftruncate", "getdents64",
          "unlinkat", "close", "fstat", "fstatfs")
FULL = ("ENOSPC", "EDQUOT", "EFBIG")
TABLE = {
    "openat": ("ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO", "EROFS", "ENOMEM"),
    "pwritev": ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "ENOMEM"),
    "pwrite64": ("ENOSPC", "EDQUOT", "EFBIG", "EIO"),
    "fdatasync": ("ENOSPC", "EDQUOT", "EIO"),
    "fsync": ("ENOSPC", "EDQUOT", "EIO"),
    "fallocate": ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EINTR", "EOPNOTSUPP"),
    "renameat2": ("ENOSPC", "EDQUOT", "EIO", "EROFS"),
    "renameat": ("ENOSPC", "EIO"),
    "linkat": ("ENOSPC", "EIO"),
    "unlinkat": ("EIO", "EROFS"),
    "close": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO", "EINTR"),
    "fstat": ("EIO", "ENOMEM"),
    "newfstatat": ("EIO",),
    "flock": ("ENOLCK", "EINTR"),
    "pread64": ("EIO",),
    "getdents64": ("EIO",),
    "fstatfs": ("EIO",),
    "statfs": ("EIO",),
    "recvmsg": ("ENOMEM", "EINTR", "ECONNRESET"),
    "sendmsg": ("EPIPE", "ENOBUFS", "EINTR"),
    "accept4": ("EMFILE", "ENFILE", "ECONNABORTED", "EINTR"),
    "epoll_ctl": ("ENOMEM",),
    "getrandom": ("EINTR",),
}


class Failing(kill.Share):
    """One suite whose cleanup meets errors."""

    def __init__(self, options, number, scratch):
        options.large, options.again = 0, 0
        super().__init__(options, number, scratch)
        self.load.exit_is_final = True
        self.faults = []  # (ledger position, call, error, n)

    def send(self, rotate):
        load = self.load
        jobs = [lambda: load.smtp(2), lambda: load.smtp(2), load.sendmail,
                lambda: load.smtp(1, size=world.LARGE)]
        if rotate:
            self.forget_free_segments()
            self.hop.open.clear()  # nothing leaves the journal, so no segment comes back
            jobs += [lambda: load.smtp(9, size=1900 * 1024)] * 2
        threads = [threading.Thread(target=j, daemon=True) for j in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.hop.open.set()

    def forget_free_segments(self):
        """Without recycled segments new ones are made. The last serial must stay known."""
        names = sorted((self.instance.queue / "journal").glob("F*"), key=lambda p: int(p.name[1:]))
        for path in names[:-1]:
            with contextlib.suppress(OSError), open(path, "rb") as f:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    def point(self, call, error, n):
        daemon = self.options.daemon
        if not self.instance.pids(daemon):
            self.load.smtp(1)
        pids = self.instance.pids(daemon)
        before = len(ledger.read(self.ledger_path))
        tracer, output = self.strace(pids, "-e", f"trace={call}",
                                     "-e", f"inject={call}:error={error}:syscall=getpid:when={n}")
        self.send(rotate=call in ROTATE)
        kill.end(tracer)
        hit = "INJECTED" in output.read_text(errors="replace")
        self.outcomes[call, "failed" if hit else "not reached"] += 1
        self.faults.append((before, len(ledger.read(self.ledger_path)), call, error, n, hit))
        if any(not kill.alive(p) for p in pids):
            self.outcomes[call, "DIED"] += 1
            self.died.append((call, error, n))
        return hit

    def wrong_replies(self, events):
        """Replies that a client should not have heard, with the fault that was set."""
        wrong = []
        for first, last, call, error, n, hit in self.faults:
            for e in events[first:last]:
                if e["event"] == ledger.UNKNOWN and call != "sendmsg" or e["event"] == ledger.REFUSED and (
                        e["code"] // 100 != 4):
                    wrong.append((call, error, n, e))
                elif e["event"] == ledger.REFUSED and error in FULL and call in (
                        "fallocate", "pwritev", "pwrite64", "fdatasync") and e["code"] != 400 and (
                            e["code"] != 452 or "4.3.1" not in e["text"]):
                    wrong.append((call, error, n, e))
                if e["event"] == ledger.REFUSED:
                    self.outcomes[call, "refused"] += 1
        return wrong

    def lost_replies(self, events):
        """cleanup's answer not reaching its client is as a crash: 4xx, and perhaps delivered all the
        same. Such refusals become unknown; returns when that was."""
        times = []
        for first, last, call, *_, hit in self.faults:
            if call == "sendmsg" and hit and last > first:
                times += [events[first]["time"], events[last - 1]["time"]]
                for e in events[first:last]:
                    if e["event"] == ledger.REFUSED and e["code"] // 100 == 4:
                        e["event"] = ledger.UNKNOWN
        return times

    def run(self, points):
        self.died = []
        self.instance.start()
        try:
            for call, error, n in points:
                self.point(call, error, n)
            self.load.burst()
            drained = world.drain(self.instance, 60)
            queued = world.queued(self.instance)
            arrivals = world.mailbox_arrivals(self.mail) + self.hop.arrivals
            events = ledger.read(self.ledger_path)
            crashes = self.lost_replies(events)
            figures = ledger.audit(events, arrivals, queued, crashes, early_is_phantom=True)
            wrong = self.wrong_replies(events)
            note = "".join(f"  wrong reply: {w}\n" for w in wrong[:8])
            note += "".join(f"  died: {d}\n" for d in self.died)
            if not figures.good or not drained:
                note += figures.details() + self.explain(figures) + self.instance.mailq()[-2000:]
                for ident in {x[0] for x in figures.phantom + figures.lost + figures.excess}:
                    note += "".join(f"  {ident} under {f[2:]}\n" for f in self.faults for e in
                                    events[f[0]:f[1]] if e["id"] == ident)
            return figures, self.outcomes, 0, note
        finally:
            self.instance.kill_all()
            self.hop.close()
            self.instance.destroy()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--times", type=int, default=3, help="the call fails at its 1st .. k-th time")
    p.add_argument("--points", type=int, default=0, help="so many of the points, chosen at random; 0: all")
    p.add_argument("--daemon", default="cleanup")
    p.add_argument("--channels", default="md,net")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--workers", type=int, default=2)
    options = p.parse_args()
    world.unshare()
    points = [(c, e, n) for c in TABLE for e in TABLE[c] for n in range(1, options.times + 1)]
    rnd = random.Random(options.seed)
    if options.points:
        points = rnd.sample(points, min(options.points, len(points)))
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="postrider-fail-", dir="/var/tmp"))
    total, outcomes, broken = ledger.Figures(), collections.Counter(), False
    begun = time.monotonic()
    try:
        world.mount("fail", scratch, "tmpfs", 0, "size=8g,mode=755")
        results = multiprocessing.Queue()
        processes = []
        for i in range(options.workers):
            processes.append(multiprocessing.Process(target=kill.share, args=(
                options, i, points[i::options.workers], scratch, results, Failing)))
            processes[-1].start()
        for _ in processes:
            figures, counts, _, note = results.get(timeout=1800)
            broken = broken or figures is None or bool(note)
            if figures is not None:
                total.add(figures)
                outcomes.update(counts)
            if note:
                print(note, flush=True)
        for q in processes:
            q.join(10)
    finally:
        world.umount(scratch, 2)
        scratch.rmdir()
    kill.print_outcomes(outcomes)
    print(f"failing {options.daemon} seed {options.seed}, {len(points)} points in "
          f"{time.monotonic() - begun:.0f} s: {total}", flush=True)
    sys.exit(0 if total.good and not broken else 1)


if __name__ == "__main__":
    main()
