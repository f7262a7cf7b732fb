# SPDX-License-Identifier: ISC
"""qmgr alone: messages straight into the queue, delivery agents and the bounce daemon played here."""
import os
import pathlib
import pwd
import socket
import struct
import subprocess
import threading

from harness import BUILD, LIBEXEC, PATIENCE, Instance, eventually

MASTER_CF = """\
qmgr       unix  n       -       n       300     1       qmgr
showq      unix  n       -       n       -       -       showq
error      unix  -       -       n       -       -       error
retry      unix  -       -       n       -       -       error
postlog    unix-dgram n  -       n       -       1       postlogd
"""

SENT, DEFERRED, BOUNCED = 0, 1, 2
FAILURE, DELAY, SUCCESS, VERIFY = 0, 1, 2, 3


class Fields:
    """What a frame's payload holds, in the order of its declaration."""

    def __init__(self, data=b""):
        self.data = data
        self.at = 0

    def take(self, form):
        value = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value[0]

    def text(self):
        n = self.take("I")
        value = self.data[self.at:self.at + n]
        self.at += n
        return value.decode("utf-8", "replace")


def text(s):
    b = s.encode()
    return struct.pack("<I", len(b)) + b


def frame(kind, payload):
    return struct.pack("<IHH", len(payload), kind, 0) + payload


