# SPDX-License-Identifier: ISC
"""The SMTP server as a client sees it: replies, limits, refusals, TLS, hostile bytes."""
import contextlib
import os
import re
import signal
import ssl
import subprocess
import time

import pytest

from harness import PATIENCE, SANITIZED, Talk, eventually

STRANGERS = {"mynetworks": "192.0.2.0/24",
             "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
             "local_recipient_maps": "inline:{ alice=x, bob=x }"}


def hello(mx, name="client.test", source="127.0.0.1"):
    t = Talk(mx.port, source=source)
    assert t.reply()[0] == 220
    assert t.say(f"EHLO {name}")[0] == 250
    return t


def envelope(t, recipient="alice@example.test"):
    assert t.say("MAIL FROM:<a@client.test>") == (250, "2.1.0 Ok")
    assert t.say(f"RCPT TO:<{recipient}>") == (250, "2.1.5 Ok")


def at_end(t):
    """Nothing more comes, and the connection is closed."""
    return t.reply() == (0, "")


def test_every_verb_in_and_out_of_order(instance):
    mx = instance(**STRANGERS)
    with Talk(mx.port) as t:
        assert t.reply() == (220, "mx.example.test ESMTP Postfix")
        assert t.say("NOOP") == (250, "2.0.0 Ok")
        assert t.say("HELO") == (501, "Syntax: HELO hostname")
        assert t.say("EHLO") == (501, "Syntax: EHLO hostname")
        assert t.say("HELO client.test") == (250, "mx.example.test")
        assert t.say("RCPT TO:<alice@example.test>") == (503, "5.5.1 Error: need MAIL command")
        assert t.say("DATA") == (503, "5.5.1 Error: need RCPT command")
        assert t.say("MAIL") == (501, "5.5.4 Syntax: MAIL FROM:<address>")
        assert t.say("MAIL FROM:<a@client.test> FROB=1") == (555, "5.5.4 Unsupported option: FROB=1")
        assert t.say("MAIL FROM:<a@client.test> SIZE=x") == (501, "5.5.4 Bad message size syntax")
        assert t.say("MAIL FROM:<a b>")[0] == 501
        assert t.say("MAIL FROM:<a@client.test>") == (250, "2.1.0 Ok")
        assert t.say("MAIL FROM:<a@client.test>") == (503, "5.5.1 Error: nested MAIL command")
        assert t.say("DATA") == (554, "5.5.1 Error: no valid recipients")
        assert t.say("RCPT TO:<>")[0] == 501
        assert t.say("RCPT TO:<alice@example.test> NOTIFY=NEVER,DELAY") == (501, "5.5.4 Error: Bad NOTIFY parameter syntax")
        t.close()
    with hello(mx) as t:
        assert t.say("VRFY alice@example.test") == (252, "2.0.0 alice@example.test")
        assert t.say("VRFY zed@example.test")[0] == 550
        assert t.say("RSET now") == (501, "5.5.4 Syntax: RSET")
        assert t.say("RSET") == (250, "2.0.0 Ok")
        assert t.say("HELP")[0] == 214
        assert t.say("ETRN example.test")[0] == 459
        assert t.say("AUTH PLAIN AAAA") == (503, "5.5.1 Error: authentication not enabled")
        assert t.say("STARTTLS") == (502, "5.5.1 Error: command not implemented")
        assert t.say("FROB") == (500, "5.5.2 Error: command not recognized")
        assert t.say("") == (500, "5.5.2 Error: bad syntax")
        assert t.say(b"MAIL FROM:<\xff\xfe@client.test>") == (500, "5.5.2 Error: bad UTF-8 syntax")
        assert t.say("QUIT") == (221, "2.0.0 Bye")
        assert at_end(t)
    mx.wait_log(r"disconnect from \S+\[127\.0\.0\.1\] ehlo=1 starttls=0/1 auth=0/1 mail=0/1 rset=1/2 vrfy=1/2 "
                r"etrn=0/1 quit=1 help=1 unknown=0/1 commands=5/12|disconnect from \S+ ehlo=1 .*quit=1 help=1")
    mx.wait_log(r"lost connection after RCPT from \S+\[127\.0\.0\.1\]")


