# SPDX-License-Identifier: ISC
"""Tables, and the commands that make and ask them, beside Debian's Postfix: the same sources, the same keys.

What is printed and the exit status must be equal, and the same lines of a source must be complained of; the words
may differ. Differences on purpose are written down where they are allowed.
"""
import os
import re
import subprocess

import pytest

from harness import SBIN, Instance
from peers import POSTFIX, peer

MAIN_CF = """\
compatibility_level = 3.7
mail_owner = daemon
setgid_group = sys
queue_directory = {dir}/queue
data_directory = {dir}/data
meta_directory = {dir}
shlib_directory = {root}/usr/lib/postfix
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
alternate_config_directories = {dir}
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
default_database_type = lmdb
myhostname = mail.example.test
"""
DYNAMIC = """\
lmdb\tpostfix-lmdb.so\tdict_lmdb_open\tmkmap_lmdb_open
cdb\tpostfix-cdb.so\tdict_cdb_open\tmkmap_cdb_open
pcre\tpostfix-pcre.so\tdict_pcre_open
"""


class Answer:
    def __init__(self, result):
        self.status = result.returncode
        self.out = result.stdout
        self.said = result.stderr.decode(errors="replace")
        self.lines = sorted({int(n) for n in re.findall(r"line (\d+)", self.said)})

    def __repr__(self):
        return f"status {self.status}, {self.out!r}, said {self.said}"


class Side:
    """One suite's commands, with a directory for its tables."""

    def __init__(self, folder, program, environment, main_cf):
        self.dir, self.program, self.environment, self.main_cf = folder, program, environment, main_cf

    def run(self, command, *arguments, stdin=b"", **environment):
        words = [a.replace("@", str(self.dir)) if isinstance(a, str) else a for a in arguments]
        return Answer(subprocess.run([*self.program(command), *words], env={**self.environment, **environment},
                                     cwd=self.dir, input=stdin, capture_output=True, timeout=60))

    def set(self, **settings):
        """The parameters count from now on."""
        text = self.main_cf.read_text()
        for name, value in settings.items():
            text = re.sub(f"(?m)^{name} *=.*\n", "", text) + f"{name} = {value}\n"
        self.main_cf.write_text(text)

    def write(self, name, text):
        path = self.dir / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, (10**9, 10**9))  # Postfix waits until a source is older than the present second


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """Ours and Postfix's."""
    root = peer("postfix-tables", [*POSTFIX, "postfix-pcre", "postfix-cdb"])
    base = tmp_path_factory.mktemp("tables")
    base.chmod(0o755)
    theirs = base / "theirs"
    theirs.mkdir()
    (theirs / "main.cf").write_text(MAIN_CF.format(dir=theirs, root=root))
    (theirs / "master.cf").touch()
    (theirs / "dynamicmaps.cf").write_text(DYNAMIC)
    libraries = f"{root}/usr/lib/postfix:{root}/usr/lib/x86_64-linux-gnu"
    other = Side(theirs, lambda command: [root / "usr/sbin" / command, "-c", theirs],
                 {**os.environ, "LD_LIBRARY_PATH": libraries}, theirs / "main.cf")
    instance = Instance(myhostname="mail.example.test", default_database_type="lmdb")
    (base / "ours").mkdir()
    ours = Side(base / "ours", lambda command: [SBIN / command], instance.environment(), instance.etc / "main.cf")
    yield ours, other
    instance.destroy()


@pytest.fixture
def both(sides):
    """Run a command on either side; "@" in an argument is the side's directory."""
    def run(command, *arguments, same=("status", "out", "lines"), **options):
        ours, theirs = (side.run(command, *arguments, **options) for side in sides)
        for what in same:
            assert getattr(ours, what) == getattr(theirs, what), f"{arguments}: {what}\nours: {ours}\ntheirs: {theirs}"
        return ours, theirs

    def write(name, text):
        for side in sides:
            side.write(name, text)

    run.write = write
    return run


def keys(*all):
    return b"".join((k if isinstance(k, bytes) else k.encode()) + b"\n" for k in all)


