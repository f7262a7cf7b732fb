# SPDX-License-Identifier: ISC
"""postmap and postalias: what is in the file that they make, and what they say about its source."""
import subprocess

import pytest

from harness import SBIN, Instance

SOURCE = 'b 1\nA 2\nB 3\na 4\nc 5\nb 6\n\tmore\n"q r" 7\nnothing\n'
USUAL = ['"q r"\t7', "a\t2", "b\t1", "c\t5"]


@pytest.fixture(scope="module")
def unstarted():
    i = Instance()
    yield i
    i.destroy()


@pytest.fixture
def table(unstarted, tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "table"
    path.write_text(SOURCE)

    def run(*arguments, command="postmap", stdin=None):
        r = subprocess.run([SBIN / command, *arguments], env=unstarted.environment(), capture_output=True,
                           text=True, input=stdin, timeout=60)
        return r.returncode, r.stdout.splitlines(), r.stderr.splitlines()

    run.path, run.name = path, f"lmdb:{path}"
    return run


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
