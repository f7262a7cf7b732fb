# SPDX-License-Identifier: ISC
import os

import pytest

from harness import LIBEXEC, Account, Instance, Sink
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
def accounts():
    """Two local users of this test run; users() and mailbox() give them with empty homes."""
    made = [Account(), Account()]
    yield made
    for a in made:
        a.close()


@pytest.fixture
def users(accounts):
    """Two local users with empty homes that everyone may look into."""
    return [a.fresh(0o755) for a in accounts]


@pytest.fixture
def mailbox(accounts):
    """A local user with an empty home."""
    return accounts[0].fresh(0o700)
