# SPDX-License-Identifier: ISC
"""The ledger itself: each kind of wrong must be seen."""
import pathlib
import struct
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))

import ledger  # noqa: E402
import logwrites  # noqa: E402
import world  # noqa: E402
from ledger import ACKED, REFUSED, SENT, UNKNOWN, Arrival  # noqa: E402

HASH = ledger.content_hash(b"a\r\nb\r\n")


def events(verdict, how="smtp", to=("net",), **more):
    return [{"event": SENT, "id": "1", "time": 100.0, "to": list(to), "hash": HASH, "how": how},
            {"event": verdict, "id": "1", "time": 100.5, **more}]


def came(n=1, at=101.0, digest=HASH, channel="net", ident="1"):
    return [Arrival(ident, channel, digest, at + 10 * i) for i in range(n)]


def test_all_is_well():
    f = ledger.audit(events(ACKED), came(), {}, [])
    assert f.good and f.delivered == 1 and not f.duplicated


def test_line_ends_do_not_change_a_hash():
    assert ledger.content_hash(b"a\nb\n\n") == HASH != ledger.content_hash(b"a\nc\n")


def test_lost():
    assert ledger.audit(events(ACKED), [], {}, []).lost
    assert ledger.audit(events(ACKED, to=("net", "md")), came(), {}, []).lost == [("1", "md")]
    assert not ledger.audit(events(UNKNOWN), [], {}, []).lost


def test_queued_is_stuck_and_not_lost():
    f = ledger.audit(events(ACKED), [], {"1": ""}, [])
    assert f.stuck and not f.lost and not f.good


def test_corrupt_and_strangers():
    assert ledger.audit(events(ACKED), came(digest="x"), {}, []).corrupt
    assert ledger.audit(events(ACKED), came() + came(ident="?"), {}, []).corrupt


def test_phantom():
    assert ledger.audit(events(REFUSED, code=550), came(), {}, []).phantom
    assert ledger.audit(events(REFUSED, code=0), came(), {}, []).phantom
    f = ledger.audit(events(REFUSED, code=451), came(), {}, [])
    assert f.early and not f.phantom
    assert ledger.audit(events(REFUSED, code=451), came(), {}, [], early_is_phantom=True).phantom


def test_duplicates_want_a_crash():
    assert ledger.audit(events(ACKED), came(2), {}, []).excess
    assert not ledger.audit(events(ACKED), came(2), {}, [101.5]).excess
    assert ledger.audit(events(ACKED), came(2), {}, [108.0]).excess  # long after the first copy
    assert ledger.audit(events(ACKED), came(2), {}, [90.0]).excess   # before the message
    assert ledger.audit(events(ACKED), came(3), {}, [101.5]).excess  # one crash, one copy too many


def test_sendmail_counts_from_its_acceptance():
    late = came(2, at=106.0)
    assert ledger.audit(events(ACKED), late, {}, [100.9]).excess
    assert not ledger.audit(events(ACKED, how="sendmail"), late, {}, [100.9]).excess


# ---- what a crash leaves in an mbox

BODY = b"".join(b"%d line\r\n" % n for n in range(400))


def mb_events(verdict, *idents):
    return [e for ident in idents for e in (
        {"event": SENT, "id": ident, "time": 100.0, "to": ["mb"], "how": "smtp",
         "hash": ledger.content_hash(BODY), "size": ledger.content_size(BODY)},
        {"event": verdict, "id": ident, "time": 100.5})]


def stored(ident, at=101):
    """A message as an mbox holds it."""
    stamp = time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(at)).encode()
    return (b"From a@example.test  " + stamp + b"\nReturn-Path: <a@example.test>\nX-Ledger: " + ident.encode() +
            b"\n\n" + BODY.replace(b"\r\n", b"\n") + b"\n")


def judge(verdict, box, *idents, crashes=(101.5,)):
    return ledger.audit(mb_events(verdict, *idents), world.mbox_arrivals(box), {}, list(crashes))


# in the body, in the id, in the head, in the From_ line, in the word From
CUTS = (-1500, 89, 60, 30, 4, 2)


