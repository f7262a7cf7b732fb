# SPDX-License-Identifier: ISC
"""Completion as it is installed: parameters, their values, the commands' flags and verbs."""
import re
import subprocess

import pytest

from harness import PREFIX, SBIN

BASH = PREFIX / "share/bash-completion/completions"


def complete(*words):
    script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _postrider; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    r = subprocess.run(["bash", "--norc", "-c", script, "bash", BASH / words[0], *words], capture_output=True,
                       text=True, timeout=20, env={"PATH": f"{SBIN}:/usr/bin:/bin"})
    assert r.returncode == 0 and r.stderr == "", r.stderr
    return r.stdout.split()


def test_parameters_and_values():
    assert complete("postconf", "smtpd_tls_secur") == ["smtpd_tls_security_level"]
    assert len(complete("postconf", "")) > 900
    assert complete("postconf", "-e", "biff=") == ["biff=yes", "biff=no"]
    assert "smtp_tls_security_level=dane" in complete("postconf", "smtp_tls_security_level=d")
    assert complete("postconf", "-C", "s") == ["service"]


@pytest.mark.parametrize("command", ["postconf", "postmap", "postalias", "postqueue", "postsuper", "postcat",
                                     "postrider", "sendmail", "postlog", "postkick"])
def test_flags(command):
    """Each flag that the command's own usage names is offered."""
    offered = complete(command, "-")
    assert len(offered) >= 2 and all(x.startswith("-") for x in offered)
    if command == "sendmail":
        assert {"-t", "-f", "-bs"} <= set(offered)
        return
    usage = subprocess.run([SBIN / command, "-?"], capture_output=True, text=True, timeout=20).stderr
    for group in re.findall(r"\[-([A-Za-z]+|#)\b", usage):
        for letter in group:
            assert f"-{letter}" in offered, (letter, usage)


def test_verbs_and_tables():
    assert {"start", "stop", "check", "reload"} <= set(complete("postrider", ""))
    assert complete("postmap", "lm") == ["lmdb:"]


def test_zsh_file_is_complete():
    text = (PREFIX / "share/zsh/site-functions/_postrider").read_text()
    assert text.startswith("#compdef ") and "postconf" in text.splitlines()[0]
    assert "smtpd_tls_security_level" in text
