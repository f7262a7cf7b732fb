# SPDX-License-Identifier: ISC
"""suites - the mail systems that are compared, each started privately with the same settings.

Postrider and Postfix are the system tests' instances (harness.py, beside.py); Exim and OpenSMTPD are
unpacked in the same way and get the little of the same that they understand.
"""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "tests/system"), str(TOP / "tests/crash")]

import beside  # noqa: E402
import harness  # noqa: E402
import peers  # noqa: E402
from weigh import Scale, process_pss  # noqa: E402

PACKAGES = {
    "postfix": peers.POSTFIX,
    "exim": ["exim4-daemon-light"],
    "opensmtpd": ["opensmtpd"],
}
TITLES = {"postrider": "Postrider", "postfix": "Postfix", "exim": "Exim", "opensmtpd": "OpenSMTPD"}


def fetch(kind):
    """The unpacked tree of a suite from Debian, or None for our own."""
    return peers.peer(kind, PACKAGES[kind]) if kind in PACKAGES else None


def version(kind):
    """What the suite calls itself."""
    if kind == "postrider":
        r = subprocess.run([harness.SBIN / "postconf", "-h", "mail_version"], capture_output=True, text=True)
        return r.stdout.strip()
    name = PACKAGES[kind][0]
    debs = sorted((peers.PEERS / kind / "archives").glob(f"{name}_*.deb"))
    return f"{name} {debs[-1].name.split('_')[1]}" if debs else name


