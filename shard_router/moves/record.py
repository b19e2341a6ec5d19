"""The record of a move: what was asked for, how far it is, how it ended. The fences decide, this tells."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

import orjson

from drivers.fence import POOLED, Fence, FenceState, GroupRef

MOVE_ID_CHARS: Final = 32


class MoveKind(StrEnum):
    MOVE = "MOVE"
    REVERSE = "REVERSE"


class ToSpace(StrEnum):
    KEEP = "KEEP"
    """As at the source, where the target's engine has spaces; else POOLED."""
    POOLED = "POOLED"
    OWN = "OWN"


class VerifyWhen(StrEnum):
    NEVER = "NEVER"
    BEFORE_COMMIT = "BEFORE_COMMIT"
    """The copy is compared with the group while it goes on; a move that differs fails."""


class MovePhase(StrEnum):
    PLANNED = "PLANNED"
    TAKEN = "TAKEN"
    WIPING = "WIPING"
    COPYING = "COPYING"
    CATCHING_UP = "CATCHING_UP"
    INDEXING = "INDEXING"
    VERIFYING = "VERIFYING"
    FREEZING = "FREEZING"
    READY = "READY"
    COMMITTED = "COMMITTED"
    """The target owns the group; the pointers to it are being set."""
    REVERSIBLE = "REVERSIBLE"
    """The rows stay at the source until reverse_until_us."""
    CLEANING = "CLEANING"
    DONE = "DONE"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    UNSPECIFIED = "UNSPECIFIED"
    """One that only a newer gateway knows: this one tells of the move and leaves it to that."""


ENDED: Final = frozenset({MovePhase.DONE, MovePhase.CANCELLED, MovePhase.FAILED})
AFTER_COMMIT: Final = frozenset(
    {MovePhase.COMMITTED, MovePhase.REVERSIBLE, MovePhase.CLEANING, MovePhase.DONE}
)


class MoveFailure(StrEnum):
    """Why a move ended FAILED: stable, told to its caller as error_reason."""

    SOURCE_LOST = "SOURCE_LOST"
    """There is no fence where the group was."""
    NOT_OWNER = "NOT_OWNER"
    """The group has left the source otherwise."""
    GROUP_IS_MOVING = "GROUP_IS_MOVING"
    """Another move of the group came first."""
    TARGET_OWNS = "TARGET_OWNS"
    """The target's fence owns the group already: two owners, look at `catalog check`."""
    TARGET_LOST = "TARGET_LOST"
    """After the commit: the target has lost the group. The rows at the source stay."""
    TARGET_AHEAD = "TARGET_AHEAD"
    """The target has changes that the source does not have: an older copy of the source."""
    COPY_INCONSISTENT = "COPY_INCONSISTENT"
    """An edge without its endpoint."""
    VERIFY_FAILED = "VERIFY_FAILED"
    CANNOT_CATCH_UP = "CANNOT_CATCH_UP"
    """The group is written to faster than the target takes it in."""
    THAWED_TOO_OFTEN = "THAWED_TOO_OFTEN"
    """The last round did not end in its time, every time."""
    KEEPS_FAILING = "KEEPS_FAILING"
    """A call to a shard failed again and again."""


@dataclass(frozen=True, slots=True)
class Place:
    shard_id: str
    space: str = POOLED

    def ref(self, group_id: str) -> GroupRef:
        return GroupRef(group_id, self.space)

    def leads(self, fence: Fence) -> bool:
        """Whether the fence points here."""
        return (fence.moved_to, fence.moved_space) == (self.shard_id, self.space)


