# SPDX-License-Identifier: ISC
"""No 250 leaves before its fdatasync has returned: proven from a trace of the system calls."""
import re
import signal
import subprocess
import threading
import time

import pytest

from harness import PATIENCE, eventually


class Trace:
    """strace over running processes and all their threads, events in the order they happened."""

    CALLS = "fdatasync,fsync,pwritev,pwrite64,write,writev,sendmsg,sendto"

    def __init__(self, pids, path):
        self.path = path
        command = ["strace", "-f", "-s", "4096", "-e", f"trace={self.CALLS}", "-o", str(path)]
        for pid in pids:
            command += ["-p", str(pid)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        attached = 0
        while attached < len(pids):
            line = self.process.stderr.readline().decode()
            assert line, "strace ended early"
            attached += "attached" in line

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        return self.path.read_text(errors="replace").splitlines()


def completed(lines):
    """Join `unfinished` and `resumed` halves: yields (index, pid, name, arguments, result) at each
    call's return, and (index, pid, name, arguments, None) at its start."""
    open_calls = {}
    for index, line in enumerate(lines):
        m = re.match(r"(\d+)\s+(\w+)\((.*) <unfinished \.\.\.>$", line)
        if m:
            open_calls[m[1]] = (m[2], m[3])
            yield index, m[1], m[2], m[3], None
            continue
        m = re.match(r"(\d+)\s+<\.\.\. (\w+) resumed>(.*)\)\s+= (-?\d+)", line)
        if m and m[1] in open_calls:
            name, arguments = open_calls.pop(m[1])
            yield index, m[1], name, arguments, int(m[4])
            continue
        m = re.match(r"(\d+)\s+(\w+)\((.*)\)\s+= (-?\d+)", line)
        if m:
            yield index, m[1], m[2], m[3], None
            yield index, m[1], m[2], m[3], int(m[4])


@pytest.mark.parametrize("size", [500, 700_000], ids=["journal", "large"])
def test_no_250_before_its_sync(instance, mailbox, tmp_path, size):
    mx = instance()
    recipient = f"{mailbox.pw_name}@example.test"
    assert mx.send(recipient) == {}  # all processes are up
    eventually(lambda: mx.pids("cleanup") and mx.pids("smtpd"), 10)
    trace = Trace(mx.pids("cleanup") + mx.pids("smtpd"), tmp_path / "trace")
    ids = []
    lock = threading.Lock()
    body = f"Subject: traced\r\n\r\n{('x' * 70 + chr(13) + chr(10)) * (size // 72)}\r\n"

    def client():
        for _ in range(5):
            with mx.smtp() as s:
                s.ehlo()
                s.mail("a@client.test")
                s.rcpt(recipient)
                code, text = s.data(body.encode())
                assert code == 250, text
                with lock:
                    ids.append(re.search(rb"queued as (\w+)", text)[1].decode())

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60 * PATIENCE)
    time.sleep(0.5)
    lines = trace.stop()
    assert len(set(ids)) == 20
    for queue_id in ids:
        written = synced = replied = None
        began = {}
        for index, pid, name, arguments, result in completed(lines):
            if queue_id in arguments and name in ("pwritev", "pwrite64", "write", "writev") and \
                    f"queued as {queue_id}" not in arguments and result is not None and result > 200:
                fd = arguments.split(",")[0]
                written, written_fd, synced = index, fd, None
            elif name in ("fdatasync", "fsync") and result is None:
                began[pid] = index
            elif name in ("fdatasync", "fsync") and result == 0 and written is not None and synced is None \
                    and arguments.strip() == written_fd and began[pid] > written:
                synced = index
            elif f"queued as {queue_id}" in arguments and name in ("sendto", "sendmsg", "write", "writev") \
                    and result is None and replied is None:
                replied = index
                break
        assert replied is not None, f"no reply with {queue_id} in the trace"
        assert written is not None, f"{queue_id} was never written before its 250"
        assert synced is not None and synced < replied, f"250 for {queue_id} before its sync"
