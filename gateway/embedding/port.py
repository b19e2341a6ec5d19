"""The port that search and ingestion ask for vectors, whoever makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

type Vector = npt.NDArray[np.float32]
"""Shape (dimension,), L2 norm 1; may be read-only and shared between callers."""

type Matrix = npt.NDArray[np.float32]
"""Shape (texts, dimension): one row for each text."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """Vectors may be compared only if all three fields are equal."""

    name: str
    dimension: int
    """0 while it is still to be learnt from the provider's first answer."""
    revision: str = ""
    """First 12 hex digits of the weights' sha256; empty where the provider does not tell."""


class Embedder(Protocol):
    """Makes one L2-normalised float32 vector for each text. Safe to share between tasks of one loop."""

    @property
    def model(self) -> EmbeddingModel | None:
        """None for the embedder that makes none. Complete (dimension, revision) once start() has returned."""
        ...

    async def start(self) -> None:
        """Loads the model or learns the dimension. Idempotent; embed() does it too if it was not called.

        Raises EmbeddingError.
        """
        ...

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        """One vector for each text, in the order of the texts; no text gives an empty list.

        `deadline` is in seconds of time.monotonic(). Raises EmbeddingError: all vectors or none.
        """
        ...

    async def close(self) -> None:
        """Frees threads and connections. Calls that still wait get EmbedderUnavailable. Idempotent."""
        ...
