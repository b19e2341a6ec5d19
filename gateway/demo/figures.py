"""What the demo measures, as it goes into the JSON line."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from gateway.corpus.writer import PhaseTiming
from gateway.demo.crashes import Outage


@dataclass(frozen=True, slots=True)
class ShardFigures:
    id: str
    engine: str
    groups: int
    entities: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What ListGroups says after the writing."""

    groups: int
    episodes: int
    entities: int
    facts: int
    mentions: int
    shards: tuple[ShardFigures, ...]

    @property
    def rows(self) -> int:
        return self.episodes + self.entities + self.facts + self.mentions


@dataclass(frozen=True, slots=True)
class WriteFigures:
    entities: PhaseTiming
    """Batches of entities, no crash meanwhile."""
    episodes: PhaseTiming
    """Batches of episodes with their mentions; the gateway is killed meanwhile."""
    facts: PhaseTiming
    """Batches of facts, no crash meanwhile."""
    passages: PhaseTiming
    """One AddEpisode for each passage of some groups; an engine is killed meanwhile."""
    outages: tuple[Outage, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """The fields of the JSON line, apart from those of its parts."""

    stored: Stored
    malformed_triples_skipped: int
    write: WriteFigures
    acknowledged_rows: int
    lost_after_restart: int
    """Acknowledged rows that are missing afterwards or say something else than was sent."""
    search_p50_ms: float
    search_p95_ms: float
    recall_at_10: float
    all_gold_at_10: float
    sharded_equals_unsharded: Mapping[str, float]
    """By kind: share of the questions whose semantic top 10 is the same list."""
    hybrid_overlap_at_10: float
    """Mean share of hits that the hybrid searches of the two fleets have in common."""
    neo4j_left_out: str | None
    """Why there is no Neo4j shard; None if there is one."""
    gateway_memory_mb: float
    timings_s: Mapping[str, float]

    def as_json(self) -> str:
        """One line."""
        stored, write = self.stored, self.write
        return json.dumps(
            {
                "groups": stored.groups,
                "episodes": stored.episodes,
                "entities": stored.entities,
                "facts": stored.facts,
                "mentions": stored.mentions,
                "shards": [asdict(shard) for shard in stored.shards],
                "neo4j_left_out": self.neo4j_left_out,
                "malformed_triples_skipped": self.malformed_triples_skipped,
                "write_entities_per_s": round(write.entities.rows_per_s, 1),
                "write_facts_per_s": round(write.facts.rows_per_s, 1),
                "add_episode_passages_per_s": round(write.passages.calls / write.passages.wall_s, 1),
                "outages": [asdict(outage) | {"down_s": round(outage.down_s, 2)} for outage in write.outages],
                "writes_retried": write.episodes.retries + write.passages.retries,
                "acknowledged_rows": self.acknowledged_rows,
                "lost_after_restart": self.lost_after_restart,
                "search_p50_ms": round(self.search_p50_ms, 2),
                "search_p95_ms": round(self.search_p95_ms, 2),
                "recall_at_10": round(self.recall_at_10, 4),
                "all_gold_at_10": round(self.all_gold_at_10, 4),
                "sharded_equals_unsharded": self.sharded_equals_unsharded["episodes"],
                "sharded_equals_unsharded_by_kind": dict(self.sharded_equals_unsharded),
                "hybrid_overlap_at_10": round(self.hybrid_overlap_at_10, 4),
                "gateway_memory_mb": round(self.gateway_memory_mb, 1),
                "timings_s": {name: round(seconds, 2) for name, seconds in self.timings_s.items()},
            }
        )


def failures(figures: Figures, expected_rows: int) -> list[str]:
    """What did not hold of what the demo is to show; empty if all did."""
    found: list[str] = []
    if figures.lost_after_restart:
        found.append(f"{figures.lost_after_restart} acknowledged rows are lost")
    if figures.stored.rows != expected_rows:
        found.append(f"{figures.stored.rows} rows are stored where {expected_rows} were written")
    found += [
        f"sharded and unsharded semantic search of {kind} agree on {share:.0%} of the questions only"
        for kind, share in figures.sharded_equals_unsharded.items()
        if share < 1.0
    ]
    return found
