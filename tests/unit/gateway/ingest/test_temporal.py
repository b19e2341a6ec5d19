"""Which facts end when others arrive: a table of stories, and what holds for every story."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.graph_model import OPEN_END, OPEN_START
from gateway.ingest.closures import NEVER, DatedFact, close, ever_held, reopen, with_corrected_ends
from gateway.ingest.temporal import Outcome, Verdict, VerdictKind, apply_verdicts

REPEATS, SUPERSEDES, CORRECTS = VerdictKind.REPEATS, VerdictKind.SUPERSEDES, VerdictKind.CORRECTS
NOW = 9_999


def fact(
    name: str, begins: int = OPEN_START, ends: int = OPEN_END, *, stated: int | None = None
) -> DatedFact:
    """Stated by the episode "e-<name>" when it begins, unless told otherwise."""
    at = stated if stated is not None else begins
    return DatedFact(name, begins, ends, at, (f"e-{name}",))


def span(one: DatedFact) -> tuple[int, int]:
    return one.valid_at, one.invalid_at


@dataclass(frozen=True, slots=True)
class Story:
    stored: DatedFact
    new: DatedFact
    kind: VerdictKind
    stored_then: tuple[int, int]
    new_then: tuple[int, int] | None
    """None: it is not stored."""


STORIES = {
    "moved house": Story(
        fact("berlin", 2010), fact("paris", 2015), SUPERSEDES, (2010, 2015), (2015, OPEN_END)
    ),
    "moved house, without dates": Story(
        fact("berlin", stated=2010), fact("paris", stated=2015), SUPERSEDES,
        (OPEN_START, 2015), (OPEN_START, OPEN_END),
    ),
    "told late": Story(
        fact("paris", 2015), fact("berlin", 2010), SUPERSEDES, (2015, OPEN_END), (2010, 2015)
    ),
    "told late, without dates": Story(
        fact("paris", stated=2015), fact("berlin", stated=2010), SUPERSEDES,
        (OPEN_START, OPEN_END), (OPEN_START, 2015),
    ),
    "told late, over before": Story(
        fact("paris", 2015), fact("berlin", 2010, 2012), SUPERSEDES, (2015, OPEN_END), (2010, 2012)
    ),
    "ended before the other began": Story(
        fact("berlin", 2010, 2012), fact("paris", 2015), SUPERSEDES, (2010, 2012), (2015, OPEN_END)
    ),
    "between two": Story(
        fact("berlin", 2010, 2020), fact("rome", 2015), SUPERSEDES, (2010, 2015), (2015, OPEN_END)
    ),
    "corrected date": Story(
        fact("april", 2004), fact("may", 2005), CORRECTS, (2004, 2004), (2005, OPEN_END)
    ),
    "corrected, told of an earlier time": Story(
        fact("may", 2005), fact("april", 2004), CORRECTS, (2005, 2005), (2004, OPEN_END)
    ),
    "same time, told later": Story(
        fact("x", 2010, stated=2011), fact("y", 2010, stated=2012), SUPERSEDES, (2010, 2010), (2010, OPEN_END)
    ),
    "same time, told earlier": Story(
        fact("x", 2010, stated=2012), fact("y", 2010, stated=2011), SUPERSEDES, (2010, OPEN_END), (2010, 2010)
    ),
    "said again": Story(fact("x", 2010), fact("y", 2012), REPEATS, (2010, OPEN_END), None),
    "said again, of an earlier time": Story(
        fact("x", 2010), fact("y", 2008), REPEATS, (2008, OPEN_END), None
    ),
    "said again, with a date": Story(
        fact("x", stated=2010), fact("y", 2008, stated=2012), REPEATS, (2008, OPEN_END), None
    ),
    "said again, with an end": Story(fact("x", 2010), fact("y", 2010, 2013), REPEATS, (2010, 2013), None),
    "so again after an end": Story(
        fact("berlin", 2010, 2015), fact("back", 2020), REPEATS, (2010, 2015), (2020, OPEN_END)
    ),
    "so again after an end, without a date": Story(
        fact("berlin", 2010, 2015), fact("back", stated=2020), REPEATS, (2010, 2015), (2020, OPEN_END)
    ),
    "said again late, of the time before its end": Story(
        fact("berlin", 2010, 2015), fact("late", stated=2012), REPEATS, (2010, 2015), None
    ),
    "its end is told without its start": Story(
        fact("berlin", 2010), fact("left", ends=2015, stated=2020), REPEATS, (2010, 2015), None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    """One stored fact, one new one, one judgement."""
    story = STORIES[name]
    outcome = apply_verdicts(
        [story.new], [story.stored], [Verdict(0, story.stored.uuid, story.kind)], now=NOW
    )
    stored = outcome.changed[0] if outcome.changed else story.stored
    assert span(stored) == story.stored_then
    assert [span(one) for one in outcome.stored] == ([] if story.new_then is None else [story.new_then])


def test_a_closed_fact_tells_when_and_by_whom() -> None:
    """So that what was known at a time can be read, and undone."""
    outcome = apply_verdicts(
        [fact("paris", 2015)], [fact("berlin", 2010)], [Verdict(0, "berlin", SUPERSEDES)], now=NOW
    )
    (berlin,) = outcome.changed
    assert berlin.expired_at == NOW
    (closure,) = berlin.closures
    assert (closure.closed_at, closure.previous_end, closure.episode_uuid) == (NOW, OPEN_END, "e-paris")


def test_a_late_fact_is_closed_in_the_name_of_the_later_one() -> None:
    """Removing the episode that told of Paris opens Berlin, though that came after it."""
    outcome = apply_verdicts(
        [fact("berlin", 2010)], [fact("paris", 2015)], [Verdict(0, "paris", SUPERSEDES)], now=NOW
    )
    (berlin,) = outcome.stored
    assert berlin.closures[0].episode_uuid == "e-paris"
    opened = reopen(berlin, "e-paris")
    assert (span(opened), opened.expired_at, opened.closures) == ((2010, OPEN_END), OPEN_END, ())


def test_repetitions_chain_to_the_stored_fact() -> None:
    """a repeats b, b repeats the stored one: one fact with three episodes, and what b ends it ends too."""
    new = [fact("b", 2012), fact("a", 2013)]
    verdicts = [
        Verdict(0, "stored", REPEATS),
        Verdict(1, "b", REPEATS),
        Verdict(1, "old", SUPERSEDES),
    ]
    outcome = apply_verdicts(new, [fact("stored", 2011), fact("old", 2000)], verdicts, now=NOW)
    assert outcome.stored == ()
    assert outcome.repeated_by == {"a": "stored", "b": "stored"}
    stored, old = outcome.changed
    assert stored.episodes == ("e-stored", "e-b", "e-a")
    assert span(old) == (2000, 2011)


def test_a_repetition_of_both_does_not_contradict_itself() -> None:
    """A model that calls a fact repeated and superseded at once must not end it."""
    outcome = apply_verdicts(
        [fact("n", 2012)],
        [fact("c", 2010)],
        [Verdict(0, "c", REPEATS), Verdict(0, "c", SUPERSEDES)],
        now=NOW,
    )
    assert [span(one) for one in outcome.changed] == [(2010, OPEN_END)]


def test_mutual_contradiction_in_a_batch_leaves_the_later_one() -> None:
    """Two facts of one episode that each end the other: not both may go."""
    new = [fact("a", 2010), fact("b", 2010)]
    outcome = apply_verdicts(new, [], [Verdict(0, "b", SUPERSEDES), Verdict(1, "a", SUPERSEDES)], now=NOW)
    assert [span(one) for one in outcome.stored] == [(2010, 2010), (2010, OPEN_END)]


def test_removing_a_closure_leaves_the_others() -> None:
    """Whichever of two episodes that ended a fact is removed, the other's end holds."""
    for order in permutations([("e-1", 2015), ("e-2", 2018)]):
        closed = fact("x", 2010)
        for now, (episode, end) in enumerate(order, 100):
            closed = close(closed, end, episode, now=now)
        assert span(closed) == (2010, 2015)
        assert span(reopen(closed, "e-1")) == (2010, 2018)
        assert span(reopen(closed, "e-2")) == (2010, 2015)
        assert span(reopen(reopen(closed, "e-1"), "e-2")) == (2010, OPEN_END)


