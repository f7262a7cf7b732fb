# SPDX-License-Identifier: ISC
"""postconf beside Debian's Postfix, over configurations as real sites have them (sites/), and the facts about
each parameter (postfix-parameters.tsv: name, default, in 3.7, first version)."""
import os
import pathlib
import random
import re
import subprocess

import pytest

from harness import PREFIX, SBIN
from peers import POSTFIX, peer

HERE = pathlib.Path(__file__).parent
SITES = sorted(p.name for p in (HERE / "sites").iterdir())
SCHEMA = HERE.parents[1] / "schema" / "parameters"

# Where we differ on purpose: the table type that is there without Berkeley DB, names and places of our own.
OWN = {"address_verify_map", "alias_database", "alias_maps", "postscreen_cache_map", "default_database_type",
       "default_cache_db_type", "enable_long_queue_ids", "mail_owner", "mail_release_date", "mail_version",
       "process_id", "process_name", "service_name", "myhostname", "mydomain", "mynetworks", "milter_macro_v"}
PLACES = {"command_directory", "config_directory", "daemon_directory", "data_directory", "html_directory",
          "mailq_path", "manpage_directory", "meta_directory", "newaliases_path", "queue_directory",
          "readme_directory", "sample_directory", "sendmail_path", "shlib_directory"}
# The documentation says no default, or "see ...", or something that holds at run time only.
UNSAID = {"authorized_verp_clients", "domain_to_ascii", "lmtp_per_record_deadline", "non_bdb_custom_mapping",
          "non_bdb_migration_allow_root_prefixes", "non_bdb_migration_allow_user_prefixes",
          "postscreen_blacklist_action", "postscreen_dnsbl_ttl", "postscreen_dnsbl_whitelist_threshold",
          "postscreen_whitelist_interfaces", "smtp_per_record_deadline", "smtp_requiretls_policy",
          "smtp_tls_loglevel_maps", "smtp_tlsrpt_skip_reused_handshakes",
          "smtpd_client_connection_limit_exceptions", "smtpd_per_record_deadline", "smtpd_tls_loglevel_maps",
          "tls_ffdhe_auto_groups", "tlsproxy_client_level", "tlsproxy_client_policy",
          "smtp_tlsrpt_skip_reused_handshakes"}


@pytest.fixture(scope="module")
def theirs():
    root = peer("postfix", POSTFIX)
    lib = f"{root}/usr/lib/postfix:{root}/usr/lib/x86_64-linux-gnu"

    def run(site, *args):
        r = subprocess.run([root / "usr/sbin/postconf", "-c", HERE / "sites" / site, *args], text=True,
                           capture_output=True, timeout=20, env={**os.environ, "LD_LIBRARY_PATH": lib})
        return r.stdout, {re.sub(r"^\S*/postconf: ", "postconf: ", x) for x in r.stderr.splitlines()}
    return run


def ours(site, *args):
    r = subprocess.run([SBIN / "postconf", "-c", HERE / "sites" / site, *args], capture_output=True, text=True,
                       timeout=20)
    said = {re.sub(r" \(is \w+ meant\?\)$", "", x) for x in r.stderr.splitlines()}
    return r.stdout, {x for x in said if "will be removed; instead, " not in x}


@pytest.mark.parametrize("site", SITES)
def test_same_output_and_warnings(theirs, site):
    for args in (["-n"], ["-nf"], ["-nh"], ["-nH"], ["-M"], ["-Mf"], ["-Mx"], ["-F"], ["-Fx"], ["-Fh", "smtp"], ["-P"],
                 ["-Px"], ["-PH"], ["-n", "-C", "user"], ["-n", "-C", "service"], ["-n", "-C", "builtin"],
                 ["-n", "-o", "stress=yes", "-o", "relayhost=[x]"], ["-M", "smtp"], ["-M", "*/inet"],
                 ["-F", "smtp/inet/command", "*/unix/chroot"], ["-P", "nosuch/inet"],
                 ["-C", "service", "-H"], ["-C", "user"], ["myhostname", "nosuch", "mynetworks"]):
        if site == "postscreen" and "-C" in args:
            continue  # former names are parameters here, and the user's own there
        assert ours(site, *args) == theirs(site, *args), args


NAMES = ["full", "empty", "n5", "n10", "ref", "nosuch", "space", "full-x", "a b"]


