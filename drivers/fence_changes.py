"""The transitions of a fence while its group moves: one table for both engines, the model driver and the
model check of the protocol.

A fence changes by these rules and by writes, nothing else. A driver renders a rule into one conditional
statement that takes the fence's lock, `after` says what that statement does. Where a rule has no guard on
something, the protocol does not need it; tests/model_check has a mutation for each guard and what it breaks.

    source   OPEN --TAKE--> OPEN --FREEZE--> FROZEN --COMMIT--> MOVED --BURY--> TOMB
                                   ABANDON: OPEN -> OPEN    THAW, ABANDON_FROZEN: FROZEN -> OPEN
    target   absent, MOVED, TOMB, a move that was given up --PREPARE--> WIPING --WIPED--> INCOMING
             MOVED with its rows --PREPARE_DELTA--> INCOMING
             INCOMING --LOAD, APPLY--> INCOMING --READY--> READY --OPEN_UP--> OPEN
             RESUME: another coordinator goes on with the same move     UNREADY: READY -> INCOMING
             WIPING, INCOMING, READY of a move that was given up --DISCARD--> TOMB

Why ownership can never be in two places: only COMMIT takes it from the source, and it names the token and the
frozen epoch; READY's epoch is one that no router is told before COMMIT has put it into the source's fence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from drivers.fence import FenceState

type Value = int | str
type FenceValues = Mapping[str, Value]
"""Properties of a fence by the names of drivers.fence_codec.FENCE_COLUMNS."""


class Comparison(StrEnum):
    EQUAL = "="
    LESS = "<"
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that the caller gives."""

    name: str


@dataclass(frozen=True, slots=True)
class Own:
    """A property of the fence as it is before the change, plus a number if it is one."""

    name: str
    plus: int = 0


@dataclass(frozen=True, slots=True)
class Greater:
    """The greater of a property of the fence and a value that the caller gives."""

    name: str
    parameter: str


type Source = Parameter | Own | Greater | int | str


@dataclass(frozen=True, slots=True)
class Guard:
    """`fence.<name> <comparison> <value>`."""

    name: str
    comparison: Comparison
    value: Parameter | Own


@dataclass(frozen=True, slots=True)
class FenceChange:
    name: str
    states: frozenset[FenceState]
    """In which the fence may be."""
    guards: tuple[Guard, ...]
    sets: Mapping[str, Source] = field(hash=False)
    """No source reads a property that the rule sets, but its own: all are read before any is set."""
    creates: bool = False
    """Also where there is no fence: then it is made of `sets`, every other property empty or 0."""

    @property
    def parameters(self) -> frozenset[str]:
        """Names that the caller has to give."""
        named = {guard.value.name for guard in self.guards if isinstance(guard.value, Parameter)}
        for source in self.sets.values():
            match source:
                case Parameter(name) | Greater(_, name):
                    named.add(name)
                case _:
                    pass
        return frozenset(named)

    def allowed(self, fence: FenceValues | None, given: FenceValues) -> bool:
        """Whether the change happens; nothing is changed if not."""
        if fence is None:
            return self.creates
        return FenceState(fence["state"]) in self.states and all(
            _holds(guard, fence, given) for guard in self.guards
        )

    def after(self, fence: FenceValues, given: FenceValues) -> dict[str, Value]:
        """The fence's properties afterwards, of a change that is allowed. For one that is created `fence` has
        every property empty or 0."""
        return {**fence, **{name: _value(source, fence, given) for name, source in self.sets.items()}}


def _holds(guard: Guard, fence: FenceValues, given: FenceValues) -> bool:
    own, value = fence[guard.name], _value(guard.value, fence, given)
    match guard.comparison:
        case Comparison.EQUAL:
            return own == value
        case Comparison.LESS:
            return _number(own) < _number(value)
        case Comparison.AT_LEAST:
            return _number(own) >= _number(value)


def _value(source: Source, fence: FenceValues, given: FenceValues) -> Value:
    match source:
        case Parameter(name):
            return given[name]
        case Own(name, 0):
            return fence[name]
        case Own(name, plus):
            return _number(fence[name]) + plus
        case Greater(name, parameter):
            return max(_number(fence[name]), _number(given[parameter]))
        case _:
            return source


