"""Units that end where their write is full, and what is read ahead meanwhile."""

import asyncio
from collections.abc import Mapping

from pydantic import BaseModel

from drivers.deadline import Deadline
from drivers.graph_model import EpisodeSource
from gateway.ingest.extraction import ExtractedEntity, Extraction
from gateway.ingest.job import EpisodeJob
from gateway.ingest.outputs import EntityOutput, ExtractionOutput
from gateway.ingest.pipeline.asking import Asker
from gateway.ingest.pipeline.reading import Reading
from gateway.ingest.pipeline.write_room import WriteRoom
from gateway.ingest.prompts.material import Budget
from gateway.llm.port import ModelAnswer, ModelRequest, TaskAccount
from gateway.llm.tasks import Task

ENTITIES = 10
"""Of each episode: it weighs 21 and what its texts weigh."""


class CountingModel:
    """Finds the same number of entities in every episode."""

    def __init__(self) -> None:
        self.asked = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def accounts(self) -> Mapping[Task, TaskAccount]:
        return {}

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        self.asked += 1
        own = self.asked
        found = ExtractionOutput(
            entities=[
                EntityOutput(id=at, name=f"Name {own} {at}", type="", summary="") for at in range(ENTITIES)
            ],
            facts=[],
        )
        assert isinstance(found, request.output)
        return ModelAnswer(found, "fake")


def job(number: int) -> EpisodeJob:
    return EpisodeJob(
        group_id="group",
        op_id=f"op-{number}",
        content_hash=f"hash-{number}",
        episode_uuid=f"uuid-{number}",
        name="",
        content=f"Episode {number}.",
        source=EpisodeSource.TEXT,
        source_description="",
        reference_time=number,
    )


def extraction(*names: str) -> Extraction:
    return Extraction(tuple(ExtractedEntity(name) for name in names))


def test_the_first_episode_always_fits() -> None:
    """Else it could never be written; a shard without a bound takes the others too."""
    many = extraction(*(f"Name {number}" for number in range(100)))
    bounded, unbounded = WriteRoom(10, 0), WriteRoom(0, 0)
    assert bounded.takes(job(0), many)
    assert not bounded.takes(job(1), extraction("other"))
    assert all(unbounded.takes(job(number), extraction(f"other {number}")) for number in range(50))


def test_an_entity_of_several_episodes_counts_once() -> None:
    """Its mentions count each time, and so does what is new."""
    names = [f"Name {number}" for number in range(20)]
    same, other = WriteRoom(80, 0), WriteRoom(80, 0)
    for room in (same, other):
        assert room.takes(job(0), extraction(*names))
    assert same.takes(job(1), extraction(*(name.upper() for name in names)))
    assert not other.takes(job(1), extraction(*(f"Other {number}" for number in range(20))))


def test_long_vectors_weigh_more() -> None:
    """As drivers.write_plan weighs them: 1 for every 1,024 numbers beyond 384."""
    names = [f"Name {number}" for number in range(10)]
    short, long = WriteRoom(60, 384), WriteRoom(60, 384 + 4_096)
    for room in (short, long):
        assert room.takes(job(0), extraction(*names))
    assert short.takes(job(1), extraction(*names))
    assert not long.takes(job(1), extraction(*names))


async def test_what_was_read_ahead_is_not_asked_again() -> None:
    """Twelve episodes, each written once and asked about once, in units of what one write takes."""
    model, reading = CountingModel(), Reading(4, Budget())
    jobs = [job(number) for number in range(12)]
    units: list[int] = []
    left = jobs
    while left:
        asker = Asker(model, Deadline.after(10))
        taken = await reading.first(left, [()] * len(left), asker, WriteRoom(100, 0))
        units.append(len(taken))
        reading.forget(left[: len(taken)])
        left = left[len(taken) :]
    assert sum(units) == len(jobs)
    assert len(units) > 1
    assert max(units) <= 100 // (2 * ENTITIES + 1)
    assert model.asked == len(jobs)
    await reading.close()


async def test_an_attempt_that_is_made_again_asks_nothing_again() -> None:
    """What was read is kept until the episodes have ended."""
    model, reading = CountingModel(), Reading(4, Budget())
    jobs = [job(number) for number in range(3)]
    for _ in range(2):
        asker = Asker(model, Deadline.after(10))
        assert len(await reading.first(jobs, [()] * 3, asker, WriteRoom(0, 0))) == 3
    assert model.asked == 3
    reading.forget(jobs)
    await asyncio.wait_for(reading.close(), 5)