# what is asked, and the tables that are asked for it, in their names
NAMED = [
    ("a", ["inline:{a=b, {c = d e}, {f=g, h}}", "inline:{a}", "inline:{a=}", "inline:{}", "inline:{ }", "inline:a=b",
           "inline:{{a=b}", "inline:{a=b a=c}", "inline:{a={b}}", "inline:{{a={b c}}}", "inline:{a=b}x",
           "inline:{a = b}", "inline:{{a = b = c}}", "inline:{A=b}", "inline:{ a=b , , c=d }", "inline:{a==b}"]),
    ("c", ["inline:{a=b, {c = d e}}", "inline:{a=b}"]),
    ("f", ["inline:{a=b, {f=g, h}}"]),
    ("A", ["inline:{A=b a=c}", "static:A", "unionmap:{inline:{a=x} static:y}"]),
    ("x", ["static:x", "static:{ x y }", "static:{ x y", "static:{x} y", "static:", "static:{}", "static:{{x}}",
           "static: x", "fail:x", "fail:", "environ:x", "environ:", "internal:x", "randmap:{a}", "randmap:{}",
           "randmap:a", "randmap:{{a b}}", "randmap:{ a , a }", "randmap:{a a}x", "nosuch:x", "nocolon", ":", "x:"]),
    ("a", ["unionmap:{static:a, inline:{a=b}}", "unionmap:{static:a}", "unionmap:{}", "unionmap:static:a",
           "unionmap:{fail:x, static:a}", "unionmap:{static:a, fail:x}", "unionmap:{nosuch:x}",
           "unionmap:{static:{a b}, inline:{a={}}}", "unionmap:{inline:{b=c}, inline:{c=d}}",
           "unionmap:{static:a static:a}", "unionmap:{pipemap:{inline:{a=b} inline:{b=c}} static:z}",
           "unionmap:{ {static:a} }", "unionmap:{static:a", "unionmap:{nocolon}"]),
    ("a", ["pipemap:{inline:{a=b}, inline:{b=c}}", "pipemap:{inline:{b=c}}", "pipemap:{}", "pipemap:static:a",
           "pipemap:{inline:{a=b} fail:x}", "pipemap:{inline:{b=b} fail:x}", "pipemap:{static:A inline:{a=folded}}",
           "pipemap:{inline:{a=Q} pcre:{{/^(q)$/ <$1>}}}"]),
    ("root", ["unix:passwd.byname", "unix:group.byname", "unix:shadow.byname"]),
    ("ROOT", ["unix:passwd.byname"]),
    ("no-such-user", ["unix:passwd.byname", "unix:group.byname"]),
    ("aXb", ["pcre:{{/a(.)b/ got $1}}", "regexp:{{/a(.)b/ got $1}}", "regexp:{}", "regexp:{ { /a/ x } , { /b/ y } }",
             "regexp:{/a/ x}", "pcre:{{ if /a/ } { /b/ y } { endif }}", "regexp:{{/a/ x}"]),
    ("192.168.1.1", ["cidr:{{192.168.1.0/24 yes}}", "cidr:{{192.168.1.1 yes}{0.0.0.0/0 no}}", "cidr:{{10.0.0.0/8 no}}",
                     "cidr:{}"]),
    ("k", ["texthash:{{k v w}{l m}}", "texthash:{k v}"]),
    ("", ["static:x", "inline:{a=b}", "regexp:{{/^$/ empty}}", "pcre:{{/^$/ empty}}", "cidr:{{0.0.0.0/0 no}}"]),
]


@pytest.mark.parametrize("key,table", [(key, table) for key, tables in NAMED for table in tables])
def test_tables_in_their_names(both, key, table):
    both("postmap", "-q", key, table, same=("status", "out"))


