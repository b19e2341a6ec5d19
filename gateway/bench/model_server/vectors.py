"""Vectors and relevance from words alone: deterministic, the same in every process."""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

WORDS_MAX = 100_000


def overlap(query: str, passage: str) -> float:
    """Share of the query's words that the passage has."""
    words = set(query.lower().split())
    return len(words & set(passage.lower().split())) / max(1, len(words))


def hashed_vector(text: str, dimension: int) -> npt.NDArray[np.float32]:
    """The sum of a pseudo-random direction for each word: texts that share words are close."""
    total = np.zeros(dimension, np.float64)
    for word in text.lower().split():
        total += _direction(word, dimension)
    return total.astype(np.float32)


@lru_cache(maxsize=WORDS_MAX)
def _direction(word: str, dimension: int) -> npt.NDArray[np.float64]:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
    direction = np.random.default_rng(seed).standard_normal(dimension)
    direction.setflags(write=False)
    return direction
