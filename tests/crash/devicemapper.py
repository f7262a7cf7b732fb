# SPDX-License-Identifier: ISC
"""devicemapper - the few device-mapper calls that the power-cut rig needs, without dmsetup."""
import ctypes
import fcntl
import os
import struct

HEAD = struct.Struct("=3I I I I i I I I Q 128s 129s 7s")
SPEC = struct.Struct("=Q Q i I 16s")
DATA = 16384
CREATE, REMOVE, SUSPEND, LOAD, MESSAGE = 3, 4, 6, 9, 14


def control():
    """/dev/mapper/control's descriptor, made by its numbers from /proc/misc where there is no udev."""
    path = "/dev/mapper/control"
    if not os.path.exists(path):
        with open("/proc/misc", encoding="ascii") as f:
            minor = next(int(line.split()[0]) for line in f if "device-mapper" in line)
        os.makedirs("/dev/mapper", exist_ok=True)
        os.mknod(path, 0o20600, os.makedev(10, minor))
    return os.open(path, os.O_RDWR)


class Device:
    """A mapped device with one target."""

    def __init__(self, name, sectors, kind, arguments):
        self.fd, self.name = control(), name
        number = self.call(CREATE)
        text = arguments.encode() + b"\0"
        text += bytes(-len(text) % 8)
        spec = SPEC.pack(0, sectors, 0, SPEC.size + len(text), kind.encode())
        self.call(LOAD, spec + text, count=1)
        self.call(SUSPEND)  # without the flag: resume
        self.path = f"/dev/mapper/{name}"
        if os.path.lexists(self.path):
            os.unlink(self.path)
        os.mknod(self.path, 0o60600, os.makedev(number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00))

    def call(self, command, data=b"", count=0):
        buf = bytearray(HEAD.pack(4, 0, 0, HEAD.size + DATA, HEAD.size, count, 0, 0, 0, 0, 0,
                                  self.name.encode(), b"", b"") + data.ljust(DATA, b"\0"))
        fcntl.ioctl(self.fd, 0xC138FD00 | command, buf)
        return HEAD.unpack_from(buf)[10]

    def mark(self, text):
        """Put a mark into the log of a log-writes target."""
        self.call(MESSAGE, struct.pack("=Q", 0) + b"mark " + text.encode() + b"\0")

    def remove(self):
        self.call(REMOVE)
        os.unlink(self.path)
        os.close(self.fd)


def insert_module(path):
    """Load a kernel module file (finit_module)."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.syscall(313, fd, b"", 0) != 0 and ctypes.get_errno() != 17:
            raise OSError(ctypes.get_errno(), f"cannot load {path}")
    finally:
        os.close(fd)
