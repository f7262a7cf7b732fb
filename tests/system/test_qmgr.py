# SPDX-License-Identifier: ISC
"""The queue manager with agents and bounce daemon played by the test."""
import json
import os
import re
import signal
import threading
import time

from harness import eventually
from qmgr_world import BOUNCED, DEFERRED, DELAY, FAILURE, SENT, SUCCESS, Claim


def listing(w):
    out = w.i.run("postqueue", "-j").stdout.decode()
    return {e["queue_id"]: e for e in map(json.loads, out.splitlines())}


def empty(w):
    return listing(w) == {}


def test_delivered_and_removed(world):
    w = world()
    qid = w.put("a@x.test", "b@x.test", "c@y.test")
    w.i.wait_log(f"qmgr\\[\\d+\\]: {qid}: from=<sender@client.test>, size=24, nrcpt=3 \\(queue active\\)")
    w.i.wait_log(f"qmgr\\[\\d+\\]: {qid}: removed")
    assert sorted(w.agent.addresses()) == ["a@x.test", "b@x.test", "c@y.test"]
    # One destination is one delivery, and the content is the message.
    assert len(w.agent.requests) == 2
    assert {r["content"] for r in w.agent.requests} == {b"Subject: test\r\n\r\nhello\r\n"}
    assert w.bounce.requests == []
    eventually(lambda: empty(w), what="an empty queue")
    assert w.i.mailq() == "Mail queue is empty\n"


def test_duplicates_are_delivered_once(world):
    w = world()
    qid = w.put("a@x.test", "a@x.test", "a@x.test")
    w.i.wait_log(f"{qid}: removed")
    assert w.agent.addresses() == ["a@x.test"]


def test_connections_are_kept(world):
    w = world()
    for n in range(20):
        qid = w.put(f"u{n}@x.test")
        w.i.wait_log(f"{qid}: removed")
    assert w.agent.connections == 1


def test_deferred_then_delivered(world):
    w = world()
    w.agent.answer = lambda r, a: (DEFERRED, "4.2.0", "busy now") if r["tries"] == 0 else (SENT, "2.0.0", "ok")
    qid = w.put("a@x.test")
    e = eventually(lambda: listing(w).get(qid, {}).get("queue_name") == "deferred" and listing(w)[qid],
                   what="deferral")
    assert e["recipients"] == [{"address": "a@x.test", "delay_reason": "busy now"}]
    w.i.wait_log(f"{qid}: removed", 20)
    times = [r["tries"] for r in w.agent.requests]
    assert times == [0, 1]


def test_only_the_deferred_recipient_is_tried_again(world):
    w = world(minimal_backoff_time="1s", maximal_backoff_time="1s")
    seen = []

    def answer(r, a):
        seen.append(a)
        if a.startswith("later") and seen.count(a) == 1:
            return DEFERRED, "4.2.0", "not yet"
        return SENT, "2.0.0", "ok"

    w.agent.answer = answer
    qid = w.put("now@x.test", "later@x.test")
    w.i.wait_log(f"{qid}: removed", 20)
    assert seen.count("now@x.test") == 1 and seen.count("later@x.test") == 2


def test_flush(world):
    w = world(minimal_backoff_time="1000s", maximal_backoff_time="4000s")
    w.agent.answer = lambda r, a: (DEFERRED, "4.2.0", "busy")
    ids = [w.put(f"u@d{n}.test") for n in range(3)]
    eventually(lambda: [listing(w).get(q, {}).get("queue_name") for q in ids] == ["deferred"] * 3)
    w.agent.answer = lambda r, a: (SENT, "2.0.0", "ok")
    w.i.run("postqueue", "-i", ids[1])
    w.i.wait_log(f"{ids[1]}: removed")
    assert set(listing(w)) == {ids[0], ids[2]}
    w.i.run("postqueue", "-f")
    w.i.wait_log(f"{ids[0]}: removed")
    w.i.wait_log(f"{ids[2]}: removed")


