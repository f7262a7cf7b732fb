# SPDX-License-Identifier: ISC
"""postlock: the locks of local, around a command."""
import fcntl
import signal
import subprocess

import pytest

from harness import SBIN, Instance, eventually


@pytest.fixture(scope="module")
def mx():
    instance = Instance(deliver_lock_attempts="2", deliver_lock_delay="1s", stale_lock_time="500s",
                        mailbox_delivery_lock="fcntl, dotlock")
    yield instance
    instance.destroy()


@pytest.fixture
def folder(tmp_path):
    box = tmp_path / "mbox"
    box.write_text("From x\n\n")
    return box


def held(mx, folder, *style):
    """Which locks another process finds while postlock's command runs."""
    with subprocess.Popen([SBIN / "postlock", *style, folder, "sh", "-c", "echo in; read x"], env=mx.environment(),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"in\n"
        found = set()
        if (folder.parent / "mbox.lock").exists():
            found.add("dotlock")
        with open(folder, "r+") as f:
            for name, lock in (("fcntl", fcntl.lockf), ("flock", fcntl.flock)):
                try:
                    lock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    lock(f, fcntl.LOCK_UN)
                except OSError:
                    found.add(name)
        p.communicate(b"x\n")
        assert p.returncode == 0
    assert not (folder.parent / "mbox.lock").exists()
    return found


def test_locks(mx, folder):
    assert held(mx, folder) == {"fcntl", "dotlock"}
    for style in ("fcntl", "flock", "dotlock", "flock,dotlock", "fcntl dotlock"):
        assert held(mx, folder, "-l", style) == set(style.replace(",", " ").split())
    assert folder.read_text() == "From x\n\n"


def test_status_is_that_of_the_command(mx, folder):
    for status in (0, 1, 42, 255):
        assert mx.run("postlock", folder, "sh", "-c", f"exit {status}", check=False).returncode == status
    r = mx.run("postlock", folder, "echo", "a  b", "-c")
    assert r.stdout == b"a  b -c\n"
    r = mx.run("postlock", folder, "/nonexistent/x", check=False)
    assert r.returncode == 1 and b"execute /nonexistent/x: No such file or directory" in r.stderr
    assert mx.run("postlock", folder, "sh", "-c", "kill -9 $$", check=False).returncode == 75
    new = folder.parent / "new"
    mx.run("postlock", new, "true")
    assert new.read_bytes() == b""


def test_who_does_not_get_the_lock(mx, folder):
    dot = folder.parent / "mbox.lock"
    dot.touch()
    r = mx.run("postlock", folder, "echo", "x", check=False)
    assert (r.returncode, r.stdout) == (75, b"")
    assert f"postlock: fatal: unable to create lock file for {folder}: File exists" in r.stderr.decode()
    assert dot.exists()
    dot.unlink()
    with open(folder, "r+") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        r = mx.run("postlock", folder, "echo", "x", check=False)
        assert r.returncode == 75 and f"unable to lock {folder}: ".encode() in r.stderr
        assert not dot.exists()
        fcntl.lockf(f, fcntl.LOCK_UN)
    r = mx.run("postlock", "-l", "fcntl,magic", folder, "true", check=False)
    assert r.returncode == 75 and b'bad lock style "magic": fcntl, flock and dotlock are allowed' in r.stderr


def test_two_take_turns(mx, folder):
    count = folder.parent / "count"
    count.write_text("0")
    add = f"n=$(cat {count}); sleep 0.05; echo $((n + 1)) >{count}"
    running = [subprocess.Popen([SBIN / "postlock", folder, "sh", "-c", add], env=mx.environment()) for _ in range(8)]
    assert [p.wait(30) for p in running] == [0] * 8
    assert count.read_text() == "8\n"


def test_a_signal_ends_the_command_and_the_lock(mx, folder):
    dot = folder.parent / "mbox.lock"
    with subprocess.Popen([SBIN / "postlock", folder, "sleep", "60"], env=mx.environment()) as p:
        eventually(dot.exists, 10, "the lock file")
        eventually(lambda: subprocess.run(["pgrep", "-P", str(p.pid), "-x", "sleep"], stdout=subprocess.DEVNULL).returncode == 0,
                   10, "the command")
        p.send_signal(signal.SIGTERM)
        assert p.wait(10) == 75
    assert not dot.exists()
