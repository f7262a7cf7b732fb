# SPDX-License-Identifier: ISC
"""pgsql:, mysql:, ldap: and redis: tables against the real servers: what postmap -q finds, beside Debian's
Postfix with the same file; and the running suite while a server is stopped, silent and started again."""
import contextlib
import os
import re
import select
import smtplib
import socket
import subprocess
import threading
import time

import pytest

from databases import MariaDB, PostgreSQL, Redis, Slapd
from harness import Talk, eventually
from peers import peer

POSTFIX_PACKAGES = ["postfix", "postfix-ldap", "postfix-mysql", "postfix-pgsql"]

# What every server knows: key, values.
DATA = [
    ("one@ex.org", ["1@x.y"]), ("multi@ex.org", ["a@x", "b@y", "c"]), ("bare", ["vv"]), ("o'hara@ex.org", ["o@x"]),
    ("known@relay.test", ["known@relay.test"]), ("list@alias.test", ["a@relay.test", "b@relay.test"]),
    ("one@alias.test", ["known@relay.test"]), ("a*(b)@ex.org", ["star@x"]), ("jürgen@ex.org", ["j@x"]),
]
KEYS = ["one@ex.org", "ONE@EX.ORG", "multi@ex.org", "bare", "none@ex.org", "o'hara@ex.org", "a*(b)@ex.org", "a*",
        "*", "back\\slash", "jürgen@ex.org", "x' or '1'='1", "\") or (\"1\"=\"1", "@ex.org", "a@", "@", "list@alias.test",
        "x@y@ex.org", "one@sub.ex.org", "%s%n", "one@ex.org ", "a@b..c."]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class SQL:
    """The table `a`: key k, value v."""
    bytes_as_postfix = True

    columns = "create table a(id int, k varchar(80), v varchar(80), w varchar(80));"

    def fill(self):
        rows = [f"({n}, {quoted(k)}, {quoted(v)}, null)" for n, (k, values) in enumerate(DATA) for v in values]
        rows += ["(100, 'empty@ex.org', '', '')", "(101, 'half@ex.org', '', 'z')", "(102, 'two@ex.org', 'l@m', 'r')"]
        self.sql(f"{self.columns}\ninsert into a values {', '.join(rows)};\n{self.more}")

    query = "query = select v from a where k = '%s' order by id, v\n"
    slow = "query = select sleep(30)\n"
    wrong = "query = select nonsense from nowhere\n"


class Pgsql(SQL, PostgreSQL):
    type = "pgsql"
    bytes_as_postfix = False  # Postfix 3.7 says that it speaks ISO 8859-1, later ones UTF-8, as we do
    slow = "query = select pg_sleep(30)\n"
    more = """
create function answer(text) returns setof text as 'select v from a where k = $1 order by v' language sql;
create role secret login password 'geheim';
create role sealed login password 'geheim';
grant select on a to secret, sealed;
"""
    cases = [
        ("query = select v, w from a where k = '%s' order by id, v", ["empty@ex.org", "half@ex.org", "two@ex.org"]),
        ("select_function = answer", []),
        ("table = a\nselect_field = v\nwhere_field = k\nadditional_conditions = and id < 3", []),
        ("query = select '%u|%d|%1'", []), ("query = select '%s', '%%', '%U', '%D'", []),
        ("query = select v from a where k = '%s' order by id, v\nresult_format = <%s-%u-%S>", []),
        ("query = select v from a where k = '%s' order by id, v\nresult_format = %d:%2", []),
        ("query = select v from a where k = '%s'\nexpansion_limit = 2", []),
        ("query = select v from a where k = '%s'\ndomain = ex.org", []),
        ("query = select 1; select v from a where k = '%s' and id < 1", []),
    ]


