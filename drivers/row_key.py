"""The identity of a row in the fleet."""

from typing import NamedTuple


class RowKey(NamedTuple):
    """Names one row of any kind; orders by group_id, then uuid, which is the tie-break of every ranking. A
    tuple, because a search hashes and orders thousands of them."""

    group_id: str
    uuid: str
    """36 characters, canonical lower case."""
