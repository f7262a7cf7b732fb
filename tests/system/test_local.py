# SPDX-License-Identifier: ISC
"""Local delivery: mailboxes, aliases, .forward files, commands, and what must not go wrong with them."""
import fcntl
import mailbox
import os
import pathlib
import pwd
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

from harness import eventually, maildir


def own(path, user, mode):
    os.chown(path, user.pw_uid, user.pw_gid)
    os.chmod(path, mode)


def write(user, name, text, mode=0o644):
    path = pathlib.Path(user.pw_dir) / name
    path.write_text(text)
    own(path, user, mode)
    return path


def mails(user):
    return maildir(pathlib.Path(user.pw_dir) / "Maildir")


def wait_mails(user, count, seconds=15):
    eventually(lambda: len(mails(user)) >= count, seconds, f"{count} messages for {user.pw_name}")
    return mails(user)


def at(user, domain="example.test"):
    return f"{user.pw_name}@{domain}"


def aliases(mx, text, **settings):
    path = mx.etc / "aliases"
    path.write_text(text)
    mx.set(alias_maps=f"lmdb:{path}", alias_database=f"lmdb:{path}", **settings)
    mx.run("newaliases")


def reload(mx, **settings):
    """Change settings; returns when everybody works with them (master says so before it tells them)."""
    mx.set(**settings)
    old = set(mx.pids()) - set(mx.pids("master"))
    mx.reload()
    eventually(lambda: not old & set(mx.pids()), 15, "the end of those with the old settings")


def outcome(mx, to, status, text, count=1):
    """Wait for local's log line for this recipient; returns its match."""
    return mx.wait_log(r"postfix/local\[\d+\]: \w+: to=<%s>, .*relay=local, .*dsn=([\d.]+), status=%s \(%s"
                       % (re.escape(to), status, text), count=count)[0]


# ---- mbox files

def test_mbox_has_the_form_that_mail_readers_know(instance, users):
    a, _ = users
    mx = instance(home_mailbox="mbox")
    mx.send(at(a), "Subject: one\r\n\r\nFrom the start\r\nnot From\r\n")
    outcome(mx, at(a), "sent", r"delivered to mailbox\)")  # two at a time have no order
    mx.send(at(a), "Subject: two\r\n\r\nlast\r\n", sender="")
    outcome(mx, at(a), "sent", r"delivered to mailbox\)", 2)
    box = pathlib.Path(a.pw_dir) / "mbox"
    text = box.read_bytes()
    assert re.match(rb"From sender@client\.test  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n"
                    rb"Return-Path: <sender@client\.test>\nX-Original-To: [^\n]*\nDelivered-To: [^\n]*\n"
                    rb"Received: ", text)
    assert b"\n\n>From the start\nnot From\n\nFrom MAILER-DAEMON  " in text
    assert text.endswith(b"\nlast\n\n") and b"\r" not in text
    st = box.stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (a.pw_uid, a.pw_gid, 0o600)
    assert not (box.parent / "mbox.lock").exists()


@pytest.mark.parametrize("mode,group", [(0o1777, 0), (0o2775, 8), (0o755, 0)])
def test_mail_spool_of_each_kind(instance, users, mode, group):
    a, _ = users
    mx = instance(start=False, home_mailbox="")
    spool = mx.dir / "spool"
    spool.mkdir()
    os.chown(spool, 0, group)
    spool.chmod(mode)
    mx.set(mail_spool_directory=spool)
    mx.start()
    mx.send(at(a))
    mx.send(at(a))
    outcome(mx, at(a), "sent", r"delivered to mailbox\)", 2)
    box = spool / a.pw_name
    assert box.read_bytes().count(b"\nSubject: test\n") == 2
    assert box.stat().st_uid == a.pw_uid and stat.S_IMODE(box.stat().st_mode) == 0o600
    assert [p.name for p in spool.iterdir()] == [a.pw_name]


