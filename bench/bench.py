# SPDX-License-Identifier: ISC
"""bench - Postrider and Debian's Postfix in turn, doing the same work on the same machine.

All of it runs in namespaces of its own (mounts, network, processes): nothing is installed, no port of the
machine is used, and what was started ends with it.
"""
import argparse
import array
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import suites  # noqa: E402  (finds the tests' folders)
import world  # noqa: E402
import report  # noqa: E402
import weigh  # noqa: E402
import works_database  # noqa: E402,F401
import works_load  # noqa: E402,F401
import works_mail  # noqa: E402,F401
import works_table  # noqa: E402,F401
from generators import LOAD, Failed  # noqa: E402
from registry import WORKS  # noqa: E402

RESULTS = pathlib.Path(__file__).resolve().parent / "RESULTS.md"


FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_TOPDIR_FL = 0x80086601, 0x40086602, 0x20000


def spread_folders(path):
    """Let ext4 put each folder made in this one into another group of blocks; others have no such thing."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flags = array.array("i", [0])
        fcntl.ioctl(fd, FS_IOC_GETFLAGS, flags)
        flags[0] |= FS_TOPDIR_FL
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, flags)
    except OSError:
        pass
    finally:
        os.close(fd)


class Bench:
    """What the works share: a place on a real file system, a user with a mailbox, a certificate."""

    user = world.USER

    def __init__(self, place):
        self.dir = place
        spread_folders(self.dir)
        (self.dir / "etc").mkdir()
        (self.dir / "mail").mkdir()
        self.home = world.make_mailboxes(self.dir / "mail")
        world.account(self.dir, self.home)
        tempfile.tempdir = str(self.dir)  # queues, logs, mailboxes: all of it on that file system

    closing = staticmethod(contextlib.closing)

    def mailboxes(self):
        """An empty folder in the user's home, by chance in one part of the file system or another. Those
        of other turns stay to the end: ext4 passes over inodes that were deleted in the last minutes one
        by one whenever it makes a file near them, so that each turn would pay for the one before."""
        spread_folders(self.home)
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        shutil.chown(folder, self.user)
        return folder

    def chain(self):
        """A file with a key and its certificate, the same for everybody."""
        path = self.dir / "chain.pem"
        if not path.exists():
            made = self.dir / "cert.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "30", "-subj", "/CN=mx.example.test", "-keyout", path, "-out", made],
                           check=True, stderr=subprocess.DEVNULL)
            with open(path, "ab") as f:
                f.write(made.read_bytes())
        return path

def turn(bench, work, kind, count):
    """One work on one suite: its figures, or why it failed."""
    try:
        return work.run(bench, kind, count)
    except (Failed, AssertionError, OSError, subprocess.SubprocessError) as e:
        return {"failed": str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__}


def brief(work, figures):
    """One turn on one line."""
    if "failed" in figures:
        return "failed: " + figures["failed"]
    return ", ".join(f"{f.key} {report.number(figures.get(f.key), f.digits)}" for f in work.figures)


def measure(bench, names, kinds, rounds, counts):
    """All works, the suites in turn; results[work][kind] is a list of figures, one a round."""
    results = {}
    for name in names:
        work, start = WORKS[name], time.monotonic()
        taking = [k for k in kinds if k in work.suites]
        results[name] = {k: [] for k in taking}
        count = counts(work)
        print(f"==> {name}: {work.title} ({count:,})", flush=True)
        for n in range(rounds):
            for kind in taking:
                figures = turn(bench, work, kind, count)
                results[name][kind].append(figures)
                print(f"    {n + 1}  {suites.TITLES[kind]:10} {brief(work, figures)}", flush=True)
        print(f"    {time.monotonic() - start:.0f} s", flush=True)
    return results


def options():
    p = argparse.ArgumentParser(prog="./dev bench", description="Postrider beside Debian's Postfix on the same work.")
    p.add_argument("works", nargs="*", metavar="WORK", help="which works; all of them if none is named (--list)")
    p.add_argument("--list", action="store_true", help="say what the works are")
    p.add_argument("--rounds", type=int, default=3, help="turns of each suite (3)")
    p.add_argument("--scale", type=float, default=1, help="multiply the counts")
    p.add_argument("--quick", action="store_true", help="a smoke run: one round, small counts")
    p.add_argument("--peers", action="store_true", help="Debian's Exim and OpenSMTPD, too, where they can")
    p.add_argument("--only", choices=suites.TITLES, action="append", help="only this suite (may be repeated)")
    p.add_argument("--dir", default="/var/tmp", help="where queues and mailboxes lie: a real file system (/var/tmp)")
    p.add_argument("--json", type=pathlib.Path, help="write every turn's figures to this file")
    p.add_argument("--record", action="store_true", help="put the table on top of bench/RESULTS.md")
    o = p.parse_args()
    unknown = [w for w in o.works if w not in WORKS]
    if unknown:
        p.error(f"no such work: {', '.join(unknown)}; --list names them")
    return o


def kinds_of(o):
    if o.only:
        return o.only
    return ["postrider", "postfix", *(["exim", "opensmtpd"] if o.peers else [])]


def counts_of(o):
    def count(work):
        if o.quick:
            return work.smoke
        return max(work.smoke, int(work.count * o.scale))
    return count


def on_signal(number, frame):
    raise KeyboardInterrupt


@contextlib.contextmanager
def scratch(place):
    """The folder that everything lies in. Its name goes to the run in its namespaces, which may end in any
    way: folder and control groups are cleared away out here."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postrider-bench-", dir=place))
    folder.chmod(0o755)
    os.environ["POSTRIDER_BENCH"] = str(folder)
    try:
        yield
    finally:
        weigh.clear(folder.name)
        shutil.rmtree(folder, ignore_errors=True)


