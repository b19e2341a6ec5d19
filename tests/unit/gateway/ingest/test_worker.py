"""What a worker does with a unit that does not end well, over a queue and a pipeline of the test's own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from drivers.deadline import Deadline
from drivers.graph_model import EpisodeSource
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.unit_result import EpisodeResult, UnitResult
from gateway.ingest.pipeline.unit_run import Told, UnitRun
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import Details, EpisodeState
from gateway.ingest.queue.units import Member, Result, Turn, Unit
from gateway.ingest.work.settings import WorkerSettings
from gateway.ingest.work.worker import Worker
from gateway.llm.errors import ModelTimeout
from gateway.writes.errors import RequestIdReused

TURN = Turn(0, "1-0", "g")
FIRST_BATCH = 10


def job(number: int) -> EpisodeJob:
    return EpisodeJob(
        group_id="g",
        op_id=f"op-{number}",
        content_hash=f"hash-{number}",
        episode_uuid=f"uuid-{number}",
        name="",
        content=f"Episode {number}.",
        source=EpisodeSource.TEXT,
        source_description="",
        reference_time=number,
    )


@dataclass(frozen=True, slots=True)
class Released:
    paused: bool
    cap: int | None
    reasons: frozenset[str]


class Queue(EpisodeQueue):
    """Hands out one unit and notes what becomes of it; asks no Redis."""

    def __init__(self, episodes: int) -> None:
        super().__init__("redis://unused")
        members = tuple(
            Member(f"{number}-0", f"op-{number}", job(number).encode(), 0) for number in range(episodes)
        )
        self.unit = Unit(TURN, 1, 1, 0, members)
        self.released: list[Released] = []
        self.finished: list[Result] = []

    async def take(self, turn: Turn, episodes_max: int, deadline: Deadline) -> Unit | None:
        return self.unit

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
        assert unit == self.unit
        reasons = frozenset(one.error.reason for one in waiting.values() if one.error is not None)
        self.released.append(Released(pause_s > 0, cap, reasons))
        return True

    async def finish(
        self,
        unit: Unit,
        results: Sequence[Result],
        now_us: int,
        deadline: Deadline,
        *,
        cap: int | None = None,
    ) -> bool:
        self.finished += results
        return True


class Units(UnitRun):
    """`run` is the test's; nothing was written before."""

    def __init__(self, ends: Callable[[Deadline], Awaitable[UnitResult]]) -> None:
        self._ends = ends

    async def close(self) -> None: ...

    async def run(
        self, jobs: Sequence[EpisodeJob], op_id: str, content_hash: str, told: Told, deadline: Deadline
    ) -> UnitResult:
        return await self._ends(deadline)

    async def applied(
        self, jobs: Sequence[EpisodeJob], op_id: str, content_hash: str, deadline: Deadline
    ) -> UnitResult | None:
        return None


def worker_of(
    queue: Queue, ends: Callable[[Deadline], Awaitable[UnitResult]], unit_s_max: float = 300.0
) -> Worker:
    return Worker(queue, Units(ends), WorkerSettings(first_batch=FIRST_BATCH, unit_s_max=unit_s_max))


async def too_slow(deadline: Deadline) -> UnitResult:
    raise ModelTimeout("extract", "m")


@pytest.mark.parametrize(
    ("episodes", "unit_s_max", "expected", "batch"),
    [
        (8, 0.0, Released(paused=False, cap=4, reasons=frozenset({"MODEL_TIMEOUT"})), 4),
        (8, 300.0, Released(paused=True, cap=None, reasons=frozenset({"MODEL_TIMEOUT"})), FIRST_BATCH),
        (1, 0.0, Released(paused=True, cap=None, reasons=frozenset({"MODEL_TIMEOUT"})), FIRST_BATCH),
    ],
    ids=["out-of-time", "one-slow-call", "one-episode"],
)
async def test_a_unit_that_ran_out_of_its_time_is_tried_again_in_halves(
    episodes: int, unit_s_max: float, expected: Released, batch: int
) -> None:
    """As it was it would run out of it again, whenever it is tried; and the next units are smaller. One slow
    call and one episode alone are only waited for."""
    queue = Queue(episodes)
    worker = worker_of(queue, too_slow, unit_s_max)
    await worker._work(TURN)
    assert queue.released == [expected]
    assert queue.finished == []
    assert worker.batch_episodes == batch
    await queue.close()


async def test_a_unit_that_is_cut_off_from_inside_waits_for_no_lease() -> None:
    """Nobody has stopped the worker: it tells the queue, and keeps nothing of the unit."""

    async def cut_off(deadline: Deadline) -> UnitResult:
        raise asyncio.CancelledError

    queue = Queue(3)
    worker = worker_of(queue, cut_off)
    await worker._work(TURN)
    assert queue.released == [Released(paused=True, cap=None, reasons=frozenset())]
    assert worker._leases.unit(TURN) is None
    await queue.close()


async def test_a_worker_that_stops_gives_its_unit_back_once() -> None:
    """Not also where it was cut off."""
    reached = asyncio.Event()

    async def stands(deadline: Deadline) -> UnitResult:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    queue = Queue(3)
    worker = worker_of(queue, stands)
    task = asyncio.create_task(worker._work(TURN))
    await asyncio.wait_for(reached.wait(), 5)
    worker._stopping = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert queue.released == []
    assert worker._leases.unit(TURN) == queue.unit
    await queue.close()


async def test_an_episode_under_a_request_id_of_another_write_is_a_listed_failure() -> None:
    """It says why; the record of the other write is no result."""

    async def reused(deadline: Deadline) -> UnitResult:
        raise RequestIdReused("op-0")

    queue = Queue(1)
    await worker_of(queue, reused)._work(TURN)
    (result,) = queue.finished
    assert (result.state, result.member.op_id) == (EpisodeState.FAILED, "op-0")
    assert result.details.error is not None
    assert result.details.error.reason == "REQUEST_ID_REUSED"
    assert queue.released == []
    await queue.close()


@pytest.mark.parametrize(("tried", "batch"), [(2, FIRST_BATCH), (8, 4)], ids=["told-twice", "full"])
async def test_a_unit_that_ended_at_an_episode_told_twice_says_nothing_about_batches(
    tried: int, batch: int
) -> None:
    """A write that is full does: as many as it took, and some to read ahead."""

    async def first_two(deadline: Deadline) -> UnitResult:
        episodes = (EpisodeResult(), EpisodeResult(), *[EpisodeResult(again=True)] * 6)
        return UnitResult(episodes, 1, 0.0, 0.0, 0.0, tried)

    queue = Queue(8)
    worker = worker_of(queue, first_two)
    await worker._work(TURN)
    assert [one.member.op_id for one in queue.finished] == ["op-0", "op-1"]
    assert worker.batch_episodes == batch
    await queue.close()