@pytest.mark.parametrize("lock", ["fcntl", "flock", "dotlock"])
def test_a_locked_mailbox_waits_and_then_defers(instance, users, lock):
    a, _ = users
    mx = instance(home_mailbox="mbox", mailbox_delivery_lock=lock, deliver_lock_attempts="2", deliver_lock_delay="1s")
    box = write(a, "mbox", "From old  Sat Feb  3 04:05:06 2024\n\nold\n\n", 0o600)
    before = box.read_bytes()
    dotlock = box.parent / "mbox.lock"
    with open(box, "r+b") as held:
        if lock == "fcntl":
            fcntl.lockf(held, fcntl.LOCK_EX)
        elif lock == "flock":
            fcntl.flock(held, fcntl.LOCK_EX)
        else:
            dotlock.touch()
        mx.send(at(a))
        m = outcome(mx, at(a), "deferred", r"cannot update mailbox \S+ for user \S+\. unable to (lock|create lock)")
        assert m.group(1) == "4.2.0"
        assert box.read_bytes() == before
    if lock == "dotlock":
        assert dotlock.exists()
        dotlock.unlink()
    mx.flush()
    outcome(mx, at(a), "sent", r"delivered to mailbox\)")
    assert box.read_bytes().startswith(before) and box.read_bytes() != before


@pytest.mark.parametrize("lock", ["fcntl", "flock", "dotlock"])
def test_a_lock_held_for_a_moment_costs_a_moment(instance, users, lock):
    """deliver_lock_delay bounds the patience, not each pause: nobody waits for a minute where a lock is free in a second."""
    a, _ = users
    mx = instance(home_mailbox="mbox", mailbox_delivery_lock=lock, deliver_lock_attempts="2", deliver_lock_delay="1m")
    box = write(a, "mbox", "From old  Sat Feb  3 04:05:06 2024\n\nold\n\n", 0o600)
    dotlock = box.parent / "mbox.lock"
    with open(box, "r+b") as held:
        if lock == "fcntl":
            fcntl.lockf(held, fcntl.LOCK_EX)
        elif lock == "flock":
            fcntl.flock(held, fcntl.LOCK_EX)
        else:
            dotlock.touch()
        mx.send(at(a))
        time.sleep(0.5)
        assert b"Subject: test" not in box.read_bytes()
    if lock == "dotlock":
        dotlock.unlink()
    outcome(mx, at(a), "sent", r"delivered to mailbox\)")
    assert not dotlock.exists()


def test_two_deliveries_into_one_mailbox_at_once(instance, users):
    a, _ = users
    mx = instance(home_mailbox="mbox", local_destination_concurrency_limit="5")
    for n in range(40):
        mx.send(at(a), f"Subject: {n}\r\n\r\ntext {n}.\r\n")
    outcome(mx, at(a), "sent", r"delivered to mailbox\)", 40)
    text = (pathlib.Path(a.pw_dir) / "mbox").read_bytes()
    assert sorted(map(int, re.findall(rb"\n\ntext (\d+)\.\n\n", text))) == list(range(40))
    assert len(re.findall(rb"(?:^|\n\n)From ", text)) == 40


def test_a_lock_file_left_behind_is_removed_by_its_ctime(instance, users):
    a, _ = users
    mx = instance(home_mailbox="mbox", mailbox_delivery_lock="dotlock", deliver_lock_attempts="6",
                  deliver_lock_delay="1s", stale_lock_time="2s")
    lock = write(a, "mbox.lock", "")
    os.utime(lock, (2 ** 31, 2 ** 31))      # a modification time in the future changes nothing
    mx.send(at(a))
    outcome(mx, at(a), "sent", r"delivered to mailbox\)")
    assert not lock.exists()


def test_a_full_mailbox_bounces_and_stays_as_it_was(instance, users):
    a, _ = users
    mx = instance(home_mailbox="mbox", mailbox_size_limit="20000", message_size_limit="20000")
    mx.send(at(a), "Subject: fits\r\n\r\n" + "x" * 70 + "\r\n")
    outcome(mx, at(a), "sent", "delivered")
    box = pathlib.Path(a.pw_dir) / "mbox"
    before = box.read_bytes()
    mx.send(at(a), "Subject: too much\r\n\r\n" + ("x" * 70 + "\r\n") * 272)
    m = outcome(mx, at(a), "bounced", r"cannot update mailbox \S+ for user \S+\. error writing message: File too large\)")
    assert m.group(1) == "5.2.2"
    assert box.read_bytes() == before


WHOLE = b"From old@example.test  Sat Feb  3 04:05:06 2024\nSubject: old\n\nold text\n\n"
PART = b"From old@example.test  Sat Feb  3 04:05:07 2024\nSubject: part\n\npart of"
ENDS = {"in a line": (WHOLE + PART, b"\n\n"), "in a head": (WHOLE + PART[:60], b"\n\n"),
        "in a From_ line": (WHOLE + PART[:20], b"\n\n"), "in NULs": (WHOLE + PART + b"\0" * 3000, b"\n\n"),
        "in NULs from the start": (WHOLE + b"\0" * 3000, b"\n\n"), "in one line end": (WHOLE + PART + b"\n", b"\n"),
        "in an empty line": (WHOLE, b""), "at once": (b"", b""), "in a byte": (b"x", b"\n\n"), "in a line end": (b"\n", b"")}