def run(o):
    kinds = kinds_of(o)
    r = subprocess.run(["stat", "-f", "-c", "%T", o.dir], capture_output=True, text=True)
    if r.stdout.strip() in ("tmpfs", "ramfs"):
        print(f"bench: {o.dir} is a {r.stdout.strip()}: syncs cost nothing there; the figures are not comparable",
              file=sys.stderr)
    rounds = 1 if o.quick else o.rounds
    command = "./dev bench " + " ".join(sys.argv[1:])
    head = report.heading(kinds, o.dir, command.strip(), rounds)
    bench = Bench(pathlib.Path(os.environ["POSTRIDER_BENCH"]))
    results = measure(bench, o.works or list(WORKS), kinds, rounds, counts_of(o))
    text = report.table(results, kinds)
    print(f"\n{head}\n{text}", end="")
    if o.json:
        o.json.write_text(json.dumps({"head": head, "suites": kinds, "results": results}, indent=1) + "\n")
    if o.record:
        report.record(RESULTS, head, text)
    ours_failed = any("failed" in t for turns in results.values() for t in turns.get("postrider", []))
    return 1 if ours_failed else 0


def main():
    o = options()
    if o.list:
        for w in WORKS.values():
            print(f"{w.name:16} {w.title}")
        return 0
    if os.getuid() != 0:
        sys.exit("bench: needs root (it starts daemons that drop privileges)")
    if not LOAD.exists():
        sys.exit(f"bench: {LOAD} is not built: run it as ./dev bench")
    for kind in {"postfix", *kinds_of(o)}:  # its generators are needed in any case
        try:
            suites.fetch(kind)
        except (AssertionError, subprocess.SubprocessError) as e:
            sys.exit(f"bench: {e}")
    for name in o.works or WORKS:
        if WORKS[name].fetch:
            WORKS[name].fetch(kinds_of(o))
    signal.signal(signal.SIGTERM, on_signal)
    if "POSTRIDER_BENCH" not in os.environ:
        with scratch(o.dir):
            world.unshare()  # comes back here, inside
    world.unshare()
    return run(o)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
