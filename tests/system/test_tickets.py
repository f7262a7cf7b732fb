# SPDX-License-Identifier: ISC
"""Session tickets of smtpd: good for each of its processes, because tlsmgr keeps the keys."""
import re
import socket
import ssl
import subprocess

import pytest

from harness import eventually


@pytest.fixture
def chain(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "30", "-subj", "/CN=mx.example.test", "-keyout", tmp_path / "key", "-out",
                    tmp_path / "cert"], check=True, stderr=subprocess.DEVNULL)
    both = tmp_path / "chain.pem"
    both.write_text((tmp_path / "key").read_text() + (tmp_path / "cert").read_text())
    return both


class Client:
    """Comes back with the session of the last time."""

    def __init__(self, mx):
        self.mx = mx
        self.session = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def visit(self):
        """Whether the session was resumed."""
        with socket.create_connection(("127.0.0.1", self.mx.port), 20) as plain:
            plain.recv(500)
            plain.sendall(b"EHLO client.test\r\n")
            plain.recv(5000)
            plain.sendall(b"STARTTLS\r\n")
            assert plain.recv(500).startswith(b"220")
            with self.context.wrap_socket(plain, session=self.session) as s:
                s.sendall(b"EHLO client.test\r\n")
                assert s.recv(5000).startswith(b"250")  # the ticket comes with it
                self.session = s.session
                s.sendall(b"QUIT\r\n")
                assert s.recv(500).startswith(b"221")
                return s.session_reused


def smtpds(mx):
    """The processes that have said good-bye to a client."""
    return set(re.findall(r"postfix/smtpd\[(\d+)\]: disconnect", mx.log()))


def serving(instance, chain, **settings):
    mx = instance(smtpd_tls_security_level="may", smtpd_tls_chain_files=chain, **settings)
    eventually(mx.listening, 10, "the port")
    return mx


def test_a_session_is_resumed_by_any_process(instance, chain):
    mx = serving(instance, chain)
    client = Client(mx)
    assert not client.visit()
    first = eventually(lambda: smtpds(mx), what="a good-bye in the log")
    for pid in first:  # the process that gave the ticket goes; its successor has never seen the client
        subprocess.run(["kill", "-TERM", pid], check=True)
        eventually(lambda pid=pid: int(pid) not in mx.pids("smtpd"), 10, "the end of smtpd")
    for _ in range(10):
        assert client.visit()
    eventually(lambda: smtpds(mx) - first, what="another process in the log")


def test_no_session_is_resumed_when_its_time_is_nothing(instance, chain):
    client = Client(serving(instance, chain, smtpd_tls_session_cache_timeout="0"))
    assert [client.visit() for _ in range(3)] == [False, False, False]


def test_without_tlsmgr_tls_works(instance, chain):
    import harness
    lines = [line for line in harness.MASTER_CF.splitlines(True) if not line.startswith("tlsmgr")]
    mx = serving(instance, chain, master_cf="".join(lines))
    assert not Client(mx).visit()
    assert "warning" not in mx.log()


def test_the_last_reply_and_the_good_bye_arrive(instance, chain):
    client = Client(serving(instance, chain))
    client.context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    with socket.create_connection(("127.0.0.1", client.mx.port), 20) as plain:
        plain.recv(500)
        plain.sendall(b"STARTTLS\r\n")
        assert plain.recv(500).startswith(b"220")
        with client.context.wrap_socket(plain, suppress_ragged_eofs=False) as s:
            s.sendall(b"QUIT\r\n")
            assert s.recv(500).startswith(b"221")
            assert s.recv(500) == b""  # close_notify; without it an error
