"""The text of parameters."""

import numpy as np
import pytest

from drivers.falkordb.parameters import Parameter, Verbatim, literal, statement
from drivers.graph_model import INT64_MAX, INT64_MIN, Kind


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", '""'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("two\nlines", '"two\nlines"'),
        (Kind.FACT, '"FACT"'),
        (0, "0"),
        (INT64_MAX, "9223372036854775807"),
        (INT64_MIN, "-9223372036854775808"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (0.5, "0.5"),
        (1e-7, "1e-07"),
        (np.float64(0.25), "0.25"),
        ([], "[]"),
        (["a", 1, [True, None]], '["a",1,[true,null]]'),
        (("a", "b"), '["a","b"]'),
        ({}, "{}"),
        ({"a": "x", "b": [1]}, '{a:"x",b:[1]}'),
        (Verbatim("[1,2]"), "[1,2]"),
        (np.array([1, -0.0, 1e-7, 0.1], dtype=np.float32), "[1.0,-0.0,1e-7,0.1]"),
    ],
)
def test_each_type_has_its_literal(value: Parameter, text: str) -> None:
    """Strings are quoted, numbers decimal, lists and maps nest."""
    assert literal(value) == text


@pytest.mark.parametrize("value", [INT64_MAX + 1, INT64_MIN - 1, float("nan"), float("inf"), -float("inf")])
def test_what_has_no_literal_is_refused(value: Parameter) -> None:
    """The engine would saturate the integers and refuse the others after they were sent."""
    for nested in (value, [value], {"a": value}):
        with pytest.raises(AssertionError):
            literal(nested)


def test_a_vector_that_is_not_finite_is_refused() -> None:
    """Neither NaN nor an infinity is written as null."""
    for number in (np.nan, np.inf, -np.inf):
        with pytest.raises(AssertionError, match="finite"):
            literal(np.array([1, number], dtype=np.float32))


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800", "x\udfffy"])
def test_text_without_a_literal_is_refused(text: str) -> None:
    """NUL would end the query, a lone surrogate has no UTF-8: both are found wherever they hide."""
    for value in (text, [text], {"a": {"b": text}}, Verbatim(f'"{text}"')):
        with pytest.raises(AssertionError, match=r"NUL|surrogate"):
            statement("RETURN $p", {"p": value})


def test_a_statement_is_its_parameters_and_its_text() -> None:
    """The text stays as it is, which the engine's plan cache relies on."""
    assert statement("RETURN $a, $b", {"a": 1, "b": "é"}) == 'CYPHER a=1 b="é" RETURN $a, $b'.encode()
    assert statement("RETURN 1", {}) == b"RETURN 1"
