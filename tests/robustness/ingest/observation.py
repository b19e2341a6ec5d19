"""The state at the end: rows and records straight from the shards, statuses and leftovers from the queue,
failures as a gateway lists them."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, GroupRef
from drivers.graph_model import Entity, Episode, Fact, Mention
from drivers.moving import COPY_START, PAGE_ROWS_MAX, CopyCursor
from gateway.embedded import EmbeddedFleet
from gateway.ingest.errors import QueueUnavailable
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.loopback.client import GatewayClient
from graphgate.v1 import ingest_service_pb2 as pb
from tests.robustness.ingest.history import EpisodeHistory, EpisodeRow, FactRow, GroupGraph, StatusSeen
from tests.robustness.observation import open_drivers

_CALL_S_MAX = 30.0
_AT_ONCE_MAX = 4
_PAGE_MAX = 500
_LOOK_S = 0.25
_KEYS = "graphgate:ingest:"
_TURNS = (f"{_KEYS}ready:", f"{_KEYS}later:")
_OF_WAITING = (f"{_KEYS}waiting:", f"{_KEYS}group:")


@dataclass(frozen=True, slots=True)
class Observation:
    groups: Mapping[str, GroupGraph]
    left_in_queue: tuple[str, ...]


async def until_worked_off(fleet: EmbeddedFleet, seconds_max: float) -> bool:
    """Returns when the queue is empty, or the time is over: False."""
    deadline = time.monotonic() + seconds_max
    queue = EpisodeQueue(fleet.catalog_url)
    try:
        while time.monotonic() < deadline:
            with contextlib.suppress(QueueUnavailable):
                if not await queue.depth(_soon()) and not await _left(queue):
                    return True
            await asyncio.sleep(_LOOK_S)
        return False
    finally:
        await queue.close()


async def observe(
    fleet: EmbeddedFleet, gateway: GatewayClient, histories: Sequence[EpisodeHistory]
) -> Observation:
    """Everything must run. Raises ShardError, QueueUnavailable and AioRpcError."""
    queue = EpisodeQueue(fleet.catalog_url)
    try:
        statuses = await _statuses(queue, histories)
        left = await _left(queue)
    finally:
        await queue.close()
    listed = await _listed(gateway)
    async with open_drivers(fleet) as drivers:
        owners: defaultdict[str, dict[str, Fence]] = defaultdict(dict)
        for shard_id, driver in drivers.items():
            after = ""
            while page := await driver.list_fences(after, _PAGE_MAX, _soon()):
                for fence in page:
                    owners[fence.group_id][shard_id] = fence
                after = page[-1].group_id
        places = asyncio.Semaphore(_AT_ONCE_MAX)

        async def see(group_id: str) -> GroupGraph:
            async with places:
                told = statuses.get(group_id, {}), tuple(listed.get(group_id, ()))
                return await _group(drivers, owners.get(group_id, {}), *told)

        group_ids = sorted({*statuses, *listed, *owners})
        async with asyncio.TaskGroup() as tasks:
            seen = {group_id: tasks.create_task(see(group_id)) for group_id in group_ids}
    return Observation({group_id: task.result() for group_id, task in seen.items()}, left)


async def _group(
    drivers: Mapping[str, ShardDriver],
    owners: Mapping[str, Fence],
    statuses: Mapping[str, StatusSeen],
    listed: tuple[tuple[str, str], ...],
) -> GroupGraph:
    if not owners:
        return GroupGraph((), statuses=statuses, listed=listed)
    shard_id, fence = next(iter(owners.items()))
    ref = GroupRef(fence.group_id, fence.space)
    operations: dict[str, int] = {}
    episodes: list[EpisodeRow] = []
    facts: list[FactRow] = []
    names: list[str] = []
    mentions: defaultdict[str, int] = defaultdict(int)
    cursor: CopyCursor | None = COPY_START
    while cursor is not None:
        page = await drivers[shard_id].read_page(ref, cursor, PAGE_ROWS_MAX, _soon())
        operations |= {record.op_id: record.version for record in page.operations}
        for row in page.rows:
            match row:
                case Episode():
                    episodes.append(EpisodeRow(row.uuid, row.version, row.content))
                case Fact():
                    ends = (row.source_uuid, row.target_uuid)
                    facts.append(FactRow(row.uuid, ends, row.fact, row.episodes))
                case Entity():
                    names.append(row.name)
                case Mention():
                    mentions[row.source_uuid] += 1
                case _:
                    continue
        cursor = page.next
    return GroupGraph(
        tuple(sorted(owners)),
        fence.version,
        operations,
        tuple(episodes),
        tuple(facts),
        dict(mentions),
        tuple(names),
        statuses,
        listed,
    )


async def _statuses(
    queue: EpisodeQueue, histories: Sequence[EpisodeHistory]
) -> dict[str, dict[str, StatusSeen]]:
    """By group and op id."""
    keys = [(one.episode.group_id, one.episode.op_id) for one in histories]
    found: dict[str, dict[str, StatusSeen]] = {group_id: {} for group_id, _ in keys}
    for number in range(0, len(keys), _PAGE_MAX):
        for status in await queue.statuses(keys[number : number + _PAGE_MAX], _soon()):
            if status is not None:
                error = status.details.error
                found[status.group_id][status.op_id] = StatusSeen(
                    str(status.state),
                    status.details.version,
                    status.attempts,
                    "" if error is None else error.reason,
                )
    return found


async def _listed(gateway: GatewayClient) -> dict[str, list[tuple[str, str]]]:
    """By group."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    asked = pb.ListFailuresRequest(page_size=_PAGE_MAX)
    while True:
        page = await gateway.ingest.ListFailures(asked, timeout=_CALL_S_MAX)
        for one in page.failures:
            found[one.group_id].append((one.request_id, one.error.reason))
        if not page.next_page_token:
            return found
        asked.page_token = page.next_page_token


async def _left(queue: EpisodeQueue) -> tuple[str, ...]:
    """Keys of episodes and turns that still wait; streams and sets of turns stay, empty."""
    redis = queue.redis
    try:
        keys = [str(key) async for key in redis.scan_iter(f"{_KEYS}*", count=1_000)]
        found = [key for key in keys if key.startswith(_OF_WAITING)]
        for key in keys:
            if key.startswith(_TURNS):
                waiting = redis.xlen(key) if key.startswith(_TURNS[0]) else redis.zcard(key)
                found += [key] if await waiting else []
    except RedisError as error:
        raise QueueUnavailable("no connection") from error
    return tuple(sorted(found))


def _soon() -> Deadline:
    return Deadline.after(_CALL_S_MAX)
