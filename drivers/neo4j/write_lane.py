"""One commit for the small writes of many groups that come while another commit runs.

A commit costs the server the same 6 to 8 ms for one row as for sixty, whoever makes it: with the fulltext and
vector indexes in place 16 writers of single rows get 130 to 150 commits a second out of it, one lane that
gathers them writes four to ten times as many rows. A write that finds the lane free goes at once and alone;
the next turn takes what has come meanwhile. After a shared turn the lane waits for a fraction of that turn's
time, in which the clients that were just answered come back: otherwise two halves of them take turns, each
paying for a commit of its own. Two lanes were slower than one.

Every write keeps its own guards and verdict (Writes.apply_many). When a turn fails without having committed
and one of its writes may be the cause, each is sent again by itself, so that no group answers for another.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.deadline import Deadline
from drivers.errors import (
    EngineRefused,
    GraphgateError,
    OutcomeUnknown,
    OutcomeUnknownAtDeadline,
    ShardImpaired,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
    VectorDimensionMismatch,
)
from drivers.fence import GroupRef
from drivers.neo4j import parameters
from drivers.neo4j.writes import Writes
from drivers.write_plan import WriteOutcome, WritePlan

_LOG = logging.getLogger(__name__)

ROWS_MAX = 32
"""Rows of one write in the lane. A larger one has little to share and would make the others wait; it goes by
itself, beside the lane."""
TURN_WRITES_MAX = 64
TURN_ROWS_MAX = 512
WAITING_MAX = 4_096
TURN_S_MAX = 2.0
"""The engine ends a turn after this: a group whose fence another writer holds must not stop all others."""
TURN_GRACE_S = 0.5
"""For the engine's word that it has. When that does not come either, the next turn goes without it."""
OVERDUE_MAX = 4
"""Turns that are left behind without an answer; with one more, the lane waits."""

GATHER_SHARE = 0.2
GATHER_S_MAX = 0.005
"""Wait for company: this share of the last turn's time, at most GATHER_S_MAX, and only while fewer wait than
went together last time."""

_SENT_APART = (EngineRefused, ShardImpaired, ShardTimeout, VectorDimensionMismatch)
"""Nothing was committed, and one write may have been the cause for all. What says that the server cannot be
reached is everybody's answer: sixty more attempts would not help it back."""


@dataclass(slots=True, eq=False)
class _Waiting:
    ref: GroupRef
    plan: WritePlan
    deadline: Deadline
    answer: asyncio.Future[WriteOutcome] = field(default_factory=asyncio.Future[WriteOutcome])
    sent: bool = False

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class WriteLane:
    def __init__(self, shard_id: str, writes: Writes, *, rows_max: int = ROWS_MAX) -> None:
        """`rows_max` 0: every write goes by itself."""
        self._shard_id = shard_id
        self._writes = writes
        self._rows_max = rows_max
        self._waiting: deque[_Waiting] = deque()
        self._turns: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._came = asyncio.Event()

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        """The outcome of this plan. Raises what Writes.apply_many raises, each error naming this write only;
        ShardOverloaded when WAITING_MAX writes wait."""
        if _rows(plan) > self._rows_max:
            return await self._alone(ref, plan, deadline)
        deadline.check("a write")
        # Before it waits: a plan that cannot be sent must not fail those that it would be sent with.
        parameters.check(self._shard_id, plan)
        if len(self._waiting) >= WAITING_MAX:
            raise ShardOverloaded(self._shard_id, "writes_waiting_max", WAITING_MAX)
        waiting = _Waiting(ref, plan, deadline)
        self._waiting.append(waiting)
        self._came.set()
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._take_turns(), name=f"write-lane-{self._shard_id}")
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                return await waiting.answer
        except TimeoutError:
            if waiting.sent:
                raise OutcomeUnknownAtDeadline(self._shard_id, plan.operation.op_id) from None
            raise ShardTimeout(self._shard_id, "the writes before this one") from None

    async def close(self) -> None:
        """What waits fails as unavailable; what was sent has an unknown outcome."""
        tasks = {*self._sending, *((self._turns,) if self._turns else ())}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for waiting in self._waiting:
            waiting.fail(ShardUnavailable(self._shard_id, "the gateway is stopping"))
        self._waiting.clear()

    async def _take_turns(self) -> None:
        while turn := self._next_turn():
            for waiting in turn:
                waiting.sent = True
            started = time.monotonic()
            task = asyncio.create_task(self._run(turn))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            await asyncio.wait((task,), timeout=TURN_S_MAX + TURN_GRACE_S)
            while len(self._sending) > OVERDUE_MAX:
                await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
            if len(turn) > 1 and task.done():
                await self._gather(len(turn), (time.monotonic() - started) * GATHER_SHARE)

    async def _run(self, turn: Sequence[_Waiting]) -> None:
        try:
            await self._send(turn)
        except Exception as error:
            _LOG.exception("shard %s: a turn of the write lane failed in an unexpected way", self._shard_id)
            for waiting in turn:
                waiting.fail(error)
        finally:
            # Only a cancelled turn leaves somebody without an answer.
            for waiting in turn:
                waiting.fail(OutcomeUnknown(self._shard_id, waiting.plan.operation.op_id))

    async def _gather(self, enough: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(seconds, GATHER_S_MAX)):
                while len(self._waiting) < enough:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return

    def _next_turn(self) -> list[_Waiting]:
        """In the order of their coming, one write per group; who gave up is passed over."""
        turn: list[_Waiting] = []
        groups: set[str] = set()
        later: list[_Waiting] = []
        rows = 0
        while self._waiting and len(turn) < TURN_WRITES_MAX and rows < TURN_ROWS_MAX:
            waiting = self._waiting.popleft()
            if waiting.answer.done():
                continue
            if waiting.ref.group_id in groups:
                later.append(waiting)
                continue
            groups.add(waiting.ref.group_id)
            rows += _rows(waiting.plan)
            turn.append(waiting)
        self._waiting.extendleft(reversed(later))
        return turn

    async def _send(self, turn: Sequence[_Waiting]) -> None:
        if len(turn) == 1:
            await self._send_apart(turn[0])
            return
        plans = [(waiting.ref, waiting.plan) for waiting in turn]
        latest = Deadline(max(waiting.deadline.at_s for waiting in turn))
        try:
            outcomes = await self._writes.apply_many(plans, latest, engine_limit_s=TURN_S_MAX)
        except _SENT_APART:
            await asyncio.gather(*map(self._send_apart, turn))
        except OutcomeUnknown as unknown:
            for waiting in turn:
                waiting.fail(type(unknown)(self._shard_id, waiting.plan.operation.op_id))
        except GraphgateError as error:
            for waiting in turn:
                waiting.fail(error)
        else:
            for waiting, outcome in zip(turn, outcomes, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(outcome)

    async def _send_apart(self, waiting: _Waiting) -> None:
        try:
            outcome = await self._alone(waiting.ref, waiting.plan, waiting.deadline)
        except GraphgateError as error:
            waiting.fail(error)
        else:
            if not waiting.answer.done():
                waiting.answer.set_result(outcome)

    async def _alone(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        (outcome,) = await self._writes.apply_many([(ref, plan)], deadline)
        return outcome


def _rows(plan: WritePlan) -> int:
    return len(plan.puts) + len(plan.drops)
