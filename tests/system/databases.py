# SPDX-License-Identifier: ISC
"""databases - PostgreSQL, MariaDB, slapd, Redis and memcached from Debian's packages, unpacked and never installed, each
a private instance on a UNIX socket and a free port of 127.0.0.1, run as nobody.

A server is begun by start() and ended by stop(), as often as a test likes, and keeps its data meanwhile;
destroy() removes it.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import PATIENCE, eventually, free_port
from peers import in_root, peer

NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


class Server:
    """One server. A subclass says what it is made of, how it begins, and where it listens."""

    name = ""
    packages = ()
    end = signal.SIGTERM

    def __init__(self, place="/var/tmp"):
        self.root = peer(self.name, list(self.packages))
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"prdb-{self.name}-", dir=place))
        self.dir.chmod(0o755)
        shutil.chown(self.dir, "nobody", "nogroup")
        self.port = free_port()
        self.log = self.dir / "log"
        self.process = None
        try:
            self.create()
        except BaseException:
            self.destroy()
            raise

    def certificate(self):
        """key.pem and cert.pem, for this machine's name, and ca.pem, which signed it."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60, cwd=self.dir)

        new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        openssl(*new, "-subj", "/CN=authority", "-keyout", "ca-key.pem", "-out", "ca.pem",
                "-addext", "keyUsage=keyCertSign")
        openssl(*new, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem", "-CA", "ca.pem",
                "-CAkey", "ca-key.pem", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext", "basicConstraints=critical,CA:FALSE")
        shutil.chown(self.dir / "key.pem", "nobody", "nogroup")
        (self.dir / "key.pem").chmod(0o600)

    def create(self):
        """The empty database, once."""

    def command(self):
        """What runs it in the foreground."""
        raise NotImplementedError

    def ready(self):
        """Does it answer?"""
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def inside(self, *command, input=None, timeout=60):
        """Run a program of the packages as the server's user; its output."""
        with open(self.log, "a") as log:
            p = in_root(self.root, NOBODY + list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=log, cwd=self.dir, text=True)
            out, _ = p.communicate(input, timeout=timeout * PATIENCE)
        assert p.returncode == 0, f"{command}: exit {p.returncode}\n{out}\n{self.said()}"
        return out

    def said(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def start(self):
        with open(self.log, "a") as log:
            self.process = in_root(self.root, NOBODY + [str(c) for c in self.command()], cwd=self.dir,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            eventually(lambda: self.process.poll() is not None or self.ready(), 40, f"{self.name} answering")
            assert self.process.poll() is None, f"{self.name} ended at once"
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.said()}") from None
        return self

    def stop(self, how=None):
        """End it; returns when it has gone."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how or self.end)
        try:
            self.process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def freeze(self):
        """It is there, and says nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def destroy(self):
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class PostgreSQL(Server):
    """Superuser `mail`, database `mail`; everyone from this machine is let in, users with a password by it."""

    name = "postgresql"
    packages = ("postgresql-15",)
    end = signal.SIGINT  # "fast": sessions are ended
    bin = "/usr/lib/postgresql/15/bin"

    def create(self):
        self.inside(f"{self.bin}/initdb", "-D", "data", "-A", "trust", "-U", "mail", "-E", "UTF8",
                    "--locale=C", "--no-sync")
        hba = self.dir / "data/pg_hba.conf"
        self.certificate()
        hba.write_text("host all secret 127.0.0.1/32 scram-sha-256\n"
                       "hostssl all sealed 127.0.0.1/32 scram-sha-256\nhostnossl all sealed 127.0.0.1/32 reject\n" + hba.read_text())
        self.start()
        self.sql("create database mail", database="postgres")

    def command(self):
        return [f"{self.bin}/postgres", "-D", self.dir / "data", "-k", self.dir, "-p", self.port,
                "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=60",
                "-c", "unix_socket_permissions=0777", "-c", "ssl=on",
                "-c", f"ssl_cert_file={self.dir}/cert.pem", "-c", f"ssl_key_file={self.dir}/key.pem"]

    def ready(self):
        r = in_root(self.root, [f"{self.bin}/pg_isready", "-q", "-h", str(self.dir), "-p", str(self.port)])
        return r.wait(20) == 0

    def freeze(self):
        for pid in self.family():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.family():
            os.kill(pid, signal.SIGCONT)

    def family(self):
        """The server and the processes of its sessions."""
        pids = [self.process.pid]
        with contextlib.suppress(OSError):
            children = pathlib.Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text()
            pids += [int(pid) for pid in children.split()]
        return pids

    def sql(self, text, database="mail"):
        return self.inside(f"{self.bin}/psql", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.dir), "-p", str(self.port),
                           "-U", "mail", database, input=text)

    def configuration(self):
        """The lines of a table's file that lead to it."""
        return f"hosts = 127.0.0.1:{self.port}\nuser = mail\ndbname = mail\n"


class MariaDB(Server):
    """User `mail` with the password `secret` on TCP and the socket, database `mail`."""

    name = "mariadb"
    packages = ("mariadb-server-core", "mariadb-client-core")

    def options(self):
        return ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.dir}/data", f"--tmpdir={self.dir}",
                "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin",
                "--innodb-log-file-size=8M", "--innodb-use-native-aio=0", "--aria-pagecache-buffer-size=4M"]

    def create(self):
        self.certificate()
        (self.dir / "data").mkdir()
        shutil.chown(self.dir / "data", "nobody", "nogroup")
        tables = (self.root / "usr/share/mysql/mysql_system_tables.sql").read_text()
        statements = ["create database mysql;", "use mysql;", tables, "flush privileges;", "create database mail;",
                      "create user mail@'%' identified by 'secret';",
                      "grant all on *.* to mail@'%' with grant option;",
                      "create user sealed@'%' identified by 'secret' require ssl;",
                      "grant select on mail.* to sealed@'%';"]
        self.inside(*self.options(), "--bootstrap", timeout=120, input="\n".join(statements) + "\n")
        self.start()

    def command(self):
        return [*self.options(), f"--socket={self.dir}/socket", "--bind-address=127.0.0.1", f"--port={self.port}",
                f"--pid-file={self.dir}/pid", "--max-connections=60", f"--ssl-cert={self.dir}/cert.pem",
                f"--ssl-key={self.dir}/key.pem"]

    def ready(self):
        with socket.socket(socket.AF_UNIX) as s:
            if s.connect_ex(f"{self.dir}/socket") != 0:
                return False
            s.settimeout(5)
            with contextlib.suppress(OSError):
                return len(s.recv(100)) > 4
        return False

    def sql(self, text):
        return self.inside("mariadb", "--no-defaults", "-S", f"{self.dir}/socket", "-u", "mail", "-psecret", "-N", "mail",
                           input=text)

    def configuration(self):
        return f"hosts = unix:{self.dir}/socket\nuser = mail\npassword = secret\ndbname = mail\noption_group =\n"


