"""The queue in a real Redis: order, fairness, bounds, and what is left by workers that died."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from drivers.deadline import Deadline
from drivers.graph_model import EpisodeSource, Timestamp
from gateway.ingest.errors import EpisodeUnknown, QueueFull
from gateway.ingest.job import EpisodeJob
from gateway.ingest.queue.lookups import QueueLoad
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.queue.status import Details, EpisodeState, Failure, Status
from gateway.ingest.queue.units import Result, Turn, Unit
from gateway.ingest.types import CustomType, ExtractionTypes, FieldType, TypeField
from gateway.writes.errors import RequestIdReused
from gateway.writes.writer import wall_clock_us
from tests.engines import RedisServer
from tests.eventually import eventually

SETTINGS = QueueSettings(partitions=4, group_waiting_max=50, waiting_max=120, lease_s=0.4, failures_max=5)


def soon() -> Deadline:
    return Deadline.after(10)


@pytest.fixture
async def queue(redis_server: RedisServer) -> AsyncIterator[EpisodeQueue]:
    prefix = f"queue-{secrets.token_hex(6)}"
    made = EpisodeQueue(redis_server.url, replace(SETTINGS, prefix=prefix))
    await made.prepare(soon())
    yield made
    await made.close()


def job(group: str, number: int = 0, *, content: str = "hello", op_id: str = "") -> EpisodeJob:
    return EpisodeJob(
        group_id=group,
        op_id=op_id or f"op-{number}",
        content_hash=f"hash of {content}",
        episode_uuid=f"{number:08d}-0000-4000-8000-000000000000",
        name="",
        content=content,
        source=EpisodeSource.TEXT,
        source_description="",
        reference_time=number,
    )


async def accepted(queue: EpisodeQueue, *jobs: EpisodeJob) -> None:
    assert all(isinstance(one, Status) for one in await queue.accept(jobs, wall_clock_us(), soon()))


async def all_turns(queue: EpisodeQueue, worker: str = "w") -> list[Turn]:
    """Every turn that waits."""
    found: list[Turn] = []
    while turns := await queue.turns(worker, 0.02):
        found += turns
    return found


async def unit_of(queue: EpisodeQueue, group: str, most: int = 1, worker: str = "w") -> Unit:
    (turn,) = [one for one in await all_turns(queue, worker) if one.group_id == group]
    unit = await queue.take(turn, most, soon())
    assert unit is not None
    return unit


def applied(unit: Unit) -> list[Result]:
    return [Result(one, EpisodeState.APPLIED, Details(version=1)) for one in unit.members]


async def drained(queue: EpisodeQueue, most: int = 1) -> list[tuple[str, str]]:
    """(group, op id) in the order in which one worker finishes them."""
    done: list[tuple[str, str]] = []
    while turns := await queue.turns("w", 0.02):
        for turn in turns:
            unit = await queue.take(turn, most, soon())
            assert unit is not None
            done += [(turn.group_id, one.op_id) for one in unit.members]
            assert await queue.finish(unit, applied(unit), wall_clock_us(), soon())
    return done


async def test_a_groups_episodes_come_in_the_order_of_acceptance(queue: EpisodeQueue) -> None:
    await accepted(queue, *(job("g", number) for number in range(20)))
    assert [op for _, op in await drained(queue, most=3)] == [f"op-{number}" for number in range(20)]


async def test_a_groups_next_turn_comes_after_it_has_ended(queue: EpisodeQueue) -> None:
    """Two workers never have two episodes of one group."""
    await accepted(queue, job("g", 1), job("g", 2))
    unit = await unit_of(queue, "g")
    assert await all_turns(queue, "other") == []
    await accepted(queue, job("g", 3))
    assert await all_turns(queue, "other") == []
    assert await queue.finish(unit, applied(unit), wall_clock_us(), soon())
    assert (await unit_of(queue, "g", worker="other")).members[0].op_id == "op-2"


async def test_many_episodes_of_one_group_delay_no_other_group(queue: EpisodeQueue) -> None:
    """Groups take turns: each of the others is served before the busy one has had more than a few."""
    await accepted(queue, *(job("busy", number) for number in range(50)))
    await accepted(queue, *(job(f"quiet-{number}") for number in range(40)))
    order = [group for group, _ in await drained(queue)]
    last_quiet = max(at for at, group in enumerate(order) if group != "busy")
    assert Counter(order[: last_quiet + 1])["busy"] <= 40
    assert Counter(order)["busy"] == 50


async def test_the_same_episode_is_accepted_once(queue: EpisodeQueue) -> None:
    """Before it is worked on, while it is, and afterwards."""
    await accepted(queue, job("g", 1))
    await accepted(queue, job("g", 1))
    assert await queue.depth(soon()) == 1
    unit = await unit_of(queue, "g")
    await accepted(queue, job("g", 1))
    await queue.finish(unit, applied(unit), wall_clock_us(), soon())
    await accepted(queue, job("g", 1))
    assert await queue.depth(soon()) == 0
    status = await queue.status("g", "op-1", soon())
    assert status is not None
    assert (status.state, status.attempts) == (EpisodeState.APPLIED, 1)
    (refused,) = await queue.accept([job("g", 1, content="other")], 0, soon())
    assert isinstance(refused, RequestIdReused)


async def test_the_queue_is_bounded_by_group_and_in_all(queue: EpisodeQueue) -> None:
    verdicts = await queue.accept([job("g", number) for number in range(60)], 0, soon())
    assert [isinstance(one, Status) for one in verdicts] == [True] * 50 + [False] * 10
    full = verdicts[-1]
    assert isinstance(full, QueueFull)
    assert full.metadata() == {"limit_name": "group_waiting_max", "limit": "50"}
    verdicts = await queue.accept([job(f"h-{number}") for number in range(80)], 0, soon())
    assert [isinstance(one, Status) for one in verdicts] == [True] * 70 + [False] * 10
    assert await queue.depth(soon()) == 120
    await drained(queue, most=7)
    assert await queue.depth(soon()) == 0


async def test_a_dead_workers_unit_is_taken_up_as_it_was(queue: EpisodeQueue) -> None:
    """With the same members, whatever has come since, so that its write has the same op id; and the dead
    one's result no longer counts."""
    await accepted(queue, job("g", 1), job("g", 2))
    dead = await unit_of(queue, "g", most=10, worker="dead")
    await accepted(queue, job("g", 3))

    async def claimed() -> list[Turn]:
        return list(await queue.claim_dead("living", soon()))

    (turn,) = await eventually(claimed)
    unit = await queue.take(turn, 10, soon())
    assert unit is not None
    assert unit.members == dead.members
    assert (unit.op_id, unit.tries) == (dead.op_id, 2)
    assert unit.token > dead.token
    assert not await queue.finish(dead, applied(dead), wall_clock_us(), soon())
    assert not await queue.release(dead, {}, 0, wall_clock_us(), soon())
    assert await queue.finish(unit, applied(unit), wall_clock_us(), soon())
    assert [op for _, op in await drained(queue)] == ["op-3"]