PATTERNS = """\
/^a(b+)c$/ x ${1} y$$z
/foo/i FOO
if /^q-/
/12$/ twelve
if !/13/
/1/ notthirteen
!/9/ other q
endif
/9/ nine
endif
/bad(/ skipped
/x/ $7 skipped
/x2/ ${7 skipped
/x3/ $a skipped
!/x4(a)/ $1
/a\\/b/ slash
~^Case$~i exact
/nores/
/nores2/
/flag/z foo
/flag/i foo
noslash foo
\tindented
/multi
 line/ result
  two
endif
if /abc/
/abcd/ ABCD
ENDIF extra
IF /xyz/ extra
/xyz1/ XYZ
EndIf
/p(1)(2)?(3)/ $1-$2-$3-$(3)-${2}x
/d/ $0 $10
if
if noslash
! /neg/ something
#
/after/ $$ $$$1
/many/m$ what
/ml$/m multi line mode
!!/twice/ twice
/z(a|b)*c/ <$1>
! !/spaced/ spaced
if /tail
/tail1/ never closed
"""
PATTERN_KEYS = ["abbc", "ABC", "foo", "FOO", "q-12", "q-13", "q-1", "q-9", "q-8", "q-19", "bad", "x", "a/b", "Case", "case",
                "nores", "nores2", "flag", "multiline", "multi line", "abc", "abcd", "abcdx", "xyz", "xyz1", "p13", "p123",
                "after", "neg", "zzz", "dd", "x4a", "", "q-139", "many", "ml", "twice", "zababc", "zc", "spaced", "tail1"]

PCRE = """\
/^(?!not)(.*)-x@(.*)/ $1 at $2
/a.c/s dot
/b d/x spaced
/^m2$/m two
/anch/A anchored
/end$/E end
/<.*>/U ungreedy
/(<.*?>)/U $1
/back\\q/ q
/X/X extra
/(?<name>v+)/ $1 named
/\\bword\\b/ word
/(/ bad
/[z-a]/ bad range
/a{2,1}/ bad count
/(?i)MiXeD/i mixed
/\\x{100}/ wide
/\\Qa.b\\E/ quoted
/(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)(11)/ $11 $10 $1
"""
PCRE_KEYS = ["list-x@d", "not-x@d", "abc", "bd", "b d", "m2", "anchor", "xanch", "the end", "<a><b>", "backq", "X", "vvv",
             "a word here", "words", "MiXeD", "mixed", "a.b", "axb", "123456789011"]

REGEXP = """\
/^(a|ab)(c|bcd)(d*)$/ $1.$2.$3
/b\\(c\\)/x basic $1
/b(c)/x plain
/[[:digit:]]{3}/ digits
/a{2,1}/ bad
/[z-a]/ bad
/*star/ star
/x+/ plus
/^$/ empty
/(o)*(q)?w/ [$1][$2]
/\\(p\\)/ parens
/a\\\\b/ backslash
"""
REGEXP_KEYS = ["abcd", "bc", "b(c)", "123", "aa", "*star", "xx", "", "oow", "qw", "w", "(p)", "a\\b", "nothing"]


@pytest.mark.parametrize("kind,source,asked", [
    ("regexp", PATTERNS, PATTERN_KEYS), ("pcre", PATTERNS, PATTERN_KEYS), ("pcre", PCRE, PCRE_KEYS),
    ("regexp", REGEXP, REGEXP_KEYS)], ids=["regexp", "pcre", "pcre-flags", "regexp-flags"])
def test_patterns(both, kind, source, asked):
    both.write("patterns", source)
    both("postmap", "-q", "-", f"{kind}:@/patterns", stdin=keys(*asked))
    for key in asked:
        both("postmap", "-fq", key, f"{kind}:@/patterns")


CIDR = """\
10.0.0.0/8 ten
10.0.0.1/8 bad
192.168.1.1 one
! 192.168.0.0/16 inverse
if 172.16.0.0/12
172.16.1.0/24 inner
!172.16.2.0/24 not two
if !172.16.2.3
172.16.2.0/24 nested
endif
endif
2001:db8::1 six
[2001:db8::]/32 bracketed
[2001:db8:1::/48] bracketed
2001:DB8:2::/48 upper
1.2.3 short
1.2.3.4.5 long
300.1.1.1 big
010.1.1.1 octal
8.8.8.8/33 wide
8.8.8.8/ no width
8.8.8.8/x bad width
8.8.8.0/24
::/0 any six
0.0.0.0/0 any four
if
endif
endif extra
if 1.1.1.1 extra
1.1.1.1 last
"""
CIDR_KEYS = ["10.1.2.3", "192.168.1.1", "192.168.1.2", "172.16.1.1", "172.16.2.1", "172.16.2.3", "172.20.0.1", "2001:db8::1",
             "2001:DB8::1", "2001:db8::2", "2001:db8:1::1", "2001:db8:2::1", "::1", "1.1.1.1", "1.2.3", "nonsense", "", "[::1]",
             "8.8.8.8", "[10.1.2.3]", "010.1.1.1", "10.1.2.3 ", "IPv6:::1", "fe80::1%eth0"]


