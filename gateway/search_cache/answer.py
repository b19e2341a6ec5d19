"""Answers as the cache gives them, and where they come from."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from drivers.deadline import Deadline
from graphgate.v1 import search_service_pb2 as pb


class CacheUse(StrEnum):
    """What the caller wants of the cache."""

    AUTOMATIC = "AUTOMATIC"
    BYPASS = "BYPASS"
    REFRESH = "REFRESH"


class Source(StrEnum):
    """Where an answer comes from and why; the API's SearchCacheReport says what each means."""

    KEPT = "KEPT"
    SHARED = "SHARED"

    NOT_KEPT = "NOT_KEPT"
    EXPIRED = "EXPIRED"
    GROUP_CHANGED = "GROUP_CHANGED"
    UNCONFIRMED = "UNCONFIRMED"
    REFRESH = "REFRESH"

    REQUESTED = "REQUESTED"
    DISABLED = "DISABLED"
    ALL_GROUPS = "ALL_GROUPS"
    EXPLAIN = "EXPLAIN"


_OUTCOME: Mapping[Source, pb.SearchCacheOutcome] = {
    **dict.fromkeys((Source.KEPT, Source.SHARED), pb.SEARCH_CACHE_OUTCOME_HIT),
    **dict.fromkeys(
        (Source.NOT_KEPT, Source.EXPIRED, Source.GROUP_CHANGED, Source.UNCONFIRMED, Source.REFRESH),
        pb.SEARCH_CACHE_OUTCOME_MISS,
    ),
    **dict.fromkeys(
        (Source.REQUESTED, Source.DISABLED, Source.ALL_GROUPS, Source.EXPLAIN),
        pb.SEARCH_CACHE_OUTCOME_BYPASS,
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    message: pb.SearchResponse
    """The receiver's own."""
    versions: Mapping[str, int]
    """Of the groups that were searched."""
    missing: frozenset[str] = frozenset()
    """Groups that are not in a partial answer."""
    is_whole: bool = True
    """Nothing is missing, and everything was done that was asked for."""


type RunSearch = Callable[[Deadline], Awaitable[Answer]]


def outcome_of(source: Source) -> str:
    """hit, miss or bypass."""
    name = pb.SearchCacheOutcome.Name(_OUTCOME[source])
    return name.removeprefix("SEARCH_CACHE_OUTCOME_").lower()


def told(answer: Answer, source: Source, *, age_s: float = 0.0, kept: bool = False) -> Answer:
    """The answer, whose message says where it comes from."""
    answer.message.cache.CopyFrom(
        pb.SearchCacheReport(outcome=_OUTCOME[source], reason=source, age_ms=int(age_s * 1_000), kept=kept)
    )
    return answer