async def test_a_living_worker_keeps_its_turn(queue: EpisodeQueue) -> None:
    """As long as it renews it, before and after it has become a unit."""
    await accepted(queue, job("g", 1))
    (turn,) = await all_turns(queue)
    token: int | None = None
    for step in range(8):
        await asyncio.sleep(SETTINGS.lease_s / 4)
        if step == 4:
            unit = await queue.take(turn, 1, soon())
            assert unit is not None
            token = unit.token
        assert await queue.renew({turn: token}, "w", soon()) == {turn}
        assert list(await queue.claim_dead("other", soon())) == []


async def test_a_released_unit_comes_back_after_its_pause_and_before_what_came_later(
    queue: EpisodeQueue,
) -> None:
    await accepted(queue, job("g", 1), job("g", 2))
    unit = await unit_of(queue, "g")
    told = {"op-1": Details(error=Failure("MODEL_UNAVAILABLE", "away", retryable=True))}
    assert await queue.release(unit, told, 0.1, wall_clock_us(), soon())
    status = await queue.status("g", "op-1", soon())
    assert status is not None
    assert status.state is EpisodeState.ACCEPTED
    assert status.details.error is not None

    async def woken() -> bool:
        return await queue.wake(soon()) > 0

    await eventually(woken)
    again = await unit_of(queue, "g")
    assert (again.op_id, again.pauses, again.tries) == ("op-1", 1, 1)


