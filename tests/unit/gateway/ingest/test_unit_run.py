"""Whole units over a shard in memory: what one write takes, and what is found of one that was made before."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from drivers.fence import KindStats
from drivers.graph_model import Entity, Episode, EpisodeSource, Fact, Kind
from drivers.row_codec import kind_of, term_count_of
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.unit_result import UnitResult
from gateway.ingest.pipeline.unit_run import StageLimits, UnitRun
from gateway.ingest.queue.status import EpisodeState
from gateway.llm.port import NoLanguageModel
from gateway.writes.errors import RequestIdReused
from gateway.writes.intent import RowChange, WriteIntent
from gateway.writes.writer import GraphWriter
from shard_router.router import Router
from tests.model_driver import ModelDriver
from tests.model_group import GroupState
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly

GROUP = "g"
X, Y, Z = (f"{n:08d}-0000-4000-8000-000000000000" for n in range(3))


@dataclass(slots=True)
class Shard:
    driver: ModelDriver
    writer: GraphWriter
    units: UnitRun

    @property
    def group(self) -> GroupState:
        (found,) = (state for (_, group_id), state in self.driver.groups.items() if group_id == GROUP)
        return found

    def content(self, uuid: str) -> str:
        row = self.group.rows[Kind.EPISODE, uuid]
        assert isinstance(row, Episode)
        return row.content

    async def run(self, jobs: Sequence[EpisodeJob], op_id: str, content_hash: str = "hash") -> UnitResult:
        def told(state: EpisodeState, episodes: int) -> None: ...

        return await self.units.run(jobs, op_id, content_hash, told, soon())


@asynccontextmanager
async def shard() -> AsyncGenerator[Shard]:
    (driver,) = founded("a")
    async with running(unevenly([driver])) as fleet:
        router = Router(fleet, None)
        writer = GraphWriter(router, NoneEmbedder())
        units = UnitRun(router, writer, NoneEmbedder(), NoLanguageModel(), StageLimits())
        yield Shard(driver, writer, units)
        await units.close()
        await router.close()


def triple(uuid: str, content: str, op_id: str = "") -> EpisodeJob:
    """No model reads it."""
    return EpisodeJob(
        group_id=GROUP,
        op_id=op_id or f"op of {content}",
        content_hash=f"hash of {content}",
        episode_uuid=uuid,
        name="",
        content=content,
        source=EpisodeSource.FACT_TRIPLE,
        source_description="",
        reference_time=1,
    )


def again(result: UnitResult) -> list[bool]:
    return [one.again for one in result.episodes]


TWICE = (
    triple(X, "Ada | knows | Bob"),
    triple(Y, "Carl | knows | Dora"),
    triple(X, "Ada | knows | Emil"),
    triple(Z, "Fritz | knows | Gerd"),
)
"""The third is the first one, edited."""


async def test_an_episode_that_is_told_twice_is_in_two_writes() -> None:
    """So that the later text replaces the earlier one, and the group's statistics count it once."""
    async with shard() as one:
        first = await one.run(TWICE, "unit-1")
        assert again(first) == [False, False, True, True]
        assert (first.tried, first.version) == (2, 1)
        assert one.content(X) == TWICE[0].content
        second = await one.run(TWICE[2:], "unit-2")
        assert again(second) == [False, False]
        assert one.content(X) == TWICE[2].content
        fence = one.group.fence
        assert fence is not None
        for kind in (Kind.EPISODE, Kind.ENTITY, Kind.FACT):
            rows = [row for row in one.group.rows.values() if kind_of(row) is kind]
            assert fence.stats[kind] == KindStats(len(rows), sum(map(term_count_of, rows)))


async def test_a_unit_that_is_taken_up_after_its_write_leaves_the_later_text_to_be_written() -> None:
    """Its row is there, of the earlier text; and it was written by nobody else meanwhile."""
    async with shard() as one:
        await one.run(TWICE, "unit-1", "unit-1")
        for result in (
            await one.run(TWICE, "unit-1", "unit-1"),
            await one.units.applied(TWICE, "unit-1", "unit-1", soon()),
        ):
            assert result is not None
            assert again(result) == [False, False, True, True]
            assert (result.tried, result.version) == (2, 1)


@pytest.mark.parametrize("deleted", [(X,), (X, Y)], ids=["one", "both"])
async def test_what_was_written_and_deleted_since_is_not_written_again(deleted: Sequence[str]) -> None:
    """A unit whose worker ended after its write: else its members come back, or, with all of them gone, the
    same unit is made for ever."""
    async with shard() as one:
        await one.run(TWICE[:2], "unit-1", "unit-1")
        deletions = tuple((Kind.EPISODE, uuid) for uuid in deleted)
        await one.writer.write(
            WriteIntent(group_id=GROUP, op_id="gone", content_hash="gone", deletions=deletions), soon()
        )
        for result in (
            await one.run(TWICE[:2], "unit-1", "unit-1"),
            await one.units.applied(TWICE[:2], "unit-1", "unit-1", soon()),
        ):
            assert result is not None
            assert (again(result), result.version) == ([False, False], 1)
        assert not {(Kind.EPISODE, uuid) for uuid in deleted} & one.group.rows.keys()


async def test_a_unit_written_without_a_note_of_its_episodes_ends_too() -> None:
    """By a gateway before this one: its rows say what it has brought; with none left, it has brought all."""
    async with shard() as one:
        await one.run(TWICE, "unit-1", "unit-1")
        operations = one.group.operations
        operations["unit-1"] = replace(operations["unit-1"], result='{"created": "1", "dropped": {}}')
        assert again(await one.run(TWICE, "unit-1", "unit-1")) == [False, False, True, True]
        deletions = ((Kind.EPISODE, X), (Kind.EPISODE, Y))
        await one.writer.write(
            WriteIntent(group_id=GROUP, op_id="gone", content_hash="gone", deletions=deletions), soon()
        )
        assert again(await one.run(TWICE, "unit-1", "unit-1")) == [False, False, True, True]


async def test_a_request_id_of_another_write_is_no_result() -> None:
    """Nobody is told that his episode was applied because another write had its request_id; the same episode
    under the same one was."""
    own = triple(Y, "Carl | knows | Dora", "mine")
    other = triple(X, "Ada | knows | Bob", "theirs")
    async with shard() as one:
        entity = Entity(uuid=Z, name="Zoe")
        intent = WriteIntent(
            group_id=GROUP, op_id="theirs", content_hash="of a write", changes=(RowChange(entity),)
        )
        await one.writer.write(intent, soon())
        with pytest.raises(RequestIdReused):
            await one.run([other], other.op_id, other.content_hash)
        assert await one.units.applied([other], other.op_id, other.content_hash, soon()) is None
        assert (Kind.EPISODE, X) not in one.group.rows
        versions = [(await one.run([own], own.op_id, own.content_hash)).version for _ in range(2)]
        assert versions == [2, 2]
        changed = replace(own, content="Carl | knows | Emil", content_hash="changed")
        with pytest.raises(RequestIdReused):
            await one.run([changed], changed.op_id, changed.content_hash)
        facts = [row.fact for row in one.group.rows.values() if isinstance(row, Fact)]
        assert facts == ["Carl knows Dora"]