def test_what_ehlo_offers_can_be_cut_down(instance):
    mx = instance(smtpd_discard_ehlo_keywords="dsn, chunking", disable_vrfy_command="yes", **STRANGERS)
    with Talk(mx.port) as t:
        t.reply()
        _, offer = t.say("EHLO client.test")
        assert offer.split("\n") == ["mx.example.test", "PIPELINING", "SIZE 10240000", "ENHANCEDSTATUSCODES",
                                     "8BITMIME", "SMTPUTF8"]
        assert t.say("VRFY alice") == (502, "5.5.1 VRFY command is disabled")
        assert t.say("MAIL FROM:<a@client.test> RET=FULL") == (501, "5.7.1 DSN support is disabled")
        assert t.say("BDAT 3") == (521, "5.5.1 Error: command not implemented")
        assert at_end(t)


def test_refusals_are_said_and_logged(instance):
    mx = instance(smtpd_helo_required="yes", smtpd_sender_restrictions="check_sender_access inline:{bad.test=REJECT}",
                  smtpd_client_restrictions="check_client_access cidr:{{127.0.0.0/8 WARN seen}}", **STRANGERS)
    with Talk(mx.port) as t:
        t.reply()
        assert t.say("MAIL FROM:<a@client.test>") == (503, "5.5.1 Error: send HELO/EHLO first")
        t.say("EHLO client.test")
        assert t.say("MAIL FROM:<a@bad.test>")[0] == 250
        assert t.say("RCPT TO:<alice@example.test>") == (554, "5.7.1 <a@bad.test>: Sender address rejected: Access denied")
        t.say("RSET")
        t.say("MAIL FROM:<>")
        assert t.say("RCPT TO:<x@far.test>") == (554, "5.7.1 <x@far.test>: Relay access denied")
        assert t.say("RCPT TO:<zed@example.test>") == (
            550, "5.1.1 <zed@example.test>: Recipient address rejected: User unknown in local recipient table")
        assert t.say("DATA") == (554, "5.5.1 Error: no valid recipients")
    mx.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.1\]: 554 5\.7\.1 <a@bad\.test>: Sender address rejected: "
                r"Access denied; from=<a@bad\.test> to=<alice@example\.test> proto=ESMTP helo=<client\.test>$")
    mx.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.1\]: 554 5\.7\.1 <x@far\.test>: Relay access denied; "
                r"from=<> to=<x@far\.test> proto=ESMTP helo=<client\.test>$")
    mx.wait_log(r"NOQUEUE: warn: RCPT from \S+\[127\.0\.0\.1\]: <\S+\[127\.0\.0\.1\]>: Client host seen;")


def test_mail_is_held_or_thrown_away(instance):
    mx = instance(smtpd_sender_restrictions="check_sender_access inline:{{hold.test = HOLD look at it}, drop.test=DISCARD}",
                  smtpd_end_of_data_restrictions="check_sender_access inline:{late.test=DISCARD, later.test=HOLD}",
                  **STRANGERS)

    def send(sender):
        with hello(mx) as t:
            t.say(f"MAIL FROM:<a@{sender}>")
            assert t.say("RCPT TO:<alice@example.test>")[0] == 250
            t.say("DATA")
            t.raw("Subject: x\r\n\r\nx\r\n.\r\n")
            return t.reply()

    for sender in ("drop.test", "late.test"):
        code, text = send(sender)
        assert code == 250 and text.startswith("2.0.0 Ok: queued as ")
    assert send("later.test") == (451, "4.3.5 Server configuration error")
    assert "Mail queue is empty" in mx.mailq()
    assert send("hold.test")[0] == 250
    eventually(lambda: re.search(r"^\w{10,}! ", mx.mailq(), re.M), 10, "a held message")
    mx.wait_log(r"NOQUEUE: hold: RCPT from \S+\[127\.0\.0\.1\]: <a@hold\.test>: Sender address look at it;")
    mx.wait_log(r"\w+: discard: END-OF-MESSAGE from \S+\[127\.0\.0\.1\]: <a@late\.test>: Sender address triggers DISCARD action;")


