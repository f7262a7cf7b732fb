# SPDX-License-Identifier: ISC
"""report - the table of what was measured, for a terminal, a file, and as JSON."""
import datetime
import os
import pathlib
import platform
import statistics
import subprocess

import suites
from registry import WORKS

HEADING = "# What the bench measured"
FOREWORD = """\
Written by `./dev bench --record`, newest first; CONTRIBUTING.md says how to repeat it. Each figure is the median of the
rounds; the suites take turns within a round (A B A B). Rates are end to end: until the last message is at the next hop or
in the mailbox. CPU is that of all processes of the suite, those that have ended included, without the
generators. Memory is the proportional set size over all processes.
"""


def median(turns, key):
    """The median of a figure over the rounds that gave it, or None."""
    values = [t[key] for t in turns if t.get(key) is not None]
    return statistics.median(values) if values else None


def number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def rows(results, kinds):
    """Cells of the table, a row a figure."""
    for name, turns in results.items():
        work = WORKS[name]
        for i, figure in enumerate(work.figures):
            values = {k: median(turns.get(k, []), figure.key) for k in kinds}
            ours, theirs = values.get("postrider"), values.get("postfix")
            ratio = ours / theirs if ours is not None and theirs and theirs > 1e-4 else None
            met = figure.met(ours, theirs)
            yield [name if i == 0 else "", figure.title + (f", {figure.unit}" if figure.unit else ""),
                   *(number(values[k], figure.digits) for k in kinds), number(ratio, 2), figure.target_text(),
                   {True: "met", False: "missed", None: ""}[met]]


def failures(results):
    """What did not run, and why, a line each."""
    for name, turns in results.items():
        for kind, rounds in turns.items():
            for reason in sorted({t["failed"] for t in rounds if "failed" in t}):
                yield f"{name}, {suites.TITLES[kind]}: {reason}"


def table(results, kinds):
    """The table as Markdown that reads well on a terminal, too."""
    head = ["work", "figure", *(suites.TITLES[k] for k in kinds), "ratio", "target", ""]
    lines = [head, *rows(results, kinds)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = range(2, 3 + len(kinds))

    def show(line):
        cells = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths))]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (w + 1) + (":" if i in right else "-") for i, w in enumerate(widths)) + "|"
    text = "\n".join([show(head), rule, *map(show, lines[1:])]) + "\n"
    bad = list(failures(results))
    if bad:
        text += "\nDid not work:\n\n" + "".join(f"- {line}\n" for line in bad)
    if "opensmtpd" in kinds:
        text += "\nOpenSMTPD does not sync before its 250; the others do.\n"
    return text


def machine(place):
    """What it ran on."""
    cpu = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    r = subprocess.run(["stat", "-f", "-c", "%T", place], capture_output=True, text=True)
    return (f"{os.cpu_count()} × {cpu}, {memory:.0f} GB, Linux {platform.release()}, "
            f"queue on {r.stdout.strip()}")


def commit():
    r = subprocess.run(["git", "-C", suites.TOP, "describe", "--always", "--dirty", "--abbrev=12"],
                       capture_output=True, text=True)
    return r.stdout.strip() or "unknown"


def heading(kinds, place, command, rounds):
    """Date, machine, versions, command: the lines above a table."""
    versions = ", ".join(f"{suites.TITLES[k]} {suites.version(k)}" for k in kinds)
    when = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    load = os.getloadavg()[0]
    return (f"## {when}, commit {commit()}\n\n- {machine(place)}, load at the start {load:.1f}\n- {versions}\n"
            f"- {rounds} round{'s' if rounds != 1 else ''}: `{command}`\n")


def record(path, head, text):
    """Put a table on top of the file."""
    old = path.read_text() if path.exists() else ""
    earlier = old[old.index("\n## "):].lstrip("\n") if "\n## " in old else ""
    path.write_text(f"{HEADING}\n\n{FOREWORD}\n{head}\n{text}" + (f"\n{earlier}" if earlier else ""))
