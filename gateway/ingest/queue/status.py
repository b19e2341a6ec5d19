"""How far an episode has come, and what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from gateway.ingest.extraction import Problem, ProblemKind
from gateway.llm.usage import Usage


class EpisodeState(StrEnum):
    """Names as in the API. The value is stored: never change one."""

    ACCEPTED = "ACCEPTED"
    EXTRACTING = "EXTRACTING"
    RESOLVING = "RESOLVING"
    WRITING = "WRITING"
    APPLIED = "APPLIED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        return self in (EpisodeState.APPLIED, EpisodeState.FAILED)


@dataclass(frozen=True, slots=True)
class Counts:
    entities_created: int = 0
    entities_joined: int = 0
    facts_created: int = 0
    facts_repeated: int = 0
    facts_closed: int = 0


@dataclass(frozen=True, slots=True)
class Latencies:
    queued_ms: float = 0.0
    """From acceptance to the attempt that ended it."""
    extraction_ms: float = 0.0
    resolution_ms: float = 0.0
    writing_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    reason: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Details:
    """What is told beside the state."""

    version: int = 0
    counts: Counts = field(default_factory=Counts)
    usage: Usage = field(default_factory=Usage)
    cache_hits: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    problems: tuple[Problem, ...] = ()
    problems_found: int = 0
    error: Failure | None = None
    """Of a failed episode, or of the attempt before the next one."""
    unit_size: int = 0

    def encode(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @staticmethod
    def decode(text: str) -> "Details":
        if not text:
            return Details()
        told: dict[str, Any] = orjson.loads(text)
        error: Mapping[str, Any] | None = told["error"]
        return Details(
            version=told["version"],
            counts=Counts(**told["counts"]),
            usage=Usage(**told["usage"]),
            cache_hits=told["cache_hits"],
            latencies=Latencies(**told["latencies"]),
            problems=tuple(Problem(ProblemKind(one["kind"]), one["what"]) for one in told["problems"]),
            problems_found=told["problems_found"],
            error=None if error is None else Failure(**error),
            unit_size=told["unit_size"],
        )


@dataclass(frozen=True, slots=True)
class Status:
    group_id: str
    op_id: str
    episode_uuid: str
    state: EpisodeState
    accepted_us: int
    updated_us: int
    attempts: int = 0
    details: Details = field(default_factory=Details)

    def with_error(self, error: Failure) -> "Status":
        return replace(self, details=replace(self.details, error=error))


def stored_status(group_id: str, op_id: str, row: Sequence[str | None]) -> Status | None:
    """Of the values of scripts.STATUS_FIELDS; None: nothing is kept."""
    uuid, state, accepted, updated, attempts, details = row
    if uuid is None or state is None:
        return None
    return Status(
        group_id,
        op_id,
        uuid,
        EpisodeState(state),
        int(accepted or 0),
        int(updated or 0),
        int(attempts or 0),
        Details.decode(details or ""),
    )
