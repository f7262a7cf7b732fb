# SPDX-License-Identifier: ISC
"""works_table - lookup tables: postmap, and patterns of which none matches."""
import os
import pathlib
import subprocess
import time

from generators import Failed
from registry import Figure, work
from suites import Suite


SITE = pathlib.Path(__file__).resolve().parents[1] / "tests/system/sites/virtual-mysql"


def timed(suite, *arguments, stdin=None, status=0):
    """Run a command of the suite: seconds, seconds of CPU, what it wrote."""
    before, start = os.times(), time.monotonic()
    r = subprocess.run(suite.command(*arguments), env=suite.environment(), stdin=stdin, capture_output=True,
                       timeout=1800)
    seconds, after = time.monotonic() - start, os.times()
    if r.returncode != status:
        raise Failed(f"{arguments}: {r.stderr.decode()[-200:]}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used, r.stdout


def name_of(i, n):
    """In no order that helps a tree: neighbours lie far apart."""
    return f"user{i * 7919 % n:08d}@d{i % 1000}.example.test"


FIGURES = [Figure("build", "built", "s", target=("part", 0.5), digits=2), Figure("build_cpu", "built, CPU", "s", digits=2),
           Figure("query", "queried (postmap -q -)", "s", target=("part", 0.7), digits=2),
           Figure("query_cpu", "queried, CPU", "s", digits=2), Figure("size", "file", "MB", digits=1)]


@work("postmap-10m", "postmap lmdb: a table of 10,000,000 keys built, then a million of them asked for", 10000000, FIGURES,
      smoke=1000, asked=1000000)
@work("postmap-1m", "postmap lmdb: a table of 1,000,000 keys built, then all of them asked for", 1000000, FIGURES,
      smoke=1000, asked=1000000)
def postmap(bench, kind, n, asked):
    asked = min(n, asked)
    with Suite(kind) as suite:  # not started: its configuration is what the commands need
        table, keys = suite.instance.dir / "table", suite.instance.dir / "keys"
        with open(table, "w", encoding="ascii") as f:
            f.writelines(f"{name_of(i, n)}\tsmtp:[relay{i % 100}.example.test]\n" for i in range(n))
        with open(keys, "w", encoding="ascii") as f:
            f.writelines(f"{name_of(i * 7907 % n, n)}\n" for i in range(asked))
        time.sleep(2.1)  # Postfix's postmap waits until its source is older than that
        build, build_cpu, _ = timed(suite, "postmap", f"lmdb:{table}")
        with open(keys, "rb") as f:
            query, query_cpu, output = timed(suite, "postmap", "-q", "-", f"lmdb:{table}", stdin=f)
        if output.count(b"\n") != asked:
            raise Failed(f"{output.count(bytes([10]))} of {asked} keys were found")
        return {"build": build, "build_cpu": build_cpu, "query": query, "query_cpu": query_cpu,
                "size": os.path.getsize(f"{table}.lmdb") / 1e6}


# Rules as they are shared among administrators, each with words of its own, and headers as mail has them.
WORDS = ("viagra casino lottery winner pills refinance mortgage rolex replica cheap enlarge bitcoin crypto invoice urgent "
         "account verify password suspended prize").split()
RULES = ("/^Subject:.*{}{}/ REJECT", "/^(From|Reply-To):.*{}[0-9]+@x{}\\.example/ REJECT", "/{} +{}[a-z]*now/ DISCARD",
         "/^Received: from .*\\.{}{}\\.test/ REJECT", "/^X-Mailer: {} v{}\\.[0-9]/ WARN")
HEADERS = ("Subject: Re: notes of the meeting in week {}", "From: Some Person <person{}@mail.example.org>",
           "Received: from mail{}.example.net (mail.example.net [192.0.2.1]) by mx.example.com with ESMTPS id 4ABCDEF",
           "X-Mailer: Some Mail Program 12.{}", "List-Unsubscribe: <https://lists.example.com/u/{}>")
PATTERNS = 200


@work("regexps", f"postmap -q: {PATTERNS} regular expressions of which none matches, 200,000 headers", 200000,
      [Figure("regexp", "regexp, a header", "µs", target=("part", 0.1), digits=2),
       Figure("pcre", "pcre, a header", "µs", digits=2)], smoke=200)
def regexps(bench, kind, n):
    with Suite(kind) as suite:
        rules, keys = suite.instance.dir / "rules", suite.instance.dir / "keys"
        rules.write_text("".join(RULES[i % len(RULES)].format(WORDS[i % len(WORDS)], i) + "\n" for i in range(PATTERNS)))
        keys.write_text("".join(HEADERS[i % len(HEADERS)].format(i) + "\n" for i in range(n)))
        figures = {}
        for table in ("regexp", "pcre") if kind == "postrider" else ("regexp",):  # Debian has pcre in another package
            with open(keys, "rb") as f:
                seconds, _, output = timed(suite, "postmap", "-q", "-", f"{table}:{rules}", stdin=f, status=1)
            if output:
                raise Failed(f"a {table} matched: {output[:200]}")
            figures[table] = seconds * 1e6 / n
        return figures


@work("postconf", "postconf -n over a site of virtual domains, one after another", 200,
      [Figure("each", "time of a command", "ms", target=("most", 20), digits=2)], smoke=3)
def postconf(bench, kind, n):
    with Suite(kind) as suite:
        loop = 'i=0; while [ $i -lt $1 ]; do "$2" -n -c "$3" >/dev/null 2>&1 || exit 1; i=$((i + 1)); done'
        start = time.monotonic()
        r = subprocess.run([*suite.instance.inside(), "sh", "-c", loop, "sh", str(n), suite.instance.program("postconf"), SITE],
                           env=suite.environment(), timeout=600)
        if r.returncode != 0:
            raise Failed("postconf -n")
        return {"each": (time.monotonic() - start) * 1000 / n}
