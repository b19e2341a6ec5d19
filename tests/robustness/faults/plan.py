"""Which part suffers what at which second of the run: a pure function of the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from tests.robustness.timeline import Cause

FIRST_FAULT_S = 2.0
QUIET_END_S = 3.0
"""Nothing begins in the last seconds."""
TWO_AT_ONCE = 0.3
"""Share of the moments at which two parts suffer together."""
DOWN_S_MAX = 2.0
"""Between a SIGKILL and the restart."""
PAUSE_S_MIN, PAUSE_S_MAX = 0.3, 3.0
PAUSED = 0.2
"""Share of the faults that are pauses."""
ROLLED_BACK = 0.6
"""Share of the catalog's other faults that give it back older data."""
COPIES_BACK_MAX = 6
REST_S = 6.0
"""Between two faults of one part."""
_SLOW = "neo4j"
"""How parts are called that are left running for longer, because they start slowly."""


@dataclass(frozen=True, slots=True)
class Fault:
    at_s: float
    part: str
    cause: Cause
    lasts_s: float
    """From SIGKILL to the restart, or from SIGSTOP to SIGCONT."""
    copies_back: int = 0
    """ROLLBACK only: 1 is the youngest copy; when there are fewer copies, the data is wiped."""


def fault_plan(
    seed: int,
    seconds: float,
    parts: Sequence[str],
    catalog: str,
    gap_s: tuple[float, float],
    slow_rest_s: float = REST_S,
    *,
    only_kills: bool = False,
) -> tuple[Fault, ...]:
    """In the order of time. `catalog` is the one of `parts` that can be rolled back; seconds >= 0; `gap_s`:
    least and most between two moments at which something happens; `slow_rest_s` as of rest_s. `only_kills`:
    no pauses, no rollbacks.

    Every part has its turn before one has its second, unless it still rests from the first.
    """
    rng = Random(f"faults {seed}")
    deck: list[str] = []
    rests_until: dict[str, float] = {}
    faults: list[Fault] = []
    at_s = FIRST_FAULT_S
    while at_s <= seconds - QUIET_END_S:
        for _ in range(2 if rng.random() < TWO_AT_ONCE else 1):
            part = _draw(rng, deck, parts, {part for part, until in rests_until.items() if until > at_s})
            if part is None:
                break
            if only_kills:
                fault = Fault(at_s, part, Cause.KILL, round(rng.uniform(0, DOWN_S_MAX), 3))
            else:
                fault = _fault(rng, at_s, part, part == catalog)
            rests_until[part] = at_s + fault.lasts_s + rest_s(part, slow_rest_s)
            faults.append(fault)
        at_s = round(at_s + rng.uniform(*gap_s), 3)
    assert all(before.at_s <= after.at_s for before, after in pairwise(faults))
    return tuple(faults)


def _draw(rng: Random, deck: list[str], parts: Sequence[str], resting: set[str]) -> str | None:
    """Takes the next part that does not rest from the deck, which is filled up when none is in it."""
    if all(part in resting for part in deck):
        fresh = [part for part in parts if part not in deck]
        rng.shuffle(fresh)
        deck.extend(fresh)
    part = next((part for part in deck if part not in resting), None)
    if part is not None:
        deck.remove(part)
    return part


def _fault(rng: Random, at_s: float, part: str, is_catalog: bool) -> Fault:
    if rng.random() < PAUSED:
        return Fault(at_s, part, Cause.PAUSE, round(rng.uniform(PAUSE_S_MIN, PAUSE_S_MAX), 3))
    down_s = round(rng.uniform(0, DOWN_S_MAX), 3)
    if is_catalog and rng.random() < ROLLED_BACK:
        return Fault(at_s, part, Cause.ROLLBACK, down_s, copies_back=rng.randint(1, COPIES_BACK_MAX))
    return Fault(at_s, part, Cause.KILL, down_s)


def rest_s(part: str, slow_rest_s: float) -> float:
    """Least time between two faults of this part; `slow_rest_s` of one that starts slowly."""
    return slow_rest_s if part.startswith(_SLOW) else REST_S
