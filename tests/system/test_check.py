# SPDX-License-Identifier: ISC
"""postrider check: what is wrong, misspelled, or without effect, each with its place. Nothing is ignored silently."""
import re

import pytest

from harness import MASTER_CF, eventually
from test_postconf_sites import HERE, SITES, declared

EXTRA = """\
submission inet n - y - - smtpd
  -o postscreen_greet_wait=3s -o mua_x=$mua_y -o {{ relayhots = [typo] }}
odd unix - - n - - nosuchprogram -o tlsproxy_watchdog_timeout=11s
"""


def check(mx, **kw):
    r = mx.run("postrider", "check", **kw)
    return r, r.stderr.decode()


def line_of(mx, text, name="main.cf"):
    lines = (mx.etc / name).read_text().splitlines()
    return 1 + next(i for i, line in enumerate(lines) if line.startswith(text))


def test_names_what_has_no_effect(instance):
    mx = instance(start=False, master_cf=MASTER_CF + EXTRA, postscreen_greet_action="enforce",
                  connection_cache_ttl_limit="3s", smtpd_use_tls="no", my_own="$nowhere", relayhots="[x]",
                  slow_destination_rate_delay="0", myorigin="$my_own")
    r, said = check(mx)
    assert r.returncode == 0
    main, master = mx.etc / "main.cf", mx.etc / "master.cf"
    first = line_of(mx, "submission", "master.cf")
    for want in (
            f"{main}, line {line_of(mx, 'postscreen_greet')}: postscreen_greet_action: has no effect: "
            "what it is about is not built yet",
            f"{main}, line {line_of(mx, 'connection_cache')}: connection_cache_ttl_limit: has no effect, "
            "by design: ",
            f"{main}, line {line_of(mx, 'relayhots')}: unused parameter: relayhots=[x] (is relayhost meant?)",
            f"{main}, line {line_of(mx, 'my_own')}: undefined parameter: nowhere",
            f"{main}, line {line_of(mx, 'smtpd_use_tls')}: support for parameter \"smtpd_use_tls\" will be "
            "removed; instead, specify \"smtpd_tls_security_level\"",
            f"{master}, line {first}: postscreen_greet_wait: has no effect",
            f"{master}, line {first}: unused parameter: mua_x=$mua_y",
            f"{master}, line {first}: undefined parameter: mua_y",
            f"{master}, line {first}: unused parameter: relayhots=[typo] (is relayhost meant?)",
            f"{master}, line {first + 2}: tlsproxy_watchdog_timeout: has no effect, by design: "):
        assert want in said, want
    for silent in ("relayhost:", "slow_destination_rate_delay", "my_own=", "myorigin:"):
        assert silent not in said, silent


def test_all_that_does_nothing_is_named(instance):
    """Every declared parameter, set to its default: those that nothing reads are named, and no others."""
    known = declared()
    idle = {name for name, facts in known.items() if "readers" not in facts and not name.startswith("transport_")}
    assert len(idle) > 100
    mx = instance(start=False)
    main = mx.etc / "main.cf"
    main.write_text(main.read_text() + "".join(
        f"{name} = {facts['default']}\n" for name, facts in known.items()
        if "default" in facts and "@" not in facts["default"] and not name.startswith("transport_")
        and name not in main.read_text()))
    said = set(re.findall(r"main.cf, line \d+: (\w+): has no effect", check(mx, check=False)[1]))
    expected = {n for n in idle if "default" in known[n] and "@" not in known[n]["default"]}
    assert said == expected


def test_is_silent_about_what_acts(instance):
    mx = instance(start=False)
    assert check(mx)[1] == ""


WRONG = {
    "biff": ("maybe", "bad boolean value \"maybe\": yes or no is allowed"),
    "default_process_limit": ("many", "bad number \"many\": "),
    "message_size_limit": ("10M", "bad size \"10M\": digits only are allowed (bytes)"),
    "max_idle": ("1x", "bad time \"1x\": numbers with the units s m h d w are allowed"),
    "mynetworks": ("192.0.2.0/33", "bad network \"192.0.2.0/33\": "),
    "smtpd_tls_security_level": ("always", "bad value \"always\": one of these is allowed: "),
    "inet_protocols": ("ipv5", "bad word \"ipv5\": these are allowed: "),
    "relayhost": ("${x", "\"${x\" is not closed"),
    "myorigin": ("${{a} ~ {b}?x}", "an operator is missing before \"~ {b}?x\": == != < <= > >= are allowed"),
    "virtual_alias_maps": ("nosuchtype:/x", "nosuchtype:/x"),
    "queue_directory": ("not/absolute", "bad path \"not/absolute\": "),
    "smtpd_relay_restrictions": ("permit_mynetwork", "unknown restriction \"permit_mynetwork\" (allowed: "),
}


