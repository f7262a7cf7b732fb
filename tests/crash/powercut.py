#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""powercut - cut the power at many points of a running suite's life, and audit what is left.

A user-mode kernel (Debian's user-mode-linux) runs the installed suite with its spool and its
mailboxes on file systems over dm-log-writes, while clients send. Then, for each cut: replay both logs
up to a point, half of the time without some of the writes that no flush had covered; mount, which
replays the file system's journal; start the suite on it, sometimes killing it during recovery; drain;
compare with the ledger. The figures are printed, and the exit status says whether they hold. With
--mutant the daemons' syncs do nothing, and the run fails unless mail is lost.
"""
import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import ledger
import logwrites
import world

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
UML = pathlib.Path(os.environ.get("POSTRIDER_UML", TOP / ".peers" / "uml"))
SIZE = {"ext4": 192, "xfs": 320}  # megabytes; xfs takes no less than 300
IN_FLIGHT = 5.0  # seconds in which marks need not be durable (queue_sync), in a slow kernel


def run(*command, **kw):
    return subprocess.run([str(c) for c in command], check=True, **kw)


def make_file_system(kind, path):
    with open(path, "wb") as f:
        f.truncate(SIZE[kind] << 20)
    if kind == "ext4":
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", path)
        return
    tree = TOP / ".peers" / "xfs"
    tool = shutil.which("mkfs.xfs") or tree / "sbin" / "mkfs.xfs"
    run(tool, "-q", "-f", path, env=dict(os.environ, LD_LIBRARY_PATH=f"{tree}/usr/lib/x86_64-linux-gnu"))


def record(options, out):
    """Run the suite in the user-mode kernel; leaves base and log images, and the ledger, in `out`."""
    modules = next((UML / "usr/lib/uml/modules").iterdir())
    settings = {}
    if options.mutant or options.slow:
        name = "nosync" if options.mutant else "slowsync"
        run("cc", "-shared", "-fPIC", f"-DSLOW_MS={options.slow}", "-o", out / f"{name}.so",
            pathlib.Path(__file__).with_name(f"{name}.c"))
        settings["import_environment"] = f"MAIL_CONFIG LD_PRELOAD={out}/{name}.so"
    (out / "job.json").write_text(json.dumps(dict(
        modules=str(modules), fs=options.fs, seed=options.seed, messages=options.messages,
        clients=options.clients, large=options.large, channels=options.channels.split(","), linger=2.0, settings=settings)))
    disks = []
    for name in ("spool", "mail"):
        make_file_system(options.fs, out / f"{name}.base")
        run("cp", "--sparse=always", out / f"{name}.base", out / f"{name}.disk")
        with open(out / f"{name}.log", "wb") as f:
            f.truncate(4 << 30)
        disks += [out / f"{name}.disk", out / f"{name}.log"]
    init = out / "init"
    environment = "".join(f"export {k}='{v}'\n" for k, v in os.environ.items()
                          if k.startswith("POSTRIDER_"))
    init.write_text(f"""#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
{environment}mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
mkdir /run/out /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t hostfs out /run/out -o {out}
ip link set lo up
/usr/bin/python3 {pathlib.Path(__file__).with_name("powercut_guest.py")} /run/out >/run/out/guest 2>&1
umount /run/out
echo o >/proc/sysrq-trigger
sleep 100
""")
    init.chmod(0o755)
    started = time.monotonic()
    command = [UML / "usr/bin/linux.uml", "mem=1024M", "rootfstype=hostfs", "rootflags=/", "ro",
               f"init={init}", "con=null", "con0=null,fd:1", "quiet",
               *(f"ubd{i}={d}" for i, d in enumerate(disks))]
    with open(out / "console", "wb") as console, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=console,
                       stderr=console, timeout=options.limit, env=dict(os.environ, TMPDIR="/dev/shm"))
    def said(name):
        path = out / name
        return path.read_text(errors="replace")[-4000:].strip() if path.exists() else f"no {name}"

    if not (out / "done").exists():
        sys.exit("powercut: recording failed\n" + "\n".join(map(said, ("guest", "console", "maillog"))))
    guest = said("guest")
    print(f"recorded in {time.monotonic() - started:.0f} s: {guest.strip()}", flush=True)


class Cuts:
    """The recorded logs, and the points at which they are cut."""

    def __init__(self, out):
        self.logs = {n: logwrites.Log(out / f"{n}.log") for n in ("spool", "mail")}
        self.marks = {n: log.marks() for n, log in self.logs.items()}
        self.events = ledger.read(out / "ledger")
        self.last = max(e.get("mark", 0) for e in self.events)
        self.by_mark = {e["mark"]: e for e in self.events if "mark" in e}

    def choose(self, count, rnd):
        """Points as (position in the spool's log, number of the mark at or after it, drop writes)."""
        starts = [self.marks["spool"][f"m{k}"] for k in range(1, self.last + 1)]
        acks = [k for k, e in self.by_mark.items() if e["event"] in ("MARKED", "ARRIVED")]
        points = []
        for k in rnd.sample(acks, min(len(acks), count // 2)):
            points.append((starts[k - 1] + 1, k, rnd.random() < .5))
        while len(points) < count:
            # As much time as writes: some cuts at a random moment, some at a random write.
            k = rnd.randint(1, self.last)
            low = starts[k - 2] + 1 if k > 1 else 0
            points.append((rnd.randint(low, starts[k - 1] + 1), k, rnd.random() < .5))
        return sorted(points)

    def known(self, mark_limit):
        """The ledger as it was when the log held marks up to mark_limit: (events, arrivals, time)."""
        events, arrivals, when = [], [], self.events[0]["time"]
        for e in self.events:
            inside = e.get("mark", mark_limit + 1) <= mark_limit
            if inside:
                when = max(when, e["time"])
            if e["event"] in (ledger.SENT, ledger.REFUSED):
                events.append(e)
            elif e["event"] == "MARKED" and inside:
                events.append(dict(e, event=ledger.ACKED))
            elif e["event"] == "ARRIVED" and inside:
                arrivals.append(ledger.Arrival(e["id"], e["channel"], e["hash"], e["time"]))
        return events, arrivals, when


class Images:
    """Both file systems at growing points of their logs, and a scratch copy of each."""

    def __init__(self, out, cuts, directory):
        self.cuts, self.directory = cuts, directory
        self.at = {"spool": 0, "mail": 0}
        for n in self.at:
            run("cp", "--sparse=always", out / f"{n}.base", directory / f"{n}.now")

    def build(self, positions, drop, rnd):
        for n, position in positions.items():
            log = self.cuts.logs[n]
            safe = log.barrier(position) if drop else position
            now, scratch = self.directory / f"{n}.now", self.directory / f"{n}.cut"
            fd = os.open(now, os.O_RDWR)
            log.apply(fd, self.at[n], safe)
            os.close(fd)
            self.at[n] = max(self.at[n], safe)
            run("cp", "--sparse=always", now, scratch)
            fd = os.open(scratch, os.O_RDWR)
            log.apply(fd, safe, position,
                      keep=lambda e: e.flags & logwrites.FUA or rnd.random() < .5)
            os.close(fd)


def check(options, directory, cuts, point, rnd):
    """Repair, start, drain, audit. Returns (figures, seconds until service, reason to keep it)."""
    position, mark, _ = point
    inside = mark if cuts.marks["spool"][f"m{mark}"] < position else mark - 1
    events, before, when = cuts.known(inside)
    spool, mail = directory / "spool", directory / "mail"
    for n, place in (("spool", spool), ("mail", mail)):
        place.mkdir(exist_ok=True)
        run("mount", "-o", "loop,nouuid" if options.fs == "xfs" else "loop", "-t", options.fs, directory / f"{n}.cut", place)
    hop = world.NextHop()
    hop.tried = Everything()
    world.make_mailboxes(mail)
    spool.chmod(0o755)
    instance = world.make_instance(spool, mail, hop.port, directory)
    try:
        begun, restarted = time.monotonic(), time.time()
        if rnd.random() < options.again:
            with contextlib.suppress(Exception):
                instance.run("postrider", "start")
            time.sleep(rnd.random() * .3)
            instance.kill_all()
            when_again = [time.time()]
        else:
            when_again = []
        instance.start()
        seconds = time.monotonic() - begun
        world.drain(instance)
        queued = world.queued(instance)
        instance.kill_all()
        # The cut came at some moment between two marks; what is older than the restart came before it.
        arrivals = before + hop.arrivals + [
            a._replace(time=min(a.time, when)) if a.time < restarted else a for a in world.mailbox_arrivals(mail)]
        figures = ledger.audit(events, arrivals, queued, [when, *when_again], in_flight=IN_FLIGHT)
        killed = "killed during recovery" if when_again else "recovered at the first try"
        note = "" if figures.good else f"  {killed}; {figures.crashes} crashes, the cut at {when:.2f}\n" + \
            figures.details() + "".join(f"  {v}\n" for v in list(queued.values())[:3]) + instance.tail(30)
    finally:
        instance.kill_all()
        hop.close()
        for place in (spool, mail):
            world.umount(place)
        instance.destroy()
    if options.fs == "ext4":
        for n in ("spool", "mail"):
            r = subprocess.run(["e2fsck", "-fn", directory / f"{n}.cut"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
            if r.returncode != 0:
                raise AssertionError(f"the rig made a broken file system:\n{r.stdout.decode()[-1500:]}")
    return figures, seconds, note


class Everything:
    def __contains__(self, item):
        return True


def worker(options, out, number, points, results):
    """Check each point of a share; a result line each."""
    rnd = random.Random(f"{options.seed}/{number}")
    directory = out / f"worker{number}"
    directory.mkdir()
    directory.chmod(0o755)
    try:
        world.account(directory, directory / "mail" / "home")
        cuts = Cuts(out)
        images = Images(out, cuts, directory)
        for point in points:
            position, mark, drop = point
            images.build({"spool": position, "mail": cuts.marks["mail"][f"m{mark}"]}, drop, rnd)
            results.put((point, *check(options, directory, cuts, point, rnd)))
    except BaseException as e:
        import traceback
        results.put((None, None, 0, f"worker {number}: {e!r}\n{traceback.format_exc()}"))
    results.put(None)


def verify(options, out):
    """All points, over some workers; returns the sum."""
    cuts = Cuts(out)
    points = cuts.choose(options.cuts, random.Random(options.seed))
    results = multiprocessing.Queue()
    # Each worker gets a mount namespace of its own, for its /etc/passwd.
    shares = [points[i::options.workers] for i in range(options.workers)]
    processes = [multiprocessing.Process(target=alone, args=(options, out, i, s, results))
                 for i, s in enumerate(shares)]
    for p in processes:
        p.start()
    total, slowest, running, broken, shown = ledger.Figures(), 0.0, len(processes), False, 0
    while running:
        item = results.get(timeout=300)
        if item is None:
            running -= 1
            continue
        point, figures, seconds, note = item
        if figures is None:
            print(note, flush=True)
            broken = True
            continue
        total.add(figures)
        slowest = max(slowest, seconds)
        if note and shown < (1 if options.mutant else 20):
            shown += 1
            # All that is wrong; of the log, what belongs to the first few.
            short = "".join(line for line in note.splitlines(True) if line.startswith("  "))
            print(f"cut {point}: {figures}\n{note if shown <= 5 else short}", flush=True)
    return total, slowest, broken


def alone(options, out, number, points, results):
    if world.LIBC.unshare(0x20000) != 0:  # CLONE_NEWNS
        raise OSError(world.ctypes.get_errno(), "unshare")
    world.mount("none", "/", "none", 0x44000)  # MS_REC | MS_PRIVATE
    worker(options, out, number, points, results)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cuts", type=int, default=200)
    p.add_argument("--messages", type=int, default=250)
    p.add_argument("--clients", type=int, default=4)
    p.add_argument("--large", type=float, default=.03, help="share of messages over the journal's limit")
    p.add_argument("--channels", default="md,mb,net,slow,bounce")
    p.add_argument("--fs", choices=sorted(SIZE), default="ext4")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--again", type=float, default=.25, help="share of recoveries that are killed too")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--limit", type=int, default=300, help="seconds for the recording")
    p.add_argument("--mutant", action="store_true", help="syncs do nothing: mail must be lost")
    p.add_argument("--slow", type=int, default=0, help="milliseconds that a mailbox waits for its sync")
    p.add_argument("--keep", help="a folder that keeps logs and ledger")
    options = p.parse_args()
    world.unshare()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="postrider-cut-", dir="/var/tmp"))
    try:
        world.mount("cut", scratch, "tmpfs", 0, "size=6g,mode=755")
        out = scratch / "cut"
        out.mkdir()
        record(options, out)
        begun = time.monotonic()
        total, slowest, broken = verify(options, out)
        print(f"powercut fs {options.fs}{' MUTANT' if options.mutant else ''} seed {options.seed} "
              f"in {time.monotonic() - begun:.0f} s, slowest start {slowest:.1f} s: {total}", flush=True)
        if options.keep:
            for name in ("ledger", "maillog"):
                shutil.copy(out / name, options.keep)
    finally:
        world.umount(scratch, 2)
        scratch.rmdir()
    if options.mutant:
        sys.exit(0 if total.lost and not broken else "powercut: the mutant lost nothing: the rig is blind")
    sys.exit(0 if total.good and not broken else 1)


if __name__ == "__main__":
    main()
