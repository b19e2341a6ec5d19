"""The vectors of a large group in an index of their own: derived data beside the rows, filled behind them.

A slot holds a copy of the vectors of one kind of one group under a label that only this slot has, with an
approximate index on it. Writes know nothing of it. It takes in what changed since, in small parts and in the
order of versions, and knows up to which version it is complete. A search in a slot asks the index, leaves out
what has been written or deleted after that version, and scans exactly what has been written: so an
acknowledged write is never hidden, and a slot may lag, be dropped or be made anew at any time.

Why a label of its own and not an index on the rows: FalkorDB keeps one index for all properties of a label
and builds all of it anew when a property joins; while it does, writes of the whole graph waited up to 0.9 s
(10,000 edges, 4.22). And an insert into its vector index takes about 1 ms in which the server answers nobody,
which is for this slot's filling to pace and not for a caller's write to pay.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import ceil

from drivers.fence import EmbeddingSpec, Fence, GroupRef
from drivers.filter_parameters import Narrowing, narrowing
from drivers.graph_model import Kind
from drivers.search_reads import ScoredRow, SemanticQuery

TAIL_ROWS_MAX = 5_000
"""Rows and tombstones newer than the slot that one search scans; with more it does not search the slot. A
scan of the whole group instead costs the shard time that the filling lacks, and the slot falls further
behind."""

BACKLOG_ROWS_MAX = 1_000
FILL_GROWTH_MAX = 8
"""Times slot_fill_rows that one fill takes at most, on a shard where each one waits long for its turn."""
FOUND_PER_HIT = 1.25
FOUND_PER_FILTERED_HIT = 10
FOUND_MAX = 1_000
"""Candidates that one search asks of the index at most."""


@dataclass(frozen=True, slots=True, order=True)
class SlotProgress:
    """A place in the order of a group's changes."""

    version: int = 0
    uuid: str = ""
    """Of the last row of `version` that is in; empty: all of `version` is."""

    @property
    def complete_version(self) -> int:
        """Everything up to this version is in."""
        return self.version if not self.uuid else self.version - 1


@dataclass(frozen=True, slots=True)
class VectorSlot:
    ref: GroupRef
    kind: Kind
    spec: EmbeddingSpec
    """Of the vectors that are in it; the group's may have changed since. Dimension 0: it is being dropped,
    and fits no group, so that whoever sees it drops it to the end."""
    progress: SlotProgress = SlotProgress()
    caught_up: bool = False
    """It has been complete once: from then on it may be searched."""
    serial: str = ""
    """Drawn when the slot is made: whoever still fills, searches or drops an earlier one of the same group
    and kind does nothing to this one."""
    rows_min: int = 0
    """From so many rows on the group was to have it. Whether it is still large is told by this limit, so that
    gateways with different ones do not undo each other's work."""

    @property
    def key(self) -> str:
        return f"{self.ref.group_id}/{self.kind}"

    @property
    def label(self) -> str:
        """Of the nodes that hold the vectors: letters and digits only, of this slot alone."""
        return "V" + blake2b(f"{self.key}/{self.serial}".encode(), digest_size=12).hexdigest()

    def fits(self, fence: Fence | None) -> bool:
        """Whether its vectors are of the model that the group has."""
        return fence is not None and fence.embeddings.get(self.kind) == self.spec


@dataclass(frozen=True, slots=True)
class SlotBacklog:
    """What a slot has to take in next."""

    changes: tuple[SlotProgress, ...]
    """Rows that changed or were deleted, in order; one that was both comes twice."""
    reaches: SlotProgress
    """How far the slot is when they are in."""
    caught_up: bool
    """There was nothing more when this was read."""

    @property
    def uuids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(change.uuid for change in self.changes))

    def split(self, rows_max: int) -> "tuple[SlotBacklog, SlotBacklog | None]":
        """The first so many rows, and the rest; None: that was all."""
        piece, rest = self.changes[:rows_max], self.changes[rows_max:]
        if not rest:
            return self, None
        return SlotBacklog(piece, piece[-1], caught_up=False), replace(self, changes=rest)

    def parts(self, rows_max: int) -> "Iterator[SlotBacklog]":
        """It in pieces of so many rows, in order; the last one ends as it does and may have none."""
        left: SlotBacklog | None = self
        while left is not None:
            part, left = left.split(rows_max)
            yield part


@dataclass(frozen=True, slots=True)
class SlotRead:
    """A search in one slot."""

    hits: tuple[ScoredRow, ...]
    """As of SemanticRead, with exact scores; of rows that the index left out, nothing is known."""
    fence: Fence | None
    enough: bool
    """False: the slot is gone or lags too far behind, or after filtering too few are left: scan instead."""
    progress: SlotProgress | None = None
    """Of the slot at the time of the search, for the next one. None: the slot is no use to this search,
    however many candidates are asked for."""


async def searched_until_enough(
    query: SemanticQuery, found_min: int, search: Callable[[int], Awaitable[SlotRead]]
) -> SlotRead:
    """The first read of `search` that is enough, or the last. It is given how many candidates to ask of the
    index: nearly all facts hold at the present, so that few have to be asked for at first."""
    few, many = (
        min(max(found_min, ceil(per_hit * query.limit)), FOUND_MAX)
        for per_hit in (FOUND_PER_HIT, FOUND_PER_FILTERED_HIT)
    )
    match narrowing(query.kind, query.filter):
        case Narrowing.NOTHING:
            return await search(few)
        case Narrowing.HOLDING:
            read = await search(few)
            return read if read.enough or read.progress is None else await search(many)
        case Narrowing.ANY:
            return await search(many)
