"""Who is who: what names settle, what the model is asked, and where facts go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.graph_model import Vector
from gateway.ingest.extraction import ExtractedFact
from gateway.ingest.resolution.likeness import Likeness, Named, NameIndex
from gateway.ingest.resolution.min_hash import PERMUTATIONS, MinHashIndex, signature
from gateway.ingest.resolution.names import jaccard, normalised, numbers, shingles
from gateway.ingest.resolution.resolve import (
    NewIs,
    Question,
    Survivor,
    answered,
    follow,
    plan_resolution,
    settle,
)
from gateway.ingest.resolution.union_find import UnionFind

NAMES = st.text(alphabet="abcd 1'-.", max_size=12)


def toward(*numbers: float) -> Vector:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ("Alice Smith", "alice  SMITH", Likeness.SAME),
        ("Smith, Alice", "Alice Smith", Likeness.SAME),
        ("O\u2019Neill", "ONeill", Likeness.SAME),
        ("Journal of Mathematical Physics", "Journal of Mathematical Physic", Likeness.SAME),
        ("Gadakh Tukaram Gangadhar", "Tukaram Gangadhar Gadakh", Likeness.SAME),
        ("6 August 1945", "August 6, 1945", Likeness.SAME),
        ("Southbank International School", "South Bank International School", Likeness.SAME),
        ("Samuel Taylor Coleridge", "Samuel Coleridge-Taylor", Likeness.NOMINATED),
        ("Direct civil disobedience", "Indirect civil disobedience", Likeness.NOMINATED),
        ("Republic of South Africa Post", "Republic of South African Post", Likeness.NOMINATED),
        ("Cornelius Vanderbilt Whitney", "Cornelius Vanderbilt Whitney Jr.", Likeness.NOMINATED),
        ("Ariarathes VII of Cappadocia", "Ariarathes VI of Cappadocia", Likeness.NONE),
        ("Karel Komz\u00e1k III", "Karel Komz\u00e1k II", Likeness.NONE),
        ("9", "-9", Likeness.NONE),
        ("Alice", "Alice Smith", Likeness.NOMINATED),
        ("Apollo", "Apollo 11", Likeness.NOMINATED),
        ("Apollo 11", "Apollo 13", Likeness.NONE),
        ("January 1960", "January 1961", Likeness.NONE),
        ("C", "C++", Likeness.NONE),
        ("Java", "Lava", Likeness.NONE),
        ("Alice Smith", "Alice Jones", Likeness.NONE),
        ("\u6771\u4eac", "\u6771\u4eac", Likeness.SAME),
        ("", "", Likeness.NONE),
        ("...", "!!!", Likeness.NONE),
    ],
)
def test_names_alone(one: str, other: str, likeness: Likeness) -> None:
    """What spelling may decide, and what it may not."""
    found = NameIndex([Named(other)]).nominees(Named(one))
    assert (found[0].likeness if found else Likeness.NONE) is likeness


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("apollo 11", ("11",)),
        ("world war ii", ("2",)),
        ("louis xiv of france", ("14",)),
        ("henry viii", ("8",)),
        ("xi jinping", ()),
        ("civic mix", ()),
        ("iiii", ()),
        ("a iiii", ()),
        ("b29 of 1944", ("29", "1944")),
    ],
)
def test_numbers_in_names(name: str, found: tuple[str, ...]) -> None:
    """Roman ones, too, but for the first word, which is rather a name."""
    assert numbers(name) == found


def test_vectors_nominate_and_never_decide() -> None:
    """A cosine of .8 is asked about; other numbers are other things however close, Roman ones as well."""
    wars = NameIndex([Named("World War II", "", toward(1, 0)), Named("World War I", "", toward(1, 0))])
    assert [one.position for one in wars.nominees(Named("World War 2", "", toward(1, 0)))] == [0]
    index = NameIndex([Named("New York City", "", toward(1, 0)), Named("Boeing 747", "", toward(1, 0.1))])
    found = index.nominees(Named("NYC", "", toward(1, 0.2)))
    assert [(one.position, one.likeness) for one in found] == [
        (1, Likeness.NOMINATED),
        (0, Likeness.NOMINATED),
    ]
    assert [one.position for one in index.nominees(Named("Boeing 737", "", toward(1, 0.1)))] == [0]
    assert index.nominees(Named("Oslo", "", toward(0, 1))) == []


def test_types_turn_a_certainty_into_a_question() -> None:
    """Java the island is not Java the language, but only a model can tell."""
    known = [Named("Java", "Place")]
    assert plan_resolution([Named("Java", "Language")], known).questions == (Question(0, (0,)),)
    assert plan_resolution([Named("Java", "")], known).same == (NewIs(0, 0, known=True),)


def test_several_known_ones_of_one_name_are_a_question() -> None:
    """Two people called Alex Kim: taking the first would be a guess."""
    plan = plan_resolution([Named("Alex Kim")], [Named("Alex Kim"), Named("Alex  Kim")])
    assert plan.same == ()
    assert plan.questions == (Question(0, (0, 1)),)


def test_chains_join_in_the_batch_and_with_the_graph() -> None:
    """Of five names of three episodes, four are one known person, by a name, a chain and an answer."""
    new = [Named("Alice Smith"), Named("alice smith"), Named("Alice"), Named("Oslo"), Named("Smith, Alice")]
    known = [Named("Bob"), Named("Alice Smith")]
    plan = plan_resolution(new, known)
    assert [question.new for question in plan.questions] == [2]
    (question,) = plan.questions
    resolution = settle(new, known, [*plan.same, answered(question, 0)])
    alice = Survivor(1, known=True)
    assert resolution.survivors == (alice, alice, alice, Survivor(3, known=False), alice)
    assert resolution.created == (3,)
    assert resolution.conflicts == ()


def test_known_entities_that_turn_out_to_be_one_are_told() -> None:
    """The graph is not rewritten behind its owner's back."""
    new, known = [Named("a")], [Named("x"), Named("y")]
    resolution = settle(new, known, [NewIs(0, 1, known=True), NewIs(0, 0, known=True)])
    assert resolution.survivors == (Survivor(0, known=True),)
    assert resolution.conflicts == ((0, 1),)


