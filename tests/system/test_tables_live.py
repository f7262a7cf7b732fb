# SPDX-License-Identifier: ISC
"""Local tables in the running suite: each type refuses a recipient, its file changes, is damaged, and mended."""
import pathlib
import re

import pytest

from harness import Talk, eventually

# type: the file's text for an address that is refused with a word, and how the file is made
TEXTS = {
    "texthash": "{address} REJECT {word}\n",
    "regexp": "/^{address}$/ REJECT {word}\n",
    "pcre": "/^(?:{address})$/ REJECT {word}\n",
    "lmdb": "{address} REJECT {word}\n",
    "hash": "{address} REJECT {word}\n",
    "cdb": "{address} REJECT {word}\n",
    "cidr": "127.0.0.0/8 REJECT {word}\n",
}
ADDRESS = "alice@example.test"


class World:
    """An instance whose smtpd asks one table about recipients, or about clients."""

    def __init__(self, instance, kind, **settings):
        self.kind = kind
        self.mx = instance(start=False, mydestination="example.test", local_recipient_maps="", local_transport="discard:",
                           **settings)
        self.path = self.mx.etc / "refused"
        check = "check_client_access" if kind == "cidr" else "check_recipient_access"
        self.mx.set(smtpd_recipient_restrictions=f"{check} {kind}:{self.path}, permit_mynetworks, reject_unauth_destination")
        self.write("first")
        self.mx.start()

    def write(self, word):
        fresh = self.path.with_name("fresh")
        fresh.write_text(TEXTS[self.kind].format(address=ADDRESS, word=word))
        fresh.replace(self.path)
        if self.kind in ("lmdb", "hash", "cdb"):
            self.mx.run("postmap", f"{self.kind}:{self.path}")

    def database(self):
        return self.path.with_name("refused.cdb" if self.kind == "cdb" else "refused.lmdb")

    def ask(self):
        with Talk(self.mx.port) as talk:
            talk.reply()
            talk.say("EHLO client.test")
            talk.say("MAIL FROM:<s@client.test>")
            return talk.say(f"RCPT TO:<{ADDRESS}>")


@pytest.mark.parametrize("kind", TEXTS)
def test_a_file_that_changes(instance, kind):
    """Nobody reloads anything: the next sessions, or soon those after them, are told what the file says."""
    world = World(instance, kind)
    assert world.ask()[0] == 554 and "first" in world.ask()[1]
    world.write("second")
    eventually(lambda: "second" in world.ask()[1], 30, f"the new {kind} table")
    world.path.with_name("fresh").write_text("# nobody\n")
    world.path.with_name("fresh").replace(world.path)
    if kind in ("lmdb", "hash", "cdb"):
        world.mx.run("postmap", f"{kind}:{world.path}")
    eventually(lambda: world.ask()[0] == 250, 30, f"the empty {kind} table")


@pytest.mark.parametrize("kind", ["lmdb", "cdb"])
def test_a_database_that_is_damaged_and_mended(instance, kind):
    """Meanwhile nothing is accepted and nothing refused for good; the log names the file."""
    world = World(instance, kind)
    assert "first" in world.ask()[1]
    whole = world.database().read_bytes()
    fresh = world.database().with_name("fresh")
    fresh.write_bytes(whole[:1000])
    fresh.replace(world.database())
    eventually(lambda: world.ask()[0] == 451, 90, "a temporary refusal")
    world.mx.wait_log(re.escape(str(world.database())))
    world.write("mended")
    eventually(lambda: "mended" in world.ask()[1], 90, "the mended table")


def test_a_directory_that_others_control(instance):
    """Who opens the table says so."""
    world = World(instance, "texthash")
    place = world.mx.dir / "open"
    place.mkdir()
    place.chmod(0o777)
    (place / "table").write_text("x y\n")
    world.mx.set(smtpd_client_restrictions=f"check_client_access texthash:{place}/table")
    world.mx.reload()
    eventually(lambda: world.ask() and "others could replace it" in world.mx.log(), 30, "a warning")
    assert re.search(r"smtpd.*table texthash:\S*/open/table: others could replace it: directory \S*/open is writable by everybody",
                     world.mx.log())


def machine_code(world):
    """Ranges of the smtpds' memory that hold code and belong to no file."""
    assert "first" in world.ask()[1]
    found = 0
    for pid in world.mx.pids("smtpd"):
        assert re.search(r"(?m)^Seccomp:\s+2$", pathlib.Path(f"/proc/{pid}/status").read_text())
        maps = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
        found += sum("x" in words[1] and len(words) == 5 for words in maps)
    return found


def test_patterns_are_machine_code_in_the_sandbox(instance):
    """They are compiled before the process confines itself, and run after."""
    assert machine_code(World(instance, "pcre")) > 0
    assert machine_code(World(instance, "regexp")) == 0
