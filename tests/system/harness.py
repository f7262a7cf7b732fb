# SPDX-License-Identifier: ISC
"""harness - start the installed suite for a test, privately, and speak to it as the world does.

An Instance is one mail system of its own: configuration, queue, data and log under one temporary
directory, its SMTP server on a free port of 127.0.0.1. Nothing is shared between instances but the
installed programs and the accounts, so tests run side by side.
"""
import contextlib
import errno
import fcntl
import itertools
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import socketserver
import subprocess
import tempfile
import threading
import time

PREFIX = pathlib.Path(os.environ.get("POSTRIDER_PREFIX", "/opt/postrider-test"))
BUILD = pathlib.Path(os.environ.get("POSTRIDER_BUILD", ".build/test"))
SBIN = PREFIX / "sbin"
LIBEXEC = PREFIX / "libexec" / "postrider"
# A sanitizer build is several times slower; deadlines of tests grow with it.
# Sanitizers hold memory of their own.
SANITIZED = "ASAN_OPTIONS" in os.environ
PATIENCE = float(os.environ.get("POSTRIDER_PATIENCE", "1"))


def free_port():
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(condition, seconds=15, what="the condition"):
    """Wait until condition() is true and return its value."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)


def change_alternates(change):
    """Let change(set) edit which configurations set-gid commands accept from an unprivileged user."""
    default = PREFIX / "etc/postrider/main.cf"
    name = "alternate_config_directories = "
    with open(PREFIX / "etc/.harness.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = default.read_text().splitlines()
        listed = {d for line in lines if line.startswith(name) for d in line[len(name):].split()}
        change(listed)
        lines = [line for line in lines if not line.startswith(name)]
        if listed:
            lines.append(name + " ".join(sorted(listed)))
        new = default.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.rename(default)


MASTER_CF = """\
{port}     inet  n       -       y       -       -       smtpd
pickup     unix  n       -       y       60      1       pickup
cleanup    unix  n       -       y       -       0       cleanup
qmgr       unix  n       -       y       300     1       qmgr
bounce     unix  -       -       y       -       0       bounce
defer      unix  -       -       y       -       0       bounce
trace      unix  -       -       y       -       0       bounce
resolver   unix  -       -       n       -       1       resolver
proxymap   unix  -       -       n       -       -       proxymap
tlsmgr     unix  -       -       y       1000?   1       tlsmgr
smtp       unix  -       -       y       -       -       smtp
relay      unix  -       -       y       -       -       smtp
lmtp       unix  -       -       y       -       -       lmtp
showq      unix  n       -       y       -       -       showq
error      unix  -       -       y       -       -       error
retry      unix  -       -       y       -       -       error
discard    unix  -       -       y       -       -       discard
local      unix  -       n       n       -       -       local
postlog    unix-dgram n  -       n       -       1       postlogd
"""


class Instance:
    """One mail system. Settings are main.cf lines as keyword arguments."""

    under = ()  # a command line that runs another: what every command of this instance is run under

    def __init__(self, master_cf=MASTER_CF, services=(), **settings):
        self.prepare("postrider-test-", master_cf, services, settings)
        self.process = None
        change_alternates(lambda listed: listed.add(str(self.etc)))

    def prepare(self, prefix, master_cf, services, settings):
        """Its directories, its port and its configuration."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        self.dir.chmod(0o755)
        self.etc = self.dir / "etc"
        self.queue = self.dir / "queue"
        self.data = self.dir / "data"
        self.home = self.dir / "home"
        self.maillog = self.dir / "mail.log"
        for d in (self.etc, self.queue, self.data, self.home):
            d.mkdir()
        self.port = free_port()
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": self.data,
            "myhostname": "mx.example.test",
            "mydestination": "$myhostname, localhost, example.test",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "home_mailbox": "Maildir/",
            "alias_maps": "",
            "alias_database": "",
            "maillog_file": self.maillog,
            "maillog_file_prefixes": self.dir,
            "syslog_name": "postfix",
            "biff": "no",
        }
        self.settings.update(settings)
        self.services = list(services)
        self.master_text = master_cf
        self.write_configuration()

    # ---- configuration

    def write_configuration(self):
        lines = [f"{k} = {v}\n" for k, v in self.settings.items() if v is not None]
        (self.etc / "main.cf").write_text("".join(lines))
        text = self.master_text.format(port=f"127.0.0.1:{self.port}")
        (self.etc / "master.cf").write_text(text + "".join(s + "\n" for s in self.services))

    def set(self, **settings):
        """Change main.cf; the running suite learns of it by reload()."""
        self.settings.update(settings)
        self.write_configuration()

    # ---- commands

    def environment(self):
        env = dict(os.environ, MAIL_CONFIG=str(self.etc), LC_ALL="C.UTF-8")
        env.pop("NOTIFY_SOCKET", None)
        return env

    def inside(self):
        """The command line that runs a command where this instance's programs lie."""
        return []

    def program(self, command):
        """A command of the suite, as it is named inside()."""
        path = SBIN / command
        return str(path if path.exists() else PREFIX / "bin" / command)

    def run(self, command, *arguments, check=True, input=None, user=None, timeout=60):
        """Run one of the suite's commands against this instance."""
        if isinstance(input, str):
            input = input.encode()
        r = subprocess.run([*self.under, self.program(command), *map(str, arguments)], env=self.environment(), input=input,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=user,
                           stdin=subprocess.DEVNULL if input is None else None,
                           timeout=timeout * PATIENCE)
        if check and r.returncode != 0:
            raise AssertionError(f"{command} {arguments} exited {r.returncode}: {r.stderr.decode()}"
                                 f"\n{self.tail()}")
        return r

    def sendmail(self, *arguments, input="Subject: test\n\nhello\n", **kw):
        return self.run("sendmail", *arguments, input=input, **kw)

    def mailq(self):
        return self.run("postqueue", "-p").stdout.decode()

    # ---- life

    def start(self):
        self.run("postrider", "start")
        eventually(self.listening, 20, "the SMTP port")
        return self

    def listening(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def running(self):
        return self.run("postrider", "status", check=False).returncode == 0

    def stop(self):
        if self.running():
            self.run("postrider", "stop", check=False)
        with contextlib.suppress(AssertionError):
            eventually(lambda: not self.running(), 15, "the end of the suite")
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_all(self):
        """kill -9 of every process of the suite, master first, until none is left."""
        for _ in range(200):
            pids = self.pids("master") + self.pids()
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        raise AssertionError("the suite's processes do not end")

    def reload(self, **kw):
        return self.run("postrider", "reload", **kw)

    def flush(self):
        return self.run("postqueue", "-f")

    def destroy(self):
        """End it. A daemon that crashed on the way, or was stopped by its own sandbox, fails the test."""
        self.stop()
        crashes = [line for line in self.log().splitlines()
                   if re.search(r"killed by signal (4|6|7|8|11|31)\b", line)]
        change_alternates(lambda listed: listed.discard(str(self.etc)))
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not crashes, "\n".join(crashes)

    def pids(self, program=None):
        """Process ids of this instance's daemons, told by their environment."""
        mark = f"MAIL_CONFIG={self.etc}".encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                exe = os.readlink(entry / "exe").removesuffix(" (deleted)")
                if not exe.startswith(str(LIBEXEC)):
                    continue
                if mark not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
            except OSError:
                continue
            if program is None or os.path.basename(exe) == program:
                found.append(int(entry.name))
        return found

    # ---- what it says

    def log(self):
        try:
            return self.maillog.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def tail(self, lines=60):
        return "\n".join(self.log().splitlines()[-lines:])

    def wait_log(self, pattern, seconds=15, count=1):
        """Wait for `count` log lines that match the pattern; returns the match objects."""
        rx = re.compile(pattern)

        def seen():
            hits = [m for m in map(rx.search, self.log().splitlines()) if m]
            return hits if len(hits) >= count else None

        try:
            return eventually(seen, seconds, f"log line {pattern!r}")
        except AssertionError as e:
            raise AssertionError(f"{e}; the log ends:\n{self.tail()}") from None

    # ---- mail

    def smtp(self, timeout=30):
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.example.test",
                            timeout=timeout * PATIENCE)

    def send(self, recipients, message=None, sender="sender@client.test"):
        """Send one message over SMTP; returns what sendmail() of smtplib returns."""
        if isinstance(recipients, str):
            recipients = [recipients]
        if message is None:
            message = f"From: {sender}\r\nTo: {', '.join(recipients)}\r\nSubject: test\r\n\r\nhello\r\n"
        with self.smtp() as s:
            return s.sendmail(sender, recipients, message)


