# SPDX-License-Identifier: ISC
"""postmap and postalias: what is in the file that they make, and what they say about its source."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
from random import Random

import pytest

from harness import SANITIZED, SBIN, Instance

SOURCE = 'b 1\nA 2\nB 3\na 4\nc 5\nb 6\n\tmore\n"q r" 7\nnothing\n'
USUAL = ['"q r"\t7', "a\t2", "b\t1", "c\t5"]


@pytest.fixture(scope="module")
def unstarted():
    i = Instance()
    yield i
    i.destroy()


@pytest.fixture
def table(unstarted):
    base = pathlib.Path(tempfile.mkdtemp(prefix="test-postmap-"))  # pytest's own is closed to other users
    base.chmod(0o755)
    path = base / "table"
    path.write_text(SOURCE)

    def run(*arguments, command="postmap", stdin=None):
        r = subprocess.run([SBIN / command, *arguments], env=unstarted.environment(), capture_output=True,
                           text=True, input=stdin, timeout=60)
        return r.returncode, r.stdout.splitlines(), r.stderr.splitlines()

    run.path, run.name, run.environment = path, f"lmdb:{path}", unstarted.environment()
    yield run
    shutil.rmtree(base)


@pytest.mark.parametrize("options,entries,twice", [
    ([], USUAL, ["b", "a", "b"]),
    (["-w"], USUAL, []),
    (["-r"], ['"q r"\t7', "a\t4", "b\t6\tmore", "c\t5"], []),
    (["-f"], ['"q r"\t7', "A\t2", "B\t3", "a\t4", "b\t1", "c\t5"], ["b"]),
    (["-n"], USUAL, ["b", "a", "b"]),
])
def test_keys_that_come_twice(table, options, entries, twice):
    """The first one counts, with -r the last; complaints come in the order of the source."""
    status, _, said = table(*options, table.name)
    assert status == 0
    assert "line 9: expected format: key whitespace value" in said[0]
    assert [line.split("duplicate entry: ")[1] for line in said[1:]] == [f'"{key}"' for key in twice]
    assert table("-s", table.name)[1] == entries


def test_adding_to_a_table(table):
    table(table.name)
    status, _, said = table("-i", table.name, stdin="b 9\nz 1\n")
    assert status == 0
    assert [line.split(": ", 2)[2] for line in said] == [f'{table.name}: duplicate entry: "b"']
    assert table("-ir", table.name, stdin="b 9\n")[0] == 0
    assert table("-s", table.name)[1] == ['"q r"\t7', "a\t2", "b\t9", "c\t5", "z\t1"]


def test_many_keys_at_once(table):
    """More than are looked up in one go; the answers come in the order of the questions."""
    table.path.write_text("".join(f"key{i * 7919 % 30000} value {i}\n" for i in range(30000)))
    assert table(table.name) == (0, [], [])
    keys = [f"key{i * 31 % 40000}" for i in range(20000)]
    wanted = {f"key{i * 7919 % 30000}": f"value {i}" for i in range(30000)}
    status, found, said = table("-q", "-", table.name, stdin="".join(f"{key}\n" for key in keys))
    assert (status, said) == (0, [])
    assert found == [f"{key}\t{wanted[key]}" for key in keys if key in wanted]


def test_several_tables_are_asked_in_turn(table):
    table(table.name)
    status, found, said = table("-q", "-", "inline:{a=first,empty={ }}", table.name, stdin="a\nb\n\nnone\nc\n")
    assert (status, found, said) == (0, ["a\tfirst", "b\t1", "c\t5"], [])


def test_a_table_that_cannot_answer_ends_the_questions(table):
    table.path.write_text("".join(f"key{i:05d} value {i}\n" for i in range(30000)))
    table(table.name)
    with open(f"{table.path}.lmdb", "r+b") as f:
        f.seek(100 * 4096)
        f.write(bytes(4096))
    status, found, said = table("-q", "-", table.name, stdin="".join(f"key{i:05d}\n" for i in range(30000)))
    assert status == 1
    assert 0 < len(found) < 29000
    assert found == [f"key{i:05d}\tvalue {i}" for i in range(len(found))]
    assert "fatal" in said[0] and "damaged" in said[0]


def test_what_sendmail_looks_for_in_an_alias_file(table):
    table.path.write_text("root: a\nROOT: b\nzoe: c\n")
    status, _, said = table(table.name, command="postalias")
    assert status == 0
    assert len(said) == 1 and 'duplicate entry: "root"' in said[0]
    entries = dict(line.split(":\t", 1) for line in table("-s", table.name, command="postalias")[1])
    assert set(entries) == {"@", "YP_LAST_MODIFIED", "YP_MASTER_NAME", "root", "zoe"}
    assert entries["root"] == "a"


def test_an_empty_source_makes_an_empty_table(table):
    table.path.write_text("# nothing\n")
    assert table(table.name) == (0, [], [])
    assert table("-s", table.name) == (0, [], [])
    assert table("-q", "-", table.name, stdin="a\n") == (1, [], [])


# ---- what cannot be done leaves all as it was

@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_a_limit_on_files(table, kind):
    """As a full disk: the old table stands, nothing else is left."""
    name = f"{kind}:{table.path}"
    assert table(name)[0] == 0
    table.path.write_text("".join(f"key{i} {'v' * 100}\n" for i in range(5000)))
    before = sorted(p.name for p in table.path.parent.iterdir())
    r = subprocess.run(["prlimit", "--fsize=100000", SBIN / "postmap", name], env=table.environment, capture_output=True,
                       text=True, timeout=60)
    assert r.returncode == 1 and "fatal" in r.stderr and str(table.path) in r.stderr
    assert sorted(p.name for p in table.path.parent.iterdir()) == before
    assert table("-q", "b", name) == (0, ["1"], [])
    assert table(name)[0] == 0
    assert table("-q", "key4999", name)[0] == 0


@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_a_full_disk(table, kind, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"""
        mount -t tmpfs -o size=512k tmpfs {disk} && cd {disk} || exit 77
        {SBIN}/postmap {kind}:{disk}/t 2>/dev/null
        printf 'old value\\n' >t && {SBIN}/postmap {kind}:{disk}/t || exit 1
        i=0; while [ $i -lt 9000 ]; do echo "key$i $i some value that is not short"; i=$((i + 1)); done >t
        {SBIN}/postmap {kind}:{disk}/t && exit 2
        ls; {SBIN}/postmap -q old {kind}:{disk}/t"""
    r = subprocess.run(["unshare", "-m", "sh", "-c", script], env=table.environment, capture_output=True, text=True, timeout=60)
    if r.returncode == 77:
        pytest.skip("no tmpfs to be had")
    assert r.returncode == 0, r
    assert r.stdout.split() == ["t", f"t.{kind}", "value"]
    assert "No space left" in r.stderr


@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_killed_in_the_midst(table, kind):
    """Whenever it is killed, the old table stands or the new one, and there is nothing beside it."""
    name = f"{kind}:{table.path}"
    table.path.write_text("state old\n")
    assert table(name)[0] == 0
    table.path.write_text("state new\n" + "".join(f"key{i} value{i}\n" for i in range(200000)))
    wanted = sorted([table.path.name, f"{table.path.name}.{kind}"])
    for delay in (0.01, 0.05, 0.1, 0.2, 0.3):
        p = subprocess.Popen([SBIN / "postmap", name], env=table.environment)
        time.sleep(delay)
        p.kill()
        p.wait()
        assert sorted(x.name for x in table.path.parent.iterdir()) == wanted
        assert table("-q", "state", name)[1] in (["old"], ["new"])
    assert table(name)[0] == 0
    assert table("-q", "state", name)[1] == ["new"]


def test_readers_see_the_old_table_or_the_new_one(table):
    """Rebuilt over and over while it is read: every answer is whole, and all keys of one generation are there."""
    def build(generation):
        table.path.write_text("".join(f"key{i} {generation}\n" for i in range(3000)))
        assert table(table.name)[0] == 0

    build(0)
    stop = threading.Event()

    def rebuild():
        generation = 1
        while not stop.is_set():
            build(generation)
            generation += 1

    writer = threading.Thread(target=rebuild)
    writer.start()
    try:
        asked = "".join(f"key{i}\n" for i in range(0, 3000, 10))
        for _ in range(25):
            status, out, said = table("-q", "-", table.name, stdin=asked)
            assert (status, len(out), said) == (0, 300, [])
            assert len({line.split("\t")[1] for line in out}) == 1
    finally:
        stop.set()
        writer.join()


# ---- whose file it is

OWNER = 12345


def test_owner_and_mode(table):
    """Root makes another's table as that user: his file, with his source's permissions."""
    lmdb, cdb = (table.path.with_name(f"table.{kind}") for kind in ("lmdb", "cdb"))
    os.chown(table.path.parent, OWNER, OWNER)
    os.chown(table.path, OWNER, OWNER)
    table.path.chmod(0o640)
    assert table(table.name)[0] == 0 and table(f"cdb:{table.path}")[0] == 0
    for made in (lmdb, cdb):
        assert (made.stat().st_uid, made.stat().st_gid, made.stat().st_mode & 0o7777) == (OWNER, OWNER, 0o640)
    # one that is there keeps what it has
    lmdb.chmod(0o600)
    assert table(table.name)[0] == 0
    assert lmdb.stat().st_mode & 0o7777 == 0o600
    lmdb.unlink()
    assert table("-p", table.name)[0] == 0
    assert (lmdb.stat().st_uid, lmdb.stat().st_mode & 0o7777) == (OWNER, 0o644)
    lmdb.unlink()
    assert table("-o", table.name)[0] == 0
    assert (lmdb.stat().st_uid, lmdb.stat().st_mode & 0o7777) == (0, 0o640)


def test_another_cannot_have_roots_files_written(table):
    """A user's directory with a symbolic link in the place of the table leads nowhere but to his own files."""
    target = table.path.parent / "roots"
    target.mkdir(mode=0o700)
    victim = target / "victim.lmdb"
    victim.write_text("precious")
    mine = table.path.parent / "mine"
    mine.mkdir()
    source = mine / "t"
    source.write_text("a b\n")
    (mine / "t.lmdb").symlink_to(victim)
    for path in (mine, source):
        os.chown(path, OWNER, OWNER)
    table(f"lmdb:{source}")
    assert victim.read_text() == "precious"
    target.chmod(0o755)
    table(f"lmdb:{source}")
    assert victim.read_text() == "precious" and victim.stat().st_uid == 0


