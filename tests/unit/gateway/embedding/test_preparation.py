"""Texts before and vectors after the model."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from gateway.embedding.errors import EmbedderAnswerInvalid, EmbeddingTextInvalid
from gateway.embedding.preparation import (
    clean_text,
    clean_texts,
    request_slices,
    tokens_estimate,
    unit_rows,
)

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT)
def test_cleaned_text_is_valid_unicode(text: str) -> None:
    """Guards: no request fails to encode because of a lone surrogate, and valid text is not changed."""
    cleaned = clean_text(text)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert cleaned == text


def test_surrogates() -> None:
    """Guards: a pair is the character that it stands for, a lone half becomes U+FFFD."""
    assert clean_text("a\ud83d\ude00b") == "a\U0001f600b"
    assert clean_text("a\ud83db") == "a\ufffdb"


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000"])
def test_blank_text_is_refused_with_its_position(blank: str) -> None:
    """Guards: a text without meaning gets no vector, and the caller learns which one it was."""
    with pytest.raises(EmbeddingTextInvalid, match="text 1 of 3"):
        clean_texts(["a", blank, "b"])


@given(st.lists(st.text(max_size=60), max_size=60), st.integers(1, 10), st.integers(1, 40))
def test_request_slices_cover_everything_within_limits(
    texts: list[str], inputs_max: int, tokens_max: int
) -> None:
    """Guards: every text is sent once, in order, and no request breaks a limit that it could keep."""
    slices = request_slices(texts, inputs_max=inputs_max, tokens_max=tokens_max)
    assert [text for part in slices for text in texts[part]] == texts
    for part in slices:
        batch = texts[part]
        assert 1 <= len(batch) <= inputs_max
        assert len(batch) == 1 or sum(map(tokens_estimate, batch)) <= tokens_max


def test_token_estimate_is_no_less_than_four_characters_a_token() -> None:
    """Guards: a request cut by the estimate fits a provider that counts one token per four characters, or one
    per Chinese character."""
    assert tokens_estimate("abcd" * 300) >= 300
    assert tokens_estimate("\u4e2d" * 300) >= 300


FINITE_ROWS = st_numpy.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 8)),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@given(FINITE_ROWS)
def test_unit_rows_have_length_one_and_keep_their_direction(rows: np.ndarray) -> None:
    """Guards: every vector that leaves has L2 norm 1, from the smallest to the largest float32."""
    assume(rows.any(axis=1).all())
    unit = unit_rows(rows, model="m", dimension=rows.shape[1])
    assert unit.dtype == np.float32
    assert not unit.flags.writeable
    np.testing.assert_allclose(np.linalg.norm(unit.astype(np.float64), axis=1), 1.0, atol=1e-6)
    directions = rows.astype(np.float64) / np.abs(rows).max(axis=1, keepdims=True).astype(np.float64)
    cosines = (directions * unit).sum(axis=1) / np.linalg.norm(directions, axis=1)
    np.testing.assert_allclose(cosines, 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([0.0, 0.0], "zero vector"),
        ([1.0, np.nan], "non-finite"),
        ([np.inf, 1.0], "non-finite"),
        ([1.0, 2.0, 3.0], "dimension 3"),
    ],
)
def test_unusable_vectors_are_refused(row: list[float], words: str) -> None:
    """Guards: a vector without direction or of another dimension never reaches a database."""
    with pytest.raises(EmbedderAnswerInvalid, match=words):
        unit_rows(np.array([row], np.float32), model="m", dimension=2)
