# SPDX-License-Identifier: ISC
"""The whole road with real clients: from submission to mailbox and next hop."""
import email
import os
import pathlib
import re
import signal
import smtplib
import subprocess

import pytest

from harness import SBIN, Talk, eventually, maildir


def mailbox_messages(user, count, seconds=15):
    path = pathlib.Path(user.pw_dir) / "Maildir"
    eventually(lambda: len(maildir(path)) >= count, seconds, f"{count} messages in {path}")
    return [email.message_from_bytes(m) for m in maildir(path)]


def test_sendmail_command_reaches_a_maildir(instance, mailbox):
    mx = instance()
    mx.sendmail("-f", "me@example.test", mailbox.pw_name, input="Subject: by command\n\nfirst line\n.leading dot is data? no\n")
    m = mailbox_messages(mailbox, 1)[0]
    assert m["Subject"] == "by command"
    assert m["Return-Path"] == "<me@example.test>"
    assert m["Delivered-To"] == f"{mailbox.pw_name}@mx.example.test"
    assert m["Date"] and m["Message-Id"] and m["From"]
    assert re.search(r"\(Postfix, from userid 0\)", m["Received"])
    assert m.get_payload() == "first line\n.leading dot is data? no\n"
    mx.wait_log(r"postfix/pickup\[\d+\]: (\w+): uid=0 from=<me@example.test>")
    mx.wait_log(r"postfix/local\[\d+\]: \w+: to=<.*>, orig_to=<%s>, relay=local, delay=[\d.]+, "
                r"delays=[\d./]+, dsn=2.0.0, status=sent \(delivered to maildir\)" % mailbox.pw_name)
    mx.wait_log(r"postfix/qmgr\[\d+\]: \w+: removed")


def test_a_dot_alone_ends_sendmail_input_unless_told_otherwise(instance, mailbox):
    mx = instance()
    mx.sendmail(mailbox.pw_name, input="Subject: a\n\none\n.\ntwo\n")
    mx.sendmail("-i", mailbox.pw_name, input="Subject: b\n\none\n.\ntwo\n")
    bodies = {m["Subject"]: m.get_payload() for m in mailbox_messages(mailbox, 2)}
    assert bodies == {"a": "one\n", "b": "one\n.\ntwo\n"}


def test_sendmail_t_takes_recipients_from_the_header(instance, mailbox):
    mx = instance()
    mx.sendmail("-t", input=f"To: {mailbox.pw_name}@example.test\nBcc: {mailbox.pw_name}+secret@localhost\n"
                "Subject: t\n\nx\n")
    messages = mailbox_messages(mailbox, 1)
    assert all("Bcc" not in m for m in messages)


def test_smtp_reaches_a_maildir_with_its_envelope(instance, mailbox):
    mx = instance()
    assert mx.send(f"{mailbox.pw_name}@example.test") == {}
    m = mailbox_messages(mailbox, 1)[0]
    assert m["Return-Path"] == "<sender@client.test>"
    assert m["X-Original-To"] == f"{mailbox.pw_name}@example.test"
    assert re.match(r"from client\.example\.test \(\S+ \[127\.0\.0\.1\]\)\s+by mx\.example\.test "
                    r"\(Postfix\) with ESMTP id \w+\s+for <\S+>;", m["Received"])
    mx.wait_log(r"smtpd\[\d+\]: connect from \S+\[127\.0\.0\.1\]")
    mx.wait_log(r"smtpd\[\d+\]: disconnect from \S+\[127\.0\.0\.1\] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")
    mx.wait_log(r"cleanup\[\d+\]: \w+: message-id=<")
    mx.wait_log(r"qmgr\[\d+\]: \w+: from=<sender@client\.test>, size=\d+, nrcpt=1 \(queue active\)")


