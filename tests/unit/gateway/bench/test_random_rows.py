"""Rows of the write benchmark."""

import numpy as np

from gateway.bench.random_rows import DIMENSION, RowSource


def test_a_round_is_as_many_rows_as_asked_for_in_whole_batches():
    """Rates are rows by time: the count has to be right."""
    made = RowSource(1).round(("a", "b"), rows=40, batch_rows=10)
    assert sorted(made) == ["a", "b"]
    for batches in made.values():
        assert [len(batch) for batch in batches.entities] == [10, 10]
        assert [len(batch) for batch in batches.facts] == [10, 10]


def test_facts_lie_between_entities_of_the_same_round():
    """A fact whose entity is not there is refused by the gateway and left out by the bare loop."""
    (batches,) = RowSource(1).round(("a",), rows=20, batch_rows=10).values()
    uuids = {entity.uuid for batch in batches.entities for entity in batch}
    assert len(uuids) == 20
    for batch in batches.facts:
        assert all({fact.source_uuid, fact.target_uuid} <= uuids for fact in batch)


def test_rows_have_unit_vectors_and_terms():
    """The variants that take rows as they are store what the gateway would compute."""
    (batches,) = RowSource(1).round(("a",), rows=10, batch_rows=10).values()
    for row in (*batches.entities[0], *batches.facts[0]):
        assert row.embedding is not None
        assert row.embedding.shape == (DIMENSION,)
        assert row.embedding.dtype == np.float32
        assert abs(float(np.linalg.norm(row.embedding)) - 1.0) < 1e-5
        assert len(row.terms.split()) == row.term_count > 0


def test_rounds_are_new_rows():
    """A second round that wrote the same rows would measure updates."""
    source = RowSource(1)
    assert source.entity().uuid != source.entity().uuid
