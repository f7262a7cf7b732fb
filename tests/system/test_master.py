# SPDX-License-Identifier: ISC
"""master and what every daemon has from lib/daemon, shown with a daemon that echoes lines."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from harness import BUILD, PATIENCE, eventually, free_port

POSTRIDER = BUILD / "commands/postrider"
ECHO = BUILD / "tests/system/echod"


class Line:
    """A connection to the echo daemon."""

    def __init__(self, address):
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        self.sock = socket.socket(family)
        self.sock.settimeout(15 * PATIENCE)
        self.sock.connect(address if family == socket.AF_INET else str(address))
        self.file = self.sock.makefile("rwb")

    def ask(self, text):
        self.file.write(text.encode() + b"\n")
        self.file.flush()
        return self.file.readline().decode().rstrip("\n")

    def rest(self):
        return self.file.read().decode()

    def close(self):
        self.file.close()
        self.sock.close()


class Suite:
    """master with echo daemons under the names of smtpd (fibers, a process a core), error (fibers,
    one) and local (pool)."""

    def __init__(self, master_cf, **settings):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postrider-master-"))
        self.dir.chmod(0o755)
        self.etc, self.libexec = self.dir / "etc", self.dir / "libexec"
        self.queue, self.log_file = self.dir / "queue", self.dir / "log"
        self.etc.mkdir()
        self.libexec.mkdir()
        shutil.copy(BUILD / "master/master", self.libexec)
        for name in ("smtpd", "error", "local", "bounce", "qmgr"):
            shutil.copy(ECHO, self.libexec / name)
        self.port = free_port()
        self.settings = {
            "compatibility_level": "3.6", "queue_directory": self.queue,
            "daemon_directory": self.libexec, "data_directory": self.dir / "data",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "maillog_file": self.log_file, "maillog_file_prefixes": self.dir,
            "service_throttle_time": "2s", **settings}
        self.foreground = None
        self.configure(master_cf)

    def configure(self, master_cf=None, **settings):
        self.settings.update(settings)
        (self.etc / "main.cf").write_text(
            "".join(f"{k} = {v}\n" for k, v in self.settings.items()))
        if master_cf is not None:
            (self.etc / "master.cf").write_text(master_cf.format(port=f"127.0.0.1:{self.port}"))

    def run(self, verb, env=None):
        return subprocess.run([POSTRIDER, "-c", self.etc, verb], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60 * PATIENCE,
                              env=env, stdin=subprocess.DEVNULL)

    def start(self):
        r = self.run("start")
        assert r.returncode == 0, r.stderr + self.log()
        return self

    def master(self):
        return int((self.queue / "pid/master.pid").read_text())

    def running(self):
        return self.run("status").returncode == 0

    def log(self):
        return self.log_file.read_text() if self.log_file.exists() else ""

    def wait_log(self, pattern, count=1, seconds=15):
        return eventually(lambda: len(re.findall(pattern, self.log())) >= count, seconds, pattern)

    def inet(self):
        return Line(("127.0.0.1", self.port))

    def unix(self, name):
        return Line(self.queue / name)

    def status(self, name):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
            s.settimeout(10 * PATIENCE)
            s.connect(str(self.queue / "status" / name))
            return s.makefile().read()

    def children(self):
        """Processes of this instance besides master."""
        mark = f"MAIL_CONFIG={self.etc}".encode()
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    exe = os.path.basename(os.readlink(entry / "exe"))
                    if exe not in ("master", "postrider"):
                        found[int(entry.name)] = exe
        return found

    def destroy(self):
        with contextlib.suppress(OSError, ValueError):
            pid = self.master()
            if self.running():
                self.run("abort")
            del pid
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.foreground is not None:
            self.foreground.kill()
            self.foreground.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def suite():
    made = []

    def make(master_cf, **settings):
        made.append(Suite(master_cf, **settings))
        return made[-1]

    yield make
    for s in made:
        s.destroy()


INET = "{port} inet n - y - - smtpd\n"
ONE = "error unix n - y - - error\n"
POOL = "local unix n n n - 2 local\n"


def test_start_status_stop(suite):
    s = suite(INET)
    assert s.run("status").returncode == 1
    assert s.run("stop").returncode == 1
    s.start()
    status = s.run("status")
    assert status.returncode == 0 and f"PID: {s.master()}" in status.stderr
    again = s.run("start")
    assert again.returncode == 1 and "already running" in again.stderr
    assert s.run("stop").returncode == 0
    assert not s.running()
    assert not s.children()
    assert "daemon started" in s.log() and "terminating on signal 15" in s.log()
    with pytest.raises(ConnectionRefusedError):
        s.inet()


def test_processes_start_on_demand_and_run_unprivileged(suite):
    s = suite(INET + ONE).start()
    assert not s.children()
    c = s.inet()
    assert c.ask("hello") == "hello"
    pid = int(c.ask("pid"))
    assert s.children()[pid] == "smtpd"
    assert "error" not in s.children().values()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert re.search(r"^Uid:\s+0\s", status, re.M) is None
    assert re.search(r"^CapEff:\s+0+$", status, re.M) and re.search(r"^CapBnd:\s+0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^Seccomp:\s+2$", status, re.M)
    assert os.readlink(f"/proc/{pid}/root") == str(s.queue)


def test_no_descriptor_leaks_into_children(suite):
    s = suite(INET + ONE + POOL).start()
    c = s.unix("public/error")
    pid = int(c.ask("pid"))
    held = os.open(s.dir, os.O_RDONLY)
    targets = {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    os.close(held)
    sockets = [t for t in targets.values() if t.startswith("socket:")]
    # master's end, status, one listener, our connection
    assert len(sockets) == 4, targets
    assert all("epoll" in t or "event" in t or "signal" in t or "null" in t or t == str(s.queue)
               for t in targets.values() if not t.startswith("socket:")), targets


def test_dead_process_is_replaced(suite):
    s = suite(ONE).start()
    c = s.unix("public/error")
    pid = int(c.ask("pid"))
    time.sleep(1.2)     # well for a second: no pause follows
    os.kill(pid, signal.SIGKILL)
    begin = time.monotonic()
    assert s.unix("public/error").ask("again") == "again"
    assert time.monotonic() - begin < 1
    assert re.search(rf"process .*/error pid {pid} killed by signal 9", s.log())


def test_crashes_do_not_storm(suite):
    s = suite("error unix n - y - - error doomed\n").start()
    end = time.monotonic() + 4

    def knock():
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                s.unix("public/error").sock.settimeout(0.2)
            time.sleep(0.01)

    knocker = threading.Thread(target=knock)
    knocker.start()
    knocker.join()
    deaths = len(re.findall(r"exit status 1", s.log()))
    # at once, after 1 s, after 2 s more (service_throttle_time): never more than that
    assert 2 <= deaths <= 4, s.log()
    assert s.running()


def test_pool_limit_and_reuse(suite):
    s = suite(POOL).start()
    a, b = s.unix("public/local"), s.unix("public/local")
    pa, pb = a.ask("pid"), b.ask("pid")
    assert pa != pb
    c = s.unix("public/local")
    c.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        c.ask("pid")
    s.wait_log("has reached its process limit")
    a.close()
    d = s.unix("public/local")
    c.close()
    assert d.ask("pid") == pa
    assert len(s.children()) == 2


def test_session_limit(suite):
    s = suite("{port} inet n - y - 2 smtpd\n").start()
    first = [s.inet(), s.inet()]
    assert [c.ask("x") for c in first] == ["x", "x"]
    third = s.inet()
    third.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        third.ask("y")
    first[0].close()
    fourth = s.inet()
    fourth.sock.settimeout(10 * PATIENCE)
    third.close()
    assert fourth.ask("z") == "z"


def test_reload_keeps_sessions_and_takes_new_settings(suite):
    s = suite(INET, mail_name="Before").start()
    old = s.inet()
    assert old.ask("setting") == "Before"
    pid = old.ask("pid")
    s.configure(mail_name="After")
    assert s.run("reload").returncode == 0
    s.wait_log("reload -- version")
    eventually(lambda: s.inet().ask("setting") == "After", 10, "the new setting")
    assert old.ask("setting") == "Before"
    assert old.ask("pid") == pid
    old.close()
    eventually(lambda: int(pid) not in s.children(), 10, "the end of the old process")


def test_no_connection_is_lost_while_reloading(suite):
    s = suite(INET).start()
    stop = threading.Event()
    failures, done = [], []

    def client():
        while not stop.is_set():
            try:
                c = s.inet()
                assert c.ask("ping") == "ping"
                c.close()
                done.append(1)
            except Exception as e:      # any failure counts
                failures.append(repr(e))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(10):
        assert s.run("reload").returncode == 0
        time.sleep(0.15)
    stop.set()
    for t in threads:
        t.join()
    assert not failures, failures[:3]
    assert len(done) > 100


def test_exclusive_service_is_never_two(suite):
    """qmgr locks the journal: its successor starts when it has gone, and nobody is turned away."""
    s = suite("qmgr unix n - y - 1 qmgr\n").start()
    old = s.unix("public/qmgr")
    pid = old.ask("pid")
    s.run("reload")
    s.wait_log("reload -- version")
    # until it has heard of it, it takes new clients itself
    eventually(lambda: "draining" in s.status("qmgr.0"), 10, "the old process draining")
    waiting = s.unix("public/qmgr")
    waiting.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        waiting.ask("pid")
    assert list(s.children().values()) == ["qmgr"]
    next_one = s.unix("public/qmgr")
    old.close()
    assert next_one.ask("pid") != pid
    eventually(lambda: int(pid) not in s.children(), 10, "the end of the old process")


def test_drain_by_own_decision(suite):
    s = suite(ONE).start()
    c = s.unix("public/error")
    pid = c.ask("pid")
    assert c.ask("stop") == "stop"
    # this session goes on; the next is another process's
    assert s.unix("public/error").ask("pid") != pid
    assert c.ask("pid") == pid
    assert "draining" in s.status("error.0")
    c.close()
    eventually(lambda: int(pid) not in s.children(), 10, "the end of the old process")


def test_reload_with_a_broken_file_changes_nothing(suite):
    s = suite(INET, mail_name="Before").start()
    pid = s.inet().ask("pid")
    s.configure(mail_name="After", max_idle="soon")
    # the command reads the files first, and says so on the terminal and in the log
    r = s.run("reload")
    assert r.returncode == 1 and re.search(r"main\.cf, line \d+: max_idle", r.stderr)
    assert "reload -- version" not in s.log()
    # and so does master
    os.kill(s.master(), signal.SIGHUP)
    s.wait_log("everything stays as it was")
    assert len(re.findall(r"main\.cf, line \d+: max_idle", s.log())) >= 2
    assert int(pid) in s.children()
    assert s.inet().ask("setting") == "Before"
    s.configure("{port} inet n - y smtpd\n", max_idle="100s")
    os.kill(s.master(), signal.SIGHUP)
    s.wait_log("everything stays as it was", 2)
    assert re.search(r"master\.cf, line 1: ", s.log())
    assert s.inet().ask("setting") == "Before"
    # a system whose files are broken can still be found and stopped
    s.configure(max_idle="soon")
    assert s.run("status").returncode == 0
    assert s.run("stop").returncode == 0
    assert not s.children()


def test_a_bad_network_is_refused_before_it_can_refuse_everybody(suite):
    s = suite(INET, mail_name="Before").start()
    s.configure(mail_name="After", mynetworks="127.0.0.0/8 10.0.0.1/8")
    for command in ("check", "reload"):
        r = s.run(command)
        assert r.returncode == 1
        assert re.search(r'main\.cf, line \d+: mynetworks: bad network "10\.0\.0\.1/8": .* is allowed', r.stderr)
    os.kill(s.master(), signal.SIGHUP)
    s.wait_log("everything stays as it was")
    assert s.inet().ask("setting") == "Before"


def test_reload_adds_and_removes_services(suite):
    s = suite(INET + ONE).start()
    kept = s.unix("public/error")
    assert kept.ask("a") == "a"
    other = free_port()
    s.configure(INET + f"127.0.0.1:{other} inet n - y - - smtpd\n")
    s.run("reload")
    eventually(lambda: not (s.queue / "public/error").exists(), 10, "the socket's end")
    eventually(lambda: socket.socket().connect_ex(("127.0.0.1", other)) == 0, 10, "a new port")
    assert kept.ask("b") == "b"
    kept.close()
    eventually(lambda: "error" not in s.children().values(), 10, "the end of the removed service")


def test_status_socket_names_a_stuck_session(suite):
    s = suite(ONE).start()
    c = s.unix("public/error")
    c.ask("note waits for godot")
    lines = [x.split("\t") for x in s.status("error.0").splitlines()]
    session = next(x for x in lines if x[0] == "session")
    assert session[1].startswith(f"pid={os.getpid()} ")
    assert session[2:4] == ["waits for godot", "read from peer"]
    assert int(session[5]) >= 0


def test_wakeups(suite):
    s = suite("error unix n - y 1 - error\nbounce unix n - y 1? - bounce\n").start()
    eventually(lambda: int(s.unix("public/error").ask("wakeups")) >= 2, 10, "two wake-ups")
    # `?`: never used, never woken
    assert "bounce" not in s.children().values()


def test_children_die_with_master(suite):
    s = suite(INET + ONE).start()
    c = s.inet()
    c.ask("x")
    s.unix("public/error").ask("x")
    os.kill(s.master(), signal.SIGKILL)
    # what is under way may finish
    assert c.ask("still") == "still"
    eventually(lambda: "error" not in s.children().values(), 10, "the end of idle processes")
    eventually(lambda: not s.running(), 10, "the lock of the killed master")
    # and nothing stands in the way of the next master
    s.start()
    assert s.inet().ask("y") == "y"
    assert c.ask("still") == "still"


def test_stop_says_goodbye_to_idle_clients(suite):
    s = suite(INET).start()
    c = s.inet()
    c.ask("x")
    begin = time.monotonic()
    assert s.run("stop").returncode == 0
    assert time.monotonic() - begin < 15
    assert c.rest() == "bye\n"
    assert not s.children()


def test_abort_is_abrupt(suite):
    s = suite(INET).start()
    s.inet().ask("x")
    c = s.inet()
    c.ask("x")
    begin = time.monotonic()
    assert s.run("abort").returncode == 0
    assert time.monotonic() - begin < 3
    assert not s.running() and not s.children()


def test_foreground_stops_on_signal_and_notifies(suite):
    s = suite(INET)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(s.dir / "notify"))
    notify.settimeout(15 * PATIENCE)
    s.foreground = subprocess.Popen([POSTRIDER, "-c", s.etc, "start-fg"], stdin=subprocess.DEVNULL,
                                    env=dict(os.environ, NOTIFY_SOCKET=str(s.dir / "notify")),
                                    stderr=subprocess.DEVNULL)
    assert notify.recv(100) == b"READY=1"
    assert s.master() == s.foreground.pid
    assert s.inet().ask("x") == "x"
    os.kill(s.foreground.pid, signal.SIGHUP)
    assert notify.recv(100).startswith(b"RELOADING=1")
    assert notify.recv(100) == b"READY=1"
    os.kill(s.foreground.pid, signal.SIGTERM)
    assert notify.recv(100) == b"STOPPING=1"
    assert s.foreground.wait(timeout=20 * PATIENCE) == 0


def test_init_of_a_container(suite):
    """As process 1 master reaps orphans and ends on SIGTERM."""
    if subprocess.run(["unshare", "--pid", "--fork", "true"]).returncode != 0:
        pytest.skip("no pid namespaces here")
    s = suite(INET)
    s.foreground = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
         POSTRIDER, "-c", s.etc, "start-fg"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: socket.socket().connect_ex(("127.0.0.1", s.port)) == 0, 15, "the port")
    assert (s.queue / "pid/master.pid").read_text().strip() == "1"
    assert s.inet().ask("x") == "x"
    inner = int(pathlib.Path(
        f"/proc/{s.foreground.pid}/task/{s.foreground.pid}/children").read_text().split()[0])
    os.kill(inner, signal.SIGTERM)
    assert s.foreground.wait(timeout=20 * PATIENCE) == 0


def test_bind_conflict_fails_the_start(suite):
    s = suite(INET)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", s.port))
        taken.listen()
        r = s.run("start")
    assert r.returncode == 1
    assert f"bind 127.0.0.1 port {s.port}: Address already in use" in s.log()
    assert not s.running()


def test_check_names_every_problem(suite):
    s = suite(INET + "scache unix - - y - 1 scache\nodd unix - - n - - nosuchprogram\n")
    r = s.run("check")
    assert r.returncode == 0
    assert "master.cf, line 2: scache" in r.stderr and "ignored" in r.stderr
    assert "master.cf, line 3: odd" in r.stderr and "not available" in r.stderr
    os.chmod(s.etc / "main.cf", 0o666)
    assert "group or other writable" in s.run("check").stderr
    os.chmod(s.etc / "main.cf", 0o644)
    s.configure(mail_owner="nosuchuser")
    r = s.run("check")
    assert r.returncode == 1 and "nosuchuser" in r.stderr
    s.configure(mail_owner="postrider", max_idle="soon")
    r = s.run("check")
    assert r.returncode == 1 and "max_idle" in r.stderr


def test_queue_folders_are_made_and_mended(suite):
    s = suite(INET)
    assert s.run("set-permissions").returncode == 0
    assert (s.queue / "maildrop").stat().st_mode & 0o7777 == 0o1730
    os.chmod(s.queue / "deferred", 0o777)
    os.rmdir(s.queue / "hold")
    assert s.run("check").returncode == 0
    assert (s.queue / "deferred").stat().st_mode & 0o7777 == 0o700
    assert (s.queue / "hold").is_dir()


def test_only_root_may(suite):
    s = suite(INET)
    r = subprocess.run([POSTRIDER, "-c", s.etc, "status"], user="nobody", stderr=subprocess.PIPE,
                       text=True)
    assert r.returncode == 1 and "superuser" in r.stderr


@pytest.mark.parametrize("value, missing", [
    ("inet", {"smtpd"}), ("error/unix", {"error"}), ("!error/unix, !inet, all", {"error", "smtpd"}),
    ("discard.unix unix-dgram", {"discard"}), ("error", set())])
def test_services_that_master_leaves_out(instance, value, missing):
    """`missing` are those that are not there; with an exception in front, the only ones that are."""
    mx = instance(start=False, master_service_disable=value)
    mx.run("postrider", "start")
    private = {p.name for p in (mx.queue / "private").iterdir()}
    there = {"smtpd"} if mx.listening() else set()
    there |= {"error", "discard"} & private
    if value.startswith("!"):
        assert there == missing
    else:
        assert there == {"smtpd", "error", "discard"} - missing
