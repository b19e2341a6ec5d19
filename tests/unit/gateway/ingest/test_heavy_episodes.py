"""Episodes of which a write takes a part only, or nothing beside their text."""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from drivers.deadline import Deadline
from drivers.fence import GroupRef
from drivers.graph_model import EpisodeSource, Kind
from drivers.write_plan import WriteOutcome, WritePlan, check_weight
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.ingest.errors import EpisodeTooHeavy
from gateway.ingest.extraction import ExtractedEntity, ExtractedFact, Extraction, ProblemKind
from gateway.ingest.job import EpisodeJob
from gateway.ingest.outputs import EntityOutput, ExtractionOutput, FactOutput
from gateway.ingest.pipeline.unit_result import UnitResult
from gateway.ingest.pipeline.unit_run import StageLimits, UnitRun
from gateway.ingest.pipeline.write_room import WriteRoom
from gateway.ingest.queue.status import EpisodeState
from gateway.llm.port import ModelAnswer, ModelRequest, NoLanguageModel
from gateway.writes.writer import GraphWriter
from shard_router.router import Router
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, running, soon

BOUND = 100
ENTITIES = 60
FACTS = 90


class WeighingDriver(FaultyDriver):
    def __init__(self, shard_id: str) -> None:
        super().__init__(shard_id)
        self.takes = BOUND

    @property
    def write_weight_max(self) -> int:
        return BOUND

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        self.calls["weighed"] += 1
        check_weight(plan, self.shard_id, self.takes)
        return await super().apply(ref, plan, deadline)


class TellingModel(NoLanguageModel):
    """Finds in every episode more than a write takes, and answers nothing else."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        wanted: type[BaseModel] = request.output
        if wanted is not ExtractionOutput:
            return await super().ask(request, deadline)
        self.asked += 1
        rng = random.Random(self.asked)
        names = [word(rng) for _ in range(ENTITIES)]
        found = ExtractionOutput(
            entities=[EntityOutput(id=at, name=name, type="", summary="") for at, name in enumerate(names)],
            facts=[
                FactOutput(
                    source=at % ENTITIES,
                    target=(at + 1) % ENTITIES,
                    name="MET",
                    text=" ".join(word(rng) for _ in range(20)),
                )
                for at in range(FACTS)
            ],
        )
        assert isinstance(found, request.output)
        return ModelAnswer(found, "fake")


@dataclass(frozen=True, slots=True)
class World:
    driver: WeighingDriver
    model: TellingModel
    units: UnitRun

    async def run(self, *jobs: EpisodeJob) -> UnitResult:
        def told(state: EpisodeState, episodes: int) -> None: ...

        return await self.units.run(jobs, f"unit-{self.driver.calls['weighed']}", "hash", told, soon())

    def rows(self, kind: Kind) -> Sequence[str]:
        return [uuid for group in self.driver.groups.values() for one, uuid in group.rows if one == kind]


@asynccontextmanager
async def a_world() -> AsyncGenerator[World]:
    driver, model = WeighingDriver("a"), TellingModel()
    async with running(configured(driver)) as fleet:
        router = Router(fleet, None)
        units = UnitRun(router, GraphWriter(router, NoneEmbedder()), NoneEmbedder(), model, StageLimits())
        yield World(driver, model, units)
        await units.close()
        await router.close()


def word(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=9))


def long_text(chars: int) -> str:
    rng = random.Random(1)
    return " ".join(word(rng) for _ in range(chars // 10))


def job(number: int, content: str = "Short.") -> EpisodeJob:
    return EpisodeJob(
        group_id="g",
        op_id=f"op-{number}",
        content_hash=f"hash-{number}",
        episode_uuid=f"uuid-{number}",
        name="",
        content=content,
        source=EpisodeSource.TEXT,
        source_description="",
        reference_time=number,
    )


async def test_what_a_write_does_not_take_is_left_out_and_named() -> None:
    async with a_world() as world:
        (result,) = (await world.run(job(0))).episodes
        assert (result.failure, result.again) == (None, False)
        assert ProblemKind.TOO_MANY in {one.kind for one in result.problems}
        assert world.rows(Kind.EPISODE) == ["uuid-0"]
        assert 0 < len(world.rows(Kind.FACT)) == result.counts.facts_created < FACTS
        assert len(world.rows(Kind.MENTION)) == len(world.rows(Kind.ENTITY)) < ENTITIES
        assert world.driver.calls["weighed"] == 1


async def test_a_write_that_is_too_heavy_after_all_is_made_with_less() -> None:
    """Nothing that was read is asked about again; the episode itself is written in any case."""
    async with a_world() as world:
        world.driver.takes = BOUND // 3
        (result,) = (await world.run(job(0))).episodes
        assert result.failure is None
        assert 0 < len(world.rows(Kind.FACT)) < BOUND // 3
        assert world.model.asked == 1
        world.driver.takes = 1
        (result,) = (await world.run(job(1))).episodes
        assert result.failure is None
        assert result.counts.facts_created == 0
        assert set(world.rows(Kind.EPISODE)) == {"uuid-0", "uuid-1"}


@pytest.mark.parametrize("at", [0, 1])
async def test_a_text_that_leaves_no_room_is_refused_before_it_is_read(at: int) -> None:
    """Wherever it is in the unit; those before and behind it are not refused with it."""
    heavy = job(0, long_text(80_000))
    async with a_world() as world:
        jobs = [job(1), job(2)]
        jobs.insert(at, heavy)
        failed: list[str] = []
        while jobs:
            result = await world.run(*jobs)
            for one, found in zip(jobs, result.episodes, strict=True):
                if isinstance(found.failure, EpisodeTooHeavy):
                    failed.append(one.op_id)
            jobs = [one for one, found in zip(jobs, result.episodes, strict=True) if found.again]
        assert failed == [heavy.op_id]
        assert world.model.asked == 2
        assert world.rows(Kind.EPISODE) == ["uuid-1", "uuid-2"]


def test_a_long_text_with_room_beside_it_is_not_refused() -> None:
    """What counts is what it does weigh, not how long it is."""
    repeated, room = job(0, "word " * 8_000), WriteRoom(BOUND, 0)
    assert room.first_long([job(1), repeated]) == 1
    assert room.refusal(repeated) is None
    assert room.takes(repeated, extraction := _of(100))
    assert 0 < len(room.fitted(repeated, extraction).entities) < 100
    assert WriteRoom(0, 0).refusal(job(0, long_text(80_000))) is None


def test_facts_come_before_entities_of_which_nothing_is_told() -> None:
    room = WriteRoom(30, 0)
    extraction = _of(100, ExtractedFact(98, 99, "MET", "They met."))
    assert room.takes(job(0), extraction)
    fitted = room.fitted(job(0), extraction)
    (fact,) = fitted.facts
    assert [fitted.entities[at].name for at in (fact.source, fact.target)] == ["Name 98", "Name 99"]
    assert [one.name for one in fitted.entities][:2] == ["Name 0", "Name 1"]


def _of(entities: int, *facts: ExtractedFact) -> Extraction:
    return Extraction(tuple(ExtractedEntity(f"Name {at}") for at in range(entities)), facts)
