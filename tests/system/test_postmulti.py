# SPDX-License-Identifier: ISC
"""postmulti, and postrider over several instances. The default configuration is a private one here: each command runs in
a mount namespace where the test's folder lies over it."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from harness import PATIENCE, PREFIX, SBIN

DEFAULT = PREFIX / "etc/postrider"
HIDE = 'mount --make-rprivate / && mount --bind "$1" "$2" && shift 2 && exec "$@"'


class Site:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postmulti-"))
        self.dir.chmod(0o755)
        self.etc = self.dir / "etc"
        self.etc.mkdir()
        for name in ("main.cf", "master.cf"):
            shutil.copy(DEFAULT / f"{name}.proto", self.etc / f"{name}.proto")
            shutil.copy(DEFAULT / f"{name}.proto", self.etc / name)
        self.log = self.dir / "log"
        self.set(DEFAULT, queue_directory=self.dir / "queue", data_directory=self.dir / "data", alias_maps="",
                 maillog_file=self.log, maillog_file_prefixes="/tmp", myhostname="multi.test")
        (self.dir / "queue").mkdir()

    def run(self, command, *arguments, check=True, environment=()):
        env = {k: v for k, v in os.environ.items() if k != "MAIL_CONFIG"} | dict(environment)
        program = SBIN / command if "/" not in str(command) and (SBIN / command).exists() else command
        r = subprocess.run(["unshare", "-m", "sh", "-c", HIDE, "sh", self.etc, DEFAULT, program, *map(str, arguments)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=60 * PATIENCE, text=True)
        assert not check or r.returncode == 0, f"{command} {arguments}: {r.returncode}\n{r.stdout}{r.stderr}"
        return r

    def set(self, config, **settings):
        self.run("postconf", "-c", config, "-e", *[f"{k}={v}" for k, v in settings.items()])

    def get(self, config, name):
        return self.run("postconf", "-c", config, "-xh", name).stdout.strip()

    def create(self, name, *arguments):
        """An instance whose directories lie below ours."""
        config = self.dir / name
        self.run("postmulti", "-e", "create", "-I", name, *arguments, f"config_directory={config}",
                 f"queue_directory={self.dir}/{name}.queue", f"data_directory={self.dir}/{name}.data")
        self.set(config, maillog_file=self.log, maillog_file_prefixes="/tmp")
        return config

    def names(self, *arguments):
        return [line.split()[0] for line in self.run("postmulti", "-l", *arguments).stdout.splitlines()]

    def close(self):
        self.run("postrider", "abort", check=False)
        for config in self.dir.glob("post*-*"):
            if (config / "main.cf").exists():
                self.run("postrider", "-c", config, "abort", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def site():
    made = Site()
    yield made
    made.close()


def test_alone(site):
    assert site.run("postmulti", "-l").stdout == f"{'-':15} {'-':15} {'n':9} {DEFAULT}\n"
    assert site.run("postmulti", "-x", "sh", "-c", "echo $config_directory $queue_directory $MAIL_CONFIG").stdout == \
        f"{DEFAULT} {site.dir}/queue {DEFAULT}\n"


def test_order_names_and_groups(site):
    a = site.create("postrider-a", "-G", "in")
    b = site.create("postfix-b", "-G", "out")
    site.create("postrider-c", "-a")
    site.create("postrider-d", "-g", "out")
    site.create("postrider-e", "-i", a, "-G", "in")
    assert site.names() == ["-", "postrider-c", "postrider-e", "postrider-a", "postrider-d", "postfix-b"]
    assert site.names("-R")[0] == "postfix-b"
    assert site.names("-g", "in") == ["postrider-e", "postrider-a"]
    assert site.names("-i", "postfix-b") == site.names("-i", b) == ["postfix-b"]
    assert site.names("-i", "-") == ["-"]
    said = site.run("postmulti", "-x", "-g", "in", "sh", "-c", "echo $multi_instance_name $multi_instance_group $data_directory")
    assert said.stdout == f"postrider-e in {site.dir}/postrider-e.data\npostrider-a in {site.dir}/postrider-a.data\n"
    assert site.run("postmulti", "-x", "-i", "-", "sh", "-c", "exit 7", check=False).returncode == 7

    site.run("postmulti", "-e", "assign", "-i", "postfix-b", "-I", "postrider-z", "-G", "-")
    assert site.run("postmulti", "-l", "-i", "postrider-z").stdout == f"{'postrider-z':15} {'-':15} {'n':9} {b}\n"
    site.run("postmulti", "-e", "deport", "-i", "postrider-z")
    assert "postrider-z" not in site.names() and (b / "main.cf").exists()
    site.run("postmulti", "-e", "import", "-I", "postrider-y", f"config_directory={b}")
    assert site.names()[-1] == "postrider-y"


def test_a_new_instance_is_closed(site):
    config = site.create("postrider-a")
    assert site.get(config, "master_service_disable") == "inet"
    assert site.get(config, "authorized_submit_users") == ""
    assert site.get(config, "multi_instance_enable") == "no"
    assert site.get(config, "syslog_name") == "postrider-a"
    said = site.run("postrider", "-c", config, "check").stderr.splitlines()
    assert [line for line in said if "/etc/aliases" not in line] == []  # which this machine may not have
    site.run("postrider", "-c", config, "start")
    assert not [x for x in os.listdir(site.dir / "postrider-a.queue/pid") if "smtp" in x]
    r = site.run("setpriv", "--reuid=65534", "--clear-groups", SBIN / "sendmail", "-C", config, "x@y.test", check=False)
    assert r.returncode != 0 and "not allowed to submit mail" in r.stderr
    site.run("postrider", "-c", config, "stop")


def test_all_are_started_and_stopped_together(site):
    a, b, c = [site.create(f"postrider-{x}") for x in "abc"]
    site.run("postmulti", "-e", "init")
    assert site.get(DEFAULT, "multi_instance_wrapper") == f"{SBIN}/postmulti -p --"
    for config in (DEFAULT, b, c):
        site.set(config, master_service_disable="smtp/inet", inet_interfaces="loopback-only")
    for name in ("postrider-b", "postrider-c"):
        site.run("postmulti", "-e", "enable", "-i", name)

    def running():
        return [d.name for d in (DEFAULT, a, b, c) if site.run("postrider", "-c", d, "status", check=False).returncode == 0]

    site.run("postrider", "start")
    assert running() == ["postrider", "postrider-b", "postrider-c"]
    assert site.run("postrider", "status", check=False).returncode == 1  # not all of them run
    site.run("postrider", "reload")
    site.run("postmulti", "-p", "-i", "postrider-c", "stop")
    assert running() == ["postrider", "postrider-b"]
    site.run("postrider", "stop", check=False)
    assert running() == []
    stopped = re.findall(r"(\S+)/postfix-script\[\d+\]: stopping", site.log.read_text())
    assert stopped == ["postrider-c", "postrider-b", "postfix"]


def test_destroy(site):
    config = site.create("postrider-a")
    site.run("postmulti", "-e", "enable", "-i", "postrider-a")
    assert "disable it first" in site.run("postmulti", "-e", "destroy", "-i", "postrider-a", check=False).stderr
    site.run("postmulti", "-e", "disable", "-i", "postrider-a")
    site.run("postrider", "-c", config, "start")
    assert "stop it first" in site.run("postmulti", "-e", "destroy", "-i", "postrider-a", check=False).stderr
    site.set(config, authorized_submit_users="static:anyone")
    site.run("postrider", "-c", config, "stop")
    site.run("sh", "-c", f"echo | {SBIN}/sendmail -C {config} x@y.test")
    assert "there is mail in" in site.run("postmulti", "-e", "destroy", "-i", "postrider-a", check=False).stderr
    site.run("postsuper", "-c", config, "-d", "ALL")
    other = site.dir / "postrider-a" / "transport"
    other.touch()
    r = site.run("postmulti", "-e", "destroy", "-i", "postrider-a")
    assert r.stderr.endswith(f"postmulti: warning: {config} is left: Directory not empty\n")
    assert sorted(x.name for x in site.dir.glob("postrider-a*")) == ["postrider-a"]
    assert os.listdir(config) == ["transport"] and site.names() == ["-"]


@pytest.mark.parametrize("arguments, said", [
    ([], "usage: "), (["-l", "-p"], "usage: "), (["-p"], "usage: "), (["-l", "x"], "usage: "), (["-p", "-R", "start"], "usage: "),
    (["-l", "-a", "-i", "-"], "only one of them is allowed"), (["-l", "-I", "x"], "with -e only"),
    (["-l", "-i", "nosuch"], "no matching instance"), (["-e", "explode"], 'bad action "explode": init, create'),
    (["-e", "create", "-I", "mine"], "must begin with postfix- or postrider-"),
    (["-e", "create", "-I", "postfix-a/b"], 'bad instance name "postfix-a/b"'),
    (["-e", "create", "-I", "postfix-a", "-G", "a b"], 'bad group "a b"'),
    (["-e", "create"], "where? Give a name (-I), or config_directory=/PATH"),
    (["-e", "create", "config_directory=x"], "an absolute path is allowed"),
    (["-e", "create", "config_directory=/"], "an absolute path is allowed"),
    (["-e", "create", "-I", "postfix-a", "color=red"], '"color=red": config_directory=, queue_directory= and data_directory='),
    (["-e", "create", f"config_directory={DEFAULT}"], "is in use by the instance"),
    (["-e", "destroy"], "Name it with -i"), (["-e", "destroy", "-i", "-"], "the primary instance cannot be removed"),
    (["-e", "assign", "-i", "-"], "a new name (-I) or group (-G) is needed"),
    (["-e", "init", "-G", "x"], "-I and -G are not allowed"), (["-e", "enable", "-i", "-", "a=b"], "param=value is not allowed"),
    (["-e", "import", "-I", "postfix-nosuch"], "postfix-nosuch")])
def test_refusals(site, arguments, said):
    before = (site.etc / "main.cf").read_bytes()
    r = site.run("postmulti", *arguments, check=False)
    assert r.returncode == 1 and r.stderr.startswith("postmulti: fatal: ") and said in r.stderr
    assert (site.etc / "main.cf").read_bytes() == before
    assert not list(site.dir.glob("postfix-*"))


def test_only_the_default_configuration(site):
    r = site.run("postmulti", "-l", check=False, environment={"MAIL_CONFIG": "/tmp"})
    assert r.returncode == 1 and f"Non-default configuration directory: MAIL_CONFIG=/tmp; {DEFAULT} is allowed" in r.stderr