def _number(value: Value) -> int:
    assert isinstance(value, int), f"{value!r} is no number"
    return value


def _equal(name: str, value: Parameter | Own | None = None) -> Guard:
    return Guard(name, Comparison.EQUAL, value or Parameter(name))


_S = FenceState
_MINE: Final = _equal("token")
_SAME_MOVE: Final = _equal("move_id")
_HIGHER_TOKEN: Final = Guard("token", Comparison.LESS, Parameter("token"))
_NO_MOVE: Final[Mapping[str, Source]] = {"move_id": "", "moved_to": "", "moved_space": ""}

TAKE: Final = FenceChange(
    "TAKE",
    frozenset({_S.OPEN, _S.FROZEN}),
    (_HIGHER_TOKEN, _equal("move_id", Parameter("seen_move_id"))),
    {
        "token": Parameter("token"),
        "move_id": Parameter("move_id"),
        "moved_to": Parameter("to_shard"),
        "moved_space": Parameter("to_space"),
    },
)
"""Begins a move, takes one over (the same move_id) or begins its copy anew (another one). `token` is greater
than that of both fences. moved_to of a fence that owns says where its move goes."""

FREEZE: Final = FenceChange(
    "FREEZE",
    frozenset({_S.OPEN}),
    (_MINE, _SAME_MOVE),
    {"state": _S.FROZEN.value, "epoch": Own("epoch", 1)},
)
THAW: Final = FenceChange(
    "THAW", frozenset({_S.FROZEN}), (_MINE,), {"state": _S.OPEN.value, "epoch": Own("epoch", 2)}
)
"""A frozen epoch never comes back: a COMMIT that is late finds another one."""

ABANDON: Final = FenceChange("ABANDON", frozenset({_S.OPEN}), (_MINE, _SAME_MOVE), _NO_MOVE)
ABANDON_FROZEN: Final = FenceChange(
    "ABANDON_FROZEN",
    frozenset({_S.FROZEN}),
    (_MINE, _SAME_MOVE),
    {"state": _S.OPEN.value, "epoch": Own("epoch", 2), **_NO_MOVE},
)

COMMIT: Final = FenceChange(
    "COMMIT",
    frozenset({_S.FROZEN}),
    (_MINE, _equal("epoch", Parameter("frozen_epoch"))),
    {
        "state": _S.MOVED.value,
        "moved_to": Parameter("to_shard"),
        "moved_space": Parameter("to_space"),
        "moved_epoch": Own("epoch", 1),
    },
)
"""The one decision of a move."""

BURY: Final = FenceChange(
    "BURY",
    frozenset({_S.MOVED}),
    (_equal("moved_epoch"),),
    {"state": _S.TOMB.value, "move_id": ""},
)
"""The rows may go from here on; the fence stays and leads to the owner."""

POINT: Final = FenceChange(
    "POINT",
    frozenset({_S.MOVED, _S.TOMB}),
    (Guard("moved_epoch", Comparison.LESS, Parameter("moved_epoch")),),
    {
        "moved_to": Parameter("to_shard"),
        "moved_space": Parameter("to_space"),
        "moved_epoch": Parameter("moved_epoch"),
    },
)
"""The register's pointer, by the higher epoch."""

PREPARE: Final = FenceChange(
    "PREPARE",
    frozenset({_S.MOVED, _S.TOMB, _S.WIPING, _S.INCOMING, _S.READY}),
    (_HIGHER_TOKEN,),
    {
        "state": _S.WIPING.value,
        "token": Parameter("token"),
        "move_id": Parameter("move_id"),
        "moved_to": Parameter("from_shard"),
        "moved_space": Parameter("from_space"),
        "space": Parameter("space"),
        "applied": 0,
        "cursor": "",
        "prune_floor": 0,
    },
    creates=True,
)
"""moved_to of a fence that a move prepares leads back to the owner."""

