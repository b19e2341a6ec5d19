"""WriteLane: which writes share a turn, and that none answers for another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import cast

import numpy as np
import pytest

from drivers.deadline import Deadline
from drivers.errors import (
    DeadlinePassed,
    EngineRefused,
    OutcomeUnknown,
    OutcomeUnknownAtDeadline,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
    VectorDimensionMismatch,
)
from drivers.fence import EmbeddingSpec, GroupRef
from drivers.graph_model import Entity, Kind
from drivers.neo4j import write_lane
from drivers.neo4j.write_lane import ROWS_MAX, WriteLane
from drivers.neo4j.writes import Writes
from drivers.write_plan import OpRecord, RowPut, VectorChange, WriteOutcome, WritePlan, WriteStatus
from tests.eventually import eventually


class Turns:
    """In the place of Writes: every turn waits until it is let go."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        """op ids, turn by turn."""
        self.fails: Callable[[Sequence[str]], Exception | None] = lambda _: None
        self.free = asyncio.Event()

    async def apply_many(
        self, plans: Sequence[tuple[GroupRef, WritePlan]], deadline: Deadline, engine_limit_s: float = 0.0
    ) -> list[WriteOutcome]:
        ops = [plan.operation.op_id for _, plan in plans]
        self.sent.append(ops)
        await self.free.wait()
        error = self.fails(ops)
        if error is not None:
            raise error
        return [WriteOutcome(WriteStatus.APPLIED, None, plan.operation) for _, plan in plans]


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
async def lane(turns: Turns) -> AsyncIterator[WriteLane]:
    lane = WriteLane("s", cast("Writes", turns))
    yield lane
    await lane.close()


def plan(op_id: str, rows: int = 1) -> WritePlan:
    return WritePlan(
        epoch=1,
        operation=OpRecord(op_id, "hash", "{}"),
        puts=tuple(RowPut(Entity(uuid=f"{op_id}-{n}", name="x"), existed=False) for n in range(rows)),
        drops=(),
        seen_version=0,
        existing={},
        endpoints={},
        incident_edges=0,
        stats={},
        embeddings_seen={},
        embeddings={},
        now=1,
    )


def later(seconds: float = 60.0) -> Deadline:
    return Deadline.after(seconds)


async def settle() -> None:
    """Lets every task run as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def send(
    lane: WriteLane, op_id: str, group: str = "", rows: int = 1, deadline: Deadline | None = None
) -> "asyncio.Task[WriteOutcome]":
    return asyncio.create_task(
        lane.apply(GroupRef(group or f"g-{op_id}"), plan(op_id, rows), deadline or later())
    )


async def test_what_comes_during_a_turn_shares_the_next(lane: WriteLane, turns: Turns) -> None:
    """The first write waits for nobody; those that came meanwhile go together, each with its own outcome."""
    tasks = [send(lane, "a")]
    await settle()
    tasks += [send(lane, op) for op in "bcd"]
    await settle()
    assert turns.sent == [["a"]]
    turns.free.set()
    outcomes = await asyncio.gather(*tasks)
    assert turns.sent == [["a"], ["b", "c", "d"]]
    assert [outcome.operation and outcome.operation.op_id for outcome in outcomes] == list("abcd")


async def test_writes_of_one_group_keep_their_order(lane: WriteLane, turns: Turns) -> None:
    """A turn has one write of a group; the next one of that group keeps its place before later comers."""
    tasks = [send(lane, "a")]
    await settle()
    tasks += [send(lane, "b1", "b"), send(lane, "b2", "b"), send(lane, "c"), send(lane, "b3", "b")]
    await settle()
    turns.free.set()
    await asyncio.gather(*tasks)
    assert turns.sent == [["a"], ["b1", "c"], ["b2"], ["b3"]]


async def test_a_large_write_goes_beside_the_lane(lane: WriteLane, turns: Turns) -> None:
    """It neither waits for small ones nor makes them wait."""
    tasks = [send(lane, "a")]
    await settle()
    tasks.append(send(lane, "large", rows=ROWS_MAX + 1))
    await settle()
    assert turns.sent == [["a"], ["large"]]
    turns.free.set()
    await asyncio.gather(*tasks)


async def test_without_the_lane_every_write_goes_by_itself(turns: Turns) -> None:
    """As the setting write_lane = false asks for."""
    lane = WriteLane("s", cast("Writes", turns), rows_max=0)
    tasks = [send(lane, op) for op in "abc"]
    await settle()
    assert turns.sent == [["a"], ["b"], ["c"]]
    turns.free.set()
    await asyncio.gather(*tasks)
    await lane.close()


async def test_a_refused_turn_is_sent_again_one_by_one(lane: WriteLane, turns: Turns) -> None:
    """No group fails because of another: only the write that is the cause gets the error."""
    turns.fails = lambda ops: EngineRefused("s", "bad") if "bad" in ops else None
    tasks = [send(lane, "a")]
    await settle()
    tasks += [send(lane, op) for op in ("b", "bad", "c")]
    await settle()
    turns.free.set()
    a, b, bad, c = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(bad, EngineRefused)
    assert all(isinstance(outcome, WriteOutcome) for outcome in (a, b, c))
    assert turns.sent == [["a"], ["b", "bad", "c"], ["b"], ["bad"], ["c"]]


async def test_an_unknown_outcome_names_each_write_to_its_own_caller(lane: WriteLane, turns: Turns) -> None:
    """The error of the whole turn names all ids; a caller may only learn its own."""
    tasks = [send(lane, "a")]
    await settle()
    tasks += [send(lane, "b"), send(lane, "c")]
    turns.fails = lambda ops: OutcomeUnknown("s", ", ".join(ops)) if len(ops) > 1 else None
    await settle()
    turns.free.set()
    _, b, c = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(b, OutcomeUnknown)
    assert isinstance(c, OutcomeUnknown)
    assert (b.op_id, c.op_id) == ("b", "c")
    assert turns.sent == [["a"], ["b", "c"]]


