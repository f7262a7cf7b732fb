# SPDX-License-Identifier: ISC
"""What senders who ask for delivery reports (RFC 3461) hear, and what the next hop is told, as from Postfix."""
import email
import re
import time

import pytest

from beside import Postfix
from harness import Instance, Sink, Talk, eventually

ALIASES = """inline:{
    {list@example.test = a@relay.test, b@relay.test}, one@example.test=c@relay.test, same@example.test=same@example.test,
    {both@example.test = both@example.test, b@relay.test}, case@example.test=Case@Example.Test,
    {nest@example.test = list@example.test, q@relay.test}, {mixed@example.test = x@dead.test, y@relay.test},
    bad@example.test=x@dead.test, {local@example.test = b@relay.test, single@example.test}}"""
LOCAL_ALIASES = """inline:{single=b@relay.test, {several = b@relay.test, c@relay.test}, owned=b@relay.test,
    owner-owned=root@relay.test}"""

# recipients and their parameters
CASES = {
    "an alias of several": ["<list@example.test> NOTIFY=SUCCESS"],
    "and failures too": ["<list@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@x.test"],
    "never": ["<list@example.test> NOTIFY=NEVER"],
    "nothing said": ["<list@example.test>"],
    "an alias of one": ["<one@example.test> NOTIFY=SUCCESS"],
    "an alias of itself": ["<same@example.test> NOTIFY=SUCCESS"],
    "an alias of itself and another": ["<both@example.test> NOTIFY=SUCCESS"],
    "an alias in other letters": ["<case@example.test> NOTIFY=SUCCESS"],
    "an alias of an alias": ["<nest@example.test> NOTIFY=SUCCESS"],
    "an alias, one of which fails": ["<mixed@example.test> NOTIFY=SUCCESS,FAILURE"],
    "an alias that fails": ["<bad@example.test> ORCPT=rfc822;first@x.test"],
    "an alias that fails, nothing said": ["<bad@example.test>"],
    "an alias of a local one": ["<local@example.test> NOTIFY=SUCCESS"],
    "a local alias of one": ["<single@example.test> NOTIFY=SUCCESS"],
    "a local alias of several": ["<several@example.test> NOTIFY=SUCCESS"],
    "two ways to one": ["<nest@example.test> NOTIFY=NEVER", "<list@example.test> NOTIFY=SUCCESS"],
    "no alias": ["<e@relay.test>"],
    "no alias, success": ["<e@relay.test> NOTIFY=SUCCESS"],
    "a next hop without DSN": ["<e@plain.test> NOTIFY=SUCCESS"],
    "an unknown user": ["<nobodyhere@example.test>"],
}


@pytest.fixture(scope="module")
def beside():
    """Both suites, each with a next hop that reports, one that does not, and one where the sender reads."""
    made = []
    try:
        for kind in (Postfix, Instance):
            hops = [Sink(), Sink(extensions=("PIPELINING",)), Sink()]
            made.append((kind(
                relay_domains="relay.test, dead.test, plain.test", relay_recipient_maps="", local_recipient_maps="",
                virtual_alias_maps=ALIASES.replace("\n", " "), alias_maps=LOCAL_ALIASES.replace("\n", " "),
                transport_maps=f"inline:{{relay.test=smtp:[127.0.0.1]:{hops[0].port}, "
                               f"plain.test=smtp:[127.0.0.1]:{hops[1].port}, "
                               f"back.test=smtp:[127.0.0.1]:{hops[2].port}, down.test=smtp:[127.0.0.1]:1, {{dead.test=error:5.1.1 dead}}}}").start(),
                hops))
        yield made
    finally:
        for m, hops in made:
            m.destroy()
            for hop in hops:
                hop.close()


def report_of(text):
    """What matters in a report: its subject, people's lines, the fields, what is returned."""
    parts = email.message_from_bytes(text).get_payload()
    people = [re.sub(r"\s+", " ", p).strip() for p in parts[0].get_payload().replace("\r", "").split("\n\n") if p.startswith("<")]
    groups = [{k: re.sub(r"\s+", " ", v) for k, v in g.items()} for g in parts[1].get_payload()[1:]]
    for p in people + [g.get("Diagnostic-Code", "") for g in groups]:
        assert "\n" not in p
    names = [(p["Content-Description"], p.get_content_type()) for p in parts]
    blank = [b"\n\n\n" in text.replace(b"\r", b"")]
    return email.message_from_bytes(text)["Subject"], sorted(people), groups, names, blank


