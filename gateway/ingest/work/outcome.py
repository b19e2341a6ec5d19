"""What becomes of a unit whose attempt failed."""

from dataclasses import dataclass
from enum import StrEnum

from drivers.errors import (
    EngineRefused,
    GraphgateError,
    RowLimitExceeded,
    VectorDimensionMismatch,
    WriteTooHeavy,
)
from gateway.embedding.errors import EmbeddingTextInvalid
from gateway.ingest.errors import EpisodeUnreadable, IngestBug, WorkerLost
from gateway.llm.errors import ModelError
from gateway.writes.errors import WriteContended, WriteRefused


class Fate(StrEnum):
    WAIT = "WAIT"
    """Something that it needs is away: it is tried again after a pause, for as long as it takes."""
    SPLIT = "SPLIT"
    """It is tried again as smaller units; one episode alone has failed."""


@dataclass(frozen=True, slots=True)
class Ruling:
    fate: Fate
    retry_after_s: float | None = None


_ABOUT_THE_EPISODES = (
    RowLimitExceeded,
    WriteTooHeavy,
    VectorDimensionMismatch,
    EngineRefused,
    EmbeddingTextInvalid,
    EpisodeUnreadable,
    WorkerLost,
    IngestBug,
    WriteRefused,
)


def ruling(error: GraphgateError) -> Ruling:
    """Only what is about the episodes themselves ends them; what is about a shard, a model, an embedder or
    their settings delays them, and is told in their status meanwhile."""
    retry_after_s: float | None = getattr(error, "retry_after_s", None)
    if isinstance(error, ModelError):
        return Ruling(Fate.SPLIT if error.about_request else Fate.WAIT, retry_after_s)
    if isinstance(error, _ABOUT_THE_EPISODES) and not isinstance(error, WriteContended):
        return Ruling(Fate.SPLIT)
    return Ruling(Fate.WAIT, retry_after_s)
