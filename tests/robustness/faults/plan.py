"""Which part suffers what at which second of the run: a pure function of the seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from tests.robustness.timeline import Cause

FIRST_FAULT_S = 2.0
GAP_S_MIN, GAP_S_MAX = 2.4, 4.8
"""Between two moments at which something happens."""
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
REST_S: Mapping[str, float] = {"neo4j": 16.0}
"""Between two faults of one part, by the beginning of its name; a slow starter is left running longer."""
REST_S_DEFAULT = 6.0


@dataclass(frozen=True, slots=True)
class Fault:
    at_s: float
    part: str
    cause: Cause
    lasts_s: float
    """From SIGKILL to the restart, or from SIGSTOP to SIGCONT."""
    copies_back: int = 0
    """ROLLBACK only: 1 is the youngest copy; when there are fewer copies, the data is wiped."""


def fault_plan(seed: int, seconds: float, parts: Sequence[str], catalog: str) -> tuple[Fault, ...]:
    """In the order of time. `catalog` is the one of `parts` that can be rolled back; seconds >= 0.

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
            fault = _fault(rng, at_s, part, part == catalog)
            rests_until[part] = at_s + fault.lasts_s + _rest_s(part)
            faults.append(fault)
        at_s = round(at_s + rng.uniform(GAP_S_MIN, GAP_S_MAX), 3)
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


def _rest_s(part: str) -> float:
    return next((rest for name, rest in REST_S.items() if part.startswith(name)), REST_S_DEFAULT)
