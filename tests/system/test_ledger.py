# SPDX-License-Identifier: ISC
"""The ledger itself: each kind of wrong must be seen."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))

import ledger  # noqa: E402
import logwrites  # noqa: E402
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
