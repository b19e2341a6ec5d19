"""Each rule of the protocol, taken away: what breaks, and the small configuration that shows it.

Section 4 of the protocol's notes lists the mutations; where the table chains batches, one that the chain
makes harmless is made together with the loss of the chain.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from drivers.fence import FenceState
from drivers.fence_changes import FENCE_CHANGES, FenceChange, Own, Source
from tests.model_check.configurations import FORTH_AND_BACK
from tests.model_check.explore import Outcome, check
from tests.model_check.model import Model
from tests.model_check.state import (
    FEED_GAP,
    LOST_WRITE,
    NO_OWNER,
    RESTARTED,
    RESURRECTED,
    STALE_READ,
    STUCK,
    TWO_OWNERS,
    Configuration,
)
from tests.model_check.writes import TWICE

type Edit = Callable[[FenceChange], FenceChange]
"""Of one rule of the table; every other is returned as it is."""


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    config: Configuration
    """In which it shows fast; one that breaks nothing is explored there to the end."""
    breaks: frozenset[str]
    """The promise that breaks first; with several shortest traces any of these. Empty: none."""
    edits: tuple[Edit, ...] = ()
    why_harmless: str = ""
    """What keeps the promises in spite of it."""

    def run(self) -> Outcome:
        return check(Model.of(self.config, edited(self.edits)))

    @property
    def rules(self) -> frozenset[str]:
        """Names of the rules that it changes."""
        both = zip(FENCE_CHANGES, edited(self.edits), strict=True)
        return frozenset(change.name for change, other in both if change != other)


def edited(edits: tuple[Edit, ...]) -> tuple[FenceChange, ...]:
    changes = FENCE_CHANGES
    for edit in edits:
        changed = tuple(map(edit, changes))
        assert changed != changes, "the rule or the guard that this mutation takes away is not there"
        changes = changed
    return changes


def without(rule: str, *guards: str) -> Edit:
    """The guards on these properties are taken away."""

    def edit(change: FenceChange) -> FenceChange:
        kept = tuple(guard for guard in change.guards if guard.name not in guards)
        return replace(change, guards=kept) if change.name == rule else change

    return edit


def setting(rule: str, **values: Source) -> Edit:
    def edit(change: FenceChange) -> FenceChange:
        return replace(change, sets={**change.sets, **values}) if change.name == rule else change

    return edit


def not_setting(rule: str, name: str) -> Edit:
    def edit(change: FenceChange) -> FenceChange:
        sets = {key: value for key, value in change.sets.items() if key != name}
        return replace(change, sets=sets) if change.name == rule else change

    return edit


def also_in(rule: str, *states: FenceState) -> Edit:
    def edit(change: FenceChange) -> FenceChange:
        return replace(change, states=change.states | {*states}) if change.name == rule else change

    return edit


def tokens_unchecked(change: FenceChange) -> FenceChange:
    return replace(change, guards=tuple(guard for guard in change.guards if guard.name != "token"))


def small(
    *flags: str,
    writes: str = "pa",
    routes: tuple[tuple[int, int], ...] = ((0, 1),),
    has_b: bool = False,
    split: bool = False,
    cut: bool = False,
    **counts: int,
) -> Configuration:
    return replace(
        Configuration("", "", writes=tuple(writes.split()), routes=routes, has_b=has_b),
        split_writes=split,
        torn=split,
        cut_batches=cut,
        flags=frozenset(flags),
        **counts,
    )


def breaks(name: str, config: Configuration, breaks: str, *edits: Edit) -> Mutation:
    return Mutation(name, config, frozenset(breaks.split(" or ")), edits)


def harmless(name: str, config: Configuration, why: str, *edits: Edit) -> Mutation:
    return Mutation(name, config, frozenset(), edits, why)


_UNCHAINED: Final = (without("LOAD", "cursor"), without("APPLY", "applied"))
_BACK: Final = FORTH_AND_BACK
_BOTH: Final = f"{LOST_WRITE} or {RESURRECTED}"

OF_THE_NOTES: Final = (
    breaks("a router trusts its cache", small("router trusts its cache"), LOST_WRITE),
    breaks("a write reads the fence without its lock", small("no lock", split=True), LOST_WRITE),
    breaks(
        "OPEN_UP asks for no epoch",
        small(routes=_BACK, takes=2),
        TWO_OWNERS,
        without("OPEN_UP", "epoch"),
    ),
    breaks(
        "the target compares no versions, batches are not chained",
        small("rows not compared", "tombstones not compared", late=1),
        LOST_WRITE,
        *_UNCHAINED,
    ),
    breaks(
        "rows are compared without tombstones, batches are not chained",
        small("rows compared without tombstones", writes="da", late=1),
        RESURRECTED,
        *_UNCHAINED,
    ),
    breaks("applied is set after the copy", small("applied set after the copy"), LOST_WRITE),
    breaks("the bound is read after the scan", small("bound read after the scan", writes="da pb"), _BOTH),
    breaks(
        "the bound is read without the lock",
        small("bound read without the lock", split=True, writes="pa pb"),
        LOST_WRITE,
    ),
    breaks("tombstones are not kept", small("tombstones not kept", writes="da"), RESURRECTED),
    breaks("the floor is not looked at", small("floor not looked at", writes="da", prunes=1), RESURRECTED),
    breaks("pruning does not raise the floor", small("floor not raised", writes="da", prunes=1), RESURRECTED),
    breaks("tokens are not checked", small(takes=2), f"{NO_OWNER} or {LOST_WRITE}", tokens_unchecked),
    breaks(
        "COMMIT asks for the token only",
        small(late=1, thaws=1),
        NO_OWNER,
        without("COMMIT", "epoch"),
    ),
    breaks("operation records do not move", small("operation records do not move"), TWICE),
    breaks("no operation records", small("no operation records"), TWICE),
    breaks(
        "only what is newer onto wiped rows",
        small("delta onto wiped rows", routes=_BACK, takes=2, burials=1),
        LOST_WRITE,
        also_in("PREPARE_DELTA", FenceState.TOMB),
    ),
    breaks("no wipe", small("no wipe", writes="pa da", takes=2, aborts=1, prunes=1), RESURRECTED),
    breaks("READY tells its epoch", small("READY tells its epoch"), TWO_OWNERS),
    breaks("OPEN_UP by READY's own epoch", small("OPEN_UP by READY's own epoch"), TWO_OWNERS),
    breaks(
        "copied anew with the same token",
        small("copied anew with the same token", writes="da pb", prunes=1, late=1),
        _BOTH,
    ),
    breaks(
        "a read takes the fence first",
        small("read takes the fence first", reads=1),
        STALE_READ,
    ),
    breaks(
        "a read judges by the state only",
        small("read judges by state", routes=_BACK, takes=2, reads=1),
        STALE_READ,
    ),
    breaks(
        "the feed reads its bound last",
        small("watch reads its bound last", writes="pa", rounds=1),
        FEED_GAP,
    ),
    breaks(
        "the feed knows no floor",
        small("watch knows no floor", writes="da", prunes=1, rounds=2),
        FEED_GAP,
    ),
    breaks(
        "the feed reads no fence", small("watch reads no fence", rounds=1, routes=_BACK, takes=2), FEED_GAP
    ),
    breaks(
        "the target does not take over the floor",
        small(writes="da", prunes=1, rounds=2),
        FEED_GAP,
        not_setting("LOAD", "prune_floor"),
    ),
    breaks(
        "a cut batch passes tombstones that were not sent",
        small("cut batch without tombstones", writes="da pb pb", cut=True),
        RESURRECTED,
    ),
    breaks(
        "READY asks for no applied version", small("READY as it is"), LOST_WRITE, without("READY", "applied")
    ),
    breaks("READY has version 0", small(), RESTARTED, setting("READY", version=0)),
    breaks(
        "READY has version 0, the way back",
        small("versions unwatched", routes=_BACK, takes=2, writes="pa"),
        LOST_WRITE,
        setting("READY", version=0),
    ),
    breaks(
        "THAW restores the epoch",
        small(late=1, thaws=1),
        NO_OWNER,
        setting("THAW", epoch=Own("epoch", -1)),
    ),
    harmless(
        "THAW leaves the epoch as it is",
        small(late=1, thaws=1, aborts=1),
        "FREEZE raises it: a frozen epoch never comes back",
        setting("THAW", epoch=Own("epoch")),
        setting("ABANDON_FROZEN", epoch=Own("epoch")),
    ),
    harmless(
        "FREEZE leaves the epoch as it is",
        small(late=1, thaws=1, aborts=1),
        "THAW raises it: a frozen epoch never comes back",
        setting("FREEZE", epoch=Own("epoch")),
    ),
    harmless(
        "the source thaws itself",
        small("source thaws itself", late=1, takes=2, thaws=1),
        "COMMIT is a compare-and-set on FROZEN",
    ),
    harmless(
        "the target compares no versions of rows",
        small("rows not compared", writes="pa da", late=1),
        "batches are chained",
    ),
    harmless(
        "rows are compared without tombstones",
        small("rows compared without tombstones", writes="pa da", late=1),
        "batches are chained",
    ),
)

BESIDE_THE_NOTES: Final = (
    breaks(
        "the target compares no versions of tombstones",
        small("tombstones not compared", writes="da pa"),
        LOST_WRITE,
    ),
    breaks(
        "FREEZE asks for no move",
        small(late=1, aborts=1),
        STUCK,
        without("FREEZE", "move_id"),
    ),
    breaks(
        "UNREADY asks for no epoch",
        small(late=1, thaws=1),
        NO_OWNER,
        without("UNREADY", "epoch"),
    ),
    breaks(
        "UNREADY before THAW",
        small("UNREADY before THAW", late=1, thaws=1),
        NO_OWNER,
    ),
    breaks(
        "a successor takes READY for what it is",
        small("READY taken as it is", takes=2, thaws=1, late=1),
        f"{LOST_WRITE} or {NO_OWNER} or {RESTARTED}",
    ),
    breaks(
        "DISCARD before ABANDON",
        small("DISCARD before ABANDON", late=1, aborts=1),
        NO_OWNER,
    ),
    breaks("BURY before OPEN_UP", small("BURY before OPEN_UP", burials=1), NO_OWNER),
    breaks(
        "a late wipe asks for no token",
        small("wipe asks for no token", late=1),
        f"{LOST_WRITE} or {NO_OWNER}",
    ),
)

MUTATIONS: Final = (*OF_THE_NOTES, *BESIDE_THE_NOTES)
