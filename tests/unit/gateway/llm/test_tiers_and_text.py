"""Which tier a task gets, and how texts are made shorter: pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.tasks import TIER_LIMITS, Complexity, Task, Tier, choose_tier
from gateway.llm.text_care import Compression, compress, cut_at_sentence, tokens_estimate

TEXTS = st.text(alphabet=st.sampled_from("aB3 .!?\n\"')\u3002e\u0301x,"), max_size=400)


def test_tiers_are_those_that_are_promised() -> None:
    """Output tokens and temperature of each."""
    assert {tier: (one.output_tokens_max, one.temperature) for tier, one in TIER_LIMITS.items()} == {
        Tier.FAST: (500, 0.0),
        Tier.BALANCED: (1_500, 0.3),
        Tier.ACCURATE: (4_000, 0.0),
        Tier.CREATIVE: (2_000, 0.8),
    }


@pytest.mark.parametrize(
    ("task", "length", "complexity", "tier"),
    [
        (Task.EXTRACT, 500, Complexity.MEDIUM, Tier.BALANCED),
        (Task.EXTRACT, 2_000, Complexity.MEDIUM, Tier.BALANCED),
        (Task.EXTRACT, 2_001, Complexity.LOW, Tier.ACCURATE),
        (Task.EXTRACT, 10, Complexity.HIGH, Tier.ACCURATE),
        (Task.RESOLVE_ENTITIES, 500, Complexity.MEDIUM, Tier.FAST),
        (Task.RESOLVE_ENTITIES, 501, Complexity.MEDIUM, Tier.BALANCED),
        (Task.RESOLVE_ENTITIES, 2_000, Complexity.LOW, Tier.FAST),
        (Task.JUDGE_FACTS, 2_001, Complexity.LOW, Tier.ACCURATE),
        (Task.SUMMARISE_SAGA, 10, Complexity.HIGH, Tier.CREATIVE),
    ],
)
def test_the_tier_follows_task_length_and_complexity(
    task: Task, length: int, complexity: Complexity, tier: Tier
) -> None:
    """The bounds are 500 and 2,000 characters."""
    assert choose_tier(task, length, complexity) is tier


@given(
    st.sampled_from(list(Task)),
    st.sampled_from(list(Complexity)),
    st.integers(0, 5_000),
    st.integers(0, 5_000),
)
def test_a_longer_text_never_gets_a_shorter_answer(
    task: Task, complexity: Complexity, one: int, other: int
) -> None:
    """Otherwise some answers would be cut off for nothing."""
    short, long = sorted((one, other))
    room = [TIER_LIMITS[choose_tier(task, length, complexity)].output_tokens_max for length in (short, long)]
    assert room[0] <= room[1]


@pytest.mark.parametrize(
    ("text", "tokens", "cut"),
    [
        ("One two. Three four. Five.", 100, "One two. Three four. Five."),
        ("One two three. Four five six. Seven eight nine.", 10, "One two three. Four five six."),
        ("It costs 3.14 dollars and then some more words", 5, "It costs 3.14"),
        (
            "\u4f60\u597d\u3002\u518d\u89c1\u3002\u518d\u6765\u4e00\u6b21\u5427",
            6,
            "\u4f60\u597d\u3002\u518d\u89c1\u3002",
        ),
        ("x" * 100, 3, "x" * 9),
    ],
)
def test_texts_are_cut_at_sentence_ends(text: str, tokens: int, cut: str) -> None:
    """Where there is one in the last half, else at a word, else anywhere."""
    assert cut_at_sentence(text, tokens) == cut


@given(TEXTS, st.integers(0, 60))
def test_a_cut_text_is_a_beginning_that_fits(text: str, tokens: int) -> None:
    """Nothing is made up, and the budget holds."""
    cut = cut_at_sentence(text, tokens)
    assert text.startswith(cut)
    assert tokens_estimate(cut) <= tokens


@given(TEXTS, st.sampled_from(list(Compression)))
def test_compression_is_idempotent_and_never_longer(text: str, level: Compression) -> None:
    """So that it does not matter who has compressed before."""
    shorter = compress(text, level)
    assert len(shorter) <= len(text)
    assert compress(shorter, level) == shorter


def test_each_level_of_compression_does_more() -> None:
    """Names, numbers and negations stay at every level."""
    text = (
        "Ada   did not really  pay 1,200 EUR.\n\n\nAda   did not really  pay 1,200 EUR.\n----------\n"
        f"See https://example.org/a?utm_source={'x' * 40} and {'ab12' * 15}."
    )
    lengths = [len(compress(text, level)) for level in Compression]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 4
    for level in Compression:
        for kept in ("Ada", "did not", "1,200 EUR", "https://example.org/a"):
            assert kept in compress(text, level)
