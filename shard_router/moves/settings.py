"""What bounds a move: one value for each, with what it protects."""

from dataclasses import dataclass, field

from drivers.moving import PAGE_ROWS_MAX
from shard_router.backoff import Backoff
from shard_router.slot_policy import SlotPolicy

_THAW_PAUSE = Backoff(first_s=0.5, pause_s_max=10.0)
_FAILURE_PAUSE = Backoff(first_s=0.1, pause_s_max=5.0)
_REST_PAUSE = Backoff(first_s=1.0, pause_s_max=15.0)


@dataclass(frozen=True, slots=True)
class MoveSettings:
    moves_max: int = 4
    """That copy at once in one gateway."""
    moves_per_shard_max: int = 2
    """Of those, from or to one shard."""
    ends_max: int = 8
    """Beside them, that are committed or being given up, and do not clean up."""
    cleanups_max: int = 4
    """Beside them, that clean up; at one shard one at a time, over all gateways."""
    page_rows: int = PAGE_ROWS_MAX
    call_s_max: float = 30.0
    """Of one call to a shard."""
    space_s_max: float = 120.0
    """Of making a container with its indexes."""
    rounds_max: int = 200
    """Rounds of one copy before it is given up."""
    freeze_s_max: float = 0.04
    """Writers wait for the last round and the commit: a group is frozen if they are expected to fit."""
    rounds_relaxed: int = 20
    """After so many rounds that did not fit, twice the time is allowed, and so on up to drain_s_max / 2: a
    group that is written to without pause is moved with a longer one rather than never."""
    drain_s_max: float = 1.0
    """After so long writers are let go again."""
    thaws_max: int = 8
    thaw_pause: Backoff = _THAW_PAUSE
    """Before the next freeze."""
    failure_pause: Backoff = _FAILURE_PAUSE
    """After a call to a shard that failed."""
    failing_s_max: float = 10.0
    """After so long without getting on a move gives its place to another one for a while."""
    rest_pause: Backoff = _REST_PAUSE
    """Before its next attempt."""
    failures_max: int = 60
    """In a row, before a move that is not committed is given up: about ten minutes. A committed one goes
    on."""
    copies_max: int = 5
    """Copies that are begun anew, because the source had pruned its tombstones meanwhile."""
    wipe_rows: int = 500
    """Deleted at once."""
    cleanup_share: float = 0.2
    """Of its time that a shard spends on deleting what moves have left: other groups have the rest."""
    differences_max: int = 100
    """Named by the verification of a move."""
    persist_s: float = 0.2
    """Progress is recorded so often at most: a group that moves faster costs few records."""
    lease_s: float = 3.0
    """After so long another gateway goes on with the move of one that has died."""
    poll_s: float = 1.0
    """Between two looks for moves that nobody works on."""
    adoption_pause_s: float = 60.0
    """Between two looks at all fences for moves without a record, about."""
    adoption_share: float = 0.05
    """Of its time that a shard spends on these looks."""
    adoption_lease_s: float = 15.0
    """After so long another gateway looks for one that has died."""
    adopted_window_s: float = 24 * 3_600.0
    """The reverse window of a move whose record was lost, for nobody knows what was asked for; of one that is
    committed from the moment on at which that was found."""
    catalog_s_max: float = 1.0
    """Of one use of the records."""
    indexes_first: bool = False
    """Also on FalkorDB the vector slots of a large group are made before the commit. Else they are made
    behind it, while its searches are exact scans; on Neo4j a scan is too slow for that."""
    schema_known_s: float = 10.0
    """A target whose indexes were ready is not asked again for so long."""
    slots: SlotPolicy = field(default_factory=SlotPolicy)
    """From when on a group is large."""
