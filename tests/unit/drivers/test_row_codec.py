"""Rows as properties, and back."""

from drivers.graph_model import OPEN_END, Closure, Fact, Kind
from drivers.row_codec import COLUMNS, decode, encode

FACT = Fact(
    uuid="f",
    source_uuid="a",
    target_uuid="b",
    name="LIVES_IN",
    fact="Ada lives in Berlin",
    invalid_at=20,
    closures=(Closure(1, OPEN_END, "e-1", "paris"), Closure(2, 30, "e-2")),
)


def test_a_fact_comes_back_with_the_causes_of_its_ends() -> None:
    properties = dict(encode("g", FACT))
    found = decode(Kind.FACT, [properties.get(name) for name in COLUMNS[Kind.FACT]])
    assert isinstance(found, Fact)
    assert found.closures == FACT.closures


def test_a_fact_that_was_stored_before_ends_had_facts_is_read_without_them() -> None:
    properties = dict(encode("g", FACT))
    del properties["closure_fact"]
    found = decode(Kind.FACT, [properties.get(name) for name in COLUMNS[Kind.FACT]])
    assert isinstance(found, Fact)
    assert [(one.episode_uuid, one.fact_uuid) for one in found.closures] == [("e-1", ""), ("e-2", "")]