class Mysql(SQL, MariaDB):
    type = "mysql"
    more = """
delimiter //
create procedure look(in p varchar(80)) begin select v from a where k = p order by id, v; end //
create procedure perhaps(in p varchar(80)) begin if p = 'bare' then select 'yes'; end if; end //
create procedure two(in p varchar(80)) begin select 1; select 2; end //
"""
    cases = [
        ("query = select v, w from a where k = '%s' order by id, v", ["empty@ex.org", "half@ex.org", "two@ex.org"]),
        ("query = call look('%s')", []),
        ("query = call perhaps('%s')\nrequire_result_set = no", []),
        ("table = a\nselect_field = v\nwhere_field = k\nadditional_conditions = and id < 3", []),
        ("query = select '%u|%d|%1'", []),
        ("query = select v from a where k = \"%s\" order by id, v\nresult_format = <%s-%u-%S>", []),
        ("query = select v from a where k = '%s'\nexpansion_limit = 2", []),
        ("query = select v from a where k = '%s'\ndomain = ex.org", []),
    ]


class Ldap(Slapd):
    """One entry a key, `mail` is the key, `description` the values."""
    type = "ldap"
    bytes_as_postfix = True
    query = "query_filter = mail=%s\nresult_attribute = mailLocalAddress\n"
    wrong = "query_filter = (((mail=%s\nresult_attribute = mail\n"
    slow = None

    def fill(self):
        people, groups = f"ou=people,{self.base}", f"ou=groups,{self.base}"
        text = [f"dn: {self.base}\nobjectClass: organization\nobjectClass: dcObject\no: x\ndc: example\n"]
        text += [f"dn: ou={ou},{self.base}\nobjectClass: organizationalUnit\nou: {ou}\n"
                 for ou in ("people", "groups", "ex.org")]

        def person(uid, mail, values, under=people):
            lines = [f"dn: uid={uid},{under}", "objectClass: inetOrgPerson", "objectClass: inetLocalMailRecipient",
                     f"uid: {uid}", f"cn: {uid}", "sn: x", f"mail: {mail}"]
            text.append("\n".join(lines + [f"mailLocalAddress: {v}" for v in values]) + "\n")

        def group(cn, *lines):
            text.append(f"dn: cn={cn},{groups}\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: {cn}\n"
                        f"mail: {cn}@ex.org\n" + "".join(line + "\n" for line in lines))

        for n, (key, values) in enumerate(DATA):
            person(f"u{n}", key if key.isascii() else "none", values)  # mail is IA5String
        person("in", "in@ex.org", ["in@store"], f"ou=ex.org,{self.base}")
        group("team", f"member: uid=u0,{people}", f"member: uid=gone,{people}", f"member: uid=u1,{people}",
              "mailLocalAddress: team@store")
        group("all", f"member: cn=team,{groups}", f"member: uid=u2,{people}")
        group("term", f"member: uid=u0,{people}", "mailRoutingAddress: list@lists")
        group("loop", f"member: cn=loop,{groups}")
        group("urls", f"member: {people}", f"labeledURI: ldap:///{people}?mailLocalAddress?sub?(uid=u1)",
              f"labeledURI: ldap:///{people}??one?(uid=u0)", f"labeledURI: ldap:///{people}?cn?sub?(uid=u2)")
        self.load("\n".join(text))
        self.start()

    groups = ["team@ex.org", "all@ex.org", "term@ex.org", "loop@ex.org", "urls@ex.org"]
    cases = [
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress", groups),
        ("query_filter = (&(mail=%u@%d)(objectClass=*))\nresult_attribute = mailLocalAddress\n"
         "result_format = <%s-%u-%S>", []),
        ("query_filter = mail=%s\nresult_attribute =\nspecial_result_attribute = member, labeledURI\n"
         "leaf_result_attribute = mailLocalAddress\nterminal_result_attribute = mailRoutingAddress", groups),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\nspecial_result_attribute = member labeledURI",
         groups),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\nspecial_result_attribute = member\n"
         "recursion_limit = 1", groups),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\nexpansion_limit = 2", []),
        ("query_filter = mail=*%d\nresult_attribute = uid\nsize_limit = 3", []),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\ndomain = ex.org", []),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\nsearch_base = ou=%d,dc=example,dc=org",
         ["in@ex.org", "in@a,b", "in@a+b"]),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\nsearch_base = ou=nosuch,dc=example,dc=org", []),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\nscope = one", ["in@ex.org"]),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\nbind = no\nresult_filter = %s|", []),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\n"
         "bind_dn = cn=admin,dc=example,dc=org\nbind_pw = secret", []),
        ("query_filter = mail=%s\nresult_attribute = mailLocalAddress\n"
         "bind_dn = cn=admin,dc=example,dc=org\nbind_pw = wrong", []),
    ]