class Account:
    """A local user for deliveries. Test runs go on side by side on one machine, and none may have
    another's users: a name is taken for as long as its socket is bound, however its run ends."""

    def __init__(self):
        self.claim = socket.socket(socket.AF_UNIX)
        self.name = next(filter(self.take, (f"prtest-{n}" for n in itertools.count())))
        self.home = pathlib.Path("/var/tmp") / self.name
        try:
            pwd.getpwnam(self.name)
        except KeyError:
            subprocess.run(["useradd", "--system", "--user-group", "--home-dir", str(self.home),
                            "--shell", "/bin/sh", self.name], check=True)

    def take(self, name):
        try:
            self.claim.bind(f"\0postrider-{name}")
        except OSError as e:
            if e.errno != errno.EADDRINUSE:
                raise
            return False
        return True

    def fresh(self, mode):
        """Its passwd entry, whatever a test made of it; the home is empty and has this mode."""
        if pwd.getpwnam(self.name).pw_dir != str(self.home):
            subprocess.run(["usermod", "--home", str(self.home), self.name], check=True)
        user = pwd.getpwnam(self.name)
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        self.home.chmod(mode)
        os.chown(self.home, user.pw_uid, user.pw_gid)
        return user

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)
        subprocess.run(["userdel", self.name], stderr=subprocess.DEVNULL)
        self.claim.close()


