"""Vectors of texts: made once by the local model, then read from a file in the cache."""

import asyncio
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.embedding.local_embedder import LocalEmbedder
from gateway.embedding.port import EmbeddingModel

_KEY_BYTES = 16
_CHUNK_TEXTS = 64
"""Texts that are embedded, and saved, at a time: an interrupted run loses no more."""
_CHUNK_TIMEOUT_S = 120.0
_MODELS_MAX = 2
"""Models that compute side by side, one thread each; more gave nothing."""

type Progress = Callable[[int], None]
"""Told how many more texts have their vector."""


class VectorTable:
    """Vectors by text."""

    def __init__(self, vectors: dict[bytes, npt.NDArray[np.float32]]) -> None:
        self._vectors = vectors

    def of(self, text: str) -> list[float]:
        """The text's vector, L2 norm 1. Raises KeyError if it was not made."""
        return self._vectors[_key(text)].tolist()


class VectorFile:
    """Vectors of one model on disk, appended as they are made.

    A record is the text's digest (16 bytes) and its vector (little-endian float32); a record that was cut off
    by a crash is dropped at the next opening.
    """

    def __init__(self, cache_dir: Path, model: EmbeddingModel) -> None:
        self._file = cache_dir / f"corpus-{model.name}-{model.revision}.vectors"
        self._record: np.dtype[Any] = np.dtype(
            [("key", f"V{_KEY_BYTES}"), ("vector", "<f4", (model.dimension,))]
        )

    def load(self) -> dict[bytes, npt.NDArray[np.float32]]:
        """Every vector by the digest of its text."""
        if not self._file.exists():
            return {}
        whole = self._file.stat().st_size // self._record.itemsize
        records = np.fromfile(self._file, self._record, count=whole)
        return {key.tobytes(): vector for key, vector in zip(records["key"], records["vector"], strict=True)}

    def append(self, texts: Sequence[str], vectors: Sequence[npt.NDArray[np.float32]]) -> None:
        """Adds the vectors of the texts; safe for several processes."""
        records = np.empty(len(texts), self._record)
        for place, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
            records[place] = (_key(text), vector)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Behind a record that was cut off every later one would be out of step.
            end = os.fstat(file.fileno()).st_size
            file.truncate(end - end % self._record.itemsize)
            file.write(records.tobytes())


async def embed_all(
    texts: Iterable[str], cache_dir: Path, *, on_start: Progress, on_progress: Progress
) -> VectorTable:
    """Vectors of all texts. `on_start` is told how many have to be made.

    Raises EmbeddingError when the local model is not installed or fails.
    """
    embedder = LocalEmbedder.minilm(cache_dir=cache_dir)
    embedders = [embedder]
    try:
        await embedder.start()
        file = VectorFile(cache_dir, embedder.model)
        known = file.load()
        missing = [text for text in dict.fromkeys(texts) if _key(text) not in known]
        on_start(len(missing))
        # Of one length together: a batch is padded to its longest text.
        missing.sort(key=len)
        chunks = [missing[first : first + _CHUNK_TEXTS] for first in range(0, len(missing), _CHUNK_TEXTS)]
        more = min(_MODELS_MAX, os.cpu_count() or 1, len(chunks)) - 1
        embedders += [LocalEmbedder.minilm(cache_dir=cache_dir) for _ in range(more)]

        async def work(model: LocalEmbedder) -> None:
            while chunks:
                chunk = chunks.pop()
                vectors = await model.embed(chunk, deadline=time.monotonic() + _CHUNK_TIMEOUT_S)
                file.append(chunk, vectors)
                known.update((_key(text), vector) for text, vector in zip(chunk, vectors, strict=True))
                on_progress(len(chunk))

        async with asyncio.TaskGroup() as group:
            for model in embedders:
                group.create_task(work(model))
    finally:
        await asyncio.gather(*(model.close() for model in embedders))
    return VectorTable(known)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).digest()