def test_strangers_recipients_and_relaying_are_refused(instance, mailbox):
    mx = instance(mynetworks="192.0.2.0/24")
    with mx.smtp() as s:
        s.ehlo()
        assert s.mail("a@client.test")[0] == 250
        code, text = s.rcpt("someone@elsewhere.test")
        assert (code, text.split()[0]) == (454, b"4.7.1")  # defer_unauth_destination is the default
        code, text = s.rcpt("nobody-here@example.test")
        assert (code, text.split()[0]) == (550, b"5.1.1")
        assert s.rcpt(f"{mailbox.pw_name}@example.test")[0] == 250
    mx.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.1\]: 454 4\.7\.1 <someone@elsewhere\.test>: "
                r"Relay access denied; from=<a@client\.test> to=<someone@elsewhere\.test> proto=ESMTP helo=<client\.example\.test>")
    mx.wait_log(r"NOQUEUE: reject: RCPT from .* 550 5\.1\.1 <nobody-here@example\.test>: Recipient address "
                r"rejected: User unknown in local recipient table")


def test_mail_goes_to_the_relayhost_unchanged(instance, sink):
    hop = sink()
    mx = instance(relayhost=f"[127.0.0.1]:{hop.port}")
    body = "line\r\n.dot\r\n..two dots\r\n" + "x" * 990 + "\r\nlast without newline"
    mx.send(["a@far.test", "b@far.test"], f"From: s@client.test\r\nSubject: hop\r\n\r\n{body}\r\n")
    m = hop.wait(1)[0]
    assert m["sender"] == "sender@client.test"
    assert sorted(m["recipients"]) == ["a@far.test", "b@far.test"]
    assert m["data"].endswith(b"\r\n\r\n" + body.encode() + b"\r\n")
    assert m["helo"] == "mx.example.test"
    mx.wait_log(r"smtp\[\d+\]: \w+: to=<a@far\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, delay=.*, "
                r"dsn=2\.0\.0, status=sent \(250 2\.0\.0 kept\)", 15)


def test_lmtp_answers_for_each_recipient(instance, sink):
    store = sink(lmtp=True, answer=lambda verb, arg, s: "550 5.2.2 full" if verb == "DOT" and arg.startswith("full") else None)
    mx = instance(transport_maps=f"inline:{{store.test=lmtp:inet:127.0.0.1:{store.port}}}",
                  relay_domains="store.test")
    mx.send(["ok@store.test", "full@store.test"], sender="")
    mx.wait_log(r"lmtp\[\d+\]: \w+: to=<ok@store\.test>, .*status=sent")
    mx.wait_log(r"lmtp\[\d+\]: \w+: to=<full@store\.test>, .*dsn=5\.2\.2, status=bounced")


