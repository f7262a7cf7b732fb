# SPDX-License-Identifier: ISC
"""Tables that are not local, looked up through proxymap by the running suite and by postmap: the protocols that
proxymap speaks itself (tcp, socketmap, memcache) and the first of its modules (sqlite)."""
import contextlib
import os
import re
import socket
import sqlite3
import threading
import time

import pytest

from databases import Memcached
from harness import LIBEXEC, MASTER_CF, Talk, eventually, free_port


class Server:
    """A table's server: `protocol` reads one request and gives the reply to a key.

    `table` is the dict that is looked up in; `mode` is "answer", "hang" (take the request and never answer),
    "garbage" or "close".
    """

    def __init__(self, protocol, table, path=None):
        self.protocol = protocol
        self.path = path  # of a UNIX socket; None: TCP
        self.table = dict(table)
        self.mode = "answer"
        self.asked = []
        self.port = free_port()
        self.listener = None
        self.open = set()
        self.released = threading.Event()
        self.start()

    def start(self):
        self.released.clear()
        if self.path is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=100)
        else:
            self.listener = socket.create_server(str(self.path), family=socket.AF_UNIX, backlog=100)
            os.chmod(self.path, 0o666)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As if the server had been killed: nobody listens, and each connection ends."""
        listener, self.listener = self.listener, None
        self.released.set()
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for s in list(self.open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            self.open.add(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            with peer, peer.makefile("rb") as stream:
                while (key := self.protocol.read(stream)) is not None:
                    self.asked.append(key)
                    if self.mode == "hang":
                        self.released.wait(60)
                    elif self.mode == "garbage":
                        peer.sendall(b"\xff\x00 what? %%\r\n:;,\n")
                    elif self.mode == "close":
                        return
                    if self.mode in ("answer", "hang"):
                        peer.sendall(self.protocol.reply(self.table.get(key)))
        except OSError:
            pass
        finally:
            self.open.discard(peer)


class Tcp:
    """tcp_table(5)"""

    @staticmethod
    def read(stream):
        line = stream.readline()
        if not line:
            return None
        key = line.rstrip(b"\n").split(b" ", 1)[1].decode()
        return re.sub("%(..)", lambda m: chr(int(m.group(1), 16)), key)

    @staticmethod
    def reply(value):
        if value is None:
            return b"500 not%20found\n"
        return b"200 " + value.replace("%", "%25").replace(" ", "%20").encode() + b"\n"

    @staticmethod
    def spec(port):
        return f"tcp:127.0.0.1:{port}"


class Socketmap:
    """socketmap_table(5)"""

    @staticmethod
    def read(stream):
        digits = b""
        while (c := stream.read(1)) not in (b":", b""):
            digits += c
        if not digits:
            return None
        request = stream.read(int(digits))
        assert stream.read(1) == b","
        name, key = request.decode().split(" ", 1)
        assert name == "people"
        return key

    @staticmethod
    def reply(value):
        text = b"NOTFOUND " if value is None else b"OK " + value.encode()
        return b"%d:%s," % (len(text), text)

    @staticmethod
    def spec(port):
        return f"socketmap:inet:127.0.0.1:{port}:people"


class Memcache:
    """The get of memcached's text protocol, from a server that can misbehave."""

    @staticmethod
    def read(stream):
        line = stream.readline().decode()
        return line.split()[1] if line.startswith("get ") else None

    key = "known@example.test"

    @classmethod
    def reply(cls, value):
        if value is None:
            return b"END\r\n"
        return b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (cls.key.encode(), len(value), value.encode())

    @staticmethod
    def spec(port):
        return None


@pytest.fixture
def server():
    """A factory: server(protocol, table) gives a Server that ends with the test."""
    made = []

    def make(protocol, table, path=None):
        made.append(Server(protocol, table, path))
        return made[-1]

    yield make
    for s in made:
        s.stop()


@pytest.fixture
def memcached():
    """Debian's memcached, running."""
    m = Memcached().start()
    yield m
    m.destroy()


