"""Each guard of the table, taken away alone: which promise it keeps, or what else keeps it.

A guard that nothing else needs is there in depth, and is explored without it to the end of a small
configuration. A new guard in the table has to be entered here.
"""

from collections.abc import Mapping
from typing import Final

from drivers.fence_changes import FENCE_CHANGES
from tests.model_check.configurations import FORTH_AND_BACK
from tests.model_check.mutations import Mutation, breaks, harmless, small, without
from tests.model_check.state import ASTRAY, LOST_WRITE, NO_OWNER, STUCK, TWO_OWNERS, Configuration

_AB: Final = FORTH_AND_BACK
_NEEDED: Final[Mapping[tuple[str, str], tuple[Configuration, str]]] = {
    ("TAKE", "token"): (small(takes=2, aborts=1), NO_OWNER),
    ("FREEZE", "move_id"): (small(late=1, aborts=1), STUCK),
    ("COMMIT", "token"): (small(takes=2), NO_OWNER),
    ("COMMIT", "epoch"): (small(late=1, thaws=1), NO_OWNER),
    ("POINT", "moved_epoch"): (small(takes=2, routes=((0, 2), (2, 1)), shards=3, register=2), ASTRAY),
    ("PREPARE", "token"): (small(late=1), NO_OWNER),
    ("PREPARE_DELTA", "token"): (small(takes=3, routes=_AB), ASTRAY),
    ("RESUME", "token"): (small(takes=2), NO_OWNER),
    ("UNREADY", "token"): (small(takes=2, thaws=1), NO_OWNER),
    ("UNREADY", "epoch"): (small(late=1, thaws=1), NO_OWNER),
    ("LOAD", "token"): (small(takes=2, late=1), LOST_WRITE),
    ("OPEN_UP", "epoch"): (small(takes=2, routes=_AB), TWO_OWNERS),
}

_ONE_MOVE: Final = "a token belongs to one move"
_COMMIT: Final = "COMMIT asks for the token and the frozen epoch: what was thawed is not committed"
_COMPARED: Final = "rows and tombstones are compared by their versions"
_IN_DEPTH: Final[Mapping[tuple[str, str], str]] = {
    ("TAKE", "move_id"): "the owner stays right; without it a move that was given up meanwhile would go on",
    ("FREEZE", "token"): "the owner stays right; without it one that lost its move could stop the writes",
    ("THAW", "token"): _COMMIT,
    ("ABANDON", "token"): _COMMIT,
    ("ABANDON", "move_id"): _ONE_MOVE,
    ("ABANDON_FROZEN", "token"): _COMMIT,
    ("ABANDON_FROZEN", "move_id"): _ONE_MOVE,
    ("BURY", "moved_epoch"): "the rows are not the owner's; without it a reverse window could end too early",
    ("PREPARE_DELTA", "version"): "each round looks at the floor; this saves a copy that would begin anew",
    ("RESUME", "move_id"): "the token is higher, and its coordinator has read which move the fence is in",
    ("UNREADY", "move_id"): _ONE_MOVE,
    ("DISCARD", "token"): "the move is named, and it was given up before",
    ("DISCARD", "move_id"): _ONE_MOVE,
    ("WIPED", "token"): "the move is named; rounds that begin earlier bring the same",
    ("WIPED", "move_id"): _ONE_MOVE,
    ("LOAD", "move_id"): _ONE_MOVE,
    ("LOAD", "cursor"): _COMPARED,
    ("APPLY", "token"): "the move is named and batches are chained",
    ("APPLY", "move_id"): _ONE_MOVE,
    ("APPLY", "applied"): _COMPARED,
    ("READY", "token"): "COMMIT asks for the token, UNREADY takes a READY that does not fit back",
    ("READY", "move_id"): _ONE_MOVE,
    ("READY", "applied"): "the coordinator looks at it before; without both a write is lost",
}

_ONE_COORDINATOR: Final = small(late=1, thaws=1, aborts=1)
_TAKEOVER: Final = small(takes=2, aborts=1)
_WHERE: Final[Mapping[tuple[str, str], Configuration]] = {
    ("TAKE", "move_id"): _TAKEOVER,
    ("THAW", "token"): small(takes=2, thaws=1),
    ("RESUME", "move_id"): _TAKEOVER,
    ("BURY", "moved_epoch"): small(takes=2, routes=_AB, burials=1, late=1),
    ("PREPARE_DELTA", "version"): small(writes="da pb", takes=2, routes=_AB, prunes=1),
}
"""In which configuration a guard is missed; the others in one with a takeover if they are on the token, else
in one with late messages."""

GUARDS: Final = frozenset((change.name, guard.name) for change in FENCE_CHANGES for guard in change.guards)
ENTERED: Final = frozenset((*_NEEDED, *_IN_DEPTH))


def _name(rule: str, guard: str) -> str:
    return f"{rule} without its guard on {guard}"


GUARD_MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(
        breaks(_name(rule, guard), config, promise, without(rule, guard))
        for (rule, guard), (config, promise) in _NEEDED.items()
    ),
    *(
        harmless(
            _name(rule, guard),
            _WHERE.get((rule, guard), _TAKEOVER if guard == "token" else _ONE_COORDINATOR),
            why,
            without(rule, guard),
        )
        for (rule, guard), why in _IN_DEPTH.items()
    ),
)