def test_without_delay_refusals_come_at_once(instance):
    mx = instance(smtpd_delay_reject="no", smtpd_helo_restrictions="reject_non_fqdn_helo_hostname",
                  smtpd_sender_restrictions="check_sender_access inline:{bad.test=REJECT}", **STRANGERS)
    with Talk(mx.port) as t:
        t.reply()
        assert t.say("EHLO short") == (504, "5.5.2 <short>: Helo command rejected: need fully-qualified hostname")
        t.say("EHLO client.test")
        assert t.say("MAIL FROM:<a@bad.test>") == (554, "5.7.1 <a@bad.test>: Sender address rejected: Access denied")
    mx.set(smtpd_client_restrictions="reject")
    mx.reload()

    def refused():
        with Talk(mx.port) as t:
            return t.reply()[0] == 554 and t.say("EHLO client.test")[0] == 503 and t.say("QUIT")[0] == 221

    eventually(refused, 10, "a refusal at the door")


def test_mistakes_are_counted_slowed_and_cut_off(instance):
    mx = instance(smtpd_soft_error_limit="3", smtpd_hard_error_limit="5", smtpd_error_sleep_time="1s", **STRANGERS)
    with hello(mx) as t:
        for _ in range(3):
            assert t.say("FROB")[0] == 500
        begun = time.monotonic()
        assert t.say("FROB")[0] == 500
        assert time.monotonic() - begun > 0.9
        t.raw("FROB\r\n")
        assert t.reply()[0] == 500
        assert t.reply() == (421, "4.7.0 mx.example.test Error: too many errors")
        assert at_end(t)
    mx.wait_log(r"too many errors after UNKNOWN from \S+\[127\.0\.0\.1\]")


def test_recipients_have_a_limit(instance):
    mx = instance(smtpd_recipient_limit="2", smtpd_recipient_overshoot_limit="1", smtpd_hard_error_limit="2", **STRANGERS)
    with hello(mx) as t:
        envelope(t)
        assert t.say("RCPT TO:<bob@example.test>")[0] == 250
        for _ in range(3):
            assert t.say("RCPT TO:<alice@example.test>") == (452, "4.5.3 Error: too many recipients")
        assert t.reply()[0] == 421


def test_junk_becomes_errors_and_connections_have_a_limit(instance):
    mx = instance(smtpd_junk_command_limit="3", smtpd_hard_error_limit="2", smtpd_client_connection_count_limit="2",
                  smtpd_client_event_limit_exceptions="", smtpd_error_sleep_time="0", **STRANGERS)
    with hello(mx) as t:
        assert [t.say("NOOP")[0] for _ in range(5)] == [250] * 5
        assert t.reply()[0] == 421
    # the limit is each process's, and there are as many of them as processors
    talks = [Talk(mx.port) for _ in range(2 * os.cpu_count() + 1)]
    greetings = [t.reply() for t in talks]
    assert (421, "4.7.0 mx.example.test Error: too many connections from 127.0.0.1") in greetings
    assert sum(code == 220 for code, _ in greetings) >= 2
    for t in talks:
        t.close()
    mx.wait_log(r"warning: Connection concurrency limit exceeded: 3 from \S+\[127\.0\.0\.1\] for service")


def test_lines_that_are_too_long_or_hold_nul(instance):
    mx = instance(**STRANGERS)
    with hello(mx) as t:
        assert t.say("NOOP " + "x" * 5000) == (500, "5.5.2 Error: line too long")
        assert t.say("NOOP") == (250, "2.0.0 Ok")
        assert t.say(b"MAIL FROM:<a\0b@client.test>")[0] == 501
        envelope(t)
        assert t.say("DATA")[0] == 354
        t.raw(b"Subject: a\0b\r\n\r\n\0\0" + b"x" * 100000 + b"\r\n.\r\n")
        code, text = t.reply()
        assert code == 250 and re.fullmatch(r"2\.0\.0 Ok: queued as \w+", text)