PREPARE_DELTA: Final = FenceChange(
    "PREPARE_DELTA",
    frozenset({_S.MOVED}),
    (_HIGHER_TOKEN, Guard("version", Comparison.AT_LEAST, Parameter("owner_prune_floor"))),
    {
        "state": _S.INCOMING.value,
        "token": Parameter("token"),
        "move_id": Parameter("move_id"),
        "moved_to": Parameter("from_shard"),
        "moved_space": Parameter("from_space"),
        "applied": Own("version"),
        "cursor": Parameter("cursor_end"),
    },
)
"""The way back: the rows are there up to the version at which the group left."""

RESUME: Final = FenceChange(
    "RESUME",
    frozenset({_S.WIPING, _S.INCOMING, _S.READY}),
    (_HIGHER_TOKEN, _SAME_MOVE),
    {"token": Parameter("token")},
)
UNREADY: Final = FenceChange(
    "UNREADY", frozenset({_S.READY}), (_MINE, _SAME_MOVE, _equal("epoch")), {"state": _S.INCOMING.value}
)
"""`epoch`: of the READY that is taken back, after its THAW or TAKE. One that is late must not undo the next
READY, which may be committed."""

DISCARD: Final = FenceChange(
    "DISCARD",
    frozenset({_S.WIPING, _S.INCOMING, _S.READY}),
    (_MINE, _SAME_MOVE),
    {
        "state": _S.TOMB.value,
        "move_id": "",
        "moved_epoch": Greater("moved_epoch", "owner_epoch"),
        "applied": 0,
        "cursor": "",
    },
)
"""What a move that was given up leaves at its target: only after its ABANDON, by the coordinator of that,
with the epoch that the source has since. From here on it is as after BURY: the rows may go, the pointer leads
to the owner."""

WIPED: Final = FenceChange(
    "WIPED",
    frozenset({_S.WIPING}),
    (_MINE, _SAME_MOVE),
    {"state": _S.INCOMING.value, "applied": Parameter("applied"), "cursor": ""},
)
"""`applied`: the source's version, read under its lock before the copy: rounds begin there."""

LOAD: Final = FenceChange(
    "LOAD",
    frozenset({_S.INCOMING}),
    (_MINE, _SAME_MOVE, _equal("cursor")),
    {"cursor": Parameter("cursor_after"), "prune_floor": Greater("prune_floor", "owner_prune_floor")},
)
"""A batch of the copy. Batches are chained by the cursor: one that is late is refused."""

APPLY: Final = FenceChange(
    "APPLY",
    frozenset({_S.INCOMING}),
    (_MINE, _SAME_MOVE, _equal("applied")),
    {"applied": Parameter("applied_after"), "prune_floor": Greater("prune_floor", "owner_prune_floor")},
)
"""A batch of a round, everything with a version in (applied, applied_after]. A round that is too much for one
batch comes in parts, of which all but the last leave `applied` as it is: they may come again."""

READY: Final = FenceChange(
    "READY",
    frozenset({_S.INCOMING}),
    (_MINE, _SAME_MOVE, _equal("applied", Parameter("version"))),
    {
        "state": _S.READY.value,
        "epoch": Parameter("epoch"),
        "version": Parameter("version"),
        "last_created_at": Parameter("last_created_at"),
        "created_at": Parameter("created_at"),
        "embeddings": Parameter("embeddings"),
    },
)
"""`epoch` is the frozen epoch + 1, `version` the frozen version; the statistics come beside it, see
drivers.moving.Settlement."""

OPEN_UP: Final = FenceChange(
    "OPEN_UP",
    frozenset({_S.READY}),
    (_equal("epoch"),),
    {"state": _S.OPEN.value, "applied": 0, "cursor": "", **_NO_MOVE},
)
"""By anybody who has read this epoch in the MOVED fence of the source, and by nobody else."""

FENCE_CHANGES: Final = (
    TAKE,
    FREEZE,
    THAW,
    ABANDON,
    ABANDON_FROZEN,
    COMMIT,
    BURY,
    POINT,
    PREPARE,
    PREPARE_DELTA,
    RESUME,
    UNREADY,
    DISCARD,
    WIPED,
    LOAD,
    APPLY,
    READY,
    OPEN_UP,
)
