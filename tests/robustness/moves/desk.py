"""What the movers of a run know together: where groups are, what has been moved and killed so far."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from graphgate.v1 import move_pb2
from tests.robustness.model.moves import ENDED_WITHOUT, MoveSeen
from tests.robustness.moves.calls import phase_of
from tests.robustness.moves.plan import CANCELLING, PHASES, MovePlan, Place
from tests.robustness.moves.shot import Shot
from tests.robustness.traffic.board import Board, GroupBook

_BULK_SHARE = 0.5
"""Of the moves; the others are of groups that the traffic made."""
_CANDIDATES = 8


@dataclass(slots=True)
class MoveBook:
    """A move that was asked for, as its follower sees it."""

    last: move_pb2.MoveProgress
    working_phase: str = "PLANNED"
    """The last one in which it went on."""
    is_forgotten: bool = False
    """The catalog did not know it when it was last asked for."""

    def see(self, progress: move_pb2.MoveProgress) -> None:
        self.is_forgotten = False
        phase = phase_of(progress)
        if phase in PHASES:
            self.working_phase = phase
        self.last = progress


@dataclass(slots=True)
class MoveDesk:
    board: Board
    shards: tuple[str, ...]
    bulk: tuple[str, ...]
    """Groups that are large from the start."""
    moves: dict[str, MoveBook] = field(default_factory=dict[str, MoveBook])
    """By move_id."""
    shots: list[Shot] = field(default_factory=list[Shot])
    begun: Counter[str] = field(default_factory=Counter[str])
    """Moves by pair."""
    refused: Counter[str] = field(default_factory=Counter[str])
    """Reasons of refused MoveGroup and ReverseMove."""
    forgotten: set[str] = field(default_factory=set[str])
    """Moves that the catalog did not know any more at some time when they were looked at."""
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    busy: set[str] = field(default_factory=set[str])
    """Groups that a mover has in hand."""

    def candidates(self, rng: Random) -> list[str]:
        """Groups that nobody moves."""
        drawn = [
            rng.choice(self.bulk)
            if self.bulk and rng.random() < _BULK_SHARE
            else _id(self.board.any_group(rng))
            for _ in range(_CANDIDATES)
        ]
        return [group_id for group_id in dict.fromkeys(drawn) if group_id and group_id not in self.busy]

    def see(self, progress: move_pb2.MoveProgress) -> MoveBook:
        book = self.moves.setdefault(progress.move_id, MoveBook(progress))
        book.see(progress)
        for shot in self.shots:
            shot.see(progress)
        if phase_of(progress) in ("COMMITTED", "REVERSIBLE", "CLEANING", "DONE"):
            self.places[progress.group_id] = Place(progress.target_shard, progress.target_space)
        return book

    def forget(self, move_id: str) -> None:
        """The catalog does not know it."""
        self.forgotten.add(move_id)
        self.moves[move_id].is_forgotten = True

    def killed_in(self) -> Counter[str]:
        return Counter(shot.phase for shot in self.shots)

    def seen(self) -> tuple[MoveSeen, ...]:
        return tuple(_seen(book) for book in self.moves.values())


@dataclass(frozen=True, slots=True)
class Hand:
    """A move that a mover follows."""

    move_id: str
    plan: MovePlan


def _id(group: GroupBook | None) -> str:
    return group.group_id if group is not None else ""


def _seen(book: MoveBook) -> MoveSeen:
    last, phase = book.last, phase_of(book.last)
    given_up = phase in ENDED_WITHOUT or phase == CANCELLING
    return MoveSeen(
        move_id=last.move_id,
        group_id=last.group_id,
        kind=move_pb2.MoveKind.Name(last.kind).removeprefix("MOVE_KIND_"),
        source_shard=last.source_shard,
        source_space=last.source_space,
        target_shard=last.target_shard,
        target_space=last.target_space,
        phase=phase,
        last_working_phase=book.working_phase if given_up else phase,
        committed_us=last.committed_at.ToMicroseconds() if last.HasField("committed_at") else 0,
        pauses_us=tuple(pause.ToMicroseconds() for pause in last.pauses),
        thaws=last.thaws,
        cancel_requested=last.cancel_requested,
        error_reason=last.error_reason,
        forgotten=book.is_forgotten,
    )
