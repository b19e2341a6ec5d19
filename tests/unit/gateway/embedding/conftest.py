"""The local model, loaded once for all tests of this package."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.embedding.local_embedder import LocalEmbedder


@pytest.fixture(scope="session")
def graph_cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filled by the first embedder that starts on it."""
    return tmp_path_factory.mktemp("graph_cache")


@pytest.fixture(scope="session")
async def minilm(graph_cache_dir: Path) -> AsyncIterator[LocalEmbedder]:
    embedder = LocalEmbedder.minilm(cache_dir=graph_cache_dir)
    await embedder.start()
    yield embedder
    await embedder.close()
