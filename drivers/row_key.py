"""The identity of a row in the fleet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    """Names one row of any kind; orders by group_id, then uuid, which is the tie-break of every ranking."""

    group_id: str
    uuid: str
    """36 characters, canonical lower case."""