class Expressions:
    """Seeded random texts in the $ language, right ones and wrong ones."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *things):
        return self.random.choice(things)

    def text(self, depth=0):
        r, form = self.random, self.random.random()
        if depth > 3 or form < .3:
            return self.pick("x", "10", "9", "3.6", "3.10", "abc", "", "a b", "$$", "}", "{", "$", " y ", ":", "?", "==")
        if form < .45:
            return "$" + r.choice(NAMES)
        if form < .55:
            return self.pick("${%s}", "$(%s)", "${ %s }") % r.choice(NAMES)
        if form < .75:
            return "${%s%s%s%s}" % (r.choice(NAMES), self.pick(" ", ""), self.pick("?", ":"), self.branch(depth))
        if form < .85:
            return "${%s?%s%s:%s}" % (r.choice(NAMES), self.braces(depth), self.pick("", " "), self.branch(depth))
        if form < .88:
            return "${{%s} %slevel {%s}%s}" % (self.pick("3", "3.6", "3.10", "x"), self.pick("<", "<=", "==", ">"),
                                               self.pick("3.9", "3.6.0", "4"), self.pick("", "?" + self.braces(depth)))
        tail = self.pick("", "?" + self.braces(depth) + ":" + self.braces(depth), "?" + self.braces(depth),
                         ":" + self.braces(depth), "?" + self.text(depth + 1), self.braces(depth))
        return "${%s %s %s%s%s}" % (self.braces(depth), self.pick("==", "!=", "<", "<=", ">", ">=", "~", "="),
                                    self.braces(depth), self.pick("", " "), tail)

    def braces(self, depth):
        inner = "".join(self.text(depth + 1) for _ in range(self.pick(1, 1, 2)))
        return "{%s%s%s}" % (self.pick("", " "), inner, self.pick("", " "))

    def branch(self, depth):
        return self.braces(depth) if self.random.random() < .7 else self.text(depth + 1)


def test_expressions_as_postfix(theirs, tmp_path):
    """The same result, and the same are refused. (Postfix takes "${ }" for a reference to nothing.)"""
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nfull = text\nempty =\nn5 = 5\nn10 = 10\n"
                                      "ref = $full\nspace = a  b\n")
    (tmp_path / "master.cf").write_text("")
    made, refused = Expressions(11), 0
    for _ in range(400):
        text = made.text() + made.text()
        args = ["-xh", "-o", f"relayhost={text}", "relayhost"]
        mine = ours(tmp_path, *args)[0]
        refused += mine == ""
        if mine == "" and refused > 5:
            continue  # Postfix sleeps for a second before it refuses
        if not re.search(r"\$[({] *[)}]", text):
            assert mine == theirs(tmp_path, *args)[0], text
    assert 20 < refused < 380


def pairs(text):
    return dict(line.partition(" =")[::2] for line in text.splitlines())


@pytest.mark.parametrize("site", SITES)
def test_same_values_of_all(theirs, site):
    """With and without -x: what both have is the same but for the places of files."""
    for args in ([], ["-x"]):
        mine, other = pairs(ours(site, *args)[0]), pairs(theirs(site, *args)[0])
        assert not set(other) - set(mine)
        places = [(mine[p], other[p]) for p in ("data_directory", "command_directory") if "$" not in mine[p]]
        for name in set(other) - OWN - PLACES:
            value = mine[name]
            for a, b in places:
                value = value.replace(a.strip(), b.strip())
            if not re.search(r"(btree|hash|lmdb):", other[name]):
                assert value == other[name], name


def declared():
    found = {}
    for path in SCHEMA.glob("*.param"):
        for line in path.read_text().splitlines():
            if line.startswith(("parameter ", "template ")):
                name = line.split()[1]
                found[name] = {}
            elif line.startswith("\t"):
                key, _, value = line.strip().partition(" ")
                found[name][key] = value
    return found


def facts():
    for line in (HERE / "postfix-parameters.tsv").read_text().splitlines():
        if not line.startswith("#"):
            yield (line.split("\t") + ["", ""])[:4]


def test_every_parameter_is_declared_with_its_default():
    known = declared()
    printed = pairs(subprocess.run([SBIN / "postconf", "-d"], capture_output=True, text=True, timeout=20,
                                   check=True).stdout)
    count = 0
    for name, default, _, since in facts():
        assert name in known, name
        assert known[name].get("since", "") == since, name
        count += 1
        if name in OWN | PLACES | UNSAID:
            continue
        value = known[name]["default"] if name.startswith("transport_") else printed[name].strip()
        assert value == default, name
    assert count > 950


def test_no_text_is_a_reference_to_another_manual():
    """Each parameter is explained in its own words."""
    for path in SCHEMA.glob("*.param"):
        assert "see its postconf(5)" not in path.read_text(), path


@pytest.mark.parametrize("site", SITES)
def test_round_trip(tmp_path, site):
    """`postconf -n` is a main.cf that says the same."""
    text = ours(site, "-n")[0]
    (tmp_path / "main.cf").write_text(text)
    (tmp_path / "master.cf").write_bytes((HERE / "sites" / site / "master.cf").read_bytes())
    again = subprocess.run([SBIN / "postconf", "-c", tmp_path, "-n"], capture_output=True, text=True, timeout=20)

    def drop(t):
        return [x for x in t.splitlines() if not x.startswith("config_directory =")]
    # what only an unused name referred to is unused when that one is gone, as in Postfix
    assert drop(again.stdout) == [x for x in drop(text) if x != "unused_two = 2"]
    a, b = (subprocess.run([SBIN / "postconf", "-x", "-c", d], capture_output=True, text=True, timeout=20).stdout
            for d in (HERE / "sites" / site, tmp_path))
    vary = ("config_directory =", "process_id =", "unused_two =")
    assert [x for x in a.splitlines() if not x.startswith(vary)] == \
        [x for x in b.splitlines() if not x.startswith(vary)]


def test_manual_has_every_parameter():
    """postconf(5): name, default, whether it acts, and a text of its own."""
    text = (PREFIX / "share/man/man5/postconf.5").read_text()
    entries = dict(re.findall(r"^\.TP\n\.B (\S+) \(default: .*\)\n((?:.*\n)*?)(?=\.TP\n|\.SH )", text, re.M))
    for name, _, _, _ in facts():
        entry = entries[name]
        assert len(entry.split(".br\n")[0]) > 8, name
        assert re.search(r"Type: \w+.*(Read by: |Accepted without effect: )", entry), name
    assert "\\&    smtpd_restriction_classes = insiders_only\n" in entries["smtpd_restriction_classes"]
