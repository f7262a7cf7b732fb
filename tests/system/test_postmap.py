# SPDX-License-Identifier: ISC
"""postmap and postalias: what they make, print, refuse. Expected text is what Postfix 3.7 prints."""
import os
import signal
import subprocess
import time

import pytest

from harness import SBIN


@pytest.fixture
def place(tmp_path):
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = mail.example\n")
    (tmp_path / "master.cf").write_text("")
    return tmp_path


def run(place, program, *args, stdin=""):
    return subprocess.run([SBIN / program, "-c", place, *args], capture_output=True, text=True,
                          cwd=place, input=stdin, timeout=30)


def test_make_and_ask(place):
    (place / "t").write_text('"a b" v\nnoval\nFoo one\nfoo two\n  cont\n#c\n"open x\na: b\n')
    p = run(place, "postmap", "lmdb:t")
    assert (p.returncode, p.stdout) == (0, "")
    assert p.stderr.splitlines() == [
        "postmap: warning: t, line 2: expected format: key whitespace value",
        'postmap: warning: lmdb:t: duplicate entry: "foo"',
        "postmap: warning: t, line 7: unbalanced '\"' in '\"open x' -- ignoring this line",
        'postmap: warning: t, line 8: record is in "key: value" format; is this an alias file?']
    assert run(place, "postmap", "-s", "hash:t").stdout == '"a b"\tv\na:\tb\nfoo\tone\n'
    assert run(place, "postmap", "-q", "FOO", "lmdb:t").stdout == "one\n"
    assert run(place, "postmap", "-q", "-", "lmdb:t", stdin="x\nFoo\n").stdout == "Foo\tone\n"
    for args in (["-fq", "FOO", "lmdb:t"], ["-q", "x", "lmdb:t"], ["-q", "x", "lmdb:none"],
                 ["-q", "x", "nosuch:t"], ["-s", "regexp:t"], ["-s", "-q", "x", "lmdb:t"], ["-Z"], []):
        assert run(place, "postmap", *args).returncode == 1, args


def test_add_replace_delete(place):
    (place / "t").write_text("a 1\nb 2\n")
    assert run(place, "postmap", "lmdb:t").returncode == 0
    p = run(place, "postmap", "-i", "lmdb:t", stdin="a 9\nc 3\n")
    assert (p.returncode, p.stderr) == (0, 'postmap: warning: lmdb:t: duplicate entry: "a"\n')
    assert run(place, "postmap", "-ir", "lmdb:t", stdin="b 9\n").stderr == ""
    assert run(place, "postmap", "-s", "lmdb:t").stdout == "a\t1\nb\t9\nc\t3\n"
    assert run(place, "postmap", "-d", "A", "lmdb:t").returncode == 0
    assert run(place, "postmap", "-d", "a", "lmdb:t").returncode == 1
    assert run(place, "postmap", "-d", "-", "lmdb:t", stdin="x\nb\n").returncode == 0
    assert run(place, "postmap", "-s", "lmdb:t").stdout == "c\t3\n"


def test_aliases(place):
    (place / "al").write_text('Root: alice,bob@x.example\nlist: :include:/etc/l\np: "|/bin/c a"\n'
                              "u@d: x\nnocolon\n")
    p = run(place, "postalias", "lmdb:al")
    assert p.returncode == 0
    assert p.stderr.splitlines() == ["postalias: warning: al, line 4: name must be local",
                                     "postalias: warning: al, line 5: need name:value pair"]
    listed = run(place, "postalias", "-s", "lmdb:al").stdout.splitlines()
    assert [line for line in listed if "MODIFIED" not in line] == [
        "@:\t@", "YP_MASTER_NAME:\tmail.example", "list:\t:include:/etc/l", 'p:\t"|/bin/c a"',
        "root:\talice, bob@x.example"]


def test_damaged_database_is_refused(place):
    (place / "t").write_text("a 1\n")
    run(place, "postmap", "lmdb:t")
    whole = (place / "t.lmdb").read_bytes()
    for size in (0, 100, 5000, len(whole) - 1):
        (place / "t.lmdb").write_bytes(whole[:size])
        p = run(place, "postmap", "-q", "a", "lmdb:t")
        assert p.returncode == 1 and "lmdb:t" in p.stderr and "LMDB file" in p.stderr


def test_a_killed_build_leaves_the_old_table(place):
    """Readers see the old table until the new one is whole, whenever the build is cut."""
    (place / "t").write_text("key old\n")
    assert run(place, "postmap", "lmdb:t").returncode == 0
    (place / "t").write_text("key new\n" + "".join(f"k{i} {i}\n" for i in range(300000)))
    for delay in (0.02, 0.1, 0.2):
        build = subprocess.Popen([SBIN / "postmap", "-c", place, "lmdb:t"], cwd=place)
        time.sleep(delay)
        build.send_signal(signal.SIGKILL)
        killed = build.wait() == -signal.SIGKILL
        value = run(place, "postmap", "-q", "key", "lmdb:t").stdout
        assert value == "old\n" if killed else value == "new\n"
        if not killed:
            break
    assert run(place, "postmap", "lmdb:t").returncode == 0
    assert run(place, "postmap", "-q", "key", "lmdb:t").stdout == "new\n"
    assert sorted(os.listdir(place)) == ["main.cf", "master.cf", "t", "t.lmdb"]