class Server:
    """A UNIX socket in the queue directory that answers frames."""

    def __init__(self, path):
        self.path = str(path)
        self.requests = []
        self.connections = 0
        self.lock = threading.Lock()
        self.open = []
        self.listen()

    def listen(self, backlog=200):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o666)
        self.sock.listen(backlog)
        threading.Thread(target=self.accept, args=(self.sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            try:
                c, _ = sock.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.append(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def stop(self):
        """Nobody serves the socket any more, and every connection ends."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        with self.lock:
            for c in self.open:
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.open = []

    def receive(self, c, n):
        data = b""
        while len(data) < n:
            part, fds, _, _ = socket.recv_fds(c, n - len(data), 1)
            for fd in fds:
                c_fds.setdefault(c.fileno(), []).append(fd)
            if not part:
                return None
            data += part
        return data

    def serve(self, c):
        try:
            while True:
                head = self.receive(c, 8)
                if head is None:
                    return
                size, kind, _ = struct.unpack("<IHH", head)
                payload = self.receive(c, size)
                if payload is None:
                    return
                fds = c_fds.pop(c.fileno(), [])
                try:
                    if not self.handle(c, kind, Fields(payload), fds):
                        return
                finally:
                    for fd in fds:
                        os.close(fd)
        except OSError:
            pass
        finally:
            c.close()


c_fds = {}


class Agent(Server):
    """A delivery agent. answer(request, address) gives (status, dsn, text), or None: say nothing."""

    def __init__(self, path, answer=None):
        self.answer = answer or (lambda request, address: (SENT, "2.0.0", "taken"))
        self.host_dead = False
        self.dead_text = ""
        self.gate = None  # an Event: deliveries wait for it
        self.drop = False  # end the connection in place of deliver_done
        self.session_open = False
        super().__init__(path)

    def handle(self, c, kind, f, fds):
        if kind == 772:  # noted
            return True
        assert kind == 769
        r = {"queue_id": f.text(), "offset": f.take("Q"), "size": f.take("Q"), "flags": f.take("I"),
             "sender": f.text(), "ret": f.take("I"), "envid": f.text(), "transport": f.text(),
             "nexthop": f.text(), "arrival": f.take("q"), "active": f.take("q"), "tries": f.take("I")}
        for _ in range(2):
            f.text()
        f.take("H")
        for _ in range(3 + 3 + 3):
            f.text()
        r["recipients"] = []
        for _ in range(f.take("I")):
            index = f.take("I")
            address = f.text()
            f.text(), f.text(), f.take("I")
            r["recipients"].append((index, address))
        r["content"] = os.pread(fds[0], r["size"], r["offset"])
        r["connection"] = id(c)
        with self.lock:
            self.requests.append(r)
        if self.gate:
            self.gate.wait(60)
        for index, address in r["recipients"]:
            answer = self.answer(r, address)
            if answer is None:
                continue
            status, dsn, why = answer
            c.sendall(frame(770, struct.pack("<II", index, status) + text(dsn) + text(why) +
                            text("stub[127.0.0.1]:25") + text("") + text("") + text("") + b"\0"))
        if self.drop:
            return False
        c.sendall(frame(771, struct.pack("<B", self.session_open) + text(r["nexthop"]) +
                        struct.pack("<B", self.host_dead) + text("4.4.1" if self.host_dead else "") +
                        text(self.dead_text)))
        return True

    def addresses(self):
        with self.lock:
            return [a for r in self.requests for _, a in r["recipients"]]


class Bounce(Server):
    """The bounce daemon: keeps what it was asked to report."""

    outcome = 0

    def handle(self, c, kind, f, fds):
        assert kind == 1025
        r = {"kind": f.take("I"), "queue_id": f.text(), "offset": f.take("Q"), "size": f.take("Q"),
             "flags": f.take("I"), "sender": f.text(), "ret": f.take("I"), "envid": f.text(),
             "arrival": f.take("q"), "expires": f.take("q"), "verp": f.text(), "recipients": []}
        for _ in range(f.take("I")):
            who = {"address": f.text(), "orig": f.text(), "orcpt": f.text(), "notify": f.take("I"),
                   "dsn": f.text(), "action": f.text(), "text": f.text(), "relay": f.text(),
                   "mta": f.text(), "remote": f.text(), "final": f.text(), "last": f.take("q")}
            r["recipients"].append(who)
        r["content"] = os.pread(fds[0], r["size"], r["offset"])
        with self.lock:
            self.requests.append(r)
        c.sendall(frame(1026, struct.pack("<I", self.outcome) + text("REPORT") + text("no")))
        return True


class Claim:
    """An agent that was busy with recipients of a message when qmgr ended."""

    def __init__(self, queue, qid, *indices):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20 * PATIENCE)
        self.sock.connect(str(queue / "public" / "qmgr"))
        self.sock.sendall(frame(525, text(qid) + struct.pack("<I", len(indices)) +
                                struct.pack(f"<{len(indices)}I", *indices)))

    def tell(self, index, status=SENT, dsn="2.0.0", why="taken"):
        self.sock.sendall(frame(526, struct.pack("<II", index, status) + text(dsn) + text(why) +
                                text("stub[127.0.0.1]:25") + text("") + text("") + text("") + b"\0"))

    def over(self):
        """True: qmgr has noted it."""
        self.sock.sendall(frame(527, b""))
        return self.ended() == frame(528, b"")

    def ended(self):
        """What comes; nothing: qmgr has ended the connection."""
        try:
            return self.sock.recv(100)
        except ConnectionResetError:
            return b""

    def die(self):
        self.sock.close()


class World:
    """A started suite of qmgr, showq, error, retry, with `stub` as the transport of all mail."""

    def __init__(self, master_cf=MASTER_CF, **settings):
        base = {"default_transport": "stub", "relay_transport": "stub", "local_transport": "stub",
                "bounce_service_name": "stubbounce", "transport_retry_time": "1s",
                "minimal_backoff_time": "2s", "maximal_backoff_time": "4s"}
        base.update(settings)
        self.i = Instance(master_cf=master_cf, **base)
        if not (LIBEXEC / "postlogd").exists():
            self.play_postlogd()
        self.i.run("postrider", "start")
        # the last directory that qmgr makes
        eventually(lambda: (self.i.queue / "public" / "qmgr").exists() and (self.i.queue / "corrupt").exists(),
                   20, "the queue and the socket of qmgr")
        self.agent = Agent(self.i.queue / "private" / "stub")
        self.bounce = Bounce(self.i.queue / "private" / "stubbounce")

    def play_postlogd(self):
        self.i.master_text = self.i.master_text.replace("postlog ", "#postlog ")
        self.i.write_configuration()
        (self.i.queue / "public").mkdir()
        path = self.i.queue / "public" / "postlog"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(str(path))
        path.chmod(0o666)

        def keep():
            while True:
                data = sock.recv(65536)
                with open(self.i.maillog, "ab") as f:
                    f.write(data if data.endswith(b"\n") else data + b"\n")

        threading.Thread(target=keep, daemon=True).start()

    def put(self, *recipients, sender="sender@client.test", notify=0, ago=0, flags=0, silent=False, count=0,
            content="Subject: test\r\n\r\nhello\r\n"):
        command = [str(pathlib.Path(BUILD) / "tests/system/queue_put"), str(self.i.queue), "-s", sender,
                   "-n", str(notify), "-a", str(ago), "-f", str(flags), "-c", str(count)]
        owner = pwd.getpwnam("postrider")
        r = subprocess.run(command + (["-S"] if silent else []) + list(recipients),
                           input=content.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           user=owner.pw_uid, group=owner.pw_gid,
                           extra_groups=[self.drop_group()], timeout=60 * PATIENCE)
        assert r.returncode == 0, r.stderr.decode() + self.i.tail()
        return r.stdout.decode().strip()

    def drop_group(self):
        return os.stat(self.i.queue / "public").st_gid

    def close(self):
        self.i.destroy()
        for s in (self.agent, self.bounce):
            try:
                s.stop()
            except OSError:
                pass
