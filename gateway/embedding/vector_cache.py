"""A memory-bounded cache of the vectors of texts seen before."""

import hashlib
from collections import OrderedDict

import numpy as np

from gateway.embedding.port import Vector

ENTRY_OVERHEAD_BYTES = 320
"""Measured, beside the vector's own numbers: key, array object, dictionary and list cells."""


class VectorCache:
    """Least recently used out first. Texts are kept as 128-bit digests only: a long text costs no more."""

    def __init__(self, bytes_max: int) -> None:
        """0 keeps nothing."""
        self._bytes_max = bytes_max
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, text: str) -> Vector | None:
        """The text's vector, now the most recently used; counts a hit or a miss."""
        key = _key(text)
        vector = self._vectors.get(key)
        if vector is None:
            self.misses += 1
            return None
        self._vectors.move_to_end(key)
        self.hits += 1
        return vector

    def put(self, text: str, vector: Vector) -> Vector:
        """Keeps a read-only copy and returns it; evicts until all entries fit."""
        # A row of a larger matrix would keep the whole matrix in memory.
        kept = np.array(vector, np.float32)
        kept.setflags(write=False)
        size = kept.nbytes + ENTRY_OVERHEAD_BYTES
        if size > self._bytes_max:
            return kept
        key = _key(text)
        replaced = self._vectors.pop(key, None)
        self.bytes += size - (0 if replaced is None else replaced.nbytes + ENTRY_OVERHEAD_BYTES)
        self._vectors[key] = kept
        while self.bytes > self._bytes_max:
            _, evicted = self._vectors.popitem(last=False)
            self.bytes -= evicted.nbytes + ENTRY_OVERHEAD_BYTES
        return kept

    def clear(self) -> None:
        self._vectors.clear()
        self.bytes = 0


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