def subjects(box):
    """What a reader of mailboxes finds in it."""
    found = mailbox.mbox(box, create=False)
    try:
        return [(m["Subject"], m.get_payload().strip("\0\n")) for m in found]
    finally:
        found.close()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("through", ["mailbox", "file"])
def test_a_mailbox_may_end_anywhere(instance, users, end, through):
    """What a crash cut off, or another program left without its last line end, swallows no message."""
    a, _ = users
    mx = instance(home_mailbox="mbox", default_privs=a.pw_name)
    to = at(a) if through == "mailbox" else "file@example.test"
    box = pathlib.Path(a.pw_dir) / "mbox"
    aliases(mx, f"file: {box}\n", local_recipient_maps="")
    reload(mx)
    before, missing = ENDS[end]
    box.write_bytes(before)
    own(box, a, 0o600)
    for n in (1, 2):
        mx.send(to, f"Subject: {n}\r\n\r\ntext {n}\r\n")
        outcome(mx, to, "sent", "delivered to ", n)
    text = box.read_bytes()
    assert text.startswith(before + missing + b"From sender@client.test  ")
    found = subjects(box)
    assert found[-2:] == [("1", "text 1"), ("2", "text 2")]
    assert found[0] == ("old", "old text") or WHOLE not in before


def test_a_mailbox_that_its_owner_may_not_read(instance, users):
    a, _ = users
    mx = instance(home_mailbox="mbox")
    box = write(a, "mbox", WHOLE.decode(), 0o200)
    for n in (1, 2):
        mx.send(at(a), f"Subject: {n}\r\n\r\ntext {n}\r\n")
        outcome(mx, at(a), "sent", r"delivered to mailbox\)", n)
    assert subjects(box) == [("old", "old text"), ("1", "text 1"), ("2", "text 2")]


