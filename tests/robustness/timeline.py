"""The clock of a run, its calls, and when which part was not itself."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Clock:
    """Seconds since the run began."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._started_us = time.time_ns() // 1_000

    def now_s(self) -> float:
        return time.monotonic() - self._started

    def at_s(self, wall_us: int) -> float:
        """A wall time of this machine."""
        return (wall_us - self._started_us) / 1e6


class Cause(StrEnum):
    KILL = "KILL"
    PAUSE = "PAUSE"
    ROLLBACK = "ROLLBACK"


@dataclass(frozen=True, slots=True)
class Outage:
    """A part that did not work: from the signal until it answered again."""

    part: str
    cause: Cause
    from_s: float
    to_s: float
    aimed: bool = False
    """At a phase of a move; else by the plan."""

    @property
    def process_was_down(self) -> bool:
        """Not there, or loading; a paused process is there and says nothing."""
        return self.cause is not Cause.PAUSE

    def overlaps(self, from_s: float, to_s: float) -> bool:
        return self.from_s <= to_s and from_s <= self.to_s


@dataclass(frozen=True, slots=True)
class CallSeen:
    """One call with all its attempts."""

    group_id: str
    creates_group: bool
    what: str
    sent_s: float
    ended_s: float
    answered: bool
    """With success, or with a refusal that the caller's own history explains."""
    gave_up_reason: str
    """Of the last attempt; empty when it was answered."""


@dataclass(frozen=True, slots=True)
class AimedKill:
    """A SIGKILL of what a move needed."""

    role: str
    """COORDINATOR, SOURCE, TARGET or CATALOG."""
    part: str
    phase: str
    """Of the move: as its record was then if a look afterwards told, else as it was last seen before."""
    at_s: float


@dataclass(frozen=True, slots=True)
class Stay:
    """When a group was at a shard."""

    shard: str
    from_s: float = -inf
    to_s: float = inf

    def overlaps(self, from_s: float, to_s: float) -> bool:
        return self.from_s <= to_s and from_s <= self.to_s


def by_part(outages: Sequence[Outage]) -> Mapping[str, list[Outage]]:
    parts: dict[str, list[Outage]] = {}
    for outage in outages:
        parts.setdefault(outage.part, []).append(outage)
    return parts