class Talk:
    """A raw SMTP conversation: bytes out, replies in."""

    def __init__(self, port, host="127.0.0.1", timeout=20, source="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout=timeout * PATIENCE,
                                             source_address=(source, 0) if source != host else None)
        self.file = self.sock.makefile("rb")

    def reply(self):
        """One reply, all its lines, as (code, text); (0, '') at the end of the connection."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return 0, "\n".join(lines)
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            assert line.endswith(b"\r\n"), f"reply line without CRLF: {line!r}"
            lines.append(text[4:])
            if text[3:4] != "-":
                return int(text[:3]), "\n".join(lines)

    def raw(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def say(self, line):
        """Send a command line and return its reply."""
        self.raw(line.encode() + b"\r\n" if isinstance(line, str) else line + b"\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Sink:
    """A next hop: an SMTP (or LMTP) server in this process that keeps what it is given.

    `answer(verb, argument, session)` may return a reply string to take the place of the usual one;
    `extensions` are the EHLO keywords it offers.
    """

    def __init__(self, lmtp=False, extensions=("PIPELINING", "8BITMIME", "SIZE 0", "DSN"), answer=None):
        self.messages = []  # dicts: sender, recipients, data, helo, mail, rcpt
        self.connections = 0
        self.commands = []
        self.lmtp = lmtp
        self.extensions = extensions
        self.answer = answer or (lambda verb, argument, session: None)
        self.lock = threading.Lock()
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                sink.serve(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            request_queue_size = 200  # many connections at once: none may wait for a retransmission
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        with self.lock:
            self.connections += 1
        session = {"helo": "", "sender": None, "recipients": [], "mail": "", "rcpt": []}

        def say(text):
            handler.wfile.write(text.encode() + b"\r\n")

        def blank():
            session.update(sender=None, recipients=[], mail="", rcpt=[])

        def accept(data):
            taken = dict(session, data=data, recipients=list(session["recipients"]))
            with self.lock:
                self.messages.append(taken)
            replies = [self.answer("DOT", r, session) or "250 2.0.0 kept" for r in
                       (session["recipients"] if self.lmtp else [""])]
            if not any(r.startswith("2") for r in replies):
                with self.lock:
                    self.messages.remove(taken)
            for r in replies:
                say(r)
            blank()

        say(self.answer("CONNECT", "", session) or "220 sink ESMTP")
        chunks = b""
        while True:
            line = handler.rfile.readline(8192)
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            verb, _, argument = text.partition(" ")
            verb = verb.upper()
            with self.lock:
                self.commands.append(text)
            special = self.answer(verb, argument, session)
            if special == "DROP":
                return
            if special is not None:
                if verb == "BDAT":
                    handler.rfile.read(int(argument.split()[0]))
                say(special)
                if special.startswith("421"):
                    return
                continue
            if verb in ("EHLO", "LHLO"):
                session["helo"] = argument
                lines = ["sink"] + list(self.extensions)
                for i, keyword in enumerate(lines):
                    say(f"250{' ' if i == len(lines) - 1 else '-'}{keyword}")
            elif verb == "HELO":
                session["helo"] = argument
                say("250 sink")
            elif verb == "MAIL":
                blank()
                session["mail"] = argument
                session["sender"] = re.search("<(.*?)>", argument).group(1)
                say("250 2.1.0 ok")
            elif verb == "RCPT":
                session["rcpt"].append(argument)
                session["recipients"].append(re.search("<(.*?)>", argument).group(1))
                say("250 2.1.5 ok")
            elif verb == "DATA":
                say("354 go on")
                data = b""
                while True:
                    line = handler.rfile.readline()
                    if not line:
                        return
                    if line == b".\r\n":
                        break
                    data += line[1:] if line.startswith(b".") else line
                accept(data)
            elif verb == "BDAT":
                size, *last = argument.split()
                chunks += handler.rfile.read(int(size))
                if last:
                    accept(chunks)
                    chunks = b""
                else:
                    say("250 2.0.0 chunk")
            elif verb == "RSET":
                blank()
                say("250 2.0.0 ok")
            elif verb == "NOOP":
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("502 5.5.2 unknown")

    def wait(self, count, seconds=20):
        """Wait until `count` messages came; returns them."""
        eventually(lambda: len(self.messages) >= count, seconds, f"{count} messages at the sink")
        return self.messages


def maildir(path):
    """Messages in a maildir's new/, oldest name first, as bytes."""
    new = pathlib.Path(path) / "new"
    if not new.is_dir():
        return []
    return [f.read_bytes() for f in sorted(new.iterdir())]