def test_a_failed_delivery_takes_its_empty_line_with_it(instance, users):
    a, _ = users
    mx = instance(home_mailbox="mbox", mailbox_size_limit="20000", message_size_limit="20000")
    before = WHOLE + PART + b"x" * 6000
    box = write(a, "mbox", before.decode(), 0o600)
    mx.send(at(a), "Subject: too much\r\n\r\n" + ("x" * 70 + "\r\n") * 200)
    outcome(mx, at(a), "bounced", ".*error writing message: File too large")
    assert box.read_bytes() == before


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_killed_in_the_middle_of_an_mbox_delivery(instance, users):
    """All of the suite dies when a part of a message is in the file; the next one is found whole, and so is it."""
    a, _ = users
    mx = instance(home_mailbox="mbox", stale_lock_time="1s", minimal_backoff_time="1s", maximal_backoff_time="1s",
                  queue_run_delay="1s")
    box = pathlib.Path(a.pw_dir) / "mbox"
    mx.send(at(a), "Subject: first\r\n\r\nfirst\r\n")
    outcome(mx, at(a), "sent", "delivered to mailbox")
    large = "z" * 70
    for n in range(3):
        before = box.stat().st_size
        eventually(lambda: not children_of(a), 10, "the end of the child without work")
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(box), "-e", "trace=write", "-e",
                                   "inject=write:signal=KILL:when=2",
                                   *(word for pid in mx.pids("local") for word in ("-p", str(pid)))])
        for pid in mx.pids("local"):
            eventually(lambda pid=pid: status_fields(pid)["TracerPid"] != "0", 10, "the tracer")
        mx.send(at(a), f"Subject: large {n}\r\n\r\n" + (large + "\r\n") * 30000)
        eventually(lambda: box.stat().st_size > before and not children_of(a), 10, "its death")
        mx.kill_all()
        tracer.wait(10)
        assert before < box.stat().st_size < before + 71 * 30000
        mx.start()
        mx.send(at(a), f"Subject: next {n}\r\n\r\nnext {n}\r\n")
        wanted = [("first", "first")] + [(f"large {i}", "\n".join([large] * 30000)) for i in range(n + 1)] + \
            [(f"next {i}", f"next {i}") for i in range(n + 1)]
        eventually(lambda: not set(wanted) - set(subjects(box)), 20, "all of them")
    found = subjects(box)
    assert sorted(m for m in found if m in wanted) == sorted(wanted) and len(found) == len(wanted) + 3


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 kB."""
    path = tmp_path / "disk"
    path.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "none", str(path)],
                       stderr=subprocess.DEVNULL)
    if r.returncode != 0:
        pytest.skip("no right to mount")
    for p in path.parents:
        if p != pathlib.Path("/") and p.is_relative_to("/tmp") and p != pathlib.Path("/tmp"):
            p.chmod(0o755)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_a_full_disk_defers_and_leaves_nothing_behind(instance, users, tiny_disk, kind):
    a, _ = users
    slash = "/" if kind == "maildir" else ""
    mx = instance(home_mailbox="", mail_spool_directory=f"{tiny_disk}{slash}")
    mx.send(at(a), "Subject: small\r\n\r\nx\r\n")
    outcome(mx, at(a), "sent", f"delivered to {'maildir' if slash else 'mailbox'}")
    box = tiny_disk / a.pw_name
    before = box.read_bytes() if kind == "mbox" else maildir(box)
    mx.send(at(a), "Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 1500)
    m = outcome(mx, at(a), "deferred", ".*error writing message: No space left on device")
    assert m.group(1) == "4.3.0"
    assert before == (box.read_bytes() if kind == "mbox" else maildir(box))
    assert kind == "mbox" or list((box / "tmp").iterdir()) == []


def test_a_mailbox_of_somebody_else_is_not_touched(instance, users):
    a, b = users
    mx = instance(home_mailbox="mbox")
    box = write(a, "mbox", "private\n")
    own(box, b, 0o666)
    mx.send(at(a))
    m = outcome(mx, at(a), "deferred", r"cannot update mailbox .* is not owned by recipient\)")
    assert m.group(1) == "4.2.0"
    assert box.read_text() == "private\n"


def test_links_are_not_followed(instance, users):
    a, b = users
    mx = instance(home_mailbox="mbox")
    target = write(b, "target", "b's\n", 0o666)
    link = pathlib.Path(a.pw_dir) / "mbox"
    link.symlink_to(target)
    mx.send(at(a))
    outcome(mx, at(a), "bounced", ".*file is a symbolic link")
    link.unlink()
    target.unlink()
    mine = write(a, "mine", "a's\n", 0o600)
    os.link(mine, link)
    mx.send(at(a))
    outcome(mx, at(a), "bounced", ".*file has 2 hard links")
    assert mine.read_text() == "a's\n"


# ---- maildirs

# what a child that writes to a file says to local first: a status
REPORT = r'write\(\d+<[^>]*socket:[^>]*>, "d'


def test_a_maildir_delivery_is_durable_before_it_counts(instance, users):
    a, _ = users
    mx = instance()
    mx.send(at(a))
    wait_mails(a, 1)
    outcome(mx, at(a), "sent", "delivered to maildir", 1)  # and its report is over, too
    trace = mx.dir / "trace"
    pids = mx.pids("local")
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-y", "-e",
                               "trace=fsync,fdatasync,rename,renameat2,linkat,sendmsg,sendto,write", "-o", str(trace),
                               *(word for pid in pids for word in ("-p", str(pid)))], stderr=subprocess.PIPE)
    try:
        for pid in pids:
            eventually(lambda: re.search(r"TracerPid:\t[1-9]", pathlib.Path(f"/proc/{pid}/status").read_text()),
                       10, "the tracer")
        mx.send(at(a))
        wait_mails(a, 2)
        outcome(mx, at(a), "sent", "delivered to maildir", 2)
        eventually(lambda: re.search(REPORT, trace.read_text()), 5, "the child's report")
    finally:
        tracer.terminate()
        tracer.wait(10)
    text = trace.read_text()
    file_sync = re.search(r"f(data)?sync\(\d+<[^>]*/Maildir/tmp/[^>]*>\) += 0", text)
    renamed = re.search(r"(renameat2|linkat)\(.*Maildir/new/.* = 0", text)
    dir_sync = re.search(r"f(data)?sync\(\d+<[^>]*/Maildir/new>\) += 0", text)
    report = re.search(REPORT, text)
    assert file_sync and renamed and dir_sync, text
    assert file_sync.start() < renamed.start() < dir_sync.start() < report.start()


def status_fields(pid):
    try:
        return dict(re.findall(r"^(\w+):[ \t]*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
    except (FileNotFoundError, ProcessLookupError):
        return {}


def children_of(user):
    """Living processes of local that have become this user."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        fields = status_fields(entry.name) if entry.name.isdigit() else {}
        if fields.get("Name") == "local" and fields["Uid"].split()[0] == str(user.pw_uid) and fields["State"][0] != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize("box", ["Maildir/", "mbox"])