@dataclass(frozen=True, slots=True)
class MoveRequest:
    group_id: str
    to_shard: str
    to_space: ToSpace = ToSpace.KEEP
    reverse_window_s: float = 24 * 3_600.0
    """For so long after the commit the rows stay at the source and a reverse move ships only what is newer;
    0: they are deleted at once."""
    request_id: str = ""
    """Two requests with the same one are one move; empty: each is a new one."""
    verify: VerifyWhen = VerifyWhen.BEFORE_COMMIT
    from_shard: str = ""
    """Refused if the group is elsewhere; empty: from wherever it is."""
    cordoned: bool = False
    """Also to a shard that takes no new groups, CORDONED; never to one that is DRAINING or REMOVED."""

    @property
    def move_id(self) -> str:
        """Of a request with a request_id."""
        assert self.request_id, "a request without an id gets a random move_id"
        return blake2b(self.request_id.encode(), digest_size=MOVE_ID_CHARS // 2).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRecord:
    move_id: str
    group_id: str
    source_shard: str
    source_space: str
    target_shard: str
    target_space: str
    kind: MoveKind = MoveKind.MOVE
    phase: MovePhase = MovePhase.PLANNED
    reverses: str = ""
    """move_id of the move that a REVERSE undoes."""
    reverse_window_s: float = 0.0
    verify: VerifyWhen = VerifyWhen.BEFORE_COMMIT
    rows_total: int = 0
    """Rows, tombstones and operation records are counted as rows; of the group as its copy began."""
    rows_copied: int = 0
    """By the copy and its rounds; a row that changes is counted again."""
    rows_remaining: int = 0
    """Of the copy; afterwards changes that the target lacks."""
    bytes_copied: int = 0
    """Of texts and vectors, before any encoding."""
    rounds: int = 0
    rate_rows_per_s: float = 0.0
    pauses_us: tuple[int, ...] = ()
    """How long each freeze kept writers waiting, the last one ends with the commit."""
    thaws: int = 0
    requested_us: int = 0
    updated_us: int = 0
    committed_us: int = 0
    """0: not committed."""
    indexed_us: int = 0
    """When the target's vector slots were complete, if the move waited for them."""
    ended_us: int = 0
    reverse_until_us: int = 0
    """Set by the commit, brought forward by finish."""
    cancel_requested: bool = False
    coordinator: str = ""
    """Gateway that works or worked on it."""
    token: int = 0
    error_reason: str = ""
    """MoveFailure, or the reason of the error of a shard."""
    error_text: str = ""
    request_id: str = ""
    revision: int = 0
    """Raised by every write of the record; a writer that has not seen the last one is refused."""
    newer: tuple[tuple[str, str], ...] = ()
    """Fields with values that only a newer gateway knows, as they are stored and stay; `phase` is UNSPECIFIED
    then, and the others have their defaults."""

    @property
    def source(self) -> Place:
        return Place(self.source_shard, self.source_space)

    @property
    def target(self) -> Place:
        return Place(self.target_shard, self.target_space)

    @property
    def ended(self) -> bool:
        return self.phase in ENDED or (self.phase is MovePhase.UNSPECIFIED and self.ended_us > 0)

    @property
    def committed(self) -> bool:
        return self.committed_us > 0

    @property
    def holds_group(self) -> bool:
        """Whether no other move of the group may begin at its source: it is to take the group away."""
        is_given_up = self.cancel_requested or self.phase is MovePhase.CANCELLING
        return not (self.ended or self.committed or is_given_up)

    @property
    def eta_s(self) -> float | None:
        """Until the commit; None: not known."""
        return eta_s(self)

    @property
    def due_us(self) -> int:
        """From when on somebody has to work on it."""
        return self.reverse_until_us if self.phase is MovePhase.REVERSIBLE else 0

    def owns(self, fence_move_id: str) -> bool:
        """Whether a fence's move_id is one of this move's: it has a new one for each copy."""
        return record_id(fence_move_id) == self.move_id

    def with_pause(self, pause_us: int) -> "MoveRecord":
        return replace(self, pauses_us=(*self.pauses_us, pause_us))

    def merged(self, stored: "MoveRecord") -> "MoveRecord":
        """This state, with what others have asked for or found out since: a commit and an end stay."""
        if (stored.committed and not self.committed) or (stored.ended and not self.ended):
            return stored
        until_us = stored.reverse_until_us if self.committed and stored.committed else self.reverse_until_us
        return replace(
            self,
            cancel_requested=self.cancel_requested or stored.cancel_requested,
            reverse_until_us=min(until_us, self.reverse_until_us),
            revision=stored.revision,
        )


def copy_id(move_id: str, token: int) -> str:
    """A fence's move_id: of one copy of one move."""
    return f"{move_id}/{token}"


def record_id(fence_move_id: str) -> str:
    """Of the move that a fence's move_id belongs to; empty: of none."""
    return fence_move_id.partition("/")[0]


def eta_s(record: MoveRecord) -> float | None:
    """What remains at the present rate; 0.0 from the commit on."""
    if record.committed or record.ended:
        return 0.0
    if record.rate_rows_per_s <= 0:
        return None
    return record.rows_remaining / record.rate_rows_per_s


_ENUMS: Final[Mapping[str, type[StrEnum]]] = {"kind": MoveKind, "phase": MovePhase, "verify": VerifyWhen}
_FIELDS: Final = tuple(name for name in MoveRecord.__dataclass_fields__ if name != "newer")


def encode(record: MoveRecord) -> bytes:
    return orjson.dumps({name: getattr(record, name) for name in _FIELDS} | dict(record.newer))


def decode(text: bytes | str) -> MoveRecord:
    """Fields of a newer gateway are left out, of its values see MoveRecord.newer. Raises ValueError for what
    is no record."""
    values: Any = orjson.loads(text)
    try:
        known: dict[str, Any] = {name: values[name] for name in _FIELDS if name in values}
        newer = {name: known.pop(name) for name, enum in _ENUMS.items() if known[name] not in set(enum)}
        for name, enum in _ENUMS.items():
            if name in known:
                known[name] = enum(known[name])
        if newer:
            newer["phase"] = values["phase"]
            known |= {"phase": MovePhase.UNSPECIFIED, "newer": tuple(newer.items())}
        known["pauses_us"] = tuple(known["pauses_us"])
        return MoveRecord(**known)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the text is no record of a move ({error!r})") from error


def of_fence(shard_id: str, fence: Fence, now_us: int, *, reverse_window_s: float) -> MoveRecord:
    """The record of a move that the catalog has lost, from the source's fence, which is OPEN or FROZEN, or
    MOVED with its rows, and has a move_id. What the record knew beside is gone: its copy is verified, and of
    a move that is committed the window begins anew."""
    assert fence.owns or fence.state is FenceState.MOVED, f"a fence {fence.state} is no source of a move"
    assert fence.move_id, "a fence without a move_id is no source of a move"
    record = MoveRecord(
        move_id=record_id(fence.move_id),
        group_id=fence.group_id,
        source_shard=shard_id,
        source_space=fence.space,
        target_shard=fence.moved_to,
        target_space=fence.moved_space,
        reverse_window_s=reverse_window_s,
        requested_us=now_us,
        token=fence.token,
    )
    if fence.owns:
        return record
    until_us = now_us + round(reverse_window_s * 1_000_000)
    return replace(record, phase=MovePhase.COMMITTED, committed_us=now_us, reverse_until_us=until_us)


def of_copy(shard_id: str, fence: Fence, now_us: int) -> MoveRecord:
    """The same from the target's fence, for a source that does not know the move any more: it was given up,
    and what it left is to be deleted."""
    assert fence.move_id, "a fence without a move_id is no copy"
    return MoveRecord(
        move_id=record_id(fence.move_id),
        group_id=fence.group_id,
        source_shard=fence.moved_to,
        source_space=fence.moved_space,
        target_shard=shard_id,
        target_space=fence.space,
        phase=MovePhase.CANCELLING,
        cancel_requested=True,
        requested_us=now_us,
        token=fence.token,
    )
