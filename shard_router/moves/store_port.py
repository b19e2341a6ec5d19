"""Where the records of moves are kept. Every method raises CatalogUnavailable and nothing else."""

from collections.abc import Sequence
from typing import Protocol

from drivers.deadline import Deadline
from shard_router.moves.record import MoveRecord


class MoveStore(Protocol):
    """Losing it loses no group, and no move but those that have not begun: the gateways make the record of
    any other one again from the fences, see adoption.py."""

    async def create(self, record: MoveRecord, deadline: Deadline) -> MoveRecord:
        """Create-if-absent by move_id; returns the record that is there afterwards. It is due at once.

        Of the records of one group and source shard one holds the group (MoveRecord.holds_group): while one
        does, no other such record is made, and the answer is that one, of another move_id."""
        ...

    async def update(self, record: MoveRecord, deadline: Deadline) -> MoveRecord:
        """Written with the next revision if the stored one has record.revision or is gone; returns what is
        stored afterwards: another revision than record.revision + 1 means that it was refused. An ended
        record is not due any more; of the ended ones the newest ENDED_MAX are kept."""
        ...

    async def get(self, move_id: str, deadline: Deadline) -> MoveRecord | None: ...

    async def missing(self, move_ids: Sequence[str], deadline: Deadline) -> Sequence[str]:
        """Those of which there is no record. Any number of them."""
        ...

    async def revision(self, move_id: str, deadline: Deadline) -> int:
        """0: there is no record."""
        ...

    async def list(
        self, after: str, limit: int, group_id: str, active_only: bool, deadline: Deadline
    ) -> Sequence[MoveRecord]:
        """Newest request first, those after the move `after` (empty: from the newest); `group_id` empty: of
        every group. Active: not ended. A record that is made meanwhile may be left out."""
        ...

    async def leaving(self, shard_id: str, limit: int, deadline: Deadline) -> Sequence[MoveRecord]:
        """Those that hold a group of this source shard, in no order."""
        ...

    async def due(self, now_us: int, limit: int, deadline: Deadline, skip: int = 0) -> Sequence[str]:
        """move_ids of records that somebody has to work on by now, the longest due first, without the first
        `skip` of them."""
        ...

    async def put_off(self, move_id: str, until_us: int, deadline: Deadline) -> None:
        """Due again then, if it is still active."""
        ...

    async def forget_due(self, move_id: str, deadline: Deadline) -> None:
        """It has no record, or one that has ended."""
        ...

    # --- leases: for liveness only, the token of the fences is the safety -------------------------
    # Names are move_ids, and those of shard_router/moves/cleanup_turns.py.

    async def lease(self, move_id: str, holder: str, seconds: float, deadline: Deadline) -> bool:
        """Whether `holder` has it for so long from now on: it was free or his."""
        ...

    async def release(self, move_id: str, holder: str, deadline: Deadline) -> None:
        """Does nothing to another one's."""
        ...
