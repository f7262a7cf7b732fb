# SPDX-License-Identifier: ISC
"""postsuper -r: a message goes through pickup and cleanup again, with what the tables say now."""
import os
import re
import subprocess
import time

import pytest

from beside import Postfix
from harness import SBIN, Instance, Talk, eventually

TEXT = b"Subject: x\r\n\r\nbody\xc3\xa4\r\n..dot\r\n.\r\n"


def deferring(kind, sink, **settings):
    """A system whose next hop does not answer, with tables in files."""
    m = kind(relay_domains="relay.test", relay_recipient_maps="", mydestination="", minimal_backoff_time="300s",
             transport_maps="texthash:$config_directory/transport", virtual_alias_maps="texthash:$config_directory/virtual",
             **settings)
    write(m, "smtp:[127.0.0.1]:1", "one@relay.test")
    return m.start()


def write(m, nexthop, alias):
    (m.etc / "transport").write_text(f"relay.test {nexthop}\n")
    (m.etc / "virtual").write_text(f"list@relay.test {alias}\none@relay.test {alias}\n")


def queued(m):
    with Talk(m.port) as t:
        t.reply()
        for c in ("EHLO c", "MAIL FROM:<a@b.test> ENVID=abc RET=HDRS BODY=8BITMIME", "RCPT TO:<list@relay.test> NOTIFY=FAILURE",
                  "RCPT TO:<two@relay.test> ORCPT=rfc822;x@y"):
            assert t.say(c)[0] == 250
        t.say("DATA")
        t.raw(TEXT)
        code, text = t.reply()
        assert code == 250
    qid = text.split()[-1]
    eventually(lambda: qid + " " in m.mailq(), 20, "the message to be deferred")
    return qid


def go_on(m, hop):
    write(m, f"smtp:[127.0.0.1]:{hop.port}", "uno@relay.test")
    m.reload()
    eventually(lambda: "reload -- version" in m.log(), 10, "the reload")


def plain(message):
    text = message["data"].decode("latin1").replace("Postrider", "Postfix")
    text = re.sub(r"\bid \w{9,16}\b", "id ID", text)
    text = re.sub(r"userid \d+", "userid N", text)
    text = re.sub(r"\w{3}, +\d+ \w{3} \d{4} \d\d:\d\d:\d\d \+0000", "DATE", text)
    return sorted(message["rcpt"]), re.sub(r"SIZE=\d+", "SIZE", message["mail"]), re.sub(r"\d{14}\.\w+@", "STAMP@", text)


def test_a_requeued_message_comes_again_as_with_postfix(sink):
    results = []
    for kind in (Postfix, Instance):
        m, hop = deferring(kind, sink), sink()
        try:
            qid = queued(m)
            go_on(m, hop)
            r = m.run("postsuper", "-r", qid)
            assert r.stderr.decode() == f"postsuper: {qid}: requeued\npostsuper: Requeued: 1 message\n"
            if kind is Postfix:  # it looks once a minute
                m.run("postkick", "public", "pickup", "W")
            results.append(plain(hop.wait(1)[0]))
            eventually(lambda: "empty" in m.mailq(), 20, "an empty queue")
            assert re.search(rf"pickup\[\d+\]: (?!{qid})\w+: uid=\d+ from=<a@b.test> orig_id={qid}\n", m.log())
            assert len(hop.messages) == 1
        finally:
            m.destroy()
    assert results[0] == results[1]
    assert "TO:<uno@relay.test> ORCPT=rfc822;list@relay.test NOTIFY=FAILURE" in results[1][0]


@pytest.mark.parametrize("running", [True, False])
def test_a_held_message_is_requeued(sink, running):
    m, hop = deferring(Instance, sink), sink()
    try:
        qid = queued(m)
        m.run("postsuper", "-h", qid)
        go_on(m, hop)
        if not running:
            m.stop()
        m.run("postsuper", "-r", "ALL")
        if not running:
            assert "maildrop" in m.run("postqueue", "-j").stdout.decode()
            m.start()
        assert "TO:<uno@relay.test> ORCPT=rfc822;list@relay.test NOTIFY=FAILURE" in hop.wait(1)[0]["rcpt"]
        eventually(lambda: "empty" in m.mailq(), 20, "an empty queue")
    finally:
        m.destroy()


