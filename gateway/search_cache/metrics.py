"""What the metrics endpoint shows of the cache of answers."""

from gateway.search_cache.answer import outcome_of
from gateway.search_cache.search_cache import SearchCache
from gateway.telemetry.telemetry import Telemetry


def watch(cache: SearchCache, telemetry: Telemetry) -> None:
    telemetry.watch_counter(
        "graphgate_search_cache_answers_total",
        "Answers of searches, by where they came from.",
        ("result", "reason"),
        lambda: {(outcome_of(source), source.lower()): count for source, count in cache.counts.items()},
    )
    telemetry.watch_counter(
        "graphgate_search_cache_evictions_total",
        "Kept answers of searches that had to make room for others.",
        (),
        lambda: {(): cache.kept.evictions},
    )
    telemetry.watch_gauge(
        "graphgate_search_cache_entries", "Kept answers of searches.", (), lambda: {(): len(cache.kept)}
    )
    telemetry.watch_gauge(
        "graphgate_search_cache_bytes",
        "Kept answers of searches, with what they need beside their bytes.",
        (),
        lambda: {(): cache.kept.bytes},
    )
