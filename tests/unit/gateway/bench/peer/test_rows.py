"""The rows that both sides of the comparison load."""

import pytest

from gateway.bench.peer.rows import PeerRows, peer_rows
from gateway.corpus.dataset import Dataset, Passage, Triple, load_dataset
from gateway.corpus.graph_rows import build_groups, normalised


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset().first(60)


@pytest.fixture(scope="module")
def rows(dataset: Dataset) -> PeerRows:
    """More of both than the passages have."""
    return peer_rows(dataset, 1_200, 3_000)


def test_there_are_as_many_rows_as_asked_for(rows: PeerRows) -> None:
    """Figures are given for that many entities and facts."""
    assert (len(rows.entities), len(rows.facts)) == (1_200, 3_000)
    assert rows.recombined_entities > 0
    assert rows.recombined_facts > 0


def test_no_text_and_no_uuid_is_there_twice(rows: PeerRows) -> None:
    """Equal texts have equal vectors: ties among the best ten would make the comparison of rankings vague."""
    assert len({normalised(entity.name) for entity in rows.entities}) == 1_200
    assert len({fact.fact for fact in rows.facts}) == 3_000
    assert len({row.uuid for row in (*rows.entities, *rows.facts)}) == 4_200


def test_facts_lie_between_the_entities(rows: PeerRows) -> None:
    """A fact whose end is missing is refused by graphgate and silently dropped by the peer."""
    uuids = {entity.uuid for entity in rows.entities}
    assert all({fact.source_uuid, fact.target_uuid} <= uuids for fact in rows.facts)


def test_the_same_numbers_give_the_same_rows(dataset: Dataset, rows: PeerRows) -> None:
    """Vectors are found in the cache by their texts, and two runs compare."""
    assert peer_rows(dataset, 1_200, 3_000) == rows


def test_real_rows_come_first(dataset: Dataset) -> None:
    """As long as the data has enough, nothing is made up."""
    (graph,) = build_groups(dataset, 1)
    few = peer_rows(dataset, 300, 100)
    assert tuple(few.entities) == graph.entities[:300]
    assert set(few.facts) <= set(graph.facts)
    assert (few.recombined_entities, few.recombined_facts) == (0, 0)


def test_a_recombined_fact_has_the_words_of_its_ends(rows: PeerRows) -> None:
    """Its text is a sentence of names and a predicate of the data, so that questions can find it."""
    names = {entity.uuid: entity.name for entity in rows.entities}
    predicates = {fact.name for fact in rows.facts[: -rows.recombined_facts]}
    for fact in rows.facts[-rows.recombined_facts :]:
        assert fact.fact.startswith(names[fact.source_uuid])
        assert fact.fact.endswith(names[fact.target_uuid])
        assert fact.name in predicates


@pytest.mark.parametrize(("entities", "facts"), [(2, 50), (50, 1)])
def test_data_that_cannot_be_recombined_so_far_is_refused(entities: int, facts: int) -> None:
    """Drawing combinations that do not exist would never end."""
    passage = Passage("t", "text", ("A", "B"), (Triple("A", "knows", "B"),), 0)
    with pytest.raises(ValueError, match="ask for fewer"):
        peer_rows(Dataset((passage,), ()), entities, facts)
