"""What one write of a unit takes, before it is known which entities are new: how many episodes, and which
part of one that is too much for a write.

The row of an episode comes first: what a write does not take beside it is left out and named as a problem of
the episode. A text that leaves no room for anything is refused before a model is asked about it.
"""

from collections.abc import Sequence
from dataclasses import replace

from drivers.write_plan import (
    CHARS_PER_WEIGHT,
    ROWS_PER_WRITE_MAX,
    TERM_CHARS_PER_WEIGHT,
    VECTOR_NUMBERS_INCLUDED,
    VECTOR_NUMBERS_PER_WEIGHT,
    content_weight,
)
from gateway.ingest.errors import EpisodeTooHeavy
from gateway.ingest.extraction import (
    PROBLEMS_MAX,
    ExtractedEntity,
    ExtractedFact,
    Extraction,
    Problem,
    ProblemKind,
)
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.composing import episode_row
from gateway.ingest.resolution.names import normalised
from gateway.search.analyzer import row_terms
from gateway.writes.row_text import indexed_text

SHARE_MAX = 0.9
"""Of the bounds: stored facts that the episodes change, and places in sagas, come on top."""
BESIDE_MIN = 8
"""Weight that a write must have left beside the row of an episode: its place in a saga, an entity or two."""
_OTHER_TEXT = 2
"""All text of a row over what is indexed of it: terms and the texts that they are made of."""
_TERM_GROWTH = 3
"""Terms over the text that they are made of, at most: scripts without spaces give two letters for each."""


class WriteRoom:
    """Filled episode by episode. What it reckons is at least what drivers.write_plan.write_weight finds, as
    if every entity were new: those of one name in several episodes count once, all of their mentions."""

    def __init__(self, weight_max: int, dimension: int) -> None:
        """`weight_max`: of the shard, 0: no bound. `dimension`: of the vectors, 0: there are none."""
        self._bound = weight_max
        self._weight_max = SHARE_MAX * weight_max
        self._of_vector = max(0, dimension - VECTOR_NUMBERS_INCLUDED) / VECTOR_NUMBERS_PER_WEIGHT
        self._names: set[str] = set()
        self._rows = 0
        self._weight = 0.0
        self._empty = True

    def first_long(self, jobs: Sequence[EpisodeJob]) -> int:
        """Of the episodes behind the first one: the number of one whose text may be too heavy, the number of
        all if none is. It is to be the first of a unit, where refusal() looks closer."""
        return next((at for at, job in enumerate(jobs) if at and self._is_long(job)), len(jobs))

    def refusal(self, job: EpisodeJob) -> EpisodeTooHeavy | None:
        """Why no write can take the episode with a graph."""
        if not self._is_long(job):
            return None
        weight = self._row_weight(job)
        return EpisodeTooHeavy(weight, self._bound) if weight + BESIDE_MIN > self._bound else None

    def takes(self, job: EpisodeJob, extraction: Extraction) -> bool:
        """Whether the episode fits in beside those before it; then it is in. The first always is, though
        perhaps not whole: see fitted()."""
        new = {name: one for one in extraction.entities if (name := normalised(one.name)) not in self._names}
        rows = 1 + len(new) + len(extraction.facts) + len(extraction.entities)
        weight = (
            self._text_weight(len(job.name) + len(job.content))
            + 1
            + self._of_vector
            + sum(map(self._entity_weight, new.values()))
            # Those that are there already are mentioned.
            + len(extraction.entities)
            - len(new)
            + sum(map(self._fact_weight, extraction.facts))
        )
        heavy = 0 < self._weight_max < self._weight + weight
        if not self._empty and (heavy or self._rows + rows > SHARE_MAX * ROWS_PER_WRITE_MAX):
            return False
        self._empty = False
        self._names |= new.keys()
        self._rows += rows
        self._weight += weight
        return True

    def fitted(self, job: EpisodeJob, extraction: Extraction) -> Extraction:
        """Of an episode that is written alone what a write takes beside its row."""
        if not 0 < self._weight_max < self._weight:
            return extraction
        row = self._row_weight(job) if self._is_long(job) else self._of_row(job)
        return self._cut(extraction, SHARE_MAX * (self._bound - row))

    def lighter(self, extraction: Extraction) -> Extraction | None:
        """The half of it by weight, for a write that was refused after all; None: there is nothing to leave
        out."""
        if not extraction.entities:
            return None
        weight = sum(map(self._entity_weight, extraction.entities))
        weight += sum(map(self._fact_weight, extraction.facts))
        return self._cut(extraction, weight / 2)

    def _cut(self, extraction: Extraction, weight_max: float) -> Extraction:
        """Facts first, in their order and with their entities, then entities of which nothing is told."""
        kept: dict[int, None] = {}
        facts: list[ExtractedFact] = []
        left = weight_max
        for fact in extraction.facts:
            ends = {at for at in (fact.source, fact.target) if at not in kept}
            weight = self._fact_weight(fact)
            weight += sum(self._entity_weight(extraction.entities[at]) for at in ends)
            if weight <= left:
                facts.append(fact)
                kept |= dict.fromkeys(ends)
                left -= weight
        for at, entity in enumerate(extraction.entities):
            weight = self._entity_weight(entity)
            if at not in kept and weight <= left:
                kept[at] = None
                left -= weight
        order = sorted(kept)
        place = {at: number for number, at in enumerate(order)}
        out_of = (len(extraction.facts) - len(facts), len(extraction.entities) - len(order))
        if not any(out_of):
            return extraction
        told = Problem(
            ProblemKind.TOO_MANY, f"{out_of[0]} facts and {out_of[1]} entities, for which a write has no room"
        )
        return replace(
            extraction,
            entities=tuple(extraction.entities[at] for at in order),
            facts=tuple(replace(one, source=place[one.source], target=place[one.target]) for one in facts),
            problems=(told, *extraction.problems)[:PROBLEMS_MAX],
            problems_found=extraction.problems_found + 1,
        )

    def _is_long(self, job: EpisodeJob) -> bool:
        return 0 < self._bound < _TERM_GROWTH * self._of_row(job) + BESIDE_MIN

    def _of_row(self, job: EpisodeJob) -> float:
        """What the episode's row weighs, reckoned by its length."""
        return 1 + self._text_weight(len(job.name) + len(job.content)) + self._of_vector

    def _row_weight(self, job: EpisodeJob) -> int:
        """What it does weigh. Takes as long as analysing the text."""
        row = episode_row(job)
        row = replace(row, terms=row_terms(indexed_text(row)).text)
        return 1 + content_weight([row], ()) + round(self._of_vector)

    def _entity_weight(self, one: ExtractedEntity) -> float:
        """With its mention."""
        return 2 + self._of_vector + self._text_weight(len(one.name) + len(one.summary))

    def _fact_weight(self, one: ExtractedFact) -> float:
        return 1 + self._of_vector + self._text_weight(len(one.name) + len(one.text))

    @staticmethod
    def _text_weight(chars: int) -> float:
        return chars / TERM_CHARS_PER_WEIGHT + _OTHER_TEXT * chars / CHARS_PER_WEIGHT
