# SPDX-License-Identifier: ISC
"""postconf: what it prints, warns of, and how it edits. Expected text is what Postfix 3.7 prints."""
import os
import stat
import subprocess

import pytest

from harness import SBIN


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "master.cf").write_text("smtp inet n - y - - smtpd\n")
    return tmp_path


def postconf(conf, *args, env=None):
    return subprocess.run([SBIN / "postconf", "-c", conf, *args], capture_output=True, text=True,
                          timeout=20, env={**os.environ, **(env or {})})


def write(conf, text):
    (conf / "main.cf").write_text(text)


def test_prints_what_is_set(conf):
    write(conf, "# c\ncompatibility_level = 3.6\nmynetworks = 127.0.0.0/8\n# inner\n   [::1]/128\n\n"
                "\t10.0.0.0/8\nown = x\nmyorigin = ${own?a}  b\n")
    p = postconf(conf, "-n")
    assert p.stdout == (f"compatibility_level = 3.6\nconfig_directory = {conf}\n"
                        "mynetworks = 127.0.0.0/8 [::1]/128 10.0.0.0/8\n"
                        "myorigin = ${own?a} b\nown = x\n")
    assert (p.returncode, p.stderr) == (0, "")
    assert postconf(conf, "-h", "myorigin").stdout == "${own?a} b\n"
    assert postconf(conf, "-xh", "myorigin").stdout == "a b\n"
    assert postconf(conf, "-H", "myorigin").stdout == "myorigin\n"
    assert postconf(conf, "relayhost").stdout == "relayhost =\n"
    assert postconf(conf, "-n", "relayhost").stdout == ""
    assert postconf(conf, "-o", "relayhost=z", "relayhost").stdout == "relayhost = z\n"


def test_defaults_do_not_look_at_main_cf(conf):
    write(conf, "this is no main.cf\n")
    p = postconf(conf, "-d", "queue_run_delay", "smtpd_relay_restrictions")
    assert p.returncode == 0
    assert p.stdout == ("queue_run_delay = 300s\n"
                        "smtpd_relay_restrictions = ${{$compatibility_level} <level {1} ? {} : "
                        "{permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination}}\n")
    assert len(postconf(conf, "-d").stdout.splitlines()) > 900


def test_unknown_unused_undefined(conf):
    write(conf, "unused = 1\nmyorigin = $nowhere\n")
    p = postconf(conf, "nosuch")
    assert p.returncode == 0 and p.stdout == ""
    assert sorted(p.stderr.splitlines()) == sorted([
        "postconf: warning: nosuch: unknown parameter",
        f"postconf: warning: {conf}/main.cf: undefined parameter: nowhere",
        f"postconf: warning: {conf}/main.cf: unused parameter: unused=1"])


def test_duplicates_and_nonsense(conf):
    write(conf, "relayhost = a\nrelayhost = b\n")
    p = postconf(conf, "relayhost")
    assert p.stdout == "relayhost = b\n"
    assert f"postconf: warning: {conf}/main.cf, line 2: overriding earlier entry: relayhost=a" in p.stderr
    write(conf, "relayhost = a\nno equals\n")
    p = postconf(conf, "-n")
    assert p.returncode == 1
    assert f"{conf}/main.cf, line 2: missing '=' after attribute name: \"no equals\"" in p.stderr


def test_edit_keeps_comments_order_owner_mode(conf):
    write(conf, "# c\nmyorigin = a\n b\n# x\n c\n\nqueue_directory=/x")
    os.chmod(conf / "main.cf", 0o640)
    os.chown(conf / "main.cf", 0, 12)
    p = postconf(conf, "-e", "myorigin = new val", "relayhost=[h]:25")
    assert (p.returncode, p.stderr) == (0, "")
    assert (conf / "main.cf").read_text() == ("# c\nmyorigin = new val\n# x\n\nqueue_directory=/x\n"
                                              "relayhost = [h]:25\n")
    st = (conf / "main.cf").stat()
    assert (stat.S_IMODE(st.st_mode), st.st_gid) == (0o640, 12)
    assert sorted(f.name for f in conf.iterdir()) == ["main.cf", "master.cf"]