def test_a_closure_outlives_an_episode_whose_fact_does() -> None:
    """The fact that ended another is still told by a second episode: it stays ended, in that one's name."""
    closed = close(fact("berlin", 2010), 2015, "e-1", "paris", now=100)
    heir = replace(fact("paris", 2015), episodes=("e-1", "e-2"))
    kept = reopen(closed, "e-1", [heir])
    assert span(kept) == (2010, 2015)
    assert span(reopen(kept, "e-2")) == (2010, OPEN_END)


TIMES = st.integers(0, 12)


@st.composite
def facts(draw: st.DrawFn, name: str, count: int) -> list[DatedFact]:
    made: list[DatedFact] = []
    for number in range(count):
        begins = draw(st.one_of(st.just(OPEN_START), TIMES))
        ends = draw(st.one_of(st.just(OPEN_END), st.integers(13, 20)))
        stated = draw(TIMES)
        made.append(DatedFact(f"{name}{number}", begins, ends, stated, (f"e-{name}{number}",)))
    return made


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[DatedFact], list[DatedFact], list[Verdict[str]]]:
    new = draw(facts("n", draw(st.integers(1, 4))))
    stored = draw(facts("s", draw(st.integers(0, 4))))
    names = [one.uuid for one in (*stored, *new)]
    verdicts = draw(
        st.lists(
            st.builds(
                Verdict,
                st.integers(0, len(new) - 1),
                st.sampled_from(names),
                st.sampled_from(VerdictKind),
            ),
            max_size=10,
        )
    )
    return new, stored, verdicts


