# SPDX-License-Identifier: ISC
"""generators - what sends mail to a suite and takes it from there: Postfix's smtp-source and smtp-sink, and
our own `load` where these do not reach (TLS, latencies, many destinations).
"""
import contextlib
import ctypes
import json
import mmap
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import harness
import suites

LIBC = ctypes.CDLL(None)
LOAD = harness.BUILD.resolve() / "bench" / "load"


class Failed(Exception):
    """A work that a suite did not do; the text is reported."""


def die_with_parent():
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def postfix_tool(name):
    """Command line and environment of a program of the unpacked Postfix that needs nothing but its libraries."""
    root = suites.fetch("postfix")
    environment = dict(os.environ, LD_LIBRARY_PATH=f"{root}/usr/lib/postfix:{root}/usr/lib/x86_64-linux-gnu")
    return [str(root / "usr/sbin" / name)], environment


class Counter:
    """Something that messages arrive at. count() says how many have, `stamp` when the last of them did."""

    stamp = 0.0

    def count(self):
        raise NotImplementedError

    def wait(self, wanted, stall=60.0):
        """Until so many have arrived; when the last one did. Fails when none comes for `stall` seconds."""
        seen, since = -1, time.monotonic()
        while True:
            have = self.count()
            present = time.monotonic()
            if have >= wanted:
                return self.stamp or present
            if have != seen:
                seen, since = have, present
            elif present - since > stall:
                raise Failed(f"{have} of {wanted} messages arrived")
            # closely at the end only: counting is work, too
            time.sleep(0.005 if wanted - have < 200 else 0.05)


class Sink(Counter):
    """smtp-sink. Its count comes over a pipe."""

    def __init__(self, port=None):
        self.port = port or harness.free_port()
        command, environment = postfix_tool("smtp-sink")
        self.process = subprocess.Popen(
            [*command, "-u", "nobody", "-c", "-m", "1000", f"127.0.0.1:{self.port}", "1000"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
            preexec_fn=die_with_parent)
        self.seen = 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        harness.eventually(lambda: harness.Instance.listening(self), 10, "smtp-sink")

    def read(self):
        tail = b""
        while data := os.read(self.process.stdout.fileno(), 65536):
            counts = re.findall(rb"mesg=(\d+)\r", tail + data)
            tail = (tail + data)[-64:]
            if counts and int(counts[-1]) > self.seen:
                self.stamp = time.monotonic()
                self.seen = int(counts[-1])

    def count(self):
        return self.seen

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


class LoadSink(Counter):
    """`load sink`, with TLS and latencies. What it counts is mapped (load.h, struct counters)."""

    FIELDS = ("messages", "recipients", "connections", "resumed", "last", "latencies")

    def __init__(self, port=None, chain=None, resume=False, delay=0):
        self.port = port or harness.free_port()
        self.path = tempfile.mktemp(prefix="counters-")
        options = ["-c", self.path, "-d", str(delay)]
        if chain:
            options += ["-T", str(chain)]
        if resume:
            options += ["-R"]
        self.process = subprocess.Popen([LOAD, "sink", *options, str(self.port)], stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise Failed("the sink does not start")
        with open(self.path, "rb") as f:
            self.map = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)

    def field(self, name):
        return struct.unpack_from("Q", self.map, 8 * self.FIELDS.index(name))[0]

    def count(self):
        self.stamp = self.field("last") / 1e9
        return self.field("messages")

    def latencies(self, first=0):
        """Seconds on the road of each message since the first-th, in order of arrival."""
        n = self.field("latencies")
        at = 8 * len(self.FIELDS)
        return [v / 1e6 for v in struct.unpack_from(f"{n}I", self.map, at)[first:]]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.map.close()
        pathlib.Path(self.path).unlink()


class Maildir(Counter):
    """Messages in new/."""

    def __init__(self, path):
        self.path = pathlib.Path(path) / "new"

    def count(self):
        try:
            return len(os.listdir(self.path))
        except FileNotFoundError:
            return 0

    def close(self):
        pass


class Mbox(Counter):
    """Messages in one file, by their From_ lines."""

    MARK = b"\nFrom source@"

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.at, self.seen, self.tail = 0, 0, b"\n"

    def count(self):
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as f:
            f.seek(self.at)
            data = f.read()
            self.at += len(data)
            text = self.tail + data
            self.seen += text.count(self.MARK)
            self.tail = text[-(len(self.MARK) - 1):]
        return self.seen

    def close(self):
        pass


def smtp_source(port, messages, sessions=50, length=4096, to="user@sink.test", recipients=1, kept=False):
    """Send with smtp-source, to the end of it."""
    command, environment = postfix_tool("smtp-source")
    command += ["-s", str(min(sessions, messages)), "-m", str(messages), "-l", str(length), "-M", "bench.test",
                "-f", "source@bench.test", "-t", to]
    if recipients > 1:
        command += ["-r", str(recipients)]
    if kept:
        command += ["-d"]
    r = subprocess.run([*command, f"127.0.0.1:{port}"], env=environment, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, timeout=3600, preexec_fn=die_with_parent)
    if r.returncode != 0:
        raise Failed(f"smtp-source: {r.stderr.strip()[-200:]}")


def load_source(port, messages, sessions=50, wait=True, **options):
    """Send with `load source`; what it says, or the process if it shall not be waited for."""
    command = [str(LOAD), "source", "-s", str(min(sessions, messages)), "-m", str(messages)]
    for name, value in options.items():
        command += [f"-{name}"] if value is True else [f"-{name}", str(value)] if value is not False else []
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE)
    return load_result(process) if wait else process


def load_result(process):
    """What a `load source` said at its end."""
    output = process.communicate(timeout=3600)[0]
    if process.returncode != 0:
        raise Failed(f"source: {output.decode().strip() or process.returncode}")
    return json.loads(output)


@contextlib.contextmanager
def idle_sessions(port, sessions, tls=False):
    """Sessions that sit idle: how many of them there are."""
    command = [str(LOAD), "idle", "-s", str(sessions), *(["-T"] if tls else []), str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield json.loads(process.stdout.readline())["opened"]
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def one_message(port, to="user@sink.test", seconds=10):
    """One message over SMTP; returns when it is accepted."""
    with harness.Talk(port, timeout=seconds) as t:
        codes = [t.reply()[0], t.say("EHLO one.bench.test")[0], t.say("MAIL FROM:<source@bench.test>")[0],
                 t.say(f"RCPT TO:<{to}>")[0], t.say("DATA")[0], t.say("Subject: one\r\n\r\none\r\n.")[0]]
        if codes != [220, 250, 250, 250, 354, 250]:
            raise Failed(f"a message was not accepted: {codes}")


class BlackHole:
    """A port where no connection is ever established: its queue is full, and SYNs go unanswered."""

    def __init__(self):
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(0)
        self.port = self.server.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(s)

    def close(self):
        for s in (*self.fillers, self.server):
            s.close()
