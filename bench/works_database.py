# SPDX-License-Identifier: ISC
"""works_database - a suite that looks each recipient up in a PostgreSQL server, started here from Debian's package."""
import subprocess
import time

from generators import Failed, LoadSink, load_source
from registry import Figure, cpu, work
from suites import Suite
from databases import PostgreSQL  # (the tests' folders are found by suites)
from peers import peer
from works_load import p99
from works_mail import PLAIN, TAIL

POSTFIX_PGSQL = "postfix-databases", ["postfix", "postfix-ldap", "postfix-mysql", "postfix-pgsql"]
USERS = 100000
OFFERED = 1000
# Debian has the type in a package of its own: what that one's postinst does is done in the namespace.
ADD_PGSQL = ('cp "$1"/usr/lib/postfix/postfix-pgsql.so /usr/lib/postfix/ && '
             "printf 'pgsql\\tpostfix-pgsql.so\\tdict_pgsql_open\\n' >>/etc/postfix/dynamicmaps.cf")


def users(server):
    server.sql("create table users(address text primary key, target text);\n"
               f"insert into users select 'user' || n || '@sink.test', 'OK' from generate_series(0, {USERS - 1}) n;\n"
               "analyze users;")


def fetch(kinds):
    peer(PostgreSQL.name, list(PostgreSQL.packages))
    if "postfix" in kinds:
        peer(*POSTFIX_PGSQL)


def prepare(kind, suite):
    """What the suite needs besides its configuration."""
    if kind == "postfix":
        root = peer(*POSTFIX_PGSQL)
        subprocess.run([*suite.instance.inside(), "sh", "-c", ADD_PGSQL, "sh", str(root)], check=True, timeout=60)


@work("pgsql-recipients", f"4 kB, each recipient looked up in PostgreSQL, {OFFERED:,} messages a second offered, 50 sessions",
      10000, [Figure("rate", "messages that arrive", "messages/s", more=True, target=("least", 950)),
              Figure("p99", "p99, due to be sent until at the next hop", "ms", digits=1), cpu(),
              Figure("refused", "unknown recipients refused", "", more=True, digits=0)], smoke=50, fetch=fetch)
def recipients(bench, kind, n):
    with bench.closing(LoadSink()) as sink, bench.closing(Database(bench)) as server:
        table = bench.dir / f"users-{kind}.cf"
        table.write_text(server.configuration() + "query = select target from users where address = '%s'\n")
        table.chmod(0o644)
        with Suite(kind, relay_port=sink.port, relay_domains="sink.test", relay_recipient_maps=f"proxy:pgsql:{table}",
                   **PLAIN) as suite:
            prepare(kind, suite)
            suite.start()
            warm = min(n, 200)
            load_source(suite.port, warm, k=1, t="user%@sink.test", D=USERS)
            sink.wait(warm)
            time.sleep(TAIL)
            first, used, began = len(sink.latencies()), suite.cpu(), time.monotonic()
            load_source(suite.port, n, k=1, w=OFFERED, t="user%@sink.test", D=USERS)
            seconds = sink.wait(warm + n) - began
            time.sleep(TAIL)
            return {"rate": n / seconds, "p99": p99(sink.latencies(first)), "cpu": (suite.cpu() - used) * 1000 / n,
                    "refused": strangers(suite)}


class Database(PostgreSQL):
    """Filled, and with an end as the generators have it."""

    def __init__(self, bench):
        super().__init__(place=bench.dir)
        users(self)

    close = PostgreSQL.destroy


def strangers(suite, n=5):
    """Recipients that the table does not have: all of them must be refused, or nothing was looked up."""
    with suite.instance.smtp() as s:
        s.ehlo()
        s.mail("source@bench.test")
        codes = [s.rcpt(f"stranger{i}@sink.test")[0] for i in range(n)]
    if codes != [550] * n:
        raise Failed(f"unknown recipients were answered {sorted(set(codes))}")
    return n
