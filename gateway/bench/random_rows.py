"""Rows to write: random words, random unit vectors."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.graph_model import Entity, Fact, Vector
from gateway.search.analyzer import row_terms

DIMENSION = 384
_VOCABULARY = 5_000
_NAME_WORDS = 3
_SUMMARY_WORDS = 12
_FACT_WORDS = 12


@dataclass(frozen=True, slots=True)
class Batches:
    """What one round writes into one group, ready to be sent batch by batch."""

    entities: Sequence[tuple[Entity, ...]]
    facts: Sequence[tuple[Fact, ...]]
    """Between entities of the same round, so that these come first."""


class RowSource:
    """Makes rows from one seed: every variant and every round gets new ones of the same kind."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        letters = self._random.integers(97, 123, (_VOCABULARY, 7), dtype=np.uint8)
        self._words = [bytes(word).decode("ascii") for word in letters]

    def round(self, group_ids: Sequence[str], rows: int, batch_rows: int) -> Mapping[str, Batches]:
        """`rows` entities and as many facts, spread over the groups by whole batches."""
        batches_per_group = max(1, rows // (batch_rows * len(group_ids)))
        return {group_id: self.batches(batches_per_group, batch_rows) for group_id in group_ids}

    def entity(self) -> Entity:
        name, summary = self.text(_NAME_WORDS), self.text(_SUMMARY_WORDS)
        terms = row_terms(f"{name}\n{summary}")
        return Entity(
            uuid=self._uuid(),
            name=name,
            summary=summary,
            terms=terms.text,
            term_count=terms.count,
            embedding=self.vector(),
        )

    def batches(self, count: int, batch_rows: int) -> Batches:
        """For one group."""
        entities = [tuple(self.entity() for _ in range(batch_rows)) for _ in range(count)]
        uuids = [entity.uuid for batch in entities for entity in batch]
        facts = [tuple(self.fact(uuids) for _ in range(batch_rows)) for _ in range(count)]
        return Batches(entities, facts)

    def fact(self, entity_uuids: Sequence[str]) -> Fact:
        """Between two of these entities."""
        source, target = (int(end) for end in self._random.integers(0, len(entity_uuids), 2))
        name, fact = self.text(1).upper(), self.text(_FACT_WORDS)
        terms = row_terms(f"{name}\n{fact}")
        return Fact(
            uuid=self._uuid(),
            source_uuid=entity_uuids[source],
            target_uuid=entity_uuids[target],
            name=name,
            fact=fact,
            terms=terms.text,
            term_count=terms.count,
            embedding=self.vector(),
        )

    def text(self, words: int) -> str:
        return " ".join(self._words[index] for index in self._random.integers(0, _VOCABULARY, words))

    def vector(self) -> Vector:
        """On the unit sphere."""
        values = self._random.standard_normal(DIMENSION).astype(np.float32)
        return values / np.linalg.norm(values)

    def _uuid(self) -> str:
        return str(uuid.UUID(bytes=self._random.bytes(16), version=4))
