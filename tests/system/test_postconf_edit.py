# SPDX-License-Identifier: ISC
"""Editing main.cf and master.cf in place, beside Debian's Postfix: the files come out the same."""
import os
import pathlib
import re
import stat
import subprocess

import pytest

from harness import SBIN
from peers import POSTFIX, peer

SITES = pathlib.Path(__file__).parent / "sites"

MASTER = """\
# head
smtp inet n - y - - smtpd
  -o relayhost=[x] -o { myhostname = a b }
# inside
   -v
relay unix - - y - - smtp -o smtp_helo_timeout=$foo

# tail
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient} %s
# end
""" % ("y" * 30)

MAIN = """\
# head
myorigin = a
  b
# inside
  c

mydestination = x, y
# tail
relayhost=z
"""

EDITS = [
    ["-M", "-e", "smtp/inet = smtp inet n - - - - smtpd -o foo=bar"],
    ["-M", "new/unix=new unix n - n - 3 smtp -o a=b -v -o c=d"],
    ["-M", "-e", "*/unix=odd unix - - - - - smtp"],
    ["-MX", "smtp/inet"],
    ["-MX", "smtp/inet", "relay/unix"],
    ["-M#", "smtp/inet", "relay/*"],
    ["-F", "smtp/inet/chroot=n", "relay/unix/command=lmtp -v"],
    ["-F", "-e", "*/unix/process_limit=7"],
    ["-F", "smtp/inet/service=smtps"],
    ["-P", "smtp/inet/relayhost=[y]", "relay/unix/new=v"],
    ["-P", "*/*/new=v"],
    ["-P", "smtp/inet/myhostname="],
    ["-PX", "smtp/inet/relayhost"],
    ["-PX", "*/*/relayhost", "*/unix/smtp_helo_timeout"],
    ["-PX", "smtp/inet/nosuch"],
    ["-e", "myorigin = new", "inet_interfaces=all"],
    ["mydestination=", "relayhost = [a]:25"],
    ["-X", "myorigin"],
    ["-X", "relayhost", "mydestination", "nosuch"],
    ["-#", "myorigin", "relayhost"],
]


def theirs(conf, *args):
    root = peer("postfix", POSTFIX)
    lib = f"{root}/usr/lib/postfix:{root}/usr/lib/x86_64-linux-gnu"
    return subprocess.run([root / "usr/sbin/postconf", "-c", conf, *args], text=True, capture_output=True,
                          timeout=20, env={**os.environ, "LD_LIBRARY_PATH": lib})


def ours(conf, *args):
    return subprocess.run([SBIN / "postconf", "-c", conf, *args], capture_output=True, text=True, timeout=20)


def edited(run, conf, *args):
    (conf / "main.cf").write_text(MAIN)
    (conf / "master.cf").write_text(MASTER)
    r = run(conf, *args)
    assert r.returncode == 0, r.stderr
    return (conf / "main.cf").read_text(), (conf / "master.cf").read_text()


def remark(line):
    return line.strip() == "" or line.startswith("#")


@pytest.mark.parametrize("args", EDITS, ids=" ".join)
def test_edits_as_postfix_does(tmp_path, args):
    (main, master), (their_main, their_master) = edited(ours, tmp_path, *args), edited(theirs, tmp_path, *args)
    assert main == their_main
    if args[0] in ("-F", "-P", "-PX"):
        # Postfix moves the comments behind an edited service in front of it; here they stay where they are
        assert [x for x in MASTER.splitlines() if remark(x)] == [x for x in master.splitlines() if remark(x)]
        master, their_master = ([x for x in m.splitlines() if not remark(x)] for m in (master, their_master))
    assert master == their_master
    assert sorted(f.name for f in tmp_path.iterdir()) == ["main.cf", "master.cf"]