def test_one_child_serves_deliveries_of_one_user(instance, users, box):
    a, b = users
    mx = instance(home_mailbox=box)

    def messages(user):
        if box != "mbox":
            return mails(user)
        path = pathlib.Path(user.pw_dir) / box
        return path.read_bytes().split(b"\n\nFrom ") if path.exists() else []

    def wait_messages(user, count):
        eventually(lambda: len(messages(user)) >= count, 15, f"{count} messages for {user.pw_name}")

    for n in range(1, 4):
        mx.send(at(a), f"Subject: {n}\r\n\r\ntext {n}\r\n")
    outcome(mx, at(a), "sent", "delivered to ", 3)
    here = children_of(a)
    assert 1 <= len(here) <= 2
    for pid in here:
        fields = status_fields(pid)
        assert fields["Uid"].split() == [str(a.pw_uid)] * 4
        assert fields["Gid"].split() == [str(a.pw_gid)] * 4
        assert (fields["Groups"].split(), int(fields["CapPrm"], 16)) == ([str(a.pw_gid)], 0)
        assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
        # its link to local and what it has from the start: no message, no directory
        assert sorted(map(int, os.listdir(f"/proc/{pid}/fd"))) == [0, 1, 2, 3]
    assert sorted(re.search(rb"\n\n(text \d)\n", m + b"\n").group(1) for m in messages(a)) == [b"text 1", b"text 2", b"text 3"]

    # killed while it waits: the next delivery has another, and is not deferred
    for pid in here:
        os.kill(pid, signal.SIGKILL)
    mx.send(at(a))
    wait_messages(a, 4)
    assert not re.search(r"postfix/local\[\d+\]: .*status=deferred", mx.log())
    assert not set(children_of(a)) & set(here)

    # another user's mail has a child of its own
    mx.send(at(b))
    wait_messages(b, 1)
    assert all(status_fields(p)["Uid"].split()[0] == str(b.pw_uid) for p in children_of(b))

    # one that its user has stopped does not stay, nor hold anybody up
    for pid in children_of(b):
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: not children_of(a) and not children_of(b), 10, "the end of children without work")
    mx.send([at(a), at(b)])
    wait_messages(a, 5)
    wait_messages(b, 2)


def test_a_child_that_dies_costs_one_delivery(instance, users):
    a, _ = users
    mx = instance(home_mailbox="Maildir/", minimal_backoff_time="1s", queue_run_delay="1s",
                  maximal_backoff_time="2s")
    mx.send(at(a))
    wait_mails(a, 1)
    # stopped before the request comes, killed with it under way
    here = children_of(a)
    for pid in here:
        os.kill(pid, signal.SIGSTOP)
    mx.send(at(a), "Subject: two\r\n\r\ntwo\r\n")
    time.sleep(0.7)
    for pid in here:
        os.kill(pid, signal.SIGKILL)
    outcome(mx, at(a), "deferred", "delivery process ended with status 9")
    wait_mails(a, 2)
    assert len(mails(a)) == 2


def test_a_maildir_is_made_for_its_user_only(instance, users):
    a, _ = users
    mx = instance()
    mx.send([at(a)])
    wait_mails(a, 1)
    base = pathlib.Path(a.pw_dir) / "Maildir"
    for d in (base, base / "new", base / "cur", base / "tmp"):
        st = d.stat()
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (a.pw_uid, 0o700)
    for f in (base / "new").iterdir():
        assert re.fullmatch(r"\d+\.V[0-9a-f]+I[0-9a-f]+M\d+\..+", f.name)
        assert stat.S_IMODE(f.stat().st_mode) == 0o600
    for _ in range(5):
        mx.send(at(a))
    assert len({f.name for f in (base / "new").iterdir()} if wait_mails(a, 6) else ()) == 6


def test_a_home_that_cannot_be_made_bounces(instance, users):
    a, _ = users
    mx = instance()
    shutil.rmtree(a.pw_dir)
    subprocess.run(["usermod", "--home", "/nonexistent/home", a.pw_name], check=True)
    mx.send(at(a))
    m = outcome(mx, at(a), "bounced", "maildir delivery failed: create maildir file /nonexistent/home")
    assert m.group(1) == "5.2.0"
    reload(mx, require_home_directory="yes")
    mx.send(at(a))
    assert outcome(mx, at(a), "deferred", "cannot access home directory /nonexistent/home: ").group(1) == "4.3.0"


# ---- names

