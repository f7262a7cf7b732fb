# SPDX-License-Identifier: ISC
"""works_load - a suite under strain: idle sessions, dead and slow peers, a large queue."""
import statistics
import subprocess
import time

from generators import (BlackHole, Failed, LoadSink, Sink, idle_sessions, load_result, load_source, one_message,
                        smtp_source)
from harness import free_port
from registry import Figure, cpu, rate, work
from suites import Suite
from works_mail import PLAIN, TAIL

EACH = Figure("each", "a session's memory (PSS)", "kB", digits=1)
OPENED = Figure("opened", "sessions opened", "", more=True, digits=0)
HONEST = Figure("honest", "honest clients' rate, part of the quiet one", "", more=True, digits=2)


def each(most):
    return Figure("each", "a session's memory (PSS)", "kB", target=("most", most))


@work("idle-10000-tls", "10,000 idle sessions, TLS, default settings", 10000,
      [each(48), OPENED, HONEST], tls=True)
@work("idle-10000", "10,000 idle sessions, plain, default settings", 10000,
      [each(16), OPENED, HONEST])
@work("idle-2000-tls", "2,000 idle sessions, TLS; the process limit raised to bear them", 2000,
      [each(48), HONEST], raised=True, tls=True)
@work("idle-2000", "2,000 idle sessions, plain; the process limit raised to bear them", 2000,
      [each(16), HONEST], suites=("postrider", "postfix", "opensmtpd"), raised=True)
def idle(bench, kind, n, raised=False, tls=False):
    settings = dict(PLAIN)
    if raised:
        settings["default_process_limit"] = str(n + 100)
    if tls:
        settings |= {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": bench.chain()}
    with bench.closing(LoadSink()) as sink, Suite(kind, relay_port=sink.port, **settings) as suite:
        suite.start()

        many = min(3000, n)

        def honest():
            """Messages a second of five honest clients."""
            start, before = time.monotonic(), sink.count()
            load_source(suite.port, many, sessions=5, k=1)
            return many / (sink.wait(before + many, 20) - start)

        honest()
        quiet = [honest()]
        before = suite.pss()
        with idle_sessions(suite.port, n, tls) as opened:
            time.sleep(2)  # what was needed to open them is given back
            figures = {"opened": opened, "each": (suite.pss() - before) / max(opened, 1)}
            if opened < n:
                raise Failed(f"{opened} of {n} sessions opened ({figures['each']:.0f} kB each)")
            beside = honest()
        # The disk changes its pace within a minute: what is quiet is measured before and after.
        settled(suite)
        quiet.append(honest())
        figures["honest"] = beside / statistics.mean(quiet)
        return figures


@work("dead-one", "2 kB to ten destinations, one of them dead: the nine others", 5000,
      [Figure("rate", "rate of the others", "messages/s", more=True),
       Figure("kept", "part of the rate without the dead one", "", more=True, digits=2), cpu()], smoke=50)
def dead_one(bench, kind, n):
    n -= n % 10
    with bench.closing(LoadSink()) as sink, bench.closing(BlackHole()) as hole:
        def run(dead):
            ports = [hole.port if dead and i == 9 else sink.port for i in range(10)]
            maps = " ".join(f"{{d{i}.test = smtp:[127.0.0.1]:{port}}}" for i, port in enumerate(ports))
            with Suite(kind, transport_maps=f"inline:{{ {maps} }}", **PLAIN) as suite:
                suite.start()

                def send(m):
                    load_source(suite.port, m, k=1, l=2048, t="user@d%.test", D=10)

                start, had = suite.cpu(), sink.count()
                send(20)
                sink.wait(had + (18 if dead else 20))
                time.sleep(TAIL)
                start, began, had = suite.cpu(), time.monotonic(), sink.count()
                send(n)
                arriving = n * 9 // 10 if dead else n
                seconds = sink.wait(had + arriving) - began
                time.sleep(TAIL)
                return arriving / seconds, (suite.cpu() - start) * 1000 / n

        quiet, _ = run(False)
        others, used = run(True)
        return {"rate": others, "kept": others / (quiet * 0.9), "cpu": used}


def p99(values):
    if not values:
        raise Failed("no message arrived")
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)] * 1000


def times(key, title):
    return Figure(key, f"{title}: times the quiet p99", "", target=("most", 2), digits=2)


@work("others-p99", "2 kB messages, 100 a second, beside trouble: time to the next hop", 1000,
      [Figure("quiet", "p99 alone", "ms", digits=1), times("slow_peer", "a slow peer"),
       times("dead_peer", "a dead peer"), times("slow_client", "slow clients"),
       times("large", "10 MB messages")], smoke=20)