def test_a_refused_recipient_comes_back_as_a_report(instance, sink, mailbox):
    hop = sink(answer=lambda verb, arg, s: "550 5.1.1 no such user" if verb == "RCPT" and "bad" in arg else None)
    mx = instance(relayhost=f"[127.0.0.1]:{hop.port}")
    mx.send(["good@far.test", "bad@far.test"], sender=f"{mailbox.pw_name}@example.test")
    report = mailbox_messages(mailbox, 1)[0]
    assert report["Return-Path"] == "<>"
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    text, status, original = report.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    fields = status.get_payload()
    assert fields[1]["Final-Recipient"] == "rfc822; bad@far.test"
    assert fields[1]["Action"] == "failed"
    assert fields[1]["Status"] == "5.1.1"
    assert fields[1]["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert fields[1]["Remote-MTA"].startswith("dns; ")
    assert "bad@far.test" in text.get_payload() and "good@far.test" not in text.get_payload()
    assert original.get_content_type() in ("message/rfc822", "text/rfc822-headers")
    assert len(hop.wait(1)) == 1 and hop.messages[0]["recipients"] == ["good@far.test"]
    mx.wait_log(r"bounce\[\d+\]: \w+: sender non-delivery notification: \w+")


def test_a_temporary_failure_is_kept_and_tried_again(instance, sink):
    state = {"down": True}
    hop = sink(answer=lambda verb, arg, s: "451 4.3.0 later" if verb == "MAIL" and state["down"] else None)
    mx = instance(relayhost=f"[127.0.0.1]:{hop.port}")
    mx.send("a@far.test")
    mx.wait_log(r"to=<a@far\.test>, .*dsn=4\.3\.0, status=deferred \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: 451 4\.3\.0 later \(in reply to MAIL FROM command\)\)")
    listing = eventually(lambda: "a@far.test" in mx.mailq() and "451 4.3.0 later" in mx.mailq() and mx.mailq(), 10, "the deferral in the listing")
    assert re.search(r"^\w{10,}[ *]", listing, re.M)
    assert "Mail queue is empty" not in listing
    state["down"] = False
    mx.flush()
    hop.wait(1)
    eventually(lambda: "Mail queue is empty" in mx.mailq(), 10, "an empty queue")


def test_virtual_aliases_and_local_aliases(instance, mailbox, sink):
    hop = sink()
    mx = instance(start=False, virtual_alias_domains="virtual.test",
                  virtual_alias_maps=f"inline:{{info@virtual.test={mailbox.pw_name}@example.test}}",
                  relayhost=f"[127.0.0.1]:{hop.port}")
    aliases = mx.etc / "aliases"
    aliases.write_text(f"team: {mailbox.pw_name}, out@far.test\npostmaster: root\n")
    mx.set(alias_maps=f"lmdb:{aliases}", alias_database=f"lmdb:{aliases}")
    mx.run("newaliases")
    mx.start()
    mx.send("info@virtual.test")
    mailbox_messages(mailbox, 1)
    mx.send("team@example.test")
    mailbox_messages(mailbox, 2)
    assert hop.wait(1)[0]["recipients"] == ["out@far.test"]
    with mx.smtp() as s:
        s.ehlo()
        s.mail("a@client.test")
        assert s.rcpt("nobody@virtual.test")[0] == 550


def test_bare_newlines_never_end_a_message(instance, mailbox):
    mx = instance()
    for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"):
        with Talk(mx.port) as t:
            t.reply()
            t.say("EHLO client.test")
            t.say("MAIL FROM:<a@client.test>")
            assert t.say(f"RCPT TO:<{mailbox.pw_name}@example.test>")[0] == 250
            assert t.say("DATA")[0] == 354
            t.raw(b"Subject: outer\r\n\r\nbody" + end +
                  b"MAIL FROM:<smuggled@client.test>\r\nRCPT TO:<root@example.test>\r\nDATA\r\nSubject: inner\r\n\r\nx\r\n.\r\n")
            code, _ = t.reply()
            assert code in (250, 521, 550)
            t.sock.settimeout(1)
            try:
                extra = t.sock.recv(1000)
            except TimeoutError:
                extra = b""
            assert not extra.startswith(b"2"), f"{end!r} ended the message"
    assert "smuggled@client.test" not in "".join(
        line for line in mx.log().splitlines() if "from=<smuggled" in line)


def test_a_client_that_drops_leaves_nothing(instance, mailbox):
    mx = instance()
    t = Talk(mx.port)
    t.reply()
    t.say("EHLO client.test")
    t.say("MAIL FROM:<a@client.test>")
    t.say(f"RCPT TO:<{mailbox.pw_name}@example.test>")
    t.say("DATA")
    t.raw("Subject: half\r\n\r\nthis message never en")
    t.close()
    mx.wait_log(r"lost connection after DATA \(\d+ bytes\) from \S+\[127\.0\.0\.1\]")
    assert "Mail queue is empty" in mx.mailq()
    assert maildir(pathlib.Path(mailbox.pw_dir) / "Maildir") == []


def test_swaks_and_s_nail_are_served(instance, mailbox):
    mx = instance()
    subprocess.run(["swaks", "--server", f"127.0.0.1:{mx.port}", "--to", f"{mailbox.pw_name}@example.test",
                    "--from", "swaks@client.test", "--helo", "client.test", "--silent", "2"], check=True, timeout=60)
    subprocess.run(["s-nail", "-:/", "-Sv15-compat", f"-Smta={SBIN}/sendmail", "-s", "from s-nail",
                    f"{mailbox.pw_name}@example.test"], input=b"text\n", check=True, env=mx.environment(), timeout=60)
    subjects = {m["Subject"] for m in mailbox_messages(mailbox, 2)}
    assert "from s-nail" in subjects


def test_bdat_and_pipelining(instance, mailbox):
    mx = instance()
    with Talk(mx.port) as t:
        t.reply()
        _, caps = t.say("EHLO client.test")
        for keyword in ("PIPELINING", "SIZE", "8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8", "VRFY"):
            assert re.search(rf"^{keyword}\b", caps, re.M), keyword
        first, second = b"Subject: chunks\r\n\r\nfirst ", b"second\r\n"
        t.raw(f"MAIL FROM:<a@client.test> SIZE=100\r\nRCPT TO:<{mailbox.pw_name}@example.test>\r\n"
              f"BDAT {len(first)}\r\n".encode() + first + f"BDAT {len(second)} LAST\r\n".encode() + second + b"QUIT\r\n")
        codes = [t.reply()[0] for _ in range(5)]
        assert codes == [250, 250, 250, 250, 221]
    assert mailbox_messages(mailbox, 1)[0].get_payload() == "first second\n"


def test_size_limit_is_kept_before_and_after_the_data(instance, mailbox):
    mx = instance(message_size_limit="10000")
    with Talk(mx.port) as t:
        t.reply()
        t.say("EHLO client.test")
        assert t.say("MAIL FROM:<a@client.test> SIZE=10001")[0] == 552
        t.say("MAIL FROM:<a@client.test>")
        t.say(f"RCPT TO:<{mailbox.pw_name}@example.test>")
        t.say("DATA")
        t.raw(b"Subject: big\r\n\r\n" + b"x" * 70 * 200 + b"\r\n.\r\n")
        code, text = t.reply()
        assert code == 552 and text.startswith("5.3.4")
        assert t.say("NOOP")[0] == 250
    assert "Mail queue is empty" in mx.mailq()


@pytest.mark.parametrize("program", ["smtpd", "cleanup", "qmgr", "local", "resolver"])
def test_a_killed_daemon_comes_back(instance, mailbox, program):
    mx = instance()
    mx.send(f"{mailbox.pw_name}@example.test")
    mailbox_messages(mailbox, 1)
    for pid in mx.pids(program):
        os.kill(pid, signal.SIGKILL)

    def again():
        try:
            return mx.send(f"{mailbox.pw_name}@example.test") == {}
        except (smtplib.SMTPException, OSError):
            return False

    eventually(again, 20, "an accepted message")
    mailbox_messages(mailbox, 2, 20)


def test_reload_keeps_a_session_and_bad_configuration_changes_nothing(instance, mailbox):
    mx = instance()
    with mx.smtp() as s:
        s.ehlo()
        s.mail("a@client.test")
        mx.set(smtpd_banner="$myhostname ESMTP changed")
        mx.reload()
        assert s.rcpt(f"{mailbox.pw_name}@example.test")[0] == 250
        assert s.data(b"Subject: over a reload\r\n\r\nx\r\n")[0] == 250

    def banner():
        with Talk(mx.port) as t:
            return t.reply()[1]

    eventually(lambda: "changed" in banner(), 10, "the new banner")
    (mx.etc / "main.cf").write_text((mx.etc / "main.cf").read_text() + "message_size_limit = many\n")
    r = mx.reload(check=False)
    assert "message_size_limit" in mx.log() + r.stderr.decode()
    assert "changed" in banner()
    assert mx.send(f"{mailbox.pw_name}@example.test") == {}
    mailbox_messages(mailbox, 2)
