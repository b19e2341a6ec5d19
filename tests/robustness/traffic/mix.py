"""What a client does next."""

from enum import StrEnum
from random import Random


class Step(StrEnum):
    NEW_GROUP = "new group"
    CREATE = "create"
    LINK = "link"
    """A new fact between two entities."""
    OVERWRITE = "overwrite"
    PATCH = "patch"
    DELETE = "delete"
    READ = "read"
    REPEAT = "repeat"
    """An acknowledged write once more, under its request_id: the first answer must come again."""
    SETTLE = "settle"
    """A write whose outcome is unknown once more, perhaps after another write to the same row."""


_WEIGHTS = {
    Step.NEW_GROUP: 7,
    Step.CREATE: 14,
    Step.LINK: 8,
    Step.OVERWRITE: 18,
    Step.PATCH: 10,
    Step.DELETE: 9,
    Step.READ: 22,
    Step.REPEAT: 4,
    Step.SETTLE: 8,
}
OVERWRITE_FIRST = 0.5
"""Share of the settled writes before which another write to the same row is made."""
ABANDONED = 0.3
"""Share of the writes of unknown outcome that are never asked for again."""
ROWS_PER_CREATE_MAX = 3


def next_step(rng: Random) -> Step:
    return rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