def applied(
    new: Sequence[DatedFact], stored: Sequence[DatedFact], verdicts: Sequence[Verdict[str]]
) -> Outcome:
    return apply_verdicts(new, stored, verdicts, now=NOW)


@given(batches(), st.randoms(use_true_random=False))
def test_the_order_of_judgements_does_not_matter(
    batch: tuple[list[DatedFact], list[DatedFact], list[Verdict[str]]], random: object
) -> None:
    """A model lists them as it likes."""
    new, stored, verdicts = batch
    shuffled = list(verdicts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert applied(new, stored, shuffled) == applied(new, stored, verdicts)


@given(batches())
def test_nothing_is_lost_and_ends_only_come_earlier(
    batch: tuple[list[DatedFact], list[DatedFact], list[Verdict[str]]],
) -> None:
    """Every new fact is stored or repeats one that is; no fact ends before it begins or later than before;
    every end that moved has its closure."""
    new, stored, verdicts = batch
    outcome = applied(new, stored, verdicts)
    assert {one.uuid for one in outcome.stored} | set(outcome.repeated_by) == {one.uuid for one in new}
    there = {one.uuid for one in (*outcome.stored, *stored)}
    assert set(outcome.repeated_by.values()) <= there
    before = {one.uuid: one for one in (*new, *stored)}
    for one in (*outcome.stored, *outcome.changed):
        assert one.valid_at <= one.invalid_at <= before[one.uuid].invalid_at
        assert bool(one.closures) >= (one.invalid_at != before[one.uuid].invalid_at)
        assert (one.expired_at == OPEN_END) == (one.invalid_at == OPEN_END)


@given(batches())
def test_removing_every_cause_restores_every_end(
    batch: tuple[list[DatedFact], list[DatedFact], list[Verdict[str]]],
) -> None:
    """In any order of removal: what an episode ended is as it was, what it said itself apart."""
    new, stored, verdicts = batch
    before = {one.uuid: one.invalid_at for one in (*new, *stored)}
    outcome = applied(new, stored, verdicts)
    causes = [episode for one in (*new, *stored) for episode in one.episodes]
    for one in (*outcome.stored, *outcome.changed):
        for order in (causes, causes[::-1]):
            opened = one
            for episode in order:
                opened = reopen(opened, episode)
            assert opened.invalid_at == before[one.uuid]
            assert opened.closures == ()


@given(
    st.lists(st.tuples(st.integers(5, 30), st.sampled_from("abcdef")), max_size=8), st.sampled_from("abcdef")
)
def test_removal_is_as_if_the_episode_had_never_been(ends: list[tuple[int, str]], gone: str) -> None:
    """The end after a removal is the end without its closures from the start, in any order of closing; and
    what was known at each moment before stays what it was, as long as nothing is removed."""
    closed = without = fact("x", 1)
    known: list[int] = []
    for now, (end, episode) in enumerate(ends):
        closed = close(closed, end, episode, now=now)
        if episode != gone:
            without = close(without, end, episode, now=now)
        known.append(closed.invalid_at)
    assert reopen(closed, gone).invalid_at == without.invalid_at
    for now, end in enumerate(known):
        later = next((one for one in closed.closures if one.closed_at > now), None)
        assert (closed.invalid_at if later is None else later.previous_end) == end
    assert [one.closed_at for one in closed.closures] == sorted(one.closed_at for one in closed.closures)


def test_a_corrected_date_moves_what_the_fact_had_ended() -> None:
    """Berlin until Munich in June; no, Munich in September: Berlin until then. Taken back, June again."""
    berlin = close(fact("berlin", 2010), 2016, "e-june", "june", now=100)
    outcome = apply_verdicts(
        [fact("september", 2019, stated=2020)],
        [fact("june", 2016), berlin],
        [Verdict(0, "june", CORRECTS)],
        now=NOW,
    )
    june, moved = outcome.changed
    assert (span(june), span(moved)) == ((2016, 2016), (2010, 2019))
    assert [one.closed_at for one in moved.closures] == [100, NOW]
    assert moved.closures[1].previous_end == 2016, "what was known between is told"
    assert reopen(moved, "e-september") == berlin
    assert span(reopen(moved, "e-june")) == (2010, 2019)
    assert span(reopen(reopen(moved, "e-june"), "e-september")) == (2010, OPEN_END)


def test_a_correction_leaves_what_others_have_ended() -> None:
    """Whichever closure is removed afterwards, the others hold."""
    berlin = fact("berlin", 2010)
    for now, (end, name) in enumerate([(2018, "rome"), (2016, "june"), (2017, "oslo")], 100):
        berlin = close(berlin, end, f"e-{name}", name, now=now)
    outcome = apply_verdicts(
        [fact("september", 2019, stated=2020)],
        [fact("june", 2016), berlin],
        [Verdict(0, "june", CORRECTS)],
        now=NOW,
    )
    moved = outcome.changed[1]
    assert span(moved) == (2010, 2017)
    for gone, end in (("june", 2017), ("oslo", 2018), ("rome", 2017), ("september", 2016)):
        assert span(reopen(moved, f"e-{gone}")) == (2010, end), gone
    assert span(reopen(reopen(moved, "e-oslo"), "e-rome")) == (2010, 2019)
    assert span(reopen(reopen(moved, "e-september"), "e-june")) == (2010, 2017)


def test_a_fact_that_was_never_so_and_tells_no_start_holds_at_no_time() -> None:
    """Its end is a time that can be told; OPEN_START would be read as open."""
    outcome = apply_verdicts(
        [fact("milan", stated=2020)], [fact("rome", stated=2019)], [Verdict(0, "rome", CORRECTS)], now=NOW
    )
    (rome,) = outcome.changed
    assert span(rome) == (OPEN_START, NEVER)
    assert not ever_held(rome.valid_at, rome.invalid_at)
    assert span(reopen(rome, "e-milan")) == (OPEN_START, OPEN_END)


def test_what_was_over_when_it_was_told_ends_nothing() -> None:
    """ "She lived in Rome until 2012", told in 2020, does not end where she lives since 2010."""
    over = fact("rome", ends=2012, stated=2020)
    for begins, rome_ends in ((2010, 2010), (2015, 2012)):
        verdict = Verdict(0, "berlin", SUPERSEDES)
        outcome = apply_verdicts([over], [fact("berlin", begins)], [verdict], now=NOW)
        assert outcome.changed == ()
        assert [span(one) for one in outcome.stored] == [(OPEN_START, rome_ends)]
    both = apply_verdicts(
        [over], [fact("oslo", ends=2005, stated=2019)], [Verdict(0, "oslo", SUPERSEDES)], now=NOW
    )
    assert (both.changed, span(both.stored[0])) == ((), (OPEN_START, 2012))


def test_an_heir_without_a_start_ends_the_fact_where_others_stated_it_first() -> None:
    closed = close(fact("berlin", 2010), 2015, "e-1", "paris", now=100)
    heir = DatedFact("paris", stated_at=2018, episodes=("e-2",))
    moved = reopen(closed, "e-1", [heir])
    assert (span(moved), moved.closures[0].episode_uuid) == ((2010, 2018), "e-2")
    assert span(reopen(closed, "e-1", [replace(heir, uuid="other")])) == (2010, OPEN_END)


def test_a_fact_that_is_told_again_and_again_closes_once() -> None:
    """Closures are bounded by the facts that contradict, not by how often they are told."""
    closed = fact("berlin", 2010)
    for number in range(5):
        closed = close(closed, 2015, f"e-{number}", "paris", now=100 + number)
    assert len(closed.closures) == 1


@given(
    st.lists(st.tuples(st.integers(5, 30), st.sampled_from("abcdef")), min_size=1, max_size=6),
    st.integers(5, 40),
    st.data(),
)
def test_a_correction_that_is_removed_leaves_no_trace(
    ends: list[tuple[int, str]], begins: int, data: st.DataObject
) -> None:
    """Whatever was ended by whom and when: with the correction's episode goes all that it did."""
    closed = fact("x", 1)
    for now, (end, name) in enumerate(ends):
        closed = close(closed, end, f"e-{name}", name, now=now)
    wrong = data.draw(st.sampled_from(sorted({one.fact_uuid for one in closed.closures})))
    by = fact("by", begins)
    moved = with_corrected_ends(closed, {wrong: (by, "e-by")}, NOW)
    others = [end for end, name in ends if name != wrong]
    assert moved.invalid_at == min([*others, begins])
    assert reopen(moved, "e-by").invalid_at == closed.invalid_at
    without = reopen(moved, f"e-{wrong}")
    assert without.invalid_at == min([*others, begins])
    for gone in {name for _, name in ends} - {wrong}:
        left = [end for end, name in ends if name not in (wrong, gone)]
        assert reopen(moved, f"e-{gone}").invalid_at == min([*left, begins])
    times = [one.closed_at for one in moved.closures]
    assert times == sorted(times)
