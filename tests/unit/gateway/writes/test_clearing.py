"""Clearing a group's rows over a model of a shard: in pages, beside writers, with hubs, against the clock."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from drivers.deadline import Deadline
from drivers.errors import OutcomeUnknown
from drivers.fence import GroupRef
from drivers.graph_model import (
    AnyRow,
    Community,
    Entity,
    Episode,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    Saga,
    SagaEpisode,
)
from drivers.write_plan import WriteOutcome, WritePlan, WriteStatus, check_weight
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.writes.clearing import RESERVE_S, RowClearing
from gateway.writes.intent import RowChange, WriteIntent
from gateway.writes.writer import GraphWriter, new_op_id
from shard_router.errors import GroupNotFound
from shard_router.router import Router
from tests.model_group import GroupState
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, running, soon
from tests.unit.shard_router.memory_catalog import MemoryCatalog

GROUP, OTHER = "cleared", "other"


class Shard(FaultyDriver):
    """Notes the sizes of writes, lets others in before each, and loses answers."""

    def __init__(self, shard_id: str) -> None:
        super().__init__(shard_id)
        self.sizes: list[int] = []
        self.before: Callable[[], Awaitable[None]] | None = None
        self.answers_lost = 0
        self.weight_max = 0

    @property
    def write_weight_max(self) -> int:
        return self.weight_max

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        if self.before is not None:
            before, self.before = self.before, None
            await before()
            self.before = before
        check_weight(plan, self.shard_id, self.weight_max)
        outcome = await super().apply(ref, plan, deadline)
        if outcome.status is WriteStatus.APPLIED:
            self.sizes.append(len(plan.puts) + len(plan.drops))
        if self.answers_lost:
            self.answers_lost -= 1
            raise OutcomeUnknown(self.shard_id, plan.operation.op_id)
        return outcome


@dataclass(frozen=True, slots=True)
class World:
    driver: Shard
    router: Router
    writer: GraphWriter

    def clearing(self, rows_max: int) -> RowClearing:
        return RowClearing(self.router, self.writer, rows_max)

    def group(self, group_id: str = GROUP) -> GroupState:
        return next(one for (_, name), one in self.driver.groups.items() if name == group_id)

    async def write(self, *rows: AnyRow, group_id: str = GROUP) -> int:
        changes = tuple(RowChange(row) for row in rows)
        intent = WriteIntent(group_id=group_id, op_id=new_op_id(), content_hash="", changes=changes)
        return (await self.writer.write(intent, soon())).version


@asynccontextmanager
async def a_world() -> AsyncGenerator[World]:
    driver, catalog = Shard("a"), MemoryCatalog()
    async with running(configured(driver), catalog) as fleet:
        router = Router(fleet, catalog)
        yield World(driver, router, GraphWriter(router, NoneEmbedder()))
        await router.close()


def entity(name: str) -> Entity:
    return Entity(uuid=name, name=name)


def fact(name: str, source: str, target: str) -> Fact:
    return Fact(uuid=name, source_uuid=source, target_uuid=target, name="KNOWS", fact=name)


def every_kind() -> list[AnyRow]:
    return [
        *(entity(name) for name in ("e1", "e2", "e3")),
        *(Episode(uuid=name, name="", content=name, reference_time=1) for name in ("p1", "p2")),
        Community(uuid="c", name="c"),
        Saga(uuid="s", name="s"),
        fact("f1", "e1", "e2"),
        fact("f2", "e2", "e3"),
        Mention(uuid="m", source_uuid="p1", target_uuid="e1"),
        Membership(uuid="h", source_uuid="c", target_uuid="e1"),
        SagaEpisode(uuid="sp", source_uuid="s", target_uuid="p1"),
        NextEpisode(uuid="n", source_uuid="p1", target_uuid="p2", saga_uuid="s"),
    ]


@pytest.mark.parametrize("rows_max", [1, 2, 400])
async def test_rows_of_every_kind_go_in_bounded_writes(rows_max: int) -> None:
    """Each counted once; another group keeps its own, and the version goes on."""
    async with a_world() as world:
        bound = await world.write(*every_kind())
        await world.write(*every_kind(), group_id=OTHER)
        before = len(world.driver.sizes)
        cleared = await world.clearing(rows_max).clear(GROUP, bound, soon())
        assert cleared.done
        assert world.group().rows == {}
        assert sum(cleared.deleted.values()) == len(every_kind())
        assert set(cleared.deleted) == set(Kind)
        assert max(world.driver.sizes[before:]) <= rows_max
        assert cleared.version == bound + len(world.driver.sizes) - before
        assert len(world.group(OTHER).rows) == len(every_kind())
        again = await world.clearing(rows_max).clear(GROUP, bound, soon())
        assert (again.done, again.deleted, again.version) == (True, {}, cleared.version)


async def test_newer_rows_stay_but_for_edges_of_what_goes() -> None:
    async with a_world() as world:
        bound = await world.write(*every_kind())
        await world.write(entity("new"), entity("e3"), fact("kept", "new", "e3"), fact("hangs", "new", "e1"))
        cleared = await world.clearing(3).clear(GROUP, bound, soon())
        assert set(world.group().rows) == {
            (Kind.ENTITY, "new"),
            (Kind.ENTITY, "e3"),
            (Kind.FACT, "kept"),
        }
        assert cleared.deleted[Kind.FACT] == 3


async def test_a_page_holds_no_texts_and_no_newer_rows() -> None:
    """However large the rows are, and however many have been written since: neither is read."""
    async with a_world() as world:
        bound = await world.write(*(entity(f"old-{number}") for number in range(20)))
        for part in range(3):
            await world.write(*(entity(f"new-{part}-{number}") for number in range(1_000)))
        world.driver.calls.clear()
        cleared = await world.clearing(400).clear(GROUP, bound, soon())
        assert (cleared.done, cleared.deleted) == (True, {Kind.ENTITY: 20})
        calls = world.driver.calls
        assert (calls["list_rows"], calls["get_rows"], calls["list_versions"]) == (0, 0, len(Kind))


async def test_a_hub_of_newer_edges_goes_in_bounded_writes() -> None:
    """More than one write takes hang on a node that is to go."""
    async with a_world() as world:
        world.driver.weight_max = 5
        bound = await world.write(entity("hub"))
        for number in range(23):
            await world.write(entity(f"leaf-{number}"))
            await world.write(fact(f"f-{number}", "hub", f"leaf-{number}"))
        before = len(world.driver.sizes)
        cleared = await world.clearing(100).clear(GROUP, bound, soon())
        assert cleared.done
        assert cleared.deleted == {Kind.ENTITY: 1, Kind.FACT: 23}
        assert max(world.driver.sizes[before:]) <= 5


async def test_a_hub_that_is_written_meanwhile_keeps_its_newer_edges() -> None:
    """Between the look at the node and the first write that takes some of its edges."""
    async with a_world() as world:
        world.driver.weight_max = 5
        bound = await world.write(entity("hub"), entity("leaf"))
        for number in range(10):
            await world.write(entity("leaf"), fact(f"f-{number}", "hub", "leaf"))
        applied = 0

        async def others() -> None:
            nonlocal applied
            applied += 1
            if applied == 2:
                await world.write(entity("hub"))

        # First the node with all its edges is too heavy, then come some edges.
        world.driver.before = others
        cleared = await world.clearing(100).clear(GROUP, bound, soon())
        assert (cleared.done, cleared.deleted) == (True, {})
        assert len(world.group().rows) == 12


async def test_what_is_written_meanwhile_stays_and_the_rest_goes() -> None:
    """Before each of its writes another writer makes a row and takes over an old one."""
    async with a_world() as world:
        bound = await world.write(*(entity(f"old-{number:02}") for number in range(40)))
        written: list[str] = []

        async def others() -> None:
            number = len(written)
            if number < 30:
                row = f"old-{number:02}"
                fresh = (Kind.ENTITY, row) in world.group().rows
                written.append(row if fresh else f"new-{number}")
                await world.write(entity(row if fresh else f"new-{number}"), entity(f"more-{number}"))
                written.append(f"more-{number}")

        world.driver.before = others
        cleared = await world.clearing(4).clear(GROUP, bound, soon())
        assert cleared.done
        assert {uuid for _, uuid in world.group().rows} == set(written)
        assert any(one.startswith("old") for one in written)


async def test_two_clears_at_once_share_the_work() -> None:
    async with a_world() as world:
        bound = await world.write(*(entity(f"old-{number}") for number in range(50)))
        both = await asyncio.gather(*(world.clearing(3).clear(GROUP, bound, soon()) for _ in range(2)))
        assert all(one.done for one in both)
        assert sum(one.deleted.get(Kind.ENTITY, 0) for one in both) == 50
        assert world.group().rows == {}


async def test_a_write_whose_answer_was_lost_is_counted_once() -> None:
    async with a_world() as world:
        bound = await world.write(*(entity(f"old-{number}") for number in range(9)))
        world.driver.answers_lost = 3
        cleared = await world.clearing(3).clear(GROUP, bound, soon())
        assert (cleared.done, cleared.deleted) == (True, {Kind.ENTITY: 9})


async def test_near_the_deadline_it_tells_what_it_did_and_a_repeat_ends_it() -> None:
    """At least one write is made, so that repeats come to an end."""
    async with a_world() as world:
        bound = await world.write(*(entity(f"old-{number}") for number in range(10)))
        calls, deleted = 0, 0
        while True:
            # As good as over, for whoever looks at the reserve.
            cleared = await world.clearing(4).clear(GROUP, bound, Deadline.after(RESERVE_S * 0.99))
            deleted += cleared.deleted.get(Kind.ENTITY, 0)
            calls += 1
            if cleared.done:
                break
            assert cleared.deleted == {Kind.ENTITY: 4}
        assert (calls, deleted) == (3, 10)


async def test_an_unknown_group_is_not_found() -> None:
    async with a_world() as world:
        with pytest.raises(GroupNotFound):
            await world.clearing(4).clear("nothing", 1, soon())
