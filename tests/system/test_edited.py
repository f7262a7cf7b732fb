# SPDX-License-Identifier: ISC
"""An edit of main.cf counts from the next good reload on, for every process, also for one that starts now."""
import os
import signal

from harness import Talk, eventually


def test_a_broken_file_stops_nothing_that_starts_later(instance):
    i = instance(local_recipient_maps="", smtpd_banner="$myhostname ESMTP first")
    file = i.etc / "main.cf"
    good = file.read_text()
    for broken in ("this is no parameter\n", "message_size_limit = lots\n"):
        file.write_text(good.replace("first", "second") + broken)
        r = i.reload(check=False)
        assert r.returncode == 1 and f"{file}, line {len(good.splitlines()) + 1}: ".encode() in r.stderr
        for program in ("smtpd", "cleanup"):
            old = set(i.pids(program))
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: not old & set(i.pids(program)), 10, f"the end of {program}")
        with Talk(i.port) as t:
            assert t.reply() == (220, "mx.example.test ESMTP first")
        i.send("somebody@example.test")
    file.write_text(good.replace("first", "third"))
    i.reload()

    def banner():
        with Talk(i.port) as t:
            return t.reply()[1]

    eventually(lambda: banner().endswith("third"), 10, "the new banner")
