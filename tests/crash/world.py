# SPDX-License-Identifier: ISC
"""world - everything around a mail system under fault: clients, a next hop, mailboxes, a ledger.

Each message goes to one or more channels, told apart by the recipient's address:

  md      the user's maildir                 mb      the user's mbox, through an alias
  net     a next hop that takes it           slow    a next hop that says 451 the first time
  bounce  a next hop that says 550: the report to the sender, in the maildir, counts
"""
import contextlib
import ctypes
import email.utils
import errno
import os
import pathlib
import random
import re
import socketserver
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

import harness  # noqa: E402
from ledger import ACKED, REFUSED, SENT, UNKNOWN, Arrival, Ledger, content_hash, content_size  # noqa: E402

USER = "ledger"
SENDER = f"{USER}@example.test"
UID = 64999
LARGE = 2200 * 1024  # beyond the journal's limit: a file of its own in large/

ALIASES = "mb {mail}/mbox\n"


def unshare(namespaces="-m -n -p"):
    """Run this script again in namespaces of its own: its mounts, ports and processes end with it."""
    if os.environ.get("LEDGER_ALONE") == "1":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    env = dict(os.environ, LEDGER_ALONE="1", PYTHONDONTWRITEBYTECODE="1")
    r = subprocess.run(["unshare", *namespaces.split(), "-f", "--kill-child", "--mount-proc",
                        "--propagation", "private", sys.executable, *sys.argv], env=env)
    sys.exit(r.returncode if r.returncode >= 0 else 128 - r.returncode)


def account(directory, home):
    """A user who exists only in this mount namespace. All of /etc is replaced, not the file: a useradd
    outside would rename it away under a mount."""
    copy = pathlib.Path(directory) / "etc"
    subprocess.run(["cp", "-a", "/etc/.", str(copy)], check=False, stderr=subprocess.DEVNULL)
    for name, line in (("passwd", f"{USER}:x:{UID}:{UID}::{home}:/bin/sh\n"),
                       ("group", f"{USER}:x:{UID}:\n")):
        with open(copy / name, "a", encoding="ascii") as f:
            f.write(line)
    subprocess.run(["mount", "--bind", str(copy), "/etc"], check=True)
    # The installation's own main.cf lists the instances that set-gid commands may serve.
    subprocess.run(["cp", "-a", f"{harness.PREFIX}/etc/.", f"{directory}/prefix-etc"], check=True)
    subprocess.run(["mount", "--bind", f"{directory}/prefix-etc", f"{harness.PREFIX}/etc"], check=True)


def make_mailboxes(mail):
    """The user's home on the file system of mailboxes."""
    mail = pathlib.Path(mail)
    mail.chmod(0o1777)  # mbox.lock
    home = mail / "home"
    if not home.exists():
        home.mkdir(mode=0o700)
        os.chown(home, UID, UID)
        (mail / "mbox").touch(mode=0o600)
        os.chown(mail / "mbox", UID, UID)
    return home


def make_instance(queue, mail, sink_port, directory, **settings):
    """A mail system whose queue and mailboxes lie where told; not started."""
    aliases = pathlib.Path(directory) / "aliases"
    aliases.write_text(ALIASES.format(mail=mail))
    base = dict(
        queue_directory=queue, alias_maps=f"texthash:{aliases}", transport_maps="",
        relayhost=f"[127.0.0.1]:{sink_port}", relay_domains="net.test", default_privs=USER,
        minimal_backoff_time="1s", maximal_backoff_time="2s", queue_run_delay="1s",
        bounce_queue_lifetime="1d", smtp_tls_security_level="none",
        local_recipient_maps="", smtpd_helo_required="no", in_flow_delay="0",
        smtpd_client_connection_count_limit="0", append_dot_mydomain="no",
        # A dotlock whose owner was killed stays for that long.
        stale_lock_time="3s", deliver_lock_attempts="10", deliver_lock_delay="1s",
        service_throttle_time="2s", notify_classes="", disable_dns_lookups="yes")
    base.update(settings)
    i = harness.Instance(**base)
    i.queue = pathlib.Path(queue)
    return i


