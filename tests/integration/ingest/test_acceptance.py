"""What callers of the queue learn when it is full or does not answer: who is in, who is not, who may be."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import cast

import pytest

from drivers.deadline import Deadline
from gateway.ingest.errors import QueueFull, QueueUnavailable
from gateway.ingest.intake import Intake
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.removal import Removal
from gateway.ingest.queue import acceptance as acceptance_module
from gateway.ingest.queue.acceptance import Acceptance
from gateway.ingest.queue.changes import EpisodeChanges
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.queue.status import Details, EpisodeState, Status
from gateway.ingest.queue.units import Result
from gateway.writes.writer import unsettled_op_id, wall_clock_us
from tests.engines import RedisServer
from tests.fault_proxy import FaultProxy, Strike, proxy_to
from tests.integration.ingest.test_queue import accepted, applied, drained, job, soon, unit_of

KB = 1_000
SETTINGS = QueueSettings(
    partitions=2,
    group_waiting_bytes_max=10 * KB,
    waiting_bytes_max=30 * KB,
    failures_bytes_max=20 * KB,
    call_timeout_s=0.5,
)


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[FaultProxy]:
    async with proxy_to(redis_server.url) as made:
        yield made


@pytest.fixture
async def queue(proxy: FaultProxy) -> AsyncIterator[EpisodeQueue]:
    made = EpisodeQueue(proxy.url, replace(SETTINGS, prefix=f"accept-{secrets.token_hex(6)}"))
    await made.prepare(soon())
    yield made
    await made.close()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two jobs a round trip."""
    monkeypatch.setattr(acceptance_module, "CALLS_PER_ROUND_TRIP_MAX", 2)


async def offered(queue: EpisodeQueue, jobs: Sequence[EpisodeJob]) -> Sequence[Acceptance]:
    return await queue.accept(jobs, wall_clock_us(), soon())


def large(group: str, number: int = 0, size: int = 2 * KB) -> EpisodeJob:
    """The queue holds a bit more than twice its size: test_queue's hash is its content, too."""
    return job(group, number, content="x" * size)


def shapes(found: Sequence[Acceptance]) -> list[str]:
    """Per job: its state, the limit that it met, or its op id if it may be accepted."""
    told: list[str] = []
    for one in found:
        match one:
            case Status():
                told.append(str(one.state))
            case QueueUnavailable():
                told.append(one.op_id or "not sent")
            case _:
                told.append(one.metadata().get("limit_name", one.reason))
    return told


async def test_of_a_part_without_an_answer_the_outcome_is_unknown(
    queue: EpisodeQueue, proxy: FaultProxy, small_parts: None
) -> None:
    """What was answered before is accepted, what comes after is not sent; the same jobs again are a retry."""
    jobs = [job("g", number, content=f"content-{number}") for number in range(6)]
    await accepted(queue, job("other"))
    trap = proxy.trap("content-2", Strike.LOSE_ANSWER)
    found = await offered(queue, jobs)
    assert trap.sprung.is_set()
    assert shapes(found) == ["ACCEPTED", "ACCEPTED", "op-2", "op-3", "not sent", "not sent"]
    unknown = found[2]
    assert isinstance(unknown, QueueUnavailable)
    assert unknown.metadata() == {"op_id": "op-2", "outcome_unknown": "true"}
    assert "op-2" in str(unknown)
    assert unknown.retryable
    assert isinstance(found[4], QueueUnavailable)
    assert found[4].metadata() == {}
    trap.cut()
    assert await queue.depth(soon()) == 5
    assert shapes(await offered(queue, jobs)) == ["ACCEPTED"] * 6
    assert [op for group, op in await drained(queue) if group == "g"] == [one.op_id for one in jobs]


async def test_a_retry_is_told_how_far_the_episode_has_come(queue: EpisodeQueue) -> None:
    await accepted(queue, job("g"))
    unit = await unit_of(queue, "g")
    assert await queue.finish(unit, applied(unit), 77, soon())
    (found,) = await offered(queue, [job("g")])
    assert isinstance(found, Status)
    assert (found.state, found.updated_us, found.attempts) == (EpisodeState.APPLIED, 77, 1)
    assert found == await queue.status("g", "op-0", soon())