def relay(instance, sink, table, **settings):
    """A suite that takes mail for the users in `table`, and gives it to a sink."""
    out = sink()
    i = instance(start=False, local_recipient_maps=table, local_transport=f"smtp:[127.0.0.1]:{out.port}",
                 smtp_tls_security_level="none", **settings)
    return i.start(), out


def rcpt(i, address, timeout=60):
    """What the server says to this recipient: (code, text)."""
    with Talk(i.port, timeout=timeout) as t:
        t.reply()
        t.say("EHLO client.test")
        t.say("MAIL FROM:<sender@client.test>")
        return t.say(f"RCPT TO:<{address}>")


def write(path, text):
    path.write_text(text)
    return path


# ---- each type in the running suite

def database(path, **users):
    db = sqlite3.connect(path)
    with db:
        db.execute("create table users (name text, target text)")
        db.executemany("insert into users values (?, ?)", users.items())
    db.close()
    os.chmod(path, 0o644)
    return path


@pytest.mark.parametrize("protocol", [Tcp, Socketmap])
@pytest.mark.parametrize("proxy", ["", "proxy:"])
def test_a_recipient_is_found_or_not(instance, sink, server, protocol, proxy):
    s = server(protocol, {"known@example.test": "yes"})
    i, out = relay(instance, sink, proxy + protocol.spec(s.port))
    i.send("known@example.test")
    assert out.wait(1)[0]["recipients"] == ["known@example.test"]
    code, text = rcpt(i, "other@example.test")
    assert code == 550 and "5.1.1" in text
    # whole addresses only, as for pattern tables
    assert set(s.asked) <= {"known@example.test", "other@example.test"}


def test_names_of_servers(instance, sink, server, tmp_path):
    """A host by its name, which the resolver is asked for; a UNIX socket by its path."""
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:3]:
        os.chmod(parent, 0o755)
    named = server(Tcp, {"known@example.test": "yes"})
    path = server(Socketmap, {"known@other.test": "yes"}, path=tmp_path / "socket")
    i, _ = relay(instance, sink, f"tcp:localhost:{named.port}", relay_domains="other.test",
                 relay_recipient_maps=f"socketmap:unix:{path.path}:people")
    assert rcpt(i, "known@example.test")[0] == 250
    assert rcpt(i, "other@example.test")[0] == 550
    assert rcpt(i, "known@other.test")[0] == 250
    assert rcpt(i, "other@other.test")[0] == 550


def test_tables_within_tables(instance, sink, server):
    """unionmap and pipemap ask them, too, and mix them with local ones."""
    first = server(Tcp, {"known@example.test": "first"})
    second = server(Socketmap, {"first": "second"})
    i, _ = relay(instance, sink, "pipemap:{%s, %s, inline:{second=third}}" % (Tcp.spec(first.port), Socketmap.spec(second.port)),
                 relay_domains="other.test",
                 relay_recipient_maps="unionmap:{inline:{known@other.test=x}, %s}" % Tcp.spec(first.port))
    assert rcpt(i, "known@example.test")[0] == 250
    assert rcpt(i, "other@example.test")[0] == 550
    assert rcpt(i, "known@other.test")[0] == 250
    first.stop()
    assert rcpt(i, "known@other.test")[0] == 451


def test_sqlite_in_the_suite(instance, sink, tmp_path):
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:3]:
        os.chmod(parent, 0o755)
    database(tmp_path / "users.db", bob="bob@example.test", o_hara="x")
    cf = write(tmp_path / "users.cf", f"dbpath = {tmp_path}/users.db\nquery = SELECT target FROM users WHERE name = '%u'\n"
               "domain = example.test\n")
    i, out = relay(instance, sink, f"sqlite:{cf}")
    i.send("bob@example.test")
    out.wait(1)
    assert rcpt(i, "nobody@example.test")[0] == 550
    assert rcpt(i, "x'or'1'='1@example.test")[0] == 550
    # a file that is replaced by another is read from then on
    database(tmp_path / "new.db", alice="y")
    os.rename(tmp_path / "new.db", tmp_path / "users.db")
    assert rcpt(i, "alice@example.test")[0] == 250
    assert rcpt(i, "bob@example.test")[0] == 550