class RedisTable(Redis):
    type = "redis"
    query = ""
    slow = wrong = None

    def fill(self):
        self.start()
        for key, values in DATA:
            self.do("set", key, ",".join(values))
            self.do("set", f"p:{key}", "p")
        self.do("hset", "h", "one@ex.org", "in a hash")
        self.do("-n", "3", "set", "one", "in three")
        self.do("rpush", "rows", "1")


KINDS = {k.type: k for k in (Pgsql, Mysql, Ldap, RedisTable)}


@pytest.fixture(scope="module")
def servers():
    """servers(type): that server, begun once, running and with its data."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = KINDS[kind]()
            made[kind].fill()
        if made[kind].process is None:
            made[kind].start()
        return made[kind]

    yield get
    for server in made.values():
        server.destroy()


@pytest.fixture(params=sorted(KINDS))
def server(request, servers):
    return servers(request.param)


def table(directory, server, name, lines):
    """A table's file; what names the table."""
    path = directory / f"{name}.cf"
    path.write_text(server.configuration() + lines + "\n")
    path.chmod(0o644)
    return f"{server.type}:{path}"


class Ask:
    """postmap -q of ours: (exit status, what it prints, what it says)."""

    def __init__(self, instance):
        self.instance = instance

    def __call__(self, spec, key, input=None):
        r = self.instance.run("postmap", "-q", key, spec, check=False, input=input)
        return r.returncode, r.stdout.decode(), r.stderr.decode()


@pytest.fixture
def ask(instance):
    return Ask(instance(start=False))


# ---- what is found

def test_values(server, ask, tmp_path):
    spec = table(tmp_path, server, "t", server.query)
    assert ask(spec, "One@EX.org")[:2] == (0, "1@x.y\n")
    assert ask(spec, "multi@ex.org")[:2] == (0, "a@x,b@y,c\n")
    assert ask(spec, "none@ex.org") == (1, "", "")
    assert ask(spec, "x' or '1'='1") == (1, "", "")


def test_many_keys_over_one_connection(server, ask, tmp_path):
    """postmap -q - asks for each line: a key that is bad text for the server spoils nothing for the next."""
    spec = table(tmp_path, server, "t", server.query)
    keys = b"one@ex.org\nno\xff\xfe@ex.org\n'\\\"%00\nbare\n" + b"x" * 5000 + b"\nbare\n"
    r = ask.instance.run("postmap", "-q", "-", spec, input=keys, check=False)
    assert r.stdout.splitlines() == [b"one@ex.org\t1@x.y", b"bare\tvv", b"bare\tvv"], r.stderr.decode()


class Beside:
    """postmap of Debian's Postfix, unpacked."""

    def __init__(self, folder):
        self.root = peer("postfix-databases", POSTFIX_PACKAGES)
        self.dir = folder / "postfix"
        self.dir.mkdir()
        lib = self.root / "usr/lib/postfix"
        (self.dir / "main.cf").write_text(
            f"compatibility_level = 3.6\nmail_owner = daemon\nsetgid_group = sys\nqueue_directory = {self.dir}/queue\n"
            f"data_directory = {self.dir}/data\nmeta_directory = {self.dir}\nshlib_directory = {lib}\n"
            f"daemon_directory = {lib}/sbin\ncommand_directory = {self.root}/usr/sbin\n")
        (self.dir / "master.cf").write_text("")
        (self.dir / "dynamicmaps.cf").write_text("".join(
            f"{t}\tpostfix-{t}.so\tdict_{t}_open\n" for t in ("ldap", "mysql", "pgsql")))

    def __call__(self, spec, key, input=None):
        env = dict(os.environ, LD_LIBRARY_PATH=f"{self.root}/usr/lib/postfix:{self.root}/usr/lib/x86_64-linux-gnu")
        r = subprocess.run([f"{self.root}/usr/sbin/postmap", "-c", str(self.dir), "-q", key, spec], env=env,
                           input=input, capture_output=True, timeout=60)
        return r.returncode, r.stdout.decode(), r.stderr.decode()