async def test_a_unit_that_is_split_comes_back_smaller(queue: EpisodeQueue) -> None:
    await accepted(queue, *(job("g", number) for number in range(8)))
    unit = await unit_of(queue, "g", most=8)
    assert await queue.release(unit, {}, 0, wall_clock_us(), soon(), cap=4)
    smaller = await unit_of(queue, "g", most=8)
    assert smaller.members == unit.members[:4]
    assert await queue.finish(smaller, applied(smaller), wall_clock_us(), soon(), cap=3)
    assert len((await unit_of(queue, "g", most=8)).members) == 3


async def test_members_without_a_result_wait_before_all_others(queue: EpisodeQueue) -> None:
    await accepted(queue, *(job("g", number) for number in range(3)))
    unit = await unit_of(queue, "g", most=2)
    await queue.finish(unit, applied(unit)[:1], wall_clock_us(), soon())
    assert [op for _, op in await drained(queue)] == ["op-1", "op-2"]


async def test_failures_are_listed_in_order_and_replayed_once(queue: EpisodeQueue) -> None:
    """By group and in all, page by page; a replayed one is no failure any more."""
    for number in range(4):
        group = "g" if number % 2 else "h"
        await accepted(queue, job(group, number))
        unit = await unit_of(queue, group)
        details = Details(error=Failure("MODEL_ANSWER_INVALID", "no"))
        results = [Result(one, EpisodeState.FAILED, details) for one in unit.members]
        await queue.finish(unit, results, 1_000 + number, soon())
    first, position = await queue.failures("", "", 3, soon())
    rest, end = await queue.failures("", position, 3, soon())
    assert [one.op_id for one in (*first, *rest)] == ["op-0", "op-1", "op-2", "op-3"]
    assert end == ""
    of_group, _ = await queue.failures("g", "", 10, soon())
    assert [one.op_id for one in of_group] == ["op-1", "op-3"]
    assert list(await queue.replay("g", ["op-3", "op-3", "op-0", "unknown"], 5_000, soon())) == ["op-3"]
    assert [one.op_id for one in (await queue.failures("g", "", 10, soon()))[0]] == ["op-1"]
    unit = await unit_of(queue, "g")
    assert unit.members[0].job() == job("g", 3)


