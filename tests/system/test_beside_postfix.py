# SPDX-License-Identifier: ISC
"""What a client, an administrator or a recipient sees of us, beside what Debian's Postfix shows them.

Each case runs against both with the same main.cf. Codes, enhanced codes and texts must be equal, but for
the few differences that are written down where they are allowed, with their reasons.
"""
import json
import pathlib
import re
import shlex
import shutil
import time

import pytest

from beside import Postfix
from harness import Instance, Talk, eventually, maildir

TO = b"RCPT TO:<alice@example.test>"
LONG = b"a" * 70
COMMON = {
    "local_recipient_maps": "inline:{alice=x, postmaster=x} regexp:$config_directory/odd",
    "local_transport": "discard:",
    "virtual_alias_maps": "inline:{both@example.test=alice@example.test, loop@example.test=loop2@example.test,"
                          " loop2@example.test=loop@example.test}",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "90",
    "smtpd_hard_error_limit": "100",
    "notify_classes": "",
    "message_size_limit": "20000",
    "mailbox_size_limit": "0",
    "smtpd_recipient_limit": "5",
    "relay_domains": "",
    "mynetworks": "127.0.0.2/32",
    "address_verify_map": "",
    "smtpd_discard_ehlo_keywords": "etrn",
    "recipient_delimiter": "+",
}
MESSAGE = b"Subject: hello\r\n\r\ntext\r\n.\r\n"
EHLO = b"EHLO client.test"
FROM = b"MAIL FROM:<s@client.test>"