class Slapd(Server):
    """dc=example,dc=org under cn=admin with the password `secret`."""

    name = "slapd"
    packages = ("slapd",)
    base = "dc=example,dc=org"
    extra = ""  # lines of slapd.conf before the database

    def create(self):
        (self.dir / "data").mkdir()
        shutil.chown(self.dir / "data", "nobody", "nogroup")
        schema = self.root / "etc/ldap/schema"
        self.certificate()
        self.tls_port = free_port()
        (self.dir / "slapd.conf").write_text("".join(
            f"include {schema}/{name}.schema\n" for name in ("core", "cosine", "inetorgperson", "nis", "misc")) +
            f"TLSCertificateFile {self.dir}/cert.pem\nTLSCertificateKeyFile {self.dir}/key.pem\npidfile {self.dir}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n{self.extra}"
            f"database mdb\nmaxsize 16777216\nsuffix {self.base}\nrootdn cn=admin,{self.base}\nrootpw secret\n"
            f"directory {self.dir}/data\nindex objectClass,mail,uid eq\ndbnosync\n")

    def load(self, ldif):
        """Entries, while it is stopped."""
        self.inside("/usr/sbin/slapadd", "-f", f"{self.dir}/slapd.conf", input=ldif)

    def command(self):
        urls = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/ ldapi://{str(self.dir / 'socket').replace('/', '%2F')}/"
        return ["/usr/sbin/slapd", "-d", "0", "-f", self.dir / "slapd.conf", "-h", urls]

    def configuration(self):
        return f"server_host = ldap://127.0.0.1:{self.port}\nsearch_base = {self.base}\nversion = 3\n"


class Redis(Server):
    """No password; set() stores values."""

    name = "redis"
    packages = ("redis-server",)

    def command(self):
        return ["/usr/bin/redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.dir / "socket",
                "--unixsocketperm", "777", "--dir", self.dir, "--daemonize", "no", "--appendonly", "yes"]

    def do(self, *command):
        return self.inside("redis-cli", "-s", f"{self.dir}/socket", *command).strip()

    def ready(self):
        with socket.socket(socket.AF_UNIX) as s:
            if s.connect_ex(f"{self.dir}/socket") != 0:
                return False
            s.settimeout(5)
            s.sendall(b"PING\r\n")
            with contextlib.suppress(OSError):
                return s.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def configuration(self):
        return f"host = unix:{self.dir}/socket\n"


class Memcached(Server):
    """A cache: what it holds is gone with stop()."""

    name = "memcached"
    packages = ("memcached",)

    def command(self):
        return ["/usr/bin/memcached", "-l", "127.0.0.1", "-p", self.port, "-U", "0", "-m", "8", "-t", "1"]

    def say(self, text):
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.sendall(text.encode() + b"quit\r\n")
            return s.makefile("rb").read().decode()

    def set(self, key, value):
        said = self.say(f"set {key} 0 0 {len(value)}\r\n{value}\r\n")
        assert said == "STORED\r\n", said

    def get(self, key):
        """The value; None: it has none."""
        said = self.say(f"get {key}\r\n")
        return None if said == "END\r\n" else said.split("\r\n")[1]

    def configuration(self):
        return f"memcache = inet:127.0.0.1:{self.port}\n"
