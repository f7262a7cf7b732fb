#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""kill - kill -9 of one daemon, or of all, at the N-th system call of a kind, and audit what is left.

strace, attached to the daemon, kills it just before its N-th call of a kind while clients send and
messages go to mailboxes and to a next hop. Where everything is to die, the rest follows at once, and the
suite is started again, sometimes killed once more at a call during its recovery. Which calls there are,
and how many, a first round of each daemon tells. At the end of a share everything is drained, and the
ledger must hold.
"""
import argparse
import collections
import contextlib
import multiprocessing
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback


import ledger
import world
from world import harness

DAEMONS = ("smtpd", "cleanup", "qmgr", "bounce", "local", "smtp", "pickup", "postdrop", "master")
POSTDROP_CALLS = ("openat", "read", "write", "fchmod", "fchown", "fsync", "fdatasync", "rename", "renameat",
                  "renameat2", "linkat", "close", "connect", "exit_group", "unlinkat", "fstat", "newfstatat")
RECOVERY_CALLS = ("openat", "pread64", "renameat2", "renameat", "unlinkat", "fsync", "fdatasync",
                  "pwrite64", "pwritev", "flock", "getdents64", "ftruncate", "fallocate")
IN_FLIGHT = 2.0


class Share:
    """One suite, killed at many points in turn."""

    def __init__(self, options, number, scratch):
        self.options, self.number = options, number
        self.random = random.Random(f"{options.seed}/{number}")
        self.directory = scratch / f"share{number}"
        self.directory.mkdir()
        spool, self.mail = self.directory / "spool", self.directory / "mail"
        for d in (self.directory, spool, self.mail):
            d.mkdir(exist_ok=True)
            d.chmod(0o755)
        world.account(self.directory, world.make_mailboxes(self.mail))
        self.hop = world.NextHop()
        self.instance = world.make_instance(spool, self.mail, self.hop.port, self.directory,
                                            service_throttle_time="1s")
        self.ledger_path = self.directory / "ledger"
        self.load = world.Load(self.instance, ledger.Ledger(self.ledger_path), large=options.large,
                               seed=options.seed * 1000 + number, exit_is_final=False,
                               prefix=f"{number}-", channels=options.channels.split(","))
        self.crashes, self.outcomes = [], collections.Counter()
        self.profile = {}
        self.slowest = 0.0

    # ---- one point

    def traced(self, daemon):
        """The pids to attach to: starting the service first, if it is one that starts on demand."""
        return self.instance.pids(daemon)

    def wake(self, daemon):
        """Mail that starts it; the pids."""
        channels = self.load.channels
        wanted = {"bounce": "bounce", "local": "md", "smtp": "net"}.get(daemon)
        self.load.channels = (wanted,) if wanted in channels else channels
        self.load.burst(clients=1, each=1)
        self.load.channels = channels
        with contextlib.suppress(AssertionError):
            harness.eventually(lambda: self.traced(daemon), 1.5)
        return self.traced(daemon)

    def strace(self, pids, *arguments):
        output = self.directory / "strace"
        command = ["strace", "-f", "-qq", "-o", str(output), *arguments]
        for pid in pids:
            command += ["-p", str(pid)]
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        harness.eventually(lambda: tracer.poll() is not None or all(map(is_traced, pids)), 10, "strace")
        return tracer, output

    def learn(self, daemon):
        """Which calls the daemon makes during a burst, and how often."""
        pids = self.traced(daemon)
        if not pids:
            pids = self.wake(daemon)
        if not pids:
            return {}
        tracer, output = self.strace(pids, "-c")
        self.disturb(daemon)
        self.load.burst()
        time.sleep(.3)
        end(tracer)
        counts = {}
        for line in output.read_text().splitlines():
            words = line.split()
            if len(words) >= 5 and re.fullmatch(r"[0-9.]+", words[0]) and words[3].isdigit() and \
                    words[-1] != "total":
                counts[words[-1]] = int(words[3])
        return counts

    def disturb(self, daemon):
        """What makes the daemon work, beside mail: master is told to reload."""
        if daemon == "master":
            self.instance.reload(check=False)

    def choose(self, daemon):
        if not self.profile.get(daemon):
            self.profile[daemon] = self.learn(daemon)
        calls = self.profile[daemon]
        if not calls:
            return None, 0
        call = self.random.choice(sorted(calls))
        most = calls[call] // max(1, len(self.traced(daemon)))
        # A reload is the most that master does: less than while it was watched from the start.
        return call, self.random.randint(1, max(1, min(most, 3) if daemon == "master" else most))

    def submission(self):
        """sendmail, or the postdrop that it starts, dies: that lives for one message only."""
        call, n = self.random.choice(POSTDROP_CALLS), self.random.randint(1, 6)
        output = self.directory / "strace"
        self.load.sendmail(under=("strace", "-f", "-qq", "-o", str(output), "-e", f"trace={call}",
                                  "-e", f"inject={call}:signal=KILL:when={n}"))
        hit = "killed by SIGKILL" in output.read_text(errors="replace")
        if hit:
            self.crashes.append(time.time())
        self.outcomes["postdrop", "killed" if hit else "not reached"] += 1
        return hit

    def point(self, daemon, everything):
        """Attach, send, see it die (or not: the call did not come so often)."""
        if daemon == "postdrop":
            return self.submission()
        call, n = self.choose(daemon)
        pids = self.traced(daemon) if call else []
        if not pids and call:
            pids = self.wake(daemon)
        if not pids or not call:
            self.outcomes[daemon, "not running"] += 1
            return False
        name = daemon + (" and all" if everything else "")
        died = threading.Event()
        begun = time.time()
        tracer, output = self.strace(pids, "-ttt", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}")

        def watch():
            while tracer.poll() is None:
                if any(not alive(p) for p in pids):
                    break
                time.sleep(.002)
            if any(not alive(p) for p in pids):
                died.set()
                if everything or daemon == "master":
                    self.instance.kill_all()
                self.crashes.append(time.time())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        self.disturb(daemon)
        self.load.burst(clients=3, each=2)
        died.wait(.5)
        end(tracer)
        watcher.join(10)
        # A child of the daemon may have been the one.
        deaths = [float(m.group(1)) for m in re.finditer(
            r"(?m)^\d+ +([0-9.]+) \+\+\+ killed by SIGKILL", output.read_text(errors="replace"))]
        self.crashes += [] if died.is_set() else deaths[:1]
        hit = died.is_set() or bool(deaths)
        self.outcomes[name, "killed" if hit else "not reached"] += 1
        if hit and self.options.verbose:
            print(f"{begun:.3f} {name} at {call} {n}", flush=True)
        if not self.instance.pids("master"):
            self.revive()
        return hit

    def revive(self):
        """Start again; sometimes die again at a call of the recovery."""
        begun = time.monotonic()
        self.instance.kill_all()
        if self.random.random() < self.options.again:
            call, n = self.random.choice(RECOVERY_CALLS), self.random.randint(1, 12)
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                f"inject={call}:signal=KILL:when={n}", harness.SBIN / "postrider",
                                "start"], env=self.instance.environment(), timeout=1,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
            self.instance.kill_all()
            self.crashes.append(time.time())
            self.outcomes["recovery", "killed"] += 1
        self.instance.start()
        self.slowest = max(self.slowest, time.monotonic() - begun)

    # ---- all of them

    def run(self, points):
        self.instance.start()
        try:
            daemons = self.options.daemons.split(",")
            hits = tries = 0
            while hits < points and tries < 4 * points + 20:
                tries += 1
                # One of the daemons in turn, so that each lives for a second between its deaths.
                daemon = daemons[tries % len(daemons)]
                hits += self.point(daemon, self.random.random() < self.options.all)
            drained = world.drain(self.instance, 60)
            queued = world.queued(self.instance)
            time.sleep(.2)
            arrivals = world.mailbox_arrivals(self.mail) + self.hop.arrivals
            figures = ledger.audit(ledger.read(self.ledger_path), arrivals, queued, self.crashes,
                                   in_flight=IN_FLIGHT)
            note = ""
            if not figures.good or not drained:
                if self.options.verbose:
                    pathlib.Path("/var/tmp/kill.maillog").write_text(self.instance.log())
                note = f"  share {self.number}: {self.outcomes['recovery', 'killed']} recoveries were killed; crashes at " + \
                    " ".join(f"{t:.2f}" for t in self.crashes) + "\n" + figures.details() + self.explain(figures) + self.instance.mailq()
            return figures, self.outcomes, self.slowest, note
        finally:
            self.instance.kill_all()
            self.hop.close()
            self.instance.destroy()

    def explain(self, figures):
        """The log about the first few ids that are wrong."""
        ids = [x[0] for x in (figures.lost + figures.corrupt + figures.phantom + figures.stuck + figures.excess)[:3]]
        log, text = self.instance.log().splitlines(), []
        text += [line for line in log if "damaged" in line or "panic" in line or "signal" in line and
                 "signal 9" not in line][:20]
        for ident in ids:
            text += [e for e in map(str, ledger.read(self.ledger_path)) if f"'{ident}'" in e]
            queue_ids = {m.group(1) for line in log if f"-{ident}@" in line
                         for m in [re.search(r": (\w+): to=", line)] if m}
            text += [line for line in log if any(q in line for q in queue_ids)][:30]
        return "\n".join(text) + "\n"


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def is_traced(pid):
    try:
        return "TracerPid:\t0\n" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def end(tracer):
    """strace lets go of its processes."""
    if tracer.poll() is None:
        tracer.send_signal(signal.SIGINT)
    try:
        tracer.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.communicate()


def share(options, number, points, scratch, results, kind=Share):
    try:
        if world.LIBC.unshare(0x20000) != 0:  # CLONE_NEWNS: /etc/passwd of its own
            raise OSError(world.ctypes.get_errno(), "unshare")
        world.mount("none", "/", "none", 0x44000)
        results.put(kind(options, number, scratch).run(points))
    except BaseException as e:
        results.put((None, None, 0, f"share {number}: {e!r}\n{traceback.format_exc()}"))


def print_outcomes(outcomes):
    """A line for each name, of how often what came of it."""
    for name in sorted({n for n, _ in outcomes}):
        print(f"  {name:<20}" + "  ".join(f"{what} {c}" for (n, what), c in sorted(outcomes.items())
                                          if n == name))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("points", type=int, nargs="?", default=500)
    p.add_argument("--per-suite", type=int, default=40, help="points before a drain and an audit")
    p.add_argument("--daemons", default=",".join(DAEMONS))
    p.add_argument("--channels", default="md,mb,net,slow,bounce")
    p.add_argument("--large", type=float, default=.02)
    p.add_argument("--all", type=float, default=.25, help="share of kills that take everything")
    p.add_argument("--again", type=float, default=.4, help="share of recoveries that are killed too")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--verbose", action="store_true")
    options = p.parse_args()
    world.unshare()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="postrider-kill-", dir="/var/tmp"))
    total, outcomes, slowest, broken = ledger.Figures(), collections.Counter(), 0.0, False
    begun = time.monotonic()
    try:
        world.mount("kill", scratch, "tmpfs", 0, "size=6g,mode=755")
        results = multiprocessing.Queue()
        left, number, running = options.points, 0, {}
        while left > 0 or running:
            while left > 0 and len(running) < options.workers:
                n = min(left, options.per_suite)
                process = multiprocessing.Process(target=share, args=(options, number, n, scratch, results))
                process.start()
                running[number], left, number = process, left - n, number + 1
            figures, counts, seconds, note = results.get(timeout=900)
            for k in [k for k, q in running.items() if not wait_end(q)]:
                del running[k]
            if figures is None:
                broken = True
            else:
                total.add(figures)
                outcomes.update(counts)
                slowest = max(slowest, seconds)
            if note:
                print(f"points: {figures}\n{note}", flush=True)
    finally:
        world.umount(scratch, 2)
        scratch.rmdir()
    print_outcomes(outcomes)
    print(f"kill seed {options.seed} in {time.monotonic() - begun:.0f} s, slowest start {slowest:.1f} s: "
          f"{total}", flush=True)
    sys.exit(0 if total.good and not broken else 1)


def wait_end(process):
    """True while it runs; a process that has put its result ends at once."""
    process.join(.5)
    return process.is_alive()


if __name__ == "__main__":
    main()
