"""The graph that is made of the passages."""

import uuid
from collections import Counter

import pytest

from gateway.corpus.dataset import Dataset, Passage, Triple, load_dataset
from gateway.corpus.graph_rows import NAME_CHARS_MAX, GroupGraph, build_groups, normalised, texts


@pytest.fixture(scope="module")
def groups() -> tuple[GroupGraph, ...]:
    return build_groups(load_dataset())


def _passage(title: str, entities: list[str], *triples: tuple[str, str, str]) -> Passage:
    return Passage(title, f"text of {title}", tuple(entities), tuple(Triple(*t) for t in triples), 0)


def _one_group(*passages: Passage) -> GroupGraph:
    (group,) = build_groups(Dataset(passages, ()), groups=1)
    return group


def test_consecutive_passages_share_a_group(groups: tuple[GroupGraph, ...]):
    """At least 40 groups, passage i in group i * groups // passages, every passage once."""
    assert len(groups) >= 40
    for number, group in enumerate(groups):
        for passage in group.passages:
            assert passage.index * len(groups) // 1_890 == number
    assert [p.index for group in groups for p in group.passages] == list(range(1_890))


def test_every_well_formed_triple_is_one_fact(groups: tuple[GroupGraph, ...]):
    """17,234 triples are 17,234 facts, repeats within a passage included."""
    assert sum(len(group.facts) for group in groups) == 17_234
    assert sum(len(group.passages) for group in groups) == 1_890


def test_uuids_are_the_same_in_every_run(groups: tuple[GroupGraph, ...]):
    """Two layouts can be compared only if their rows have the same uuids."""
    assert build_groups(load_dataset()) == groups
    assert groups[0].passages[0].episode.uuid == "263d77ef-dae1-541b-aa5b-e7cd6cfccc72"


def test_uuids_are_canonical_and_unique(groups: tuple[GroupGraph, ...]):
    """The gateway refuses other forms, and a uuid twice would be one row."""
    found = Counter(
        row
        for group in groups
        for row in (
            *(entity.uuid for entity in group.entities),
            *(fact.uuid for fact in group.facts),
            *(passage.episode.uuid for passage in group.passages),
        )
    )
    assert max(found.values()) == 1
    assert all(str(uuid.UUID(text)) == text for text in found)


def test_an_entity_is_one_normalised_name_of_a_group(groups: tuple[GroupGraph, ...]):
    """Facts of several passages meet in an entity only if its name has one row."""
    for group in groups:
        names = [normalised(entity.name) for entity in group.entities]
        assert len(names) == len(set(names))
    group = _one_group(_passage("one", ["Ada  Lovelace"]), _passage("two", ["ADA LOVELACE", "Byron"]))
    assert [entity.name for entity in group.entities] == ["Ada Lovelace", "Byron"]


def test_the_ends_of_facts_are_entities_that_the_passage_mentions(groups: tuple[GroupGraph, ...]):
    """A subject or object that is no extracted entity becomes one: no fact is left out."""
    for group in groups:
        for passage in group.passages:
            mentioned = {entity.uuid for entity in passage.entities}
            for fact in passage.facts:
                assert {fact.source_uuid, fact.target_uuid} <= mentioned
    group = _one_group(_passage("one", ["a"], ("A", "knows", "b")))
    assert [entity.name for entity in group.entities] == ["a", "b"]
    assert group.facts[0].source_uuid == group.entities[0].uuid


def test_the_same_name_in_two_groups_is_two_entities():
    """Groups are tenants: nothing is shared between them."""
    dataset = Dataset((_passage("one", ["a"]), _passage("two", ["a"])), ())
    one, two = build_groups(dataset, groups=2)
    assert one.entities[0].name == two.entities[0].name
    assert one.entities[0].uuid != two.entities[0].uuid


def test_texts_fit_the_limits_of_the_api(groups: tuple[GroupGraph, ...]):
    """1 to 1,024 characters for names; no blank text, which has no vector."""
    for group in groups:
        assert all(1 <= len(entity.name) <= NAME_CHARS_MAX for entity in group.entities)
        assert all(1 <= len(fact.name) <= NAME_CHARS_MAX for fact in group.facts)
    assert all(text.strip() for text in texts(groups))


def test_a_fact_reads_as_its_triple_and_is_named_by_its_relation():
    """The fact's text is what is embedded and shown, its name what filters will ask for."""
    fact = _one_group(_passage("one", [], ("Ada", "worked with (in London)", "Babbage"))).facts[0]
    assert (fact.fact, fact.name) == ("Ada worked with (in London) Babbage", "WORKED_WITH_IN_LONDON")


def test_rows_counts_all_kinds():
    """The demo compares this with what the shards say they hold."""
    group = _one_group(_passage("one", ["a", "b"], ("a", "is", "b")), _passage("two", ["a"]))
    assert group.rows == 2 + 2 + 1 + 3