def test_flush_site(world):
    w = world(minimal_backoff_time="1000s", maximal_backoff_time="4000s", fast_flush_domains="d1.test")
    w.agent.answer = lambda r, a: (DEFERRED, "4.2.0", "busy")
    ids = [w.put(f"u@d{n}.test") for n in range(3)]
    eventually(lambda: [listing(w).get(q, {}).get("queue_name") for q in ids] == ["deferred"] * 3)
    w.agent.answer = lambda r, a: (SENT, "2.0.0", "ok")
    w.i.run("postqueue", "-s", "d1.test")
    w.i.wait_log(f"{ids[1]}: removed")
    assert set(listing(w)) == {ids[0], ids[2]}
    r = w.i.run("postqueue", "-s", "d2.test", check=False)
    assert r.returncode == 69
    assert b'fatal: Flush service is not configured for destination "d2.test"' in r.stderr


def test_bounce(world):
    w = world()
    w.agent.answer = lambda r, a: (BOUNCED, "5.1.1", "no such user") if a.startswith("bad") else (SENT, "2.0.0", "ok")
    qid = w.put("good@x.test", "bad@x.test")
    w.i.wait_log(f"{qid}: removed")
    assert len(w.bounce.requests) == 1
    r = w.bounce.requests[0]
    assert (r["kind"], r["queue_id"], r["sender"]) == (FAILURE, qid, "sender@client.test")
    assert [(p["address"], p["dsn"], p["action"], p["text"]) for p in r["recipients"]] == [
        ("bad@x.test", "5.1.1", "failed", "no such user")]
    assert r["content"] == b"Subject: test\r\n\r\nhello\r\n"


def test_bounce_unavailable_keeps_the_message(world):
    w = world(minimal_backoff_time="1s", maximal_backoff_time="2s")
    w.bounce.outcome = 1
    w.agent.answer = lambda r, a: (BOUNCED, "5.1.1", "no such user")
    qid = w.put("bad@x.test")
    eventually(lambda: len(w.bounce.requests) >= 2, 20, "a second try of the report")
    assert qid in listing(w)
    w.bounce.outcome = 0
    w.i.wait_log(f"{qid}: removed", 20)
    assert len(w.agent.requests) == 1


def test_notify_never_and_success(world):
    w = world()
    w.agent.answer = lambda r, a: (BOUNCED, "5.1.1", "no") if a.startswith("bad") else (SENT, "2.0.0", "ok")
    qid = w.put("bad@x.test", notify=1)
    w.i.wait_log(f"{qid}: removed")
    assert w.bounce.requests == []
    qid = w.put("good@x.test", notify=2)
    w.i.wait_log(f"{qid}: removed")
    assert [(r["kind"], r["recipients"][0]["action"]) for r in w.bounce.requests] == [(SUCCESS, "relayed")]


def test_null_sender_failure(world):
    w = world()
    w.agent.answer = lambda r, a: (BOUNCED, "5.1.1", "no")
    qid = w.put("bad@x.test", sender="")
    w.i.wait_log(f"{qid}: removed")
    assert w.bounce.requests == []
    old = w.i.pids("qmgr")
    w.i.set(notify_classes="2bounce, resource, software")
    w.i.reload()
    eventually(lambda: w.i.pids("qmgr") not in (old, []), what="a new qmgr")
    qid = w.put("bad@x.test", sender="")
    w.i.wait_log(f"{qid}: removed")
    assert [r["sender"] for r in w.bounce.requests] == [""]


def test_soft_bounce(world):
    w = world(soft_bounce="yes", minimal_backoff_time="1000s", maximal_backoff_time="4000s")
    w.agent.answer = lambda r, a: (BOUNCED, "5.1.1", "no")
    qid = w.put("bad@x.test")
    eventually(lambda: listing(w).get(qid, {}).get("queue_name") == "deferred")
    assert w.bounce.requests == []


def test_expiry(world):
    w = world(maximal_queue_lifetime="1d")
    w.agent.answer = lambda r, a: (DEFERRED, "4.4.1", "no answer")
    qid = w.put("a@x.test", ago=100000)
    w.i.wait_log(f"{qid}: from=<sender@client.test>, status=expired, returned to sender")
    w.i.wait_log(f"{qid}: removed")
    assert [(r["kind"], r["recipients"][0]["dsn"]) for r in w.bounce.requests] == [(FAILURE, "4.4.1")]


