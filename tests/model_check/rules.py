"""drivers/fence_changes.py, compiled to closures over the fields of the model's fence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, lt
from typing import Final

from drivers.fence_changes import (
    FENCE_CHANGES,
    Comparison,
    FenceChange,
    Greater,
    Guard,
    Own,
    Parameter,
    Source,
)
from tests.model_check.state import Fence

GIVEN: Final[Mapping[str, tuple[str, ...]]] = {
    "TAKE": ("token", "seen_move_id", "move_id", "to_shard"),
    "FREEZE": ("token", "move_id"),
    "THAW": ("token",),
    "ABANDON": ("token", "move_id"),
    "ABANDON_FROZEN": ("token", "move_id"),
    "COMMIT": ("token", "frozen_epoch", "to_shard"),
    "BURY": ("moved_epoch",),
    "POINT": ("moved_epoch", "to_shard"),
    "PREPARE": ("token", "move_id", "from_shard"),
    "PREPARE_DELTA": ("token", "move_id", "from_shard", "owner_prune_floor", "cursor_end"),
    "RESUME": ("token", "move_id"),
    "UNREADY": ("token", "move_id", "epoch"),
    "DISCARD": ("token", "move_id", "owner_epoch"),
    "WIPED": ("token", "move_id", "applied"),
    "LOAD": ("token", "move_id", "cursor", "cursor_after", "owner_prune_floor"),
    "APPLY": ("token", "move_id", "applied", "applied_after", "owner_prune_floor"),
    "READY": ("token", "move_id", "version", "epoch"),
    "OPEN_UP": ("epoch",),
}
"""What the model's messages carry, by rule and in this order."""
NOT_MODELLED: Final = frozenset({"space", "moved_space", "last_created_at", "created_at", "embeddings"})
"""Properties of a fence that no guard may name."""

_COMPARISONS: Final = {Comparison.EQUAL: eq, Comparison.LESS: lt, Comparison.AT_LEAST: ge}

type Values = tuple[int, ...]
type Read = Callable[[Fence, Values], int | str]
type Check = Callable[[Fence, Values], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    states: frozenset[str]
    checks: tuple[Check, ...]
    sets: tuple[tuple[int, Read], ...]
    creates: bool

    def after(self, fence: Fence | None, given: Values) -> Fence | None:
        """None: refused."""
        if fence is None:
            if not self.creates:
                return None
            fence = Fence()
        elif fence.state not in self.states:
            return None
        else:
            for check in self.checks:
                if not check(fence, given):
                    return None
        values: list[int | str] = [*fence]
        for index, read in self.sets:
            values[index] = read(fence, given)
        return Fence(*values)  # pyright: ignore[reportArgumentType] - by index


@dataclass(frozen=True, slots=True)
class Rules:
    by_name: Mapping[str, Rule]
    guards_tokens: bool
    """Whether a coordinator with a lower token than both its fences can change nothing any more."""


def compiled(changes: tuple[FenceChange, ...] = FENCE_CHANGES) -> Rules:
    """Raises KeyError or ValueError where the table has grown beyond the model: a rule, a parameter or a
    guard that it does not know."""
    owned = {"BURY", "POINT", "OPEN_UP"}
    guards_tokens = all(
        any(guard.name == "token" for guard in change.guards)
        for change in changes
        if change.name not in owned
    )
    return Rules({change.name: _rule(change) for change in changes}, guards_tokens)


def _rule(change: FenceChange) -> Rule:
    names = GIVEN[change.name]
    sets = tuple(
        (Fence._fields.index(name), _read(source, names, change.name))
        for name, source in change.sets.items()
        if name not in NOT_MODELLED
    )
    checks = tuple(_check(guard, names, change.name) for guard in change.guards)
    return Rule(change.name, frozenset(s.value for s in change.states), checks, sets, change.creates)


def _check(guard: Guard, names: tuple[str, ...], rule: str) -> Check:
    index, compare = Fence._fields.index(guard.name), _COMPARISONS[guard.comparison]
    match guard.value:
        case Parameter(name):
            given_index = _place(name, names, rule)
            return lambda fence, given: compare(fence[index], given[given_index])
        case Own(name, plus):
            other = Fence._fields.index(name)
            return lambda fence, _: compare(fence[index], _number(fence[other]) + plus)


def _read(source: Source, names: tuple[str, ...], rule: str) -> Read:
    match source:
        case Parameter(name):
            index = _place(name, names, rule)
            return lambda _, given: given[index]
        case Own(name, 0):
            index = Fence._fields.index(name)
            return lambda fence, _: fence[index]
        case Own(name, plus):
            index = Fence._fields.index(name)
            return lambda fence, _: _number(fence[index]) + plus
        case Greater(name, parameter):
            index, place = Fence._fields.index(name), _place(parameter, names, rule)
            return lambda fence, given: max(_number(fence[index]), given[place])
        case _:
            constant = source or 0
            return lambda _fence, _given: constant


def _place(name: str, names: tuple[str, ...], rule: str) -> int:
    if name not in names:
        raise ValueError(f"{rule} wants {name}, which the model's messages do not carry: add it to GIVEN")
    return names.index(name)


def _number(value: int | str) -> int:
    assert isinstance(value, int)
    return value
