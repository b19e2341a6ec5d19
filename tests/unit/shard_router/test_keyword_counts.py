"""Keyword candidates are counted once, in steps that leave the event loop to others."""

import asyncio
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.keyword_cut import cut_to_chars
from drivers.row_key import RowKey
from drivers.search_reads import KeywordHit, KeywordRead, MatchingRows
from shard_router import keyword_counts
from shard_router.keyword_counts import STEP_CHARS, counted, counted_matching
from shard_router.turns import Turns
from tests.unit.shard_router.steps import ended, steps_of

TOKENS = st.sampled_from(["ada", "bob", "cat", "日本", "a" * 12])
CORPORA = st.lists(st.lists(TOKENS, max_size=12), max_size=12)
QUERY = {"bob": 2, "ada": 1, "日本": 1}


def read_of(corpus: list[list[str]]) -> KeywordRead:
    hits = (KeywordHit(RowKey("g", str(n)), " ".join(row), len(row)) for n, row in enumerate(corpus))
    return KeywordRead(tuple(hits), {}, {})


@given(CORPORA, st.integers(1, 40))
def test_counts_are_those_of_whole_tokens_whatever_a_step_holds(corpus: list[list[str]], step: int) -> None:
    """Each row has the counts of the query's tokens, in the query's order; rows with none of them are left
    out; where a step ends changes nothing."""
    expected = [
        (RowKey("g", str(n)), len(row), [Counter(row)[term] for term in QUERY])
        for n, row in enumerate(corpus)
        if not set(QUERY).isdisjoint(row)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyword_counts, "STEP_CHARS", step)
        (rows,) = ended(counted(read_of(corpus), QUERY)).rows
    assert (
        list(zip(map(rows.key, range(len(rows))), rows.lengths, rows.counts.tolist(), strict=True))
        == expected
    )


@given(st.lists(st.tuples(st.sampled_from("gh"), st.lists(TOKENS, max_size=9), st.booleans())), st.booleans())
def test_rows_that_match_tell_the_frequencies(
    corpus: list[tuple[str, list[str], bool]], filtered: bool
) -> None:
    """Document frequencies are of all rows, the candidates are those that pass the filter."""
    rows = MatchingRows(
        group_ids=[group for group, _, _ in corpus],
        uuids=[str(n) for n in range(len(corpus))],
        term_counts=[len(tokens) for _, tokens, _ in corpus],
        terms=[" ".join(tokens) for _, tokens, _ in corpus],
        passing=[passes for _, _, passes in corpus] if filtered else None,
    )
    read = ended(counted_matching(rows, {}, QUERY))
    assert read.complete
    assert read.document_frequency == {t: sum(t in tokens for _, tokens, _ in corpus) for t in QUERY}
    (found,) = read.rows
    assert list(map(found.key, range(len(found)))) == [
        RowKey(group, str(n))
        for n, (group, tokens, passes) in enumerate(corpus)
        if not set(QUERY).isdisjoint(tokens) and (passes or not filtered)
    ]


def test_no_step_has_more_text_than_its_share() -> None:
    """Neither one long row nor many short ones are counted in one go."""
    words = ["ada", "other"] * STEP_CHARS
    chars = len(" ".join(words))
    read, steps = steps_of(counted(read_of([words]), QUERY))
    assert steps >= chars / (STEP_CHARS + 20)
    (rows,) = read.rows
    assert rows.counts.tolist() == [[0, STEP_CHARS, 0]]
    read, steps = steps_of(counted(read_of([["ada"]] * 20_000), QUERY))
    assert steps >= 2
    assert len(read.rows[0]) == 20_000


async def test_computations_take_turns_with_each_other_and_with_all_else() -> None:
    """Between two turns of the loop a single step runs, however many computations there are; so others wait
    for one step at most."""
    turn, turns_of_steps = 0, list[int]()

    async def others() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    def work(name: str) -> Generator[None, None, str]:
        for _ in range(10):
            turns_of_steps.append(turn)
            yield
        return name

    probe, turns = asyncio.create_task(others()), Turns()
    try:
        assert await asyncio.gather(*(turns.run(work(name)) for name in "abc")) == list("abc")
    finally:
        probe.cancel()
    assert len(turns_of_steps) == 30
    # A computation that ends leaves its turn to the next one at once.
    assert len(set(turns_of_steps)) >= 30 - 3


async def test_a_computation_that_fails_leaves_the_turn_to_others() -> None:
    """One broken search does not stop all searches."""

    def fails() -> Generator[None]:
        yield
        raise ValueError("broken")

    turns = Turns()
    with pytest.raises(ValueError, match="broken"):
        await turns.run(fails())
    read = await asyncio.wait_for(turns.run(counted(read_of([["ada"]]), QUERY)), 10)
    assert len(read.rows[0]) == 1


def test_candidates_are_cut_by_their_text() -> None:
    """The first ones that fit together, and one at least: a search of long rows finds something."""
    hits = read_of([["aaaa"], ["bbb"], ["cc"], ["d"]]).hits
    for chars_max, kept in ((0, 1), (4, 1), (6, 1), (7, 2), (9, 3), (10, 4), (99, 4)):
        assert cut_to_chars(hits, chars_max) == hits[:kept]
    assert cut_to_chars([], 5) == ()
