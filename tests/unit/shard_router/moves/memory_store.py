"""The records of moves as plain values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from drivers.deadline import Deadline
from shard_router.errors import CatalogUnavailable
from shard_router.moves.record import MoveRecord, decode, encode


class MemoryMoveStore:
    """shard_router.moves.store_port.MoveStore. A test sets `down`, or changes any value at any time."""

    def __init__(self) -> None:
        self.down = False
        self.records: dict[str, MoveRecord] = {}
        self.due_at_us: dict[str, int] = {}
        self.leases: dict[str, str] = {}
        """They do not expire: a test takes them away."""
        self.writes = 0
        self.calls: Counter[str] = Counter()
        """Of some methods."""

    def _begin(self) -> None:
        if self.down:
            raise CatalogUnavailable("it is down")

    async def create(self, record: MoveRecord, deadline: Deadline) -> MoveRecord:
        self._begin()
        self.writes += 1
        if record.move_id not in self.records:
            if record.holds_group:
                for other in self._holders(record.source_shard):
                    if other.group_id == record.group_id:
                        return other
            self.records[record.move_id] = decode(encode(record))
            self.due_at_us[record.move_id] = 0
        return self.records[record.move_id]

    async def update(self, record: MoveRecord, deadline: Deadline) -> MoveRecord:
        self._begin()
        self.writes += 1
        there = self.records.get(record.move_id)
        if there is not None and there.revision != record.revision:
            return there
        stored = decode(encode(replace(record, revision=record.revision + 1)))
        self.records[record.move_id] = stored
        if record.ended:
            self.due_at_us.pop(record.move_id, None)
        elif there is None:
            self.due_at_us[record.move_id] = 0
        return stored

    async def get(self, move_id: str, deadline: Deadline) -> MoveRecord | None:
        self._begin()
        return self.records.get(move_id)

    async def missing(self, move_ids: Sequence[str], deadline: Deadline) -> Sequence[str]:
        self._begin()
        return [move_id for move_id in move_ids if move_id not in self.records]

    async def revision(self, move_id: str, deadline: Deadline) -> int:
        self._begin()
        record = self.records.get(move_id)
        return 0 if record is None else record.revision

    async def list(
        self, after: str, limit: int, group_id: str, active_only: bool, deadline: Deadline
    ) -> Sequence[MoveRecord]:
        self._begin()
        newest = sorted(self.records.values(), key=lambda r: (r.requested_us, r.move_id), reverse=True)
        ids = [record.move_id for record in newest]
        rest = newest[ids.index(after) + 1 :] if after else newest
        found = [r for r in rest if group_id in ("", r.group_id) and not (active_only and r.ended)]
        return found[:limit]

    async def leaving(self, shard_id: str, limit: int, deadline: Deadline) -> Sequence[MoveRecord]:
        self._begin()
        return self._holders(shard_id)[:limit]

    async def due(self, now_us: int, limit: int, deadline: Deadline, skip: int = 0) -> Sequence[str]:
        self._begin()
        due = sorted((at_us, move_id) for move_id, at_us in self.due_at_us.items() if at_us <= now_us)
        return [move_id for _, move_id in due[skip : skip + limit]]

    async def put_off(self, move_id: str, until_us: int, deadline: Deadline) -> None:
        self._begin()
        if move_id in self.due_at_us:
            self.due_at_us[move_id] = until_us

    async def forget_due(self, move_id: str, deadline: Deadline) -> None:
        self._begin()
        self.due_at_us.pop(move_id, None)

    async def lease(self, move_id: str, holder: str, seconds: float, deadline: Deadline) -> bool:
        self._begin()
        self.calls["lease"] += 1
        return self.leases.setdefault(move_id, holder) == holder

    async def release(self, move_id: str, holder: str, deadline: Deadline) -> None:
        self._begin()
        if self.leases.get(move_id) == holder:
            del self.leases[move_id]

    def _holders(self, shard_id: str) -> Sequence[MoveRecord]:
        return [
            record
            for record in self.records.values()
            if record.holds_group and record.source_shard == shard_id and record.move_id in self.due_at_us
        ]
