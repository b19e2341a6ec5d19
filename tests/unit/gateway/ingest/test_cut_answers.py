"""Answers that are longer than a model may answer: nothing of them is lost without being told."""

from collections.abc import Iterator

import pytest

from drivers.graph_model import EpisodeSource
from gateway.bench.model_server.knowledge import KnownEntity, KnownFact, KnownText
from gateway.ingest.extraction import Extraction, ProblemKind
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.extracting import extract_episode
from gateway.ingest.prompts.material import Budget
from gateway.ingest.types import CustomType, ExtractionTypes, TypeField
from gateway.llm.tasks import Task
from tests.fakes.openai_server import FakeOpenAI, Fault, Faulty
from tests.unit.gateway.llm.asking import ample, language_model, settings

TYPED = ExtractionTypes((CustomType("Person", fields=(TypeField("age"),)),))


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


def job(content: str, types: ExtractionTypes | None = None) -> EpisodeJob:
    return EpisodeJob(
        group_id="g",
        op_id="op",
        content_hash="hash",
        episode_uuid="uuid",
        name="",
        content=content,
        source=EpisodeSource.TEXT,
        source_description="",
        reference_time=1,
        types=types or ExtractionTypes(),
    )


def story(server: FakeOpenAI, lines: int) -> str:
    """Of as many facts as lines, each about a hundred tokens in an answer."""
    told: list[str] = []
    for at in range(lines):
        line = f"Person{at} lives in Town{at}, which is a place like many others and no better than they are."
        person, town = KnownEntity(f"Person{at}"), KnownEntity(f"Town{at}")
        fact = KnownFact(person.name, town.name, "LIVES_IN", f"{line} {'It is so. ' * 15}{at}")
        server.server.knowledge.learn(line, KnownText((person, town), (fact,)))
        told.append(line)
    return "\n".join(told)


async def extracted(server: FakeOpenAI, one: EpisodeJob) -> tuple[Extraction, Account]:
    account = Account()
    async with language_model(settings(server)) as model:
        return await extract_episode(one, (), Asker(model, ample()), account, Budget()), account


async def test_facts_of_a_long_text_are_asked_for_in_two_halves(server: FakeOpenAI) -> None:
    """Sixty facts do not fit into one answer; all of them come, in two."""
    found, account = await extracted(server, job(story(server, 60)))
    assert len(found.facts) == 60
    assert len({one.text for one in found.facts}) == 60
    assert [found.entities[one.source].name for one in found.facts] == [f"Person{at}" for at in range(60)]
    assert found.problems == ()
    tasks = [one.schema_name for one in server.requests]
    assert tasks == [Task.EXTRACT_ENTITIES, *[Task.EXTRACT_FACTS] * 3]
    assert account.usage.requests == 4


async def test_half_an_answer_is_told(server: FakeOpenAI) -> None:
    """The first answer was at the longest output already: what is asked for again is its half."""
    server.script(Faulty(Fault.CUT_OFF))
    found, _ = await extracted(server, job("Ada met Bob.", TYPED))
    assert [(one.kind, one.what) for one in found.problems] == [(ProblemKind.ANSWER_CUT, Task.EXTRACT)]
    assert found.problems_found == 1
    assert found.entities
    whole, _ = await extracted(server, job("Ada met Bob."))
    assert whole.problems == ()


async def test_what_is_too_much_in_halves_too_is_told(server: FakeOpenAI) -> None:
    """A cut half is asked for in half once more: the episode is read, and its status says how."""
    text = story(server, 30)
    found, _ = await extracted(server, job(text))
    assert len(found.facts) == 30
    before = len(server.requests)
    # The entities, all facts, and then the first half of them.
    server.script(Faulty(Fault.FENCED), Faulty(Fault.CUT_OFF), Faulty(Fault.CUT_OFF))
    found, _ = await extracted(server, job(text))
    assert [one.kind for one in found.problems] == [ProblemKind.ANSWER_CUT]
    assert [one.body["max_tokens"] for one in server.requests[before:]] == [4_000] * 5


async def test_a_unit_that_is_planned_anew_still_tells(server: FakeOpenAI) -> None:
    """The answer is kept, and so is that it is a half."""
    server.script(Faulty(Fault.CUT_OFF))
    async with language_model(settings(server)) as model:
        asker, account = Asker(model, ample()), Account()
        for _ in range(2):
            found = await extract_episode(job("Ada met Bob.", TYPED), (), asker, account, Budget())
            assert [one.kind for one in found.problems] == [ProblemKind.ANSWER_CUT]
    assert len(server.requests) == 2


async def test_other_wrong_answers_are_no_reason_for_halves(server: FakeOpenAI) -> None:
    """They are repaired."""
    text = story(server, 30)
    server.script(Faulty(Fault.FENCED), Faulty(Fault.NOT_JSON))
    found, _ = await extracted(server, job(text))
    assert len(found.facts) == 30
    assert found.problems == ()
    assert len(server.requests) == 3
