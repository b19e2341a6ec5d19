"""Turns, what a worker makes of them, and how that ends."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.ingest.errors import EpisodeUnreadable
from gateway.ingest.job import EpisodeJob
from gateway.ingest.queue.status import Details, EpisodeState


@dataclass(frozen=True, slots=True)
class Turn:
    """A group's turn, delivered to one worker."""

    partition: int
    entry: str
    group_id: str


@dataclass(frozen=True, slots=True)
class Member:
    entry: str
    """Of the group's stream."""
    op_id: str
    payload: str
    """Empty: nothing is known of it any more."""
    accepted_us: int

    def job(self) -> EpisodeJob:
        """Raises EpisodeUnreadable."""
        try:
            return EpisodeJob.decode(self.payload)
        except ValueError as error:
            raise EpisodeUnreadable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Unit:
    """What a worker works on at once: the group's next episodes, in order."""

    turn: Turn
    token: int
    tries: int
    """How often it was begun since the last pause; above 1: a worker ended in the middle of it."""
    pauses: int
    members: tuple[Member, ...]

    @property
    def op_id(self) -> str:
        """Of the unit's write. Of one episode its own, so that the write is found under it for as long as the
        group keeps it."""
        if len(self.members) == 1:
            return self.members[0].op_id
        joined = "/".join(one.op_id for one in self.members)
        return f"unit-{hashlib.blake2b(joined.encode(), digest_size=16).hexdigest()}"

    def content_hash(self, jobs: Sequence[EpisodeJob]) -> str:
        """Of the unit's write. `jobs`: of its members, at least one."""
        return jobs[0].content_hash if len(self.members) == 1 else self.op_id


@dataclass(frozen=True, slots=True)
class Result:
    """How a member of a unit has ended."""

    member: Member
    state: EpisodeState
    details: Details