def test_where_no_file_can_be_made(table):
    """The directory is root's, source and table are a user's: the table is changed as it lies there."""
    lmdb = table.path.with_name("table.lmdb")
    assert table(table.name)[0] == 0
    for path in (table.path, lmdb):
        os.chown(path, OWNER, OWNER)
    inode = lmdb.stat().st_ino
    table.path.write_text("".join(f"key{i} value{i}\n" for i in range(100000)))
    assert table(table.name) == (0, [], [])
    assert (lmdb.stat().st_ino, lmdb.stat().st_uid) == (inode, OWNER)
    assert len(table("-s", table.name)[1]) == 100000
    assert table("-q", "b", table.name)[0] == 1
    status, _, said = table(f"cdb:{table.path}")
    assert status == 1 and "Permission denied" in said[-1]


def test_little_address_space(table):
    """A table is changed where it lies although there is no room for a comfortable map."""
    if SANITIZED:
        pytest.skip("sanitizers need address space of their own")
    table(table.name)
    r = subprocess.run(["prlimit", "--as=300000000", SBIN / "postmap", "-i", table.name], env=table.environment,
                       input="new entry\n", capture_output=True, text=True, timeout=60)
    assert (r.returncode, r.stderr) == (0, "")
    assert table("-q", "new", table.name) == (0, ["entry"], [])


