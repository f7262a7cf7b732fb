#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""full - the queue's file system fills up (blocks, then inodes), turns read-only, or a size limit strikes.

On a small tmpfs and on a small ext4: fill it under load until mail is refused. Each refusal must be 452
4.3.1 before or at the final dot (451 where the disk is read-only); when room is given back, mail is taken again
without a restart; and the ledger must hold.
"""
import argparse
import contextlib
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import ledger
import world
from world import harness

SCENES = ("tmpfs blocks", "ext4 blocks", "tmpfs inodes", "ext4 inodes", "ext4 read-only", "file size limit")


class Scene:
    def __init__(self, name, scratch):
        self.name = name
        self.kind, _, self.what = name.partition(" ")
        self.directory = scratch / name.replace(" ", "-")
        self.spool, self.mail = self.directory / "spool", self.directory / "mail"
        for d in (self.directory, self.spool, self.mail):
            d.mkdir()
            d.chmod(0o755)
        if self.kind == "tmpfs":
            data = "size=120m,mode=755" + (",nr_inodes=400" if self.what == "inodes" else "")
            world.mount("spool", self.spool, "tmpfs", 0, data)
        elif self.kind == "ext4":
            image = self.directory / "image"
            with open(image, "wb") as f:
                f.truncate(160 << 20)
            inodes = ("-N", "400") if self.what == "inodes" else ()
            subprocess.run(["mkfs.ext4", "-q", "-F", *inodes, str(image)], check=True)
            self.mount_image()
        self.spool.chmod(0o755)
        self.home = world.make_mailboxes(self.mail)
        world.account(self.directory, self.home)
        self.hop = world.NextHop()
        self.instance = world.make_instance(self.spool, self.mail, self.hop.port, self.directory,
                                            queue_minfree="0")
        self.path = self.directory / "ledger"
        self.crashes = []  # a disk that turns read-only forgets the done marks of that moment
        self.load = world.Load(self.instance, ledger.Ledger(self.path), channels=("net",), large=.1,
                               prefix=self.name.replace(" ", "-") + "-")

    def mount_image(self):
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", str(self.directory / "image"),
                        str(self.spool)], check=True)

    def fill(self):
        """Take all the room (blocks or inodes) that is left, or make it read-only by an error."""
        hoard = self.spool / "hoard"
        if self.what == "read-only":
            device = os.stat(self.spool).st_dev
            name = os.path.basename(os.readlink(
                f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))
            pathlib.Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")
            return
        if self.what == "inodes":
            hoard.mkdir()
            with contextlib.suppress(OSError):
                for i in range(100000):
                    (hoard / str(i)).touch()
            return
        with contextlib.suppress(OSError), open(hoard, "wb", buffering=0) as f:
            block = bytes(1 << 20)
            while True:
                if f.write(block) < len(block):
                    block = bytes(4096)
        with contextlib.suppress(OSError), open(self.spool / "hoard2", "wb", buffering=0) as f:
            while True:
                f.write(bytes(512))

    def free(self):
        if self.what == "read-only":
            # As an administrator would: stop, repair, mount, start.
            self.crashes.append(time.time())
            self.instance.kill_all()
            world.umount(self.spool)
            subprocess.run(["e2fsck", "-fy", str(self.directory / "image")], stdout=subprocess.DEVNULL,
                           check=False)
            self.mount_image()
            self.instance.start()
            return
        for f in (self.spool / "hoard").glob("*") if self.what == "inodes" else ():
            f.unlink()
        for name in ("hoard", "hoard2"):
            with contextlib.suppress(FileNotFoundError):
                p = self.spool / name
                p.rmdir() if p.is_dir() else p.unlink()

    def refuse(self, size, limit=60):
        """Send until something is refused; how many were taken before."""
        before = len(self.refused())
        for i in range(limit):
            self.load.smtp(1, size=size)
            if len(self.refused()) > before:
                return i
        raise AssertionError(f"{self.name}: {limit} messages of {size} bytes and no refusal")

    def refused(self):
        """Final replies and refusals at MAIL or DATA alike."""
        return [e for e in ledger.read(self.path) if e["event"] == ledger.REFUSED] + self.load.early

    def run(self):
        if self.kind == "file":
            limit = 1 << 20
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        self.instance.start()
        if self.kind == "file":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            self.refuse(world.LARGE, 5)
            self.expect("452", "4.3.1")
            self.instance.stop()
            self.instance.start()
        else:
            self.load.burst()
            self.fill()
            # What the journal has preallocated may still be used: that is what it is for.
            self.refuse(1900 * 1024)
            self.refuse(world.LARGE)
            self.expect(*(("45", "4.3") if self.what == "read-only" else ("452", "4.3.1")))
            self.load.sendmail()
            self.free()
        harness.eventually(lambda: self.load.smtp(1, size=1900 * 1024) and self.load.smtp(1, size=world.LARGE),
                           20, f"{self.name}: mail is taken again")
        drained = world.drain(self.instance, 60)
        queued = world.queued(self.instance)
        figures = ledger.audit(ledger.read(self.path), self.hop.arrivals +
                               world.mailbox_arrivals(self.mail), queued, self.crashes, early_is_phantom=True)
        note = "" if figures.good and drained else figures.details() + self.instance.tail(40)
        return figures, note

    def expect(self, code, status):
        for e in self.refused():
            if not str(e["code"]).startswith(code) or status not in e["text"]:
                raise AssertionError(f"{self.name}: {e}")

    def close(self):
        self.instance.kill_all()
        self.instance.destroy()
        self.hop.close()
        if self.kind in ("tmpfs", "ext4"):
            world.umount(self.spool, 2)
        world.umount("/etc", 2)
        world.umount(f"{harness.PREFIX}/etc", 2)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scenes", nargs="*", help=", ".join(SCENES))
    options = p.parse_args()
    world.unshare()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="postrider-full-", dir="/var/tmp"))
    total, bad = ledger.Figures(), 0
    begun = time.monotonic()
    try:
        world.mount("full", scratch, "tmpfs", 0, "size=2g,mode=755")
        for name in options.scenes or SCENES:
            scene = Scene(name, scratch)
            try:
                figures, note = scene.run()
                total.add(figures)
                replies = sorted({f"{e['code']} {e['text'][:60]}" for e in scene.refused()})
                print(f"  {name:<18}{figures}\n{' ' * 20}refusals: {replies}\n{note}", end="", flush=True)
                bad += not figures.good or bool(note)
            except AssertionError as e:
                print(f"  {name}: {e}\n{scene.instance.tail(25)}", flush=True)
                bad += 1
            finally:
                scene.close()
    finally:
        world.umount(scratch, 2)
        scratch.rmdir()
    print(f"full in {time.monotonic() - begun:.0f} s: {total}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