def test_networks(both):
    both.write("cidr", CIDR)
    both("postmap", "-q", "-", "cidr:@/cidr", stdin=keys(*CIDR_KEYS))
    for n in range(len(CIDR.splitlines())):  # one rule after the other, for each hides those behind it
        both.write("cidr", "".join(CIDR.splitlines(keepends=True)[n:]))
        both("postmap", "-q", "-", "cidr:@/cidr", stdin=keys(*CIDR_KEYS))


SOURCE = """\
# comment
a 1
B Two words
c
"quoted key" q
"open quote x
"esc \\" aped" e
"part"ly l
d  trailing  \t
e first
   second
# between

\tthird
colon: value
f one
f two
A again
\x00nul n
g\rcr x
h \xa0nbsp
i\tv\tw
j "quoted value"
k v\r
""" + "l" * 600 + " long key\nm " + "v" * 5000 + "\nlast line"
SOURCE_KEYS = ["a", "A", "b", "c", '"quoted key"', "quoted key", '"open', '"esc \\" aped"', '"part"ly', "d", "e", "colon",
               "colon:", "f", "g", "g\rcr", "h", "i", "j", "k", "m", "last", "leading", "", "none"]


@pytest.mark.parametrize("kind", ["lmdb", "cdb", "texthash"])
def test_sources(both, kind):
    """Byte for byte the same table; a duplicate is skipped, a bad line told and left out."""
    both.write("source", SOURCE.replace("\x00nul n\n", "").replace("l" * 600 + " long key\n", ""))
    if kind != "texthash":
        both("postmap", f"{kind}:@/source")
    # Postfix lists no cdb file; its texthash has an order of its own
    ours, theirs = both("postmap", "-s", f"{kind}:@/source", same=() if kind == "cdb" else ("status",))
    if kind != "cdb":
        assert sorted(ours.out.split(b"\n")) == sorted(theirs.out.split(b"\n"))
    both("postmap", "-q", "-", f"{kind}:@/source", stdin=keys(*SOURCE_KEYS))
    for key in SOURCE_KEYS:
        both("postmap", "-q", key, f"{kind}:@/source")
        both("postmap", "-fq", key, f"{kind}:@/source")


MESSAGE = """\
From: a@b
Subject: one
 two
Content-Type: multipart/mixed; boundary="=_(b) x"; charset=us
MIME-Version: 1.0

preamble
--=_(b) x
Content-Type: text/plain

text: not header
--=_(b) x more
Content-Type: message/rfc822
X-Mime: y

Subject: nested
Content-Type: multipart/digest; boundary=inner

pre inner
--inner

Subject: in digest

digest body
--inner
Content-Type: text/html

html
--inner--
epilogue inner
--=_(b) x
Content-Type: message/external-body; x=y

Content-Type: image/gif
X: y

ghost
--=_(b) x
Content-Type: message/delivery-status

Reporting-MTA: dns; x

Final-Recipient: y
--=_(b) x
Content-Type: message/partial

Subject: partial

part
--=_(b) x
no header here
Subject: but body
--=_(b) x
Content-Type: multipart/alternative; boundary="unclosed

hm
--unclosed
Subject: u
--=_(b) x--
epilogue
--=_(b) x
Again: y
"""


