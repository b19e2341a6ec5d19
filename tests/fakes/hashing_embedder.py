"""An embedder without a model: equal words give nearby vectors, the same on every run."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from gateway.embedding.port import EmbeddingModel, Vector

DIMENSION = 32


class HashingEmbedder:
    """A bag of hashed words. Counts what it was asked for in `texts_embedded`."""

    def __init__(self) -> None:
        self.texts_embedded = 0

    @property
    def model(self) -> EmbeddingModel:
        return EmbeddingModel("hashing", DIMENSION, "1")

    async def start(self) -> None:
        """Nothing to load."""

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        self.texts_embedded += len(texts)
        return [hashed(text) for text in texts]

    async def close(self) -> None:
        """Nothing to free."""


def hashed(text: str) -> Vector:
    """Sum of one pseudo-random unit direction per word, normalised."""
    total = np.full(DIMENSION, 1e-3)
    for word in text.lower().split():
        seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
        total += np.random.default_rng(seed).standard_normal(DIMENSION)
    return (total / np.linalg.norm(total)).astype(np.float32)
