# SPDX-License-Identifier: ISC
"""works_table - lookup tables: postmap."""
import os
import subprocess
import time

from generators import Failed
from registry import Figure, work
from suites import Suite


def timed(suite, *arguments, stdin=None):
    """Run a command of the suite: seconds, seconds of CPU, what it wrote."""
    before, start = os.times(), time.monotonic()
    r = subprocess.run(suite.command(*arguments), env=suite.environment(), stdin=stdin, capture_output=True,
                       timeout=1800)
    seconds, after = time.monotonic() - start, os.times()
    if r.returncode != 0:
        raise Failed(f"{arguments}: {r.stderr.decode()[-200:]}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used, r.stdout


@work("postmap-1m", "postmap lmdb: a table of 1,000,000 keys built, then all of them asked for", 1000000,
      [Figure("build", "built", "s", digits=2), Figure("build_cpu", "built, CPU", "s", digits=2),
       Figure("query", "queried (postmap -q -)", "s", digits=2),
       Figure("query_cpu", "queried, CPU", "s", digits=2), Figure("size", "file", "MB", digits=1)], smoke=1000)
def postmap(bench, kind, n):
    with Suite(kind) as suite:  # not started: its configuration is what the commands need
        table, keys = suite.instance.dir / "table", suite.instance.dir / "keys"
        # In no order that helps a tree: neighbours lie far apart.
        names = [f"user{i * 7919 % n:07d}@d{i % 1000}.example.test" for i in range(n)]
        table.write_text("".join(f"{name}\tsmtp:[relay{i % 100}.example.test]\n" for i, name in enumerate(names)))
        keys.write_text("".join(f"{name}\n" for name in names))
        time.sleep(2.1)  # Postfix's postmap waits until its source is older than that
        build, build_cpu, _ = timed(suite, "postmap", f"lmdb:{table}")
        with open(keys, "rb") as f:
            query, query_cpu, output = timed(suite, "postmap", "-q", "-", f"lmdb:{table}", stdin=f)
        if output.count(b"\n") != n:
            raise Failed(f"{output.count(bytes([10]))} of {n} keys were found")
        return {"build": build, "build_cpu": build_cpu, "query": query, "query_cpu": query_cpu,
                "size": os.path.getsize(f"{table}.lmdb") / 1e6}
