# SPDX-License-Identifier: ISC
"""A queue of many deferred messages is drained; orders that meet a qmgr about to be replaced."""
import os
import pwd
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import PATIENCE, eventually
from qmgr_world import DEFERRED, SENT, Fields, frame, text


def waiting(w):
    return len(os.listdir(w.i.queue / "deferred"))


def real_user(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Uid:"))


def test_more_messages_than_descriptors(world):
    w = world(minimal_backoff_time="4000s", maximal_backoff_time="8000s")
    owner = pwd.getpwnam("postrider")  # for whom no capability is needed
    pid, = eventually(lambda: [p for p in w.i.pids("qmgr") if real_user(p) == owner.pw_uid], what="a qmgr of its user")
    subprocess.run(["prlimit", f"--pid={pid}", "--nofile=150:150"], user=owner.pw_uid, group=owner.pw_gid,
                   extra_groups=[], check=True)
    w.agent.answer = lambda request, address: (DEFERRED, "4.2.0", "later")
    w.put("someone@far.test", count=400)
    eventually(lambda: waiting(w) == 400, 60, "400 deferred messages")
    with w.agent.lock:
        w.agent.requests = []
    w.agent.answer = lambda request, address: (SENT, "2.0.0", "taken")
    w.agent.gate = threading.Event()
    w.i.run("postqueue", "-f")
    eventually(lambda: len(w.agent.requests) >= 5, 20, "the first deliveries, and all else loaded")
    w.agent.gate.set()
    eventually(lambda: waiting(w) == 0, 60, "an empty queue")
    assert len(w.agent.addresses()) == len(set(w.agent.addresses())) == 400
    assert "cannot read message" not in w.i.log()
    assert "cannot sync" not in w.i.log()


CONTROL, IDS, DONE = 517, 518, 519
DELETE, HOLD, RELEASE, REQUEUE = range(4)


def answers(sock):
    """The ids an order was done to; None: the connection ended without an answer."""
    ids, data = [], b""
    while True:
        while len(data) < 8 or len(data) < 8 + struct.unpack("<I", data[:4])[0]:
            try:
                part = sock.recv(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            data += part
        size, kind, _ = struct.unpack("<IHH", data[:8])
        f, data = Fields(data[8:8 + size]), data[8 + size:]
        if kind == DONE:
            return ids
        assert kind == IDS
        ids += [f.text() for _ in range(f.take("I"))]


@pytest.mark.parametrize("op", [DELETE, REQUEUE])
def test_an_order_is_answered_by_the_qmgr_that_carries_it_out(world, op):
    """Who is cut off asks the next qmgr, and is told that there is no such message."""
    w = world(minimal_backoff_time="4000s", maximal_backoff_time="8000s")
    w.agent.answer = lambda request, address: (DEFERRED, "4.2.0", "later")
    qid = w.put("someone@far.test")
    eventually(lambda: waiting(w) == 1, 20, "the deferral")
    pid, = w.i.pids("qmgr")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20 * PATIENCE)
        sock.connect(str(w.i.queue / "public" / "qmgr"))
        sock.sendall(frame(516, struct.pack("<I", 1) + text("") + text("")))
        assert answers(sock) == [], "nothing to flush, but the session is there"
        os.kill(pid, signal.SIGSTOP)
        try:
            sock.sendall(frame(CONTROL, struct.pack("<IBII", op, 0, 0, 1) + text(qid)))
            w.i.reload()
            time.sleep(0.5)  # master has told it
        finally:
            os.kill(pid, signal.SIGCONT)
        done = answers(sock)
    eventually(lambda: w.i.pids("qmgr") not in ([], [pid]), 20, "the next qmgr")
    listed = qid in w.i.run("postqueue", "-p").stdout.decode()
    assert (done, listed) in (([qid], False), (None, True))
