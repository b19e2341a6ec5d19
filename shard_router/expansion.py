"""What one hop along the edges of a graph finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.search_reads import ExpandedEdge


@dataclass(frozen=True, slots=True)
class Expansion:
    """From the nodes of any number of groups."""

    by_group: Mapping[str, Sequence[ExpandedEdge]]
    """Each edge once."""
    cut: bool = False
    """A bound left edges of one of the groups out."""
