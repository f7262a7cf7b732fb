# SPDX-License-Identifier: ISC
"""peers - other people's mail programs, from Debian's packages, unpacked and never installed.

peer("dovecot", ["dovecot-lmtpd"]) downloads the packages, and what they need and this machine lacks, into
.peers/ of the checkout and unpacks them. Programs whose paths are built in run with in_root(): in a
mount namespace of their own, where the tree lies over /usr and /etc.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
PEERS = pathlib.Path(os.environ.get("POSTRIDER_PEERS", TOP / ".peers"))

# Whoever asks for the peer "postfix" asks for this.
POSTFIX = ["postfix", "postfix-lmdb"]


def peer(name, packages):
    """The unpacked tree of some packages; fetched once."""
    PEERS.mkdir(exist_ok=True)
    with open(PEERS / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = PEERS / name / "root"
        done = PEERS / name / "done"
        if done.exists() and done.read_text().split() == packages:
            return root
        shutil.rmtree(PEERS / name, ignore_errors=True)
        archives = PEERS / name / "archives"
        (archives / "partial").mkdir(parents=True)
        apt = ["apt-get", "-y", "-q", "--no-install-recommends", "--download-only",
               "-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root",
               "-o", "DPkg::Lock::Timeout=300"]
        r = subprocess.run([*apt, "install", *packages], capture_output=True, text=True, timeout=300)
        assert r.returncode == 0, f"cannot fetch {packages}: {r.stderr}"
        if not list(archives.glob("*.deb")):  # they are installed here: fetch them all the same
            r = subprocess.run([*apt, "--reinstall", "install", *packages], capture_output=True,
                               text=True, timeout=300)
        for deb in archives.glob("*.deb"):
            subprocess.run(["dpkg", "-x", deb, root], check=True, timeout=120)
        # /lib is /usr/lib on the machine
        for old in ("lib", "sbin", "bin"):
            if (root / old).is_dir():
                shutil.copytree(root / old, root / "usr" / old, symlinks=True, dirs_exist_ok=True)
        done.write_text("\n".join(packages) + "\n")
        return root


def in_root(root, command, **kw):
    """Start a command where the tree lies over /usr; the Popen object. Its mounts end with it."""
    script = ('mount --make-rprivate / && mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && '
              'shift && exec "$@"')
    return subprocess.Popen(["unshare", "-m", "sh", "-c", script, "sh", str(root), *map(str, command)],
                            **kw)