def test_sqlite_beside_a_writer(instance, sink, tmp_path):
    """A writer's lock is waited for, not an error."""
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:3]:
        os.chmod(parent, 0o755)
    path = database(tmp_path / "users.db", bob="x")
    cf = write(tmp_path / "users.cf", f"dbpath = {path}\nquery = SELECT target FROM users WHERE name = '%u'\n")
    i, _ = relay(instance, sink, f"sqlite:{cf}")
    assert rcpt(i, "bob@example.test")[0] == 250
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("begin exclusive")
    db.execute("insert into users values ('eve', 'x')")
    got = []
    asking = threading.Thread(target=lambda: got.append(rcpt(i, "eve@example.test")))
    asking.start()
    eventually(lambda: "sqlite" in status(i), 10, "a lookup under way")
    db.execute("commit")
    asking.join(30)
    db.close()
    assert got and got[0][0] == 250


def test_sqlite_with_a_write_ahead_log(instance, sink, tmp_path):
    """One that nobody has open can be read by who may not write beside it; and what writers add is seen."""
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:3]:
        os.chmod(parent, 0o755)
    path = tmp_path / "users #1?%.db"
    db = sqlite3.connect(path)
    assert db.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    db.close()
    database(path, bob="x")
    assert not os.path.exists(f"{path}-shm")
    cf = write(tmp_path / "users.cf", f"dbpath = {path}\nquery = SELECT target FROM users WHERE name = '%u'\n")
    i, _ = relay(instance, sink, f"sqlite:{cf}")
    assert rcpt(i, "bob@example.test")[0] == 250
    assert rcpt(i, "eve@example.test")[0] == 550
    db = sqlite3.connect(path)
    with db:
        db.execute("insert into users values ('eve', 'x')")
    for end in ("-wal", "-shm"):
        os.chmod(f"{path}{end}", 0o644)
    assert rcpt(i, "eve@example.test")[0] == 250
    with db:
        db.execute("insert into users values ('ann', 'x')")
    assert rcpt(i, "ann@example.test")[0] == 250
    db.close()
    assert rcpt(i, "ann@example.test")[0] == 250
    assert rcpt(i, "sue@example.test")[0] == 550


