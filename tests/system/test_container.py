# SPDX-License-Identifier: ISC
"""start-fg as the first process of a container: logs on standard output, SIGTERM ends all in order."""
import os
import re
import signal
import subprocess

from harness import PATIENCE, SBIN, eventually


def test_first_process_of_a_container(instance):
    mx = instance(start=False, maillog_file="/dev/stdout", maillog_file_prefixes="/dev/stdout",
                  default_transport="discard:gone")
    out = mx.dir / "output"
    with open(out, "wb") as f:
        outer = subprocess.Popen(["unshare", "-p", "-f", "--mount-proc", SBIN / "postrider", "start-fg"],
                                 env=mx.environment(), stdout=f, stderr=subprocess.STDOUT)
    try:
        eventually(mx.listening, 20, "the SMTP port")
        assert mx.send("x@far.test") == {}

        def line(pattern):
            return re.search(pattern, out.read_text(errors="replace"))

        eventually(lambda: line(r"postfix/discard\[\d+\]: \w+: to=<x@far\.test>.*status=sent \(gone\)"), 15,
                   "the delivery on standard output")
        eventually(lambda: line(r"postfix/qmgr\[\d+\]: \w+: removed"), 15)
        first = int(subprocess.run(["pgrep", "-P", str(outer.pid)], capture_output=True,
                                   check=True).stdout.split()[0])
        os.kill(first, signal.SIGTERM)
        assert outer.wait(30 * PATIENCE) == 0
        assert line(r"terminating on signal 15")
        assert mx.pids() == []
    finally:
        if outer.poll() is None:
            outer.kill()


def test_status_lists_sessions(instance):
    mx = instance()
    with mx.smtp() as s:
        s.ehlo()
        s.mail("waiting@client.test")
        listing = mx.run("postrider", "-v", "status").stdout.decode()
    assert re.search(r"^session\tclient=\S*\[127\.0\.0\.1\]|^session\t\S*127\.0\.0\.1\S*\t", listing, re.M), listing
    assert "client's next command" in listing
    assert "# qmgr service=qmgr" in listing
