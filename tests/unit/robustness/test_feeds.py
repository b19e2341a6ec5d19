"""What a change feed leaves out, tells twice or makes up is found; and facts go with their entities."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.robustness.model.findings import Kind
from tests.robustness.model.history import Change, Effect, Feed, FeedPiece, RowSeen
from tests.robustness.model.judge import judge
from tests.unit.robustness.store import GROUP, Run, Store, write


def _kinds(run: Run) -> set[Kind]:
    return {finding.kind for finding in judge(run.writes, run.reads, run.groups, run.feeds)}


def _watched() -> Run:
    """Entities a to c and a fact between a and b; then c goes, and a with the fact. Read in three answers."""
    store = Store()
    store.write(write(1, Effect.CREATE, "a", "b", "c"))
    store.write(write(2, Effect.CREATE, "fact", ends=("a", "b")))
    store.watch()
    store.write(write(3, Effect.DELETE, "c"))
    store.write(write(4, Effect.UPSERT, "b"))
    store.watch(anew=True)
    store.write(write(5, Effect.DELETE, "a"))
    return store.run()


def _with_pieces(run: Run, change: Callable[[tuple[FeedPiece, ...]], tuple[FeedPiece, ...]]) -> Run:
    return replace(run, feeds=(replace(run.feeds[0], pieces=change(run.feeds[0].pieces)),))


def test_a_feed_over_breaks_and_deletions_is_whole():
    """The last answer tells of the entity and of the fact that went with it, both deleted at one version."""
    run = _watched()
    assert _kinds(run) == set()
    last = run.feeds[0].pieces[-1]
    assert set(last.changes) == {Change("a", 5, None), Change("fact", 5, None)}
    assert run.groups[GROUP].rows == {"b": RowSeen("token-4", "token-4", 4)}


@given(data=st.data())
def test_a_change_that_was_left_out_is_found(data: st.DataObject):
    """Whichever one that is the last of its row: a row that is not told, or a deletion."""
    run = _watched()
    last_of = {change.uuid: change for piece in run.feeds[0].pieces for change in piece.changes}
    # What a reader was never told of need not be told to be gone.
    told_before = {uuid for uuid, change in last_of.items() if change.row is not None} | {"a", "c", "fact"}
    victim = last_of[data.draw(st.sampled_from(sorted(told_before)))]

    def without(pieces: tuple[FeedPiece, ...]) -> tuple[FeedPiece, ...]:
        return tuple(
            replace(piece, changes=tuple(change for change in piece.changes if change != victim))
            for piece in pieces
        )

    assert _kinds(_with_pieces(run, without)) == {Kind.WATCH_GAP}


def test_a_feed_that_stays_behind_is_found():
    """Its reader was to reach the group's last version."""
    assert _kinds(_with_pieces(_watched(), lambda pieces: pieces[:-1])) == {Kind.WATCH_GAP}


@pytest.mark.parametrize("later", [1, 2])
def test_a_change_that_comes_again_is_found(later: int):
    """From before the position that the reader was at, in the same call and in the next one."""
    run = _watched()

    def again(pieces: tuple[FeedPiece, ...]) -> tuple[FeedPiece, ...]:
        changed = replace(pieces[later], changes=(*pieces[later].changes, pieces[0].changes[1]))
        return (*pieces[:later], changed, *pieces[later + 1 :])

    assert Kind.WATCH_REPEAT in _kinds(_with_pieces(run, again))


def test_a_position_that_goes_back_is_found():
    """And one that a call did not begin at."""
    run = _watched()

    def back(pieces: tuple[FeedPiece, ...]) -> tuple[FeedPiece, ...]:
        return (*pieces[:-1], replace(pieces[-1], after_version=pieces[-1].after_version - 1))

    assert _kinds(_with_pieces(run, back)) == {Kind.WATCH_REPEAT}


def test_a_large_write_in_pieces_may_come_again_after_a_break():
    """Only its last piece moves the position; a call that broke before is told everything of it again, one
    that goes on is not."""
    store = Store()
    store.write(write(1, Effect.CREATE, "a", "b"))
    run = store.run()
    a, b = run.feeds[0].pieces[0].changes
    first = FeedPiece(1, 0, 0, (a,), 1.0)
    for stream, kinds in ((2, set[Kind]()), (1, {Kind.WATCH_REPEAT})):
        rest = FeedPiece(stream, 0, 1, (a, b), 2.0)
        assert _kinds(_with_pieces(run, lambda _, rest=rest: (first, rest))) == kinds


def test_a_change_that_nobody_made_is_found():
    """A feed tells of states that were, at their versions."""
    run = _watched()
    for made_up in (
        Change("b", 4, RowSeen("else", "else", 4)),
        Change("b", 3, None),
        Change("z", 4, RowSeen("z", "z", 4)),
    ):
        piece = replace(run.feeds[0].pieces[1], changes=(*run.feeds[0].pieces[1].changes, made_up))
        found = _kinds(_with_pieces(run, lambda pieces, piece=piece: (pieces[0], piece, pieces[2])))
        assert Kind.PHANTOM in found


def test_a_reader_that_begins_at_a_version_owes_nothing_from_before():
    """It is told what came after; the rows of the beginning it has read otherwise."""
    run = _watched()
    from_2 = replace(run.feeds[0], pieces=run.feeds[0].pieces[1:])
    assert _kinds(replace(run, feeds=(from_2,))) == set()
    assert _kinds(replace(run, feeds=(Feed("idle", GROUP, ()),))) == set()


def test_a_fact_that_outlives_its_entity_is_found():
    """Deleting an entity deletes its facts: one that is there all the same was revived, and the answer of
    the deletion counts them."""
    run = _watched()
    group = run.groups[GROUP]
    with_fact = {**group.rows, "fact": RowSeen("token-2", "token-2", 2)}
    assert _kinds(run.with_group(rows=with_fact, rows_counted=2)) == {Kind.REVIVED}
    told = run.with_write("op-5", lambda w: replace(w, answers=(replace(w.answers[0], counts=(1,)),)))
    assert _kinds(told) == {Kind.LOST}


def test_a_fact_of_a_deleted_entity_cannot_be_written():
    """One that was applied says that the entity was there after its deletion."""
    store = Store()
    store.write(write(1, Effect.CREATE, "a", "b"))
    store.write(write(2, Effect.CREATE, "fact", ends=("a", "b")))
    store.write(write(3, Effect.DELETE, "b"))
    store.write(write(4, Effect.UPSERT, "fact", ends=("a", "b")))
    assert _kinds(store.run()) == set()
    run = _history_with_fact_after_its_end()
    assert Kind.PHANTOM in _kinds(run)


def _history_with_fact_after_its_end() -> Run:
    """As a store that does not look at the ends of facts would answer."""
    store = Store()
    store.write(write(1, Effect.CREATE, "a", "b"))
    store.write(write(2, Effect.DELETE, "b"))
    store.write(write(3, Effect.CREATE, "fact"))
    run = store.run()
    return run.with_write("op-3", lambda w: replace(w, write=replace(w.write, ends=("a", "b"))))