def test_facts_follow_the_survivors() -> None:
    """Equal statements of two episodes become one fact of both; a loop that only merging made is told."""
    new = [Named("Alice Smith"), Named("Oslo"), Named("Alice Smith"), Named("OSLO")]
    resolution = settle(new, [], plan_resolution(new, []).same)
    said = ExtractedFact(0, 1, "LIVES_IN", "Alice Smith lives in Oslo.")
    again = ExtractedFact(2, 3, "LIVES_IN", "Alice Smith lives in Oslo")
    dated = ExtractedFact(2, 3, "LIVES_IN", "Alice Smith lives in Oslo", valid_at=5)
    loop = ExtractedFact(0, 2, "KNOWS", "Alice Smith knows Alice Smith.")
    own = ExtractedFact(0, 0, "RESTS", "Alice Smith rests.")
    followed, looped = follow([(0, said), (1, again), (1, dated), (1, loop), (1, own)], resolution)
    assert [(one.episodes, one.fact.valid_at, one.fact.name) for one in followed] == [
        ((0, 1), said.valid_at, "LIVES_IN"),
        ((1,), 5, "LIVES_IN"),
        ((1,), own.valid_at, "RESTS"),
    ]
    assert [(one.fact, one.episode) for one in looped] == [(loop, 1)]


@given(st.lists(NAMES, max_size=12), st.lists(NAMES, max_size=6))
def test_every_entity_has_one_survivor_that_survives(names: list[str], of_graph: list[str]) -> None:
    """A survivor is known or stays itself, and equal names never part."""
    new, known = [Named(name) for name in names], [Named(name) for name in dict.fromkeys(of_graph)]
    plan = plan_resolution(new, known)
    resolution = settle(new, known, plan.same)
    asked = {question.new for question in plan.questions}
    assert not asked & {one.new for one in plan.same}
    for survivor in resolution.survivors:
        assert survivor.known or resolution.survivors[survivor.position] == survivor
    for one, first in enumerate(names):
        for other, second in enumerate(names):
            if normalised(first) == normalised(second) != "":
                assert resolution.survivors[one] == resolution.survivors[other]


@given(NAMES)
def test_normal_forms_are_stable(name: str) -> None:
    """Normalising twice changes nothing."""
    assert normalised(normalised(name)) == normalised(name)


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=30))
def test_sets_are_the_connected_components(pairs: list[tuple[int, int]]) -> None:
    """Against a flood over the pairs."""
    sets: UnionFind[int] = UnionFind(range(16))
    for one, other in pairs:
        sets.join(one, other)
    for start in range(16):
        reached, edge = {start}, [start]
        while edge:
            at = edge.pop()
            near = {b if a == at else a for a, b in pairs if at in (a, b)} - reached
            reached |= near
            edge += near
        assert next(set(one) for one in sets.sets() if start in one) == reached


SETS = st.frozensets(st.integers(0, 200).map(str), min_size=1, max_size=60)


@given(SETS, SETS)
def test_signatures_estimate_likeness(one: frozenset[str], other: frozenset[str]) -> None:
    """Equal sets have equal signatures; of unequal ones the share of equal places is near the likeness: five
    standard deviations of 32 draws."""
    equal = float(np.mean(signature(one) == signature(other)))
    likeness = jaccard(one, other)
    assert equal == 1.0 if one == other else abs(equal - likeness) <= 5 * 0.5 / PERMUTATIONS**0.5


@given(st.text(alphabet="abcdefghijklmnop ", min_size=30, max_size=60), st.integers(0, 29))
def test_names_that_are_alike_share_a_bucket(name: str, place: int) -> None:
    """What is as alike as the threshold is found, all but surely: the name itself always."""
    index: MinHashIndex[int] = MinHashIndex()
    index.add(0, shingles(name))
    assert index.alike(shingles(name)) == [0]
    longer = name[:place] + name[place] + name[place:]
    if jaccard(shingles(name), shingles(longer)) >= 0.97:
        assert index.alike(shingles(longer)) == [0]
