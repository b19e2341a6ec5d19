"""Units that end where their write is full, and what is read ahead meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from pydantic import BaseModel

from drivers.deadline import Deadline
from drivers.graph_model import EpisodeSource
from gateway.ingest.extraction import ExtractedEntity, Extraction
from gateway.ingest.job import EpisodeJob
from gateway.ingest.outputs import EntityOutput, ExtractionOutput
from gateway.ingest.pipeline import reading as reading_module
from gateway.ingest.pipeline.asking import Asker
from gateway.ingest.pipeline.reading import Read, Reading
from gateway.ingest.pipeline.write_room import WriteRoom
from gateway.ingest.prompts.material import Budget
from gateway.llm.errors import ModelError, ModelTimeout, ModelUnavailable
from gateway.llm.port import ModelAnswer, ModelRequest, TaskAccount
from gateway.llm.tasks import Task
from tests.eventually import eventually

ENTITIES = 10
"""Of each episode: it weighs 21 and what its texts weigh."""


class CountingModel:
    """Finds the same number of entities in every episode."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()
        """Until then every question waits."""
        self.answers.set()
        self.failing: ModelError | None = None

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def accounts(self) -> Mapping[Task, TaskAccount]:
        return {}

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        self.asked += 1
        own = self.asked
        await self.answers.wait()
        if self.failing is not None:
            raise self.failing
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


def begun(model: CountingModel, reading: Reading, jobs: Sequence[EpisodeJob]) -> asyncio.Task[Sequence[Read]]:
    """A unit of these that reads."""
    asker = Asker(model, Deadline.after(10))
    return asyncio.create_task(reading.first(jobs, [()] * len(jobs), asker, WriteRoom(0, 0)))


async def asked(model: CountingModel, times: int) -> None:
    await eventually(lambda: model.asked >= times, 5)


async def test_what_a_unit_waits_for_is_never_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much others read ahead meanwhile; what no unit waits for any more is given up then, and read
    anew by the next."""
    monkeypatch.setattr(reading_module, "AHEAD_MAX", 6)
    model, reading = CountingModel(), Reading(4, Budget())
    left_over = [job(number) for number in range(3)]
    assert len(await begun(model, reading, left_over)) == 3
    model.answers.clear()
    slow = begun(model, reading, [job(number) for number in range(10, 14)])
    await asked(model, 3 + 4)
    others = [begun(model, reading, [job(start + at) for at in range(4)]) for start in (20, 30, 40)]
    await eventually(lambda: len(reading._ahead) == 4 + 12, 5)
    model.answers.set()
    assert [len(one) for one in await asyncio.gather(slow, *others)] == [4, 4, 4, 4]
    assert model.asked == 3 + 16
    assert len(await begun(model, reading, left_over)) == 3
    assert model.asked == 3 + 16 + 3
    assert len(reading._ahead) <= 6
    await reading.close()


async def test_what_was_given_up_while_a_unit_waits_for_it_is_read_anew() -> None:
    """Else the unit would end as if it had been cancelled itself."""
    model, reading = CountingModel(), Reading(4, Budget())
    jobs = [job(number) for number in range(2)]
    model.answers.clear()
    unit = begun(model, reading, jobs)
    await asked(model, 2)
    reading.forget(jobs)
    model.answers.set()
    assert len(await unit) == 2
    assert model.asked == 4
    await reading.close()


async def test_a_read_that_another_unit_began_fails_for_that_one_only() -> None:
    """It had the other's deadline. What this unit has asked itself is raised."""
    model, reading = CountingModel(), Reading(4, Budget())
    model.answers.clear()
    first = begun(model, reading, [job(0)])
    await asked(model, 1)
    second = begun(model, reading, [job(0)])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    model.failing = ModelTimeout("extract", "fake")
    model.answers.set()
    await eventually(lambda: model.asked == 2, 5)
    with pytest.raises(ModelTimeout):
        await second
    model.failing = ModelUnavailable("extract", "fake", "away")
    with pytest.raises(ModelUnavailable):
        await begun(model, reading, [job(0)])
    assert model.asked == 3
    await reading.close()