# name: steps. A step is one command (CRLF is added, one reply is read), or bytes and the number of
# replies to read.
DIALOGUES = {
    "banner": [],
    "helo": [b"HELO client.test", b"NOOP", b"QUIT"],
    "helo without a name": [b"HELO", b"HELO   "],
    "ehlo without a name": [b"EHLO", b"EHLO "],
    "helo with more": [b"HELO client.test and more", b"EHLO client.test and more"],
    "helo odd": [b"HELO [127.0.0.1]", b"HELO under_score", b"HELO a..b", b"HELO ]", b"EHLO [999.1.1.1]",
                 b"HELO -", b"EHLO client.test"],
    "ehlo twice resets": [EHLO, FROM, EHLO, TO],
    "case": [b"ehlo client.test", b"mail from:<s@client.test>", b"rcpt to:<ALICE@EXAMPLE.TEST>", b"rset",
             b"Mail From:<s@client.test>", b"noop", b"quit"],
    "unknown commands": [EHLO, b"FOO", b"FOO bar", b"", b"   ", b"XCLIENT NAME=x", b"XFORWARD NAME=x",
                         b"AUTH PLAIN", b"STARTTLS", b"ETRN example.test", b"EXPN x", b"TURN", b"SEND FROM:<a@b.c>"],
    "not smtp": [b"GET / HTTP/1.0"],
    "header as command": [b"Subject: x"],
    "noop and help": [EHLO, b"NOOP", b"NOOP with words", b"HELP", b"HELP MAIL", b"RSET", b"RSET now", b"QUIT now",
                      b"QUIT"],
    "vrfy": [EHLO, b"VRFY", b"VRFY alice", b"VRFY alice@example.test", b"VRFY <alice@example.test>",
             b"VRFY nobodyhere@example.test", b"VRFY x@relay.test", b"VRFY a b", b"VRFY <>", b"VRFY @",
             b"VRFY alice@"],
    "order": [TO, b"DATA", FROM, b"RSET", b"BDAT 0 LAST"],
    "order after ehlo": [EHLO, TO, b"DATA", b"BDAT 0", b"BDAT 0 LAST", FROM, b"DATA", FROM, b"RSET", TO],
    "no helo": [FROM, TO, b"RSET"],
    "mail syntax": [EHLO, b"MAIL", b"MAIL FROM", b"MAIL FROM:", b"MAIL FROM: ", b"MAIL TO:<a@b.test>", b"MAIL FROM <a@b.test>",
                    b"MAIL <a@b.test>", b"MAIL FROM:<a@b.test", b"MAIL FROM:a@b.test>", b"MAIL FROM:<<a@b.test>>",
                    b"MAIL FROM:<a b@c.test>", b"MAIL FROM:<a@b@c.test>", b"MAIL FROM:<@>", b"MAIL FROM:<a@>",
                    b"MAIL FROM:<@b.test>", b"MAIL FROM:<a@b..test>", b"MAIL FROM:<a@.b.test>", b"MAIL FROM:<.a@b.test>",
                    b"RSET", b"MAIL FROM:<a..b@b.test>", b"RSET", b"MAIL FROM:<a@b_c.test>", b"RSET",
                    b"MAIL FROM:<a@[127.0.0.1]>", b"RSET", b"MAIL FROM:<a@[300.0.0.1]>", b"RSET",
                    b"MAIL FROM:<a@[IPv6:::1]>", b"RSET", b"MAIL FROM:<a@127.0.0.1>", b"RSET",
                    b"MAIL FROM:<a(comment)@b.test>", b"RSET", b"MAIL FROM:<a,b@c.test>", b"RSET",
                    b"MAIL FROM:<\"a\"@b.test>", b"RSET", b"MAIL FROM:<\"a b\"@b.test>", b"RSET",
                    b"MAIL FROM:<\"a@b.test>", b"RSET", b"MAIL FROM:<a\\b@b.test>", b"RSET",
                    b"MAIL FROM:<a>", b"RSET", b"MAIL FROM:a@b.test", b"RSET", b"MAIL FROM: <a@b.test>", b"RSET",
                    b"MAIL FROM : <a@b.test>", b"RSET", b"MAIL FROM:A Name <a@b.test>", b"RSET",
                    b"MAIL FROM:<a@b.test> (comment)", b"RSET", b"MAIL  FROM:<a@b.test>", b"RSET",
                    b"MAIL FROM:<MAILER-DAEMON>", b"RSET", b"MAIL FROM:<>", b"RSET", b"MAIL FROM:< >"],
    "mail parameters": [EHLO, b"MAIL FROM:<a@b.test> SIZE=100", b"RSET", b"MAIL FROM:<a@b.test> SIZE=20000", b"RSET",
                        b"MAIL FROM:<a@b.test> SIZE=20001", b"RSET", b"MAIL FROM:<a@b.test> SIZE=x", b"RSET",
                        b"MAIL FROM:<a@b.test> SIZE=", b"RSET", b"MAIL FROM:<a@b.test> SIZE", b"RSET",
                        b"MAIL FROM:<a@b.test> SIZE=-1", b"RSET", b"MAIL FROM:<a@b.test> SIZE=99999999999999999999",
                        b"RSET", b"MAIL FROM:<a@b.test> BODY=8BITMIME", b"RSET", b"MAIL FROM:<a@b.test> BODY=7bit", b"RSET",
                        b"MAIL FROM:<a@b.test> BODY=BINARYMIME", b"RSET", b"MAIL FROM:<a@b.test> BODY=", b"RSET",
                        b"MAIL FROM:<a@b.test> RET=FULL ENVID=abc", b"RSET", b"MAIL FROM:<a@b.test> RET=HDRS", b"RSET",
                        b"MAIL FROM:<a@b.test> RET=SOME", b"RSET", b"MAIL FROM:<a@b.test> ENVID=a+3D", b"RSET",
                        b"MAIL FROM:<a@b.test> ENVID=a+zz", b"RSET", b"MAIL FROM:<a@b.test> ENVID=", b"RSET",
                        b"MAIL FROM:<a@b.test> ENVID=" + b"e" * 101, b"RSET",
                        b"MAIL FROM:<a@b.test> RET=FULL RET=FULL", b"RSET", b"MAIL FROM:<a@b.test> SMTPUTF8", b"RSET",
                        b"MAIL FROM:<a@b.test> SMTPUTF8=1", b"RSET", b"MAIL FROM:<a@b.test> AUTH=<>", b"RSET",
                        b"MAIL FROM:<a@b.test> XVERP", b"RSET", b"MAIL FROM:<a@b.test> FOO=bar", b"RSET",
                        b"MAIL FROM:<a@b.test> FOO", b"RSET", b"MAIL FROM:<a@b.test>SIZE=1", b"RSET",
                        b"MAIL FROM:<a@b.test> size=1 body=8bitmime ret=hdrs envid=x", b"RSET",
                        b"MAIL FROM:<a@b.test> SIZE=1 SIZE=2", b"RSET"],
    "nested mail": [EHLO, FROM, FROM, TO, FROM],
    "rcpt syntax": [EHLO, FROM, b"RCPT", b"RCPT TO", b"RCPT TO:", b"RCPT TO:<>", b"RCPT FROM:<alice@example.test>",
                    b"RCPT TO:<alice@example.test", b"RCPT TO:<<alice@example.test>>", b"RCPT TO:<alice@example.test> x",
                    b"RCPT TO:<a b@example.test>", b"RCPT TO:<@example.test>", b"RCPT TO:<alice@>", b"RCPT TO:<@>",
                    b"RCPT TO:<alice@@example.test>", b"RCPT TO:< >", b"RCPT TO:<\"\"@example.test>",
                    b"RCPT TO:<alice@example.test>> x", b"RCPT TO:<alice@example..test>",
                    b"RCPT TO:<alice@-example.test>", b"RCPT TO:<alice@exam ple.test>",
                    b"RCPT TO:" + b"<" + LONG * 4 + b"@example.test>", b"RCPT TO:<x@" + LONG + b".test>",
                    b"RCPT TO:<x@" + b"a." * 140 + b"test>"],
    "rcpt good": [EHLO, FROM, TO, b"RSET", FROM, b"RCPT TO:<alice>", b"RCPT TO:<Alice@localhost>", b"RCPT TO:alice@example.test",
                  b"RCPT TO:<\"alice\"@example.test>", b"RSET", FROM, b"RCPT TO:<\"odd one\"@example.test>",
                  b"RCPT TO:<odd\\ one@example.test>", b"RCPT TO:<alice+box@example.test>", b"RSET", FROM,
                  b"RCPT TO:<alice@[127.0.0.1]>", b"RCPT TO:<alice@[127.0.0.9]>", b"RCPT TO:<postmaster>",
                  b"RCPT TO:<Postmaster@example.test>", b"RCPT TO:<alice@example.test.>", b"RSET", FROM,
                  b"RCPT TO:<both@example.test>", b"RCPT TO:<loop@example.test>", b"RCPT TO:<alice@mx.example.test>",
                  b"RCPT  TO:<alice@example.test>"],
    "source routes": [EHLO, b"MAIL FROM:<@a.test,@b.test:s@client.test>", b"RCPT TO:<@mx.example.test:alice@example.test>",
                      b"RCPT TO:<@other.test:alice@example.test>", b"RCPT TO:<@other.test,@b.test:x@relay.test>",
                      b"RCPT TO:<alice%relay.test@example.test>", b"RCPT TO:<relay.test!alice@example.test>",
                      b"RCPT TO:<relay.test!alice>", b"RCPT TO:<\"x@relay.test\"@example.test>",
                      b"RCPT TO:<x@relay.test@example.test>"],
    "strangers": [EHLO, FROM, b"RCPT TO:<nobodyhere@example.test>", b"RCPT TO:<x@relay.test>", b"RCPT TO:<x@[10.0.0.1]>",
                  b"RCPT TO:<nobodyhere>", b"RCPT TO:<x@sub.example.test>", b"DATA", b"QUIT"],
    "strangers from the null sender": [EHLO, b"MAIL FROM:<>", b"RCPT TO:<nobodyhere@example.test>", TO, b"DATA"],
    "rcpt parameters": [EHLO, FROM, TO + b" NOTIFY=NEVER", TO + b" NOTIFY=SUCCESS,FAILURE,DELAY", TO + b" NOTIFY=NEVER,SUCCESS",
                        TO + b" NOTIFY=", TO + b" NOTIFY=SOME", TO + b" NOTIFY", b"RSET", FROM,
                        TO + b" ORCPT=rfc822;a@b.test", TO + b" ORCPT=rfc822;a+2Bb@b.test", TO + b" ORCPT=rfc822", TO + b" ORCPT=",
                        TO + b" ORCPT=;x", TO + b" ORCPT=rfc822;a+zz", TO + b" FOO=1", TO + b" FOO",
                        TO + b" NOTIFY=NEVER NOTIFY=NEVER", TO + b" notify=never orcpt=rfc822;x@y.test",
                        TO + b" ORCPT=rfc822;a@b.test ORCPT=rfc822;a@b.test"],
    "too many recipients": [EHLO, FROM, TO, TO, TO, TO, TO, TO, b"RSET", FROM, TO],
    "a message": [EHLO, FROM, TO, b"DATA", (MESSAGE, 1), FROM, TO, b"DATA", (MESSAGE, 1), b"QUIT"],
    "data with words": [EHLO, FROM, TO, b"DATA now", b"DATA", (MESSAGE, 1)],
    "an empty message": [EHLO, FROM, TO, b"DATA", (b".\r\n", 1)],
    "dots": [EHLO, FROM, TO, b"DATA", (b"..\r\n.x\r\n.\r\n", 1), b"NOOP"],
    "too big": [EHLO, FROM, TO, b"DATA", (b"S: x\r\n\r\n" + b"x" * 76 * 300 + b"\r\n.\r\n", 1), b"NOOP"],
    "too big by bdat": [EHLO, FROM, TO, (b"BDAT 30000 LAST\r\n" + b"x" * 30000, 1), b"NOOP"],
    "too big by bdat, later": [EHLO, FROM, TO, (b"BDAT 15000\r\n" + b"x" * 15000, 1),
                               (b"BDAT 15000 LAST\r\n" + b"x" * 15000, 1), b"NOOP"],
    "bdat": [EHLO, FROM, TO, (b"BDAT 7\r\nS: x\r\n\r", 1), (b"BDAT 6 LAST\r\n\ntext\n", 1), b"NOOP"],
    "bdat nothing": [EHLO, FROM, TO, b"BDAT 0 LAST", FROM, TO, b"BDAT 0", b"BDAT 0 LAST"],
    "bdat syntax": [EHLO, FROM, TO, b"BDAT", b"BDAT x", b"BDAT 0 FIRST", b"BDAT 0 LAST more", b"BDAT -1",
                    b"BDAT 99999999999999999999", b"BDAT 0 last"],
    "bdat mixed": [EHLO, FROM, TO, (b"BDAT 5\r\nS: x\n", 1), b"DATA", b"NOOP", FROM, TO, b"VRFY alice", b"HELP",
                   (b"BDAT 1 LAST\r\nx", 1), b"RSET", FROM],
    "bdat, then rset": [EHLO, FROM, TO, (b"BDAT 5\r\nS: x\n", 1), b"RSET", (b"BDAT 1 LAST\r\nx", 1), b"NOOP"],
    "bdat, mail refused": [EHLO, (b"BDAT 5\r\nNOOP\n", 1), b"NOOP", FROM, b"RCPT TO:<x@relay.test>",
                           (b"BDAT 5 LAST\r\nNOOP\n", 1), b"NOOP"],
    "pipelined": [EHLO, (b"\r\n".join([FROM, TO, b"RCPT TO:<x@relay.test>", b"DATA", b""]), 4), (MESSAGE, 1),
                  (b"\r\n".join([FROM, TO, b"RSET", b"NOOP", FROM, b"RCPT TO:<x@relay.test>", b"DATA", b"QUIT", b""]), 8)],
    "pipelined all": [(b"\r\n".join([EHLO, FROM, TO, b"DATA", b"S: x", b"", b"x", b".", b"QUIT", b""]), 6)],
    "long command": [EHLO, b"NOOP " + b"x" * 600, b"NOOP " + b"x" * 3000, b"MAIL FROM:<" + b"x" * 3000 + b"@b.test>", b"NOOP"],
    "very long command": [EHLO, b"FOO" + b"x" * 20000, b"NOOP"],
    "nul": [EHLO, b"NO\0OP", b"MAIL FROM:<a\0b@c.test>", b"NOOP \0"],
    "8 bit": [EHLO, b"MAIL FROM:<\xe4@b.test>", b"MAIL FROM:<\xc3\xa4@b.test>", b"RSET",
              b"MAIL FROM:<\xc3\xa4@b.test> SMTPUTF8", b"RCPT TO:<\xc3\xa4@example.test>", b"RCPT TO:<\xe4@example.test>", b"RSET",
              FROM, b"RCPT TO:<\xc3\xa4@example.test>", b"RCPT TO:<\xe4@example.test>", b"H\xc3\x84LP", b"HELO \xc3\xa4.test"],
    "bare line ends": [EHLO, (b"NOOP\n", 1), (b"NOOP\r\r\n", 1), (b"NOOP\n\n", 2), (b"RSET\rNOOP\r\n", 1)],
    "control": [EHLO, b"NOOP\x01", b"MAIL FROM:<a\x01b@c.test>", b"RSET", b"MAIL FROM:<a\tb@c.test>", b"RSET",
                b"MAIL\tFROM:<a@c.test>"],
}


