# SPDX-License-Identifier: ISC
"""tcp:, socketmap: and memcache: tables beside Debian's Postfix: what is sent to the server for a key, and what its
reply means, asked by either one's postmap -q."""
import contextlib
import os
import socket
import subprocess
import threading

import pytest

from harness import SBIN, Instance
from peers import POSTFIX, peer

MAIN_CF = """\
compatibility_level = 3.7
mail_owner = daemon
setgid_group = sys
queue_directory = {dir}/queue
data_directory = {dir}/data
meta_directory = {dir}
shlib_directory = {root}/usr/lib/postfix
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
myhostname = mail.example.test
inet_protocols = ipv4
"""


def write(path, text):
    """A file that is not new: Postfix waits until the second in which one was written is over."""
    path.write_text(text)
    os.utime(path, (10**9, 10**9))


class Scripted:
    """A server that notes the first request, and answers everything with these bytes."""

    def __init__(self, reply):
        self.reply, self.request = reply, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                peer_socket, _ = self.listener.accept()
            except OSError:
                return
            with peer_socket, contextlib.suppress(OSError):
                while data := peer_socket.recv(65536):
                    self.request = self.request or data
                    peer_socket.sendall(self.reply)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(20)


@pytest.fixture(scope="module")
def askers(tmp_path_factory):
    """Two functions (table, key) -> (exit status, output): ours and Postfix's."""
    root = peer("postfix-tables", [*POSTFIX, "postfix-pcre", "postfix-cdb"])
    theirs = tmp_path_factory.mktemp("theirs")
    write(theirs / "main.cf", MAIN_CF.format(dir=theirs, root=root))
    (theirs / "master.cf").touch()
    (theirs / "dynamicmaps.cf").touch()
    libraries = f"{root}/usr/lib/postfix:{root}/usr/lib/x86_64-linux-gnu"
    instance = Instance(inet_protocols="ipv4")

    def ask(command, environment):
        def run(table, key):
            r = subprocess.run([*command, "-q", key, table], env=environment, capture_output=True, timeout=60)
            return r.returncode, r.stdout
        return run

    yield (ask([SBIN / "postmap"], instance.environment()),
           ask([root / "usr/sbin/postmap", "-c", theirs], {**os.environ, "LD_LIBRARY_PATH": libraries}))
    instance.destroy()


def compare(askers, name, key, reply):
    """The same request, output and exit status; `name` makes the table's name of a port."""
    seen = []
    for ask in askers:
        server = Scripted(reply)
        try:
            seen.append((*ask(name(server.port), key), server.request))
        finally:
            server.close()
    ours, theirs = seen
    assert ours == theirs, f"ours: {ours}\ntheirs: {theirs}"


KEYS = ["k", "user@Example.org", "a b%c", "a\tb", "j\u00fcrgen@example.org", "'quoted'", "%41", "x" * 1000]


@pytest.mark.parametrize("key", KEYS)
def test_tcp_keys(askers, key):
    compare(askers, lambda port: f"tcp:127.0.0.1:{port}", key, b"200 v\n")


@pytest.mark.parametrize("reply", [b"200 a%20b\n", b"200 a b\n", b"200 %2525\n", b"200 \n", b"500 no\n", b"500\n", b"400 later\n"])
def test_tcp_replies(askers, reply):
    compare(askers, lambda port: f"tcp:127.0.0.1:{port}", "k", reply)


@pytest.mark.parametrize("key", KEYS)
def test_socketmap_keys(askers, key):
    compare(askers, lambda port: f"socketmap:inet:127.0.0.1:{port}:name", key, b"4:OK v,")


@pytest.mark.parametrize("reply", [b"4:OK v,", b"5:OK  v,", b"3:OK ,", b"2:OK,", b"9:NOTFOUND ,", b"8:NOTFOUND,", b"6:TEMP x,",
                                   b"9:TIMEOUT x,", b"6:PERM x,", b"4:WHAT,", b"0:,"])
def test_socketmap_replies(askers, reply):
    compare(askers, lambda port: f"socketmap:inet:127.0.0.1:{port}:name", "k", reply)


@pytest.fixture
def cache(tmp_path):
    """The name of a memcache table on a port, with these lines more in its file."""
    def name(*lines):
        def of_port(port):
            path = tmp_path / f"cache-{port}.cf"
            write(path, "\n".join([f"memcache = inet:127.0.0.1:{port}", "max_try = 1", *lines]) + "\n")
            return f"memcache:{path}"
        return of_port
    return name


@pytest.mark.parametrize("key", ["k", "user@Example.org", "a b", "j\u00fcrgen@example.org", "x" * 250])
def test_memcache_keys(askers, cache, key):
    compare(askers, cache(), key, b"END\r\n")


@pytest.mark.parametrize("reply", [b"END\r\n", b"VALUE k 0 1\r\nv\r\nEND\r\n", b"VALUE k 7 3\r\na b\r\nEND\r\n",
                                   b"VALUE k 0 0\r\n\r\nEND\r\n", b"ERROR\r\n", b"SERVER_ERROR no\r\n"])
def test_memcache_replies(askers, cache, reply):
    compare(askers, cache(), "k", reply)


@pytest.mark.parametrize("key_format", ["pre:%s", "%u", "%d:%u", "%1.%2", "%%%s", "%S", "x%U"])
@pytest.mark.parametrize("key", ["user@mail.example.org", "bare", "@example.org", "user@"])
def test_memcache_key_format(askers, cache, key, key_format):
    compare(askers, cache(f"key_format = {key_format}"), key, b"END\r\n")


@pytest.mark.parametrize("key", ["user@example.org", "user@Example.ORG", "user@other.org", "user@sub.example.org", "bare", "@example.org",
                                 "example.org"])
def test_memcache_domain(askers, cache, key):
    compare(askers, cache("domain = example.org"), key, b"END\r\n")
