"""Removing an episode from a group into which others write all the time, and from one with a hub."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from drivers.graph_model import OPEN_END, AnyRow, Closure, Entity, Episode, Fact, Kind, Mention
from drivers.row_codec import kind_of
from drivers.write_plan import ROWS_PER_WRITE_MAX
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.ingest.pipeline.removal import WHOLE_GROUP_PLANS, Removal
from gateway.writes.errors import WriteContended, WriteTooLarge
from gateway.writes.intent import RowChange, WriteIntent
from gateway.writes.writer import GraphWriter, new_op_id
from shard_router.router import Router
from tests.model_group import GroupState
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, running, soon
from tests.unit.shard_router.memory_catalog import MemoryCatalog

GROUP = "busy"
ADA, BERLIN, MUNICH = "ada", "berlin", "munich"
FIRST, SECOND = "episode-1", "episode-2"
END = 1_000


class DisturbedDriver(FaultyDriver):
    """Others write between the reads and the write of whoever writes first."""

    def __init__(self, shard_id: str) -> None:
        super().__init__(shard_id)
        self.disturbed = 0
        self.by: Callable[[int], Awaitable[None]] | None = None

    async def step(self, name: str) -> None:
        await super().step(name)
        if name == "apply" and self.by is not None:
            by, self.by = self.by, None
            await by(self.disturbed)
            self.disturbed += 1
            self.by = by


@dataclass(frozen=True, slots=True)
class World:
    driver: DisturbedDriver
    writer: GraphWriter
    removal: Removal

    @property
    def group(self) -> GroupState:
        return next(one for (_, group_id), one in self.driver.groups.items() if group_id == GROUP)

    async def write(self, *rows: AnyRow) -> None:
        changes = tuple(
            RowChange(row, closures=row.closures if isinstance(row, Fact) else None) for row in rows
        )
        intent = WriteIntent(group_id=GROUP, op_id=new_op_id(), content_hash="", changes=changes)
        await self.writer.write(intent, soon())

    def uuids(self, kind: Kind) -> set[str]:
        return {uuid for one, uuid in self.group.rows if one == kind}


@asynccontextmanager
async def a_world() -> AsyncGenerator[World]:
    """Ada lived in Berlin, says the first episode, until the second told of Munich."""
    driver = DisturbedDriver("a")
    catalog = MemoryCatalog()
    async with running(configured(driver), catalog) as fleet:
        router = Router(fleet, catalog)
        writer = GraphWriter(router, NoneEmbedder())
        world = World(driver, writer, Removal(router, writer))
        await world.write(
            *(Entity(uuid=uuid, name=uuid) for uuid in (ADA, BERLIN, MUNICH)),
            *(episode(uuid) for uuid in (FIRST, SECOND)),
            *(mention(FIRST, one) for one in (ADA, BERLIN)),
            *(mention(SECOND, one) for one in (ADA, MUNICH)),
            replace(
                lives("in-berlin", BERLIN, FIRST),
                invalid_at=END,
                expired_at=5,
                closures=(Closure(5, OPEN_END, SECOND, "in-munich"),),
            ),
            lives("in-munich", MUNICH, SECOND),
        )
        yield world
        await router.close()


def episode(uuid: str) -> Episode:
    return Episode(uuid=uuid, name="", content=uuid, reference_time=1)


def mention(of: str, entity: str) -> Mention:
    return Mention(uuid=f"{of}-{entity}", source_uuid=of, target_uuid=entity)


def lives(uuid: str, city: str, *episodes: str) -> Fact:
    return Fact(uuid=uuid, source_uuid=ADA, target_uuid=city, name="LIVES_IN", fact=uuid, episodes=episodes)


async def test_a_group_that_changes_all_the_time_gives_an_episode_up() -> None:
    """What it told goes, and what it ended holds again."""
    async with a_world() as world:

        async def others(number: int) -> None:
            await world.write(episode(f"other-{number}"), mention(f"other-{number}", ADA))

        world.driver.by = others
        removed = await world.removal.remove(GROUP, SECOND, "r", soon())
        assert world.driver.disturbed > WHOLE_GROUP_PLANS
        assert (removed.facts_kept, removed.facts_reopened) == (0, 1)
        assert world.uuids(Kind.FACT) == {"in-berlin"}
        assert world.uuids(Kind.ENTITY) == {ADA, BERLIN}
        (fact,) = (row for row in world.group.rows.values() if isinstance(row, Fact))
        assert (fact.invalid_at, fact.expired_at, fact.closures) == (OPEN_END, OPEN_END, ())


MORE: Sequence[tuple[str, Sequence[AnyRow]]] = [
    ("mention", (episode("late"), mention("late", MUNICH))),
    ("fact", (lives("again", MUNICH, "late"),)),
]


@pytest.mark.parametrize(("_", "rows"), MORE, ids=[name for name, _ in MORE])
async def test_what_others_hang_on_an_entity_meanwhile_keeps_it(_: str, rows: Sequence[AnyRow]) -> None:
    """Between the reads of the last plan and its write, when rows and not the group are the condition."""
    async with a_world() as world:

        async def others(number: int) -> None:
            await world.write(*(rows if number == WHOLE_GROUP_PLANS else [episode(f"other-{number}")]))

        world.driver.by = others
        await world.removal.remove(GROUP, SECOND, "r", soon())
        assert world.driver.disturbed > WHOLE_GROUP_PLANS
        assert MUNICH in world.uuids(Kind.ENTITY)
        assert {(kind_of(one), one.uuid) for one in rows} <= world.group.rows.keys()
        assert "in-munich" not in world.uuids(Kind.FACT)


async def test_a_fact_that_is_changed_each_time_is_contended() -> None:
    async with a_world() as world:

        async def others(number: int) -> None:
            fact = world.group.rows[Kind.FACT, "in-berlin"]
            assert isinstance(fact, Fact)
            await world.write(replace(fact, attributes={"number": number}))

        world.driver.by = others
        with pytest.raises(WriteContended):
            await world.removal.remove(GROUP, SECOND, "r", soon())
        assert "in-munich" in world.uuids(Kind.FACT)


async def test_what_it_ended_is_found_among_any_number_of_facts() -> None:
    """Of an entity that the episode mentions: its facts are not read one by one."""
    async with a_world() as world:
        last = replace(
            lives("zzz", BERLIN, FIRST), invalid_at=END, closures=(Closure(5, OPEN_END, SECOND, "in-munich"),)
        )
        await world.write(last)
        for number in range(22_000):
            row = lives(f"many-{number}", BERLIN, FIRST)
            world.group.rows[Kind.FACT, row.uuid] = row
        before = world.driver.calls["list_rows"]
        removed = await world.removal.remove(GROUP, SECOND, "r", soon())
        assert removed.facts_reopened == 2
        found = world.group.rows[Kind.FACT, "zzz"]
        assert isinstance(found, Fact)
        assert found.invalid_at == OPEN_END
        assert world.driver.calls["list_rows"] - before < 10


async def test_more_than_a_write_takes_is_refused() -> None:
    """Not undone in part."""
    async with a_world() as world:
        for number in range(ROWS_PER_WRITE_MAX + 1):
            row = replace(
                lives(f"many-{number}", BERLIN, FIRST),
                invalid_at=END,
                closures=(Closure(5, OPEN_END, SECOND, "in-munich"),),
            )
            world.group.rows[Kind.FACT, row.uuid] = row
        with pytest.raises(WriteTooLarge):
            await world.removal.remove(GROUP, SECOND, "r", soon())
        assert SECOND in world.uuids(Kind.EPISODE)