@pytest.mark.parametrize("kind", ["ldap", "mysql", "pgsql"])
def test_as_postfix_answers(kind, servers, ask, tmp_path):
    """The same file, the same keys, the same server: the same values, and the same word for "not known"."""
    server, theirs = servers(kind), Beside(tmp_path)
    differences = []
    for n, (lines, keys) in enumerate(server.cases):
        spec = table(tmp_path, server, f"case{n}", lines)
        keys = [key for key in keys + KEYS if server.bytes_as_postfix or key.isascii()]
        text = "\n".join(keys).encode() + b"\n"
        a, b = ask(spec, "-", text), theirs(spec, "-", text)
        if a[:2] == b[:2] and not a[2] and "fatal" not in b[2]:
            continue
        # some key is not answered, and the rest of the list is not asked: one by one, then; but Postfix takes
        # a second for each that is not
        patience = 4
        for key in keys:
            if patience == 0:
                break
            a, b = ask(spec, key), theirs(spec, key)
            patience -= "fatal" in b[2]
            if a[:2] != b[:2] or (a[2] != "") != ("fatal" in b[2]):
                differences.append((lines, key, a, b))
    assert not differences, "\n".join(map(str, differences[:20]))


def test_redis(servers, ask, tmp_path):
    server = servers("redis")

    def look(lines, key):
        return ask(table(tmp_path, server, "t", lines), key)

    assert look("prefix = p:", "bare")[:2] == (0, "p\n")
    assert look("hash = h\nresult_format = <%s>", "one@ex.org")[:2] == (0, "<in a hash>\n")
    assert look("database = 3\nquery = %u", "one@ex.org")[:2] == (0, "in three\n")
    assert look("domain = ex.org", "bare") == (1, "", "")
    assert "WRONGTYPE" in look("", "rows")[2]
    assert "AUTH" in look("password = x", "bare")[2]
    assert "database" in look("database = x", "bare")[2]


def test_what_is_wrong_is_named(server, ask, tmp_path):
    """The file, the line, the parameter, what was read; for a query that the server refuses, table and host."""
    spec = table(tmp_path, server, "bad", server.query + "expansion_limit = lots")
    status, out, said = ask(spec, "one@ex.org")
    assert status == 1 and out == ""
    lines = (tmp_path / "bad.cf").read_text().splitlines()
    assert f"bad.cf, line {lines.index('expansion_limit = lots') + 1}: expansion_limit" in said and "lots" in said
    status, out, said = ask(table(tmp_path, server, "format", server.query + "result_format = %x"), "one@ex.org")
    assert status == 1 and "result_format" in said and "%x" in said
    if server.wrong:
        spec = table(tmp_path, server, "wrong", server.wrong)
        status, out, said = ask(spec, "one@ex.org")
        assert status == 1 and spec in said and re.search(r"socket|s\.PGSQL|127\.0\.0\.1", said), said


def test_next_host(server, ask, tmp_path):
    """One of three servers is there: that one answers."""
    line = server.configuration().splitlines()[0]
    name, _, there = line.partition(" = ")
    dead = "ldap://127.0.0.1:1" if server.type == "ldap" else "127.0.0.1:1"
    gone = "ldapi://%2Fno%2Fsuch" if server.type == "ldap" else "unix:/no/such"
    name = "hosts" if server.type == "redis" else name
    path = tmp_path / "hosts.cf"
    path.write_text(server.configuration().replace(line, f"{name} = {dead} {there}, {gone}") + server.query)
    for _ in range(5):
        assert ask(f"{server.type}:{path}", "one@ex.org")[:2] == (0, "1@x.y\n")