# What we answer otherwise, on purpose: (dialogue, start of the command): our reply, and why.
OURS = {
    ("unknown commands", "XCLIENT"): "500 5.5.2",   # no such command yet; nobody is offered it
    ("unknown commands", "XFORWARD"): "500 5.5.2",
    ("noop and help", "HELP"): "214 2.0.0",         # RFC 5321 4.5.1: HELP is there
    ("bdat mixed", "HELP"): "214 2.0.0",
    ("order after ehlo", "BDAT 0"): "503 5.5.1",    # RFC 3030: an empty chunk is a chunk
    ("bdat nothing", "BDAT 0"): "250 2.0.0",
    # a refused BDAT ends nothing that was never begun: the next MAIL is heard
    ("bdat, mail refused", "MAIL"): "250 2.1.0",
    ("bdat, mail refused", "RCPT"): "454 4.7.1",
    ("bdat, mail refused", "BDAT"): "554 5.5.1",
    ("bdat mixed", "MAIL"): "503 5.5.1",            # the text names the reason
    ("mail syntax", "MAIL FROM:a@b.test>"): "501 5.1.7",  # half a pair of brackets
    ("mail syntax", "MAIL FROM:<<a@b.test>>"): "250 2.1.0",  # it is as before, but the sender before was refused
    ("mail parameters", "MAIL FROM:<a@b.test> SIZE\r"): "501 5.5.4",
    ("mail parameters", "MAIL FROM:<a@b.test> ENVID=eee"): "501 5.5.4",  # RFC 3461 4.4: 100 characters
    ("mail parameters", "MAIL FROM:<a@b.test> AUTH"): "555 5.5.4",  # RFC 4954 5: AUTH was not offered
    ("rcpt syntax", "RCPT TO:<@example.test>"): "501 5.1.3",  # no local part, no mailbox
    ("rcpt syntax", 'RCPT TO:<""@example.test>'): "501 5.1.3",
    ("rcpt syntax", "RCPT TO:<alice@@"): "550 5.1.3",
    ("rcpt syntax", "RCPT TO:<alice@example.test>> x"): "501 5.1.3",
    ("rcpt parameters", "RCPT TO:<alice@example.test> NOTIFY\r"): "501 5.5.4",
    # the octets are not counted
    ("bdat", "BDAT 6 LAST"): "250 2.0.0 Ok: queued as ID",
    ("bdat mixed", "BDAT 1 LAST"): "250 2.0.0 Ok: queued as ID",
    # RFC 6531 3.7.4.2: no UTF-8 in replies to who did not say SMTPUTF8
    ("8 bit", "RCPT TO:<\xc3\xa4@"): "550 5.1.1",
    # a line over the limit is refused, not cut and obeyed
    ("long command", "NOOP xxx"): "500 5.5.2",
    ("long command", "MAIL FROM:<xxx"): "500 5.5.2",
    ("very long command", "FOOxxx"): "500 5.5.2",
    ("control", "MAIL FROM:<a\x01b"): "501 5.1.7",  # RFC 5321 4.1.2: no controls in an address
}