def outcome(m, hops, recipients):
    """Send to them and wait until the queue is empty; what each hop was told, and the reports."""
    for hop in hops:
        hop.messages.clear()
    with Talk(m.port) as t:
        t.reply()
        for command in ("EHLO client.test", "MAIL FROM:<sender@back.test>", *("RCPT TO:" + r for r in recipients)):
            assert t.say(command)[0] == 250
        assert t.say("DATA")[0] == 354
        t.raw(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        assert t.reply()[0] == 250
    return heard(m, hops)


def heard(m, hops):
    def quiet():
        """What came is gone; a listing alone may miss a message that moves."""
        ids = [set(re.findall(r"/qmgr\[\d+\]: (\w+): " + what, m.log())) for what in ("from=<", "removed")]
        return ids[0] and ids[0] == ids[1] and "empty" in m.mailq()

    for _ in range(3):
        eventually(quiet, 20, "an empty queue")
        time.sleep(0.1)
    told = [sorted(sorted(x["rcpt"]) for x in hop.messages) for hop in hops]
    text = [x["data"].replace(f":{hops[0].port}".encode(), b":PORT").replace(f":{hops[1].port}".encode(), b":PORT")
            for x in hops[2].messages]
    return told, sorted((report_of(t) for t in text), key=str)


@pytest.mark.parametrize("name", CASES)
def test_reports_are_asked_for_and_made_as_with_postfix(beside, name):
    theirs, ours = [outcome(m, hops, CASES[name]) for m, hops in beside]
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]


def test_a_mailing_list_is_delivered_for_its_sender(beside):
    """RFC 3461 5.2.7.3: its members' problems are the owner's; what the sender asked for ends here."""
    theirs, ours = [outcome(m, hops, ["<owned@example.test> NOTIFY=SUCCESS"]) for m, hops in beside]
    assert ours[1] == theirs[1] and ours[1][0][2][0]["Action"] == "delivered"
    assert ours[0][0] == [["TO:<b@relay.test> ORCPT=rfc822;b@relay.test"]]  # no NOTIFY=NEVER: the owner hears


def test_a_kept_session_costs_no_delay(beside):
    """delays=a/b/c/d: d is what this message took, not how old the connection is."""
    m, hops = beside[1]
    outcome(m, hops, ["<e@relay.test>"])
    outcome(m, hops, ["<e@relay.test>"])
    for line in m.log().splitlines():
        found = re.search(r"delay=([\d.]+), delays=([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+),", line)
        if found:
            delay, *parts = map(float, found.groups())
            assert sum(parts) <= delay + 0.1, line


# ---- sendmail -v, -bv

COMMANDS = {
    "a record of one delivery": ["-v", "e@relay.test"],
    "a record of several": ["-v", "e@relay.test", "x@dead.test", "root@localhost", "list@example.test"],
    "a record where success is reported, too": ["-v", "-N", "success,failure", "e@relay.test"],
    "a probe": ["-bv", "e@relay.test"],
    "a probe of several": ["-bv", "e@relay.test", "x@dead.test", "root@localhost", "nobodyhere@localhost",
                           "list@example.test", "single@example.test"],
    "a probe of a server that does not answer": ["-bv", "x@down.test"],
    "a probe from nobody": ["-f", "", "-bv", "x@dead.test"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_sendmail_reports_as_postfix_does(beside, name):
    results = []
    for m, hops in beside:
        for hop in hops:
            hop.messages.clear()
        before = m.log().count(" uid=0 from=<")
        r = m.run("sendmail", "-f", "sender@back.test", *COMMANDS[name], input="Subject: x\n\nbody\n")
        assert r.stdout.startswith(b"Mail Delivery Status Report will be mailed to <")
        eventually(lambda: m.log().count(" uid=0 from=<") > before, 20, "pickup")
        results.append(heard(m, hops))
    theirs, ours = results
    assert ours[0] == theirs[0]
    assert normal(ours[1]) == normal(theirs[1])


def normal(reports):
    """Recipients in one order: each agent ends in its own time."""
    return [(subject, people, sorted(groups, key=str), names, blank) for subject, people, groups, names, blank in reports]


def test_a_record_is_of_the_first_attempt(instance, sink):
    back = sink()
    mx = instance(transport_maps=f"inline:{{back.test=smtp:[127.0.0.1]:{back.port}, down.test=smtp:[127.0.0.1]:1}}")
    mx.run("sendmail", "-f", "sender@back.test", "-v", "later@down.test", input="Subject: x\n\nbody\n")
    assert b"Action: delayed" in back.wait(1)[0]["data"]
    for _ in range(2):
        count = mx.log().count("status=deferred")
        mx.flush()
        eventually(lambda: mx.log().count("status=deferred") > count, 15, "another attempt")
    assert len(back.messages) == 1
