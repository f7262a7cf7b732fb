# SPDX-License-Identifier: ISC
"""No process gets further than its row of schema/privileges says."""
import os
import subprocess

import pytest

from harness import BUILD

ESCAPE = BUILD / "tests/system/escape"


def rows():
    if not ESCAPE.exists():
        return []
    return subprocess.run([ESCAPE, "--rows"], stdout=subprocess.PIPE, check=True,
                          text=True).stdout.split()


@pytest.fixture
def prison(tmp_path):
    """A configuration with a queue directory as master leaves it."""
    os.chmod(tmp_path, 0o755)
    # mkdtemp-like parents of tmp_path are closed to the accounts that daemons become
    for parent in list(tmp_path.parents)[:3]:
        os.chmod(parent, 0o755)
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {tmp_path}/queue\n"
        f"data_directory = {tmp_path}/data\nmaillog_file = {tmp_path}/log\n"
        f"maillog_file_prefixes = {tmp_path}\n")
    (etc / "master.cf").write_text("")
    subprocess.run([BUILD / "commands/postrider", "-c", etc, "set-permissions"], check=True,
                   timeout=30)
    return etc


def attempt(row, etc):
    return subprocess.run([ESCAPE, row, etc], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120)


@pytest.mark.parametrize("row", rows())
def test_nothing_escapes(prison, row):
    result = attempt(row, prison)
    assert result.returncode == 0, result.stdout
    assert "escaped=0 " in result.stdout


def test_the_attempts_work_without_confinement(prison):
    """Else their failure under a row would prove nothing."""
    result = attempt("-", prison)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    # namespaces, io_uring and mounts may be forbidden to all in a container
    escaped = [line for line in lines if line.endswith(": ESCAPED")]
    assert len(escaped) >= 15, result.stdout


def test_network_facing_rows_allow_nothing(prison):
    for row in ("smtpd", "cleanup", "qmgr", "smtp", "bounce", "error"):
        assert ": allowed" not in attempt(row, prison).stdout, row


def test_ports_named_in_main_cf_may_be_reached(prison):
    """relayhost's port joins those that smtp may connect to; the attempt stays contained."""
    with open(prison / "main.cf", "a") as f:
        f.write("relayhost = [127.0.0.1]:2626\n")
    assert "connect to a port that is not its own: contained" in attempt("smtp", prison).stdout
    with open(prison / "main.cf", "a") as f:
        f.write("transport_maps = inline:{x=smtp:[127.0.0.1]:1}\n")
    assert "connect to a port that is not its own: ESCAPED" in attempt("smtp", prison).stdout