async def test_a_bug_is_no_unknown_outcome(
    lane: WriteLane, turns: Turns, caplog: pytest.LogCaptureFixture
) -> None:
    """It reaches its callers as what it is, for the rim to report as INTERNAL, and is in the log once."""
    turns.fails = lambda _: KeyError("a bug")
    tasks = [send(lane, "a")]
    await settle()
    tasks += [send(lane, "b"), send(lane, "c")]
    await settle()
    turns.free.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, KeyError) for answer in answers)
    assert [record.name for record in caplog.records] == ["drivers.neo4j.write_lane"] * 2


async def test_a_server_that_is_away_is_not_asked_again_for_each(lane: WriteLane, turns: Turns) -> None:
    """One failed connection answers everybody of the turn: no storm against a server that restarts."""
    turns.fails = lambda _: ShardUnavailable("s", "no connection")
    tasks = [send(lane, "a")]
    await settle()
    tasks += [send(lane, "b"), send(lane, "c")]
    await settle()
    turns.free.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, ShardUnavailable) for answer in answers)
    assert turns.sent == [["a"], ["b", "c"]]


async def test_a_deadline_in_the_queue_sends_nothing(lane: WriteLane, turns: Turns) -> None:
    """The caller knows for certain; a deadline in flight leaves the outcome unknown. The rest goes on."""
    first = send(lane, "a", deadline=later(0.05))
    await settle()
    second, third = send(lane, "b", deadline=later(0.05)), send(lane, "c")
    answers = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(answers[0], OutcomeUnknownAtDeadline)
    assert isinstance(answers[1], ShardTimeout)
    turns.free.set()
    await third
    assert turns.sent == [["a"], ["c"]]


async def test_a_cancelled_caller_is_passed_over(lane: WriteLane, turns: Turns) -> None:
    """Its write is not sent if it still waited, and its turn goes on for the others if it did not."""
    first = send(lane, "a")
    await settle()
    second, third = send(lane, "b"), send(lane, "c")
    await settle()
    first.cancel()
    second.cancel()
    await settle()
    turns.free.set()
    assert (await third).status is WriteStatus.APPLIED
    assert turns.sent == [["a"], ["c"]]


async def test_a_turn_has_its_limits(lane: WriteLane, turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and writes of a turn, and the writes that wait."""
    monkeypatch.setattr(write_lane, "TURN_WRITES_MAX", 3)
    monkeypatch.setattr(write_lane, "TURN_ROWS_MAX", 4)
    monkeypatch.setattr(write_lane, "WAITING_MAX", 7)
    tasks = [send(lane, "a")]
    await settle()
    tasks += [send(lane, f"b{n}") for n in range(4)] + [send(lane, f"c{n}", rows=4) for n in range(2)]
    tasks.append(send(lane, "d"))
    await settle()
    with pytest.raises(ShardOverloaded):
        await lane.apply(GroupRef("e"), plan("e"), later())
    turns.free.set()
    await asyncio.gather(*tasks)
    assert turns.sent == [["a"], ["b0", "b1", "b2"], ["b3", "c0"], ["c1"], ["d"]]


async def test_a_plan_that_cannot_be_sent_never_waits(lane: WriteLane, turns: Turns) -> None:
    """It would fail everybody of its turn."""
    zero = Entity(uuid="z", name="z", embedding=np.zeros(2, np.float32))
    bad = plan("bad")
    bad = WritePlan(
        **{
            field: getattr(bad, field)
            for field in bad.__dataclass_fields__
            if field not in ("puts", "embeddings")
        },
        puts=(RowPut(zero, existed=False, vector=VectorChange.SET),),
        embeddings={Kind.ENTITY: EmbeddingSpec("m", 2)},
    )
    with pytest.raises(VectorDimensionMismatch):
        await lane.apply(GroupRef("g"), bad, later())
    assert turns.sent == []


async def test_a_write_without_time_is_not_sent(lane: WriteLane, turns: Turns) -> None:
    """Its caller knows for certain."""
    with pytest.raises(DeadlinePassed):
        await lane.apply(GroupRef("g"), plan("a"), later(0))
    await settle()
    assert turns.sent == []


async def test_a_turn_without_an_answer_does_not_stop_the_lane(
    lane: WriteLane, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next turn goes without it; turns that are left behind are bounded."""
    monkeypatch.setattr(write_lane, "TURN_S_MAX", 0.0)
    monkeypatch.setattr(write_lane, "TURN_GRACE_S", 0.01)
    monkeypatch.setattr(write_lane, "OVERDUE_MAX", 2)
    tasks = [send(lane, op, group="g") for op in "abcd"]
    await eventually(lambda: len(turns.sent) == 3)
    answered, _ = await asyncio.wait(tasks, timeout=0.05)
    assert not answered
    assert turns.sent == [["a"], ["b"], ["c"]]
    turns.free.set()
    outcomes = await asyncio.gather(*tasks)
    assert [outcome.operation and outcome.operation.op_id for outcome in outcomes] == list("abcd")


async def test_closing_answers_everybody(lane: WriteLane, turns: Turns) -> None:
    """What waited was not sent; what was sent may have been applied."""
    first = send(lane, "a")
    await settle()
    second = send(lane, "b")
    await settle()
    await lane.close()
    sent, waited = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(sent, OutcomeUnknown)
    assert isinstance(waited, ShardUnavailable)
