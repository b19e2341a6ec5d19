"""What becomes of a unit whose attempt failed."""

from dataclasses import dataclass
from enum import StrEnum

from drivers.deadline import Deadline
from drivers.errors import (
    DeadlinePassed,
    EngineRefused,
    GraphgateError,
    RowLimitExceeded,
    ShardTimeout,
    VectorDimensionMismatch,
    WriteTooHeavy,
)
from gateway.embedding.errors import EmbedderTimeout, EmbeddingTextInvalid
from gateway.ingest.errors import EpisodeUnreadable, IngestBug, WorkerLost
from gateway.llm.errors import ModelError, ModelRateLimited, ModelTimeout
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

_OUT_OF_TIME = (DeadlinePassed, ModelTimeout, EmbedderTimeout, ShardTimeout)
"""None of them leaves a write behind that may still happen."""


def ruling(error: GraphgateError) -> Ruling:
    """Only what is about the episodes themselves ends them; what is about a shard, a model, an embedder or
    their settings delays them, and is told in their status meanwhile."""
    retry_after_s: float | None = getattr(error, "retry_after_s", None)
    if isinstance(error, ModelError):
        return Ruling(Fate.SPLIT if error.about_request else Fate.WAIT, retry_after_s)
    if isinstance(error, _ABOUT_THE_EPISODES) and not isinstance(error, WriteContended):
        return Ruling(Fate.SPLIT)
    return Ruling(Fate.WAIT, retry_after_s)


def overran(error: GraphgateError, deadline: Deadline, seconds: float) -> bool:
    """Whether the attempt ended because its own time of `seconds` up to `deadline` was too short for it: a
    smaller unit may well end in the same time, and this one again would not."""
    left_s = deadline.remaining_s()
    if isinstance(error, ModelRateLimited):
        # A turn that comes too late is refused before: near the end because so much was asked before it, at
        # the beginning because the provider has asked for a pause, which is as long for fewer episodes.
        return left_s < seconds / 2 and (error.retry_after_s or 0.0) >= left_s
    return isinstance(error, _OUT_OF_TIME) and not left_s
