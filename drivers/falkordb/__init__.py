"""Shards on FalkorDB 4.22, C engine: one GRAPH.QUERY is one atomic write, one GRAPH.RO_QUERY one snapshot."""

from drivers.falkordb.driver import FalkorDBDriver
from drivers.falkordb.settings import FalkorDBSettings

__all__ = ["FalkorDBDriver", "FalkorDBSettings"]