def test_a_directory_that_others_control(table):
    table(table.name)
    os.chown(table.path.parent, OWNER, OWNER)
    for arguments in (["-q", "b", table.name], ["-q", "b", f"texthash:{table.path}"], [table.name]):
        said = table(*arguments)[2]
        assert any("others could replace it" in line and str(table.path) in line and str(OWNER) in line for line in said), said
    os.chown(table.path.parent, 0, 0)
    assert table("-q", "b", table.name) == (0, ["1"], [])
    table.path.parent.chmod(0o777)
    assert "writable by everybody" in table("-q", "b", table.name)[2][0]


# ---- what is asked and printed

def test_json(table):
    table.path.write_bytes(b'plain v\n"q \\" k" "x\\y"\n\xc3\xa9 \xe2\x82\xac\nbytes a\xffb\ntab a\tb\n')
    assert table("-u", table.name)[0] == 0
    status, out, _ = table("-jus", table.name)
    entries = {}
    for line in out:
        entries.update(json.loads(line))
    assert status == 0
    assert entries == {"plain": "v", '"q \\" k"': '"x\\y"', "\u00e9": "\u20ac", "bytes": "a\u00ffb", "tab": "a\tb"}
    assert table("-jq", "plain", table.name)[:2] == (0, ['{"plain": "v"}'])
    assert table("-jq", "-", table.name, stdin="plain\nnone\ntab\n")[:2] == (0, ['{"plain": "v"}', '{"tab": "a\\u0009b"}'])
    assert table("-jq", "none", table.name)[:2] == (1, [])


