"""What names, words and vectors say about two entities being the same.

Certain, so that the model is not asked: the same normalised name, its words in another order (see
names.reordered), spellings whose shingles are .9 alike and that differ in letters only. Asked about: other
spellings that are as alike, most of the smaller name's words in the other one, or vectors whose cosine is at
least .8. All others are different. Cosine alone never decides: vectors of
"January 1960" and "January 1961" are more alike than those of "NYC" and "New York City".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from drivers.graph_model import Vector
from gateway.ingest.resolution.min_hash import MinHashIndex
from gateway.ingest.resolution.names import (
    differ_in_letters,
    is_telling,
    jaccard,
    normalised,
    numbers,
    overlap,
    reordered,
    shingles,
    words,
)

SPELLING_JACCARD_MIN = 0.9
WORDS_OVERLAP_MIN = 0.8
COSINE_MIN = 0.8
CANDIDATES_MAX = 10
"""Nominated for one entity."""


class Likeness(IntEnum):
    NONE = 0
    NOMINATED = 1
    """To be asked about."""
    SAME = 2


@dataclass(frozen=True, slots=True)
class Named:
    """An entity, new or known."""

    name: str
    type: str = ""
    embedding: Vector | None = None


@dataclass(frozen=True, slots=True)
class Nominee:
    position: int
    likeness: Likeness
    score: float
    """Higher first; only for the order."""


def types_fit(one: str, other: str) -> bool:
    """Whether entities of these types can be one; an empty type fits all."""
    return not one or not other or one == other


class NameIndex:
    """Finds what may be the same as a name, among at most some thousand entities."""

    def __init__(self, entities: Sequence[Named]) -> None:
        self._entities = entities
        self._names = [normalised(one.name) for one in entities]
        self._exact: dict[str, list[int]] = {}
        self._by_words: dict[str, list[int]] = {}
        self._spelling: MinHashIndex[int] = MinHashIndex()
        for position, name in enumerate(self._names):
            self._exact.setdefault(name, []).append(position)
            for word in words(name):
                self._by_words.setdefault(word, []).append(position)
            if is_telling(name):
                self._spelling.add(position, shingles(name))
        with_vector = [
            (position, one.embedding) for position, one in enumerate(entities) if one.embedding is not None
        ]
        self._vector_positions = [position for position, _ in with_vector]
        self._vectors = np.stack([vector for _, vector in with_vector]) if with_vector else None

    def nominees(self, one: Named, *, but: int | None = None) -> list[Nominee]:
        """What is or may be the same, most alike first; `but`: the position of the entity itself."""
        name = normalised(one.name)
        found: dict[int, Nominee] = {}
        for position, (likeness, score) in self._alike(name, one).items():
            other = self._entities[position]
            if position == but or not name:
                continue
            if not types_fit(one.type, other.type):
                # "Java" the island and "Java" the language: only the model can tell, and only if spelt alike.
                if likeness is not Likeness.SAME:
                    continue
                found[position] = Nominee(position, Likeness.NOMINATED, score)
            else:
                found[position] = Nominee(position, likeness, score)
        ordered = sorted(
            found.values(), key=lambda nominee: (-nominee.likeness, -nominee.score, nominee.position)
        )
        return ordered[:CANDIDATES_MAX]

    def _alike(self, name: str, one: Named) -> Mapping[int, tuple[Likeness, float]]:
        exact = self._exact.get(name, ())
        found: dict[int, tuple[Likeness, float]] = dict.fromkeys(exact, (Likeness.SAME, 2.0))
        own_words, own_numbers = words(name), numbers(name)
        if is_telling(name):
            own_shingles = shingles(name)
            for position in self._spelling.alike(own_shingles):
                likeness = jaccard(own_shingles, shingles(self._names[position]))
                if likeness >= SPELLING_JACCARD_MIN and numbers(self._names[position]) == own_numbers:
                    surely = differ_in_letters(name, self._names[position])
                    alike = (Likeness.SAME, 1.0 + likeness) if surely else (Likeness.NOMINATED, likeness)
                    found.setdefault(position, alike)
        for position in {at for word in own_words for at in self._by_words.get(word, ())}:
            other = self._names[position]
            share = overlap(own_words, words(other))
            if (
                found.get(position, (Likeness.NONE,))[0] is Likeness.SAME
                or share < WORDS_OVERLAP_MIN
                or not _numbers_fit(own_numbers, numbers(other))
            ):
                continue
            surely = reordered(name, other)
            found[position] = (Likeness.SAME, 1.5) if surely else (Likeness.NOMINATED, share)
        for position, cosine in self._near(one.embedding):
            if position not in found and _numbers_fit(own_numbers, numbers(self._names[position])):
                found[position] = (Likeness.NOMINATED, cosine)
        return found

    def _near(self, vector: Vector | None) -> list[tuple[int, float]]:
        if vector is None or self._vectors is None or self._vectors.shape[1] != len(vector):
            return []
        cosines = self._vectors @ vector
        return [
            (self._vector_positions[row], float(cosines[row]))
            for row in np.flatnonzero(cosines >= COSINE_MIN)
        ]


def _numbers_fit(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """ "Apollo" may be short for "Apollo 11", which is not "Apollo 13"."""
    return not one or not other or one == other