REFUSED = [
    ["-M", "smtp=x inet n - - - - smtpd"], ["-MX", "smtp"], ["-M", "smtp/inet=smtp inet n - - -"],
    ["-M", "smtp/inet=smtp inet q - - - - smtpd"], ["-F", "smtp/inet/bogus=n"], ["-F", "smtp/inet/chroot=q"],
    ["-FX", "smtp/inet/chroot"], ["-P#", "smtp/inet/relayhost"], ["-PX", "smtp/inet/*"], ["-P", "smtp/inet/*=1"],
    ["-P", "smtp/relayhost=1"], ["-M", "-e"], ["-M", "-d"], ["-M", "-h"], ["-F", "-n"], ["-P", "-n"],
    ["-d", "-n"], ["-e", "-n"], ["-h", "-H", "myorigin"], ["-a", "-A"], ["-l", "-m"], ["-C", "bogus"],
    ["-e", "myorigin"], ["-#", "myorigin=x"], ["-M", "smtp/inet/x"], ["-F", "smtp/inet/bogus"],
]


@pytest.mark.parametrize("args", REFUSED, ids=" ".join)
def test_what_is_refused_changes_nothing(tmp_path, args):
    (tmp_path / "main.cf").write_text(MAIN)
    (tmp_path / "master.cf").write_text(MASTER)
    mine, other = ours(tmp_path, *args), theirs(tmp_path, *args)
    assert mine.returncode == 1 and re.search(r"^postconf: fatal: \S", mine.stderr, re.M), mine.stderr
    assert (tmp_path / "main.cf").read_text() == MAIN and (tmp_path / "master.cf").read_text() == MASTER
    if args not in (["-M", "smtp/inet=smtp inet n - - -"], ["-F", "smtp/inet/chroot=q"],):
        assert other.returncode == 1


def test_values_with_spaces_get_braces(tmp_path):
    """Postfix refuses them."""
    text = edited(ours, tmp_path, "-P", "relay/unix/smtp_helo_name=a b")[1]
    assert "    -o {smtp_helo_name=a b}\n" in text
    assert ours(tmp_path, "-Ph", "relay/unix/smtp_helo_name").stdout == "a b\n"


def test_owner_and_mode_stay(tmp_path):
    for name, args in (("main.cf", ["-e", "myorigin=x"]), ("master.cf", ["-MX", "smtp/inet"])):
        (tmp_path / "main.cf").write_text(MAIN)
        (tmp_path / "master.cf").write_text(MASTER)
        os.chmod(tmp_path / name, 0o640)
        os.chown(tmp_path / name, 0, 12)
        assert ours(tmp_path, *args).returncode == 0
        st = (tmp_path / name).stat()
        assert (stat.S_IMODE(st.st_mode), st.st_gid) == (0o640, 12)


def test_many_at_once(tmp_path):
    """Thirty that edit the same file at the same time: nothing is lost."""
    (tmp_path / "main.cf").write_text("")
    (tmp_path / "master.cf").write_text(MASTER)
    running = [subprocess.Popen([SBIN / "postconf", "-c", tmp_path, "-e", f"own_{i}={i}"]) for i in range(30)]
    assert [p.wait(30) for p in running] == [0] * 30
    assert sorted((tmp_path / "main.cf").read_text().split("\n")) == sorted([f"own_{i} = {i}" for i in range(30)] + [""])
    assert sorted(f.name for f in tmp_path.iterdir()) == ["main.cf", "master.cf"]


def test_a_full_disk_leaves_the_old_file(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    script = ('mount -t tmpfs -o size=64k none "$1" && cp "$2"/* "$1" && head -c 60000 /dev/zero >"$1/fill"; '
              '"$3" -c "$1" -e "own=$(head -c 30000 /dev/zero | tr "\\0" x)"; echo "rc $?"; cat "$1/main.cf"')
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.cf").write_text(MAIN)
    r = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", small, source, SBIN / "postconf"],
                       capture_output=True, text=True, timeout=30)
    assert "rc 1\n" + MAIN in r.stdout and "No space left on device" in r.stderr


