# SPDX-License-Identifier: ISC
"""beside - Debian's Postfix, run beside our suite with the same main.cf, to compare what both do.

A Postfix is unpacked, never installed: it runs in a mount namespace of its own where its tree lies over
/usr, and where /etc has its accounts. It offers what harness.Instance offers, so that a test can be
written once and run against both.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from harness import PATIENCE, Instance, eventually
from peers import POSTFIX, peer

MASTER_CF = """\
{port}     inet  n       -       n       -       -       smtpd
pickup     unix  n       -       n       60      1       pickup
cleanup    unix  n       -       n       -       0       cleanup
qmgr       unix  n       -       n       300     1       qmgr
rewrite    unix  -       -       n       -       -       trivial-rewrite
bounce     unix  -       -       n       -       0       bounce
defer      unix  -       -       n       -       0       bounce
trace      unix  -       -       n       -       0       bounce
verify     unix  -       -       n       -       1       verify
flush      unix  n       -       n       1000?   0       flush
proxymap   unix  -       -       n       -       -       proxymap
proxywrite unix  -       -       n       -       1       proxymap
smtp       unix  -       -       n       -       -       smtp
relay      unix  -       -       n       -       -       smtp
lmtp       unix  -       -       n       -       -       lmtp
showq      unix  n       -       n       -       -       showq
error      unix  -       -       n       -       -       error
retry      unix  -       -       n       -       -       error
discard    unix  -       -       n       -       -       discard
local      unix  -       n       n       -       -       local
anvil      unix  -       -       n       -       1       anvil
scache     unix  -       -       n       -       1       scache
tlsmgr     unix  -       -       n       1000?   1       tlsmgr
postlog    unix-dgram n  -       n       -       1       postlogd
"""

# Everything below runs in a mount namespace: $1 the unpacked tree, $2 a scratch directory.
NAMESPACE = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$2"  # for an overlay's upper layer may not lie on an overlay
mkdir -p "$2/etc-upper" "$2/etc-work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$2/etc-upper,workdir=$2/etc-work" /etc
cp -a "$1/etc/postfix" /etc/
sed -i '/^post\\(fix\\|drop\\):/d' /etc/passwd /etc/group
echo 'postfix:x:65101:65101::/var/spool/postfix:/usr/sbin/nologin' >>/etc/passwd
echo 'postfix:x:65101:' >>/etc/group
echo 'postdrop:x:65102:' >>/etc/group
echo "alternate_config_directories = $3" >/etc/postfix/main.cf
: >/etc/postfix/master.cf
# our resolver needs no file to know this one (RFC 6761 6.3)
grep -qs localhost /etc/hosts || echo '127.0.0.1 localhost' >>/etc/hosts
# what postinst would have written
printf 'lmdb\tpostfix-lmdb.so\tdict_lmdb_open\tmkmap_lmdb_open\n' >/etc/postfix/dynamicmaps.cf
mkdir -p "$2/usr-upper" "$2/usr-work"
mount -t overlay overlay -o "lowerdir=$1/usr:/usr,upperdir=$2/usr-upper,workdir=$2/usr-work" /usr
chgrp 65102 /usr/sbin/postdrop /usr/sbin/postqueue
chmod 2555 /usr/sbin/postdrop /usr/sbin/postqueue
echo ready
exec sleep 86400
"""


class Postfix(Instance):
    """Debian's Postfix with an Instance's face."""

    def __init__(self, master_cf=MASTER_CF, services=(), **settings):
        self.prepare("beside-postfix-", master_cf, services, {
            "daemon_directory": "/usr/lib/postfix/sbin",
            "command_directory": "/usr/sbin",
            "shlib_directory": "/usr/lib/postfix",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            **settings})
        os.chown(self.data, 65101, 65101)
        self.maillog.touch()  # commands write to it when no postlogd runs
        self.maillog.chmod(0o666)
        root = peer("postfix", POSTFIX)
        self.scratch = self.dir / "scratch"
        self.scratch.mkdir()
        self.keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", NAMESPACE, "sh", str(root),
                                        str(self.scratch), str(self.etc)], stdout=subprocess.PIPE)
        assert self.keeper.stdout.readline() == b"ready\n", "no mount namespace for Postfix"

    def inside(self):
        return ["nsenter", "-t", str(self.keeper.pid), "-m", "-r"]

    def program(self, command):
        return "postfix" if command == "postrider" else command

    def run(self, command, *arguments, check=True, input=None, user=None, timeout=60):
        if isinstance(input, str):
            input = input.encode()
        inside = self.inside()
        if user is not None:
            inside += ["setpriv", f"--reuid={user}", "--init-groups"]
        r = subprocess.run([*self.under, *inside, self.program(command), *map(str, arguments)],
                           env=self.environment(), input=input,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           stdin=subprocess.DEVNULL if input is None else None,
                           timeout=timeout * PATIENCE)
        if check and r.returncode != 0:
            raise AssertionError(f"{command} {arguments} exited {r.returncode}: {r.stderr.decode()}"
                                 f"\n{self.tail()}")
        return r

    def pids(self, program=None):
        """Processes in our namespace, but for the one that keeps it."""
        mine = os.readlink(f"/proc/{self.keeper.pid}/ns/mnt")
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.keeper.pid:
                with contextlib.suppress(OSError):
                    exe = os.path.basename(os.readlink(entry / "exe"))
                    if os.readlink(entry / "ns/mnt") == mine and program in (None, exe):
                        found.append(int(entry.name))
        return found

    def destroy(self):
        self.stop()
        self.keeper.send_signal(signal.SIGKILL)
        self.keeper.wait()
        self.keeper.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        self.run("postfix", "start")
        eventually(self.listening, 30, "Postfix's SMTP port")
        return self
