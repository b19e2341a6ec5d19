"""What a clear makes of a group's episodes, over a shard in memory and a queue of the test's own."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from drivers.deadline import Deadline
from drivers.fence import GroupRef
from drivers.graph_model import Episode, EpisodeSource
from drivers.write_plan import WriteOutcome, WritePlan, WriteStatus
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.ingest.errors import QueueUnavailable
from gateway.ingest.group_clear import GroupClear
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline import unit_run
from gateway.ingest.pipeline.unit_result import UnitResult
from gateway.ingest.pipeline.unit_run import StageLimits, UnitRun
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import Details, EpisodeState
from gateway.ingest.queue.units import Member, Result, Turn, Unit
from gateway.ingest.queue.withdrawal import GroupWaiting, Withdrawn
from gateway.llm.port import NoLanguageModel
from gateway.writes.clearing import RowClearing
from gateway.writes.intent import WriteIntent
from gateway.writes.writer import GraphWriter, WriteReceipt
from shard_router.router import Router
from tests.model_driver import ModelDriver
from tests.model_group import GroupState
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly

GROUP = "g"


def triple(number: int) -> EpisodeJob:
    """No model reads it."""
    return EpisodeJob(
        group_id=GROUP,
        op_id=f"op-{number}",
        content_hash=f"hash-{number}",
        episode_uuid=f"{number:08d}-0000-4000-8000-000000000000",
        name="",
        content=f"Ada{number} | knows | Bob{number}",
        source=EpisodeSource.FACT_TRIPLE,
        source_description="",
        reference_time=1,
    )


def unit_of(*jobs: EpisodeJob) -> Unit:
    members = tuple(Member(f"{at}-0", job.op_id, job.encode(), 0) for at, job in enumerate(jobs))
    return Unit(Turn(0, "0-1", GROUP), 1, 1, 0, members)


class Queue(EpisodeQueue):
    """A unit that a worker gave back, and episodes behind it; asks no Redis."""

    def __init__(self, unit: Unit | None, behind: int = 0) -> None:
        super().__init__("redis://unused")
        self.unit = unit
        self.behind = behind
        self.failed_at: list[int] = []
        self.ended: dict[str, EpisodeState] = {}
        self.released = 0
        self.answers = True
        """False: no longer once the unit is to be ended."""

    @property
    def left(self) -> int:
        return self.behind + (len(self.unit.members) if self.unit else 0)

    async def group_waiting(self, group_id: str, deadline: Deadline) -> GroupWaiting:
        return GroupWaiting(self.left, "9-0" if self.left else "")

    async def withdraw(
        self, group_id: str, until: str, details: Details, now_us: int, deadline: Deadline
    ) -> Withdrawn:
        gone, self.behind = min(self.behind, 2), max(0, self.behind - 2)
        self.failed_at += [now_us] * gone
        return Withdrawn(gone, self.left)

    async def seize(self, group_id: str, deadline: Deadline) -> Unit | None:
        return self.unit

    async def finish(
        self,
        unit: Unit,
        results: Sequence[Result],
        now_us: int,
        deadline: Deadline,
        *,
        cap: int | None = None,
    ) -> bool:
        self._check()
        self.unit = None
        self.ended |= {one.member.op_id: one.state for one in results}
        self.failed_at += [now_us for one in results if one.state is EpisodeState.FAILED]
        return True

    async def release(
        self,
        unit: Unit,
        waiting: Mapping[str, Details],
        pause_s: float,
        now_us: int,
        deadline: Deadline,
        *,
        cap: int | None = None,
    ) -> bool:
        self.released += 1
        self._check()
        return True

    def _check(self) -> None:
        if not self.answers:
            raise QueueUnavailable("no connection")


class Shard:
    def __init__(self, driver: ModelDriver, router: Router) -> None:
        self.driver = driver
        self.router = router
        self.writer = GraphWriter(router, NoneEmbedder())
        self.units = UnitRun(router, self.writer, NoneEmbedder(), NoLanguageModel(), StageLimits())

    @property
    def group(self) -> GroupState:
        (found,) = (state for (_, group_id), state in self.driver.groups.items() if group_id == GROUP)
        return found

    def holds_back(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[GroupRef, WritePlan]]:
        """From now on writes of episodes are sent, their senders are cut off, and they have not landed."""
        apply = self.driver.apply
        sent: list[tuple[GroupRef, WritePlan]] = []

        async def held(ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
            if any(isinstance(put.row, Episode) for put in plan.puts):
                sent.append((ref, plan))
                raise _Cut
            return await apply(ref, plan, deadline)

        monkeypatch.setattr(self.driver, "apply", held)
        return sent

    def clear(self, queue: EpisodeQueue) -> GroupClear:
        return GroupClear(queue, self.router, self.writer, RowClearing(self.router, self.writer))

    async def run(self, unit: Unit) -> UnitResult:
        def told(state: EpisodeState, episodes: int) -> None: ...

        jobs = [one.job() for one in unit.members]
        return await self.units.run(jobs, unit.op_id, unit.content_hash(jobs), told, soon())


@asynccontextmanager
async def shard() -> AsyncGenerator[Shard]:
    (driver,) = founded("a")
    async with running(unevenly([driver])) as fleet:
        made = Shard(driver, Router(fleet, None))
        yield made
        await made.units.close()
        await made.router.close()


async def test_all_that_is_discarded_fails_at_one_time() -> None:
    """So that the unit, which fails after what was withdrawn behind it, is replayed before that."""
    async with shard() as one:
        await one.run(unit_of(triple(0)))
        queue = Queue(unit_of(triple(1), triple(2)), behind=5)
        cleared = await one.clear(queue).begin(GROUP, "clear-1", soon(), discard_waiting=True)
        assert (cleared.done, cleared.discarded, len(queue.failed_at)) == (True, 7, 7)
        assert len(set(queue.failed_at)) == 1
        await queue.close()


class _Cut(Exception):
    pass


@pytest.mark.parametrize("count", [1, 2], ids=["one-episode", "two-episodes"])
@pytest.mark.parametrize("if_version", [True, False], ids=["planned-for-the-version", "planned-for-rows"])
async def test_a_write_that_was_on_its_way_does_not_bring_a_discarded_episode(
    count: int, if_version: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused when it lands; the episodes can be discarded again, and a replay brings them once."""
    monkeypatch.setattr(unit_run, "WHOLE_GROUP_PLANS", 4 if if_version else 0)
    unit = unit_of(*(triple(number) for number in range(1, count + 1)))
    async with shard() as one:
        await one.run(unit_of(triple(0)))
        sent = one.holds_back(monkeypatch)
        for attempt in range(2):
            with pytest.raises(_Cut):
                await one.run(unit)
            queue = Queue(unit)
            cleared = await one.clear(queue).begin(GROUP, f"clear-{attempt}", soon(), discard_waiting=True)
            assert (cleared.done, cleared.discarded) == (True, count)
            assert set(queue.ended.values()) == {EpisodeState.FAILED}
            await queue.close()
            late = await ModelDriver.apply(one.driver, *sent.pop(), soon())
            assert late.status in {WriteStatus.DUPLICATE, WriteStatus.VERSION_MISMATCH}
            assert not one.group.rows
        monkeypatch.undo()
        results = [await one.run(unit) for _ in range(2)]
        assert {
            (result.version, tuple(e.failure or e.again for e in result.episodes)) for result in results
        } == {(results[0].version, (False,) * count)}
        jobs = [member.job() for member in unit.members]
        again = await one.units.applied(jobs, unit.op_id, unit.content_hash(jobs), soon())
        assert again is not None
        assert sum(isinstance(row, Episode) for row in one.group.rows.values()) == count


