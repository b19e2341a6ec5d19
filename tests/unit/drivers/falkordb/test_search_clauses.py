"""Fulltext clauses and the specs that fit a query."""

import re

import pytest

from drivers.falkordb.search import fitting_spec, groups_clause, is_token, terms_clause
from drivers.fence import EmbeddingSpec
from drivers.fence_codec import encode_embeddings
from drivers.graph_model import Kind
from drivers.group_key import group_key

OPERATORS = " \t\n\r\0|-~*%@:()[]{}\"'$=><!&^\\/;,.?#+_`"


@pytest.mark.parametrize("sign", OPERATORS)
def test_a_sign_of_the_query_language_is_no_part_of_a_token(sign: str) -> None:
    """Alone, in front, amid and behind: a term with one is refused by name."""
    for term in (sign, f"{sign}a", f"a{sign}b", f"a{sign}"):
        assert not is_token(term)
        with pytest.raises(ValueError, match="no token"):
            terms_clause(("fine", term))


@pytest.mark.parametrize(
    "term", ["a", "2018", "word", "straße", "日本", "ไท", "हिन्दी", "и\u0306", "ﬁ", "a1b2", "和"]
)
def test_words_of_any_script_are_tokens(term: str) -> None:
    """Letters, digits and the marks that belong to them."""
    assert is_token(term)


def test_clauses_quote_every_word() -> None:
    """A bare word would be stemmed; the groups' clause has no weight."""
    assert terms_clause(("run", "日本")) == '@terms:("run"|"日本")'
    keys = f'"{group_key("a")}"|"{group_key("b")}"'
    assert groups_clause(("a", "b")) == f"@group_key:({keys})=>{{$weight:0}} "


@pytest.mark.parametrize(
    "model", ["m", 'a"b', "a\\", 'x",384,"","vector"]', "[384]", "é\n", '"ENTITY":["m",3']
)
def test_only_the_spec_of_this_kind_dimension_and_slot_fits(model: str) -> None:
    """Whatever a model and its revision are called."""

    def fits(kind: Kind, dimension: int, slot: str) -> bool:
        text = encode_embeddings(
            {
                Kind.ENTITY: EmbeddingSpec(model, 384, revision=model),
                Kind.FACT: EmbeddingSpec(model, 3, slot="vector_x"),
            }
        )
        return re.search(fitting_spec(kind, dimension, slot), text) is not None

    assert fits(Kind.ENTITY, 384, "vector")
    assert fits(Kind.FACT, 3, "vector_x")
    assert not fits(Kind.ENTITY, 3, "vector")
    assert not fits(Kind.ENTITY, 38, "vector")
    assert not fits(Kind.ENTITY, 384, "vector_x")
    assert not fits(Kind.FACT, 384, "vector")
    assert not fits(Kind.EPISODE, 384, "vector")
