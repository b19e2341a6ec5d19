"""The model of the crash test: silent on every correct history, loud on every broken one."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.robustness.model.findings import Finding, Kind
from tests.robustness.model.history import Answer, Effect, GroupSeen, RowSeen
from tests.robustness.model.judge import judge
from tests.unit.robustness.store import GROUP, Run, Store, random_run, write


def _found(run: Run) -> tuple[Finding, ...]:
    return judge(run.writes, run.reads, run.groups, run.feeds)


def _kinds(run: Run) -> set[Kind]:
    return {finding.kind for finding in _found(run)}


def _history() -> Store:
    """a written, overwritten and patched; b written and deleted; c written; each write acknowledged."""
    store = Store()
    store.write(write(1, Effect.CREATE, "a"))
    store.write(write(2, Effect.CREATE, "b", "c"))
    store.write(write(3, Effect.UPSERT, "a"))
    store.write(write(4, Effect.DELETE, "b"))
    store.write(write(5, Effect.PATCH, "a"))
    return store


@given(seed=st.integers(0, 2**32), length=st.integers(0, 60))
def test_a_correct_history_breaks_no_promise(seed: int, length: int):
    """Whatever is written, read, lost on the way and sent again: the model finds nothing."""
    assert _found(random_run(Random(seed), length)) == ()


@given(seed=st.integers(0, 2**32), data=st.data())
def test_a_write_that_is_gone_is_found(seed: int, data: st.DataObject):
    """An acknowledged write without its record, and a row that its last write did not change, are lost."""
    run = random_run(Random(seed), 40)
    acknowledged = [w for w in run.writes if w.acknowledged]
    if acknowledged:
        victim = data.draw(st.sampled_from(acknowledged)).write
        operations = {k: v for k, v in run.groups[GROUP].operations.items() if k != victim.op_id}
        assert Kind.LOST in _kinds(run.with_group(operations=operations))
    rows = run.groups[GROUP].rows
    if rows:
        uuid = data.draw(st.sampled_from(sorted(rows)))
        without = {k: v for k, v in rows.items() if k != uuid}
        kinds = _kinds(run.with_group(rows=without, rows_counted=len(without)))
        assert kinds == {Kind.LOST}
        older = {**rows, uuid: replace(rows[uuid], name="before", version=rows[uuid].version - 1)}
        assert _kinds(run.with_group(rows=older)) == {Kind.LOST}


@given(seed=st.integers(0, 2**32), data=st.data())
def test_a_row_that_is_back_is_found(seed: int, data: st.DataObject):
    """A row that its last write deleted is revived, with its old version as with a new one."""
    run = random_run(Random(seed), 40)
    group = run.groups[GROUP]
    touched = {uuid for w in run.writes if w.write.op_id in group.operations for uuid in w.write.uuids}
    deleted = sorted(touched - set(group.rows))
    if deleted:
        uuid = data.draw(st.sampled_from(deleted))
        version = data.draw(st.integers(1, group.version))
        rows = {**group.rows, uuid: RowSeen("old", "old", version)}
        assert _kinds(run.with_group(rows=rows, rows_counted=len(rows))) == {Kind.REVIVED}


@given(seed=st.integers(0, 2**32), data=st.data())
def test_a_write_that_was_applied_twice_is_found(seed: int, data: st.DataObject):
    """A second application takes a second version: the row is newer than the record, or a version is
    nobody's, and it is found whether or not the caller learned of either."""
    run = random_run(Random(seed), 40)
    group = run.groups[GROUP]
    recorded = [w for w in run.writes if w.write.op_id in group.operations]
    if not recorded:
        return
    victim = data.draw(st.sampled_from(recorded)).write
    once_more = run.with_group(version=group.version + 1)
    assert Kind.APPLIED_TWICE in _kinds(once_more)
    if victim.effect is not Effect.DELETE and all(uuid in group.rows for uuid in victim.uuids):
        rows = {
            **group.rows,
            **{u: replace(group.rows[u], version=group.version + 1) for u in victim.uuids},
        }
        assert Kind.APPLIED_TWICE in _kinds(once_more.with_group(rows=rows))


def test_another_answer_to_a_retry_is_found():
    """The first answer comes again, or the write was applied twice."""
    run = _history().run()
    answer = run.writes[2].answers[0]
    other = run.with_write(
        "op-3", lambda w: replace(w, answers=(answer, Answer(answer.version + 3, answer.counts)))
    )
    assert _kinds(other) == {Kind.APPLIED_TWICE}


@pytest.mark.parametrize(
    ("op_id", "counts", "kind"),
    [
        ("op-2", (0, 1), Kind.APPLIED_TWICE),
        ("op-3", (1,), Kind.LOST),
        ("op-4", (0,), Kind.LOST),
        ("op-5", (1,), Kind.LOST),
    ],
)
def test_an_answer_that_tells_of_other_rows_is_found(op_id: str, counts: tuple[int, ...], kind: Kind):
    """A row called new that was there, or missing that was written, betrays what happened in between."""
    run = _history().run()
    told = run.with_write(op_id, lambda w: replace(w, answers=(replace(w.answers[0], counts=counts),)))
    assert _kinds(told) == {kind}