def test_an_account_that_changes_is_asked_for_again(instance, users):
    """However often mail comes for it."""
    a, _ = users
    mx = instance(home_mailbox="Maildir/")
    mx.send(at(a))
    wait_mails(a, 1)
    moved = pathlib.Path(a.pw_dir) / "moved"
    moved.mkdir()
    own(moved, a, 0o755)
    # a second later, for vipw looks at the seconds of what its editor has left
    edit = f"sleep 1.1; sed -i s,:{a.pw_dir}:,:{moved}:,"
    subprocess.run(["vipw"], check=True, env=os.environ | {"EDITOR": edit, "VISUAL": edit})
    mx.send(at(a))
    eventually(lambda: len(maildir(moved / "Maildir")) == 1, 15, "mail in the new home")
    assert len(mails(a)) == 1


def test_long_heads_are_searched_for_loops(instance, users):
    """Delivered-To: may stand far behind the first field."""
    a, _ = users
    mx = instance(home_mailbox="Maildir/")
    filler = "".join(f"X-Filler-{n}: {'x' * 70}\r\n" for n in range(200))
    mx.send(at(a), f"{filler}Delivered-To: {at(a)}\r\nSubject: test\r\n\r\ntest\r\n")
    m = outcome(mx, at(a), "bounced", f"mail forwarding loop for {at(a)}")
    assert m.group(1) == "5.4.6"


def test_names_case_and_extensions(instance, users):
    a, _ = users
    mx = instance(recipient_delimiter="+")
    mx.send([at(a).upper(), f"{a.pw_name}+list@example.test"])
    wait_mails(a, 2)
    write(a, ".forward+list", f'"|cat >{a.pw_dir}/by-list"\n')
    mx.send(f"{a.pw_name}+list@example.test")
    eventually(lambda: (pathlib.Path(a.pw_dir) / "by-list").exists(), 10, "the delivery by .forward+list")
    assert len(mails(a)) == 2


def test_unknown_users_and_those_who_must_exist(instance, users):
    a, _ = users
    mx = instance(local_recipient_maps="")
    mx.send("nobody-here@example.test")
    assert outcome(mx, "nobody-here@example.test", "bounced", r'unknown user: "nobody-here"\)').group(1) == "5.1.1"
    mx.send("postmaster@example.test")
    outcome(mx, "postmaster@example.test", "sent", r"discarded\)")
    mx.wait_log("warning: required alias not found: postmaster")
    reload(mx, luser_relay=f"{a.pw_name}+$user@example.test", recipient_delimiter="+")
    mx.send("stranger@example.test")
    assert b"X-Original-To: stranger@example.test" in wait_mails(a, 1)[0]
    reload(mx, luser_relay="also-unknown")
    mx.send("stranger@example.test")
    outcome(mx, "also-unknown@mx.example.test", "bounced", "unknown user")


def test_mailbox_transport_passes_mail_to_another_agent(instance, users, sink):
    a, _ = users
    store = sink(lmtp=True)
    mx = instance(mailbox_transport=f"lmtp:inet:127.0.0.1:{store.port}")
    mx.send(at(a))
    assert store.wait(1)[0]["recipients"] == [at(a)]
    mx.wait_log(r"postfix/lmtp\[\d+\]: \w+: to=<%s>, .*status=sent" % re.escape(at(a)))
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed")
    assert mails(a) == [] and "postfix/local" not in "".join(l for l in mx.log().splitlines() if "status=" in l)


# ---- aliases