def test_not_smtp_at_all(instance):
    mx = instance(**STRANGERS)
    with Talk(mx.port) as t:
        t.reply()
        assert t.say("FROB")[0] == 500
        assert t.say("GET / HTTP/1.1") == (221, "2.7.0 Error: I can break rules, too. Goodbye.")
        assert at_end(t)
    with hello(mx) as t:
        assert t.say(":binary") == (221, "2.7.0 Error: I can break rules, too. Goodbye.")
    mx.wait_log(r"warning: non-SMTP command from \S+\[127\.0\.0\.1\]: GET / HTTP/1\.1")


def test_silence_ends_a_session(instance):
    mx = instance(smtpd_timeout="1s", **STRANGERS)
    with hello(mx) as t:
        assert t.reply() == (421, "4.4.2 mx.example.test Error: timeout exceeded")
        assert at_end(t)
    with hello(mx) as t:
        envelope(t)
        t.say("DATA")
        t.raw("Subject: half")
        assert t.reply()[0] == 421
        assert at_end(t)
    mx.wait_log(r"timeout after EHLO from \S+\[127\.0\.0\.1\]")
    mx.wait_log(r"timeout after DATA \(\d+ bytes\) from \S+\[127\.0\.0\.1\]")
    assert "Mail queue is empty" in mx.mailq()


def test_chunks_out_of_order(instance):
    mx = instance(message_size_limit="20000", **STRANGERS)
    with hello(mx) as t:
        t.raw("BDAT 5\r\nhello")
        assert t.reply() == (503, "5.5.1 Error: need RCPT command")
        t.say("MAIL FROM:<a@client.test>")
        t.raw("BDAT 5 LAST\r\nhello")
        assert t.reply() == (554, "5.5.1 Error: no valid recipients")
        envelope(t)
        t.raw("BDAT 4\r\na: b")
        assert t.reply() == (250, "2.0.0 Ok: 4 bytes")
        assert t.say("MAIL FROM:<a@client.test>") == (503, "5.5.1 Error: MAIL after BDAT")
        assert t.say("RCPT TO:<bob@example.test>") == (503, "5.5.1 Error: RCPT after BDAT")
        assert t.say("DATA") == (503, "5.5.1 Error: DATA after BDAT")
        t.raw(b"BDAT 30000\r\n" + b"x" * 30000)
        assert t.reply() == (552, "5.3.4 Chunk exceeds message size limit")
        t.raw("BDAT 1\r\nx")
        assert t.reply() == (551, "5.0.0 Discarded 1 bytes after earlier error")
        assert t.say("RSET")[0] == 250
        envelope(t)
        t.raw("BDAT 10\r\na: b\r\n\r\nxxBDAT 0 LAST\r\n")
        assert t.reply()[0] == 250
        assert t.reply()[0] == 250
        assert t.say("BDAT many") == (521, "5.5.4 Syntax: BDAT count [LAST]")
        assert at_end(t)


def test_who_speaks_too_early_is_noticed(instance):
    mx = instance(smtpd_data_restrictions="reject_unauth_pipelining", **STRANGERS)
    with hello(mx) as t:
        t.raw("MAIL FROM:<a@client.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: early\r\n\r\n.\r\n")
        assert [t.reply()[0] for _ in range(3)] == [250, 250, 503]
    mx.wait_log(r"improper command pipelining after DATA from \S+\[127\.0\.0\.1\]: Subject: early")
    mx.set(smtpd_forbid_unauth_pipelining="yes")
    mx.reload()

    def cut_off():
        with Talk(mx.port) as t:
            t.reply()
            t.raw("EHLO client.test\r\nMAIL FROM:<a@client.test>\r\n")
            return t.reply() == (554, "5.5.0 Error: SMTP protocol synchronization") and at_end(t)

    eventually(cut_off, 10, "an end to such sessions")