@pytest.fixture(scope="module")
def both():
    """Postfix and our suite, with the same settings."""
    made = []
    try:
        for kind in (Postfix, Instance):
            made.append(kind(**COMMON))
            (made[-1].etc / "odd").write_text("/odd one/ x\n")
            made[-1].start()
        yield made
    finally:
        for m in made:
            m.destroy()


def talk(port, steps):
    """What a server answers to each step: (what was sent, the reply as one text)."""
    heard = []
    with Talk(port, timeout=10) as t:
        heard.append(("(banner)", t.reply()))
        for step in steps:
            data, replies = step if isinstance(step, tuple) else (step + b"\r\n", 1)
            try:
                t.raw(data)
                for _ in range(replies):
                    heard.append((data.decode("latin-1"), t.reply()))
            except ConnectionError:
                heard.append((data.decode("latin-1"), (0, "")))
            if heard[-1][1][0] == 0:
                break
    return [(sent[:60], f"{code} {plain(text)}") for sent, (code, text) in heard]


def plain(text):
    """A reply without what is different by nature."""
    text = re.sub(r"queued as \S+", "queued as ID", text)
    return text.replace("Postrider", "Postfix")


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_dialogue_goes_as_with_postfix(both, name):
    theirs, ours = [talk(m.port, DIALOGUES[name]) for m in both]
    different = []
    for (sent, expected), (_, got) in zip(theirs, ours):
        allowed = [v for (n, start), v in OURS.items() if n == name and sent.startswith(start)]
        if got != expected and not any(got.startswith(a) for a in allowed):
            different.append(f"{sent!r}: Postfix {expected!r}, we {got!r}")
    assert not different and len(theirs) == len(ours), "\n".join(different)


