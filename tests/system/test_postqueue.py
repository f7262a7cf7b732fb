# SPDX-License-Identifier: ISC
"""postqueue, postsuper, postcat and showq, with the system up and down."""
import json
import re
import socket
import threading

import pytest

from harness import eventually
from qmgr_world import DEFERRED, SENT, World


@pytest.fixture
def world():
    made = []

    def make(**settings):
        made.append(World(**dict({"minimal_backoff_time": "1000s", "maximal_backoff_time": "4000s"}, **settings)))
        made[-1].agent.answer = lambda r, a: (DEFERRED, "4.4.1", "connect to x.test[192.0.2.1]:25: Connection refused")
        return made[-1]

    yield make
    for w in made:
        w.close()


def listing(w):
    out = w.i.run("postqueue", "-j").stdout.decode()
    return {e["queue_id"]: e for e in map(json.loads, out.splitlines())}


def deferred(w, *recipients, **kw):
    qid = w.put(*recipients, **kw)
    eventually(lambda: listing(w).get(qid, {}).get("queue_name") == "deferred", what="deferral")
    return qid


def test_traditional_listing(world):
    w = world()
    qid = deferred(w, "a@x.test", "b@x.test")
    lines = w.i.mailq().splitlines()
    assert lines[0] == "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------"
    assert re.fullmatch(rf"{qid} +24 \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d sender@client\.test", lines[1])
    assert lines[2] == "(connect to x.test[192.0.2.1]:25: Connection refused)".rjust(78)
    assert lines[3:5] == [" " * 47 + "a@x.test", " " * 47 + "b@x.test"]
    assert lines[5] == ""
    assert lines[6] == "-- 0 Kbytes in 1 Request."


def test_active_mark(world):
    w = world()
    w.agent.gate = threading.Event()
    qid = w.put("a@x.test", sender="")
    eventually(lambda: w.agent.requests)
    assert re.search(rf"^{re.escape(qid)}\* .* MAILER-DAEMON$", w.i.mailq(), re.M)
    assert listing(w)[qid]["queue_name"] == "active"
    w.agent.gate.set()


def test_socket_protocol(world):
    """Byte for byte what Postfix's postqueue and monitors read."""
    w = world()
    qid = deferred(w, "a@x.test")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(w.i.queue / "public" / "showq"))
        data = b""
        while part := s.recv(65536):
            data += part
    time = data.split(b"\0")[data.split(b"\0").index(b"time") + 1]
    assert data == b"\0".join([
        b"protocol", b"mail_queue_list_protocol", b"", b"queue_name", b"deferred", b"queue_id", qid.encode(),
        b"time", time, b"size", b"24", b"forced_expire", b"0", b"sender", b"sender@client.test",
        b"recipient", b"a@x.test", b"reason", b"connect to x.test[192.0.2.1]:25: Connection refused", b"", b"", b""])


def test_system_down(world):
    w = world()
    qid = deferred(w, "a@x.test")
    w.i.stop()
    r = w.i.run("postqueue", "-p")
    assert b"postqueue: warning: Mail system is down -- accessing queue directly (Connect to the Postfix " \
           b"showq service: " in r.stderr
    assert qid in r.stdout.decode() and "-- 0 Kbytes in 1 Request." in r.stdout.decode()
    r = w.i.run("postqueue", "-f", check=False)
    assert r.returncode == 69
    assert b"postqueue: fatal: Cannot flush mail queue - mail system is down" in r.stderr


@pytest.mark.parametrize("arguments", [[], ["-Z"], ["-i", "a/b"], ["-s", "exa mple"], ["-p", "-f"]])
def test_usage(world, arguments):
    w = world()
    r = w.i.run("postqueue", *arguments, check=False)
    assert r.returncode == 69
    assert b"fatal: " in r.stderr


def test_unknown_id_is_no_error(world):
    w = world()
    assert w.i.run("postqueue", "-i", "4bTZcK1B9mz2ZF4").returncode == 0
    r = w.i.run("postsuper", "-d", "4bTZcK1B9mz2ZF4", "-h", "ABCDEF0123")
    assert r.returncode == 0
    assert r.stderr == b"postsuper: Deleted: 0 messages\npostsuper: Placed on hold: 0 messages\n"