def test_aliases_of_every_kind(instance, users, sink):
    a, b = users
    hop = sink()
    mx = instance(start=False, relayhost=f"[127.0.0.1]:{hop.port}")
    drop = mx.dir / "drop"
    drop.mkdir(mode=0o777)
    drop.chmod(0o1777)
    members = mx.dir / "members"
    members.write_text(f"# the list\n{b.pw_name}\nfar@far.test\n")
    aliases(mx, f"""\
both: {a.pw_name}, {b.pw_name}
nested: both, both, {a.pw_name}
filed: {drop}/file
boxed: {drop}/box/
piped: "|cat >{drop}/piped; id -un >{drop}/who"
listed: :include:{members}
missing: :include:/nonexistent/members
{a.pw_name}: {a.pw_name}, out@far.test
ring: gnir
gnir: ring
null: /dev/null
""")
    mx.start()
    mx.send("both@example.test")
    wait_mails(b, 1)
    wait_mails(a, 1)
    assert hop.wait(1)[0]["recipients"] == ["out@far.test"]     # a's alias names a, and one more
    assert b"Delivered-To: both@example.test" in hop.messages[0]["data"]
    mx.wait_log(r"local\[\d+\]: \w+: to=<both@example\.test>, relay=local, .*status=sent \(forwarded as (\w+)\)")
    mx.send("nested@example.test")
    wait_mails(b, 2)
    hop.wait(2)
    time.sleep(0.3)
    assert len(mails(a)) == 2 and len(mails(b)) == 2 and len(hop.messages) == 2
    mx.send("filed@example.test")
    outcome(mx, "filed@example.test", "sent", rf"delivered to file: {drop}/file\)")
    assert (drop / "file").read_bytes().startswith(b"From sender@client.test  ")
    assert (drop / "file").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    mx.send("boxed@example.test")
    outcome(mx, "boxed@example.test", "sent", r"delivered to maildir\)")
    mx.send("piped@example.test")
    outcome(mx, "piped@example.test", "sent", r"delivered to command: cat >")
    assert (drop / "who").read_text() == "nobody\n"
    assert (drop / "piped").read_bytes().startswith(b"From sender@client.test  ")
    mx.send("listed@example.test")
    wait_mails(b, 3)
    assert hop.wait(3)[2]["recipients"] == ["far@far.test"]
    mx.send("missing@example.test")
    assert outcome(mx, "missing@example.test", "bounced", "unable to lookup :include: file").group(1) == "5.3.5"
    mx.send("ring@example.test")
    mx.wait_log(r"dsn=5\.4\.6, status=bounced \(alias database loop for \w+\)")
    mx.send("null@example.test")
    outcome(mx, "null@example.test", "sent", r"delivered to file: /dev/null\)")


def test_a_list_with_an_owner_has_its_own_sender(instance, users, sink):
    a, b = users
    hop = sink()
    mx = instance(start=False, relayhost=f"[127.0.0.1]:{hop.port}")
    aliases(mx, f"list: {b.pw_name}, x@far.test, y@far.test\nowner-list: {a.pw_name}\n")
    mx.start()
    mx.send("list@example.test")
    m = hop.wait(1)[0]
    assert m["sender"] == "owner-list@mx.example.test" and sorted(m["recipients"]) == ["x@far.test", "y@far.test"]
    assert b"Return-Path: <owner-list@mx.example.test>" in wait_mails(b, 1)[0]
    ids = {i.group(1) for i in mx.wait_log(r"status=sent \(forwarded as (\w+)\)")}
    assert len(ids) == 1


def test_commands_and_files_where_they_may_not_stand(instance, users):
    a, _ = users
    mx = instance(start=False)
    include = mx.dir / "include"
    include.write_text('"|touch /nonexistent/x"\n/nonexistent/file\n')
    aliases(mx, f"inc: :include:{include}\n")
    mx.start()
    mx.send("inc@example.test")
    assert outcome(mx, "inc@example.test", "bounced", r"mail to command is restricted\)").group(1) == "5.7.1"
    outcome(mx, "inc@example.test", "bounced", r"mail to file is restricted\)")
    reload(mx, allow_mail_to_commands="alias")
    write(a, ".forward", '"|touch x"\n')
    mx.send(at(a))
    outcome(mx, at(a), "bounced", r"mail to command is restricted\)")


# ---- .forward

def test_forward_files_of_every_kind(instance, users, sink):
    a, b = users
    hop = sink()
    mx = instance(relayhost=f"[127.0.0.1]:{hop.port}")
    home = pathlib.Path(a.pw_dir)
    write(a, ".forward", f"# mine\n\\{a.pw_name}, {b.pw_name}, me@far.test\n\"|id -un >{home}/who; pwd >{home}/where\"\n{home}/copy\n")
    mx.send(at(a))
    wait_mails(a, 1)
    assert b"Delivered-To: %s" % at(a).encode() in wait_mails(b, 1)[0]
    assert hop.wait(1)[0]["sender"] == "sender@client.test"
    assert (home / "who").read_text() == a.pw_name + "\n"
    assert (home / "copy").stat().st_uid == a.pw_uid
    write(a, ".forward", "")
    mx.send(at(a))
    wait_mails(a, 2)
    write(a, ".forward", at(a))
    mx.send(at(a))
    wait_mails(a, 3)