@pytest.mark.parametrize("kind", ["lmdb", "cdb", "texthash", "regexp", "pcre", "cidr", "inline", "static", "randmap",
                                  "unionmap", "pipemap", "unix", "environ", "internal"])
def test_keys_of_any_bytes_and_any_length(table, kind, tmp_path):
    """They are found or not, and nothing breaks."""
    table.path.write_text("/x{3}/ y\n" if kind in ("regexp", "pcre") else "192.0.2.1 y\n")
    name = {"inline": "inline:{a=b}", "static": "static:x", "randmap": "randmap:{a}", "unionmap": "unionmap:{static:a}",
            "pipemap": "pipemap:{static:a inline:{a=b}}", "unix": "unix:passwd.byname", "environ": "environ:x",
            "internal": "internal:x"}.get(kind, f"{kind}:{table.path}")
    if kind in ("lmdb", "cdb"):
        assert table(name)[0] == 0
    random = Random(7)
    asked = [b"", b"\0", b"a\0b", bytes(range(1, 10)) + bytes(range(11, 256)), b"x" * 511, b"x" * 512, b"x" * 100000, b"%s%n", b"../..", b"[", b"(" * 5000]
    asked += [random.randbytes(random.randrange(600)).replace(b"\n", b"") for _ in range(200)]
    r = subprocess.run([SBIN / "postmap", "-u", "-q", "-", name], env=table.environment, input=b"\n".join(asked) + b"\n",
                       capture_output=True, timeout=120)
    assert r.returncode in (0, 1) and b"fatal" not in r.stderr, r


def test_without_a_type(table):
    """$default_database_type is meant."""
    assert table(str(table.path))[0] == 0
    assert table.path.with_name("table.lmdb").exists()
    assert table("-q", "b", str(table.path)) == (0, ["1"], [])
    assert table("-d", "b", str(table.path))[0] == 0
    assert table("-q", "b", f"lmdb:{table.path}")[0] == 1


def test_hash_and_btree_are_lmdb_files_beside_the_source(table):
    for kind in ("hash", "btree"):
        table.path.write_text(f"kind {kind}\n")
        assert table(f"{kind}:{table.path}")[0] == 0
        assert table("-q", "kind", f"{kind}:{table.path}") == (0, [kind], [])
        assert table("-q", "kind", table.name) == (0, [kind], [])
    assert sorted(p.name for p in table.path.parent.iterdir()) == ["table", "table.lmdb"]


@pytest.mark.parametrize("kind,damage", [(kind, damage) for kind in ("lmdb", "cdb") for damage in ("cut", "foreign", "zeros", "empty")])
def test_a_file_that_is_no_table(table, kind, damage):
    name = f"{kind}:{table.path}"
    table.path.write_text("".join(f"key{i} value{i}\n" for i in range(3000)))
    assert table(name)[0] == 0
    path = table.path.with_name(f"table.{kind}")
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:len(whole) // 3], "foreign": b"SQLite format 3\0" * (len(whole) // 16), "zeros": bytes(len(whole)),
                      "empty": b""}[damage])
    for arguments in (["-q", "key2999"], ["-s"]):
        status, out, said = table(*arguments, name)
        assert status == 1 and str(path) in said[-1], (status, out[:3], said)
    # and it can be made anew
    assert table(name)[0] == 0
    assert table("-q", "key2999", name) == (0, ["value2999"], [])


def test_what_is_wrong_is_logged(table, unstarted):
    """Not only the one who types it hears of it."""
    unstarted.maillog.touch()
    table.path.write_text("a 1\nlonely\n")
    table(table.name)
    table("-q", "a", "nosuch:x")
    unstarted.wait_log(r"postmap\[\d+\]: warning: .*table, line 2: expected format: key whitespace value")
    unstarted.wait_log(r"postmap\[\d+\]: fatal: .*nosuch")