def test_over_tcp_with_a_password(servers, ask, tmp_path):
    path = tmp_path / "tcp.cf"
    for kind, user, word, hosts in (
            ("pgsql", "secret", "geheim", "inet:127.0.0.1:{}"), ("pgsql", "", "", "postgresql://secret:geheim@127.0.0.1:{}/mail"),
            ("mysql", "mail", "secret", "127.0.0.1:{}")):
        server = servers(kind)
        lines = f"hosts = {hosts.format(server.port)}\ndbname = mail\n{server.query}"
        path.write_text(lines + (f"user = {user}\npassword = {word}\n" if user else ""))
        assert ask(f"{kind}:{path}", "one@ex.org")[:2] == (0, "1@x.y\n"), (kind, hosts)
        if user:
            path.write_text(lines + f"user = {user}\npassword = wrong\n")
            status, out, said = ask(f"{kind}:{path}", "one@ex.org")
            assert status == 1 and "127.0.0.1" in said and word not in said, said


def test_a_query_that_takes_too_long(servers, ask, tmp_path):
    for kind in ("pgsql", "mysql"):
        server = servers(kind)
        status, out, said = ask(table(tmp_path, server, "slow", server.slow + "timeout = 1"), "one@ex.org")
        assert status == 1 and "no answer in time" in said, said


class Babbler:
    """Something that listens where a server should, and says what it likes: at once, and to all that it hears."""

    def __init__(self, noise):
        self.noise = noise
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=self.listener.accept()[:1], daemon=True).start()

    def talk(self, client):
        with client, contextlib.suppress(OSError):
            client.sendall(self.noise)
            while client.recv(4096):
                client.sendall(self.noise)

    def close(self):
        self.listener.close()


NOISE = [b"", b"\0" * 4000, b"\xff" * 4000, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\0\0\0\x08\0\0\0\0" * 3 + b"Z\0\0\0\x05I",
         b"0\x0c\x02\x01\x01a\x07\x0a\x01\x00\x04\x00\x04\x00" * 4, b"0\x84\x7f\xff\xff\xff\x02\x01\x01", b"$2147483647\r\n", b"*9\r\n" * 50,
         b"$-2\r\n", b"\x4a\0\0\0\x0a5.5.5-x\0" + b"\1" * 60, b"N" + b"\x16\x03\x03\x40\x00" * 50]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_no_server(kind, ask, tmp_path):
    """Whatever comes from there, the answer is "not known", and the client ends in good order and in time."""
    path = tmp_path / "noise.cf"
    for noise in NOISE:
        babbler = Babbler(noise)
        try:
            where = (f"server_host = ldap://127.0.0.1:{babbler.port}\nsearch_base = dc=x\n" if kind == "ldap" else
                     f"hosts = 127.0.0.1:{babbler.port}\n" + ("" if kind == "redis" else "dbname = x\n"))
            path.write_text(where + KINDS[kind].query + "timeout = 1\n")
            status, out, said = ask(f"{kind}:{path}", "one@ex.org")
            assert (status, out) == (1, "") and "noise.cf" in said and "127.0.0.1" in said, (noise, status, out, said)
        finally:
            babbler.close()


def test_parameters_in_main_cf(servers, instance):
    """The old form: TYPE:NAME, whose parameters are NAME_hosts and so on."""
    server = servers("pgsql")
    mx = instance(start=False, people_hosts=f"127.0.0.1:{server.port}", people_user="mail", people_dbname="mail",
                  people_query="select v from a where k = '%s'")
    assert Ask(mx)("pgsql:people", "one@ex.org")[:2] == (0, "1@x.y\n")
    assert Ask(mx)("pgsql:nobody", "one@ex.org")[0] == 1


# ---- the running suite

def suite(instance, server, directory, **settings):
    """A suite that looks up recipients and aliases in the server, and relays to a sink."""
    spec = table(directory, server, "live", server.query)
    return instance(relay_domains="relay.test", relay_recipient_maps=spec, virtual_alias_domains="alias.test",
                    virtual_alias_maps=spec, proxymap_lookup_timeout="3s", queue_run_delay="2s",
                    minimal_backoff_time="2s", maximal_backoff_time="4s", **settings)


