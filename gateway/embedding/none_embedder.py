"""The embedder of a gateway whose callers bring their own vectors."""

from collections.abc import Sequence

from gateway.embedding.errors import EmbedderDisabled
from gateway.embedding.port import Vector


class NoneEmbedder:
    """Makes no vectors: `model` is None and every text is refused with EmbedderDisabled."""

    model = None

    async def start(self) -> None:
        """Nothing to load."""

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        """Raises EmbedderDisabled unless `texts` is empty."""
        if texts:
            raise EmbedderDisabled(len(texts))
        return []

    async def close(self) -> None:
        """Nothing to free."""