def test_delete_and_comment_out(conf):
    write(conf, "a = b\nqueue_directory=/x\n y\n# k\n z\nb = c\n")
    assert postconf(conf, "-#", "queue_directory").returncode == 0
    assert (conf / "main.cf").read_text() == "a = b\n#queue_directory=/x\n# y\n# k\n# z\nb = c\n"
    write(conf, "a = b\nqueue_directory=/x\n y\n# k\n z\nb = c\n")
    assert postconf(conf, "-X", "queue_directory", "a").returncode == 0
    assert (conf / "main.cf").read_text() == "# k\nb = c\n"


def test_a_bad_edit_changes_nothing(conf):
    write(conf, "a = b\n")
    for bad in (["-e", "noequals"], ["-e", "a=x\ny=z"], ["-e"], ["-X", "a=b"], ["-e", "#a=b"]):
        assert postconf(conf, *bad).returncode == 1, bad
        assert (conf / "main.cf").read_text() == "a = b\n"


def test_an_interrupted_edit_leaves_a_whole_file(conf):
    """Nothing is written to main.cf itself: a reader sees the old text or the new one."""
    write(conf, "a = b\n")
    with open(conf / "main.cf") as before:
        assert postconf(conf, "-e", "relayhost=new").returncode == 0
        assert before.read() == "a = b\n"
    assert "relayhost = new" in (conf / "main.cf").read_text()


def test_master_cf(conf):
    write(conf, "compatibility_level = 3.6\n")
    (conf / "master.cf").write_text(
        "smtp inet n - n - - smtpd\n  -o syslog_name=postfix/x -o { relayhost = b c } -v\n"
        "10.0.0.1:2525 inet n - n - - smtpd\nrelay unix - - y - - smtp\n")
    first = "smtp       inet  n       -       n       -       -       smtpd"
    relay = "relay      unix  -       -       y       -       -       smtp\n"
    p = postconf(conf, "-M")
    assert p.stdout == (first + " -o syslog_name=postfix/x -o {relayhost=b c} -v\n"
                        "10.0.0.1:2525 inet n     -       n       -       -       smtpd\n" + relay)
    assert postconf(conf, "-M", "relay/unix").stdout == relay
    assert postconf(conf, "-Mf", "smtp").stdout == (
        first + "\n    -o syslog_name=postfix/x\n    -o {relayhost=b c}\n    -v\n")
    assert 'unmatched request: "nosuch"' in postconf(conf, "-M", "nosuch").stderr
    assert "relay_destination_recipient_limit = $default_destination_recipient_limit\n" in \
        postconf(conf).stdout
    (conf / "master.cf").write_text("smtp inet n - x - - smtpd\n")
    p = postconf(conf, "-M")
    assert p.returncode == 1
    assert f"{conf}/master.cf, line 1: invalid chroot field \"x\"" in p.stderr


def test_a_master_cf_that_is_missing_or_wrong_matters_to_who_asks_for_it(conf):
    write(conf, "relayhost = here\n")
    for spoil in (lambda: (conf / "master.cf").write_text("smtp inet n - x - - smtpd\n"),
                  (conf / "master.cf").unlink):
        spoil()
        p = postconf(conf, "-h", "relayhost")
        assert (p.returncode, p.stdout) == (0, "here\n")
        assert f"postconf: warning: {conf}/master.cf" in p.stderr
        assert postconf(conf, "-hq", "relayhost").stderr == ""
        assert postconf(conf, "-d", "relayhost").stderr == ""
        assert postconf(conf, "-M").returncode == 1


def test_mail_config_names_the_directory(conf):
    write(conf, "relayhost = here\n")
    p = subprocess.run([SBIN / "postconf", "-h", "relayhost"], capture_output=True, text=True,
                       timeout=20, env={**os.environ, "MAIL_CONFIG": str(conf)})
    assert p.stdout == "here\n"