@pytest.fixture
def readable(tmp_path):
    """A folder that every user may read in: proxymap sees there that a table's file changed."""
    for folder in (tmp_path, *tmp_path.parents):
        with contextlib.suppress(PermissionError):
            if str(folder).startswith("/tmp/pytest"):
                folder.chmod(0o755)
    return tmp_path


def test_recipients_and_aliases(server, instance, sink, readable):
    hop = sink()
    mx = suite(instance, server, readable, relay_transport=f"smtp:[127.0.0.1]:{hop.port}")
    mx.send("known@relay.test")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        mx.send("none@relay.test")
    assert [code for code, _ in refused.value.recipients.values()] == [550]
    mx.send("One@Alias.test")
    assert [m["recipients"] for m in hop.wait(2)] == [["known@relay.test"]] * 2


def sealed(server):
    """Ways to the server that TLS protects, or that say who we are without a password: good ones, and then bad ones."""
    cert, port, other = f"{server.dir}/ca.pem", server.port, "/etc/ssl/certs/ca-certificates.crt"
    if server.type == "pgsql":
        uri = f"postgresql://sealed:geheim@localhost:{port}/mail?sslmode="
        return ([f"hosts = {uri}verify-full&sslrootcert={cert}", f"hosts = {uri}require"],
                [f"hosts = {uri}verify-full&sslrootcert={other}", f"hosts = {uri}disable"])
    if server.type == "mysql":
        lines = f"hosts = 127.0.0.1:{port}\nuser = sealed\npassword = secret\ndbname = mail\n"
        return ([f"{lines}tls_CAfile = {cert}\ntls_verify_cert = yes"],
                [f"{lines}tls_CAfile = {other}\ntls_verify_cert = yes", f"{lines}option_group ="])
    # libldap takes "localhost" for this machine's own name
    socket = str(server.dir / "socket").replace("/", "%2F")
    plain = f"search_base = {server.base}\nserver_host = ldap://127.0.0.1:{port}\n"
    tls = f"search_base = {server.base}\nserver_host = ldaps://127.0.0.1:{server.tls_port}\n"
    return ([f"{plain}start_tls = yes\ntls_require_cert = yes\ntls_ca_cert_file = {cert}",
             f"{tls}tls_require_cert = yes\ntls_ca_cert_file = {cert}", f"{tls}tls_require_cert = no",
             f"search_base = {server.base}\nserver_host = ldapi://{socket}\nbind = sasl\nsasl_mechs = EXTERNAL"],
            [f"{plain}start_tls = yes\ntls_require_cert = yes\ntls_ca_cert_file = {other}",
             f"{tls}tls_require_cert = yes\ntls_ca_cert_file = {other}"])


@pytest.mark.parametrize("kind", ["ldap", "mysql", "pgsql"])
def test_tls(kind, servers, instance, sink, readable):
    """In the confined proxymap: certificates are read there, names are looked up, and a server whose certificate is
    not good, or that insists on TLS where we are told to do without, is no server."""
    server, hop = servers(kind), sink()
    mx = instance(relay_domains="relay.test", relay_transport=f"smtp:[127.0.0.1]:{hop.port}")
    for n, (lines, expected) in enumerate([(w, 250) for w in sealed(server)[0]] + [(w, 451) for w in sealed(server)[1]]):
        path = readable / f"sealed{n}.cf"
        path.write_text(f"{lines}\n{server.query}timeout = 3\n")
        path.chmod(0o644)
        mx.set(relay_recipient_maps=f"{kind}:{path}")
        mx.reload()
        # one that was started before the reload may still refuse: for what is asked of the new proxymap, or the old
        said = rf"sealed{n}\.cf: .*(certificate|TLS|SSL|Connect error|contact|denied|rejects)"
        eventually(lambda: attempt(mx, "known@relay.test") == expected and
                   (expected == 250 or re.search(said, mx.log())), 20, f"{expected} with {lines}")
        if expected == 250:
            eventually(lambda: attempt(mx, "none@relay.test") == 550, 20, f"550 with {lines}")
    assert "geheim" not in mx.log()
    path.write_text(lines.replace("?sslmode", "?nosuch") + f"\n{server.query}")
    assert "geheim" not in (said := Ask(mx)(f"{kind}:{path}", "x")[2]) and (kind != "pgsql" or "nosuch" in said), said


