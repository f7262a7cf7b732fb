# SPDX-License-Identifier: ISC
import os
import pathlib
import pwd
import shutil
import subprocess

import pytest

from harness import LIBEXEC, Instance, Sink
from qmgr_world import World


def pytest_configure(config):
    if os.getuid() != 0:
        pytest.exit("the system tests start daemons that drop privileges: run them as root", 2)
    if not (LIBEXEC / "master").exists():
        pytest.exit(f"the suite is not installed ({LIBEXEC}/master): run ./dev test", 2)


@pytest.fixture
def instance():
    """A factory: instance(name=value, ...) gives an Instance that ends with the test."""
    made = []

    def make(start=True, **kw):
        made.append(Instance(**kw))
        return made[-1].start() if start else made[-1]

    yield make
    for i in made:
        i.destroy()


@pytest.fixture
def world():
    """A factory: world(name=value, ...) gives a qmgr among played neighbours that ends with the test."""
    made = []

    def make(**settings):
        made.append(World(**settings))
        return made[-1]

    yield make
    for w in made:
        w.close()


@pytest.fixture
def sink():
    """A factory: sink(...) gives an SMTP next hop that ends with the test."""
    made = []

    def make(**kw):
        made.append(Sink(**kw))
        return made[-1]

    yield make
    for s in made:
        s.close()


@pytest.fixture(scope="session")
def mailbox_user():
    """An account with a home of its own for local delivery; its name differs between workers."""
    name = "prtest-" + os.environ.get("PYTEST_XDIST_WORKER", "main")
    home = pathlib.Path("/var/tmp") / name
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", "--home-dir", str(home),
                        "--shell", "/bin/sh", name], check=True)
    user = pwd.getpwnam(name)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    os.chown(home, user.pw_uid, user.pw_gid)
    yield user
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run(["userdel", name], stderr=subprocess.DEVNULL)


@pytest.fixture
def mailbox(mailbox_user):
    """The same account with an empty home."""
    home = pathlib.Path(mailbox_user.pw_dir)
    for entry in home.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return mailbox_user
