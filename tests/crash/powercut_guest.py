# SPDX-License-Identifier: ISC
"""powercut_guest - the part of powercut.py that runs in the user-mode kernel, as its only program.

Spool and mailboxes lie on file systems of their own, each over dm-log-writes. Every 250 and every
message at the next hop puts a mark into both logs: into the spool's first, so that a cut at a mark
never has a spool that knows more than the mailboxes hold.
"""
import json
import os
import pathlib
import sys
import tempfile
import threading
import time
import traceback

import devicemapper
import ledger
import world


class Marks:
    """Marks in both logs, numbered; noted in the ledger, which lies outside."""

    def __init__(self, devices, book):
        self.devices, self.book = devices, book
        self.count = 0
        self.lock = threading.Lock()

    def put(self, event, ident, **more):
        with self.lock:
            self.count += 1
            for d in self.devices:
                d.mark(f"m{self.count}")
            self.book.note(event, ident, mark=self.count, **more)


class Hop(world.NextHop):
    """A next hop that says 250 only when the outside knows of the message."""

    def keep(self, recipients, data):
        ident, digest = world.parse(data)
        for address in recipients:
            self.marks.put("ARRIVED", ident, channel=address.split("-")[0], hash=digest)


def tick(marks, end):
    while not end.wait(0.1):
        marks.put("TICK", "")


def clients(job, load):
    """Several connections side by side until the number of messages is reached."""
    def smtp(i):
        while load.count < job["messages"]:
            load.smtp(1 + i % 4, timeout=60)
            time.sleep(0.05)

    def commands():
        while load.count < job["messages"]:
            load.sendmail()
            time.sleep(0.3)

    threads = [threading.Thread(target=smtp, args=(i,)) for i in range(job["clients"])]
    threads.append(threading.Thread(target=commands))
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def main(out):
    job = json.loads((out / "job.json").read_text())
    for name in ("dm-mod", "dm-log-writes"):
        devicemapper.insert_module(f"{job['modules']}/kernel/drivers/md/{name}.ko")
    spool, mail = pathlib.Path("/tmp/spool"), pathlib.Path("/tmp/mail")
    devices = []
    for name, place, disk, log in (("spool", spool, "ubda", "ubdb"), ("mail", mail, "ubdc", "ubdd")):
        sectors = int(pathlib.Path(f"/sys/block/{disk}/size").read_text())
        devices.append(devicemapper.Device(name, sectors, "log-writes", f"/dev/{disk} /dev/{log}"))
        place.mkdir()
        world.mount(devices[-1].path, place, job["fs"])
    spool.chmod(0o755)
    directory = pathlib.Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    home = world.make_mailboxes(mail)
    world.account(directory, home)
    book = ledger.Ledger(out / "ledger")
    marks = Marks(devices, book)
    hop = Hop()
    hop.marks = marks
    instance = world.make_instance(spool, mail, hop.port, directory, **job["settings"])
    end = threading.Event()
    try:
        instance.start()
        load = world.Load(instance, book, seed=job["seed"], large=job["large"], channels=job["channels"],
                          acked=lambda ident: marks.put("MARKED", ident))
        threading.Thread(target=tick, args=(marks, end), daemon=True).start()
        clients(job, load)
        time.sleep(job["linger"])
        print(f"{load.count} messages, {marks.count} marks", flush=True)
    finally:
        end.set()
        (out / "maillog").write_text(instance.log())
        instance.kill_all()
    for place, device in ((spool, devices[0]), (mail, devices[1])):
        world.umount(place)
        device.remove()
    (out / "done").write_text("done\n")


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]))
    except BaseException:  # the kernel stops next: say why, outside
        traceback.print_exc()
    sys.stdout.flush()
    os.sync()
