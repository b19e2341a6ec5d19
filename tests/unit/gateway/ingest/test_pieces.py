"""Small pieces of the pipeline and of the workers."""

import pytest

from drivers.deadline import Deadline
from drivers.errors import (
    DeadlinePassed,
    GraphgateError,
    OutcomeUnknownAtDeadline,
    ShardUnavailable,
    WriteTooHeavy,
)
from gateway.ingest.errors import QueueUnavailable, WorkerLost
from gateway.ingest.pipeline import triple
from gateway.ingest.pipeline.entities import entity_uuid
from gateway.ingest.pipeline.summaries import Growing
from gateway.ingest.queue.store import partition_of
from gateway.ingest.work.batch_size import EPISODES_MAX, READ_AHEAD_TIMES, BatchSize
from gateway.ingest.work.outcome import Fate, overran, ruling
from gateway.llm.errors import (
    ModelAccessDenied,
    ModelAnswerInvalid,
    ModelDisabled,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    PromptTooLong,
)
from gateway.writes.errors import WriteContended, WriteTooLarge


def test_batches_grow_while_units_are_quick_and_shrink_when_they_are_slow() -> None:
    """1 to 1,000: doubled under a second, halved over five; a unit that was not full says nothing about
    more."""
    batch = BatchSize(10)
    batch.note(3, 0.1, 3)
    assert batch.episodes == 10
    for _ in range(20):
        batch.note(batch.episodes, 0.1, batch.episodes)
    assert batch.episodes == EPISODES_MAX
    batch.note(1_000, 3.0, 1_000)
    assert batch.episodes == EPISODES_MAX
    for _ in range(20):
        batch.note(batch.episodes, 6.0, batch.episodes)
    assert batch.episodes == 1
    batch.note(1, 60.0, 1)
    assert batch.episodes == 1
    assert BatchSize(500, most=100).episodes == 100


def test_batches_stay_near_what_one_write_takes() -> None:
    """Some are read ahead, however quick units are; within the bound that was set."""
    batch, bounded = BatchSize(10), BatchSize(10, most=10)
    for _ in range(3):
        batch.note(batch.episodes, 0.1, 8)
        bounded.note(bounded.episodes, 0.1, 8)
    assert batch.episodes == 8 * READ_AHEAD_TIMES
    assert bounded.episodes == 10


def test_a_unit_that_did_not_end_in_time_halves_batches() -> None:
    """Once for all that overran side by side."""
    batch = BatchSize(400)
    for _ in range(5):
        batch.note_overrun(400)
    assert batch.episodes == 200
    for _ in range(10):
        batch.note_overrun(batch.episodes)
    assert batch.episodes == 1


@pytest.mark.parametrize(
    ("error", "left_s", "expected"),
    [
        (ModelTimeout("extract", "m"), 0, True),
        (ModelTimeout("extract", "m"), 200, False),
        (DeadlinePassed("it began"), 0, True),
        (DeadlinePassed("it began"), 200, False),
        (ModelRateLimited("extract", "m", "the gateway", retry_after_s=60), 50, True),
        (ModelRateLimited("extract", "m", "the gateway", retry_after_s=40), 50, False),
        (ModelRateLimited("extract", "m", "the gateway", retry_after_s=600), 299, False),
        (OutcomeUnknownAtDeadline("s", "op"), 0, False),
        (ShardUnavailable("s", "refused"), 0, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_only_an_attempt_whose_own_time_was_too_short_has_overrun(
    error: GraphgateError, left_s: float, expected: bool
) -> None:
    """Of 300 s. A write that may still happen keeps its unit as it is."""
    assert overran(error, Deadline.after(left_s), 300.0) is expected


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (ModelAnswerInvalid("extract", "m", "empty"), Fate.SPLIT),
        (ModelRefused("extract", "m", "no"), Fate.SPLIT),
        (PromptTooLong("extract", "tokens", 2, 1), Fate.SPLIT),
        (WriteTooLarge(3_000, 2_000), Fate.SPLIT),
        (WriteTooHeavy("s", 2, 1), Fate.SPLIT),
        (WorkerLost(10), Fate.SPLIT),
        (ModelAccessDenied("extract", "m", "401"), Fate.WAIT),
        (ModelDisabled("extract"), Fate.WAIT),
        (ShardUnavailable("s", "refused"), Fate.WAIT),
        (WriteContended("g", 3), Fate.WAIT),
        (QueueUnavailable("no connection"), Fate.WAIT),
        (DeadlinePassed("it began"), Fate.WAIT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_is_about_an_episode_ends_it(error: GraphgateError, fate: Fate) -> None:
    """A wrong key, a shard that is away, a full model: the episodes wait."""
    assert ruling(error).fate is fate


def test_a_pause_is_as_long_as_the_provider_asks() -> None:
    assert ruling(ModelRateLimited("extract", "m", "it", retry_after_s=7.0)).retry_after_s == 7.0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Ada | works with | Charles Babbage", ("Ada", "works with", "Charles Babbage")),
        ("Ada\tknows\tBob", ("Ada", "knows", "Bob")),
        ("Ada knows Bob", ("Ada", "knows", "Bob")),
        ('["Ada", "knows", "Bob"]', ("Ada", "knows", "Bob")),
        ('{"subject": "Ada", "predicate": "knows", "object": "Bob"}', ("Ada", "knows", "Bob")),
        ("Ada knows", None),
        ("Ada really knows Bob", None),
        ("Ada | | Bob", None),
        ('["Ada", 1, "Bob"]', None),
        ('{"subject": "Ada"}', None),
        ("[broken", None),
        ("", None),
    ],
)
def test_triples_in_every_form(content: str, expected: tuple[str, str, str] | None) -> None:
    assert triple.parts(content) == expected


def test_a_triple_about_one_thing_has_one_entity() -> None:
    extraction = triple.extraction_of("Ada | knows | Ada")
    assert [one.name for one in extraction.entities] == ["Ada"]
    assert (extraction.facts[0].source, extraction.facts[0].target) == (0, 0)
    assert triple.extraction_of("Ada | works with | Bob").facts[0].name == "WORKS_WITH"


def test_summaries_grow_by_what_they_do_not_say_yet() -> None:
    grown = Growing("Ada", "Ada is a poet.", ("Ada lives in London.",)).joined
    assert grown == "Ada is a poet. Ada lives in London."
    assert Growing("Ada", "Ada is a poet", ("ada is a Poet.",)).joined == "Ada is a poet"
    assert Growing("Ada", "", ("First", "Second.")).joined == "First. Second."


def test_names_that_are_the_same_give_the_same_uuid() -> None:
    """In one group, whatever case and punctuation; another group or another thing of the name has its own."""
    assert entity_uuid("g", "Ada  Lovelace") == entity_uuid("g", "ada lovelace.")
    assert len({entity_uuid("g", "Ada"), entity_uuid("h", "Ada"), entity_uuid("g", "Ada", "x")}) == 3


def test_groups_spread_over_partitions_the_same_way_everywhere() -> None:
    """Golden: another hash would strand the turns of a running queue."""
    assert [partition_of(f"group-{number}", 8) for number in range(8)] == [0, 5, 3, 2, 6, 0, 7, 0]
    assert {partition_of(f"g{number}", 8) for number in range(1_000)} == set(range(8))
