# SPDX-License-Identifier: ISC
"""A slice of the bench, so that it cannot rot: every work, with counts too small to say anything of speed."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from harness import PATIENCE
from peers import POSTFIX, peer

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
PLACE = "/var/tmp"


@pytest.fixture(scope="module", autouse=True)
def postfix():
    try:
        peer("postfix", POSTFIX)
    except (AssertionError, subprocess.SubprocessError) as e:
        pytest.skip(f"Debian's postfix cannot be fetched: {e}")


def bench(*arguments, **kw):
    return subprocess.Popen([sys.executable, BENCH / "bench.py", "--dir", PLACE, *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)


SOME = ["relay-4k", "tls", "postmap-1m"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, postfix):
    """Every work on our suite, some in turn with Postfix; both at once, for speed does not matter here."""
    place = tmp_path_factory.mktemp("bench")
    started = {
        "ours": bench("--quick", "--only", "postrider", "--json", place / "ours"),
        "both": bench("--quick", "--json", place / "both", *SOME),
    }
    ended = {}
    for name, process in started.items():
        output = process.communicate(timeout=300 * PATIENCE)[0]
        figures = json.loads((place / name).read_text())["results"] if (place / name).exists() else {}
        ended[name] = process.returncode, figures, output
    return ended


def works():
    output = bench("--list").communicate(timeout=60)[0]
    return [line.split()[0] for line in output.splitlines()]


def check(results, suites):
    for name, turns in results.items():
        for suite in suites:
            figures, = turns[suite]
            assert "failed" not in figures, f"{name}, {suite}: {figures}"
            assert figures, f"{name}, {suite}: no figure"
            for key in ("rate", "cpu", "pss"):
                assert figures.get(key, 1) > 0, f"{name}, {suite}: {figures}"


def test_every_work_on_our_suite(runs):
    status, results, output = runs["ours"]
    assert status == 0, output
    assert list(results) == works()
    check(results, ["postrider"])
    assert results["tls"]["postrider"][0]["resumed_in"] > 0
    assert results["tls"]["postrider"][0]["connections_out"] > 0
    assert results["tls-full"]["postrider"][0]["resumed_in"] == 0
    assert results["tls-full"]["postrider"][0]["resumed_out"] == 0
    assert "| relay-4k " in output


def test_in_turn_with_postfix(runs):
    status, results, output = runs["both"]
    assert status == 0, output
    assert list(results) == SOME
    check(results, ["postrider", "postfix"])
    assert "≥ 7 × Postfix" in output


def test_nothing_is_left_behind():
    process = bench("--scale", 100, "relay-4k", start_new_session=True)
    assert process.stdout.readline().startswith("==> relay-4k")
    time.sleep(2)
    folder, = (p for p in pathlib.Path(PLACE).glob("postrider-bench-*")
               if f"POSTRIDER_BENCH={p}" in children_environment(process.pid))
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not folder.exists()
    assert not [e for e in map(environment, all_pids()) if f"POSTRIDER_BENCH={folder}" in e]
    for hierarchy in pathlib.Path("/sys/fs/cgroup").glob("*"):
        assert not list(hierarchy.glob(f"{folder.name}.*"))


def all_pids():
    return [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()]


def environment(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def children_environment(pid):
    """The environment of a child of this process."""
    for child in all_pids():
        try:
            parent = pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == pid:
            return environment(child)
    return []
