"""Which episodes a run adds: a pure function of the seed."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

UNREADABLE = "Sealed"
"""The model refuses episodes that hold this word."""
UNREADABLE_SHARE = 0.01
PER_GROUP = 50
"""Episodes of a group on the average: some have a few, some hundreds."""
WEIGHT_MAX = 10.0
"""Of a group, its share beside the least one."""
FACTS = 2
"""That the fake model finds in a readable episode."""
MENTIONS = 3
_NAMES = uuid.UUID("5b0a0f6e-6f1c-4c57-9a08-2f7a5c9c2f11")


@dataclass(frozen=True, slots=True)
class Episode:
    group_id: str
    number: int
    """In the order in which the group's are added, from 0."""
    uuid: str
    content: str
    readable: bool

    @property
    def op_id(self) -> str:
        return f"n-{self.number}"


def planned(seed: int, count: int) -> Sequence[Sequence[Episode]]:
    """`count` episodes in all, those of each group in their order."""
    rng = Random(f"episodes {seed}")
    groups = max(1, count // PER_GROUP)
    weights = list(accumulate(min(WEIGHT_MAX, rng.paretovariate(1.2)) for _ in range(groups)))
    sizes = [0] * groups
    for place in rng.choices(range(groups), cum_weights=weights, k=count):
        sizes[place] += 1
    return [
        [_episode(f"ingest-{place}", number, rng.random() >= UNREADABLE_SHARE) for number in range(size)]
        for place, size in enumerate(sizes)
        if size
    ]


def _episode(group_id: str, number: int, readable: bool) -> Episode:
    content = f"Ada met Person{number} in Town{number}."
    if not readable:
        content = f"{content} {UNREADABLE}."
    name = str(uuid.uuid5(_NAMES, f"{group_id}/{number}"))
    return Episode(group_id, number, name, content, readable)


def in_turn(groups: Sequence[Sequence[Episode]], rng: Random) -> Sequence[Episode]:
    """Those of all groups among each other, of each group in their order."""
    places = [place for place, group in enumerate(groups) for _ in group]
    rng.shuffle(places)
    following = [iter(group) for group in groups]
    return [next(following[place]) for place in places]


def shared_out(groups: Sequence[Sequence[Episode]], shares: int) -> Sequence[Sequence[Sequence[Episode]]]:
    """The groups in at most so many shares of about as many episodes each; none is empty."""
    found: list[list[Sequence[Episode]]] = [[] for _ in range(min(shares, len(groups)))]
    sizes = [0] * len(found)
    for group in sorted(groups, key=len, reverse=True):
        least = sizes.index(min(sizes))
        found[least].append(group)
        sizes[least] += len(group)
    return found