@pytest.mark.parametrize("options", ["-hq", "-hmq", "-bq", "-bmq", "-hbq", "-hbmq", "-Uhq", "-ubq"])
def test_messages(both, options):
    """Headers and lines of the body are keys; with -m those of parts and of messages within are headers, too."""
    for text in (MESSAGE, "", "\n", "Subject: x", "no header\n", " indented\n", "A: b\nno header\nC: d\n", "A : b\n\n\n\nlast",
                 "From x\nA: b\n", "A: b\n c\n\td\n\n", "Subject: \xff\n\nbody \xff\n".encode("latin-1"),
                 "A: " + "h" * 3000 + "\n\n" + "b" * 30000 + "\n"):
        both("postmap", options, "-", "regexp:{{/./ x}}", stdin=text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("arguments", [
    ["-b", "-q", "x", "static:y"], ["-m", "-q", "-", "static:y"], ["-h", "static:y"], ["-m", "-q", "x", "static:y"],
    ["-bs", "static:y"], ["-q", "a", "-s", "static:x"], ["-d", "a", "-q", "a", "static:x"], [], ["-q", "a"], ["-Z", "x"],
    ["-q"], ["-d", "a", "static:x"], ["-i", "static:x"], ["static:x"], ["fail:x"], ["-d", "a", "fail:x"],
    ["-d", "a", "lmdb:@/nowhere"], ["lmdb:@/nowhere"], ["@/nowhere"], ["lmdb:"], ["nosuch:x"]])
def test_wrong_uses(both, arguments):
    both("postmap", *arguments, same=("status", "out"))


@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_a_long_key(both, kind):
    """An lmdb file cannot hold it: nothing is made. A cdb file can."""
    both.write("long", f"a 1\n{'k' * 512} v\nb 2\n")
    both("postmap", f"{kind}:@/long", same=("status", "out"))
    if kind == "cdb":
        both("postmap", "-q", "-", f"{kind}:@/long", stdin=keys("a", "k" * 512, "k" * 511, "b"))


def test_tables_are_asked_in_turn(both):
    """One that cannot be used matters when it is its turn."""
    both.write("good", "a 1\n")
    both("postmap", "lmdb:@/good")
    for maps in (["lmdb:@/good", "lmdb:@/absent"], ["lmdb:@/absent", "lmdb:@/good"], ["static:x", "fail:y"]):
        for key in ("a", "b"):
            both("postmap", "-q", key, *maps, same=("status", "out"))
            both("postmap", "-q", "-", *maps, stdin=keys(key), same=("status", "out"))
        both("postmap", "-q", "-", *maps, stdin=keys("a", "a", "b", "a"), same=("status",))


@pytest.mark.parametrize("enabled", ["yes", "no"])
@pytest.mark.parametrize("options", ["", "-u"])
def test_bytes_that_are_no_utf8(both, sides, enabled, options):
    for side in sides:
        side.set(smtputf8_enable=enabled)
    both.write("bytes", b"\xff x\nk \xff\n\xc3\xa9 ok\nplain y\n")
    words = [options] if options else []
    both("postmap", *words, "lmdb:@/bytes")
    both("postmap", *words, "-s", "lmdb:@/bytes")
    for key in (b"\xff", b"k", b"\xc3\xa9", b"plain"):
        both("postmap", *words, "-q", key, "lmdb:@/bytes", same=("status", "out"))
        both("postmap", *words, "-q", key, "static:x", same=("status", "out"))
        both("postmap", *words, "-q", key, b"static:\xff", same=("status", "out"))
        both("postmap", *words, "-q", "-", "regexp:{{/./ x}}", stdin=key + b"\n", same=("status", "out"))
    for side in sides:
        side.set(smtputf8_enable="yes")


@pytest.mark.parametrize("enabled", ["yes", "no"])
def test_upper_and_lower_case(both, sides, enabled):
    """Of all letters, when UTF-8 is spoken."""
    for side in sides:
        side.set(smtputf8_enable=enabled)
    letters = ["\u00c9tienne", "STRASSE", "stra\u00dfe", "\u0130x", "\u03a3\u03c2\u03c3", "\u0414\u041e\u041c", "\u0390",
               "\u212a", "\U00010400", "\u13a0", "\uab70", "\u4e2d", "\u0100", "\u1e9e", "\u01c5", "\ufb01", "\u1f88", "\u0345"]
    asked = keys(*letters, *(x.lower() for x in letters), *(x.upper() for x in letters), *(x.casefold() for x in letters))
    for options in ([], ["-f"], ["-u"]):
        both.write("letters", "".join(f"{letter} {n}\n" for n, letter in enumerate(letters)))
        both("postmap", *options, "lmdb:@/letters")
        both("postmap", *options, "-s", "lmdb:@/letters")
        for table in ("lmdb:@/letters", "texthash:@/letters"):
            both("postmap", *options, "-q", "-", table, stdin=asked, same=("status", "out"))
    for side in sides:
        side.set(smtputf8_enable="yes")


FILES = ["inline:{{a=@/one @/two}}", "inline:{a=@/nowhere}", "static:@/one", "static:@/nowhere", "randmap:{@/one}",
         "regexp:{{/a/ @/one,@/two}}", "regexp:{{/a/ @/nowhere} {/./ @/one}}", "pcre:{{/a/ @/nowhere} {/./ @/one}}",
         "unionmap:{static:@/one static:@/two}", "pipemap:{static:@/one}", "texthash:@/files", "lmdb:@/files", "static:@/empty"]


@pytest.mark.parametrize("table", FILES)
def test_files_as_values(both, sides, table):
    both.write("one", "hello\n")
    both.write("two", b"no line end")
    both.write("empty", "")
    for side in sides:
        side.write("files", f"a {side.dir}/nowhere\nb {side.dir}/one, {side.dir}/two\nc {side.dir}/empty\n")
    if table.startswith("lmdb"):
        both("postmap", "-F", table)
    for key in "abc":
        both("postmap", "-Fq", key, table, same=("status", "out"))


ALIASES = """\
# comment
root: me
Postmaster:root, "quoted local" , |"command with spaces", :include:/list
two
noname
  :value
"quoted name": x
bad@name: y
empty:
list: a,b,
  c , d (comment) e
owner-list: <x@y>
pipe: "|/bin/cmd arg"
file: /dev/null
esc\\ aped: z
root: again
last: final"""


@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_aliases(both, kind):
    both.write("aliases", ALIASES)
    both("postalias", f"{kind}:@/aliases", same=("status", "lines"))
    ours, theirs = both("postalias", "-s", f"{kind}:@/aliases", same=())
    if kind == "lmdb":
        assert sorted(line for line in ours.out.splitlines() if not line.startswith(b"YP_LAST")) == \
            sorted(line for line in theirs.out.splitlines() if not line.startswith(b"YP_LAST"))
    both("postalias", "-q", "-", f"{kind}:@/aliases",
         stdin=keys("root", "ROOT", "postmaster", "quoted name", "list", "owner-list", "pipe", "file", "last", "@",
                    "YP_MASTER_NAME", "esc aped", "empty", "two"))


CHANGES = [
    (["-i"], b"a 9\nnew 1\n"), (["-ir"], b"a 9\nnew 1\n"), (["-iw"], b"a 9\nnew 1\n"), (["-if"], b"A 9\n"),
    (["-i"], b"bad\n\n# comment\nx 1\n  more\n"), (["-d", "a"], b""), (["-d", "none"], b""), (["-d", "-"], b"a\nnone\nB\n"),
    (["-d", "A"], b""), (["-fd", "A"], b""), (["-id", "a"], b""), (["-N"], b""), (["-n"], b""), (["-r"], b""), (["-w"], b""),
    (["-f"], b""), (["-o"], b""), (["-p"], b""), (["-fr"], b""),
]


@pytest.mark.parametrize("options,stdin", CHANGES)
def test_changes(both, options, stdin):
    """Keys added, replaced, left alone and deleted, in a table that is there."""
    both.write("changed", "a 1\nb 2\nB 3\nC 4\n\"q q\" 5\n")
    both("postmap", "lmdb:@/changed")
    both("postmap", *options, "lmdb:@/changed", stdin=stdin)
    both("postmap", "-s", "lmdb:@/changed")
    both("postmap", "-q", "-", "lmdb:@/changed", stdin=keys("a", "A", "b", "C", "new", "x"))
    both("postmap", "-nq", "a", "lmdb:@/changed")
    both("postmap", "-Nq", "a", "lmdb:@/changed")


@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_each_reads_what_the_other_made(both, sides, kind):
    both.write("shared", "".join(f"key{i} value {i}\n" for i in range(3000)))
    both("postmap", f"{kind}:@/shared")
    ours, theirs = sides
    wanted = keys(*(f"key{i}" for i in range(0, 4000, 7)))
    answers = [asking.run("postmap", "-q", "-", f"{kind}:{made.dir}/shared", stdin=wanted)
               for asking in sides for made in sides]
    assert answers[0].out.count(b"\n") == 429
    assert all(a.out == answers[0].out and a.status == 0 and not a.said for a in answers), answers