def test_a_deletion_that_finds_a_deleted_row_is_found():
    """A second deletion that removes something says that the first one did not last."""
    store = _history()
    store.write(write(6, Effect.DELETE, "b"))
    run = store.run().with_write("op-6", lambda w: replace(w, answers=(Answer(6, (1,)),)))
    assert _kinds(run) == {Kind.REVIVED}


def test_an_unknown_outcome_may_be_either():
    """Without an answer both are right: applied and recorded, or neither; half of it is not."""
    for applied in (True, False):
        store = _history()
        store.write(write(6, Effect.UPSERT, "c"), applied=applied, answered=False)
        run = store.run()
        assert run.writes[-1].unknown
        assert _found(run) == ()
    other = {**run.groups[GROUP].rows, "c": RowSeen("token-6", "token-6", 6)}
    assert _kinds(run.with_group(rows=other)) == {Kind.PHANTOM}


def test_a_refused_write_that_was_applied_is_found():
    """A refusal that is certain leaves nothing behind."""
    store = _history()
    store.write(write(6, Effect.UPSERT, "c"), answered=False)
    run = store.run().with_write("op-6", lambda w: replace(w, doubtful=False, refusals=("ROW_NOT_FOUND",)))
    assert _kinds(run) == {Kind.PHANTOM}


def test_a_retry_that_meets_its_own_rows_is_found():
    """CREATE names rows that nobody else has written: ROW_EXISTS can only be its own first attempt."""
    store = _history()
    store.write(write(6, Effect.CREATE, "d"), answered=False)
    run = store.run().with_write("op-6", lambda w: replace(w, refusals=("ROW_EXISTS",)))
    assert _kinds(run) == {Kind.APPLIED_TWICE}


def test_two_owners_and_none_are_found():
    """Exactly one shard owns a group that was written to."""
    run = _history().run()
    assert _kinds(run.with_group(owners=("shard-0", "shard-1"))) == {Kind.SECOND_OWNER}
    assert Kind.LOST in _kinds(replace(run, groups={GROUP: GroupSeen(())}))


def test_a_row_that_nobody_wrote_and_a_wrong_count_are_found():
    """Rows come from writes, statistics from rows."""
    run = _history().run()
    rows = {**run.groups[GROUP].rows, "z": RowSeen("z", "z", 1)}
    assert _kinds(run.with_group(rows=rows)) == {Kind.PHANTOM, Kind.MISCOUNTED}


def test_an_old_read_is_found():
    """A read that began after an acknowledgement shows that write or a later one."""
    store = _history()
    store.read("a")
    store.read("b")
    run = store.run()
    old_row = replace(run.reads[0], row=RowSeen("token-1", "token-1", 1))
    assert _kinds(replace(run, reads=(old_row,))) == {Kind.STALE_READ}
    old_version = replace(run.reads[0], group_version=4)
    assert _kinds(replace(run, reads=(old_version,))) == {Kind.STALE_READ}
    refused = replace(run.reads[0], row=None, group_version=None, too_old=True)
    assert _kinds(replace(run, reads=(refused,))) == {Kind.STALE_READ}
    deleted_row = replace(run.reads[1], row=RowSeen("token-2", "token-2", 2))
    assert _kinds(replace(run, reads=(deleted_row,))) == {Kind.STALE_READ}
    never_written = replace(run.reads[0], row=RowSeen("else", "else", 5))
    assert _kinds(replace(run, reads=(never_written,))) == {Kind.PHANTOM}


def test_a_read_beside_a_write_may_show_either():
    """Only what was acknowledged before the read began binds it."""
    store = _history()
    store.read("a")
    run = store.run()
    before, after = RowSeen("token-3", "token-3", 3), run.groups[GROUP].rows["a"]
    beside = replace(run.reads[0], sent_s=4.5, min_version=3, row=before)
    assert _found(replace(run, reads=(beside, replace(beside, row=after)))) == ()


def test_what_a_reader_was_shown_stays():
    """A write without an answer that a reader has seen is no longer unknown."""
    store = _history()
    store.write(write(6, Effect.UPSERT, "c"), answered=False)
    store.read("c")
    shown = store.run()
    assert _found(shown) == ()
    group = _history().run().groups[GROUP]
    assert _kinds(replace(shown, groups={GROUP: group})) >= {Kind.LOST}


def test_a_group_that_is_not_found_is_found():
    """Once a write to a group is acknowledged, no gateway may say that the group does not exist."""
    store = _history()
    store.write(write(6, Effect.DELETE, "c"), applied=False)
    run = store.run().with_write("op-6", lambda w: replace(w, doubtful=False, refusals=("GROUP_NOT_FOUND",)))
    assert _kinds(run) == {Kind.STALE_READ}


def test_an_order_against_time_is_found():
    """A write that was sent after another's acknowledgement comes after it."""
    run = _history().run()
    first = run.writes[0]
    late = run.with_write("op-1", lambda w: replace(w, sent_s=100.0, answered_s=101.0))
    assert first.answered_s is not None
    assert _kinds(late) == {Kind.LOST}
