# SPDX-License-Identifier: ISC
"""A real mail store: Debian's Dovecot takes mail over LMTP and gives it back over IMAP."""
import imaplib
import pathlib
import shutil
import socket
import tempfile

import pytest

from harness import eventually, free_port
from peers import in_root, peer

CONFIGURATION = """\
base_dir = {dir}/run
protocols = imap lmtp
listen = 127.0.0.1
log_path = {dir}/dovecot.log
ssl = no
disable_plaintext_auth = no
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
mail_location = maildir:{dir}/mail/%u
mail_uid = nobody
mail_gid = nogroup
recipient_delimiter = +
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={dir}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
protocol lmtp {{
  auth_username_format = %n
}}
auth_username_format = %n
"""


class Dovecot:
    def __init__(self):
        root = peer("dovecot", ["dovecot-lmtpd", "dovecot-imapd"])
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postrider-dovecot-"))
        self.dir.chmod(0o755)
        (self.dir / "mail").mkdir()
        (self.dir / "mail").chmod(0o777)
        self.lmtp, self.imap = free_port(), free_port()
        conf = self.dir / "dovecot.conf"
        conf.write_text(CONFIGURATION.format(dir=self.dir, lmtp=self.lmtp, imap=self.imap))
        self.process = in_root(root, ["/usr/sbin/dovecot", "-F", "-c", conf])
        eventually(lambda: self.listens(self.lmtp) and self.listens(self.imap), 20,
                   f"Dovecot's ports; its log: {self.log()}")

    def log(self):
        f = self.dir / "dovecot.log"
        return f.read_text() if f.exists() else ""

    @staticmethod
    def listens(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def messages(self, user):
        """All of a user's messages, read over IMAP."""
        with imaplib.IMAP4("127.0.0.1", self.imap, timeout=20) as imap:
            imap.login(user, "secret")
            imap.select("INBOX", readonly=True)
            numbers = imap.search(None, "ALL")[1][0].split()
            return [imap.fetch(n, "(RFC822)")[1][0][1] for n in numbers]

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def dovecot():
    d = Dovecot()
    yield d
    d.close()


def test_lmtp_in_imap_out(instance, dovecot):
    mx = instance(relay_domains="store.test", relay_recipient_maps="",
                  transport_maps=f"inline:{{store.test=lmtp:inet:127.0.0.1:{dovecot.lmtp}}}")
    body = "".join(f"line {i} \u00e9\r\n.dot {i}\r\n" for i in range(2000))
    message = ("From: a@client.test\r\nTo: x@store.test\r\nSubject: to Dovecot\r\n"
               "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: 8bit\r\n\r\n" + body).encode()
    with mx.smtp() as s:
        s.ehlo()
        s.sendmail("a@client.test", ["alice@store.test", "bob+tag@store.test"], message,
                   mail_options=["BODY=8BITMIME"])
    mx.wait_log(r"lmtp\[\d+\]: \w+: to=<alice@store\.test>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 ")
    mx.wait_log(r"lmtp\[\d+\]: \w+: to=<bob\+tag@store\.test>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 ")
    for user in ("alice", "bob"):
        stored = eventually(lambda: dovecot.messages(user), 15, f"a message for {user}")
        assert len(stored) == 1
        assert stored[0].endswith(b"\r\n\r\n" + body.encode())
        assert b"Subject: to Dovecot\r\n" in stored[0]


def test_a_store_that_is_down_keeps_the_mail(instance, dovecot):
    port = free_port()
    mx = instance(relay_domains="store.test", relay_recipient_maps="", minimal_backoff_time="1s",
                  queue_run_delay="1s", transport_retry_time="1s",
                  transport_maps=f"inline:{{store.test=lmtp:inet:127.0.0.1:{port}}}")
    mx.send("carol@store.test")
    mx.wait_log(r"to=<carol@store\.test>, relay=none, .*dsn=4\.4\.1, status=deferred "
                r"\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: Connection refused\)")
    mx.set(transport_maps=f"inline:{{store.test=lmtp:inet:127.0.0.1:{dovecot.lmtp}}}")
    mx.reload()
    mx.flush()
    eventually(lambda: dovecot.messages("carol"), 20, "the message, once the store is up")
    eventually(lambda: "Mail queue is empty" in mx.mailq(), 10, "an empty queue")
