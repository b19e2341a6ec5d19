"""Named sets of defaults for kinds of load."""

from collections.abc import Mapping

from gateway.settings.section import GIB, MIB
from gateway.settings.tree import ProfileName

PROFILES: Mapping[ProfileName, Mapping[str, object]] = {
    "balanced": {},
    "high_throughput": {
        "routing.shard_calls_max": 50,
        "routing.placements_cached_max": 500_000,
        "embedder.batch_max": 50,
        "embedder.cache_bytes_max": 256 * MIB,
    },
    "low_latency": {
        "routing.shard_calls_max": 20,
        "routing.shard_calls_waiting_max": 200,
        "routing.placements_cached_max": 500_000,
        "embedder.batch_max": 10,
        "embedder.wait_ms_max": 1.0,
        "embedder.cache_bytes_max": 256 * MIB,
    },
    "vertical": {
        "routing.shard_calls_max": 100,
        "routing.shard_calls_waiting_max": 4_000,
        "routing.placements_cached_max": 2_000_000,
        "shard_defaults.pool_size_max": 200,
        "shard_defaults.concurrent_queries_max": 200,
        "grpc.concurrent_rpcs_max": 4_000,
        "embedder.batch_max": 100,
        "embedder.cache_bytes_max": 2 * GIB,
    },
}
"""By dotted path. `balanced` is what the fields themselves say (30 calls at once, batches of 25);
`vertical` is for one large machine: it may fill some 3 GB of caches."""