# ---- what is logged of it

LOGGED = {
    "addresses": [EHLO, FROM, b"RCPT TO:<a b@example.test>", b"RCPT TO:<> NOTIFY=NEVER", b"RCPT TO:<x@example..test>", b"VRFY a b",
                  b"RSET", b"MAIL FROM:<a b@c.test> SIZE=5"],
    "a long command": [EHLO, b"FOO" + b"x" * 3000],
    "a size beyond the limit": [EHLO, b"MAIL FROM:<a@b.test> SIZE=30000"],
    "too big": DIALOGUES["too big"],
    "too big by bdat": DIALOGUES["too big by bdat"],
    "bdat syntax": [EHLO, b"BDAT x"],
    "refusals": [EHLO, FROM, b"RCPT TO:<nobodyhere@example.test>", b"RCPT TO:<x@relay.test>", b"RCPT TO:<x@[10.0.0.1]>"],
}


def settled(m):
    """The length of the log once the ends of all sessions are in it, and nothing follows."""
    def quiet():
        before = m.log()
        time.sleep(.1)
        return before == m.log() and before.count(" connect from ") == before.count(" disconnect from ")
    eventually(quiet, 10, "the end of earlier sessions in the log")
    return len(m.log())


def warnings(m, steps):
    """Lines of smtpd's log that say that something is wrong."""
    start = settled(m)
    talk(m.port, steps)
    eventually(lambda: " disconnect from " in m.log()[start:], 10, "the end of the session in the log")
    lines = re.findall(r"/smtpd\[\d+\]: (.*(?:warning|reject|error).*)", m.log()[start:])
    return [re.sub(r"\b[0-9A-Za-z]{10,16}: (?=queue file|BDAT)", "ID: ", line) for line in lines]