def test_bare_line_feeds_can_be_refused(instance):
    mx = instance(smtpd_forbid_bare_newline="reject", smtpd_forbid_bare_newline_exclusions="", **STRANGERS)
    with hello(mx) as t:
        envelope(t)
        t.say("DATA")
        t.raw(b"Subject: x\r\n\r\none\ntwo\r\n.\r\n")
        assert t.reply() == (550, "5.5.2 mx.example.test Error: bare <LF> received")
        assert at_end(t)
    assert "Mail queue is empty" in mx.mailq()


def test_no_cleanup_no_250(instance):
    mx = instance(start=False, **STRANGERS)
    mx.master_text = re.sub(r"(?m)^cleanup .*\n", "", mx.master_text)
    mx.write_configuration()
    mx.start()
    with hello(mx) as t:
        envelope(t)
        assert t.say("DATA") == (451, "4.3.0 Error: queue file write error")
        assert t.say("NOOP")[0] == 250


def test_a_resolver_that_hangs_delays_a_greeting_and_no_more(instance):
    mx = instance(**STRANGERS)
    with hello(mx):
        pass
    pids = eventually(lambda: mx.pids("resolver"), 10, "the resolver")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with hello(mx, source="127.0.0.9") as t:  # smtpd knows the name of 127.0.0.1 by now
            assert time.monotonic() - begun < 15 * PATIENCE
            envelope(t)
        mx.wait_log(r"connect from unknown\[127\.0\.0\.9\]")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


# ---- TLS

@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=mx.example.test", "-keyout", path, "-out", str(path) + ".crt"],
                   check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (path.parent / "mail.pem.crt").read_bytes())
    return path


def secure(t):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    t.file.close()
    t.sock = context.wrap_socket(t.sock, server_hostname="mx.example.test")
    t.file = t.sock.makefile("rb")


def test_starttls_begins_anew(instance, certificate):
    mx = instance(smtpd_tls_security_level="may", smtpd_tls_chain_files=str(certificate), smtpd_tls_loglevel="1",
                  **STRANGERS)
    with hello(mx) as t:
        envelope(t)
        assert t.say("STARTTLS x") == (501, "5.5.4 Syntax: STARTTLS")
        assert t.say("STARTTLS") == (220, "2.0.0 Ready to start TLS")
        secure(t)
        assert t.say("DATA") == (503, "5.5.1 Error: need RCPT command")
        _, offer = t.say("EHLO client.test")
        assert "STARTTLS" not in offer
        assert t.say("STARTTLS") == (554, "5.5.1 Error: TLS already active")
        envelope(t)
        t.say("DATA")
        t.raw("Subject: secret\r\n\r\nx\r\n.\r\n")
        assert t.reply()[0] == 250
        assert t.say("QUIT")[0] == 221
    mx.wait_log(r"Anonymous TLS connection established from \S+\[127\.0\.0\.1\]: TLSv1\.3 with cipher \S+ \(\d+/\d+ bits\)")
    mx.wait_log(r"disconnect from \S+ ehlo=2 starttls=1/3 mail=2 rcpt=2 data=1/2 quit=1 commands=9/12")


def test_nothing_is_smuggled_in_before_the_handshake(instance, certificate):
    mx = instance(smtpd_tls_security_level="may", smtpd_tls_chain_files=str(certificate), **STRANGERS)
    with hello(mx) as t:
        t.raw("STARTTLS\r\nEHLO injected.test\r\nMAIL FROM:<injected@client.test>\r\n")
        assert t.reply()[0] == 220
        try:
            secure(t)
        except (ssl.SSLError, OSError):
            return  # it arrived apart, was taken for a handshake and failed: as good
        assert t.say("RCPT TO:<alice@example.test>") == (503, "5.5.1 Error: need MAIL command")
        assert t.say("QUIT")[0] == 221
    assert mx.wait_log(r"disconnect from \S+ ehlo=1 starttls=1 rcpt=0/1 quit=1 commands=3/4")
    assert not re.search("(from|helo)=<injected", mx.log())