def test_delay_warning_once(world):
    w = world(delay_warning_time="1h", minimal_backoff_time="1s", maximal_backoff_time="1s")
    w.agent.answer = lambda r, a: (DEFERRED, "4.4.1", "no answer")
    w.put("a@x.test", ago=4000)
    eventually(lambda: len(w.agent.requests) >= 4, 20, "four tries")
    assert [r["kind"] for r in w.bounce.requests] == [DELAY]


def test_agent_dies_in_the_middle(world):
    """What it reported counts; what it did not is tried again."""
    w = world(minimal_backoff_time="1s", maximal_backoff_time="1s")
    seen = []

    def answer(r, a):
        seen.append(a)
        return None if a.startswith("b") and seen.count(a) == 1 else (SENT, "2.0.0", "ok")

    w.agent.answer = answer
    w.agent.drop = True
    qid = w.put("a@x.test", "b@x.test")
    w.i.wait_log(f"{qid}: to=<b@x.test>, relay=none, .*dsn=4.3.0, status=deferred \\(unknown mail transport error\\)")
    w.agent.drop = False
    w.i.wait_log(f"{qid}: removed", 20)
    assert seen.count("a@x.test") == 1 and seen.count("b@x.test") == 2


def test_no_agent_at_all(world):
    w = world(minimal_backoff_time="1s", maximal_backoff_time="2s")
    w.agent.stop()
    qid = w.put("a@x.test")
    w.i.wait_log(f"{qid}: to=<a@x.test>, .*status=deferred \\(mail transport unavailable\\)")
    w.agent.listen()
    w.i.wait_log(f"{qid}: removed", 30)
    assert w.agent.addresses() == ["a@x.test"]


def test_stale_connection_is_not_held_against_the_mail(world):
    w = world()
    qid = w.put("a@x.test")
    w.i.wait_log(f"{qid}: removed")
    w.agent.stop()
    w.agent.listen()
    qid = w.put("b@x.test")
    w.i.wait_log(f"{qid}: removed")
    assert w.agent.addresses() == ["a@x.test", "b@x.test"]
    assert "status=deferred" not in w.i.log()


def test_dead_destination(world):
    """After the first cohort has failed, the rest is deferred by `retry` without a try."""
    w = world(minimal_backoff_time="1000s", maximal_backoff_time="4000s", initial_destination_concurrency="1")
    w.agent.answer = lambda r, a: (DEFERRED, "4.4.1", "connect to d.test: refused")
    w.agent.host_dead = True
    w.agent.dead_text = "connect to d.test: refused"
    w.put("a@d.test")
    eventually(lambda: len(w.agent.requests) == 1)
    ids = [w.put(f"u{n}@d.test") for n in range(5)]
    for q in ids:
        w.i.wait_log(f"error\\[\\d+\\]: {q}: to=<u\\d@d.test>, relay=none, .*dsn=4.4.1, status=deferred "
                     "\\(delivery temporarily suspended: connect to d.test: refused\\)")
    assert len(w.agent.requests) == 1
    w.agent.answer = lambda r, a: (SENT, "2.0.0", "ok")
    w.agent.host_dead = False
    w.i.flush()
    for q in ids:
        w.i.wait_log(f"{q}: removed")


def test_concurrency_limit(world):
    w = world(default_destination_concurrency_limit="3", initial_destination_concurrency="3")
    w.agent.gate = threading.Event()
    for n in range(8):
        w.put(f"u{n}@x.test")
    eventually(lambda: len(w.agent.requests) == 3)
    time.sleep(0.3)
    assert len(w.agent.requests) == 3
    w.agent.gate.set()
    eventually(lambda: empty(w), what="an empty queue")
    assert len(w.agent.addresses()) == 8


def test_defer_transports(world):
    w = world(defer_transports="stub", minimal_backoff_time="1000s", maximal_backoff_time="4000s")
    qid = w.put("a@x.test")
    w.i.wait_log(f"{qid}: to=<a@x.test>, .*status=deferred \\(deferred transport\\)")
    eventually(lambda: listing(w).get(qid, {}).get("queue_name") == "deferred")
    assert w.agent.requests == []
    w.i.flush()
    w.i.wait_log(f"{qid}: removed")


