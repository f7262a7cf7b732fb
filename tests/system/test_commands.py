# SPDX-License-Identifier: ISC
"""What the commands have in common: -c, MAIL_CONFIG, complaints, exit statuses; and postkick."""
import grp
import gzip
import re
import socket

import pytest

from harness import PREFIX, SBIN, Instance, eventually
from qmgr_world import DEFERRED, SENT

# command, arguments that do nothing much, exit status of a fatal error
COMMANDS = [
    ("postconf", ["-h", "queue_directory"], 1),
    ("postmap", ["-q", "x", "inline:{x=y}"], 1),
    ("postalias", ["-q", "x", "inline:{x=y}"], 1),
    ("postqueue", ["-p"], 69),
    ("postsuper", ["-p"], 1),
    ("postcat", ["-q", "nothing"], 1),
    ("postlog", ["text"], 1),
    ("postkick", ["public", "pickup", "W"], 1),
    ("postrider", ["status"], 1),
    ("postdrop", [], 75),
    ("sendmail", ["-bp"], 75),
]


@pytest.fixture
def unstarted():
    i = Instance()
    yield i
    i.destroy()


def test_what_is_installed():
    there = {p.name for p in SBIN.iterdir()}
    assert {c for c, _, _ in COMMANDS} <= there
    assert {p.name for p in (PREFIX / "bin").iterdir()} >= {"mailq", "newaliases"}
    assert (PREFIX / "etc/postrider/main.cf").exists()
    assert (PREFIX / "etc/postrider/master.cf").exists()
    for section in "158":
        pages = PREFIX / "share/man" / f"man{section}"
        assert list(pages.iterdir()), pages


def test_each_command_has_a_manual_page():
    pages = {p.name for p in (PREFIX / "share/man/man1").iterdir()}
    commands = {p.name for folder in ("sbin", "bin") for p in (PREFIX / folder).iterdir()}
    assert {f"{c}.1" for c in commands} <= pages


def test_each_daemon_has_a_manual_page():
    pages = {p.name for p in (PREFIX / "share/man/man8").iterdir()}
    daemons = {p.name for p in (PREFIX / "libexec/postrider").iterdir() if p.suffix != ".so"}
    assert {f"{d}.8" for d in daemons} <= pages


@pytest.mark.parametrize("command,arguments,status", COMMANDS, ids=[c for c, _, _ in COMMANDS])
def test_the_option_wins_over_the_environment(unstarted, command, arguments, status):
    """MAIL_CONFIG names a directory that is not there; -c one whose main.cf is not valid."""
    wrong = unstarted.dir / "wrong"
    wrong.mkdir()
    (wrong / "main.cf").write_text("compatibility_level = 3.6\nqueue_directory = /a/$queue_directory\n")
    (wrong / "master.cf").write_text("")
    env = dict(unstarted.environment(), MAIL_CONFIG=str(unstarted.dir / "missing"))
    unstarted.environment = lambda: env
    input = "" if command == "postdrop" else None
    r = unstarted.run(command, *arguments, check=False, input=input)
    assert r.returncode == status, r
    assert b"missing" in r.stderr, r
    config = ["-C", wrong] if command == "sendmail" else ["-c", wrong]
    r = unstarted.run(command, *config, *arguments, check=False, input=input)
    assert b"missing" not in r.stderr, r
    if command == "postconf":  # it shows what is there
        assert r.stdout == b"/a/$queue_directory\n"
        return
    assert f"{wrong}/main.cf".encode() in r.stderr and b"queue_directory" in r.stderr, r


@pytest.mark.parametrize("command,arguments,status", COMMANDS, ids=[c for c, _, _ in COMMANDS])
def test_unknown_options_are_refused(unstarted, command, arguments, status):
    r = unstarted.run(command, "-?", check=False, input="")
    assert r.returncode != 0
    assert r.stderr.startswith(f"{command}:".encode()) or r.stderr.startswith(b"usage:"), r


# ---- postkick

def test_kick_qmgr_flushes(world):
    w = world(minimal_backoff_time="1000s", maximal_backoff_time="4000s")
    w.agent.answer = lambda r, a: (DEFERRED, "4.4.1", "not now")
    qid = w.put("a@x.test")
    eventually(lambda: b'"deferred"' in w.i.run("postqueue", "-j").stdout, what="deferral")
    w.agent.answer = lambda r, a: (SENT, "2.0.0", "ok")
    w.i.run("postkick", "public", "qmgr", "I")
    w.i.run("postkick", "public", "qmgr", "F")
    w.i.wait_log(f"{qid}: removed")


def test_a_flush_bears_a_reload(world):
    """Whoever asks the queue manager while it is being replaced is answered by its successor."""
    w = world()
    for _ in range(8):
        w.i.reload()
        w.i.flush()
        w.i.run("postkick", "public", "qmgr", "F")


