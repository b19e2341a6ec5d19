"""What became of the moves of a run, and what they must not have left behind."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.robustness.model.findings import Finding, Kind

END_PHASES = frozenset({"DONE", "CANCELLED", "FAILED"})
ENDED_WITHOUT = frozenset({"CANCELLED", "FAILED"})
"""The source owns the group as before: nothing that is committed may end so."""
_HELD_STATES = frozenset({"OPEN", "FROZEN", "MOVED"})
"""Of a fence that names the move in whose hands it is."""
_EMPTY_STATES = frozenset({"", "MOVED", "TOMB", "WIPING", "INCOMING"})
"""Of a copy that nobody owns: those of a move that was given up stay, without rows."""


@dataclass(frozen=True, slots=True)
class MoveSeen:
    """A move as its record tells it when everything has settled, and as its follower saw it."""

    move_id: str
    group_id: str
    kind: str
    """MOVE or REVERSE."""
    source_shard: str
    source_space: str
    target_shard: str
    target_space: str
    phase: str
    """The last one."""
    last_working_phase: str
    """The last one that its follower saw before the move was given up, or the same as `phase`."""
    committed_us: int
    """Wall time; 0: never."""
    pauses_us: tuple[int, ...]
    thaws: int
    cancel_requested: bool
    error_reason: str
    forgotten: bool = False
    """The catalog does not know it, so that `phase` is out of date: what became of it, the fences say."""

    @property
    def ended(self) -> bool:
        return self.phase in END_PHASES

    @property
    def aborted(self) -> bool:
        return self.phase in ENDED_WITHOUT and not self.committed_us

    @property
    def pair(self) -> str:
        """E.g. falkordb->neo4j; within one shard pooled->own or own->pooled."""
        if self.source_shard == self.target_shard:
            return f"{'own' if self.source_space else 'pooled'}->{'own' if self.target_space else 'pooled'}"
        return f"{engine_of(self.source_shard)}->{engine_of(self.target_shard)}"


@dataclass(frozen=True, slots=True)
class CopySeen:
    """What one place holds of a group at the end, when every reverse window is over."""

    group_id: str
    shard: str
    space: str
    state: str
    """Of its fence; empty: there is none."""
    owns: bool
    things: int
    """Rows, tombstones and operation records."""
    move_id: str = ""
    """Of the move in whose hands the copy is; empty: it is in no hands."""


def engine_of(shard: str) -> str:
    """An embedded shard is called after its engine."""
    return shard.rpartition("-")[0]


def judge_moves(moves: Iterable[MoveSeen], copies: Iterable[CopySeen]) -> Iterator[Finding]:
    for move in moves:
        if not move.ended and not move.forgotten:
            text = f"the move {move.move_id} ({move.pair}) stays in {move.phase}"
            yield Finding(Kind.LEFTOVER, move.group_id, move.move_id, text)
        if move.phase in ENDED_WITHOUT and move.committed_us:
            text = f"the move {move.move_id} ({move.pair}) ended {move.phase} after its commit: "
            yield Finding(Kind.LEFTOVER, move.group_id, move.move_id, text + move.error_reason)
    for copy in copies:
        place = f"{copy.shard}/{copy.space}"
        if copy.move_id and copy.state in _HELD_STATES:
            text = f"{place} ({copy.state}) is still in the hands of the move {copy.move_id}"
            yield Finding(Kind.LEFTOVER, copy.group_id, place, text)
            continue
        if copy.owns:
            if copy.state != "OPEN":
                text = f"the owner {place} is {copy.state} though nothing is being moved"
                yield Finding(Kind.LEFTOVER, copy.group_id, place, text)
        elif copy.things or copy.state not in _EMPTY_STATES:
            text = f"{place} holds {copy.things} things of a group that it does not own ({copy.state})"
            yield Finding(Kind.LEFTOVER, copy.group_id, place, text)
