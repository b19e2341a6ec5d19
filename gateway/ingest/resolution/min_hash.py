"""Locality-sensitive hashing by MinHash: finds names that share most of their shingles without comparing all.

32 permutations in 8 bands of 4 rows: two sets of Jaccard likeness s fall into one bucket with probability
1 - (1 - s^4)^8 (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4.2): .9998 at s = .9, .19
at .4.
What is found is compared exactly afterwards, so that a false hit costs time only.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

PERMUTATIONS = 32
BAND_ROWS = 4
BANDS = PERMUTATIONS // BAND_ROWS
SIGNATURES_MAX = 4_096
_PRIME = np.uint64((1 << 31) - 1)
"""Hashes and factors are below it: products fit, and wrap so often that the order is a new one each time."""
_RANDOM = np.random.default_rng(20_211_103)
_FACTORS = _RANDOM.integers(1, _PRIME, PERMUTATIONS, dtype=np.uint64)[:, np.newaxis]
_OFFSETS = _RANDOM.integers(0, _PRIME, PERMUTATIONS, dtype=np.uint64)[:, np.newaxis]

type Signature = npt.NDArray[np.uint64]


@lru_cache(maxsize=SIGNATURES_MAX)
def signature(items: frozenset[str]) -> Signature:
    """Of at least one item. The share of equal places of two signatures estimates the sets' likeness. Shared
    and read-only."""
    hashes = np.fromiter((_hash(item) for item in items), np.uint64, len(items)) % _PRIME
    least: Signature = ((_FACTORS * hashes + _OFFSETS) % _PRIME).min(axis=1)
    least.setflags(write=False)
    return least


class MinHashIndex[K: Hashable]:
    """Holds sets under their keys."""

    def __init__(self) -> None:
        self._buckets: defaultdict[tuple[int, bytes], dict[K, None]] = defaultdict(dict)

    def add(self, key: K, items: frozenset[str]) -> None:
        for bucket in _bands(items):
            self._buckets[bucket][key] = None

    def alike(self, items: frozenset[str]) -> list[K]:
        """Keys that share a bucket with the set, without repeats, in the order of their adding by band."""
        found: dict[K, None] = {}
        for bucket in _bands(items):
            if bucket in self._buckets:
                found |= self._buckets[bucket]
        return list(found)


def _bands(items: frozenset[str]) -> Iterable[tuple[int, bytes]]:
    rows = signature(items)
    return [(band, rows[band * BAND_ROWS : (band + 1) * BAND_ROWS].tobytes()) for band in range(BANDS)]


def _hash(item: str) -> int:
    return int.from_bytes(hashlib.blake2b(item.encode("utf-8", "surrogatepass"), digest_size=4).digest())