def status(i):
    """proxymap's own words, from its status socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(i.queue / "status/proxymap.0"))
        return s.makefile("rb").read().decode()


def test_a_database_that_is_locked_holds_up_its_own_lookups_only(instance, sink, tmp_path):
    """Threads that wait are those of one table; another one in the same process, of the same type, is served."""
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:3]:
        os.chmod(parent, 0o755)
    specs = []
    for name in ("locked", "free"):
        path = database(tmp_path / f"{name}.db", bob="x")
        specs.append("sqlite:%s" % write(tmp_path / f"{name}.cf",
                                         f"dbpath = {path}\nquery = SELECT target FROM users WHERE name = '%u'\n"))
    i, _ = relay(instance, sink, specs[0], relay_domains="other.test", relay_recipient_maps=specs[1],
                 proxymap_connection_limit=2, proxymap_lookup_timeout="10s")
    assert rcpt(i, "bob@example.test")[0] == 250
    db = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    db.execute("begin exclusive")
    got = []
    waiting = [threading.Thread(target=lambda: got.append(rcpt(i, "bob@example.test")[0])) for _ in range(6)]
    for t in waiting:
        t.start()
    eventually(lambda: "lookups under way: 6" in status(i), 10, "lookups that wait")
    for _ in range(5):
        assert rcpt(i, "bob@other.test")[0] == 250
        assert rcpt(i, "eve@other.test")[0] == 550
    assert not got, "the other table was served while the first was locked"
    db.execute("rollback")
    db.close()
    for t in waiting:
        t.join(60)
    assert set(got) <= {250, 451} and 250 in got


def test_memcache_with_a_backup(instance, sink, memcached, tmp_path):
    """What memcached has is taken; what it has forgotten comes from the table behind it, and is put into it."""
    (tmp_path / "backup").write_text("second@example.test from-backup\n")
    cf = write(tmp_path / "cache.cf", memcached.configuration() + "key_format = pr:%s\n"
               f"backup = texthash:{tmp_path}/backup\nttl = 600\n")
    memcached.set("pr:first@example.test", "from-cache")
    i, out = relay(instance, sink, f"memcache:{cf}")
    i.send("first@example.test")
    i.send("second@example.test")
    out.wait(2)
    assert memcached.get("pr:second@example.test") == "from-backup"
    assert rcpt(i, "third@example.test")[0] == 550
    # without memcached the table behind it answers alone
    memcached.stop()
    assert rcpt(i, "second@example.test")[0] == 250
    assert rcpt(i, "third@example.test")[0] == 550


def test_memcache_alone_down_is_temporary(instance, sink, memcached, tmp_path):
    cf = write(tmp_path / "cache.cf", memcached.configuration() + "retry_pause = 0\n")
    memcached.set("known@example.test", "x")
    i, _ = relay(instance, sink, f"memcache:{cf}")
    assert rcpt(i, "known@example.test")[0] == 250
    assert rcpt(i, "other@example.test")[0] == 550
    memcached.stop()
    assert rcpt(i, "known@example.test")[0] == 451
    memcached.start()
    memcached.set("known@example.test", "x")
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 30, "the cache again")


# ---- servers that fail

@pytest.mark.parametrize("mode", ["garbage", "close"])
@pytest.mark.parametrize("protocol", [Tcp, Socketmap])
def test_what_is_not_understood_is_temporary(instance, sink, server, protocol, mode):
    s = server(protocol, {"known@example.test": "yes"})
    s.mode = mode
    i, _ = relay(instance, sink, protocol.spec(s.port))
    code, text = rcpt(i, "known@example.test")
    assert code == 451 and "4.3.0" in text
    i.wait_log(r"127\.0\.0\.1:%d" % s.port)
    s.mode = "answer"
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 30, "recovery")


def test_memcache_garbage_is_temporary(instance, sink, server, tmp_path):
    s = server(Memcache, {"known@example.test": "yes"})
    cf = write(tmp_path / "cache.cf", f"memcache = inet:127.0.0.1:{s.port}\nmax_try = 1\n")
    i, _ = relay(instance, sink, f"memcache:{cf}")
    assert rcpt(i, "known@example.test")[0] == 250
    s.mode = "garbage"
    assert rcpt(i, "known@example.test")[0] == 451
    s.mode = "answer"
    # an answer to another key is none
    s.table["other@example.test"] = "yes"
    assert rcpt(i, "other@example.test")[0] == 451
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 30, "recovery")


def test_silence_is_temporary_and_stalls_nobody_else(instance, sink, server, tmp_path):
    """A server that accepts and never answers: that lookup ends in 451, and other sessions go on at once."""
    slow = server(Tcp, {"known@example.test": "yes"})
    good = server(Socketmap, {"good@other.test": "yes"})
    i, out = relay(instance, sink, Tcp.spec(slow.port), proxymap_lookup_timeout="6s",
                   relay_domains="other.test", relay_recipient_maps=Socketmap.spec(good.port))
    i.set(relay_transport=f"smtp:[127.0.0.1]:{out.port}")
    i.reload()
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 20, "the suite again")
    slow.mode = "hang"
    got = []
    hanging = threading.Thread(target=lambda: got.append(rcpt(i, "known@example.test")))
    hanging.start()
    asked = len(slow.asked)
    eventually(lambda: len(slow.asked) > asked or slow.asked.count("known@example.test") > 1, 10, "the question")
    i.send("good@other.test")
    assert rcpt(i, "bad@other.test")[0] == 550
    out.wait(1)
    assert not got, "the other sessions were served while the first one waited"
    hanging.join(60)
    assert got[0][0] == 451
    i.wait_log(r"127\.0\.0\.1:%d.*timeout" % slow.port)


def test_a_server_that_is_down_costs_no_time(instance, sink, server):
    """After some failures in a row nobody waits for it; it is tried again, and both are logged."""
    s = server(Tcp, {"known@example.test": "yes"})
    i, _ = relay(instance, sink, Tcp.spec(s.port), proxymap_lookup_timeout="3s")
    s.mode = "hang"
    for _ in range(3):
        assert rcpt(i, "known@example.test")[0] == 451
    i.wait_log(r"proxymap\[\d+\]: warning: table tcp:\S+: server \S+ is taken for down after 3 failures in a row")
    asked = len(s.asked)
    for _ in range(5):
        assert rcpt(i, "known@example.test")[0] == 451
    assert len(s.asked) <= asked + 1, "one lookup at most tries it meanwhile"
    s.mode = "answer"
    s.released.set()
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 30, "recovery")
    i.wait_log(r"proxymap\[\d+\]: table tcp:\S+: server \S+ answers again")


def test_server_stopped_and_started_under_traffic(instance, sink, server):
    """Nothing is lost and nothing bounced: 250 and 451 only, and what got 250 arrives once."""
    users = {f"u{n}@example.test": "yes" for n in range(200)}
    s = server(Socketmap, users)
    i, out = relay(instance, sink, Socketmap.spec(s.port))
    lock = threading.Lock()
    accepted, codes = set(), []
    ending = threading.Event()

    def traffic(own):
        todo = list(own)
        while todo and not ending.is_set():
            address = todo[0]
            code, _ = rcpt_and_send(i, address)
            with lock:
                codes.append(code)
            if code == 250:
                todo.pop(0)
                with lock:
                    accepted.add(address)
            else:
                time.sleep(0.05)

    names = sorted(users)
    threads = [threading.Thread(target=traffic, args=(names[n::4],)) for n in range(4)]
    for t in threads:
        t.start()
    for _ in range(2):
        before = len(accepted)
        eventually(lambda b=before: len(accepted) >= min(b + 20, 150), 60, "some mail")
        s.stop()
        eventually(lambda: 451 in codes, 30, "a refusal for now")
        codes.clear()
        s.start()
    for t in threads:
        t.join(120)
    ending.set()
    assert accepted == set(users)
    assert set(codes) <= {250, 451}
    eventually(lambda: len(out.messages) >= len(users), 60, "all mail")
    got = [m["recipients"][0] for m in out.messages]
    assert sorted(got) == names
    assert "status=bounced" not in i.log()


def rcpt_and_send(i, address):
    with Talk(i.port, timeout=60) as t:
        t.reply()
        t.say("EHLO client.test")
        t.say("MAIL FROM:<sender@client.test>")
        code, text = t.say(f"RCPT TO:<{address}>")
        if code != 250:
            return code, text
        t.say("DATA")
        return t.say("Subject: x\r\n\r\nhello\r\n.")


# ---- other callers than smtpd

def test_virtual_aliases_and_transports(instance, sink, server):
    """cleanup and qmgr ask too."""
    out = sink()
    aliases = server(Tcp, {"info@virtual.test": "bob@far.test"})
    routes = server(Socketmap, {"bob@far.test": f"smtp:[127.0.0.1]:{out.port}"})
    i = instance(virtual_alias_domains="virtual.test", virtual_alias_maps=Tcp.spec(aliases.port),
                 transport_maps=Socketmap.spec(routes.port), smtp_tls_security_level="none")
    i.send("info@virtual.test")
    assert out.wait(1)[0]["recipients"] == ["bob@far.test"]


def test_smtp_asks_for_its_policy(instance, sink, server):
    policies = server(Tcp, {"far.test": "encrypt"})
    out = sink()
    i = instance(relay_domains="far.test", transport_maps=f"inline:{{far.test=smtp:[127.0.0.1]:{out.port}}}",
                 smtp_tls_policy_maps=Tcp.spec(policies.port), smtp_tls_security_level="may")
    policies.table[f"[127.0.0.1]:{out.port}"] = "encrypt"
    i.sendmail("-f", "sender@client.test", "bob@far.test")
    i.wait_log(r"to=<bob@far.test>.*status=deferred.*TLS is required, but was not offered")
    assert f"[127.0.0.1]:{out.port}" in policies.asked


def test_transport_server_down_defers(instance, sink, server):
    """qmgr: what cannot be resolved now is tried again, and nothing bounces."""
    out = sink()
    routes = server(Tcp, {"bob@far.test": f"smtp:[127.0.0.1]:{out.port}"})
    routes.stop()
    i = instance(relay_domains="far.test", transport_maps=Tcp.spec(routes.port), smtp_tls_security_level="none",
                 minimal_backoff_time="1s", maximal_backoff_time="2s", queue_run_delay="1s",
                 smtpd_relay_restrictions="permit")
    r = i.sendmail("-f", "sender@client.test", "bob@far.test")
    assert r.returncode == 0
    i.wait_log(r"address resolver failure for <bob@far.test>: table tcp:")
    i.wait_log(r"to=<bob@far.test>.*status=deferred")
    routes.start()
    eventually(lambda: i.flush() and out.messages, 60, "the delivery")
    assert "status=bounced" not in i.log()


def test_reload_while_qmgr_waits_for_a_table(instance, sink, server):
    """A qmgr that waits for an answer gives way to its successor at once."""
    out = sink()
    routes = server(Tcp, {"bob@far.test": f"smtp:[127.0.0.1]:{out.port}"})
    i = instance(relay_domains="far.test", transport_maps=Tcp.spec(routes.port), smtp_tls_security_level="none",
                 minimal_backoff_time="1s", maximal_backoff_time="2s", queue_run_delay="1s")
    routes.mode = "hang"
    assert i.sendmail("-f", "sender@client.test", "bob@far.test").returncode == 0
    eventually(lambda: routes.asked, 20, "the question")
    (before,) = i.pids("qmgr")
    begun = time.monotonic()
    i.reload()
    eventually(lambda: before not in i.pids("qmgr"), 25, "the end of the old qmgr")
    assert time.monotonic() - begun < 25
    routes.mode = "answer"
    routes.released.set()
    eventually(lambda: i.flush() and out.messages, 60, "the delivery")
    assert len(out.messages) == 1


def test_local_asks_for_aliases(instance, mailbox, tmp_path):
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:3]:
        os.chmod(parent, 0o755)
    path = database(tmp_path / "aliases.db", info=mailbox.pw_name)
    cf = write(tmp_path / "aliases.cf", f"dbpath = {path}\nquery = SELECT target FROM users WHERE name = '%s'\n")
    i = instance(alias_maps=f"sqlite:{cf}", local_recipient_maps="")
    i.send("info@example.test")
    i.wait_log(r"to=<%s@.*orig_to=<info@.*status=sent" % mailbox.pw_name)


def test_no_strangers_say_who_gets_mail(instance, server):
    """tcp is not allowed in alias_maps: whoever answers there would say which commands run."""
    s = server(Tcp, {"info": "|touch /tmp/no"})
    i = instance(alias_maps=Tcp.spec(s.port), local_recipient_maps="")
    i.send("info@example.test")
    i.wait_log(r"not allowed for security-sensitive data")
    i.wait_log(r"to=<info@.*status=deferred.*alias database unavailable")
    assert s.asked == []


# ---- what is served, and reload

def test_only_configured_tables_are_served(instance, server, tmp_path):
    """A caller cannot have proxymap open another file or ask another server."""
    s = server(Tcp, {})
    other = server(Tcp, {"a": "b"})
    i = instance(local_recipient_maps=Tcp.spec(s.port),
                 services=[f"{free_port()} inet n - n - - smtpd -o relay_recipient_maps=tcp:127.0.0.1:1"])
    rcpt(i, "somebody@example.test")
    served = status(i)
    assert f"tcp:127.0.0.1:{s.port}" in served
    assert "tcp:127.0.0.1:1:" in served, "-o of master.cf counts too"
    assert str(other.port) not in served
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(20)
        c.connect(str(i.queue / "private/proxymap"))
        text = f"tcp:127.0.0.1:{other.port}".encode()
        payload = (7).to_bytes(4, "little") + len(text).to_bytes(4, "little") + text + (1).to_bytes(4, "little") + b"a"
        c.sendall(len(payload).to_bytes(4, "little") + (8 * 256 + 1).to_bytes(2, "little") + b"\0\0" + payload)
        answer = c.recv(65536)
    assert b"does not serve it" in answer
    assert other.asked == []


def test_a_changed_configuration_file_is_read_again(instance, sink, server, tmp_path):
    s = server(Memcache, {"known@example.test": "yes"})
    cf = write(tmp_path / "cache.cf", f"memcache = inet:127.0.0.1:{s.port}\nkey_format = other:%s\n")
    i, _ = relay(instance, sink, f"memcache:{cf}")
    assert rcpt(i, "known@example.test")[0] == 550
    cf.write_text(f"memcache = inet:127.0.0.1:{s.port}\n")
    i.wait_log(r"proxymap\[\d+\]: table has changed -- restarting", 20)
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 20, "the new configuration")


def test_a_replaced_configuration_file_is_read_again(instance, sink, server, tmp_path):
    """By another file under its name, in a folder that only root may look into."""
    s = server(Memcache, {"known@example.test": "yes"})
    cf = write(tmp_path / "cache.cf", f"memcache = inet:127.0.0.1:{s.port}\nkey_format = other:%s\n")
    os.chmod(tmp_path, 0o700)
    i, _ = relay(instance, sink, f"memcache:{cf}")
    assert rcpt(i, "known@example.test")[0] == 550
    os.rename(write(tmp_path / "new.cf", f"memcache = inet:127.0.0.1:{s.port}\n"), cf)
    i.wait_log(r"proxymap\[\d+\]: table has changed -- restarting", 20)
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 20, "the new configuration")


def test_a_wrong_configuration_file_names_the_line(instance, sink, tmp_path):
    cf = write(tmp_path / "cache.cf", "# comment\nttl = soon\n")
    i, _ = relay(instance, sink, f"memcache:{cf}")
    assert rcpt(i, "known@example.test")[0] == 451
    i.wait_log(r"cache\.cf, line 2: ttl = soon: bad number: 0 or more is allowed")


def test_sizes_of_socketmap(instance, sink, server):
    """A reply that is too long is not believed; a key that is too long is not asked for."""
    s = server(Socketmap, {"a@example.test": "x" * 500, "b@example.test": "y", "a-long-name@example.test": "z"})
    i, _ = relay(instance, sink, Socketmap.spec(s.port), socketmap_max_reply_size="400", socketmap_max_query_size="26")
    assert rcpt(i, "b@example.test")[0] == 250
    assert rcpt(i, "a@example.test")[0] == 451
    assert rcpt(i, "a-long-name@example.test")[0] == 550
    assert "a-long-name@example.test" not in s.asked


def test_a_master_cf_that_knows_no_proxymap(instance, sink, server):
    s = server(Tcp, {"known@example.test": "x"})
    i, _ = relay(instance, sink, Tcp.spec(s.port), master_cf="".join(
        line for line in MASTER_CF.splitlines(True) if not line.startswith("proxymap")))
    assert rcpt(i, "known@example.test")[0] == 250
    assert rcpt(i, "other@example.test")[0] == 550


def test_proxymap_killed_is_temporary_at_worst(instance, sink, server):
    s = server(Tcp, {"known@example.test": "yes"})
    i, _ = relay(instance, sink, Tcp.spec(s.port))
    assert rcpt(i, "known@example.test")[0] == 250
    for _ in range(3):
        for pid in i.pids("proxymap"):
            os.kill(pid, 9)
        assert rcpt(i, "known@example.test")[0] in (250, 451)
    eventually(lambda: rcpt(i, "known@example.test")[0] == 250, 30, "another proxymap")


# ---- commands, without a running suite

def test_postmap_asks_without_a_suite(instance, server, tmp_path):
    s = server(Tcp, {"a key": "a value"})
    i = instance(start=False)
    r = i.run("postmap", "-q", "a key", Tcp.spec(s.port))
    assert r.stdout == b"a value\n"
    r = i.run("postmap", "-q", "no", Tcp.spec(s.port), check=False)
    assert (r.returncode, r.stdout, r.stderr) == (1, b"", b"")
    r = i.run("postmap", "-q", "-", "proxy:" + Tcp.spec(s.port), input="a key\nno\n")
    assert r.stdout == b"a key\ta value\n"
    s.stop()
    r = i.run("postmap", "-q", "a key", Tcp.spec(s.port), check=False)
    assert r.returncode == 1 and b"Connection refused" in r.stderr


def test_postmap_asks_sqlite(instance, tmp_path):
    database(tmp_path / "t.db", **{"bob": "b1", "it's": "quoted"})
    cf = write(tmp_path / "t.cf", f"dbpath = {tmp_path}/t.db\nquery = SELECT target FROM users WHERE name = '%s'\n"
               "result_format = <%s>\nmisspelled = 1\n")
    i = instance(start=False)
    r = i.run("postmap", "-q", "it's", f"sqlite:{cf}")
    assert r.stdout == b"<quoted>\n"
    assert b'line 4: no table of type sqlite has a parameter "misspelled"' in r.stderr
    # the old form: parameters in main.cf
    i.set(people_dbpath=tmp_path / "t.db", people_query="SELECT target FROM users WHERE name = '%s'")
    assert i.run("postmap", "-q", "bob", "sqlite:people").stdout == b"b1\n"
    assert i.run("postalias", "-q", "bob", "sqlite:people").stdout == b"b1\n"


def test_names_that_make_no_sense(instance, tmp_path):
    i = instance(start=False)
    for spec, said in (("tcp:nohost", "HOST:PORT is allowed"), ("tcp:127.0.0.1:99999", "HOST:PORT is allowed"),
                       ("socketmap:127.0.0.1:1", "inet:HOST:PORT or unix:PATH is allowed"),
                       ("socketmap:unix:/x:", "inet:HOST:PORT:NAME or unix:PATH:NAME"),
                       ("memcache:/nonexistent", "No such file or directory")):
        r = i.run("postmap", "-q", "x", spec, check=False)
        assert r.returncode == 1 and said in r.stderr.decode(), (spec, r.stderr)


def test_check_looks_at_tables_without_asking_servers(instance, tmp_path):
    """Wrong files: postrider check says so. A server that is not there is no error of these."""
    good = write(tmp_path / "good.cf", f"memcache = inet:127.0.0.1:{free_port()}\n")
    bad = write(tmp_path / "bad.cf", "max_try = 0\n")
    i = instance(start=False, relay_recipient_maps=f"proxy:memcache:{good}, tcp:127.0.0.1:{free_port()}")
    before = i.run("postrider", "check", check=False)
    assert b"tcp" not in before.stderr and b"memcache" not in before.stderr, before.stderr
    i.set(relay_recipient_maps=f"memcache:{bad}")
    after = i.run("postrider", "check", check=False)
    assert b"bad.cf, line 1: max_try = 0: bad number: 1 to 100 is allowed" in after.stderr



def test_types_are_listed(instance):
    """Those whose module is installed, beside those that need none."""
    i = instance(start=False)
    listed = i.run("postconf", "-m").stdout.decode().split()
    assert {"proxy", "tcp", "socketmap", "memcache"} <= set(listed)
    for kind in ("ldap", "mysql", "pgsql", "redis", "sqlite"):
        assert (kind in listed) == (LIBEXEC / f"table_{kind}.so").exists(), kind
    assert listed == sorted(listed)