def others(bench, kind, n):
    with bench.closing(LoadSink()) as sink, bench.closing(LoadSink(delay=2000)) as slow, \
            bench.closing(LoadSink()) as aside, bench.closing(BlackHole()) as hole:
        maps = (f"{{slow.test = smtp:[127.0.0.1]:{slow.port}}} {{dead.test = smtp:[127.0.0.1]:{hole.port}}} "
                f"{{aside.test = smtp:[127.0.0.1]:{aside.port}}}")
        with Suite(kind, relay_port=sink.port, transport_maps=f"inline:{{ {maps} }}", **PLAIN) as suite:
            suite.start()

            def scene(**beside):
                """The p99 of the others, in ms, beside some other load."""
                other = load_source(suite.port, wait=False, **beside) if beside else None
                try:
                    time.sleep(0.5)
                    first, had = len(sink.latencies()), sink.count()
                    load_source(suite.port, n, sessions=20, k=1, l=2048, w=100)
                    sink.wait(had + n)
                    return p99(sink.latencies(first))
                finally:
                    if other:
                        other.kill()
                        other.communicate()

            many = max(n // 5, 5)
            scene()  # to have every process up, and the journal's first segments written
            before = scene()
            figures = {
                "large": scene(messages=many, sessions=1, k=1, l=10000000, t="user@aside.test"),
                "slow_client": scene(messages=10 * many, sessions=30, k=1, p=50, t="user@aside.test"),
                "slow_peer": scene(messages=many, sessions=5, k=1, w=20, t="user@slow.test"),
                "dead_peer": scene(messages=many, sessions=5, k=1, w=20, t="user@dead.test"),
            }
            # The disk has moments of its own: the better of two is what quiet means.
            quiet = min(before, scene())
        return {"quiet": quiet, **{name: value / quiet for name, value in figures.items()}}


def settled(suite, seconds=600):
    """Wait until the suite has no more to do: less than 3 % of a core for a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = suite.cpu()
        time.sleep(1)
        if suite.cpu() - before < 0.03:
            return
    raise Failed(f"it still works after {seconds} s")


def listing(suite):
    """Seconds until `postqueue -p` has said its first line of a message, and until it has ended."""
    start = time.monotonic()
    process = subprocess.Popen(suite.command("postqueue", "-p"), env=suite.environment(), stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.readline()
    first = time.monotonic() - start
    while process.stdout.read(1 << 20):
        pass
    process.stdout.close()
    process.wait()
    return first, time.monotonic() - start


def in_queue(suite):
    r = subprocess.run(suite.command("postqueue", "-p"), env=suite.environment(), capture_output=True, text=True)
    words = (r.stdout.strip().splitlines() or [""])[-1].split()
    return int(words[4]) if words[:1] == ["--"] else 0


@work("deferred-100k", "100,000 deferred messages of 1 kB: listed, worked beside, restarted, drained", 100000,
      [Figure("qmgr", "qmgr's memory (PSS)", "kB", target=("most", 65536), digits=0),
       Figure("draining", "qmgr's memory (PSS) while half of it is drained", "kB", target=("most", 65536), digits=0),
       Figure("first", "postqueue -p to its first line", "s", target=("most", 0.2), digits=3),
       Figure("listed", "postqueue -p to its end", "s", digits=2),
       Figure("new_mail", "rate of new mail, part of that beside an empty queue", "", more=True,
              target=("least", 0.9), digits=2),
       Figure("restart", "restart to first delivery", "s", target=("most", 2), digits=2),
       Figure("rate", "drained", "messages/s", more=True, target=("times", 5)),
       cpu(), Figure("deferring", "deferred", "messages/s", more=True)], smoke=60)
def deferred(bench, kind, n):
    dead = free_port()
    with bench.closing(Sink()) as live:
        settings = PLAIN | {"minimal_backoff_time": "20000s", "maximal_backoff_time": "40000s",
                            "transport_maps": f"inline:{{ {{live.test = smtp:[127.0.0.1]:{live.port}}} }}"}
        with Suite(kind, relay_port=dead, **settings) as suite:
            suite.start()
            probe = min(2000, max(n // 50, 20))

            def new_mail():
                start, had = time.monotonic(), live.count()
                smtp_source(suite.port, probe, length=1024, to="user@live.test")
                return probe / (live.wait(had + probe) - start)

            new_mail()
            quiet = new_mail()
            start = time.monotonic()
            smtp_source(suite.port, n, length=1024, to="user@dead.test")
            settled(suite)
            figures = {"deferring": n / (time.monotonic() - 1 - start)}
            if in_queue(suite) != n:
                raise Failed(f"{in_queue(suite)} of {n} messages are in the queue")
            figures["qmgr"] = suite.pss("qmgr")
            figures["first"], figures["listed"] = listing(suite)
            figures["new_mail"] = new_mail() / quiet
            suite.instance.stop()
            figures["restart"] = first_delivery(suite, live, "user@live.test")[1]
            settled(suite)
            with bench.closing(Sink(dead)) as sink:
                used, start = suite.cpu(), time.monotonic()
                suite.instance.run("postqueue", "-f")
                sink.wait(n // 2, 120)
                figures["draining"] = suite.pss("qmgr")
                figures["rate"] = n / (sink.wait(n, 120) - start)
                figures["cpu"] = (suite.cpu() - used) * 1000 / n
            return figures


def first_delivery(suite, sink, to="user@sink.test"):
    """Start the suite; seconds until its port answers, and until a message has been delivered."""
    had, start = sink.count(), time.monotonic()
    process = subprocess.Popen([*suite.scale.under(), *suite.command("postrider", "start")], env=suite.environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not suite.instance.listening():
            if time.monotonic() - start > 60:
                raise Failed("it does not start")
            time.sleep(0.002)
        listening = time.monotonic() - start
        one_message(suite.port, to)
        return listening, sink.wait(had + 1) - start
    finally:
        process.wait(60)


@work("start", "from `start` to the first delivery, empty queue", 5,
      [Figure("first", "start to first delivery", "s", digits=3),
       Figure("listening", "start to an open port", "s", digits=3)], smoke=1)
def start(bench, kind, n):
    with bench.closing(Sink()) as sink, Suite(kind, relay_port=sink.port, **PLAIN) as suite:
        runs = []
        for _ in range(n):
            runs.append(first_delivery(suite, sink))
            suite.instance.stop()
        runs.sort(key=lambda r: r[1])
        listening, first = runs[len(runs) // 2]
        return {"first": first, "listening": listening}