def test_encryption_can_be_required(instance, certificate):
    mx = instance(smtpd_tls_security_level="encrypt", smtpd_tls_chain_files=str(certificate), **STRANGERS)
    with hello(mx) as t:
        assert t.say("MAIL FROM:<a@client.test>") == (530, "5.7.0 Must issue a STARTTLS command first")
        assert t.say("RSET")[0] == 530
        # the chunk of a refused BDAT is no commands
        t.raw("BDAT 6\r\nQUIT\r\n")
        assert t.reply()[0] == 530
        assert t.say("NOOP")[0] == 250
        t.say("STARTTLS")
        t.raw("this is no handshake\r\n" * 10)
        with contextlib.suppress(ConnectionResetError):
            assert not t.file.read(200).startswith(b"2")
    mx.wait_log(r"SSL_accept error from \S+\[127\.0\.0\.1\]: ")
    mx.wait_log(r"lost connection after STARTTLS from \S+\[127\.0\.0\.1\]")


def test_wrapper_mode_and_a_missing_certificate(instance, certificate):
    mx = instance(smtpd_tls_wrappermode="yes", smtpd_tls_chain_files=str(certificate), **STRANGERS)
    t = Talk(mx.port)
    secure(t)
    assert t.reply()[0] == 220
    assert t.say("EHLO client.test")[0] == 250
    envelope(t)
    t.close()
    mx = instance(smtpd_tls_security_level="may", smtpd_tls_chain_files="/nowhere/mail.pem", **STRANGERS)
    with hello(mx) as t:
        assert t.say("STARTTLS") == (454, "4.7.0 TLS not available due to local problem")
        assert t.say("NOOP")[0] == 250
    mx.wait_log(r"warning: TLS library problem, STARTTLS will not be available: ")


# ---- tables and configuration

def test_bad_restrictions_are_named_and_answered_451(instance):
    mx = instance(smtpd_recipient_restrictions="reject_frobnication", **STRANGERS)
    mx.wait_log(r'warning: parameter smtpd_recipient_restrictions: unknown smtpd restriction: "reject_frobnication"')
    with hello(mx) as t:
        t.say("MAIL FROM:<a@client.test>")
        assert t.say("RCPT TO:<alice@example.test>") == (451, "4.3.5 Server configuration error")


def test_a_changed_table_is_noticed(instance):
    mx = instance(start=False, **STRANGERS)
    senders = mx.etc / "senders"
    senders.write_text("bad.test REJECT\n")
    mx.set(smtpd_sender_restrictions=f"check_sender_access texthash:{senders}")
    mx.start()

    def verdict(sender):
        with hello(mx) as t:
            t.say(f"MAIL FROM:<a@{sender}>")
            return t.say("RCPT TO:<alice@example.test>")[0]

    assert verdict("bad.test") == 554 and verdict("worse.test") == 250
    time.sleep(1.1)
    senders.write_text("worse.test REJECT\n")
    eventually(lambda: verdict("worse.test") == 554 and verdict("bad.test") == 250, 15, "the new table")


def test_idle_sessions_are_small(instance):
    """Many sessions between two messages: memory of the processes that hold them grows little for each."""
    if SANITIZED:
        pytest.skip("sanitizers hold memory of their own for each session")
    count = 400
    mx = instance(smtpd_client_connection_count_limit="0", smtpd_timeout="300s", **STRANGERS)

    def memory():
        total = 0
        for pid in mx.pids("smtpd"):
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f
                             if line.startswith(("Private_Clean", "Private_Dirty")))
        return total

    with hello(mx):
        pass
    before = memory()
    sessions = []
    try:
        for _ in range(count):
            t = hello(mx)
            envelope(t)
            t.say("RSET")
            sessions.append(t)
        each = (memory() - before) / count
    finally:
        for t in sessions:
            t.close()
    print(f"{each:.1f} kB a session")
    assert each < 64 * PATIENCE


def test_a_filter_that_is_missing_lets_nothing_pass(instance):
    mx = instance(start=False, smtpd_milters="inet:127.0.0.1:1", **STRANGERS)
    mx.run("postrider", "start")
    with Talk(mx.port) as t:
        mx.wait_log(r"postfix/smtpd\[\d+\]: fatal: parameter smtpd_milters: not supported yet: smtpd_milters = inet:127\.0\.0\.1:1")
        assert t is not None