def test_users_who_may_not(world):
    w = world(authorized_mailq_users="root, nobodyelse", authorized_flush_users="root")
    for option, what in (("-p", "view"), ("-f", "flush")):
        r = w.i.run("postqueue", option, check=False, user="nobody")
        assert r.returncode == 69
        assert f"User nobody(65534) is not allowed to {what} the mail queue".encode() in r.stderr


def test_delete(world):
    w = world()
    ids = [deferred(w, f"u{n}@x.test") for n in range(3)]
    r = w.i.run("postsuper", "-d", ids[0])
    assert f"postsuper: {ids[0]}: removed\npostsuper: Deleted: 1 message\n" == r.stderr.decode()
    w.i.wait_log(f"postfix/postsuper\\[\\d+\\]: {ids[0]}: removed")
    assert set(listing(w)) == set(ids[1:])
    r = w.i.run("postsuper", "-d", "-", input="\n".join(ids[1:]) + "\n")
    assert "Deleted: 2 messages" in r.stderr.decode()
    assert listing(w) == {}


def test_delete_active(world):
    w = world()
    w.agent.gate = threading.Event()
    w.agent.answer = lambda r, a: (DEFERRED, "4.2.0", "later")
    qid = w.put("a@x.test")
    eventually(lambda: w.agent.requests)
    r = w.i.run("postsuper", "-d", qid)
    assert b"Deleted: 1 message" in r.stderr
    w.agent.gate.set()
    eventually(lambda: listing(w) == {}, what="an empty queue")
    assert len(w.agent.requests) == 1


def test_hold_release_requeue(world):
    w = world()
    qid = deferred(w, "a@x.test")
    other = deferred(w, "b@x.test")
    r = w.i.run("postsuper", "-h", qid)
    assert b"Placed on hold: 1 message" in r.stderr
    assert listing(w)[qid]["queue_name"] == "hold"
    w.agent.answer = lambda r, a: (SENT, "2.0.0", "ok")
    w.i.flush()
    w.i.wait_log(f"{other}: removed")
    assert set(listing(w)) == {qid}
    r = w.i.run("postsuper", "-H", "ALL")
    assert b"Released from hold: 1 message" in r.stderr
    w.i.wait_log(f"{qid}: removed")


def test_requeue(world):
    w = world()
    qid = deferred(w, "a@x.test")
    r = w.i.run("postsuper", "-r", "ALL", "deferred")
    assert b"Requeued: 1 message" in r.stderr
    # nobody takes it from there here: test_requeue.py
    assert {e["queue_name"]: e["recipients"] for e in listing(w).values()} == {"maildrop": [{"address": "a@x.test"}]}
    assert not list((w.i.queue / "deferred").iterdir()) and qid not in w.i.mailq()


def test_queue_names(world):
    w = world()
    qid = deferred(w, "a@x.test")
    r = w.i.run("postsuper", "-d", "ALL", "hold")
    assert r.stderr == b"postsuper: Deleted: 0 messages\n" and qid in listing(w)
    r = w.i.run("postsuper", "-d", "ALL", "nowhere", check=False)
    assert r.returncode == 1 and b"invalid directory name: nowhere" in r.stderr
    w.i.run("postsuper", "-d", "ALL", "deferred")
    assert listing(w) == {}


def test_forced_expiration_frees_what_is_held(world):
    w = world()
    ids = [deferred(w, "a@x.test"), deferred(w, "b@x.test")]
    w.i.run("postsuper", "-h", "ALL")
    r = w.i.run("postsuper", "-e", ids[0], "-f", ids[1])
    assert r.stderr.decode() == (f"postsuper: {ids[0]}: expired\npostsuper: {ids[1]}: expired\n"
                                 f"postsuper: {ids[1]}: released from hold\n"
                                 "postsuper: Force-expired: 2 messages\npostsuper: Released from hold: 1 message\n")
    eventually(lambda: ids[1] not in listing(w), what="the return of the one that -f freed")
    assert listing(w)[ids[0]]["queue_name"] == "hold"


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_dry_run(world, up):
    w = world()
    ids = [deferred(w, "a@x.test"), deferred(w, "b@x.test")]
    w.i.run("postsuper", "-h", ids[1])
    w.i.wait_log("postsuper.*Placed on hold: 1 message")
    if not up:
        w.i.stop()
    before = listing(w)
    log = w.i.log()
    for option, names, what, total in [("-d", ids, "removed", "Deleted"), ("-h", ids[:1], "placed on hold", "Placed on hold"),
                                       ("-H", ids[1:], "released from hold", "Released from hold"),
                                       ("-r", ids, "requeued", "Requeued"), ("-e", ids, "expired", "Force-expired")]:
        for order in (["ALL"], ["-"]):
            r = w.i.run("postsuper", "-n", option, *order, input="\n".join(ids) if order == ["-"] else None)
            lines = r.stderr.decode().splitlines()
            assert sorted(lines[:-1]) == sorted(f"postsuper: {i}: would be {what}" for i in names)
            plural = "s" if len(names) > 1 else ""
            assert lines[-1] == f"postsuper: {total} (not really, for -n): {len(names)} message{plural}"
    assert listing(w) == before
    assert "postsuper" not in w.i.log()[len(log):]


