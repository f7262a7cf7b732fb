# SPDX-License-Identifier: ISC
"""A reload, or a stop, in the middle of deliveries: nothing is lost, and nothing is delivered again."""
import json
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from harness import eventually


def listing(mx):
    out = mx.run("postqueue", "-j").stdout.decode()
    return {e["queue_id"]: e for e in map(json.loads, out.splitlines())}


def lines(mx, pattern):
    return [line for line in mx.log().splitlines() if re.search(pattern, line)]


class Slow:
    """A next hop's answer to the final dot, given when the gate opens or after some seconds."""

    def __init__(self, reply="250 2.0.0 kept", seconds=60):
        self.reply = reply
        self.seconds = seconds
        self.gate = threading.Event()
        self.waiting = 0
        self.lock = threading.Lock()

    def __call__(self, verb, argument, session):
        if verb != "DOT":
            return None
        with self.lock:
            self.waiting += 1
        self.gate.wait(self.seconds)
        return self.reply


@pytest.fixture
def slow(instance, sink):
    """(mx, hop, answer): a started suite whose next hop is slow to answer."""

    def make(reply="250 2.0.0 kept", seconds=60, **settings):
        answer = Slow(reply, seconds)
        hop = sink(answer=answer)
        answers.append(answer)
        mx = instance(relayhost=f"[127.0.0.1]:{hop.port}", **settings)
        return mx, hop, answer

    answers = []
    yield make
    for answer in answers:
        answer.gate.set()


def reload_and_wait(mx):
    before = mx.pids("qmgr")
    mx.reload()
    eventually(lambda: not set(mx.pids("qmgr")) & set(before), 20, "the end of the old qmgr")


