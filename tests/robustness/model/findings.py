"""The promises, and one that was broken."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    LOST = "lost"
    """Something acknowledged, or shown to a reader, is not there."""
    REVIVED = "revived"
    """Something that was deleted is there."""
    APPLIED_TWICE = "applied_twice"
    """A write took effect twice, or its retry got another answer."""
    SECOND_OWNER = "second_owners"
    STALE_READ = "stale_reads"
    """A read was older than min_version or than a write that was acknowledged before the read began."""
    PHANTOM = "phantoms"
    """Something is there that no write put there, or that a refused one did."""
    MISCOUNTED = "miscounted"
    """The fence's statistics are not those of its rows."""
    WATCH_GAP = "watch_gaps"
    """A change feed left out a change."""
    WATCH_REPEAT = "watch_repeats"
    """A change feed told something again from before its own position."""
    LEFTOVER = "leftovers"
    """A move that has ended left rows behind, or did not end."""


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    group_id: str
    subject: str
    """uuid of a row, operation id, or empty for the group itself: findings are counted by it."""
    text: str
