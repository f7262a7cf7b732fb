# SPDX-License-Identifier: ISC
"""Short slices of the fault experiments (tests/crash): kills, failing calls, full disks, power cuts.

The long campaigns are `./dev kill` and `./dev powercut`; doc/durability.md says what they show.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

CRASH = pathlib.Path(__file__).resolve().parent.parent / "crash"
UML = CRASH.parent.parent / ".peers" / "uml" / "usr" / "bin" / "linux.uml"


def told(text):
    """What an experiment says about what is wrong, without the logs: a line for each cut or share of points, and
    those under it, which are indented."""
    return "\n".join(line[:2000] for line in text.splitlines() if re.match(r"cut |points: |worker |  \S", line))


def experiment(script, *arguments, seconds=240, good=True):
    """Run one; returns its last line, the figures."""
    r = subprocess.run([sys.executable, CRASH / script, *map(str, arguments)], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=seconds)
    text = r.stdout.decode(errors="replace")
    assert (r.returncode == 0) == good, told(text) + "\n...\n" + text[-6000:]
    print(text.splitlines()[-1])
    return text.splitlines()[-1]


needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
needs_kernel = pytest.mark.skipif(
    not UML.exists() or "ASAN_OPTIONS" in os.environ,
    reason="no user-mode kernel (./dev powercut fetches it), or a sanitizer, which does not fit into it")


@needs_strace
def test_kill_at_system_calls():
    line = experiment("kill.py", 24, "--workers", 1)
    assert "lost 0 corrupt 0 phantom 0 stuck 0" in line


@needs_strace
def test_calls_of_cleanup_fail():
    line = experiment("failing.py", "--points", 24, "--workers", 1)
    assert "lost 0 corrupt 0 phantom 0 stuck 0" in line


def test_full_disk():
    line = experiment("full.py")
    assert "lost 0 corrupt 0 phantom 0 stuck 0" in line


@needs_kernel
@pytest.mark.parametrize("fs", ["ext4"])
def test_power_cut(fs):
    line = experiment("powercut.py", "--cuts", 16, "--messages", 60, "--fs", fs, "--workers", 1)
    assert "lost 0 corrupt 0 phantom 0 stuck 0" in line


@needs_kernel
def test_power_cut_on_a_slow_disk():
    """Mailboxes wait for their syncs, so that many cuts find a delivery half done."""
    line = experiment("powercut.py", "--cuts", 16, "--messages", 60, "--slow", 60, "--channels", "md,mb", "--workers", 1)
    assert "lost 0 corrupt 0 phantom 0 stuck 0" in line


@needs_kernel
def test_without_syncs_mail_is_lost():
    """The rig proves itself: a suite whose syncs do nothing must lose mail."""
    line = experiment("powercut.py", "--mutant", "--cuts", 8, "--messages", 40, "--workers", 1)
    assert "lost 0 " not in line