class NextHop:
    """An SMTP server outside the fault's reach. `seen(ident)` is called before it says 250."""

    def __init__(self, seen=lambda ident: None):
        self.arrivals = []
        self.tried = set()
        self.lock = threading.Lock()
        self.seen = seen
        self.open = threading.Event()  # cleared: messages wait for their 250
        self.open.set()
        hop = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    hop.serve(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rcpt(self, address):
        if address.startswith("bounce-"):
            return "550 5.1.1 no such user"
        if address.startswith("slow-"):
            with self.lock:
                if address not in self.tried:
                    self.tried.add(address)
                    return "451 4.3.0 later"
        return "250 2.1.5 ok"

    def serve(self, rfile, wfile):
        def say(text):
            wfile.write(text.encode() + b"\r\n")

        recipients = []
        say("220 hop ESMTP")
        while line := rfile.readline(8192):
            verb = line[:4].upper()
            if verb == b"EHLO":
                say("250-hop\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0")
            elif verb == b"RCPT":
                address = re.search(rb"<(.*?)>", line).group(1).decode()
                reply = self.rcpt(address)
                if reply.startswith("250"):
                    recipients.append(address)
                say(reply)
            elif verb == b"DATA":
                if not recipients:
                    say("503 5.5.1 no recipients")
                    continue
                say("354 go on")
                data = []
                while (line := rfile.readline(65536)) != b".\r\n":
                    if not line:
                        return
                    data.append(line[1:] if line.startswith(b".") else line)
                self.keep(recipients, b"".join(data))
                recipients = []
                self.open.wait(30)
                say("250 2.0.0 kept")
            elif verb == b"QUIT":
                say("221 2.0.0 bye")
                return
            else:
                if verb in (b"MAIL", b"RSET"):
                    recipients = []
                say("250 2.0.0 ok")

    def keep(self, recipients, data):
        ident, digest = parse(data)
        for address in recipients:
            channel = address.split("-")[0]
            with self.lock:
                self.arrivals.append(Arrival(ident, channel, digest, time.time()))
        self.seen(ident)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def parse(data):
    """(id, hash of the body) of a message as it was delivered."""
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    m = re.search(rb"(?mi)^X-Ledger: ([^\s\0]+)", head)
    return (m.group(1).decode() if m else "?"), content_hash(body)


def arrival(data, when, channel):
    """A message in a mailbox: one of ours, or the report about one."""
    head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    if not re.search(rb"(?mi)^X-Ledger: ", head):
        m = re.search(rb"(?m)^X-Ledger: (\S+?)\r?$", data)
        # Two reports about one failure were made around a crash, wherever they lay since.
        made = re.search(rb"(?mi)^Date: (.*)$", head)
        with contextlib.suppress(ValueError, AttributeError):
            when = email.utils.parsedate_to_datetime(made.group(1).decode()).timestamp()
        return Arrival(m.group(1).decode() if m else "?", "bounce", None, when)
    ident, digest = parse(data)
    return Arrival(ident, channel, digest, when)


def mailbox_arrivals(mail):
    """What lies in the maildir's new/ and the mbox."""
    found = []
    mail = pathlib.Path(mail)
    for place in (mail / "home" / "Maildir" / "new", mail / "home" / "Maildir" / "cur"):
        for f in sorted(place.iterdir()) if place.is_dir() else ():
            found.append(arrival(f.read_bytes(), f.stat().st_mtime, "md"))
    box = mail / "mbox"
    if box.exists():
        found += mbox_arrivals(box.read_bytes())
    return found


# What a message in an mbox begins with; or what a crash left of that: NUL bytes, or a part of "From ".
MBOX_START = re.compile(rb"(?m)^(?:From .*$|\0|(?:F|Fr|Fro|From)\0*$)")


def mbox_arrivals(data):
    """The messages of an mbox, as a reader finds them, and the parts that crashes left."""
    starts = [m.start() for m in MBOX_START.finditer(data)]
    found = []
    if not data.startswith(b"From ") and data:
        starts = [0] + [a for a in starts if a]
    for a, b in zip(starts, starts[1:] + [len(data)]):
        where = f"mbox {a}..{b} of {len(data)}, around its end {data[max(b - 40, 0):b]!r} | {data[b:b + 40]!r}"
        found.append(mbox_arrival(data[a:b], where))
    return found


def mbox_arrival(message, where):
    if not message.startswith(b"From "):
        return Arrival("?", "mb", "", 0.0, content_size(message), where)
    content = message.partition(b"\n")[2]
    ident, digest = parse(content)
    when = postmark(message)
    # The beginning of another one in it, which no reader sees as such: the mailbox swallowed a message.
    if len(re.findall(rb"(?m)^Return-Path: ", content)) > 1:
        return Arrival(ident, "mb", "", when, None, "two messages in one; " + where)
    return Arrival(ident, "mb", digest, when, content_size(content.partition(b"\n\n")[2]), where)


def postmark(message):
    """The time in the From_ line of an mbox message; 0: none can be read."""
    with contextlib.suppress(ValueError, IndexError):
        text = message.partition(b"\n")[0].decode().split(maxsplit=2)[2]
        return time.mktime(time.strptime(text, "%a %b %d %H:%M:%S %Y"))
    return 0.0


class Load:
    """Clients. Each message is noted before its final dot and after the reply.

    `acked(ident)` is called as soon as a 250 has been read; `exit_is_final`: whether sendmail's
    failure is a refusal (false when its parts are being killed).
    """

    def __init__(self, instance, ledger, seed=0, acked=lambda ident: None, exit_is_final=True,
                 channels=("md", "mb", "net", "slow", "bounce"), large=0.04, prefix=""):
        self.instance, self.ledger = instance, ledger
        self.random = random.Random(seed)
        self.acked = acked
        self.exit_is_final = exit_is_final
        self.channels, self.large, self.prefix = channels, large, prefix
        self.lock = threading.Lock()
        self.count = 0
        self.early = []  # refusals before the content: dicts with code and text

    def make(self, size=None):
        """A message: (id, channels, addresses, bytes with CRLF)."""
        with self.lock:
            self.count += 1
            rnd = random.Random(self.random.getrandbits(64))
            ident = f"{self.prefix}{self.count:05d}"
        to = rnd.sample(self.channels, 1 if rnd.random() < .6 else min(2, len(self.channels)))
        if size is None:
            size = LARGE if rnd.random() < self.large else rnd.choice((40, 700, 4000, 30000))
        lines, total = [], 0
        while total < min(size, 100000):
            n = rnd.choice((0, 20, 72, 76))
            line = rnd.choice(("", ".", "From ", ">From ")) + "%x" % rnd.getrandbits(4 * n + 4)
            lines.append(line)
            total += len(line) + 2
        lines += ["z" * 900] * ((size - total) // 902)
        body = "\r\n".join(lines) + "\r\n"
        head = (f"From: {SENDER}\r\nTo: somebody@example.test\r\nSubject: {ident}\r\n"
                f"X-Ledger: {ident}\r\nX-Time: {time.time()}\r\n\r\n")
        where = {"md": f"{USER}@example.test", "mb": "mb@example.test",
                 "net": f"net-{ident}@net.test", "slow": f"slow-{ident}@net.test",
                 "bounce": f"bounce-{ident}@net.test"}
        return ident, to, [where[c] for c in to], head.encode() + body.encode(), body.encode()

    def sent(self, ident, to, body, how):
        self.ledger.note(SENT, ident, to=to, hash=content_hash(body), size=content_size(body), how=how)

    def smtp(self, count=1, timeout=20, size=None):
        """One connection with `count` transactions. Returns how many were acknowledged."""
        done = 0
        try:
            talk = harness.Talk(self.instance.port, timeout=timeout)
        except OSError:
            return 0
        with talk:
            try:
                if talk.reply()[0] != 220 or talk.say("EHLO client.test")[0] != 250:
                    return 0
                for _ in range(count):
                    if not (ok := self.transaction(talk, size)):
                        return done
                    done += ok == ACKED
                talk.say("QUIT")
            except (OSError, AssertionError):
                pass
        return done

    def transaction(self, talk, size=None):
        """ACKED or REFUSED by a reply; None when the connection is of no more use."""
        ident, to, addresses, data, body = self.make(size)
        for command in (f"MAIL FROM:<{SENDER}> SIZE={len(data)}",
                        *(f"RCPT TO:<{a}>" for a in addresses), "DATA"):
            code, text = talk.say(command)
            if code not in (250, 354):
                self.early.append({"code": code, "text": text, "command": command})
                return None
        self.sent(ident, to, body, "smtp")
        dot = False
        try:
            stuffed = re.sub(rb"(?m)^\.", b"..", data)
            talk.raw(stuffed)
            dot = True
            talk.raw(b".\r\n")
            code, text = talk.reply()
        except OSError as e:
            code, text = 0, str(e)
        if code == 250:
            self.acked(ident)
            self.ledger.note(ACKED, ident)
            return ACKED
        if code or not dot:
            self.ledger.note(REFUSED, ident, code=code, text=text)
            return REFUSED if code and code != 421 else None
        self.ledger.note(UNKNOWN, ident, text=text)
        return None

    def sendmail(self, under=()):
        """One message through the command; `under`: a tracer's command line before it."""
        ident, to, addresses, data, body = self.make()
        self.sent(ident, to, body, "sendmail")
        try:
            r = subprocess.run([*under, harness.SBIN / "sendmail", "-i", "-f", SENDER, *addresses],
                               env=self.instance.environment(), input=data.replace(b"\r\n", b"\n"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               timeout=30 * harness.PATIENCE)
        except subprocess.TimeoutExpired:
            self.ledger.note(UNKNOWN, ident)
            return None
        if r.returncode == 0:
            self.acked(ident)
            self.ledger.note(ACKED, ident)
            return ACKED
        if self.exit_is_final:
            code = 400 if r.returncode == 75 else 500
            self.ledger.note(REFUSED, ident, code=code, text=r.stderr.decode()[:200])
            return REFUSED
        self.ledger.note(UNKNOWN, ident, text=r.stderr.decode()[:200])
        return None

    def burst(self, clients=3, each=2, sendmails=1):
        """Several clients at once, to the end of each; returns how many messages were acknowledged."""
        results = []
        jobs = [lambda: self.smtp(each)] * clients + [lambda: self.sendmail() == ACKED] * sendmails

        def run(job):
            results.append(int(job()))

        threads = [threading.Thread(target=run, args=(j,), daemon=True) for j in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join(120)
        return sum(results)


def queued(instance):
    """Ids of our messages that are still in the queue, with reasons; by reading the queue itself."""
    listing = instance.run("postqueue", "-j", check=False, timeout=30)
    found = {}
    for line in listing.stdout.decode(errors="replace").splitlines():
        m = re.search(r'"queue_id": ?"([^"]+)"', line)
        if not m or m.group(1).endswith(".tmp"):
            continue
        content = instance.run("postcat", "-qbh", m.group(1), check=False).stdout
        ident = re.search(rb"(?m)^X-Ledger: (\S+?)\r?$", content)
        found[ident.group(1).decode() if ident else m.group(1)] = line
    return found


def queue_empty(instance):
    """Nothing in maildrop/, deferred/, large/, and no message in the journal. What a postdrop that was
    killed was writing does not count: pickup removes it after some hours."""
    r = instance.run("postqueue", "-j", check=False, timeout=30)
    left = [line for line in r.stdout.splitlines() if b'.tmp"' not in line]
    return r.returncode == 0 and not left and not any(
        p.suffix != ".tmp" for p in (instance.queue / "maildrop").iterdir())


def drain(instance, seconds=40):
    """Wait for an empty queue, seen three times in a row: a message that moves while it is listed may be
    missed. False: it did not get empty."""
    end = time.monotonic() + seconds * harness.PATIENCE
    last = empty = 0
    while time.monotonic() < end:
        empty = empty + 1 if queue_empty(instance) else 0
        if empty == 3:
            return True
        if not empty and time.monotonic() - last > 3:
            last = time.monotonic()
            instance.run("postqueue", "-f", check=False)
        time.sleep(0.1)
    return False


LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags=0, data=""):
    if LIBC.mount(source.encode(), str(target).encode(), kind.encode(), flags, data.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} at {target}")


def umount(target, flags=0):
    """Processes that were killed may hold it for a moment."""
    for _ in range(200):
        if LIBC.umount2(str(target).encode(), flags) == 0:
            return
        if ctypes.get_errno() != errno.EBUSY:
            break
        time.sleep(.05)
    raise OSError(ctypes.get_errno(), f"umount {target}")


__all__ = ["Ledger", "Load", "NextHop", "account", "drain", "mailbox_arrivals",
           "make_instance", "make_mailboxes", "mount", "queued", "umount", "unshare"]
