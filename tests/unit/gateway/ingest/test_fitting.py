"""Prompts that always fit into what a model takes, and the words by which it tells names apart."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from drivers.graph_model import EpisodeSource
from gateway.ingest.extraction import ExtractedEntity, ExtractedFact, Extraction, ProblemKind
from gateway.ingest.outputs import EntityOutput
from gateway.ingest.prompts.contexts import NamedIn
from gateway.ingest.prompts.extraction import Prepared, extract, extract_entities, extract_facts, reflect
from gateway.ingest.prompts.fitting import Part, in_calls
from gateway.ingest.prompts.judgement import StatedFact, judge_facts, judgement_calls
from gateway.ingest.prompts.material import Budget, EpisodeText
from gateway.ingest.prompts.resolution import (
    CONTEXT_TOKENS_EACH_MAX,
    Described,
    context_tokens,
    resolution_calls,
    resolve_entities,
)
from gateway.ingest.prompts.upkeep import Summarised, attributes, summarise, summarise_saga, summary_calls
from gateway.ingest.types import CustomType, ExtractionTypes, FieldType, TypeField
from gateway.llm.port import ModelRequest
from gateway.llm.text_care import sentence_around, tokens_estimate
from gateway.settings.service import LanguageModelSection

LEAST = LanguageModelSection.model_fields["prompt_tokens_max"].metadata[0].ge
"""The smallest prompts that the settings allow."""
BUDGETS = [Budget(LEAST), Budget(), Budget(100_000)]
PROSE = 'A sentence with "quotes", a line\nend and some length. ' * 20_000
CYRILLIC = "Предложение такой длины, как обычно. " * 5_000
JSON = orjson.dumps([{"a": "b", "c": ["", "\n" * 20, '"']}] * 20_000).decode()


def tokens(request: ModelRequest[Any]) -> int:
    """As OpenAILanguageModel counts them."""
    return sum(tokens_estimate(one.content) for one in request.messages)


def material(request: ModelRequest[Any]) -> dict[str, Any]:
    return orjson.loads(request.messages[1].content)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("content", [PROSE, CYRILLIC, JSON, '"' * 200_000, "\x01" * 100_000])
def test_prompts_of_any_episode_fit(budget: Budget, content: str) -> None:
    """Its content is cut and that is listed: quotes and line ends are longer in JSON than in the text, and
    what was found before takes its share."""
    earlier = tuple((at, content[:5_000]) for at in range(10))
    source = EpisodeSource.JSON if content is JSON else EpisodeSource.TEXT
    episode = EpisodeText(content, 0, source, "x" * 1_000, earlier)
    found = [EntityOutput(id=at, name=f"Name {at} " * 20, type="T" * 60) for at in range(200)]
    so_far = Extraction(
        tuple(ExtractedEntity(one.name) for one in found),
        tuple(ExtractedFact(at % 200, 0, "F", "A long fact. " * 100) for at in range(400)),
    )
    field = TypeField("field", FieldType.STRING, "d" * 1_000)
    types = ExtractionTypes(
        tuple(CustomType(f"Type{at}", "d" * 1_000, (field,)) for at in range(20)), instructions="i" * 1_000
    )
    asked: list[Prepared[Any]] = [
        extract(episode, types, budget),
        extract_entities(episode, types, budget),
        extract_facts(episode, found, types, budget),
        reflect(episode, so_far, types, budget),
    ]
    for one in asked:
        assert tokens(one.request) <= budget.prompt_tokens_max
        assert len(material(one.request)["episode"]["content"]) > 50
        kinds = [problem.kind for problem in one.problems]
        assert kinds.count(ProblemKind.CONTENT_CUT) == 1
    kinds = [problem.kind for problem in asked[-1].problems]
    assert (ProblemKind.TOO_MANY in kinds) is (budget.prompt_tokens_max < 100_000)
    known = {"field": "v" * 1_000}
    assert tokens(attributes(types.entities[0], "n", known, episode, budget)) <= budget.prompt_tokens_max
    saga = summarise_saga("s", "so far " * 200, [(at, content) for at in range(20)], budget)
    assert tokens(saga) <= budget.prompt_tokens_max


def test_more_of_an_episode_is_read_where_more_fits() -> None:
    """What a prompt takes is llm.prompt_tokens_max, not a constant."""
    read = [
        len(material(extract(EpisodeText(PROSE, 0), ExtractionTypes(), one).request)["episode"]["content"])
        for one in BUDGETS
    ]
    assert read == sorted(read)
    assert read[-1] > 5 * read[0]


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("letter", ["w", "ю", "\U0001f600", '"'])
def test_questions_are_as_many_in_a_call_as_fit(budget: Budget, letter: str) -> None:
    """Every question is asked once, with its most alike candidates; nothing is too long."""
    facts = [StatedFact(f"{at} {letter * 500}", 5, 6) for at in range(300)]
    own = [tuple(range(at, at + 15)) for at in range(100)]
    about = [(facts[at], own[at]) for at in range(100)]
    calls = judgement_calls(about, facts, budget)
    _check_parts(calls, own, budget)
    for call in calls:
        request = judge_facts([(about[one.question][0], one.candidates) for one in call], facts)
        assert tokens(request) <= budget.prompt_tokens_max
    names = [Described(f"{at} {letter * 250}", "T" * 60, letter * 1_000, letter * 90) for at in range(300)]
    own = [tuple(range(at, at + 10)) for at in range(100)]
    asked = [(names[at], own[at]) for at in range(100)]
    calls = resolution_calls(asked, names, budget)
    _check_parts(calls, own, budget)
    for call in calls:
        request = resolve_entities([(asked[one.question][0], one.candidates) for one in call], names)
        assert tokens(request) <= budget.prompt_tokens_max


def _check_parts(calls: Sequence[Sequence[Part]], own: Sequence[tuple[int, ...]], budget: Budget) -> None:
    parts = [one for call in calls for one in call]
    assert [one.question for one in parts] == list(range(len(own)))
    for one in parts:
        assert one.candidates
        assert one.candidates == own[one.question][: len(one.candidates)]
    if budget.prompt_tokens_max >= 100_000:
        assert [one.candidates for one in parts] == list(own)
        assert len(calls) < 10


def test_a_candidate_of_several_questions_is_counted_once() -> None:
    """Else calls would be half full."""
    sizes = {0: 100, 1: 100}
    room = 2 * 100 + 4 * 30
    calls = in_calls([10] * 4, [(0, 1)] * 4, sizes, room=room, count_max=40)
    assert [[one.question for one in call] for call in calls] == [[0, 1, 2, 3]]
    assert len(in_calls([10] * 4, [(0, 1)] * 4, sizes, room=room, count_max=3)) == 2
    alone = in_calls([10], [(0, 1)], sizes, room=150, count_max=40)
    assert alone == [[Part(0, (0,))]]
    assert in_calls([10], [(0, 1)], sizes, room=50, count_max=40) == []


@pytest.mark.parametrize("budget", BUDGETS)
def test_summaries_of_hubs_fit(budget: Budget) -> None:
    """Entities of thirty long new facts each: the newest are told."""
    facts = tuple(f"{at} " + "long " * 390 for at in range(30))
    about = [Summarised(f"Hub {at}", "s" * 1_000, facts) for at in range(40)]
    calls = summary_calls(about, budget)
    assert [at for call in calls for at, _ in call] == list(range(40))
    for call in calls:
        assert tokens(summarise([one for _, one in call])) <= budget.prompt_tokens_max
        for _, one in call:
            assert one.facts == facts[len(facts) - len(one.facts) :]
            assert one.facts


def test_the_first_sentence_that_names_it_is_found() -> None:
    """By the whole name, as words of their own, then by its longest word; else the text begins it."""
    text = (
        "Annual reports are dull. Anna likes them. Yesterday Dr. John Baker came by.\n"
        "BOB: and Eve? 東京都に行った。"
    )
    named = NamedIn(text)
    assert named.around("Ann", 8).startswith("Annual reports")
    assert named.around("anna", 8) == "Anna likes them."
    assert named.around("John Robert Baker", 20).startswith("John Baker came by.")
    assert named.around("Bob", 20).startswith("BOB: and Eve?")
    assert "京都" in named.around("京都", 20)
    assert named.around("Zoe", 10) == "Annual reports are dull."
    assert NamedIn("").around("Zoe", 10) == ""
    assert "Zoe" in NamedIn("İ" * 200 + " and Zoe.").around("Zoe", 20)


def test_a_name_late_in_a_long_sentence_keeps_its_words() -> None:
    """And the window is never over its tokens."""
    words = " ".join(f"word{at}" for at in range(5_000))
    text = f"{words} Ada Lovelace {words}"
    for limit in (30, 60, CONTEXT_TOKENS_EACH_MAX):
        found = NamedIn(text).around("Ada Lovelace", limit)
        assert "word4999 Ada Lovelace word0" in found
        assert tokens_estimate(found) <= limit
    assert sentence_around("abc", 0, 1) == "abc"


def test_a_text_that_names_several_is_told_once() -> None:
    """Each entity with the number of its own; all share a budget."""
    new = [
        (Described("Ada", context="Ada met Bob."), [0]),
        (Described("Bob", context="Ada met Bob."), [0]),
        (Described("John", context="John slept."), [0]),
        (Described("Zoe"), [0]),
    ]
    told = material(resolve_entities(new, [Described("X")]))
    assert told["contexts"] == ["Ada met Bob.", "John slept."]
    assert [one.get("context") for one in told["new"]] == [0, 0, 1, None]
    assert context_tokens(1) == CONTEXT_TOKENS_EACH_MAX
    assert 0 < 40 * context_tokens(40) <= 1_200
    assert context_tokens(1_000) == context_tokens(40)
