"""The records of moves in a real Redis, and the store of the unit tests, which must do the same."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from secrets import token_hex

import pytest

from drivers.deadline import Deadline
from shard_router.catalog import Catalog, CatalogSettings
from shard_router.moves.record import MovePhase, MoveRecord
from shard_router.moves.redis_store import RedisMoveStore
from shard_router.moves.store_port import MoveStore
from tests.engines import RedisServer
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore


def soon() -> Deadline:
    return Deadline.after(20)


def record_of(move_id: str, group_id: str = "g", source: str = "a", **more: object) -> MoveRecord:
    values = {
        "move_id": move_id,
        "group_id": group_id,
        "source_shard": source,
        "source_space": "",
        "target_shard": "z",
        "target_space": "",
    }
    return MoveRecord(**(values | more))  # pyright: ignore[reportArgumentType]


@pytest.fixture
async def catalog(redis_server: RedisServer) -> AsyncGenerator[Catalog]:
    made = Catalog(redis_server.url, CatalogSettings(f"test-{token_hex(6)}", call_timeout_s=10.0))
    await made.claim("fleet-1", soon())
    yield made
    await made.close()


@pytest.fixture(params=["redis", "memory"])
def store(request: pytest.FixtureRequest, catalog: Catalog) -> MoveStore:
    return RedisMoveStore(catalog) if request.param == "redis" else MemoryMoveStore()


async def leaving(store: MoveStore, shard_id: str = "a", limit: int = 100) -> set[str]:
    return {record.move_id for record in await store.leaving(shard_id, limit, soon())}


async def test_one_move_of_a_group_is_under_way(store: MoveStore) -> None:
    first = await store.create(record_of("m1"), soon())
    assert first.move_id == "m1"
    assert await store.create(record_of("m2"), soon()) == first
    assert await store.get("m2", soon()) is None
    assert list(await store.due(1, 10, soon())) == ["m1"]
    assert await store.create(record_of("m1"), soon()) == first, "the same one again"
    assert (await store.create(record_of("m3", "h"), soon())).move_id == "m3"
    assert (await store.create(record_of("m4", source="b"), soon())).move_id == "m4", "it has moved on"
    assert await leaving(store) == {"m1", "m3"}
    assert await leaving(store, "b") == {"m4"}
    assert await leaving(store, "c") == set()
    assert len(await leaving(store, limit=1)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"committed_us": 5, "phase": MovePhase.COMMITTED},
        {"cancel_requested": True},
        {"phase": MovePhase.CANCELLING},
        {"phase": MovePhase.FAILED},
    ],
    ids=["committed", "cancelled", "given up", "ended"],
)
async def test_the_next_one_may_begin_when_the_first_cannot_take_the_group_any_more(
    store: MoveStore, change: dict[str, object]
) -> None:
    first = await store.create(record_of("m1"), soon())
    copying = await store.update(replace(first, phase=MovePhase.COPYING), soon())
    assert (await store.create(record_of("m2"), soon())).move_id == "m1"
    over = await store.update(replace(copying, **change), soon())  # pyright: ignore[reportArgumentType]
    assert over.revision == copying.revision + 1
    assert await leaving(store) == set()
    assert (await store.create(record_of("m2"), soon())).move_id == "m2"
    await store.update(replace(over, rounds=1), soon())
    assert await leaving(store) == {"m2"}, "the first one takes nothing from it"


async def test_a_committed_record_is_made_beside_the_next_move(store: MoveStore) -> None:
    await store.create(record_of("m1"), soon())
    adopted = record_of("m2", phase=MovePhase.COMMITTED, committed_us=5)
    assert (await store.create(adopted, soon())).move_id == "m2"
    assert await leaving(store) == {"m1"}


async def test_a_record_that_is_lost_keeps_nobody(store: MoveStore) -> None:
    await store.create(record_of("m1"), soon())
    await store.forget_due("m1", soon())
    assert await leaving(store) == set()
    assert (await store.create(record_of("m2"), soon())).move_id == "m2"


async def test_a_lost_record_that_is_written_again_holds_its_group(catalog: Catalog) -> None:
    store = RedisMoveStore(catalog)
    await store.create(record_of("m1"), soon())
    async with catalog.connection(soon()) as redis:
        await redis.delete(catalog.key("move:m1"), catalog.key("moves"), catalog.key("move:active"))
    assert await leaving(store) == set()
    await store.update(record_of("m1", phase=MovePhase.COPYING, revision=7), soon())
    assert await leaving(store) == {"m1"}
    assert (await store.create(record_of("m2"), soon())).move_id == "m1"


async def test_a_holder_whose_record_alone_is_lost_keeps_nobody(catalog: Catalog) -> None:
    store = RedisMoveStore(catalog)
    await store.create(record_of("m1"), soon())
    async with catalog.connection(soon()) as redis:
        await redis.delete(catalog.key("move:m1"))
    assert (await store.create(record_of("m2"), soon())).move_id == "m2"
    assert await leaving(store) == {"m2"}


async def test_looks_for_work_go_on_behind_the_first_ones(store: MoveStore) -> None:
    for number in range(5):
        await store.create(record_of(f"m{number}", f"g{number}"), soon())
    first = await store.due(1, 3, soon())
    rest = await store.due(1, 3, soon(), 3)
    assert [*first, *rest] == [f"m{number}" for number in range(5)]
    await store.put_off("m0", 2, soon())
    assert "m0" not in await store.due(1, 10, soon())
