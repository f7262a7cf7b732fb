# SPDX-License-Identifier: ISC
"""The SMTP and LMTP client: next hops that help, refuse, break off, stall and babble."""
import contextlib
import os
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time

import pytest

from harness import Talk, eventually, free_port
from peers import POSTFIX, peer

TO = "someone@far.test"


class Hop:
    """A next hop whose dialogue a test writes: dialogue(talk, number) runs for each connection."""

    def __init__(self, dialogue, path=None):
        self.errors = []
        self.count = 0
        hop = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                hop.count += 1
                with contextlib.suppress(ConnectionError, EOFError, ssl.SSLError, OSError):
                    dialogue(HopTalk(self), hop.count)

        base = socketserver.ThreadingUnixStreamServer if path else socketserver.ThreadingTCPServer
        self.server = type("Server", (base,), {"allow_reuse_address": True, "daemon_threads": True})(
            str(path) if path else ("127.0.0.1", 0), Handler)
        self.port = None if path else self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class HopTalk:
    def __init__(self, handler):
        self.socket = handler.request
        self.file = handler.rfile

    def say(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def hear(self):
        """A command line; EOFError at the end of the connection."""
        line = self.file.readline()
        if not line:
            raise EOFError
        return line.decode().rstrip("\r\n")

    def expect(self, verb, *answer):
        line = self.hear()
        assert line.upper().startswith(verb), line
        self.say(*answer)
        return line

    def hello(self, *extensions):
        self.say("220 hop ESMTP")
        self.hear()
        lines = ["hop", *extensions]
        self.say(*(f"250{' ' if i == len(lines) - 1 else '-'}{x}" for i, x in enumerate(lines)))

    def content(self):
        data = b""
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError
            if line == b".\r\n":
                return data
            data += line[1:] if line.startswith(b".") else line

    def message(self):
        """One whole transaction without pipelining."""
        self.expect("MAIL", "250 2.1.0 ok")
        self.expect("RCPT", "250 2.1.5 ok")
        self.expect("DATA", "354 go")
        return self.content()

    def secure(self, context):
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.file = self.socket.makefile("rb")


@pytest.fixture
def hop():
    made = []

    def make(dialogue, **kw):
        made.append(Hop(dialogue, **kw))
        return made[-1]

    yield make
    for h in made:
        h.close()


def relay(*hops):
    return ", ".join(f"[127.0.0.1]:{h if isinstance(h, int) else h.port}" for h in hops)


def no_mail(mx):
    return "Mail queue is empty" in mx.mailq()


# ---- what is sent


def test_one_session_carries_many_messages(instance, sink):
    h = sink()
    mx = instance(relayhost=relay(h))
    for i in range(5):
        mx.send(TO)
        h.wait(i + 1)
    assert h.connections == 1
    assert h.commands.count("RSET") == 0
    mx.wait_log(rf"relay=127\.0\.0\.1\[127\.0\.0\.1\]:{h.port}, conn_use=5, delay=[\d.]+, delays=[\d./]+, dsn=2\.0\.0, status=sent")
    eventually(lambda: "QUIT" in h.commands, 10, "the end of the idle session")


def test_reuse_ends_at_its_limit(instance, sink):
    h = sink()
    mx = instance(relayhost=relay(h), smtp_connection_reuse_count_limit="1")
    for i in range(4):
        mx.send(TO)
        h.wait(i + 1)
    assert h.connections == 2


def test_a_kept_session_that_has_ended_costs_nothing(instance, hop):
    got = []

    def dialogue(talk, number):
        talk.hello("PIPELINING")
        got.append(talk.message())
        talk.say("250 2.0.0 kept")
        if number == 1:
            talk.hear()  # the next MAIL: hang up without a word

    h = hop(dialogue)
    mx = instance(relayhost=relay(h))
    mx.send(TO)
    eventually(lambda: len(got) == 1, 10, "the first message")
    mx.wait_log("status=sent")
    mx.send(TO)
    eventually(lambda: len(got) == 2, 10, "the second message")
    assert "status=deferred" not in mx.log()


def test_chunking_is_used_where_it_is_offered(instance, sink):
    h = sink(extensions=("PIPELINING", "8BITMIME", "CHUNKING", "SIZE"))
    mx = instance(relayhost=relay(h))
    body = b"From: a@client.test\r\n\r\n.dot\r\n..\r\n.\r\n" + b"0123456789" * 9 + b"\r\n"
    with mx.smtp() as s:
        s.sendmail("a@client.test", TO, body)
        s.sendmail("a@client.test", TO, body + (b"x" * 78 + b"\r\n") * 4000)
    messages = sorted(h.wait(2), key=lambda m: len(m["data"]))  # they go side by side
    assert messages[0]["data"].endswith(body[body.index(b"\r\n\r\n"):])
    assert messages[1]["data"].endswith(b"x" * 78 + b"\r\n") and len(messages[1]["data"]) > 320000
    assert any(re.match(r"BDAT \d+ LAST$", c) for c in h.commands)
    assert "DATA" not in h.commands


def test_discarded_keywords_are_not_seen(instance, sink):
    h = sink(extensions=("PIPELINING", "8BITMIME", "CHUNKING", "SIZE"))
    mx = instance(relayhost=relay(h), smtp_discard_ehlo_keywords="chunking, size")
    mx.send(TO)
    assert " SIZE=" not in h.wait(1)[0]["mail"]
    assert "DATA" in h.commands


def test_delivery_status_requests_are_passed_on(instance, sink):
    h = sink()
    mx = instance(relayhost=relay(h))
    with mx.smtp() as s:
        s.ehlo()
        s.mail("a@client.test", ["RET=HDRS", "ENVID=ab+2Bc"])
        s.rcpt(TO, ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;x+3Dy@far.test"])
        s.data(b"Subject: x\r\n\r\nx\r\n")
    m = h.wait(1)[0]
    assert " RET=HDRS" in m["mail"] and " ENVID=ab+2Bc" in m["mail"]
    assert re.search(r" ORCPT=rfc822;x\+3Dy@far\.test", m["rcpt"][0])
    assert set(re.search(r"NOTIFY=(\S+)", m["rcpt"][0]).group(1).split(",")) == {"SUCCESS", "DELAY"}


def test_addresses_are_quoted_on_the_wire(instance, sink):
    h = sink()
    mx = instance(relayhost=relay(h))
    mx.send('"two words"@far.test', sender='"a b"@client.test')
    m = h.wait(1)[0]
    assert m["mail"].startswith('FROM:<"a b"@client.test>')
    assert m["rcpt"][0].startswith('TO:<"two words"@far.test>')


def test_eight_bit_content_is_encoded_for_a_seven_bit_server(instance, sink):
    h = sink(extensions=("PIPELINING", "SIZE"))
    mx = instance(relayhost=relay(h))
    with mx.smtp() as s:
        s.sendmail("a@client.test", TO, b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
                   b"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n.caf\xc3\xa9 = x\r\n",
                   mail_options=["BODY=8BITMIME"])
    m = h.wait(1)[0]
    assert "BODY" not in m["mail"]
    assert b"\r\nContent-Transfer-Encoding: quoted-printable\r\n" in m["data"]
    assert m["data"].endswith(b"\r\n\r\n.caf=C3=A9 =3D x\r\n")


def test_internationalized_mail_needs_a_server_that_takes_it(instance, sink):
    plain = sink()
    able = sink(extensions=("PIPELINING", "8BITMIME", "SMTPUTF8"))
    mx = instance(transport_maps=f"inline:{{able.test=smtp:{relay(able)}}}", relayhost=relay(plain))
    for domain in ("far.test", "able.test"):
        with Talk(mx.port) as t:
            t.reply()
            t.say("EHLO client.test")
            t.say("MAIL FROM:<a@client.test> SMTPUTF8 BODY=8BITMIME")
            assert t.say(f"RCPT TO:<j\u00f6rg@{domain}>")[0] == 250
            t.say("DATA")
            assert t.say("Subject: x\r\n\r\nx\r\n.")[0] == 250
    mx.wait_log(r"to=<j.*@far\.test>, .*dsn=5\.6\.7, status=bounced \(SMTPUTF8 is required, but was not "
                r"offered by host 127\.0\.0\.1\[127\.0\.0\.1\]\)")
    assert " SMTPUTF8" in able.wait(1)[0]["mail"]


def test_a_message_over_the_servers_size_is_not_sent(instance, sink):
    h = sink(extensions=("PIPELINING", "8BITMIME", "SIZE 100"))
    mx = instance(relayhost=relay(h))
    mx.send(TO)
    mx.wait_log(r"dsn=5\.3\.4, status=bounced \(message size \d+ exceeds size limit 100 of server "
                r"127\.0\.0\.1\[127\.0\.0\.1\]\)")
    assert not any(c.startswith("MAIL") for c in h.commands)


# ---- what goes wrong


def test_nobody_listens(instance):
    port = free_port()
    mx = instance(relayhost=relay(port))
    mx.send(TO)
    mx.wait_log(rf"to=<{TO}>, relay=none, delay=.*, dsn=4\.4\.1, status=deferred "
                rf"\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:{port}: Connection refused\)")
    mx.wait_log(rf"smtp\[\d+\]: connect to 127\.0\.0\.1\[127\.0\.0\.1\]:{port}: Connection refused")


def test_the_next_server_is_tried(instance, sink, hop):
    good = sink()

    def busy(talk, number):
        talk.say("421 4.3.2 too busy")

    mx = instance(relayhost=relay(free_port(), hop(busy), good))
    mx.send(TO)
    good.wait(1)
    mx.wait_log(r"host 127\.0\.0\.1\[127\.0\.0\.1\] refused to talk to me: 421 4\.3\.2 too busy")
    mx.wait_log(rf"relay=127\.0\.0\.1\[127\.0\.0\.1\]:{good.port}, .*status=sent")


def test_the_fallback_relay_takes_what_cannot_be_reached(instance, sink):
    good = sink()
    mx = instance(relayhost=relay(free_port()), smtp_fallback_relay=relay(good))
    mx.send(TO)
    good.wait(1)


STAGES = {
    "CONNECT": "receiving the initial server greeting",
    "EHLO": "performing the EHLO handshake",
    "MAIL": "sending MAIL FROM",
    "RCPT": "sending RCPT TO",
    "DATA": "sending DATA command",
    "DOT": "sending end of data -- message may be sent more than once",
}


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_a_server_that_hangs_up(instance, hop, stage, pipelining):
    state = {"down": True}
    taken = []

    def dialogue(talk, number):
        down = state["down"]
        steps = [("EHLO", ["250-hop", "250 PIPELINING"] if pipelining else ["250 hop"]),
                 ("MAIL", ["250 ok"]), ("RCPT", ["250 ok"]), ("DATA", ["354 go"])]
        if down and stage == "CONNECT":
            return
        talk.say("220 hop")
        for verb, answer in steps:
            line = talk.hear()
            assert line.startswith(verb)
            if down and stage == verb:
                return
            talk.say(*answer)
        content = talk.content()
        if down:
            return
        taken.append(content)
        talk.say("250 2.0.0 kept")

    mx = instance(relayhost=relay(hop(dialogue)))
    mx.send(TO)
    mx.wait_log(r"dsn=4\.4\.2, status=deferred \(lost connection with 127\.0\.0\.1\[127\.0\.0\.1\] while "
                + re.escape(STAGES[stage]))
    state["down"] = False
    mx.flush()
    eventually(lambda: no_mail(mx), 15, "an empty queue")
    assert len(taken) == 1


@pytest.mark.parametrize("reply", ["rubbish", "25", "250_ok", "", "999 what", "250-" + "x" * 3000])
def test_garbage_is_no_outcome(instance, hop, reply):
    def dialogue(talk, number):
        talk.hello()
        talk.message()
        talk.say(reply)

    mx = instance(relayhost=relay(hop(dialogue)))
    mx.send(TO)
    mx.wait_log(r"dsn=4\.\d\.\d, status=deferred")
    assert "status=sent" not in mx.log() and "status=bounced" not in mx.log()


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA", "DOT"])
def test_421_at_any_time_keeps_the_mail(instance, sink, verb):
    state = {"down": True}
    h = sink(answer=lambda v, argument, s: "421 4.3.2 closing" if v == verb and state["down"] else None)
    mx = instance(relayhost=relay(h))
    mx.send([TO, "other@far.test"])
    lines = mx.wait_log(r"to=<(.*?)>, .*dsn=4\.\d\.\d, status=deferred", count=2)
    assert {m.group(1) for m in lines} == {TO, "other@far.test"}
    state["down"] = False
    mx.flush()
    eventually(lambda: no_mail(mx), 15, "an empty queue")
    assert len(h.messages) == 1


def test_each_recipient_has_its_own_outcome(instance, sink):
    def answer(verb, argument, session):
        if verb == "RCPT" and "bad" in argument:
            return "550-5.1.1 no such\r\n550 5.1.1 user"
        if verb == "RCPT" and "later" in argument:
            return "450 4.2.0 greylisted"
        return None

    h = sink(answer=answer)
    mx = instance(relayhost=relay(h))
    mx.send(["good@far.test", "bad@far.test", "later@far.test"])
    assert h.wait(1)[0]["recipients"] == ["good@far.test"]
    mx.wait_log(r"to=<good@far\.test>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 kept\)")
    mx.wait_log(r"to=<bad@far\.test>, .*dsn=5\.1\.1, status=bounced \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: "
                r"550-5\.1\.1 no such 550 5\.1\.1 user \(in reply to RCPT TO command\)\)")
    mx.wait_log(r"to=<later@far\.test>, .*dsn=4\.2\.0, status=deferred \(host .* said: 450 4\.2\.0 greylisted "
                r"\(in reply to RCPT TO command\)\)")


@pytest.mark.parametrize("go", [True, False])
def test_nobody_is_accepted_but_data_was_sent_ahead(instance, hop, go):
    def dialogue(talk, number):
        talk.hello("PIPELINING")
        talk.expect("MAIL", "250 ok")
        talk.expect("RCPT", "550 5.1.1 nobody")
        talk.expect("DATA", "354 go" if go else "554 5.5.1 no recipients")
        if go:
            content.append(talk.content())
            talk.say("554 5.5.1 no recipients")
        content.append(talk.hear())

    content = []
    mx = instance(relayhost=relay(hop(dialogue)))
    mx.send(TO)
    mx.wait_log(r"dsn=5\.1\.1, status=bounced")
    eventually(lambda: content and content[-1] in ("RSET", "QUIT"), 10, "the end of the session")
    assert not go or content[0] == b""


def test_a_server_that_is_silent_after_the_dot(instance, hop):
    def dialogue(talk, number):
        talk.hello()
        talk.message()
        time.sleep(4)

    mx = instance(relayhost=relay(hop(dialogue)), smtp_data_done_timeout="1s")
    mx.send(TO)
    mx.wait_log(r"dsn=4\.4\.2, status=deferred \(conversation with 127\.0\.0\.1\[127\.0\.0\.1\] timed out while "
                r"sending end of data -- message may be sent more than once\)")


def test_an_old_server_is_greeted_with_helo(instance, sink):
    h = sink(answer=lambda verb, argument, s: "500 5.5.1 what" if verb == "EHLO" else None)
    mx = instance(relayhost=relay(h))
    mx.send(TO)
    assert h.wait(1)[0]["mail"] == "FROM:<sender@client.test>"
    assert h.commands[:2] == ["EHLO mx.example.test", "HELO mx.example.test"]


def test_names_that_do_not_exist(instance):
    mx = instance(relayhost="", smtp_dns_support_level="disabled", smtp_host_lookup="native")
    mx.send("x@no-such-host.invalid")
    mx.wait_log(r"to=<x@no-such-host\.invalid>, relay=none, .*status=(bounced|deferred) \(unable to look up "
                r"host no-such-host\.invalid")


# ---- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    d = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hop",
                    "-keyout", d / "key.pem", "-out", d / "cert.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(d / "cert.pem", d / "key.pem")
    return context


def test_starttls_is_used_where_it_is_offered(instance, hop, certificate):
    got = []

    def dialogue(talk, number):
        talk.hello("STARTTLS", "PIPELINING")
        talk.expect("STARTTLS", "220 go", "250 injected")
        talk.secure(certificate)
        assert talk.hear().startswith("EHLO")
        talk.say("250-hop", "250 8BITMIME")
        got.append(talk.message())
        talk.say("250 2.0.0 kept")
        talk.hear()

    h = hop(dialogue)
    mx = instance(relayhost=relay(h), smtp_tls_security_level="may", smtp_tls_loglevel="1")
    mx.send(TO)
    mx.wait_log(rf"Untrusted TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]:{h.port}: TLSv1\.3 with cipher")
    mx.wait_log("status=sent")
    assert len(got) == 1


def test_a_broken_handshake_waits_before_plaintext(instance, hop):
    got = []

    def dialogue(talk, number):
        talk.hello("STARTTLS")
        line = talk.hear()
        if line == "STARTTLS":
            talk.say("220 go")
            talk.socket.sendall(b"this is no handshake\r\n")
            return
        talk.say("250 ok")
        talk.expect("RCPT", "250 ok")
        talk.expect("DATA", "354 go")
        got.append(talk.content())
        talk.say("250 2.0.0 kept")

    mx = instance(relayhost=relay(hop(dialogue)), smtp_tls_security_level="may", minimal_backoff_time="2s")
    mx.send(TO)
    mx.wait_log(r"dsn=4\.7\.5, status=deferred \(Cannot start TLS: handshake failure\)")
    assert not got
    time.sleep(2.2)
    mx.flush()
    mx.wait_log("status=sent")
    assert len(got) == 1


def test_tls_that_is_required_but_not_offered(instance, sink):
    h = sink()
    mx = instance(relayhost=relay(h), smtp_tls_security_level="encrypt")
    mx.send(TO)
    mx.wait_log(r"dsn=4\.7\.4, status=deferred \(TLS is required, but was not offered by host "
                r"127\.0\.0\.1\[127\.0\.0\.1\]\)")
    assert not h.messages


@pytest.mark.parametrize("reply, outcome", [("454 4.7.0 not now", "dsn=4.7.0, status=deferred"),
                                            ("502 5.5.1 never", "dsn=5.5.1, status=bounced")])
def test_starttls_refused_where_it_is_required(instance, hop, reply, outcome):
    def dialogue(talk, number):
        talk.hello("STARTTLS")
        talk.expect("STARTTLS", reply)
        talk.hear()

    mx = instance(relayhost=relay(hop(dialogue)), smtp_tls_security_level="encrypt")
    mx.send(TO)
    mx.wait_log(re.escape(outcome) + r" \(TLS is required, but host 127\.0\.0\.1\[127\.0\.0\.1\] refused to start "
                r"TLS: " + re.escape(reply))


def test_starttls_refused_where_it_is_not_required(instance, sink):
    h = sink(extensions=("STARTTLS",))  # and then: 502
    mx = instance(relayhost=relay(h), smtp_tls_security_level="may")
    mx.send(TO)
    h.wait(1)


# ---- LMTP


def test_lmtp_over_a_unix_socket(instance, hop):
    got = []

    def dialogue(talk, number):
        talk.say("220 store LMTP")
        assert talk.hear() == "LHLO mx.example.test"
        talk.say("250-store", "250 PIPELINING")
        talk.expect("MAIL", "250 ok")
        talk.expect("RCPT", "250 ok")
        talk.expect("RCPT", "250 ok")
        talk.expect("DATA", "354 go")
        got.append(talk.content())
        talk.say("250 2.0.0 first", "452 4.2.2 second is full")
        talk.hear()

    mx = instance(start=False)
    path = mx.queue / "private" / "store"
    mx.set(transport_maps="inline:{store.test=lmtp:unix:private/store}", relay_domains="store.test")
    mx.start()
    hop(dialogue, path=path)
    os.chmod(path, 0o666)
    mx.send(["a@store.test", "b@store.test"])
    mx.wait_log(r"lmtp\[\d+\]: \w+: to=<\w@store\.test>, relay=mx\.example\.test\[private/store\], .*status=sent \(250 2\.0\.0 first\)")
    mx.wait_log(r"lmtp\[\d+\]: \w+: to=<\w@store\.test>, .*dsn=4\.2\.2, status=deferred")
    assert len(got) == 1


def test_lmtp_replies_that_stop_half_way(instance, hop):
    def dialogue(talk, number):
        talk.say("220 store LMTP")
        talk.hear()
        talk.say("250 store")
        talk.expect("MAIL", "250 ok")
        talk.expect("RCPT", "250 ok")
        talk.expect("RCPT", "250 ok")
        talk.expect("DATA", "354 go")
        talk.content()
        talk.say("250 2.0.0 first")

    h = hop(dialogue)
    mx = instance(transport_maps=f"inline:{{store.test=lmtp:inet:127.0.0.1:{h.port}}}", relay_domains="store.test")
    mx.send(["a@store.test", "b@store.test"])
    mx.wait_log(r"dsn=2\.0\.0, status=sent")
    mx.wait_log(r"dsn=4\.4\.2, status=deferred \(lost connection .* message may be sent more than once\)")


# ---- Postfix's own test server


def test_postfix_smtp_sink_takes_all(instance, tmp_path):
    root = peer("postfix", POSTFIX)
    port = free_port()
    environment = dict(os.environ, LD_LIBRARY_PATH=f"{root}/usr/lib/postfix:{root}/usr/lib/x86_64-linux-gnu")
    os.chmod(tmp_path, 0o777)
    log = open(tmp_path / "sink.log", "w")
    server = subprocess.Popen([root / "usr/sbin/smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "100"],
                              env=environment, stdout=log, stderr=log, cwd=tmp_path)
    try:
        mx = instance(relayhost=relay(port))

        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        eventually(up, 10, "smtp-sink")
        for _ in range(20):
            mx.send([TO, "b@far.test"])
        mx.wait_log("status=sent", count=40)
        eventually(lambda: no_mail(mx), 15, "an empty queue")
    finally:
        server.terminate()
        server.wait()