def test_delivery_goes_on_over_a_reload(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    entry = eventually(lambda: list(listing(mx).values()), what="the message in the queue")[0]
    assert entry["queue_name"] == "deferred"
    assert "was under way when the queue manager was replaced" in entry["recipients"][0]["delay_reason"]
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert len(hop.messages) == 1
    assert len(lines(mx, r"to=<a@far\.test>.*status=sent")) == 1
    assert len(lines(mx, r"status=(deferred|bounced)")) == 0
    eventually(lambda: listing(mx) == {}, what="an empty queue")


def test_a_flush_does_not_repeat_what_is_under_way(slow):
    mx, hop, answer = slow()
    mx.send(["a@far.test", "b@far.test"])
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    for _ in range(3):
        mx.flush()
        time.sleep(0.3)
    assert answer.waiting == 1
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert len(hop.messages) == 1


def test_many_messages_and_new_mail_in_between(slow):
    mx, hop, answer = slow(smtp_destination_concurrency_limit="30", initial_destination_concurrency="30")
    for n in range(12):
        mx.send(f"u{n}@far.test")
    eventually(lambda: answer.waiting == 12, 20, "all messages at the next hop")
    mx.reload()
    answer.seconds = 0
    began = time.monotonic()
    mx.send("new@far.test")
    mx.wait_log(r"to=<new@far\.test>.*status=sent", 15)
    assert time.monotonic() - began < 10
    answer.gate.set()
    eventually(lambda: len(lines(mx, r"qmgr\[\d+\]: \w+: removed")) == 13, 30, "13 finished messages")
    assert sorted(r for m in hop.messages for r in m["recipients"]) == sorted(
        [f"u{n}@far.test" for n in range(12)] + ["new@far.test"])
    assert listing(mx) == {}


def test_a_late_refusal_makes_one_report(slow, mailbox):
    mx, hop, answer = slow(reply="550 5.7.1 no thanks")
    mx.send("a@far.test", sender=f"{mailbox.pw_name}@example.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    answer.gate.set()
    mx.wait_log(r"bounce\[\d+\]: \w+: sender non-delivery notification: \w+", 20)
    eventually(lambda: listing(mx) == {}, 20, "an empty queue")
    assert len(lines(mx, "sender non-delivery notification")) == 1
    assert len(lines(mx, r"to=<a@far\.test>.*status=bounced")) == 1
    assert answer.waiting == 1


def test_a_late_deferral_keeps_the_message(slow):
    mx, hop, answer = slow(reply="451 4.3.0 not now", minimal_backoff_time="6s", maximal_backoff_time="6s")
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    answer.gate.set()
    mx.wait_log(r"to=<a@far\.test>.*status=deferred \(host .* said: 451 4\.3\.0 not now", 20)
    answer.reply = "250 2.0.0 kept"
    eventually(lambda: "not now" in mx.mailq(), 10, "the reason in the listing")
    assert len(lines(mx, "status=deferred")) == 1
    # The next try comes by the back-off, not when the mark would have run out.
    mx.wait_log(r"to=<a@far\.test>.*status=sent", 20)
    eventually(lambda: listing(mx) == {}, what="an empty queue")
    assert answer.waiting == 2


def test_reloads_in_a_row(slow):
    mx, hop, answer = slow(smtp_destination_concurrency_limit="30", initial_destination_concurrency="30")
    for n in range(20):
        mx.send(f"u{n}@far.test")
    eventually(lambda: answer.waiting == 20, 20, "all messages at the next hop")
    for _ in range(10):
        mx.reload()
        time.sleep(0.2)
    threading.Timer(1.5, answer.gate.set).start()
    eventually(lambda: len(lines(mx, r"qmgr\[\d+\]: \w+: removed")) == 20, 40, "20 finished messages")
    assert sorted(r for m in hop.messages for r in m["recipients"]) == sorted(
        f"u{n}@far.test" for n in range(20))
    assert len(lines(mx, "status=sent")) == 20
    eventually(lambda: listing(mx) == {}, what="an empty queue")


def test_reloads_while_answers_come(slow):
    """Answers that come at any moment of a drain: before, in, and after the hand-over."""
    mx, hop, answer = slow(smtp_destination_concurrency_limit="50", initial_destination_concurrency="50")
    answer.seconds = 2.5
    for n in range(30):
        mx.send(f"u{n}@far.test")
        if n % 10 == 5:
            mx.reload()
        time.sleep(0.05)
    eventually(lambda: len(lines(mx, r"qmgr\[\d+\]: \w+: removed")) == 30, 60, "30 finished messages")
    assert sorted(r for m in hop.messages for r in m["recipients"]) == sorted(
        f"u{n}@far.test" for n in range(30))


def test_stop_waits_a_moment_for_the_outcome(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    threading.Timer(2, answer.gate.set).start()
    began = time.monotonic()
    mx.run("postrider", "stop")
    eventually(lambda: not mx.pids(), 20, "the end of all processes")
    assert time.monotonic() - began < 20
    mx.start()
    eventually(lambda: listing(mx) == {}, 20, "an empty queue")
    assert len(hop.messages) == 1


def test_stop_ends_a_delivery_that_takes_too_long(slow):
    mx, hop, answer = slow(minimal_backoff_time="1s", maximal_backoff_time="2s")
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    began = time.monotonic()
    mx.run("postrider", "stop")
    eventually(lambda: not mx.pids(), 30, "the end of all processes")
    assert time.monotonic() - began < 30
    answer.gate.set()
    mx.start()
    eventually(lambda: listing(mx) == {}, 30, "an empty queue")
    assert 1 <= len(hop.messages) <= 2
    eventually(lambda: lines(mx, r"to=<a@far\.test>.*status=sent"), what="the outcome in the log")


GRACE = 3  # seconds from qmgr's start: how long it waits for the claim to a recipient marked as away


def kill(mx, program, which=None):
    """All of them, or those that are still there of some."""
    for pid in mx.pids(program):
        if which is None or pid in which:
            os.kill(pid, signal.SIGKILL)


def test_a_killed_qmgr_does_not_repeat_what_agents_are_busy_with(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    for _ in range(2):
        time.sleep(1.5)
        kill(mx, "qmgr")
        mx.flush()
    time.sleep(GRACE + 1)
    mx.flush()
    time.sleep(0.5)
    assert answer.waiting == 1
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    time.sleep(1)
    assert len(hop.messages) == 1
    assert len(lines(mx, r"qmgr\[\d+\]: \w+: removed")) == 1
    assert listing(mx) == {}


@pytest.mark.parametrize("reloads", [1, 2])
def test_a_slow_peer_is_not_asked_twice(slow, reloads):
    """However long it takes: what holds the message back is the agent, not a time."""
    mx, hop, answer = slow()
    mx.send(["a@far.test", "b@far.test"])
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    for _ in range(reloads):
        reload_and_wait(mx)
    eventually(lambda: mx.pids("qmgr"), what="the next qmgr")
    time.sleep(GRACE + 0.7)
    mx.flush()
    time.sleep(0.5)
    assert answer.waiting == 1
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert [m["recipients"] for m in hop.messages] == [["a@far.test", "b@far.test"]]
    assert len(lines(mx, "status=sent")) == 2
    assert listing(mx) == {}


@pytest.mark.parametrize("reloads", [1, 2])
def test_what_a_dead_agent_had_in_hand_is_tried_at_once(slow, reloads):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    agents = mx.pids("smtp")
    for _ in range(reloads):
        reload_and_wait(mx)
    time.sleep(GRACE + 0.7)
    assert answer.waiting == 1
    kill(mx, "smtp", agents)
    eventually(lambda: answer.waiting == 2, 2, "the message at the next hop again")
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert listing(mx) == {}


def test_an_agent_that_died_with_its_qmgr_is_waited_for_a_moment(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    agents = mx.pids("smtp")
    for pid in agents:
        os.kill(pid, signal.SIGSTOP)
    reload_and_wait(mx)
    kill(mx, "smtp", agents)
    eventually(lambda: answer.waiting == 2, GRACE + 3, "the message at the next hop again")
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert listing(mx) == {}


def test_a_deleted_message_stays_deleted(slow):
    mx, hop, answer = slow(reply="451 4.3.0 not now")
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    (qid,) = eventually(lambda: list(listing(mx)), what="the message in the queue")
    mx.run("postsuper", "-d", qid)
    assert listing(mx) == {}
    answer.gate.set()
    mx.wait_log(r"status=deferred \(host .* not now", 20)
    time.sleep(1)
    assert listing(mx) == {}
    assert not lines(mx, "could not be told")


def test_a_held_message_whose_agent_dies_stays_held(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    agents = mx.pids("smtp")
    reload_and_wait(mx)
    (qid,) = eventually(lambda: list(listing(mx)), what="the message in the queue")
    mx.run("postsuper", "-h", qid)
    kill(mx, "smtp", agents)
    time.sleep(1.5)
    assert listing(mx)[qid]["queue_name"] == "hold"
    assert answer.waiting == 1
    mx.run("postsuper", "-H", qid)
    eventually(lambda: answer.waiting == 2, 5, "the message at the next hop again")
    answer.gate.set()
    mx.wait_log(rf"qmgr\[\d+\]: {qid}: removed", 20)


def test_asking_for_a_message_does_not_repeat_it(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    (qid,) = eventually(lambda: list(listing(mx)), what="the message in the queue")
    time.sleep(GRACE + 0.5)
    for command in (["postqueue", "-i", qid], ["postsuper", "-r", qid], ["postsuper", "-f", qid]):
        mx.run(*command)
        time.sleep(0.5)
    assert answer.waiting == 1
    answer.gate.set()
    mx.wait_log(rf"qmgr\[\d+\]: {qid}: removed", 20)
    assert len(hop.messages) == 1


def test_stop_after_a_reload_waits_for_the_outcome(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    eventually(lambda: mx.pids("qmgr"), what="the next qmgr")
    time.sleep(0.5)
    threading.Timer(2, answer.gate.set).start()
    mx.run("postrider", "stop")
    eventually(lambda: not mx.pids(), 20, "the end of all processes")
    mx.start()
    eventually(lambda: listing(mx) == {}, 20, "an empty queue")
    assert len(hop.messages) == 1


def test_a_local_command_goes_on_over_a_reload(instance, mailbox):
    ran = pathlib.Path(mailbox.pw_dir) / "ran"
    mx = instance(mailbox_command=f"cat >/dev/null; sleep 6; echo once >>{ran}")
    mx.send(f"{mailbox.pw_name}@example.test")
    mx.wait_log(r"queue active")
    time.sleep(0.5)
    reload_and_wait(mx)
    assert not ran.exists()
    mx.wait_log(r"local\[\d+\]: \w+: to=<.*status=sent \(delivered to command", 20)
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert ran.read_text() == "once\n"
    assert listing(mx) == {}


def test_what_local_passes_on_is_told_by_local(instance, sink, mailbox):
    """The agent that local asks must not answer to qmgr for local: there may be more to be done."""
    answer = Slow()
    store = sink(lmtp=True, answer=answer)
    mx = instance(mailbox_transport=f"lmtp:inet:127.0.0.1:{store.port}")
    mx.send(f"{mailbox.pw_name}@example.test")
    eventually(lambda: answer.waiting == 1, what="the message at the store")
    reload_and_wait(mx)
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert len(store.messages) == 1
    assert len(lines(mx, "status=sent")) == 1
    assert listing(mx) == {}


def test_a_changed_table_repeats_nothing_either(slow):
    mx, hop, answer = slow(start=False)
    table = mx.etc / "transport"
    table.write_text("other.test error:5.1.2 not today\n")
    mx.run("postmap", f"lmdb:{table}")
    mx.set(transport_maps=f"lmdb:{table}")
    mx.start()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    before = mx.pids("qmgr")
    table.write_text("other.test error:5.1.2 never\n")
    mx.run("postmap", f"lmdb:{table}")
    eventually(lambda: not set(mx.pids("qmgr")) & set(before), 40, "the end of the old qmgr")
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert len(hop.messages) == 1
    assert listing(mx) == {}


def test_a_held_message_takes_a_late_outcome(slow):
    mx, hop, answer = slow()
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    reload_and_wait(mx)
    (qid,) = eventually(lambda: list(listing(mx)), what="the message in the queue")
    mx.run("postsuper", "-h", qid)
    assert listing(mx)[qid]["queue_name"] == "hold"
    answer.gate.set()
    mx.wait_log(rf"qmgr\[\d+\]: {qid}: removed", 20)
    assert len(hop.messages) == 1
    assert listing(mx) == {}


@pytest.mark.parametrize("option,queue", [("-d", None), ("-h", "hold")])
def test_orders_given_during_a_delivery_outlive_the_reload(slow, option, queue):
    mx, hop, answer = slow(reply="451 4.3.0 not now")
    mx.send("a@far.test")
    eventually(lambda: answer.waiting == 1, what="the message at the next hop")
    (qid,) = listing(mx)
    mx.run("postsuper", option, qid)
    reload_and_wait(mx)
    eventually(lambda: listing(mx).get(qid, {}).get("queue_name") == queue, what="the message where it should be")
    answer.gate.set()
    mx.wait_log(r"status=deferred \(host .* not now", 20)
    time.sleep(1)
    assert listing(mx).get(qid, {}).get("queue_name") == queue
    assert answer.waiting == 1


def test_recipients_that_were_not_begun_do_not_wait(slow):
    mx, hop, answer = slow(smtp_destination_recipient_limit="2", smtp_destination_concurrency_limit="1",
                           initial_destination_concurrency="1")
    mx.send([f"{c}@far.test" for c in "abcd"])
    eventually(lambda: answer.waiting == 1, what="the first two at the next hop")
    before = mx.pids("qmgr")
    mx.reload()
    eventually(lambda: not set(mx.pids("qmgr")) & set(before), 20, "the end of the old qmgr")
    answer.seconds = 0.5
    eventually(lambda: len(lines(mx, "status=sent")) == 2, 20, "the other recipients")
    answer.gate.set()
    mx.wait_log(r"qmgr\[\d+\]: \w+: removed", 20)
    assert sorted(r for m in hop.messages for r in m["recipients"]) == [f"{c}@far.test" for c in "abcd"]
    assert listing(mx) == {}


def test_reloads_under_load_cost_and_repeat_nothing(instance):
    """Clients hear 250 only, and each message is delivered once, at the first try, however often it is reloaded."""
    mx = instance(default_transport="discard:x")
    end, good, bad = time.monotonic() + 6, [], []

    def client():
        while time.monotonic() < end:
            try:
                with mx.smtp() as s:
                    for _ in range(5):
                        s.sendmail("a@client.test", ["x@far.test"], "Subject: x\r\n\r\nhello\r\n")
                        good.append(1)
            except Exception as e:
                bad.append(repr(e))

    clients = [threading.Thread(target=client) for _ in range(4)]
    for t in clients:
        t.start()
    while time.monotonic() < end - .5:
        time.sleep(.3)
        mx.reload()
    for t in clients:
        t.join()
    assert not bad and good
    eventually(lambda: "Mail queue is empty" in mx.mailq(), 20, "an empty queue")
    eventually(lambda: len(re.findall(r"status=sent", mx.log())) >= len(good), 5, "all outcomes in the log")
    time.sleep(.2)
    assert [len(re.findall(p, mx.log())) for p in (r"status=sent", r"status=deferred")] == [len(good), 0]