@pytest.mark.parametrize("name", LOGGED)
def test_mistakes_are_logged_as_by_postfix(both, name):
    theirs, ours = [warnings(m, LOGGED[name]) for m in both]
    assert ours == theirs and ours


# ---- what is delivered

MESSAGES = {
    "nothing missing": b"From: a@b.test\r\nTo: x@y.test\r\nSubject: s\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
                       b"Message-ID: <1@b.test>\r\n\r\nbody\r\n",
    "no header": b"just text here\r\nmore\r\n",
    "an empty line first": b"\r\nbody only\r\n",
    "text in the header": b"Subject: x\r\nnot a header line\r\nFoo: bar\r\n\r\nbody\r\n",
    "a mailbox line first": b"From someone Mon Jan 1\r\nSubject: x\r\n\r\nbody\r\nFrom here\r\n",
    "a quoted mailbox line first": b">From someone Mon Jan 1\r\nSubject: x\r\n\r\nbody\r\n",
    "continuation first": b" continuation\r\nSubject: x\r\n\r\nbody\r\n",
    "bare names": b"From: root (Ro Ot)\r\nTo: bob, Alice <alice>\r\nSubject: x\r\n\r\nbody\r\n",
    "many recipients": b"To: " + b", ".join(b"u%d@example.org" % i for i in range(30)) + b"\r\n\r\nbody\r\n",
    "folded": b"To: one@example.org,\r\n\ttwo@example.org (comment\r\n  more)\r\nSubject: x\r\n y\r\n\tz\r\n\r\nbody\r\n",
    "private fields": b"To: a@b.test\r\nBcc: secret@b.test\r\nReturn-Path: <x@y>\r\nContent-Length: 99\r\n"
                      b"Delivered-To: q@w\r\nX-Original-To: e@r\r\nSubject: x\r\n\r\nbody\r\n",
    "blanks before the colon": b"Subject : x\r\n y\r\nTo : bob\r\nFrom\t: root\r\nBcc : y@z.test\r\nMessage-Id : <1@x>\r\n"
                               b"Date  :now\r\nReturn-Path : <x@y>\r\n\r\nbody : x\r\n",
    "resent": b"Resent-From: r@b.test\r\nResent-To: x@b.test\r\nFrom: a@b.test\r\nSubject: x\r\n\r\nbody\r\n",
    "long lines": b"Subject: x\r\n\r\n" + b"\r\n".join(b"c" * n for n in (990, 998, 999, 2500, 5000)) + b"\r\n",
    "a long header": b"X-Long: " + b"h" * 3000 + b"\r\nSubject: " + b"word " * 500 + b"\r\n\r\nbody\r\n",
    "8 bit": b"Subject: \xc3\xa4\r\nFrom: \xc3\xb6 <a@b.test>\r\n\r\n\xe4\xff\r\n",
    "dots": b"Subject: x\r\n\r\n..\r\n...\r\n..a\r\n",
    "empty fields": b"From:\r\nTo:\r\nSubject:\r\nDate:\r\nMessage-Id:\r\n\r\nbody\r\n",
    "fields twice": b"From: a@b.test\r\nFrom: c@d.test\r\nDate: x\r\nDate: y\r\n\r\nbody\r\n",
}
COMMANDS = {
    "plain": ([], b"Subject: x\n\nbody\n"),
    "sender and name": (["-f", "a@b.test", "-F", "Full Name"], b"Subject: x\n\nbody\n"),
    "line ends": ([], b"Subject: x\r\n\r\nbody\r\nmore\r\n"),
    "a mailbox line": ([], b"From root Mon\n>From x\nSubject: x\n\nbody\nFrom x\n"),
    "only text": ([], b"text\n"),
    "a quoted name": (["-F", 'Dr. "Q" (x)'], b"Subject: x\n\nbody\n"),
    "gateway": (["-G"], b"Subject: x\nTo: bob\n\nbody\n"),
    "a long line": ([], b"Subject: x\n\n" + b"x" * 5000 + b"\n"),
    "a dot": ([], b"Subject: x\n\nbody\n.\nmore\n"),
    "bare returns": ([], b"Subject: a\rb\n\nbo\rdy\n"),
}


def delivered(text):
    """A delivered message without what is different by nature."""
    text = text.decode("latin-1").replace("Postrider", "Postfix")
    text = re.sub(r"\bid [0-9A-Za-z]{9,16}\b", "id ID", text)
    text = re.sub(r"<\d{14}\.[0-9A-Za-z]{9,16}@", "<DATE.ID@", text)
    return re.sub(r"\w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)", "DATE", text)