def test_dry_run_in_maildrop(world):
    w = world()
    drop = w.i.queue / "maildrop" / "ABCDEF123"
    drop.write_bytes(b"x")
    r = w.i.run("postsuper", "-n", "-d", "ALL", "maildrop")
    assert b"ABCDEF123: would be removed" in r.stderr and drop.exists()
    w.i.run("postsuper", "-d", "ALL", "maildrop")
    assert not drop.exists()


# ---- what postqueue offers beyond Postfix's


def put_three(w):
    """Two deferred for different reasons, one of them old, and one on hold."""
    w.agent.answer = lambda r, a: (DEFERRED, "4.4.1", "timed out" if "slow" in a else "Connection refused")
    old = deferred(w, "a@x.test", "b@slow.test", sender="boss@corp.test", ago=7200)
    new = deferred(w, "c@y.test", sender="")
    held = deferred(w, "d@sub.x.test", sender="Other@Corp.test")
    w.i.run("postsuper", "-h", held)
    return old, new, held


def test_filters(world):
    w = world()
    old, new, held = put_three(w)

    def ids(*arguments):
        return set(w.i.run("postqueue", "--ids", *arguments).stdout.decode().split())

    for arguments, wanted in [
            ([], {old, new, held}),
            (["--sender", "*@corp.test"], {old, held}),
            (["--sender", "MAILER-DAEMON"], {new}),
            (["--sender", "boss@*", "--sender", "other@*"], {old, held}),
            (["--recipient", "?@x.test"], {old}),
            (["--domain", "x.test"], {old}),
            (["--domain", "*x.test"], {old, held}),
            (["--domain", "[y]*"], {new}),
            (["--reason", "refused"], {old, new, held}),
            (["--reason", "TIMED*out"], {old}),
            (["--status", "hold"], {held}),
            (["--status", "hold", "--status", "deferred"], {old, new, held}),
            (["--status", "active"], set()),
            (["--older", "1h"], {old}),
            (["--newer", "1h"], {new, held}),
            (["--older=1h30m", "--domain=y.test"], set()),
            (["--sender", "*@corp.test", "--status", "deferred"], {old})]:
        assert ids(*arguments) == wanted, arguments
        found = w.i.run("postqueue", "-j", *arguments).stdout.decode().splitlines()
        assert {json.loads(line)["queue_id"] for line in found} == wanted
        said = w.i.run("postqueue", "-p", *arguments).stdout.decode()
        assert {i for i in (old, new, held) if i in said} == wanted
        if len(wanted) > 1:
            assert said.endswith(f" in {len(wanted)} Requests.\n")
        elif not wanted:
            assert said == "No message in the mail queue matches\n"
    r = w.i.run("postsuper", "-d", "-", input="\n".join(ids("--sender", "*@corp.test")))
    assert b"Deleted: 2 messages" in r.stderr and ids() == {new}


@pytest.mark.parametrize("arguments, said", [
    (["-p", "--older", "yesterday"], 'bad time "yesterday": numbers with the units s m h d w are allowed'),
    (["-p", "--status", "frozen"], 'bad status "frozen": active, deferred, hold, incoming or maildrop is allowed'),
    (["--shape=x"], '--shape: bad value "x": recipient or sender is allowed'),
    (["-p", "--sender", "x" * 2000], "pattern of more than 1000 bytes"),
    (["-f", "--sender", "x"], "usage: "), (["-j", "--long"], "usage: "), (["--ids", "-p"], "usage: "), (["--nosuch"], "usage: ")])
def test_bad_arguments(world, arguments, said):
    r = world().i.run("postqueue", *arguments, check=False)
    assert r.returncode == 69 and said in r.stderr.decode()