def test_json(tmp_path):
    import json
    (tmp_path / "main.cf").write_text('compatibility_level = 3.6\nmyorigin = "a" \\ é\n')
    (tmp_path / "master.cf").write_text(MASTER)
    rows = [json.loads(x) for x in ours(tmp_path, "-jn").stdout.splitlines()]
    assert {"name": "myorigin", "value": '"a" \\ é'} in rows
    rows = [json.loads(x) for x in ours(tmp_path, "-jM").stdout.splitlines()]
    assert rows[0]["service"] == "smtp" and rows[0]["arguments"] == ["-o", "relayhost=[x]", "-o", "myhostname=a b",
                                                                     "-v"]
    rows = [json.loads(x) for x in ours(tmp_path, "-jF", "smtp/inet/chroot").stdout.splitlines()]
    assert rows == [{"service": "smtp", "type": "inet", "field": "chroot", "value": "y"}]
    rows = [json.loads(x) for x in ours(tmp_path, "-jP", "smtp").stdout.splitlines()]
    assert {"service": "smtp", "type": "inet", "parameter": "myhostname", "value": "a b"} in rows


TEMPLATE = """\
# comment

failure_template = <<EOF
Subject: Gone

From $myhostname, $$5, after $maximal_queue_lifetime_days days.
EOF
delay_template = <<END
Charset: us-ascii

Late by $delay_warning_time_hours hours.
END
"""


def test_notices(tmp_path):
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = mx.example.test\n"
                                      "delay_warning_time = 4h\nmaximal_queue_lifetime = 5d\n")
    (tmp_path / "master.cf").write_text(MASTER)
    built_in = ours(tmp_path, "-t").stdout
    assert [x.split(" =")[0] for x in built_in.splitlines() if x.endswith("= <<EOF")] == [
        "failure_template", "delay_template", "success_template", "verify_template"]
    (tmp_path / "t").write_text(built_in)
    assert ours(tmp_path, "-t", tmp_path / "t").stdout == built_in
    (tmp_path / "t").write_text(TEMPLATE)
    said = ours(tmp_path, "-b", tmp_path / "t").stdout
    assert "expanded_failure_text = <<EOF\nFrom mx.example.test, $5, after 5 days.\nEOF\n" in said
    assert "expanded_delay_text = <<EOF\nLate by 4 hours.\nEOF\n" in said
    assert "expanded_success_text = <<EOF\n" in said
    for bad, want in (("nosuch_template = <<EOF\nEOF\n", "line 1: unknown template name: nosuch_template"),
                      ("\nfailure_template = <<EOF\nx\n", "line 2: no line \"EOF\""),
                      ("failure_template = x\n", "line 1: \"failure_template = x\" (allowed: ")):
        (tmp_path / "t").write_text(bad)
        r = ours(tmp_path, "-b", tmp_path / "t")
        assert r.returncode == 1 and want in r.stderr, r.stderr


def test_facts(tmp_path):
    assert ours(tmp_path, "-l").stdout.split() == ["flock", "fcntl", "dotlock"]
    assert {"lmdb", "hash", "pcre", "cidr"} <= set(ours(tmp_path, "-m").stdout.split())
    types = ours(tmp_path, "-m").stdout.split()
    assert types == sorted(types)
    for name in types + ["nosuch"]:
        r = subprocess.run([SBIN / "postmap", "-q", "x", f"{name}:/nonexistent/x"], capture_output=True, text=True,
                           timeout=20)
        assert ("unsupported table type" in r.stderr) == (name == "nosuch"), r.stderr
    assert ours(tmp_path, "-T", "run-version").stdout.startswith("OpenSSL ")
    assert ours(tmp_path, "-T", "compile-version").stdout.startswith("OpenSSL ")
    assert {"rsa", "ecdsa"} <= set(ours(tmp_path, "-T", "public-key-algorithms").stdout.split())
    assert ours(tmp_path, "-T", "x").returncode == 1
    for option in ("-a", "-A"):
        assert ours(tmp_path, option).returncode == 0


def test_quiet(tmp_path):
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nrelayhots = x\nmyorigin = $nowhere\n")
    (tmp_path / "master.cf").write_text(MASTER)
    assert len(ours(tmp_path, "-n").stderr.splitlines()) == 3
    assert ours(tmp_path, "-nq").stderr == ""