@pytest.fixture(scope="module")
def stores(accounts):
    """Both again, delivering to a mailbox."""
    made = []
    try:
        for kind in (Postfix, Instance):
            made.append(kind(local_recipient_maps="", recipient_delimiter="+").start())
        yield made
    finally:
        for m in made:
            m.destroy()


def one_message(user, what):
    box = pathlib.Path(user.pw_dir) / "Maildir"
    text = eventually(lambda: maildir(box), 15, what)[0]
    shutil.rmtree(box)
    return delivered(text)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_arrives_as_from_postfix(stores, mailbox, name):
    arrived = []
    for m in stores:
        with Talk(m.port) as t:
            t.reply()
            for command in ("EHLO client.test", "MAIL FROM:<Sender@client.test>",
                            f"RCPT TO:<{mailbox.pw_name}+box@Example.test>"):
                assert t.say(command)[0] == 250
            assert t.say("DATA")[0] == 354
            t.raw(MESSAGES[name] + b".\r\n")
            assert t.reply()[0] == 250
        arrived.append(one_message(mailbox, name))
    assert arrived[0] == arrived[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_sendmail_submits_as_postfix_does(stores, mailbox, name):
    arguments, text = COMMANDS[name]
    arrived = []
    for m in stores:
        r = m.run("sendmail", *arguments, mailbox.pw_name + "@localhost", input=text)
        assert r.stderr == b""
        arrived.append(one_message(mailbox, name))
    assert arrived[0] == arrived[1]


# ---- exit codes

USAGE = {
    "sendmail": ["-Z", "--help", "-f", "", "-bZ", "-bt", "-bh", "-bH", "-bp", "-q", "-qp", "-qIfoo", "-qRx.test",
                 "-qS", "-XV x@y.test", "-V ab x@y.test", "-N never x@y.test", "-N foo x@y.test",
                 "-N success,never x@y.test", "-R hdrs x@y.test", "-R foo x@y.test", "-B 7BIT x@y.test",
                 "-B BINARY x@y.test", "-oi -oem -odq -om -o7 -oo x@y.test", "-O a=b x@y.test", "-o x val x@y.test",
                 "-U -Am -Ac x@y.test", "-L tag x@y.test", "-h 5 x@y.test", "-m -c -e x x@y.test",
                 "-p proto x@y.test", "-d x@y.test", "-D", "-Q", "-S", "-M", "-E", "-T", "-t", "-t x@y.test",
                 "-C /nonexistent x@y.test", "-bi", "-I", "-ba", "-F", "-r a@b.test x@y.test",
                 "x@y.test -f foo", "-- -f", "-G x@y.test", "a@b.test,c@d.test", "@", "a@", "a@b@c", "-i", "-ti",
                 "-it x@y.test", "-N", "-bi -oA/nonexistent", "-v x@y.test", "-v -v x@y.test", "-bv",
                 "-bv x@y.test", "-bv -t", "-q30m", "-q1h x@y.test", "-qI", "-qR"],
    "postqueue": ["", "-Z", "-p", "-j", "-f", "-i", "-i foo", "-i ABCDEF1", "-s", "-s foo", "-s [127.0.0.1]",
                  "-p -j", "-p x", "-f x", "-i ''", "-s ''", "-s 'a b'", "-i ../x", "-c /nonexistent -p", "-j x"],
    "postsuper": ["", "-Z", "-d", "-d foo", "-d ABCDEF1", "-d ALL", "-d ALL deferred", "-d ALL nonsense",
                  "-h ALL", "-H ALL", "-r ALL", "-r foo", "-p", "-s", "-ps", "-d -", "-h foo", "-d ../../x",
                  "deferred", "nonsense", "-d ALL hold", "-c /nonexistent -p", "-e ALL"],
    "postconf": ["-Z", "-h nosuch", "nosuch", "-d nosuch", "-n nosuch", "-x mydestination", "-hd mail_name",
                 "-m", "-l", "-M", "-M smtp", "-M smtp/unix", "-M foo/unix", "-e", "-e foo", "-e a=b", "-# foo",
                 "-X foo", "-c /nonexistent", "-n", "-H queue_minfree", "-o mail_name=X mail_name", "-d -n",
                 "-f -n", "-MX foo/unix", "-e =x"],
    "postmap": ["", "-Z", "/nonexistent/x", "foo:/tmp/x", "-q a inline:{a=b}", "-q z inline:{a=b}",
                "-q a static:x", "-q a foo:bar", "-q a texthash:/nonexistent", "-q '' inline:{a=b}",
                "-q a regexp:/nonexistent", "-d a inline:{a=b}", "-s inline:{a=b}", "-q", "-d a",
                "-q - inline:{a=b}", "-q abc 'regexp:{{/b/ hit}}'", "-q abc 'regexp:{{/(b/ hit}}'",
                "-q a inline:{a=b", "-q a fail:x", "-c /nonexistent -q a static:x"],
    "postalias": ["", "-Z", "/nonexistent/x", "-q a inline:{a=b}", "-q z inline:{a=b}"],
    "postcat": ["-Z", "-q", "-q foo", "-q ABCDEF1", "/nonexistent", "-q ../../etc/passwd"],
    "postlog": ["-Z", "hello", "-p warn hello", "-p foo hello", "-t tag hello"],
    "postlock": ["", "-Z", "x", "/nonexistent/x true", "-l foo /tmp/x true", "/tmp/prtest-lock false", "/tmp/prtest-lock nosuch"],
    "mailq": ["", "-Z", "-bp"],
    "newaliases": ["", "-Z"],
    "postdrop": ["-Z"],
    "postrider": ["status", "check", "flush", "foo", "-Z"],
}
INPUT = "From: a@b.test\nTo: prtest@invalid.test\n\nx\n"


def exit_codes(m, command):
    return {a: m.run(command, *shlex.split(a), check=False, input=INPUT).returncode for a in USAGE[command]}


@pytest.fixture
def beside():
    made = []

    def make(kind, **settings):
        made.append(kind(**settings))
        return made[-1]

    yield make
    for m in made:
        m.destroy()


@pytest.fixture(scope="module", params=["up", "down"])
def commanded(request):
    """Both, with the system up, then stopped again."""
    made = []
    try:
        for kind in (Postfix, Instance):
            made.append(kind(default_transport="discard:").start())
            if request.param == "down":
                made[-1].stop()
        yield made
    finally:
        for m in made:
            m.destroy()


def test_what_is_printed_is_what_postfix_prints(commanded):
    for command, argument in [("sendmail", "-v a@b.test"), ("sendmail", "-bv a@b.test"), ("sendmail", "-v -v a@b.test"),
                              ("postqueue", "-i ''"), ("postqueue", "-i foo"), ("postqueue", "-s foo"), ("postqueue", "-f"),
                              ("postqueue", "-s 'a b'"), ("postrider", "flush"), ("postsuper", "-r foo")]:
        theirs, ours = [m.run(command, *shlex.split(argument), check=False, input=INPUT) for m in commanded]
        assert ours.stdout == theirs.stdout, (command, argument)
        if "-v -v" not in argument:  # theirs says there what it does
            assert [x for x in theirs.stderr.splitlines() if b"warning: connect to" not in x] == ours.stderr.splitlines()


def test_each_postqueue_reads_the_other_showq(beside):
    """With some of a message's recipients deferred, one message on hold, one with the null sender."""
    made = [beside(kind, default_transport="discard:", defer_transports="discard", enable_long_queue_ids="yes")
            for kind in (Postfix, Instance)]
    for m in made:
        m.start()
        for sender, recipients in (("a@b.test", ["x@wait.test", "y@wait.test"]), ("", ["z@wait.test"]), ("c@b.test", ["q@wait.test"])):
            m.sendmail("-f", sender, *recipients)
        eventually(lambda m=m: m.run("postqueue", "-j").stdout.count(b"delay_reason") == 4, 20, "deferred messages")
        m.run("postsuper", "-h", [e["queue_id"] for e in entries(m) if e["sender"] == "c@b.test"][0])
    for reader, other in (made, made[::-1]):
        assert reader.run("postqueue", "-c", other.etc, "-p").stdout == other.run("postqueue", "-p").stdout
        assert sorted(map(str, entries(reader, "-c", other.etc))) == sorted(map(str, entries(other)))


def entries(m, *arguments):
    """The queue as postqueue -j tells it, without what only ours tells."""
    found = map(json.loads, m.run("postqueue", *arguments, "-j").stdout.splitlines())
    return [{k: v for k, v in e.items() if k != "next_try_time"} for e in found]


def test_an_init_script_may_start_what_runs(instance):
    mx = instance()
    for arguments in (["-bd"], ["-bl"], ["-bd", "-q30m"]):
        r = mx.run("sendmail", *arguments, check=False)
        assert (r.returncode, r.stdout, r.stderr) == (0, b"", b"")
    mx.stop()
    mx.run("sendmail", "-bd", "-q30m")
    eventually(mx.listening, 20, "the SMTP port")


@pytest.mark.parametrize("command", USAGE)
def test_exit_codes_are_those_of_postfix(commanded, command):
    theirs, ours = [exit_codes(m, command) for m in commanded]
    different = {a: (code, ours[a]) for a, code in theirs.items() if code != ours[a]}
    assert not different, f"{command}: Postfix's status, ours: {different}"