async def test_failures_of_one_time_are_replayed_in_the_order_of_acceptance(
    queue: EpisodeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit that was given back is among them, ended after those behind it."""
    monkeypatch.setattr(queue, "settings", replace(queue.settings, failures_max=100))
    op_ids = [secrets.token_hex(8) for _ in range(10)]
    await accepted(queue, *(job("g", number, op_id=op_id) for number, op_id in enumerate(op_ids)))
    unit = await unit_of(queue, "g", most=3)
    assert await queue.release(unit, {}, 60.0, wall_clock_us(), soon())
    waiting = await queue.group_waiting("g", soon())
    gone = await queue.withdraw("g", waiting.last, Details(), 1_000, soon())
    assert (gone.episodes, gone.left) == (7, 3)
    seized = await queue.seize("g", soon())
    assert seized is not None
    results = [Result(one, EpisodeState.FAILED, Details()) for one in reversed(seized.members)]
    assert await queue.finish(seized, results, 1_000, soon())
    listed = [one.op_id for one in (await queue.failures("g", "", 100, soon()))[0]]
    assert listed == op_ids
    assert list(await queue.replay("g", listed, 5_000, soon())) == op_ids
    assert [op for _, op in await drained(queue, most=3)] == op_ids


async def test_listed_failures_are_bounded(queue: EpisodeQueue) -> None:
    """The oldest are no longer listed, also not in their groups."""
    await accepted(queue, *(job("g", number) for number in range(7)))
    for number in range(7):
        unit = await unit_of(queue, "g")
        results = [Result(one, EpisodeState.FAILED, Details()) for one in unit.members]
        await queue.finish(unit, results, 1_000 + number, soon())
    for group in ("", "g"):
        listed, _ = await queue.failures(group, "", 100, soon())
        assert [one.op_id for one in listed] == [f"op-{number}" for number in range(2, 7)]


async def test_a_failure_that_is_no_longer_listed_keeps_its_status_only(
    queue: EpisodeQueue, redis_server: RedisServer
) -> None:
    """Not its content, and not for longer than an applied one: nobody finds it to replay it."""
    await accepted(queue, *(job("g", number, content="x" * 1_000) for number in range(6)))
    unit = await unit_of(queue, "g", most=6)
    results = [Result(one, EpisodeState.FAILED, Details()) for one in unit.members]
    await queue.finish(unit, results, 1_000, soon())
    prefix = f"{queue.settings.prefix}:ingest:"
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        payloads = [await redis.hstrlen(f"{prefix}op:g/op-{number}", "payload") for number in range(6)]
        assert [size > 1_000 for size in payloads] == [False] + [True] * 5
        kept_s = [
            await redis.ttl(f"{prefix}{key}") for key in ("op:g/op-0", f"uuid:g/{job('g').episode_uuid}")
        ]
        assert max(kept_s) <= queue.settings.status_kept_s
        assert await redis.ttl(f"{prefix}op:g/op-1") > queue.settings.status_kept_s
    status = await queue.status("g", "op-0", soon())
    assert status is not None
    assert status.state is EpisodeState.FAILED
    assert list(await queue.replay("g", ["op-0", "op-1"], 5_000, soon())) == ["op-1"]


async def test_a_state_is_told_until_the_episode_has_ended(queue: EpisodeQueue) -> None:
    await accepted(queue, job("g", 1))
    await queue.note_stages({("g", "op-1"): EpisodeState.RESOLVING}, 7, soon())
    status = await queue.status("g", "op-1", soon())
    assert status is not None
    assert (status.state, status.updated_us) == (EpisodeState.RESOLVING, 7)
    unit = await unit_of(queue, "g")
    await queue.finish(unit, applied(unit), 8, soon())
    await queue.note_stages({("g", "op-1"): EpisodeState.WRITING}, 9, soon())
    status = await queue.status("g", "op-1", soon())
    assert status is not None
    assert status.state is EpisodeState.APPLIED


async def test_an_episode_is_found_by_its_uuid(queue: EpisodeQueue) -> None:
    await accepted(queue, job("g", 1))
    assert await queue.op_of("g", job("g", 1).episode_uuid, soon()) == "op-1"
    with pytest.raises(EpisodeUnknown):
        await queue.op_of("h", job("g", 1).episode_uuid, soon())


async def test_nothing_is_left_of_a_group_whose_episodes_have_ended(
    queue: EpisodeQueue, redis_server: RedisServer
) -> None:
    """Guards: keys of idle groups would fill Redis."""
    await accepted(queue, *(job(f"g-{number}") for number in range(20)))
    await drained(queue)
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        keys = [key async for key in redis.scan_iter(f"{queue.settings.prefix}:*")]
        lasting = [key for key in keys if await redis.ttl(key) == -1]
        kinds = Counter(key.split(":")[2] for key in lasting)
    assert set(kinds) <= {"ready", "depth", "bytes", "tokens"}


def test_a_job_is_the_same_after_the_queue() -> None:
    """Types, attributes and surrogate-free text of every script."""
    types = ExtractionTypes(
        entities=(CustomType("Person", "who", (TypeField("age", FieldType.INTEGER, "years"),)),),
        facts=(CustomType("KNOWS"),),
        excluded_entities=frozenset({"Entity"}),
        type_map={("Person", "Person"): ("KNOWS",)},
        instructions="be brief",
    )
    given = replace(
        job("g", 1, content='日本 \u0000 "quoted"'),
        types=types,
        attributes={
            "whole": 1,
            "real": 1.0,
            "flag": True,
            "time": Timestamp(5),
            "times": (Timestamp(1), Timestamp(2)),
            "texts": ("x",),
        },
        previous_uuids=("u",),
        saga_uuid="s",
        saga_name="n",
        previous_in_saga="p",
        reflexion_passes=2,
    )
    found = EpisodeJob.decode(given.encode())
    assert found == given
    assert {name: type(value) for name, value in found.attributes.items()} == {
        name: type(value) for name, value in given.attributes.items()
    }


async def test_turns_whose_delivery_was_lost_are_found_again(queue: EpisodeQueue) -> None:
    """A worker asks for what is its own after its connection broke; what has ended is no longer among it."""
    await accepted(queue, job("a"), job("b", 1))
    given = {one.group_id: one for one in await all_turns(queue)}
    assert set(await queue.own_turns("w", soon())) == set(given.values())
    assert await queue.own_turns("other", soon()) == []
    unit = await queue.take(given["a"], 1, soon())
    assert unit is not None
    assert await queue.finish(unit, applied(unit), wall_clock_us(), soon())
    assert await queue.own_turns("w", soon()) == [given["b"]]


async def test_a_turn_that_is_given_back_is_anothers_at_once(queue: EpisodeQueue) -> None:
    """Once: a turn that is another worker's by then stays there."""
    await accepted(queue, job("a"))
    (turn,) = await all_turns(queue)
    await queue.give_back([turn], soon())
    (again,) = await all_turns(queue, "other")
    assert again.group_id == "a"
    await queue.give_back([turn], soon())
    assert await all_turns(queue, "third") == []
    assert await queue.take(turn, 1, soon()) is None
    assert await queue.take(again, 1, soon()) is not None


async def test_the_load_counts_what_waits_and_what_has_failed(queue: EpisodeQueue) -> None:
    await accepted(queue, *(job("a", number) for number in range(SETTINGS.failures_max + 2)))
    for _ in range(SETTINGS.failures_max + 1):
        unit = await unit_of(queue, "a")
        details = Details(error=Failure("MODEL_REFUSED", "no"))
        failed = [Result(one, EpisodeState.FAILED, details) for one in unit.members]
        assert await queue.finish(unit, failed, wall_clock_us(), soon())
    last = job("a", SETTINGS.failures_max + 1)
    assert await queue.load(soon()) == QueueLoad(
        waiting=1,
        failures=SETTINGS.failures_max,
        failures_dropped=1,
        waiting_bytes=len(last.encode().encode()),
    )


async def test_a_unit_is_seized_from_nobody_who_may_be_at_it(
    queue: EpisodeQueue, redis_server: RedisServer
) -> None:
    """Also when Redis has lost who has which turn, until the workers have made their group of the stream anew
    and its turn is found again."""
    await accepted(queue, job("g", 1))
    unit = await unit_of(queue, "g")
    assert await queue.seize("g", soon()) is None
    stream = f"{queue.settings.prefix}:ingest:ready:{unit.turn.partition}"
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        await redis.xgroup_destroy(stream, "workers")
        assert await queue.seize("g", soon()) is None
        await queue.prepare(soon())
        assert [one.group_id for one in await all_turns(queue)] == ["g"]
        assert await queue.seize("g", soon()) is None
        assert await queue.renew({unit.turn: unit.token}, "w", soon()) == {unit.turn}
        assert await queue.release(unit, {}, 60.0, wall_clock_us(), soon())
    seized = await queue.seize("g", soon())
    assert seized is not None
    assert [one.op_id for one in seized.members] == ["op-1"]
