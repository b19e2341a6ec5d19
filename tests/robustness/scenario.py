"""What a run consists of beside its seed: `graphgate crash` and `graphgate chaos` are two of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.robustness.model.findings import Kind


@dataclass(frozen=True, slots=True)
class Scenario:
    command: str
    """Of graphgate, that repeats a run."""
    falkordb_shards: int
    neo4j_shards: int
    fault_gap_s: tuple[float, float]
    """Least and most, between two moments at which the plan makes something happen."""
    slow_rest_s: float
    """Between two faults of a shard that starts slowly: while one does, both cores of a small machine are
    taken, and calls fail that have to do with nothing that is down."""
    movers: int = 0
    """Moves that run side by side. 0: groups stay where they are."""
    bulk_groups: int = 0
    """Groups of BULK_ROWS rows that are there when the traffic begins: their moves take a while."""
    feed_readers: int = 0
    least: Mapping[str, float] = field(default_factory=dict[str, float])
    """What figures have to come to in `goals_s` seconds for the others to mean something."""
    pair_least: int = 0
    """Completed moves of every pair of engines or containers that the shards make; `least` is of all."""
    phase_least: int = 0
    """Kills in every phase of a move, and while it is given up."""
    goals_s: float = 120.0
    promises: tuple[Kind, ...] = ()
    """Those that the run can break."""

    @property
    def shards(self) -> tuple[str, ...]:
        """As an embedded fleet calls them."""
        counts = {"falkordb": self.falkordb_shards, "neo4j": self.neo4j_shards}
        return tuple(f"{engine}-{number}" for engine, count in counts.items() for number in range(count))


CRASH = Scenario(
    command="crash",
    falkordb_shards=2,
    neo4j_shards=1,
    fault_gap_s=(2.4, 4.8),
    slow_rest_s=16.0,
    least={"kills": 20, "acked": 2_000, "availability": 0.97},
    promises=(
        Kind.LOST,
        Kind.REVIVED,
        Kind.APPLIED_TWICE,
        Kind.SECOND_OWNER,
        Kind.STALE_READ,
        Kind.PHANTOM,
        Kind.MISCOUNTED,
    ),
)

CHAOS = Scenario(
    command="chaos",
    falkordb_shards=2,
    neo4j_shards=2,
    # Few, for movers kill beside these what a move needs in a phase of it, and what is away when that comes
    # cannot be killed.
    fault_gap_s=(14.0, 22.0),
    # A Neo4j that starts takes both cores of a small machine for half a minute: oftener, and the run would
    # measure the machine.
    slow_rest_s=280.0,
    movers=4,
    bulk_groups=6,
    feed_readers=6,
    least={"kills": 25, "acked": 2_000, "moves_done": 40, "availability": 0.97},
    pair_least=3,
    phase_least=1,
    goals_s=300.0,
    promises=tuple(Kind),
)
