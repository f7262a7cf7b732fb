# SPDX-License-Identifier: ISC
"""weigh - what a suite uses: CPU time and memory of all its processes, those that have ended included.

A control group a suite counts exactly; version 2 where it is mounted, else version 1's cpuacct. Where
neither can be had, /proc's times are added up: a living process with the children that it has waited for.
"""
import contextlib
import itertools
import os
import pathlib
import signal
import time

NUMBERS = itertools.count(1)


def control_groups():
    """(procs file's folder, reader of used seconds) candidates, best first."""
    own = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            own[name] = path.lstrip("/")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" and "" in own:
            yield pathlib.Path(where) / own[""], usage_v2
        elif kind == "cgroup" and "cpuacct" in options.split(",") and "cpuacct" in own:
            yield pathlib.Path(where) / own["cpuacct"], usage_v1


def run_name():
    """What this run's folders are called."""
    return os.path.basename(os.environ["POSTRIDER_BENCH"])


def clear(name):
    """Remove the control groups of a run whose processes have ended."""
    for parent, _ in control_groups():
        for folder in parent.glob(f"{name}.*"):
            for _ in range(100):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.02)  # its processes are still ending


def usage_v2(folder):
    for line in (folder / "cpu.stat").read_text().splitlines():
        name, value = line.split()
        if name == "usage_usec":
            return int(value) / 1e6
    raise OSError("cpu.stat without usage_usec")


def usage_v1(folder):
    return int((folder / "cpuacct.usage").read_text()) / 1e9


class Scale:
    """Weighs the processes that are started under it, and what they start."""

    def __init__(self):
        self.folder = self.usage = None
        for parent, usage in sorted(control_groups(), key=lambda g: g[1] is not usage_v2):
            folder = parent / f"{run_name()}.{next(NUMBERS)}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                self.folder, self.usage = folder, usage
                usage(folder)
                return
            with contextlib.suppress(OSError):
                folder.rmdir()
            self.folder = None

    def under(self):
        """What a command is run under so that it is weighed."""
        if not self.folder:
            return []
        return ["sh", "-c", f'echo $$ >{self.folder}/cgroup.procs && exec "$@"', "sh"]

    def pids(self):
        """Its processes, if a control group tells; else None."""
        if not self.folder:
            return None
        # Version 1 lists those of another pid namespace as 0.
        return [int(p) for p in (self.folder / "cgroup.procs").read_text().split() if p != "0"]

    def cpu(self, pids):
        """Seconds of CPU so far. `pids` is asked for the processes where no control group counts."""
        if self.folder:
            return self.usage(self.folder)
        return sum(map(process_cpu, pids()))

    def kill(self):
        """End whatever is still there, by its number."""
        for _ in range(200):
            left = self.pids()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def close(self):
        self.kill()
        if self.folder:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def process_cpu(pid):
    """Seconds of a process and of the children that it has waited for; its own to the nanosecond if it can be."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        threads = [int((task / "schedstat").read_text().split()[0])
                   for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    except (OSError, IndexError):
        return 0.0
    own, children = (sum(map(int, fields[k:k + 2])) / os.sysconf("SC_CLK_TCK") for k in (11, 13))
    return max(own, sum(threads) / 1e9) + children


def process_pss(pid):
    """Proportional set size in kB; 0 when the process has ended."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
