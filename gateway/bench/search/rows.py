"""Rows of any number of groups, cut from one set: MuSiQue-100's facts and as many recombined ones as needed.

Every group has its share of the same facts and the entities that these join, so that the vectors of a first
EMBEDDED_FACTS serve groups of all sizes. The vector of a fact past those is not the model's: it is the sum of
the vectors of its subject, its object and the first fact with its predicate, normalised. That is near to what
the model gives and as spread out, and takes no hour to make.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

import numpy as np

from drivers.graph_model import Entity, Fact, Vector
from gateway.bench.peer.comparison import Watch
from gateway.bench.peer.rows import PeerRows, peer_rows
from gateway.corpus.dataset import Dataset
from gateway.corpus.graph_rows import EntityRow, FactRow
from gateway.corpus.vectors import VectorTable, embed_all

ENTITIES = 10_000
"""In the set; the facts join most of them."""
EMBEDDED_FACTS = 50_000
"""Facts of the set, from the first, whose vectors the model makes: those of the peer benchmark."""
BATCH_ROWS = 200
"""In one write."""

type Batch = Sequence[Entity] | Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    vector: Sequence[float]


@dataclass(frozen=True, slots=True)
class GroupRows:
    entities: Sequence[EntityRow]
    facts: Sequence[FactRow]


class RowSet:
    """Cuts groups from the set. Raises ValueError when the data cannot be recombined to so many facts."""

    def __init__(self, dataset: Dataset, facts: int, entities: int = ENTITIES) -> None:
        """`facts`: of the largest group; `entities` that they join."""
        self._rows: PeerRows = peer_rows(dataset, entities, facts)
        self._entity_of = {entity.uuid: entity for entity in self._rows.entities}
        self._first_with: dict[str, FactRow] = {}
        for fact in self._rows.facts[:EMBEDDED_FACTS]:
            self._first_with.setdefault(fact.name, fact)
        self._embedded = {fact.uuid for fact in self._rows.facts[:EMBEDDED_FACTS]}
        self._questions = dataset.questions
        self._vectors = VectorTable({})

    @property
    def summed_facts(self) -> int:
        """Facts of the set whose vectors are sums."""
        return len(self._rows.facts) - len(self._embedded)

    async def embed(self, questions: int, cache_dir: Path, watch: Watch) -> Sequence[Question]:
        """Makes what vectors the cache does not have. Raises EmbeddingError."""
        asked = [question.question for question in self._questions[:questions]]
        texts = [entity.name for entity in self._rows.entities]
        texts += [fact.fact for fact in self._rows.facts[:EMBEDDED_FACTS]]
        self._vectors = await embed_all(
            [*texts, *asked],
            cache_dir,
            on_start=lambda count: watch.begin("texts to embed", count),
            on_progress=watch.advance,
        )
        return [Question(text, self._vectors.of(text)) for text in asked]

    def group(self, facts: int, number: int = 0) -> GroupRows:
        """Group `number` of those that have `facts` facts: its slice of the set, from the start again past
        its end, and the entities that these facts join."""
        whole = self._rows.facts
        chosen = [whole[(number * facts + place) % len(whole)] for place in range(facts)]
        ends = dict.fromkeys(end for fact in chosen for end in (fact.source_uuid, fact.target_uuid))
        return GroupRows([self._entity_of[end] for end in ends], chosen)

    def entities(self, count: int, number: int) -> GroupRows:
        """Group `number` of those that have `count` entities and no facts."""
        whole = self._rows.entities
        return GroupRows([whole[(number * count + place) % len(whole)] for place in range(count)], [])

    def with_entities(self, count: int, facts: int) -> GroupRows:
        """A group of `count` entities, the first of the set, and up to `facts` facts between them."""
        entities = self._rows.entities[:count]
        names = {entity.uuid for entity in entities}
        between = [f for f in self._rows.facts if f.source_uuid in names and f.target_uuid in names]
        return GroupRows(entities, between[:facts])

    def batches(self, rows: GroupRows) -> Iterator[Batch]:
        """In the order in which they are written, entities first. Made as they are drawn: all vectors of a
        large group at once would take much memory."""
        for entities in batched(rows.entities, BATCH_ROWS):
            yield [self.entity(row) for row in entities]
        for facts in batched(rows.facts, BATCH_ROWS):
            yield [self.fact(row) for row in facts]

    def entity(self, row: EntityRow) -> Entity:
        return Entity(uuid=row.uuid, name=row.name, embedding=self._of(row.name))

    def fact(self, row: FactRow) -> Fact:
        return Fact(
            uuid=row.uuid,
            source_uuid=row.source_uuid,
            target_uuid=row.target_uuid,
            name=row.name,
            fact=row.fact,
            embedding=self._fact_vector(row),
        )

    def _fact_vector(self, row: FactRow) -> Vector:
        if row.uuid in self._embedded:
            return self._of(row.fact)
        ends = (self._entity_of[end].name for end in (row.source_uuid, row.target_uuid))
        parts = [*(self._of(name) for name in ends), self._of(self._first_with[row.name].fact)]
        whole = np.sum(parts, axis=0, dtype=np.float32)
        return whole / np.linalg.norm(whole)

    def _of(self, text: str) -> Vector:
        return np.asarray(self._vectors.of(text), np.float32)
