# SPDX-License-Identifier: ISC
"""Programs that read mail logs understand ours: Debian's pflogsumm and fail2ban."""
import os
import re
import subprocess

import pytest

from harness import Talk, eventually
from peers import peer


@pytest.fixture(scope="module")
def readers():
    return peer("log-readers", ["pflogsumm", "libdate-calc-perl", "fail2ban"])


@pytest.fixture
def a_day(instance, sink):
    """A log with two mails sent, one bounced, one deferred, three refused; its path."""
    def answer(verb, argument, session):
        if verb == "RCPT" and "bad" in argument:
            return "550 5.1.1 no such user"
        if verb == "RCPT" and "later" in argument:
            return "450 4.2.0 not now"
        return None

    hop = sink(answer=answer)
    mx = instance(relayhost=f"[127.0.0.1]:{hop.port}", mynetworks="127.0.0.1/32",
                  smtpd_recipient_restrictions="reject_unauth_destination",
                  smtpd_relay_restrictions="", relay_domains="far.test", relay_recipient_maps="")
    mx.send("one@far.test")
    mx.send("two@far.test")
    mx.send("bad@far.test", sender="")
    mx.send("later@far.test")
    with Talk(mx.port) as t:
        t.reply()
        t.say("EHLO stranger.test")
        t.say("MAIL FROM:<spammer@stranger.test>")
        assert t.say("RCPT TO:<victim@elsewhere.test>") [0] == 554
        assert t.say("RCPT TO:<victim2@elsewhere.test>")[0] == 554
        assert t.say("RCPT TO:<nobody-there@example.test>")[0] == 550
        t.say("QUIT")
    hop.wait(2)
    mx.wait_log(r"to=<later@far\.test>.*status=deferred")
    mx.wait_log(r"to=<bad@far\.test>.*status=bounced")
    mx.wait_log(r"disconnect from .*rcpt=0/3")
    return mx


def test_pflogsumm_counts_what_happened(a_day, readers):
    lib = readers / "usr/share/perl5"
    arch = [str(p) for p in (readers / "usr/lib").glob("*/perl5/*")]
    env = dict(os.environ, PERL5LIB=":".join([str(lib), *arch]))
    r = subprocess.run(["perl", readers / "usr/sbin/pflogsumm", a_day.maillog], env=env, capture_output=True,
                       text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    counts = {m[2]: int(m[1]) for m in re.finditer(r"^\s+(\d+)k?\s+(received|delivered|bounced|rejected)\b",
                                                   r.stdout, re.M)}
    assert counts == {"received": 4, "delivered": 2, "bounced": 1, "rejected": 3}, r.stdout
    assert re.search(r"^\s+1\s+deferred\s+\(1\s+deferrals\)", r.stdout, re.M), r.stdout
    assert re.search(r"Relay access denied \(total: 2\)", r.stdout), r.stdout


def test_fail2ban_finds_the_refused(a_day, readers):
    dist = readers / "usr/lib/python3/dist-packages"
    env = dict(os.environ, PYTHONPATH=str(dist))
    r = subprocess.run(["/usr/bin/python3", readers / "usr/bin/fail2ban-regex", "-c", readers / "etc/fail2ban",
                        a_day.maillog, "postfix[mode=aggressive]"], env=env, capture_output=True, text=True,
                       timeout=60)
    m = re.search(r"Lines: (\d+) lines, \d+ ignored, (\d+) matched", r.stdout)
    assert m, r.stdout + r.stderr
    # two refused relay attempts and an unknown user; and who asked whether the port is open
    probes = len(re.findall("lost connection after CONNECT", a_day.log()))
    assert int(m[2]) == 3 + probes, r.stdout
