"""Rows of the search benchmark."""

from gateway.bench.search.rows import RowSet
from gateway.corpus.dataset import Dataset, Passage, Triple


def dataset() -> Dataset:
    """20 entities, 20 facts."""
    names = [f"Name {number}" for number in range(20)]
    triples = tuple(Triple(names[n], "knows", names[(n + 1) % 20]) for n in range(20))
    return Dataset((Passage("Title", "text", tuple(names), triples, 0),), ())


def test_groups_of_one_size_take_turns_through_the_set() -> None:
    """Different groups have different facts as long as there are enough, and every end is in its group."""
    rows = RowSet(dataset(), 20, entities=20)
    groups = [rows.group(8, number) for number in range(3)]
    assert len({fact.uuid for group in groups[:2] for fact in group.facts}) == 16
    assert [fact.uuid for fact in groups[2].facts[4:]] == [fact.uuid for fact in groups[0].facts[:4]]
    for group in groups:
        ends = {end for fact in group.facts for end in (fact.source_uuid, fact.target_uuid)}
        assert {entity.uuid for entity in group.entities} == ends


def test_groups_without_facts() -> None:
    """So many entities, from the start again at the end of the set."""
    rows = RowSet(dataset(), 20, entities=20)
    assert [len(rows.entities(12, number).entities) for number in range(3)] == [12, 12, 12]
    assert rows.entities(12, 0).facts == []


def test_facts_lie_between_the_entities_of_a_group() -> None:
    """Of a group that is made from its entities."""
    group = RowSet(dataset(), 20, entities=20).with_entities(5, 100)
    names = {entity.uuid for entity in group.entities}
    assert len(names) == 5
    assert group.facts
    assert all({fact.source_uuid, fact.target_uuid} <= names for fact in group.facts)