def test_killed_qmgr_forgets_nothing(world):
    w = world(minimal_backoff_time="2s", maximal_backoff_time="2s")
    w.agent.answer = lambda r, a: (DEFERRED, "4.2.0", "later") if a.startswith("d") else (SENT, "2.0.0", "ok")
    ids = [w.put(f"s{n}@x.test", f"d{n}@y.test") for n in range(10)]
    eventually(lambda: sum(e["queue_name"] == "deferred" for e in listing(w).values()) == 10)
    for pid in w.i.pids("qmgr"):
        os.kill(pid, signal.SIGKILL)
    w.agent.answer = lambda r, a: (SENT, "2.0.0", "ok")
    for q in ids:
        w.i.wait_log(f"{q}: removed", 30)
    assert sum(a.startswith("s") for a in w.agent.addresses()) == 10


def test_unannounced_message_is_found(world):
    """A cleanup process that dies between its commit and telling qmgr."""
    w = world()
    w.put("first@x.test")
    qid = w.put("a@x.test", silent=True)
    w.i.wait_log(f"{qid}: removed", 20)
    assert "a@x.test" in w.agent.addresses()


def test_reload_loses_nothing(world):
    w = world()
    w.agent.gate = threading.Event()
    ids = [w.put(f"u{n}@x.test") for n in range(4)]
    eventually(lambda: len(w.agent.requests) == 4)
    threading.Timer(1.0, w.agent.gate.set).start()
    w.i.reload()
    ids.append(w.put("later@x.test"))
    for q in ids:
        w.i.wait_log(f"{q}: removed", 30)
    assert sorted(w.agent.addresses()) == ["later@x.test"] + [f"u{n}@x.test" for n in range(4)]


def test_hold_flag_and_release(world):
    w = world()
    qid = w.put("a@x.test", flags=1 << 6)
    eventually(lambda: listing(w).get(qid, {}).get("queue_name") == "hold")
    assert re.search(rf"^{qid}! ", w.i.mailq(), re.M)
    w.i.run("postsuper", "-H", qid)
    w.i.wait_log(f"{qid}: removed")
    assert w.agent.addresses() == ["a@x.test"]


def test_double_bounce_ends_here(world):
    w = world(double_bounce_sender="double-bounce", myorigin="$myhostname")
    qid = w.put("double-bounce@mx.example.test", sender="")
    w.i.wait_log(f"{qid}: removed")
    assert "undeliverable postmaster notification discarded" in w.i.log()
    assert w.agent.requests == []


def test_many(world):
    """Two hundred messages at once: each delivered once, whatever the order."""
    w = world()
    ids = [w.put(*[f"u{n}.{k}@d{k}.test" for k in range(3)]) for n in range(60)]
    for q in ids:
        w.i.wait_log(f"{q}: removed", 60)
    assert len(w.agent.addresses()) == 180
    assert len(set(w.agent.addresses())) == 180


def test_agent_with_a_full_backlog(world):
    """More deliveries at once than the agent's backlog takes: they wait, nothing is deferred."""
    w = world(default_destination_concurrency_limit="2000", initial_destination_concurrency="2000",
              default_process_limit="2000")
    w.agent.stop()
    w.agent.listen(backlog=3)
    w.put("u@d.test", count=300)
    eventually(lambda: empty(w), 60, "an empty queue")
    assert len(set(w.agent.addresses())) == len(w.agent.addresses()) == 300
    assert "status=deferred" not in w.i.log()


