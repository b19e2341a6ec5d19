"""The records of moves on a real Redis, where other gateways and accidents change them."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from secrets import token_hex
from typing import Any, cast

import pytest

from drivers.deadline import Deadline
from shard_router.catalog import Catalog, CatalogSettings
from shard_router.errors import CatalogUnavailable
from shard_router.moves.record import MovePhase, MoveRecord
from shard_router.moves.redis_store import RECORDS_PER_ROUND_TRIP_MAX, RedisMoveStore
from tests.engines import RedisServer

RECORD = MoveRecord(
    move_id="m", group_id="g", source_shard="a", source_space="", target_shard="b", target_space=""
)


def soon() -> Deadline:
    return Deadline.after(20)


@pytest.fixture
async def catalog(redis_server: RedisServer) -> AsyncGenerator[Catalog]:
    catalog = Catalog(redis_server.url, CatalogSettings(f"test-{token_hex(6)}", call_timeout_s=10.0))
    await catalog.claim("fleet-1", soon())
    yield catalog
    await catalog.close()


async def _made(store: RedisMoveStore, *move_ids: str) -> None:
    for number, move_id in enumerate(move_ids):
        record = replace(RECORD, move_id=move_id, group_id=f"g-{move_id}", requested_us=number)
        await store.create(record, soon())


async def _rewrite(catalog: Catalog, move_id: str, before: str, after: str) -> None:
    async with catalog.connection(soon()) as redis:
        body = await cast("Any", redis.hget(catalog.key(f"move:{move_id}"), "body"))
        assert before in body
        await cast("Any", redis.hset(catalog.key(f"move:{move_id}"), "body", body.replace(before, after)))


async def test_a_record_of_a_newer_gateway_is_listed_with_the_others(catalog: Catalog) -> None:
    store = RedisMoveStore(catalog)
    await _made(store, "one", "two", "three")
    await _rewrite(catalog, "two", '"phase":"PLANNED"', '"phase":"OF_TOMORROW"')
    listed = await store.list("", 10, "", True, soon())
    assert {record.move_id: record.phase for record in listed} == {
        "one": MovePhase.PLANNED,
        "two": MovePhase.UNSPECIFIED,
        "three": MovePhase.PLANNED,
    }
    two = await store.get("two", soon())
    assert two is not None
    await store.update(replace(two, cancel_requested=True), soon())
    async with catalog.connection(soon()) as redis:
        body = await cast("Any", redis.hget(catalog.key("move:two"), "body"))
    assert '"phase":"OF_TOMORROW"' in body
    assert '"cancel_requested":true' in body


async def test_a_record_that_cannot_be_read_hides_no_other(catalog: Catalog) -> None:
    store = RedisMoveStore(catalog)
    await _made(store, "one", "two", "three")
    await _rewrite(catalog, "two", '{"move_id"', '["move_id"')
    assert [record.move_id for record in await store.list("", 10, "", False, soon())] == ["three", "one"]
    with pytest.raises(CatalogUnavailable, match="unreadable"):
        await store.get("two", soon())


async def test_missing_records_are_told(catalog: Catalog) -> None:
    store = RedisMoveStore(catalog)
    await _made(store, "one", "two")
    asked = [f"lost-{number}" for number in range(RECORDS_PER_ROUND_TRIP_MAX)]
    assert list(await store.missing(["one", *asked, "two"], soon())) == asked
    assert not await store.missing([], soon())
