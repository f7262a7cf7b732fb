# SPDX-License-Identifier: ISC
"""postrider adopt: a Postfix configuration directory becomes ours, and stays as it was."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from beside import Postfix
from harness import SBIN, Instance, eventually

MAIN_CF = """\
# Our relay
smtpd_banner = $myhostname ESMTP
readme_directory = no
daemon_directory = /usr/lib/postfix/sbin
queue_directory =
    /var/spool/postfix
smtpd_recipient_restrictions =
  # who may not
  check_recipient_access hash:@/recipients,
  check_client_access cidr:@/clients.cidr
myhostname = mx.example.test
alias_maps = hash:@x/aliases
alias_database = hash:@x/aliases
virtual_alias_maps = hash:@/virtual proxy:btree:${config_directory}/sub/more
  nis:aliases
transport_maps = hash:@/transport
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
smtpd_milters = inet:localhost:8891
mailbox_size_limt = 0
other_place = @-old/x
"""
MASTER_CF = """\
smtp      inet  n       -       y       -       -       smtpd
  -o check_file=@/x
local     unix  -       n       n       -       -       local
old       unix  -       n       n       -       -       pipe
  flags=R user=nobody argv=/bin/true
trivial   unix  -       -       y       -       -       trivial-rewrite
"""


class Old:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="adopt-"))
        self.etc = self.dir / "etc"
        self.new = self.dir / "new"
        (self.etc / "sub").mkdir(parents=True)
        (self.dir / "etcx").mkdir()
        self.write("main.cf", MAIN_CF)
        self.write("master.cf", MASTER_CF)
        self.write("recipients", "x@example.test REJECT\n")
        self.write("clients.cidr", "10.0.0.0/8 OK\n# @/comment\n")
        self.write("virtual", "a@example.test b@example.test\n")
        self.write("virtual.db", "not ours")
        self.write("transport.db", "not ours")
        self.write("sub/more", "c@example.test d@example.test\n")
        self.write("sub/mysql.cf", "query = SELECT 1\ninclude = @/other\n")
        self.write("../etcx/aliases", "root: joe\n")
        (self.etc / "recipients").chmod(0o600)
        (self.etc / "link").symlink_to("virtual")

    def write(self, name, text):
        (self.etc / name).write_text(text.replace("@", str(self.etc)) if "cf" in name or "cidr" in name else text)

    def adopt(self, *options, check=True):
        r = subprocess.run([SBIN / "postrider", "-c", self.new, "adopt", *options, self.etc], capture_output=True, text=True, timeout=60)
        assert not check or r.returncode == 0, r.stdout + r.stderr
        return r

    def state(self):
        """Every file of the old place: bytes, owner, mode, times."""
        found = {}
        for path in sorted(self.etc.rglob("*")):
            st = path.lstat()
            found[str(path)] = (st.st_mode, st.st_uid, st.st_mtime_ns, st.st_ctime_ns,
                                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        return found


@pytest.fixture
def old():
    made = Old()
    yield made
    shutil.rmtree(made.dir)


def query(old, key, table):
    return subprocess.run([SBIN / "postmap", "-c", old.new, "-q", key, table], capture_output=True, text=True).stdout


def test_what_is_written(old):
    before = old.state()
    old.adopt()
    assert old.state() == before
    etc, new = str(old.etc), str(old.new)
    wanted = MAIN_CF.replace("@x/", f"{etc}x/").replace("@-old", f"{etc}-old").replace("@", new)
    for line in ("readme_directory = no\n", "daemon_directory = /usr/lib/postfix/sbin\n", "queue_directory =\n",
                 "    /var/spool/postfix\n"):
        wanted = wanted.replace(line, "#adopt: " + line)
    assert (old.new / "main.cf").read_text() == wanted
    assert (old.new / "master.cf").read_text() == MASTER_CF.replace("@", new)
    assert sorted(str(p.relative_to(old.new)) for p in old.new.rglob("*") if p.is_file()) == [
        "clients.cidr", "link", "main.cf", "master.cf", "recipients", "recipients.lmdb", "sub/more", "sub/more.lmdb",
        "sub/mysql.cf", "virtual", "virtual.lmdb"]
    assert not (old.new / "link").is_symlink()
    assert (old.new / "recipients").stat().st_mode & 0o777 == 0o600
    assert (old.new / "recipients.lmdb").stat().st_mode & 0o777 == 0o600
    assert query(old, "a@example.test", f"hash:{new}/virtual") == "b@example.test\n"
    assert query(old, "c@example.test", f"btree:{new}/sub/more") == "d@example.test\n"
    aliases = subprocess.run([SBIN / "postalias", "-c", old.new, "-q", "root", f"hash:{etc}x/aliases"], capture_output=True, text=True)
    assert aliases.stdout == "joe\n"


def test_what_is_told(old):
    said = old.adopt("-n").stdout
    assert not old.new.exists()
    etc = str(old.etc)
    for wanted in [
            "  11 lines of main.cf\n", "  4 services of master.cf, of which 2 run here\n", "  6 other files would be copied\n",
            "  4 tables would be built\n", f"  {etc}/main.cf, line 5: queue_directory: /var/spool/postfix\n",
            f"{etc}/main.cf, line 14: virtual_alias_maps: tables of type nis cannot be read here: make a text of it, and use lmdb\n",
            f"{etc}/main.cf, line 16: transport_maps: there is {etc}/transport.db, but no text: write it with Postfix's "
            f"`postmap -s hash:{etc}/transport`, then run postmap here\n",
            f"{etc}/main.cf, line 18: smtpd_milters: has no effect",
            f"{etc}/main.cf, line 19: unused parameter: mailbox_size_limt=0 (is mailbox_size_limit meant?)\n",
            f"{etc}/master.cf, line 4: old: there is no program pipe in ",
            f"{etc}/master.cf, line 6: trivial: service needs no process here",
            f"{etc}/sub/mysql.cf, line 2: names {etc}, and so does the copy in {old.new}\n"]:
        assert wanted in said, wanted
    assert "clients.cidr, line" not in said and "smtp_scache" not in said and "Must be mended" not in said
    (old.etc / "main.cf").write_text(MAIN_CF + "smtpd_timeout = soon\n")
    said = old.adopt("-n").stdout
    assert f'Must be mended before it can start:\n  {etc}/main.cf, line 21: smtpd_timeout: bad time "soon"' in said


def test_nothing_is_overwritten(old):
    old.new.mkdir()
    (old.new / "main.cf").write_text("# mine\n")
    r = old.adopt(check=False)
    assert (r.returncode, r.stdout) == (1, "")
    assert r.stderr == f"postrider: fatal: {old.new}/main.cf is there already, and was changed: -f overwrites it\n"
    (old.new / "main.cf.proto").write_text("# mine\n")  # as it was installed
    (old.new / "virtual").write_text("x y\n")
    r = old.adopt(check=False)
    assert r.returncode == 1 and f"{old.new}/virtual is there already, and differs: -f overwrites it" in r.stderr
    assert sorted(p.name for p in old.new.iterdir()) == ["main.cf", "main.cf.proto", "virtual"]
    old.adopt("-f")
    assert query(old, "a@example.test", f"hash:{old.new}/virtual") == "b@example.test\n"
    again = old.adopt("-f").stdout
    assert "4 tables built" in again


@pytest.mark.parametrize("arguments, said", [
    ([], "usage: "), (["-x", "/tmp"], "usage: "), (["a", "b"], "usage: "), (["/nonexistent"], "/nonexistent: No such file"),
    (["/proc/self/fd"], "main.cf")])
def test_refusals(old, arguments, said):
    r = subprocess.run([SBIN / "postrider", "-c", old.new, "adopt", *arguments], capture_output=True, text=True)
    assert r.returncode == 1 and said in r.stderr and not old.new.exists()


def test_not_onto_itself(old):
    old.new.symlink_to(old.etc)
    r = old.adopt("-f", check=False)
    assert r.returncode == 1 and "is where the adopted configuration would be written" in r.stderr


def test_a_disk_that_is_full(old):
    """The old main.cf of the target stays until all else is there."""
    small = old.dir / "small"
    small.mkdir()
    old.new = small / "new"
    (old.etc / "big").write_bytes(b"x" * 300_000)
    script = 'mount -t tmpfs -o size=128k tmpfs "$1" && mkdir "$1/new" && shift && "$@"; echo $?; ls "$0"'
    r = subprocess.run(["unshare", "-m", "sh", "-c", script, old.new, small, SBIN / "postrider", "-c", old.new, "adopt", old.etc],
                       capture_output=True, text=True)
    assert "No space left on device" in r.stderr and r.stdout.startswith("1\n")
    assert "main.cf" not in r.stdout and ".adopt" not in r.stdout and "big" not in r.stdout


def test_a_site_moves_over():
    """Debian's Postfix delivers; its configuration is adopted; ours does the same with it."""
    theirs = Postfix(virtual_alias_maps="hash:$config_directory/virtual", transport_maps="lmdb:$config_directory/transport",
                     default_transport="discard:", virtual_alias_domains="v.test")
    ours = None
    try:
        (theirs.etc / "virtual").write_text("a@v.test b@there.test\n")
        (theirs.etc / "transport").write_text("there.test discard:moved\n")
        theirs.run("postmap", f"lmdb:{theirs.etc}/transport")
        theirs.set(virtual_alias_maps="texthash:$config_directory/virtual")
        theirs.start()
        theirs.sendmail("a@v.test")
        theirs.wait_log(r"to=<b@there.test>, orig_to=<a@v.test>, relay=none, .*status=sent \(moved\)")
        theirs.stop()
        theirs.set(virtual_alias_maps="hash:$config_directory/virtual")
        ours = Instance()
        for path in ours.etc.iterdir():
            path.unlink()
        r = subprocess.run([SBIN / "postrider", "-c", ours.etc, "adopt", theirs.etc], capture_output=True, text=True)
        assert r.returncode == 0 and "Must be mended" not in r.stdout, r.stdout + r.stderr
        ours.run("postconf", "-e", f"queue_directory={ours.queue}", f"data_directory={ours.data}", f"maillog_file={ours.maillog}",
                 "maillog_file_prefixes=/tmp")
        ours.run("postrider", "start")
        ours.sendmail("a@v.test")
        ours.wait_log(r"to=<b@there.test>, orig_to=<a@v.test>, relay=none, .*status=sent \(moved\)")
    finally:
        theirs.destroy()
        if ours:
            ours.destroy()