class Unpacked:
    """What Exim and OpenSMTPD have in common: one foreground process that starts the others."""

    under = ()
    uid = 65103

    def __init__(self, relay_port=25, **_):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.kind}-"))
        self.dir.chmod(0o755)
        self.queue = self.dir / "queue"
        self.queue.mkdir()
        self.maillog = self.dir / "log" / "mainlog"
        self.maillog.parent.mkdir(mode=0o777)
        self.maillog.parent.chmod(0o777)
        self.port = harness.free_port()
        self.relay_port = relay_port
        self.process = None

    def accounts(self, names):
        """Accounts in this mount namespace's own /etc."""
        for n, name in enumerate(names):
            for path, line in (("/etc/passwd", f"{name}:x:{self.uid + n}:{self.uid + n}::/nonexistent:/bin/false\n"),
                               ("/etc/group", f"{name}:x:{self.uid + n}:\n")):
                with open(path, "a+", encoding="ascii") as f:
                    f.seek(0)
                    if not re.search(rf"(?m)^{name}:", f.read()):
                        f.write(line)

    def launch(self, command):
        output = open(self.dir / "log" / "output", "wb")
        script = ('mount --make-rprivate / && mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && '
                  'shift && exec "$@"')
        self.process = subprocess.Popen(
            [*self.under, "unshare", "-m", "sh", "-c", script, "sh", str(fetch(self.kind)),
             *map(str, command)], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        output.close()
        try:
            harness.eventually(self.listening, 20, f"the port of {self.kind}")
        except AssertionError as e:
            raise AssertionError(f"{e}: {(self.dir / 'log' / 'output').read_text()[-2000:]}") from None
        return self

    def listening(self):
        return harness.Instance.listening(self)

    def pids(self, program=None):
        return [self.process.pid] if self.process and self.process.poll() is None else []

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
            self.process.wait()

    def destroy(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


EXIM = """\
spool_directory = {queue}
log_file_path = {log}/%slog
pid_file_path = {dir}/pid
primary_hostname = mx.example.test
exim_user = Debian-exim
exim_group = Debian-exim
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
smtp_accept_max = 300
smtp_connect_backlog = 1000
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
smtp_enforce_sync = false
remote_max_parallel = 20
message_size_limit = 20M
rfc1413_query_timeout = 0s
host_lookup =
tls_advertise_hosts =
chunking_advertise_hosts =
keep_environment =
acl_smtp_rcpt = accept
begin acl
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1
  transport = out
  self = send
begin transports
out:
  driver = smtp
  port = {relay_port}
  allow_localhost
  max_rcpt = 50
begin retry
* * F,1h,10s
"""


class Exim(Unpacked):
    kind = "exim"

    def start(self):
        self.accounts(["Debian-exim"])
        for d in (self.queue, self.dir, self.maillog.parent):
            os.chown(d, self.uid, self.uid)
        # Its configuration lies where it is built in: any other costs it its privileges.
        etc = pathlib.Path("/etc/exim4")
        etc.mkdir(exist_ok=True)
        (etc / "exim4.conf").write_text(EXIM.format(dir=self.dir, queue=self.queue, log=self.maillog.parent,
                                                    port=self.port, relay_port=self.relay_port))
        return self.launch(["/usr/sbin/exim4", "-bdf", "-q1m"])


OPENSMTPD = """\
smtp max-message-size 20M
listen on 127.0.0.1 port {port}
action "out" relay host smtp://127.0.0.1:{relay_port}
match from any for any action "out"
"""


class OpenSMTPD(Unpacked):
    """It does not sync before its 250. Its listen queue holds five: with 50 new connections at once many wait a
    second for TCP to try again."""
    kind = "opensmtpd"
    uid = 65105

    def start(self):
        self.accounts(["opensmtpd", "opensmtpq"])
        configuration = self.dir / "smtpd.conf"
        configuration.write_text(OPENSMTPD.format(port=self.port, relay_port=self.relay_port))
        self.queue.chmod(0o711)
        # The queue's place, and the folder that it shuts itself into, are built in.
        for target, source in (("/var/spool/smtpd", self.queue), ("/var/lib/opensmtpd/empty", self.dir / "empty")):
            source.mkdir(exist_ok=True)
            pathlib.Path(target).mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", source, target], check=True)
        pathlib.Path("/etc/mailname").write_text("mx.example.test\n")
        return self.launch(["/usr/sbin/smtpd", "-d", "-f", configuration])

    def destroy(self):
        self.stop()
        for target in ("/var/spool/smtpd", "/var/lib/opensmtpd/empty"):
            subprocess.run(["umount", target], stderr=subprocess.DEVNULL)
        super().destroy()


MAKERS = {"postrider": harness.Instance, "postfix": beside.Postfix, "exim": Exim, "opensmtpd": OpenSMTPD}


class Suite:
    """A mail system on the scale."""

    def __init__(self, kind, relay_port=None, **settings):
        if relay_port is not None and kind in ("exim", "opensmtpd"):
            settings["relay_port"] = relay_port
        elif relay_port is not None:
            settings["relayhost"] = f"[127.0.0.1]:{relay_port}"
        self.kind = kind
        self.scale = Scale()
        self.instance = MAKERS[kind](**settings)
        self.port = self.instance.port

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.scale.kill()  # an orderly end would wait for what is under way
        try:
            self.instance.destroy()
        finally:
            self.scale.close()

    def start(self):
        self.instance.under = self.scale.under()
        try:
            self.instance.start()
        finally:
            self.instance.under = ()
        return self

    def pids(self, program=None):
        """Its processes; of one program only, if told so."""
        pids = self.scale.pids()
        if pids is None:
            return self.instance.pids(program)
        if program is None:
            return pids
        named = []
        for pid in pids:
            with contextlib.suppress(OSError):
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == program:
                    named.append(pid)
        return named

    def cpu(self):
        """Seconds of CPU that it has used."""
        return self.scale.cpu(self.pids)

    def pss(self, program=None):
        """kB of memory."""
        return sum(map(process_pss, self.pids(program)))

    def command(self, name, *arguments):
        """A command of the suite as an argument list, to be run with environment()."""
        return [*self.instance.inside(), self.instance.program(name), *map(str, arguments)]

    def environment(self):
        return self.instance.environment()