@pytest.mark.parametrize("nul", [0, 900])
@pytest.mark.parametrize("cut", CUTS)
def test_a_torn_copy_before_the_whole_one(cut, nul):
    part = stored("12345")[:cut] + b"\0" * nul + b"\n\n"
    box = stored("00001") + part + stored("12345", 105) + stored("00003", 105)
    f = judge(ACKED, box, "00001", "12345", "00003")
    assert f.good and f.torn and f.delivered == 3 and not f.duplicated, str(f) + f.details()
    assert judge(ACKED, box, "00001", "12345", "00003", crashes=()).corrupt
    # acknowledged, and no more than a part there: lost, or corrupt
    assert not judge(ACKED, stored("00001") + part, "00001", "12345").good
    assert judge(UNKNOWN, stored("00001") + part, "00001", "12345").good


@pytest.mark.parametrize("cut", [c for c in CUTS if c != 30])
def test_a_swallowed_message(cut):
    """No line end after the part: the From_ line behind it is none. (Behind a part of one it makes a strange one.)"""
    part = stored("12345")[:cut]
    assert not judge(ACKED, stored("00001") + part + stored("12345", 105), "00001", "12345").good
    box = stored("00001") + part + stored("00002", 105) + stored("12345", 105)
    assert not judge(ACKED, box, "00001", "00002", "12345").good


def test_nul_bytes_where_a_message_was():
    """The size was on the disk, the data was not; the message itself was delivered later."""
    zeros = b"\0" * 700
    f = judge(ACKED, stored("00001") + zeros + b"\n\n" + stored("12345", 105), "00001", "12345")
    assert f.good and len(f.torn) == 1
    assert not judge(ACKED, stored("00001") + zeros + stored("12345", 105), "00001", "12345").good
    # over the head only: no reader finds that message
    lost = zeros + stored("12345")[60:]
    assert not judge(ACKED, stored("00001") + lost, "00001", "12345").good


def test_a_part_must_be_smaller_and_of_its_time():
    other = stored("12345").replace(b"17 line", b"71 line")
    assert judge(ACKED, other + stored("12345", 105), "12345").corrupt
    longer = stored("12345") + b"more\n\n"
    assert judge(ACKED, longer + stored("12345", 105), "12345").corrupt
    late = stored("12345", 150)[:-1500] + b"\n\n"
    assert judge(ACKED, stored("12345") + late, "12345").corrupt


def test_a_part_is_legal_in_an_mbox_only():
    part = [Arrival("1", "md", "x", 101.0, 3)]
    wanted = mb_events(ACKED, "1")
    wanted[0]["to"] = ["md"]
    assert ledger.audit(wanted, part + [Arrival("1", "md", wanted[0]["hash"], 101.0)], {}, [101.5]).corrupt


def test_what_is_corrupt_is_told_in_full():
    text = judge(ACKED, stored("00001") + stored("12345").replace(b"17 line", b"71 line"), "00001", "12345").details()
    assert "'12345', 'mb'" in text and "sent 3" in text and "around its end" in text and "399 line" in text


def test_replay_of_a_log(tmp_path):
    """Three writes, the second FUA, a flush, a mark, a discard: each prefix, and what a disk may drop."""
    size, text = 512, b""
    entries = [(0, 1, 0, b"", b"A" * size), (1, 1, logwrites.FUA, b"", b"B" * size),
               (0, 0, logwrites.FLUSH, b"", b""), (0, 0, logwrites.MARK, b"m1", b""),
               (2, 1, 0, b"", b"C" * size), (0, 1, logwrites.DISCARD, b"", b"")]
    for sector, sectors, flags, mark, data in entries:
        text += (struct.pack("<QQQQ", sector, sectors, flags, len(mark)) + mark).ljust(size, b"\0") + data
    head = struct.pack("<QQQI", logwrites.MAGIC, 1, len(entries), size).ljust(size, b"\0")
    (tmp_path / "log").write_bytes(head + text)
    log = logwrites.Log(tmp_path / "log")
    assert log.marks() == {"m1": 3}
    for last, want in ((1, b"A.."), (2, b"AB."), (4, b"AB."), (5, b"ABC"), (6, b"\0BC")):
        image = tmp_path / "image"
        image.write_bytes(b"." * 3 * size)
        with open(image, "r+b", buffering=0) as f:
            log.apply(f.fileno(), 0, last)
        assert bytes(image.read_bytes()[i * size] for i in range(3)) == want
    assert (log.barrier(2), log.barrier(3), log.barrier(6)) == (0, 3, 3)
    log.close()
