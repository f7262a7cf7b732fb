# SPDX-License-Identifier: ISC
"""logwrites - read what the kernel's dm-log-writes target recorded, and replay a part of it.

The log is a super block, then entries: a header, then the data. The target holds a write back until a
flush that covers it has completed, and then logs the writes in the order in which they completed, the
flush behind them. So every prefix of the log is what a disk may hold after a power cut; and so is a
prefix without any of the writes since the last flush or FUA write, for the disk's cache may
have taken them in any order.
"""
import os
import struct

MAGIC, VERSION = 0x6A736677736872, 1
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SUPER = struct.Struct("<QQQI")
HEADER = struct.Struct("<QQQQ")


class Entry:
    __slots__ = ("sector", "sectors", "flags", "mark", "at")

    def __init__(self, sector, sectors, flags, mark, at):
        self.sector, self.sectors, self.flags, self.mark, self.at = sector, sectors, flags, mark, at


class Log:
    """The log file; `entries` in order, sectors in units of `size` bytes."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY)
        magic, version, count, self.size = SUPER.unpack(os.pread(self.fd, SUPER.size, 0))
        if magic != MAGIC or version != VERSION:
            raise ValueError(f"{path}: not a dm-log-writes log")
        self.entries = []
        at = self.size
        for _ in range(count):
            head = os.pread(self.fd, self.size, at)
            sector, sectors, flags, length = HEADER.unpack_from(head)
            mark = head[HEADER.size:HEADER.size + length].decode() if flags & MARK else None
            at += self.size
            self.entries.append(Entry(sector, sectors, flags, mark, at))
            if not flags & DISCARD:
                at += sectors * self.size

    def marks(self):
        """{mark: index of its entry}"""
        return {e.mark: i for i, e in enumerate(self.entries) if e.mark is not None}

    def apply(self, image, first, last, keep=lambda e: True):
        """Write entries first..last-1 into the image (a descriptor)."""
        for e in self.entries[first:last]:
            if e.flags & MARK or not e.sectors or not keep(e):
                continue
            n, offset = e.sectors * self.size, e.sector * self.size
            if e.flags & DISCARD:
                zero(image, offset, n)
                continue
            at = e.at
            while n > 0:
                data = os.pread(self.fd, min(n, 1 << 20), at)
                if not data:
                    raise ValueError("the log ends in the middle of an entry")
                os.pwrite(image, data, offset)
                at, offset, n = at + len(data), offset + len(data), n - len(data)

    def barrier(self, position):
        """The start of the group of writes in which `position` lies: the disk may drop any of these
        that are not FUA."""
        i = position
        while i > 0 and not self.entries[i - 1].flags & FLUSH:
            i -= 1
        return i

    def close(self):
        os.close(self.fd)


def zero(fd, offset, n):
    block = bytes(1 << 16)
    while n > 0:
        k = os.pwrite(fd, block[:min(n, len(block))], offset)
        offset, n = offset + k, n - k