async def test_nothing_of_a_group_overtakes_what_found_no_room(
    queue: EpisodeQueue, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room that a worker makes between two round trips of one call is not for the episodes behind; those that
    are in already are still known."""
    known = job("g", 7)
    await accepted(queue, known, *(large("g", number) for number in range(1, 4)))
    unit = await unit_of(queue, "g", most=4)
    asked = queue._accepted  # pyright: ignore[reportPrivateUsage]

    async def room_after(*given: object) -> object:
        answers = await asked(*given)  # pyright: ignore[reportArgumentType]
        await queue.finish(unit, applied(unit), wall_clock_us(), soon())
        return answers

    monkeypatch.setattr(queue, "_accepted", room_after)
    found = await offered(queue, [job("g", 10), job("h", 10), job("g", 11), known, job("h", 11)])
    full = "group_waiting_bytes_max"
    assert shapes(found) == [full, "ACCEPTED", full, "APPLIED", "ACCEPTED"]


async def test_the_bytes_of_a_group_that_wait_are_bounded(queue: EpisodeQueue) -> None:
    """The first that finds none closes the group to smaller ones behind it, too. An episode that alone is
    larger than the limit is taken by an empty group."""
    found = await offered(queue, [large("g", 0), large("g", 1), large("g", 2), large("g", 3), job("g", 4)])
    assert shapes(found) == ["ACCEPTED"] * 3 + ["group_waiting_bytes_max"] * 2
    full = found[3]
    assert isinstance(full, QueueFull)
    assert full.metadata() == {"limit_name": "group_waiting_bytes_max", "limit": str(10 * KB)}
    unit = await unit_of(queue, "g", most=1)
    assert await queue.finish(unit, applied(unit), wall_clock_us(), soon())
    again = await offered(queue, [large("g", 3), job("g", 4)])
    assert shapes(again) == ["ACCEPTED", "group_waiting_bytes_max"]
    assert shapes(await offered(queue, [large("h", 5, 20 * KB)])) == ["ACCEPTED"]


async def test_the_bytes_that_wait_in_all_are_bounded(queue: EpisodeQueue) -> None:
    found = await offered(queue, [large(f"g-{number}", number, 4 * KB) for number in range(5)])
    assert shapes(found) == ["ACCEPTED"] * 4 + ["waiting_bytes_max"]
    await drained(queue)
    load = await queue.load(soon())
    assert (load.waiting, load.waiting_bytes) == (0, 0)


async def test_a_replay_takes_its_room_again(queue: EpisodeQueue) -> None:
    """A failed episode does not count as waiting; put back it does, if there is room."""
    await accepted(queue, large("g", 0, 4 * KB), large("g", 1, 4 * KB))
    unit = await unit_of(queue, "g", most=2)
    results = [Result(one, EpisodeState.FAILED, Details()) for one in unit.members]
    assert await queue.finish(unit, results, wall_clock_us(), soon())
    assert (await queue.load(soon())).waiting_bytes == 0
    await accepted(queue, large("g", 2, 4 * KB))
    before = (await queue.load(soon())).waiting_bytes
    assert list(await queue.replay("g", ["op-0", "op-1"], wall_clock_us(), soon())) == ["op-0"]
    assert (await queue.load(soon())).waiting_bytes == 2 * before
    with pytest.raises(QueueFull, match="group_waiting_bytes_max"):
        await queue.replay("g", ["op-1"], wall_clock_us(), soon())


async def test_the_bytes_of_listed_failures_are_bounded(queue: EpisodeQueue) -> None:
    """The oldest go first, replayed ones no longer count, and the newest stays whatever its size."""

    async def failed(number: int, size: int) -> None:
        await accepted(queue, large("g", number, size))
        unit = await unit_of(queue, "g")
        results = [Result(one, EpisodeState.FAILED, Details()) for one in unit.members]
        assert await queue.finish(unit, results, 1_000 + number, soon())

    async def listed() -> list[str]:
        found, _ = await queue.failures("", "", 100, soon())
        return [one.op_id for one in found]

    for number in range(4):
        await failed(number, 4 * KB)
    assert await listed() == ["op-2", "op-3"]
    assert list(await queue.replay("g", ["op-1", "op-2"], 5_000, soon())) == ["op-2"]
    await drained(queue)
    await failed(4, 4 * KB)
    assert await listed() == ["op-3", "op-4"]
    await failed(5, 40 * KB)
    assert await listed() == ["op-5"]
    await failed(6, 4 * KB)
    await failed(7, 4 * KB)
    assert await listed() == ["op-6", "op-7"]


async def test_an_expired_deadline_is_no_answer(queue: EpisodeQueue) -> None:
    """Raises nothing: each job has its own outcome."""
    found = await queue.accept([job("g", 1), job("g", 2)], wall_clock_us(), Deadline.after(0))
    assert shapes(found) == ["op-1", "op-2"]


async def test_who_waits_for_an_accepted_episode_waits_through_an_outage(
    queue: EpisodeQueue, proxy: FaultProxy
) -> None:
    """Until the deadline: then what was known last is the answer, for accepted it stays."""
    (status,) = await offered(queue, [job("g")])
    assert isinstance(status, Status)
    changes = EpisodeChanges(queue)
    try:
        await proxy.refuse()
        assert await changes.until_ended(status, Deadline.after(0.3)) == status
        waiting = asyncio.create_task(changes.until_ended(status, soon()))
        await proxy.heal()
        unit = await unit_of(queue, "g")
        assert await queue.finish(unit, applied(unit), wall_clock_us(), soon())
        assert (await waiting).state is EpisodeState.APPLIED
    finally:
        await changes.close()


@pytest.mark.parametrize("waits", [False, True])
async def test_a_call_that_is_cut_off_has_named_its_episode(
    queue: EpisodeQueue, proxy: FaultProxy, waits: bool
) -> None:
    """A gateway that stops in the middle of it tells its caller under which request_id to try again."""
    intake = Intake(queue, cast("Removal", None), has_model=True)

    async def call() -> str:
        """What the call has left behind when it is cut off."""
        try:
            (status,) = await intake.add([job("g", content="cut off")], soon())
            assert unsettled_op_id.get() == ""
            assert isinstance(status, Status)
            await intake.until_ended(status, soon())
        except asyncio.CancelledError:
            return unsettled_op_id.get()
        raise AssertionError("nothing has ended the episode")

    trap = proxy.trap("SUBSCRIBE" if waits else "cut off", Strike.LOSE_ANSWER)
    running = asyncio.create_task(call())
    await trap.sprung.wait()
    running.cancel()
    assert await running == "op-0"
    await intake.close()
