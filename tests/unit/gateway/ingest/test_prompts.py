"""The other prompts over real HTTP, their budgets, and times as models write them."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from drivers.graph_model import OPEN_END, OPEN_START, EpisodeSource
from gateway.bench.model_server.knowledge import KnownEntity, KnownFact, KnownText
from gateway.ingest.extraction import ProblemKind, Problems
from gateway.ingest.model_times import epoch_us, iso
from gateway.ingest.prompts.extraction import extract
from gateway.ingest.prompts.judgement import StatedFact, judge_facts, read_judgements
from gateway.ingest.prompts.material import Budget, EpisodeText
from gateway.ingest.prompts.resolution import Described, read_resolution, resolve_entities
from gateway.ingest.prompts.upkeep import Summarised, attributes, read_summaries, summarise, summarise_saga
from gateway.ingest.temporal import Verdict, VerdictKind
from gateway.ingest.translation import translate_attributes
from gateway.ingest.types import CustomType, ExtractionTypes, FieldType, TypeField
from gateway.llm.port import ModelRequest
from gateway.llm.text_care import Compression
from tests.fakes.openai_server import FakeOpenAI, Fault, Faulty
from tests.unit.gateway.llm.asking import TEXT, ample, language_model, settings

PERSON = CustomType("Person", "a human", (TypeField("age", FieldType.INTEGER), TypeField("job")))


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


def episode(content: str = TEXT, source: EpisodeSource = EpisodeSource.TEXT) -> EpisodeText:
    return EpisodeText(content, epoch_us("2024-05-01"), source)


def material(request: ModelRequest[Any]) -> Mapping[str, Any]:
    return orjson.loads(request.messages[1].content)


async def test_resolutions_and_judgements_name_candidates_only(server: FakeOpenAI) -> None:
    """Numbers of one call, checked against what was asked."""
    server.server.knowledge.learn_same("New York City", "NYC")
    new = [(Described("NYC"), [0, 1]), (Described("Oslo"), [1])]
    candidates = [Described("Boston"), Described("New York City", "Place", "a city")]
    facts = [(StatedFact("Ada lives in Paris.", 5), [0, 1])]
    known = [StatedFact("Ada lives in Rome."), StatedFact("ada lives in paris.")]
    server.server.knowledge.learn(
        "t",
        KnownText(
            (), (KnownFact("Ada", "Paris", "LIVES_IN", facts[0][0].text, supersedes=(known[0].text,)),)
        ),
    )
    async with language_model(settings(server)) as model:
        problems = Problems()
        resolved = await model.ask(resolve_entities(new, candidates), ample())
        assert read_resolution(resolved.value, new, problems) == {0: 1}
        judged = await model.ask(judge_facts(facts, known), ample())
        assert set(read_judgements(judged.value, facts, problems)) == {
            Verdict(0, 0, VerdictKind.SUPERSEDES),
            Verdict(0, 1, VerdictKind.REPEATS),
        }
        assert problems.found == 0
        server.script(Faulty(Fault.UNKNOWN_IDS), Faulty(Fault.UNKNOWN_IDS))
        resolved = await model.ask(resolve_entities([*new, *new], candidates), ample())
        assert read_resolution(resolved.value, [*new, *new], problems) == {}
        judged = await model.ask(judge_facts([*facts, *facts], known), ample())
        assert read_judgements(judged.value, facts, problems) == []
        assert problems.found > 2


async def test_attributes_and_summaries(server: FakeOpenAI) -> None:
    """Upkeep of entities: fields by their types, summaries by number."""
    server.server.knowledge.learn(TEXT, KnownText((KnownEntity("Ada", "Person", "", {"job": "poet"}),)))
    async with language_model(settings(server)) as model:
        request = attributes(PERSON, "Ada", {"age": 36}, episode(), Budget())
        problems = Problems()
        filled = (await model.ask(request, ample())).value
        assert translate_attributes(filled, PERSON, problems) == {"age": 36, "job": "poet"}
        people = [Summarised("Ada", "A poet.", ("Ada met Bob.",)), Summarised("Bob", "", ())]
        told = read_summaries((await model.ask(summarise(people), ample())).value, 2, problems)
        assert told == {0: "A poet. Ada met Bob.", 1: "Bob"}
        saga = summarise_saga("s", "So far.", [(0, "One. Two."), (1, "Three.")], Budget())
        assert (await model.ask(saga, ample())).value.summary == "So far. One. Three."
        assert problems.found == 0


def test_a_prompt_fits_its_budget_and_tells_what_it_left_out() -> None:
    """The episode goes before its predecessors, the newest of these first."""
    long = "One sentence of some length is here. " * 2_000
    earlier = tuple((number, f"Earlier {number}. " * 20) for number in range(20))
    budget = Budget(4_000, compression=Compression.NONE)
    prepared = extract(EpisodeText(long, 0, previous=earlier), ExtractionTypes(), budget)
    told = material(prepared.request)
    assert told["episode"]["content"].endswith(".")
    assert long.startswith(told["episode"]["content"])
    assert [problem.kind for problem in prepared.problems] == [ProblemKind.CONTENT_CUT]
    short = material(extract(EpisodeText("Short.", 0, previous=earlier), ExtractionTypes(), budget).request)
    assert 0 < len(short["previous"]) <= 10
    assert short["previous"][-1]["content"].startswith("Earlier 19.")
    assert len(short["previous"][-1]["content"]) > 100


@pytest.mark.parametrize("content", ["", "\ud800", "\0\0", "{", "[1, {]", "\U0001f600" * 10])
@pytest.mark.parametrize("source", list(EpisodeSource))
def test_any_content_makes_a_prompt(content: str, source: EpisodeSource) -> None:
    """Half of an emoji, NUL and broken JSON included."""
    request = extract(episode(content, source), ExtractionTypes((PERSON,)), Budget()).request
    assert material(request)["episode"]["source"]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024", "2024-01-01T00:00:00Z"),
        ("2024-05", "2024-05-01T00:00:00Z"),
        ("2024-05-06", "2024-05-06T00:00:00Z"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09Z"),
        (" 2024-05-06T07:08:09Z ", "2024-05-06T07:08:09Z"),
    ],
)
def test_times_of_models(text: str, same: str) -> None:
    """Partial dates begin at their first moment; without a zone it is UTC."""
    assert iso(epoch_us(text)) == same


@pytest.mark.parametrize(
    "text", ["yesterday", "0000", "2024-13", "2024-02-30", "9999-12-31T23:59:59-10:00", ""]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Never guessed."""
    with pytest.raises(ValueError, match=r".*"):
        epoch_us(text)
    assert iso(OPEN_START).startswith("0001")
    assert iso(OPEN_END) == "9999-12-31T23:59:59Z"