def test_only_what_is_not_done_is_requeued(sink):
    def answer(verb, argument, session):
        return "450 4.2.0 later" if verb == "RCPT" and "two" in argument and len(hop.messages) < 2 else None

    hop = sink(answer=answer)
    m = deferring(Instance, sink)
    try:
        write(m, f"smtp:[127.0.0.1]:{hop.port}", "one@relay.test")
        m.reload()
        with Talk(m.port) as t:
            t.reply()
            for c in ("EHLO c", "MAIL FROM:<a@b.test>", "RCPT TO:<one@relay.test>", "RCPT TO:<two@relay.test>"):
                t.say(c)
            t.say("DATA")
            t.raw(TEXT)
            assert t.reply()[0] == 250
        hop.wait(1)
        m.wait_log("status=deferred")
        eventually(lambda: "two@relay.test" in m.mailq() and "one@relay.test" not in m.mailq(), 20, "the deferral")
        hop.answer = lambda verb, argument, session: None
        m.run("postsuper", "-r", "ALL")
        assert [x["recipients"] for x in hop.wait(2)] == [["one@relay.test"], ["two@relay.test"]]
    finally:
        m.destroy()


def test_a_user_cannot_claim_to_requeue(instance, sink):
    """What says that it was in the queue is believed of the queue's owner only."""
    m, hop = deferring(Instance, sink), sink()
    try:
        queued(m)
        m.stop()
        m.run("postsuper", "-r", "ALL")
        (name,) = (m.queue / "maildrop").iterdir()
        (m.queue / "maildrop" / name).chmod(0o644)
        os.chown(m.queue / "maildrop" / name, 65534, 65534)
        write(m, f"smtp:[127.0.0.1]:{hop.port}", "uno@relay.test")
        m.start()
        eventually(lambda: list((m.queue / "corrupt").iterdir()), 20, "the file set aside")
        assert not hop.messages
    finally:
        m.destroy()


def test_killed_in_the_middle_nothing_is_lost(sink):
    """The file in maildrop/ is durable before the message is marked gone: one may be there twice, none is missing."""
    m, hop = deferring(Instance, sink), sink()
    names = [f"u{n}@relay.test" for n in range(60)]
    try:
        for name in names:
            m.send(name)
        eventually(lambda: m.log().count("status=deferred") >= len(names), 30, "deferrals")
        m.stop()
        for n in range(12):
            p = subprocess.Popen([str(SBIN / "postsuper"), "-r", "ALL"], env=m.environment(), stderr=subprocess.DEVNULL)
            time.sleep(0.005 + 0.004 * n)
            p.kill()
            p.wait()
        assert list((m.queue / "maildrop").iterdir())
        write(m, f"smtp:[127.0.0.1]:{hop.port}", "uno@relay.test")
        m.start()
        m.flush()
        eventually(lambda: len({r for x in hop.messages for r in x["recipients"]}) == len(names), 30, "all of them")
        eventually(lambda: "empty" in m.mailq(), 20, "an empty queue")
        assert sorted({r for x in hop.messages for r in x["recipients"]}) == sorted(names)
        assert sum(len(x["recipients"]) for x in hop.messages) <= len(names) + 12
    finally:
        m.destroy()


def test_postsuper_waits_for_the_next_queue_manager(sink):
    """While a reload replaces qmgr, an order is repeated, not given up."""
    m = deferring(Instance, sink)
    try:
        for _ in range(5):
            qid = queued(m)
            m.reload()
            r = m.run("postsuper", "-d", qid)
            assert b"Deleted: 1 message" in r.stderr or qid not in m.mailq()
    finally:
        m.destroy()