def test_kick_without_a_suite(unstarted):
    r = unstarted.run("postkick", "public", "qmgr", "F", check=False)
    assert r.returncode == 1
    assert b"Cannot contact class public service qmgr" in r.stderr


def test_kick_hands_other_services_the_bytes(unstarted):
    public = unstarted.queue / "public"
    public.mkdir()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(public / "other"))
        s.listen()
        unstarted.run("postkick", "public", "other", "WITH space")
        peer, _ = s.accept()
        with peer:
            peer.settimeout(10)
            assert peer.makefile("rb").read() == b"WITH space"


def test_kick_usage(unstarted):
    for arguments in ([], ["public"], ["public", "qmgr"], ["public", "qmgr", "F", "more"]):
        r = unstarted.run("postkick", *arguments, check=False)
        assert r.returncode == 1 and b"usage: postkick" in r.stderr


# ---- set-gid commands

def test_set_permissions_gives_the_commands_their_group(unstarted):
    commands = unstarted.dir / "sbin"
    commands.mkdir()
    for name in ("postdrop", "postqueue", "postlog"):
        (commands / name).write_bytes(b"")
        (commands / name).chmod(0o755)
    unstarted.set(command_directory=commands, setgid_group="postdrop")
    r = unstarted.run("postrider", "check", check=False)
    for name in ("postdrop", "postqueue", "postlog"):
        assert f"not set-gid postdrop: {commands}/{name}".encode() in r.stderr, r
    unstarted.run("postrider", "set-permissions")
    for name in ("postdrop", "postqueue", "postlog"):
        st = (commands / name).stat()
        assert st.st_mode & 0o7777 == 0o2755 and st.st_gid == grp.getgrnam("postdrop").gr_gid
    assert b"not set-gid" not in unstarted.run("postrider", "check", check=False).stderr


def test_logrotate(instance):
    """The old lines are in a compressed file, the new ones in a new file."""
    mx = instance(maillog_file_rotate_suffix="%Y-old")
    mx.wait_log("daemon started")
    mx.run("postrider", "logrotate")
    (old,) = [p for p in mx.maillog.parent.iterdir() if p.name.startswith(mx.maillog.name + ".")]
    assert re.fullmatch(re.escape(mx.maillog.name) + r"\.\d{4}-old\.gz", old.name)
    assert "daemon started" in gzip.open(old, "rt").read()
    mx.run("postlog", "-t", "later", "a line")
    mx.wait_log(r" later\[\d+\]: a line")
    assert "daemon started" not in mx.log()


@pytest.mark.parametrize("settings, said", [
    ({"maillog_file": "/dev/stdout"}, 'maillog_file is "/dev/stdout": only a file of its own can be rotated'),
    ({"maillog_file_rotate_suffix": "x" * 200}, "maillog_file_rotate_suffix: bad value"),
    ({"maillog_file_compressor": "/nonexistent/zip"}, "maillog_file_compressor: execute /nonexistent/zip: No such file")])
def test_what_logrotate_refuses(instance, settings, said):
    mx = instance()
    mx.set(**settings)
    r = mx.run("postrider", "logrotate", check=False)
    assert r.returncode == 1 and said in r.stderr.decode() + mx.log()


def test_scripts_may_call_it_postfix(instance):
    mx = instance()
    assert mx.run("postfix", "status").returncode == 0
    mx.run("postfix", "upgrade-configuration")
    mx.run("postfix", "drain")
    assert not mx.running()
    mx.run("postfix", "quick-start")
    assert mx.running()


def test_a_bad_value_stops_only_who_reads_it(instance):
    """While somebody edits main.cf the suite runs on with what it read, and commands work; what they read must be right."""
    mx = instance(transport_maps="inline:{example.test=discard:}")
    mx.set(smtpd_timeout="30x", qmgr_message_active_limit="many", minimal_backoff_time="$nothing $")
    mx.sendmail("a@example.test")
    mx.wait_log("to=<a@example.test>, .*status=sent")
    assert mx.mailq() == "Mail queue is empty\n"
    r = mx.run("postmap", "-q", "a", "inline:{a=b}")
    assert r.stdout == b"b\n"
    assert f"postmap: warning: {mx.etc}/main.cf, line".encode() in r.stderr and b'smtpd_timeout: bad time "30x"' in r.stderr
    for command in (["postsuper", "-d", "ALL"], ["postcat", "-q", "ABCDEF123"], ["postlog", "x"]):
        assert b"bad" not in mx.run(*command, check=False).stderr
    r = mx.run("postrider", "reload", check=False)
    assert r.returncode == 1 and b'smtpd_timeout: bad time "30x"' in r.stderr
    mx.set(message_size_limit="big")
    r = mx.sendmail("a@example.test", check=False)
    assert r.returncode == 75 and b'message_size_limit: bad' in r.stderr