def test_silence_is_temporary_and_nobody_else_waits(server, instance, sink, readable):
    """A server that is there and says nothing: whoever needs it is told "not now", all others are served meanwhile."""
    hop = sink()
    mx = suite(instance, server, readable, relay_transport=f"smtp:[127.0.0.1]:{hop.port}")
    mx.send("known@relay.test")
    server.freeze()
    try:
        with Talk(mx.port) as waiting, Talk(mx.port) as other:
            for talk in (waiting, other):
                talk.reply()
                talk.say("EHLO client.test")
                talk.say("MAIL FROM:<a@b.test>")
            waiting.raw("RCPT TO:<known@relay.test>\r\n")
            for _ in range(10):
                assert other.say("NOOP")[0] == 250
            assert not select.select([waiting.sock], [], [], 0)[0], "it had not to wait at all"
            code, text = waiting.reply()
            assert (code, text[:5]) == (451, "4.3.0"), text
    finally:
        server.thaw()
    eventually(lambda: attempt(mx, "known@relay.test") == 250, 30, "the server answering again")


def attempt(mx, recipient):
    """Send one message; the code that decides."""
    try:
        mx.send(recipient)
        return 250
    except smtplib.SMTPRecipientsRefused as e:
        return next(iter(e.recipients.values()))[0]
    except smtplib.SMTPResponseException as e:
        return e.smtp_code


class Traffic:
    """Messages without end, for an address that is there; what each was answered."""

    def __init__(self, mx, recipient):
        self.mx, self.recipient = mx, recipient
        self.codes, self.ending = [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ending:
            self.codes.append(attempt(self.mx, self.recipient))
            time.sleep(0.02)

    def since(self, code, n):
        """Has the code come among the answers after the n-th?"""
        return code in self.codes[n:]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.ending = True
        self.thread.join()


def test_stopped_and_started_under_traffic(server, instance, sink, readable):
    """451 while it is away; then all goes on by itself. What was accepted arrives, and nothing bounces."""
    hop = sink()
    mx = suite(instance, server, readable, relay_transport=f"smtp:[127.0.0.1]:{hop.port}")
    with Traffic(mx, "one@alias.test") as traffic:
        eventually(lambda: traffic.codes.count(250) >= 5, 30, "messages")
        for _ in range(2):
            server.stop()
            away = len(traffic.codes)
            eventually(lambda: traffic.since(451, away), 30, "a temporary refusal")
            mx.sendmail("one@alias.test", input="Subject: from sendmail\n\nwhile it is away\n")
            server.start()
            back = len(traffic.codes)
            eventually(lambda: traffic.since(250, back), 60, "the server answering again")
        mx.sendmail("one@alias.test", input="Subject: from sendmail\n\nwakes pickup\n")
    assert set(traffic.codes) == {250, 451}
    accepted = traffic.codes.count(250) + 3
    messages = hop.wait(accepted, 60)
    assert len(messages) == accepted
    assert sum(b"from sendmail" in m["data"] for m in messages) == 3
    assert all(m["recipients"] == ["known@relay.test"] for m in messages)
    assert not re.search(r"status=bounced|status=expired", mx.log())
    mx.wait_log(r"proxymap\[\d+\]: .*live\.cf")
    eventually(lambda: "empty" in mx.mailq(), 30, "an empty queue")


def test_changed_files_are_seen(servers, instance, sink, readable):
    """A table's file is edited: its new query counts, without a reload."""
    server, hop = servers("pgsql"), sink()
    mx = suite(instance, server, readable, relay_transport=f"smtp:[127.0.0.1]:{hop.port}")
    assert attempt(mx, "new@relay.test") == 550
    path = readable / "live.cf"
    new = path.with_suffix(".new")
    new.write_text(server.configuration() + "query = select 'OK' where '%s' like 'new@%%'\n")
    new.chmod(0o644)
    new.rename(path)
    eventually(lambda: attempt(mx, "new@relay.test") == 250, 30, "the new query")
