"""Who changed which shard, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.deadline import Deadline


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    at_us: int
    who: str
    """As the caller names himself; "gateway" for what a gateway did by itself."""
    action: str
    """ADD, UPDATE, CORDON, UNCORDON, DRAIN, REMOVE, ROOT_CHANGE."""
    shard_id: str
    detail: str = ""
    """What was changed, without secrets."""
    request_id: str = ""
    entry_id: str = ""
    """Given by the catalog, ascending in time."""


class ShardHistory(Protocol):
    """Every method raises CatalogUnavailable and nothing else."""

    async def append_history(self, entry: HistoryEntry, deadline: Deadline) -> None: ...

    async def list_history(
        self, before: str, limit: int, shard_id: str, deadline: Deadline
    ) -> Sequence[HistoryEntry]:
        """The newest first, those before the entry `before` (empty: from the newest); `shard_id` empty: of
        every shard."""
        ...

    async def lease(self, name: str, holder: str, seconds: float, deadline: Deadline) -> bool:
        """Whether `holder` has it for so long from now on: it was free or his. Keeps gateways from doing the
        same work; nothing depends on it."""
        ...
