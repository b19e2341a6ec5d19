"""What a move is to be and what is to happen to it: pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.robustness.model.moves import engine_of

PHASES = (
    "PLANNED",
    "TAKEN",
    "WIPING",
    "COPYING",
    "CATCHING_UP",
    "INDEXING",
    "VERIFYING",
    "FREEZING",
    "READY",
    "COMMITTED",
    "REVERSIBLE",
    "CLEANING",
    "DONE",
)
"""Of a move that is not given up, in their order."""
CANCELLING = "CANCELLING"
AIMS = (*PHASES[:-1], CANCELLING)
"""Phases in which something is killed."""
BEFORE_COMMIT = PHASES[: PHASES.index("COMMITTED")]
LEADING_TO = {"COMMITTED": ("FREEZING", "READY")}
"""What comes before a phase that is over when a look has told of it: from there on the kill is let go
blindly, within LEAD_S_MAX."""
LEAD_S_MAX = 0.1
SELDOM = {"INDEXING": 1.0, "COMMITTED": 0.5}
"""Phases that few moves have, or that few kills hit, with their share of the aims of moves that have them, as
long as nothing was killed in them."""

ROLES = {"COORDINATOR": 5, "SOURCE": 2, "TARGET": 2, "CATALOG": 1}
AIMED = 0.6
"""Share of the moves that are aimed at, while what they need may be killed."""
_WINDOWS_S = (0.0, 0.5, 2.0)
LONG_WINDOW_S = 60.0
"""Of a move that is to be reversed or finished."""


class Course(StrEnum):
    """What its follower does to a move."""

    TO_THE_END = "TO_THE_END"
    CANCEL = "CANCEL"
    REVERSE = "REVERSE"
    FINISH = "FINISH"


_COURSES = {Course.TO_THE_END: 11, Course.CANCEL: 3, Course.REVERSE: 4, Course.FINISH: 2}


@dataclass(frozen=True, slots=True)
class Place:
    shard: str
    space: str


@dataclass(frozen=True, slots=True)
class Aim:
    role: str
    phase: str


@dataclass(frozen=True, slots=True)
class MovePlan:
    to_shard: str
    to_space: str
    """pooled, own, or empty: as now."""
    reverse_window_s: float
    course: Course
    cancel_in: str
    """Phase from which on the move is cancelled; of the course CANCEL only."""
    phases: tuple[str, ...]
    """That it can have and that can be aimed at, but for CANCELLING; in their order."""
    aim: Aim | None


def pairs_of(shards: Sequence[str]) -> tuple[str, ...]:
    """Every pair that can be moved between, as MoveSeen.pair."""
    of_engine = Counter(map(engine_of, shards))
    found = [f"{a}->{b}" for a in of_engine for b in of_engine if a != b or of_engine[a] > 1]
    spaces = ["pooled->own", "own->pooled"] if of_engine["falkordb"] else []
    return (*found, *spaces)


def target_of(pair: str, place: Place, shards: Sequence[str], rng: Random) -> tuple[str, str] | None:
    """Shard and space to ask for; None: a group at this place is none of that pair."""
    source, _, target = pair.partition("->")
    if source in ("pooled", "own"):
        fits = engine_of(place.shard) == "falkordb" and bool(place.space) == (source == "own")
        return (place.shard, target) if fits else None
    if engine_of(place.shard) != source:
        return None
    others = [shard for shard in shards if engine_of(shard) == target and shard != place.shard]
    space = rng.choice(("", "pooled", "own")) if target == "falkordb" else ""
    return rng.choice(others), space


def plan_move(
    target: tuple[str, str],
    killed_in: Mapping[str, int],
    rng: Random,
    *,
    aims: bool,
    has_slots: bool = False,
) -> MovePlan:
    """`killed_in`: kills so far by phase; phases that have had few come first. `has_slots`: the group is
    large enough for vector slots, which Neo4j fills before the commit."""
    course = rng.choices(list(_COURSES), list(_COURSES.values()))[0]
    window_s = rng.choice(_WINDOWS_S) if course is Course.TO_THE_END else LONG_WINDOW_S
    indexes = has_slots and engine_of(target[0]) == "neo4j"
    phases = tuple(phase for phase in PHASES[:-1] if _can_have(phase, window_s, indexes=indexes))
    aim: Aim | None = None
    if aims and rng.random() < AIMED:
        phase = CANCELLING if course is Course.CANCEL else least_killed(phases, killed_in, rng)
        aim = Aim(rng.choices(list(ROLES), list(ROLES.values()))[0], phase)
    cancel_in = rng.choice(BEFORE_COMMIT) if course is Course.CANCEL else ""
    return MovePlan(*target, window_s, course, cancel_in, phases, aim)


def least_killed(phases: Sequence[str], killed_in: Mapping[str, int], rng: Random) -> str:
    """One of SELDOM while that has had none, or one of the two phases with the fewest kills. At least one
    phase is given."""
    for phase, share in SELDOM.items():
        if phase in phases and not killed_in.get(phase) and rng.random() < share:
            return phase
    shuffled = rng.sample(phases, len(phases))
    return rng.choice(sorted(shuffled, key=lambda phase: killed_in.get(phase, 0))[:2])


def later_aim(
    aim: Aim, now: str, phases: Sequence[str], killed_in: Mapping[str, int], rng: Random
) -> Aim | None:
    """In place of one whose phase is over; None: none of `phases` is left."""
    if now not in PHASES:
        return None
    left = [phase for phase in phases if PHASES.index(phase) > PHASES.index(now)]
    return Aim(aim.role, least_killed(left, killed_in, rng)) if left else None


def is_over(phase: str, now: str) -> bool:
    """Whether a move that is in `now` will not be in `phase` any more."""
    if phase == CANCELLING:
        return now in ("CANCELLED", "FAILED", *PHASES[PHASES.index("COMMITTED") :])
    return now not in PHASES or PHASES.index(now) > PHASES.index(phase)


def _can_have(phase: str, window_s: float, *, indexes: bool) -> bool:
    match phase:
        case "INDEXING":
            return indexes
        case "COMMITTED" | "REVERSIBLE":
            # By the beginning of its window a move tells until when it was COMMITTED.
            return window_s > 0
        case _:
            return True
