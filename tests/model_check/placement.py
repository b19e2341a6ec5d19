"""First placement of one group, a change of the root ring, and the removal of a shard that it releases.

The catalog is no part of a state: a gateway places where it likes and trusts no record, so that a catalog may
be lost, rolled back, rebuilt or changed at any time. A move is one step here. A shard that is down is one
where no step happens for a while. The home of the group is shard A
under the first root and B under the second; a fence is VACANT, OPEN_HERE, or n > 0: it leads to shard n - 1.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.model_check.explore import Outcome, explore
from tests.model_check.state import ASTRAY, NO_OWNER, TWO_OWNERS, put

SHARDS: Final = 3
VACANT: Final = 0
OPEN_HERE: Final = -1
NAMES: Final = "ABC"


class Mark(NamedTuple):
    """What a shard itself knows and checks when a fence is created there."""

    root: int = 1
    pending: bool = False
    """A change of the root is going on: no new entry of a register."""
    closed: bool = False
    """It is being removed: no new group and none that comes."""


class Gateway(NamedTuple):
    """One that is creating the group."""

    at: str
    root: int
    shard: int


class Admin(NamedTuple):
    """The change of the root, or the removal of A; whoever begins it again begins at the start."""

    at: str = ""
    shard: int = 0
    seen: int = VACANT


class Left(NamedTuple):
    moves: int
    changes: int
    """Beginnings of the change of the root."""
    removals: int


class State(NamedTuple):
    fences: tuple[int, ...]
    marks: tuple[Mark, ...]
    gateways: tuple[Gateway, ...]
    admin: Admin
    placed: bool
    """Writes may have been acknowledged."""
    removed: bool
    """A is gone, with everything in it."""
    left: Left


type Step = tuple[str, State | str]


@dataclass(frozen=True, slots=True)
class Placement:
    name: str
    about: str
    gateways: int = 2
    moves: int = 1
    changes: int = 0
    removals: int = 0
    only_ownership: bool = False
    """Whether to pass over states in which the register misleads, to see what becomes of them."""
    flags: frozenset[str] = field(default=frozenset())

    def run(self) -> Outcome:
        start = State(
            (VACANT,) * SHARDS,
            (Mark(),) * SHARDS,
            (),
            Admin(),
            False,
            False,
            Left(self.moves, self.changes, self.removals),
        )
        judge = _ownership if self.only_ownership else _violation
        return explore(start, lambda state: _Steps(self, state).all(), judge)


def _ownership(state: State) -> str | None:
    owners = state.fences.count(OPEN_HERE)
    if owners > 1:
        return TWO_OWNERS
    return NO_OWNER if state.placed and not owners else None


def _violation(state: State) -> str | None:
    broken = _ownership(state)
    if broken is None and state.placed and any(_misleads(state, shard) for shard in range(SHARDS)):
        return ASTRAY
    return broken


def _misleads(state: State, shard: int) -> bool:
    """Whether who asks this shard, which says that it is the home, is not led to the owner. While a change is
    pending a home without an entry says that it does not know."""
    mark = state.marks[shard]
    if not _is_there(state, shard) or home(mark.root) != shard:
        return False
    unknown = mark.pending and state.fences[shard] == VACANT
    return not unknown and _owner(state, shard) is None


def home(root: int) -> int:
    return root - 1


def _is_there(state: State, shard: int) -> bool:
    return not (state.removed and shard == 0)


def _owner(state: State, start: int) -> int | None:
    at = start
    for _ in range(2 * SHARDS):
        if state.fences[at] == OPEN_HERE:
            return at
        if state.fences[at] == VACANT:
            return None
        at = state.fences[at] - 1
    return None


class _Steps:
    def __init__(self, model: Placement, state: State) -> None:
        self._model = model
        self._state = state
        self._out: list[Step] = []

    def all(self) -> list[Step]:
        for gateway in self._state.gateways:
            self._creating(gateway)
        if len(self._state.gateways) < self._model.gateways:
            self._begin()
        self._change() if self._state.admin.at else self._begin_change()
        self._world()
        return self._out

    def _fence(self, shard: int, value: int, state: State | None = None) -> State:
        state = state or self._state
        placed = state.placed or value == OPEN_HERE
        return state._replace(fences=put(state.fences, shard, value), placed=placed)

    # --- gateways -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        """With the root that some shard has now, and any shard for the group."""
        roots = {mark.root for shard, mark in enumerate(self._state.marks) if _is_there(self._state, shard)}
        for root in sorted(roots):
            for shard in range(SHARDS):
                first = Gateway("create" if "no register" in self._model.flags else "register", root, shard)
                more = tuple(sorted((*self._state.gateways, first)))
                label = f"a gateway with root {root} chooses {NAMES[shard]}"
                self._out.append((label, self._state._replace(gateways=more)))

    def _go(self, gateway: Gateway, label: str, state: State, then: Gateway | None) -> None:
        others = [*self._state.gateways]
        others.remove(gateway)
        more = tuple(sorted(others if then is None else (*others, then)))
        self._out.append((f"gateway {label}", state._replace(gateways=more)))

    def _creating(self, gateway: Gateway) -> None:
        self._go(gateway, "dies", self._state, None)
        at = home(gateway.root) if gateway.at == "register" else gateway.shard
        if not _is_there(self._state, at):
            return
        fence, mark = self._state.fences[at], self._state.marks[at]
        if fence == OPEN_HERE:
            self._go(gateway, f"finds the group at {NAMES[at]}", self._state, None)
        elif fence > 0:
            self._go(gateway, f"follows {NAMES[at]}", self._state, Gateway("create", gateway.root, fence - 1))
        elif mark.closed:
            self._go(gateway, f"is refused by {NAMES[at]}", self._state, None)
        elif gateway.at == "create":
            self._go(gateway, f"creates the fence at {NAMES[at]}", self._fence(at, OPEN_HERE), None)
        elif mark.pending or (mark.root != gateway.root and "root not checked" not in self._model.flags):
            self._go(gateway, f"is refused by {NAMES[at]}", self._state, None)
        elif at == gateway.shard:
            self._go(gateway, f"creates the fence at {NAMES[at]}", self._fence(at, OPEN_HERE), None)
        else:
            entry = self._fence(at, gateway.shard + 1)
            then = gateway._replace(at="create")
            self._go(gateway, f"registers at {NAMES[at]}: {NAMES[gateway.shard]}", entry, then)

    # --- the change of the root, and the removal of A -------------------------------------------------

    def _begin_change(self) -> None:
        state = self._state
        if state.left.changes:
            left = state.left._replace(changes=state.left.changes - 1)
            first = Admin("activate" if "no pointers" in self._model.flags else "pending")
            if "no pending phase" in self._model.flags:
                first = Admin("scan")
            self._out.append(("the change of the root begins", state._replace(admin=first, left=left)))
        if state.left.removals and all(mark.root == 2 for mark in state.marks):
            left = state.left._replace(removals=state.left.removals - 1)
            first = Admin("look" if "not closed" in self._model.flags else "close")
            self._out.append(("the removal of A begins", state._replace(admin=first, left=left)))

    def _admin(self, label: str, then: Admin, state: State | None = None) -> None:
        self._out.append((f"admin {label}", (state or self._state)._replace(admin=then)))

    def _change(self) -> None:
        state, admin = self._state, self._state.admin
        self._admin("dies", Admin())
        shard = admin.shard
        match admin.at:
            case "pending" | "activate" if not _is_there(self._state, shard):
                return
            case "pending":
                marked = self._marked(
                    shard, state.marks[shard]._replace(pending=state.marks[shard].root == 1)
                )
                done = shard + 1 == SHARDS
                then = Admin("scan") if done else admin._replace(shard=shard + 1)
                self._admin(f"marks {NAMES[shard]}", then, marked)
            case "scan" if _is_there(self._state, 0):
                seen = state.fences[0]
                self._admin("reads the old home", Admin("point", seen=1 if seen == OPEN_HERE else seen))
            case "point" if _is_there(self._state, 1):
                missing = state.fences[1] == VACANT and admin.seen not in (VACANT, 2)
                pointed = self._fence(1, admin.seen) if missing else state
                self._admin("writes the new home", Admin("activate"), pointed)
            case "activate":
                marked = self._marked(shard, state.marks[shard]._replace(root=2, pending=False))
                done = shard + 1 == SHARDS
                self._admin(
                    f"activates {NAMES[shard]}", Admin() if done else admin._replace(shard=shard + 1), marked
                )
            case "close" if _is_there(self._state, 0):
                closed = self._marked(0, state.marks[0]._replace(closed=True))
                self._admin("closes A", Admin("look"), closed)
            case "look" if _is_there(self._state, 0):
                if state.fences[0] != OPEN_HERE:
                    then = Admin("remove" if "not pointed anew" in self._model.flags else "point anew")
                    self._admin("sees that A owns nothing", then)
            case "point anew" if _is_there(self._state, 1):
                self._point_anew()
            case "remove":
                gone = self._fence(0, VACANT)._replace(removed=True)
                self._admin("removes A", Admin(), gone)
            case _:
                return

    def _point_anew(self) -> None:
        """The new home's entry past A: to the owner, or of a creation that did not end, elsewhere."""
        state, entry = self._state, self._state.fences[1]
        owner = _owner(state, 1)
        pointed = state
        if owner is not None and owner != 1:
            pointed = self._fence(1, owner + 1)
        elif owner is None and entry == 1:
            pointed = self._fence(1, 3)
        self._admin("points the new home anew", Admin("remove"), pointed)

    def _marked(self, shard: int, mark: Mark) -> State:
        return self._state._replace(marks=put(self._state.marks, shard, mark))

    # --- the rest -----------------------------------------------------------------------------------

    def _world(self) -> None:
        state = self._state
        if state.left.moves and OPEN_HERE in state.fences:
            source = state.fences.index(OPEN_HERE)
            for target in range(SHARDS):
                if (
                    target == source
                    or not _is_there(self._state, source)
                    or not _is_there(self._state, target)
                ):
                    continue
                if not state.marks[target].closed:
                    moved = self._fence(source, target + 1, self._fence(target, OPEN_HERE))
                    left = state.left._replace(moves=state.left.moves - 1)
                    self._out.append((f"move {NAMES[source]} to {NAMES[target]}", moved._replace(left=left)))
