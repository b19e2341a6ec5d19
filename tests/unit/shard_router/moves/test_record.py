"""The record of a move as text, what it derives, and what of it others may change."""

from dataclasses import replace

import pytest

from drivers.fence import Fence, FenceState
from shard_router.moves.record import (
    MovePhase,
    MoveRecord,
    MoveRequest,
    Place,
    copy_id,
    decode,
    encode,
    eta_s,
    of_copy,
    of_fence,
    record_id,
)

RECORD = MoveRecord(
    move_id="m",
    group_id="g",
    source_shard="a",
    source_space="",
    target_shard="b",
    target_space="g",
    phase=MovePhase.COPYING,
    pauses_us=(1_000, 2_000),
    rate_rows_per_s=12.5,
    revision=4,
)


def test_a_record_is_read_as_it_was_written() -> None:
    assert decode(encode(RECORD)) == RECORD


def test_fields_of_a_newer_gateway_are_left_out() -> None:
    text = encode(RECORD).replace(b'"move_id":', b'"newer":[1],"move_id":')
    assert decode(text) == RECORD


@pytest.mark.parametrize(
    ("field", "of_now"), [("phase", "COPYING"), ("kind", "MOVE"), ("verify", "BEFORE_COMMIT")]
)
def test_what_only_a_newer_gateway_knows_is_shown_and_stays(field: str, of_now: str) -> None:
    """An older one must neither fail nor write over it."""
    old, new = (f'"{field}":"{value}"'.encode() for value in (of_now, "OF_TOMORROW"))
    text = encode(RECORD).replace(old, new)
    assert text != encode(RECORD)
    read = decode(text)
    assert read.phase is MovePhase.UNSPECIFIED
    assert (read.move_id, read.group_id, read.pauses_us) == ("m", "g", RECORD.pauses_us)
    assert not read.ended
    changed = encode(replace(read, cancel_requested=True, revision=5))
    assert new in changed
    assert decode(changed.replace(new, old)) == replace(RECORD, cancel_requested=True, revision=5)
    assert replace(read, ended_us=1).ended


@pytest.mark.parametrize("text", [b'{"move_id":"m"}', b"[]", b"{", b'{"phase":"NOWHERE"}', b'{"phase":1}'])
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


def test_the_time_to_the_commit() -> None:
    assert eta_s(replace(RECORD, rows_remaining=25)) == 2.0
    assert eta_s(replace(RECORD, rate_rows_per_s=0.0)) is None
    assert eta_s(replace(RECORD, committed_us=1, rows_remaining=25)) == 0.0


def test_the_same_request_is_the_same_move() -> None:
    request = MoveRequest("g", "b", request_id="r")
    assert request.move_id == MoveRequest("other", "c", request_id="r").move_id
    assert request.move_id != MoveRequest("g", "b", request_id="s").move_id


def test_each_copy_of_a_move_has_its_own_name() -> None:
    assert record_id(copy_id("m", 7)) == "m"
    assert RECORD.owns(copy_id("m", 7))
    assert not RECORD.owns("")
    assert not RECORD.owns(copy_id("mm", 7))


def test_what_others_have_asked_for_is_taken_over() -> None:
    stored = replace(RECORD, cancel_requested=True, phase=MovePhase.PLANNED, revision=9)
    merged = RECORD.merged(stored)
    assert (merged.cancel_requested, merged.phase, merged.revision) == (True, MovePhase.COPYING, 9)


def test_a_reverse_window_is_only_brought_forward() -> None:
    mine = replace(RECORD, committed_us=1, reverse_until_us=50)
    assert mine.merged(replace(mine, reverse_until_us=20)).reverse_until_us == 20
    assert mine.merged(replace(mine, reverse_until_us=90)).reverse_until_us == 50
    assert mine.merged(replace(RECORD, reverse_until_us=0)).reverse_until_us == 50


def test_a_record_is_made_again_of_the_sources_fence() -> None:
    fence = Fence("g", 3, FenceState.FROZEN, space="g", moved_to="b", token=5, move_id=copy_id("m", 5))
    record = of_fence("a", fence, 7, reverse_window_s=2.0)
    assert (record.move_id, record.token, record.phase) == ("m", 5, MovePhase.PLANNED)
    assert (record.source, record.target) == (Place("a", "g"), Place("b"))
    left = of_fence("a", replace(fence, state=FenceState.MOVED), 7, reverse_window_s=2.0)
    assert (left.committed, left.phase) == (True, MovePhase.COMMITTED)
    assert (left.committed_us, left.reverse_until_us) == (7, 2_000_007)


def test_a_copy_that_was_given_up_is_one_to_delete() -> None:
    fence = Fence("g", 0, FenceState.INCOMING, moved_to="a", token=5, move_id=copy_id("m", 5))
    record = of_copy("b", fence, 7)
    assert (record.source, record.target) == (Place("a"), Place("b"))
    assert (record.cancel_requested, record.phase, record.token) == (True, MovePhase.CANCELLING, 5)