async def test_a_write_that_has_landed_is_applied() -> None:
    """Though nobody has recorded it: a replay would bring nothing."""
    unit = unit_of(triple(1), triple(2))
    async with shard() as one:
        await one.run(unit)
        queue = Queue(unit)
        cleared = await one.clear(queue).begin(GROUP, "clear-1", soon(), discard_waiting=True)
        assert (cleared.done, cleared.discarded) == (True, 0)
        assert set(queue.ended.values()) == {EpisodeState.APPLIED}
        await queue.close()


async def test_a_write_that_lands_while_its_unit_is_ended_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look whether it was written and the write that would refuse it."""
    unit = unit_of(triple(1), triple(2))
    async with shard() as one:
        await one.run(unit_of(triple(0)))
        sent = one.holds_back(monkeypatch)
        with pytest.raises(_Cut):
            await one.run(unit)
        monkeypatch.undo()
        write = one.writer.write

        async def overtaken(intent: WriteIntent, deadline: Deadline) -> WriteReceipt:
            while sent:
                await one.driver.apply(*sent.pop(), soon())
            return await write(intent, deadline)

        monkeypatch.setattr(one.writer, "write", overtaken)
        queue = Queue(unit)
        cleared = await one.clear(queue).begin(GROUP, "clear-1", soon(), discard_waiting=True)
        assert (cleared.done, cleared.discarded) == (True, 0)
        assert set(queue.ended.values()) == {EpisodeState.APPLIED}
        await queue.close()


async def test_episodes_that_became_failures_are_counted_though_the_queue_is_away_then() -> None:
    """A repeat would not count them; without any, the error is all there is to tell."""
    async with shard() as one:
        await one.run(unit_of(triple(0)))
        queue = Queue(unit_of(triple(1), triple(2)), behind=3)
        queue.answers = False
        cleared = await one.clear(queue).begin(GROUP, "clear-1", soon(), discard_waiting=True)
        assert (cleared.done, cleared.up_to_version) == (False, 0)
        assert (cleared.discarded, cleared.running, cleared.deleted) == (3, 2, {})
        with pytest.raises(QueueUnavailable):
            await one.clear(queue).begin(GROUP, "clear-1", soon(), discard_waiting=True)
        queue.answers = True
        cleared = await one.clear(queue).begin(GROUP, "clear-1", soon(), discard_waiting=True)
        assert (cleared.done, cleared.discarded, bool(cleared.deleted)) == (True, 2, True)
        await queue.close()


@pytest.mark.parametrize("why", [asyncio.CancelledError, _Cut])
async def test_what_cut_the_end_of_a_unit_off_is_told_though_the_queue_is_away(
    why: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a cancelled call goes on, and a shard's error is taken for one of the queue."""

    async def cut_off(intent: WriteIntent, deadline: Deadline) -> WriteReceipt:
        raise why

    async with shard() as one:
        await one.run(unit_of(triple(0)))
        monkeypatch.setattr(one.writer, "write", cut_off)
        queue = Queue(unit_of(triple(1)))
        queue.answers = False
        with pytest.raises(why):
            await one.clear(queue).begin(GROUP, "clear-1", soon(), discard_waiting=True)
        assert queue.released == 1
        await queue.close()
