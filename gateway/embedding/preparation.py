"""What every embedder does to texts before and to vectors after: clean, cut into requests, normalise."""

from collections.abc import Sequence

import numpy as np

from gateway.embedding.errors import EmbedderAnswerInvalid, EmbeddingTextInvalid
from gateway.embedding.port import Matrix

BYTES_PER_TOKEN = 3
"""Of UTF-8. Prose has more (about 4.5 in English), so that real counts stay below the estimate; dense text
(code, numbers, Chinese) has about this many."""


def clean_text(text: str) -> str:
    """The text as valid Unicode: surrogate pairs are joined, a lone surrogate becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean_texts(texts: Sequence[str]) -> list[str]:
    """All texts cleaned. Raises EmbeddingTextInvalid if one is blank: it has no meaning to embed."""
    cleaned = [clean_text(text) for text in texts]
    for position, text in enumerate(cleaned):
        if not text or text.isspace():
            raise EmbeddingTextInvalid(f"text {position} of {len(texts)} is blank", "leave it out")
    return cleaned


def tokens_estimate(text: str) -> int:
    """Tokens that a provider may count for the text, rather too many than too few."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return -(-size // BYTES_PER_TOKEN)


def request_slices(texts: Sequence[str], *, inputs_max: int, tokens_max: int) -> list[slice]:
    """Consecutive slices that cover `texts`, each within both limits; a text over tokens_max goes alone."""
    slices: list[slice] = []
    start = tokens = 0
    for position, text in enumerate(texts):
        estimate = tokens_estimate(text)
        if position > start and (position - start >= inputs_max or tokens + estimate > tokens_max):
            slices.append(slice(start, position))
            start, tokens = position, 0
        tokens += estimate
    if start < len(texts):
        slices.append(slice(start, len(texts)))
    return slices


def unit_rows(matrix: Matrix, *, model: str, dimension: int) -> Matrix:
    """The rows scaled to L2 norm 1, read-only. `dimension` 0 accepts any.

    Raises EmbedderAnswerInvalid for another dimension and for zero and non-finite rows: such a vector has no
    direction, so that every similarity with it would be made up.
    """
    if matrix.shape[1] != (dimension or matrix.shape[1]) or matrix.shape[1] == 0:
        raise EmbedderAnswerInvalid(
            model, f"vectors of dimension {matrix.shape[1]} where {dimension} is expected"
        )
    # In double precision the square of the largest and of the smallest float32 neither overflow nor vanish.
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if bad.size:
        kind = "a zero vector" if norms[bad[0]] == 0 else "a non-finite vector"
        raise EmbedderAnswerInvalid(model, f"{kind} for text {bad[0]} of {len(matrix)}")
    unit = np.empty(matrix.shape, np.float32)
    np.divide(matrix, norms[:, np.newaxis], out=unit, casting="same_kind")
    unit.setflags(write=False)
    return unit