def test_tables_are_looked_at(instance):
    mx = instance(start=False)
    (mx.etc / "virtual").write_text("a@example.test b\nnothing_behind_it\n")
    mx.set(virtual_alias_maps=f"texthash:{mx.etc}/virtual", canonical_maps="lmdb:/nonexistent/x")
    said = check(mx)[1]
    assert f"virtual_alias_maps: {mx.etc}/virtual, line 2" in said
    assert "canonical_maps: table lmdb:/nonexistent/x" in said and "No such file" in said


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_its_place(instance, name):
    value, want = WRONG[name]
    mx = instance(start=False, **{name: value})
    r, said = check(mx, check=False)
    place = f"{mx.etc}/main.cf, line {line_of(mx, name + ' ')}: {name}: "
    assert place in said and want in said, said
    assert r.returncode == 1 or name in ("virtual_alias_maps", "smtpd_relay_restrictions")


def test_a_wrong_override_is_named_with_its_place(instance):
    mx = instance(start=False, master_cf=MASTER_CF + "submission inet n - y - - smtpd\n  -o smtpd_timeout=soon -o "
                  "{{ mynetworks = 192.0.2.0/33 }}\n  -o max_idle=$idle -o idle=5s\n")
    r, said = check(mx, check=False)
    place = f"{mx.etc}/master.cf, line {line_of(mx, 'submission', 'master.cf')}: "
    assert r.returncode == 1
    assert place + 'smtpd_timeout: bad time "soon": ' in said and "(-o of service submission)" in said
    assert place + 'mynetworks: bad network "192.0.2.0/33": ' in said
    assert "max_idle" not in said


@pytest.mark.parametrize("site", SITES)
def test_configurations_of_real_sites_are_valid(instance, site):
    """They could be started as they are, but for their places; what is said are warnings."""
    mx = instance(start=False)
    own = (mx.etc / "main.cf").read_text()
    places = ("queue_directory", "data_directory", "maillog_file", "multi_instance", "alternate_config", "myhostname")
    text = (HERE / "sites" / site / "main.cf").read_text()
    (mx.etc / "main.cf").write_text("".join(line + "\n" for line in text.splitlines() if not line.startswith(places)) +
                                    "".join(line + "\n" for line in own.splitlines() if line.startswith(places)))
    (mx.etc / "master.cf").write_bytes((HERE / "sites" / site / "master.cf").read_bytes())
    r, said = check(mx, check=False)
    assert r.returncode == 0 and " error: " not in said and " fatal: " not in said, said


def test_a_wrong_value_behind_a_default(instance):
    mx = instance(start=False, smtpd_per_record_deadline="perhaps")
    said = check(mx, check=False)[1]
    assert (f"{mx.etc}/main.cf, line {line_of(mx, 'smtpd_per_record')}: smtpd_per_record_deadline: "
            "bad boolean value \"perhaps\": yes or no is allowed (for smtpd_per_request_deadline, ") in said


def test_wrong_lines(instance):
    mx = instance(start=False)
    good = (mx.etc / "main.cf").read_text()
    count = good.count("\n")
    (mx.etc / "main.cf").write_text(good + "no equals\n= x\n")
    r, said = check(mx, check=False)
    assert r.returncode == 1
    assert f"{mx.etc}/main.cf, line {count + 1}: missing '=' after attribute name: \"no equals\"" in said
    assert f"{mx.etc}/main.cf, line {count + 2}: missing attribute name: \"= x\"" in said
    (mx.etc / "main.cf").write_text("  relayhost = [x]\n" + good + "myhostname = b.example\n")
    r, said = check(mx, check=False)
    assert r.returncode == 0
    assert "line 1: logical line must not start with whitespace" in said
    assert re.search(r"main.cf, line \d+: overriding earlier entry: myhostname=", said)


def test_environment_of_commands(instance, mailbox):
    """import_environment and export_environment, with values that hold spaces; nothing else gets through."""
    home = mailbox.pw_dir
    mx = instance(mailbox_command=f"env >{home}/env; cat >/dev/null",
                  import_environment="TZ LANG=C { GREETING = hello  world } EMPTY= NOTHING",
                  export_environment="GREETING TZ EMPTY OWN=1 { OWN2 = a b } NOTHING HOME2")
    mx.sendmail(f"{mailbox.pw_name}@example.test")
    eventually(lambda: (p := mx.dir.__class__(home, "env")).exists() and "OWN=1" in p.read_text(), 15, "the mail")
    env = mx.dir.__class__(home, "env").read_text().splitlines()
    for line in ("GREETING=hello  world", "OWN=1", "OWN2=a b", "EMPTY="):
        assert line in env, env
    assert not [line for line in env if line.startswith(("NOTHING", "HOME2", "LANG=", "MAIL_MAIN"))], env