@pytest.mark.parametrize("how", ["world-writable", "another's", "a link", "a fifo", "unreadable"])
def test_forward_files_that_are_not_trusted(instance, users, how):
    a, b = users
    mx = instance()
    path = write(a, ".forward", f"{b.pw_name}\n")
    if how == "world-writable":
        path.chmod(0o666)
    elif how == "another's":
        own(path, b, 0o644)
    elif how == "unreadable":
        path.chmod(0)
    else:
        path.unlink()
        if how == "a link":
            path.symlink_to(write(a, "real", f"{b.pw_name}\n"))
        else:
            os.mkfifo(path)
    mx.send(at(a))
    wait_mails(a, 1)
    assert mails(b) == []
    mx.wait_log(r"local\[\d+\]: warning: (file \S+\.forward (is world writable|has bad owner uid \d+|is not a regular file)|cannot open file)")


def test_a_group_writable_forward_is_used(instance, users):
    a, b = users
    mx = instance()
    write(a, ".forward", f"{b.pw_name}\n", 0o664)
    mx.send(at(a))
    wait_mails(b, 1)


def test_users_who_forward_to_each_other_end_in_a_bounce(instance, users):
    a, b = users
    mx = instance()
    write(a, ".forward", f"{b.pw_name}\n")
    write(b, ".forward", f"{a.pw_name}\n")
    mx.send(at(a), sender="")
    mx.wait_log(r"dsn=5\.4\.6, status=bounced \(mail forwarding loop for \S+\)")
    eventually(lambda: "Mail queue is empty" in mx.mailq(), 10, "an empty queue")
    assert mails(a) == mails(b) == []


# ---- commands

@pytest.mark.parametrize("command,dsn,status,text", [
    ("/bin/true", "2.0.0", "sent", "delivered to command: /bin/true"),
    ("exit 67", "5.1.1", "bounced", "user unknown"),
    ("echo try later; exit 75", "4.3.0", "deferred", "temporary failure. Command output: try later"),
    ("echo 4.2.2 over quota; exit 1", "4.2.2", "deferred", "over quota"),
    ("exit 3", "5.3.0", "bounced", 'Command died with status 3: "exit 3"'),
    ("kill -9 $$", "4.3.0", "deferred", "Command died with signal 9: "),
    ("/nonexistent/program", "4.3.0", "deferred", "temporary failure. Command output: local: fatal: execvp /nonexistent/program"),
    ("nonexistent-program", "5.3.0", "bounced", "Command died with status 127: "),
    ("sleep 60", "5.3.0", "bounced", 'Command time limit exceeded: "sleep 60"'),
    ("sleep 60 & wait", "5.3.0", "bounced", "Command time limit exceeded: "),
])
def test_what_becomes_of_commands(instance, users, command, dsn, status, text):
    a, _ = users
    mx = instance(mailbox_command=command, command_time_limit="2s")
    mx.send(at(a), "Subject: x\r\n\r\n" + ("x" * 70 + "\r\n") * 3000)     # more than a pipe takes
    assert outcome(mx, at(a), status, re.escape(text)).group(1) == dsn


def test_what_a_command_finds_around_it(instance, users):
    a, _ = users
    home = pathlib.Path(a.pw_dir)
    mx = instance(mailbox_command=f"env >{home}/env; pwd >{home}/pwd; ls -l /proc/self/fd >{home}/fd; cat >{home}/mail",
                  recipient_delimiter="+", command_execution_directory="$home")
    mx.send(f"{a.pw_name}+ex`t@example.test", sender="some`one@client.test")
    mx.wait_log("status=sent")
    env = dict(line.split("=", 1) for line in (home / "env").read_text().splitlines())
    assert env["USER"] == env["LOGNAME"] == a.pw_name
    assert env["HOME"] == a.pw_dir and env["SHELL"] == "/bin/sh" and env["DOMAIN"] == "example.test"
    assert env["EXTENSION"] == "ex_t" and env["LOCAL"] == f"{a.pw_name}+ex_t"
    assert env["SENDER"] == "some_one@client.test" and env["CLIENT_ADDRESS"] == "127.0.0.1"
    assert env["CLIENT_PROTOCOL"] == "ESMTP" and env["PATH"] == "/usr/bin:/bin"
    assert env["RECIPIENT"] == f"{a.pw_name}+ex_t@example.test" == env["ORIGINAL_RECIPIENT"]
    assert (home / "pwd").read_text() == f"{home}\n"
    open_files = (home / "fd").read_text()
    assert "socket:" not in open_files and str(mx.queue) not in open_files
    text = (home / "mail").read_bytes()
    assert text.startswith(b"From ") and b"\r" not in text and text.endswith(b"\nhello\n")
    assert (home / "mail").stat().st_uid == a.pw_uid
