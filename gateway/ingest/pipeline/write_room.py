"""How many episodes' rows one write of a unit takes, before it is known which entities are new."""

from drivers.write_plan import (
    CHARS_PER_WEIGHT,
    ROWS_PER_WRITE_MAX,
    TERM_CHARS_PER_WEIGHT,
    VECTOR_NUMBERS_INCLUDED,
    VECTOR_NUMBERS_PER_WEIGHT,
)
from gateway.ingest.extraction import Extraction
from gateway.ingest.job import EpisodeJob
from gateway.ingest.resolution.names import normalised

SHARE_MAX = 0.9
"""Of the bounds: stored facts that the episodes change, and places in sagas, come on top."""
_OTHER_TEXT = 2
"""All text of a row over what is indexed of it: terms and the texts that they are made of."""


class WriteRoom:
    """Filled episode by episode. What it reckons is at least what drivers.write_plan.write_weight finds, as
    if every entity were new: those of one name in several episodes count once, all of their mentions."""

    def __init__(self, weight_max: int, dimension: int) -> None:
        """`weight_max`: of the shard, 0: no bound. `dimension`: of the vectors, 0: there are none."""
        self._weight_max = SHARE_MAX * weight_max
        self._of_vector = max(0, dimension - VECTOR_NUMBERS_INCLUDED) / VECTOR_NUMBERS_PER_WEIGHT
        self._names: set[str] = set()
        self._rows = 0
        self._weight = 0.0
        self._empty = True

    def takes(self, job: EpisodeJob, extraction: Extraction) -> bool:
        """Whether the episode fits in beside those before it; then it is in. The first always is."""
        new = {name: one for one in extraction.entities if (name := normalised(one.name)) not in self._names}
        with_vector = 1 + len(new) + len(extraction.facts)
        rows = with_vector + len(extraction.entities)
        chars = (
            len(job.name)
            + len(job.content)
            + sum(len(one.name) + len(one.summary) for one in new.values())
            + sum(len(one.name) + len(one.text) for one in extraction.facts)
        )
        weight = (
            rows
            + chars / TERM_CHARS_PER_WEIGHT
            + _OTHER_TEXT * chars / CHARS_PER_WEIGHT
            + with_vector * self._of_vector
        )
        heavy = 0 < self._weight_max < self._weight + weight
        if not self._empty and (heavy or self._rows + rows > SHARE_MAX * ROWS_PER_WRITE_MAX):
            return False
        self._empty = False
        self._names |= new.keys()
        self._rows += rows
        self._weight += weight
        return True