def test_killed_again_and_again(world):
    """The ledger: nothing is lost, and what is delivered twice was under way at a kill."""
    w = world(minimal_backoff_time="1s", maximal_backoff_time="1s")
    total, kills = 600, 4

    def put():
        for n in range(6):
            w.put(f"r{n}@d{n}.test", count=total // 6)

    def put_and_tell():
        try:
            put()
        except BaseException as e:  # a thread's exception would go unnoticed
            failed.append(e)

    failed = []
    t = threading.Thread(target=put_and_tell)
    t.start()
    for _ in range(kills):
        time.sleep(0.3)
        for pid in w.i.pids("qmgr"):
            os.kill(pid, signal.SIGKILL)
        # The master waits longer after each death; a client's message hurries nobody.
        eventually(lambda: w.i.pids("qmgr"), 30, "a new qmgr")
    t.join()
    assert failed == []
    eventually(lambda: empty(w), 60, "an empty queue")
    got = w.agent.addresses()
    assert len(set(got)) == total
    assert len(got) - total <= kills * 100


def put_off(w, *recipients):
    """A message that was deferred once and waits for a long time; its id."""
    w.agent.answer = lambda r, address: (DEFERRED, "4.0.0", "later")
    qid = w.put(*recipients)
    eventually(lambda: listing(w).get(qid, {}).get("queue_name") == "deferred")
    w.agent.answer = lambda r, address: (SENT, "2.0.0", "taken")
    w.agent.requests.clear()
    return qid


def test_what_is_claimed_is_not_tried(world):
    w = world(minimal_backoff_time="100s", maximal_backoff_time="100s")
    qid = put_off(w, "a@x.test", "b@x.test", "c@x.test")
    claim = Claim(w.i.queue, qid, 0, 2)
    w.i.flush()
    eventually(lambda: w.agent.addresses() == ["b@x.test"], 10, "the one that is free")
    w.i.flush()
    time.sleep(0.5)
    claim.tell(0)
    claim.tell(2)
    assert claim.over()
    w.i.wait_log(f"{qid}: removed")
    assert w.agent.addresses() == ["b@x.test"]


def test_a_claim_ends_with_its_agent(world):
    """What it told counts; the others are tried at once, whatever the back-off."""
    w = world(minimal_backoff_time="100s", maximal_backoff_time="100s")
    qid = put_off(w, "a@x.test", "b@x.test")
    claim = Claim(w.i.queue, qid, 0, 1)
    w.i.flush()
    time.sleep(0.5)
    claim.tell(1)
    assert w.agent.addresses() == []
    claim.die()
    w.i.wait_log(f"{qid}: removed", 5)
    assert w.agent.addresses() == ["a@x.test"]


def test_an_agent_may_die_while_others_deliver(world):
    w = world(minimal_backoff_time="100s", maximal_backoff_time="100s")
    qid = put_off(w, "a@x.test", "b@x.test")
    claim = Claim(w.i.queue, qid, 0)
    w.agent.gate = threading.Event()
    w.i.flush()
    eventually(lambda: w.agent.addresses() == ["b@x.test"], 10, "the one that is free")
    claim.die()
    time.sleep(0.3)
    w.agent.gate.set()
    w.i.wait_log(f"{qid}: removed", 5)
    assert w.agent.addresses() == ["b@x.test", "a@x.test"]


def test_two_claims_on_one_recipient(world):
    w = world(minimal_backoff_time="100s", maximal_backoff_time="100s")
    qid = put_off(w, "a@x.test")
    claims = [Claim(w.i.queue, qid, 0) for _ in range(3)]
    w.i.flush()
    time.sleep(0.3)
    claims[1].die()
    claims[0].die()
    time.sleep(0.5)
    assert w.agent.addresses() == []
    claims[2].die()
    w.i.wait_log(f"{qid}: removed", 5)
    assert w.agent.addresses() == ["a@x.test"]


def test_a_claim_says_nothing_else(world):
    w = world(minimal_backoff_time="100s", maximal_backoff_time="100s")
    qid = put_off(w, "a@x.test", "b@x.test")
    other = Claim(w.i.queue, qid, 0)
    other.tell(1)
    assert other.ended() == b""
    twice = Claim(w.i.queue, qid, 0)
    twice.tell(0, DEFERRED, "4.0.0", "no")
    twice.tell(0, DEFERRED, "4.0.0", "no")
    assert twice.ended() == b""
    beyond = Claim(w.i.queue, qid, 4000000000)
    beyond.tell(4000000000)
    assert beyond.over()
    assert Claim(w.i.queue, "../../etc", 0).ended() == b""
    w.i.flush()
    w.i.wait_log(f"{qid}: removed", 5)
    gone = Claim(w.i.queue, qid, 0)
    gone.tell(0, DEFERRED, "4.0.0", "no")
    assert gone.over()
    assert empty(w)


def test_an_outcome_that_comes_late_defers(world):
    w = world(minimal_backoff_time="100s", maximal_backoff_time="100s")
    qid = put_off(w, "a@x.test")
    claim = Claim(w.i.queue, qid, 0)
    claim.tell(0, DEFERRED, "4.7.0", "not yet")
    assert claim.over()
    assert listing(w)[qid]["recipients"][0]["delay_reason"] == "not yet"
    time.sleep(0.5)
    assert w.agent.addresses() == []