def test_next_try(world):
    w = world()
    old, new, held = put_three(w)
    found = listing(w)
    assert "next_try_time" not in found[held]
    assert 900 < found[new]["next_try_time"] - found[new]["arrival_time"] < 5000
    said = w.i.run("postqueue", "-p", "--long", "--status", "deferred").stdout.decode()
    assert len(re.findall(r"^ +next try: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \(in \d+h\d\dm\d\ds\)$", said, re.M)) == 2
    assert "next try" not in w.i.mailq()


def test_shape(world):
    w = world()
    put_three(w)

    def table(*arguments):
        lines = w.i.run("postqueue", *arguments).stdout.decode().splitlines()
        assert lines[0].split() == ["T", "5", "10", "20", "40", "80", "160", "320", "640", "1280", "1280+"]
        assert len({len(line) for line in lines}) == 1
        return {line.split()[0]: [int(n) for n in line.split()[1:]] for line in lines[1:]}

    young, aged = [1, 1] + [0] * 9, [1] + [0] * 5 + [1] + [0] * 4
    assert table("--shape") == {"TOTAL": [4, 2] + [0] * 4 + [2] + [0] * 4, "x.test": aged, "slow.test": aged,
                                "y.test": young, "sub.x.test": young}
    assert table("--shape=sender", "--older", "1h") == {"TOTAL": aged, "corp.test": aged}
    assert list(table("--shape=sender")) == ["TOTAL", "corp.test", "mailer-daemon"]


def test_postsuper_with_the_system_down(world):
    w = world()
    ids = [deferred(w, f"u{n}@x.test") for n in range(3)]
    w.i.stop()
    w.i.run("postsuper", "-d", ids[0])
    w.i.run("postsuper", "-h", ids[1])
    w.i.run("postsuper", "-s")
    w.i.run("postsuper")
    found = listing(w)
    assert {q: e["queue_name"] for q, e in found.items()} == {ids[1]: "hold", ids[2]: "deferred"}
    w.i.run("postrider", "start")
    w.agent.answer = lambda r, a: (SENT, "2.0.0", "ok")
    w.i.run("postsuper", "-H", ids[1])
    w.i.flush()
    eventually(lambda: listing(w) == {}, what="an empty queue")


def test_a_message_on_the_move_is_listed(world):
    w = world()
    w.agent.gate = threading.Event()
    w.put("a@x.test", count=1500)
    eventually(lambda: len(listing(w)) == 1500, 30, "all messages in the queue")
    w.agent.gate.set()
    while len(list((w.i.queue / "deferred").iterdir())) < 1500:
        assert len(listing(w)) == 1500
    assert len(listing(w)) == 1500


def test_only_root(world):
    w = world()
    r = w.i.run("postsuper", "-d", "ALL", check=False, user="nobody")
    assert r.returncode == 1
    assert b"use of this command is reserved for the superuser" in r.stderr


def test_postcat(world):
    w = world()
    qid = deferred(w, "a@x.test", content="Subject: test\r\nX: y\r\n\r\nhello\r\n\r\n.dot\r\n")
    out = w.i.run("postcat", "-q", qid).stdout.decode()
    assert f"*** ENVELOPE RECORDS deferred/{qid} ***" in out
    assert "sender: sender@client.test\n" in out and "recipient: a@x.test\n" in out
    assert f"*** MESSAGE CONTENTS deferred/{qid} ***\nSubject: test\nX: y\n\nhello\n\n.dot\n*** HEADER EXTRACTED" in out
    assert w.i.run("postcat", "-hq", qid).stdout == b"Subject: test\nX: y\n"
    assert w.i.run("postcat", "-bq", qid).stdout == b"\nhello\n\n.dot\n"
    at = re.search(r"^ *(\d+) hello$", w.i.run("postcat", "-obq", qid).stdout.decode(), re.M)[1]
    assert w.i.run("postcat", "-q", "-s", at, qid).stdout == b"hello\n\n.dot\n"
    assert w.i.run("postcat", "-bq", "-s", at, qid).stdout == b"hello\n\n.dot\n"
    assert b"bad offset" in w.i.run("postcat", "-q", "-s", "x", qid, check=False).stderr
    r = w.i.run("postcat", "-q", "4bTZcK1B9mz2ZF4", check=False)
    assert r.returncode == 1 and b"No such file or directory" in r.stderr
