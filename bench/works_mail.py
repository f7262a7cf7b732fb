# SPDX-License-Identifier: ISC
"""works_mail - messages on their whole way: relayed, to mailboxes, from the sendmail command."""
import json
import subprocess
import time

from generators import LOAD, Failed, LoadSink, Maildir, Mbox, Sink, load_source, smtp_source
from registry import EVERYBODY, PSS, Figure, cpu, rate, work
from suites import Suite

PLAIN = {"smtp_tls_security_level": "none", "smtpd_tls_security_level": "none", "message_size_limit": "20480000"}
TAIL = 0.3  # s after the last message in which a suite ends what it has begun: marks, logs


def transfer(suite, end, n, send, warm=None):
    """Send a few, to have every process up, then n; the figures of these."""
    warm = min(n, 100) if warm is None else warm
    send(warm)
    end.wait(warm)
    time.sleep(TAIL)
    cpu_before, start = suite.cpu(), time.monotonic()
    send(n)
    seconds = end.wait(warm + n) - start
    time.sleep(TAIL)
    return {"rate": n / seconds, "cpu": (suite.cpu() - cpu_before) * 1000 / n, "pss": suite.pss()}


@work("relay-10m", "10 MB, a new connection a message, 5 sessions", 60,
      [rate(), cpu(), PSS], smoke=3, suites=EVERYBODY, length=10000000, sessions=5, warm=2)
@work("relay-64k", "64 kB, a new connection a message, 50 sessions", 3000,
      [rate(), cpu(("part", 1 / 6)), PSS], suites=EVERYBODY, length=65536)
@work("relay-4k-kept", "4 kB, 50 kept connections", 10000,
      [rate(("times", 8)), cpu(), PSS], suites=EVERYBODY, length=4096, kept=True)
@work("relay-4k", "4 kB, a new connection a message, 50 sessions", 10000,
      [rate(("times", 7)), cpu(("part", 0.1)), PSS], suites=EVERYBODY, length=4096)
def relay(bench, kind, n, length, sessions=50, kept=False, warm=None):
    with bench.closing(Sink()) as sink, Suite(kind, relay_port=sink.port, **PLAIN) as suite:
        suite.start()
        return transfer(suite, sink, n, lambda m: smtp_source(suite.port, m, sessions, length, kept=kept), warm)


@work("rcpt-50", "4 kB to 50 recipients, a new connection a message, 50 sessions", 1000,
      [rate(unit="recipients/s"), cpu(("part", 0.25), "ms/recipient"), PSS], suites=EVERYBODY)
def recipients(bench, kind, n):
    # smtp-sink counts messages, whose recipients may have been divided; so our own counts here
    class Recipients(LoadSink):
        def count(self):
            super().count()
            return self.field("recipients") // 50

    with bench.closing(Recipients()) as sink, Suite(kind, relay_port=sink.port, **PLAIN) as suite:
        suite.start()
        figures = transfer(suite, sink, n, lambda m: smtp_source(suite.port, m, recipients=50), min(n, 20))
        return figures | {"rate": figures["rate"] * 50, "cpu": figures["cpu"] / 50}


@work("tls-full", "the same without session resumption", 3000,
      [rate(("times", 1)), cpu(), PSS], resume=False)
@work("tls", "4 kB, STARTTLS in and out, sessions resumed, a new connection a message, 50 sessions", 5000,
      [rate(("times", 4)), cpu(), PSS], resume=True)
def tls(bench, kind, n, resume):
    settings = {
        "smtpd_tls_security_level": "may", "smtpd_tls_chain_files": bench.chain(),
        "smtp_tls_security_level": "encrypt",
        "smtp_tls_session_cache_database": "lmdb:$data_directory/smtp_scache" if resume else "",
    }
    if not resume:
        settings |= {"smtpd_tls_session_cache_timeout": "0", "tls_ssl_options": "NO_TICKET"}
        if kind == "postrider":
            settings.pop("tls_ssl_options")
    with bench.closing(LoadSink(chain=bench.chain(), resume=resume)) as sink, \
            Suite(kind, relay_port=sink.port, **settings) as suite:
        suite.start()
        said = []

        def send(m):
            """Each client has a few connections, so that it has something to resume."""
            said.append(load_source(suite.port, m, max(1, min(50, m // 4)), k=1, T=True, R=resume))

        figures = transfer(suite, sink, n, send)
        figures |= {"resumed_in": said[-1]["resumed"], "resumed_out": sink.field("resumed"),
                    "connections_out": sink.field("connections")}
        return figures


@work("mbox", "4 kB to one user's mbox, 20 sessions", 2000, [rate(), cpu(), PSS], box="Mailbox")
@work("maildir", "4 kB to one user's maildir, 20 sessions", 3000, [rate(("times", 4)), cpu(), PSS])
def mailbox(bench, kind, n, box="Maildir/"):
    folder = bench.mailboxes()
    end = Maildir(folder / "Maildir") if box == "Maildir/" else Mbox(folder / box)
    with Suite(kind, home_mailbox=f"{folder.name}/{box}", local_recipient_maps="", mailbox_size_limit="0", **PLAIN) as suite:
        suite.start()
        return transfer(suite, end, n, lambda m: smtp_source(suite.port, m, 20, to=f"{bench.user}@example.test"))


@work("sendmail-20", "the sendmail command, 20 at once", 2000,
      [rate(), Figure("each", "time of a command", "ms", digits=2), cpu(), PSS], at_once=20)
@work("sendmail", "the sendmail command, one after another", 300,
      [Figure("each", "time of a command", "ms", target=("part", 0.5), digits=2), rate(), cpu(), PSS])
def sendmail(bench, kind, n, at_once=1):
    message = bench.dir / "message"
    message.write_text("From: source@bench.test\nTo: user@sink.test\nSubject: bench\n\n" + ("x" * 78 + "\n") * 12)
    said = {}
    with bench.closing(Sink()) as sink, Suite(kind, relay_port=sink.port, **PLAIN) as suite:
        suite.start()
        sendmail_command = suite.command("sendmail", "-i", "-f", "source@bench.test", "user@sink.test")
        inside, command = sendmail_command[:len(suite.instance.inside())], \
            sendmail_command[len(suite.instance.inside()):]

        def send(m):
            r = subprocess.run([*inside, LOAD, "spawn", "-m", str(m), "-s", str(at_once), "-i", message, *command],
                               env=suite.environment(), capture_output=True, text=True, timeout=3600)
            if r.returncode != 0:
                raise Failed(f"sendmail: {r.stdout.strip()} {r.stderr.strip()[-200:]}")
            said.update(json.loads(r.stdout))

        figures = transfer(suite, sink, n, send, min(n, 10))
        figures["cpu"] += said["cpu"] * 1000 / n  # the commands are the suite's, too
        return figures | {"each": said["seconds"] * 1000 * at_once / n}
