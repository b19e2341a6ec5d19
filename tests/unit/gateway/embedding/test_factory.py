"""Settings to embedder."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.embedding.errors import EmbedderDisabled, EmbedderSetupInvalid, EmbeddingError
from gateway.embedding.factory import EmbedderSettings, make_embedder
from gateway.embedding.port import EmbeddingModel
from tests.fakes.openai_server import FakeOpenAI


def soon() -> float:
    return time.monotonic() + 30


async def test_none_makes_no_vectors(tmp_path: Path) -> None:
    """Guards: without an embedder the caller learns what to do; no texts, no error."""
    embedder = make_embedder(EmbedderSettings("none", tmp_path))
    await embedder.start()
    assert embedder.model is None
    assert await embedder.embed([], deadline=soon()) == []
    with pytest.raises(EmbedderDisabled, match="send the vectors or configure an embedder"):
        await embedder.embed(["a"], deadline=soon())
    await embedder.close()


async def test_openai_end_to_end(tmp_path: Path) -> None:
    """Guards: the settings reach the provider: key, base URL, model, dimension; equal texts are sent once."""
    with FakeOpenAI() as server:
        embedder = make_embedder(
            EmbedderSettings(
                "openai", tmp_path, model="m", base_url=server.base_url, api_key=server.api_key, dimension=16
            )
        )
        await embedder.start()
        first = await embedder.embed(["a", "a"], deadline=soon())
        again = await embedder.embed(["a"], deadline=soon())
        await embedder.close()
    assert embedder.model == EmbeddingModel("m", 16)
    np.testing.assert_array_equal(first[0], again[0])
    assert [(request.inputs, request.body["model"]) for request in server.requests] == [(["a"], "m")]


async def test_local_end_to_end(graph_cache_dir: Path) -> None:
    """Guards: the default embedder works without key and network."""
    embedder = make_embedder(EmbedderSettings("local", graph_cache_dir))
    await embedder.start()
    assert embedder.model is not None
    vectors = await embedder.embed(["a", "b", "a"], deadline=soon())
    await embedder.close()
    assert [vector.shape for vector in vectors] == [(embedder.model.dimension,)] * 3
    np.testing.assert_array_equal(vectors[0], vectors[2])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "local", "model": "text-embedding-3-small"}, "use all-MiniLM-L6-v2"),
        ({"kind": "local", "dimension": 1536}, "use 384"),
        ({"kind": "openai"}, "set the key"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    """Guards: a setting that the embedder cannot honour is refused at the start, with the remedy."""
    with pytest.raises(EmbedderSetupInvalid, match=words):
        make_embedder(EmbedderSettings(cache_dir=tmp_path, **settings))


def test_key_is_not_shown(tmp_path: Path) -> None:
    """Guards: settings can be logged without the key."""
    assert "sk-secret" not in repr(EmbedderSettings("openai", tmp_path, api_key="sk-secret"))


@pytest.mark.parametrize("kind", ["none", "local"])
def test_unused_libraries_are_not_imported(kind: str, tmp_path: Path) -> None:
    """Guards: memory at rest: making an embedder imports nothing that another kind or the start needs."""
    script = (
        "import sys; from pathlib import Path; from gateway.embedding.factory import *;"
        f"make_embedder(EmbedderSettings({kind!r}, Path({str(tmp_path)!r})));"
        "print([name for name in ('openai', 'httpx2', 'onnx', 'onnxruntime', 'tokenizers', 'safetensors')"
        "if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_reasons_are_stable_and_distinct() -> None:
    """Guards: programs can tell errors apart by `reason`, which is part of the public error model."""
    kinds = EmbeddingError.__subclasses__()
    assert len({kind.reason for kind in kinds}) == len(kinds)
    assert {kind.__name__ for kind in kinds if kind.retryable} == {
        "EmbedderUnavailable",
        "EmbedderRateLimited",
        "EmbedderTimeout",
        "EmbedderOverloaded",
    }
