"""Deleting a group's rows up to a version, write by write, whatever others do to the group meanwhile.

Edges go first and then nodes, so that a node takes few edges along. A row is deleted on the condition that
its version is the one that was read: who writes it meanwhile keeps it. A row that is written gets a version
above the bound, so that one pass over the group finds all there is, and what was refused is less next time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import (
    DeadlinePassed,
    OutcomeUnknown,
    RowLimitExceeded,
    ShardTimeout,
    WriteTooHeavy,
)
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, NODE_KINDS, AnyRow, Kind
from drivers.reads import Anchor, ListCursor, ListQuery, RowsRead
from drivers.row_size import row_size
from gateway.writes.errors import (
    GroupVersionMismatch,
    RowVersionMismatch,
    WriteContended,
    WriteTooLarge,
)
from gateway.writes.intent import RowCondition, WriteIntent
from gateway.writes.writer import GraphWriter, WriteReceipt, new_op_id
from shard_router.backoff import Backoff
from shard_router.errors import StalePlacement
from shard_router.placement import Placement
from shard_router.router import OwnerCall, Router

ROWS_PER_WRITE_MAX = 400
"""What FalkorDB takes at once."""
PAGE_CHARS = 4 << 20
"""Of the texts of one page, about."""
ROWS_FIRST = 64
GROWTH_MAX = 4
"""Times as many rows as before, as long as they are small."""
RESERVE_S = 0.25
"""Of the deadline, beside twice the time of the longest write: no write is begun in it."""

_UNANSWERED = Backoff(first_s=0.05, pause_s_max=1.0)

type Keys = Mapping[str, int]
"""Versions by uuid."""


@dataclass(frozen=True, slots=True)
class RowsCleared:
    deleted: Mapping[Kind, int]
    done: bool
    """False: the deadline is near."""
    version: int
    """The group's, as it was seen last."""


class RowClearing:
    def __init__(
        self, router: Router, writer: GraphWriter, rows_per_write_max: int = ROWS_PER_WRITE_MAX
    ) -> None:
        self._router = router
        self._writer = writer
        self._rows_max = rows_per_write_max

    async def clear(self, group_id: str, up_to_version: int, deadline: Deadline) -> RowsCleared:
        """Deletes the rows whose version is at most this one, with all edges that hang on them. Raises
        GroupNotFound and what reads and writes raise, except for want of time."""
        run = _Run(self._router, self._writer, self._rows_max, group_id, up_to_version, deadline)
        done = await run.clear()
        return RowsCleared(dict(run.deleted), done, run.version)


@dataclass(slots=True)
class _Run:
    router: Router
    writer: GraphWriter
    rows_max: int
    group_id: str
    up_to_version: int
    deadline: Deadline
    deleted: Counter[Kind] = field(default_factory=Counter[Kind])
    version: int = 0
    weight_max: int = 0
    """Of the shard that was read last, 0: none."""
    longest_s: float = 0.0
    """Of a write."""
    rng: Random = field(default_factory=Random)

    async def clear(self) -> bool:
        """Whether all is gone; False: time is up."""
        try:
            for kind in (*EDGE_KINDS, *NODE_KINDS):
                if not await self._clear_kind(kind):
                    return False
        except (DeadlinePassed, ShardTimeout, OutcomeUnknown):
            if not self._is_time_up():
                raise
            return False
        return True

    def _is_time_up(self) -> bool:
        return self.deadline.remaining_s() < RESERVE_S + 2 * self.longest_s

    async def _clear_kind(self, kind: Kind) -> bool:
        after: ListCursor | None = None
        limit = min(ROWS_FIRST, self.rows_max)
        while True:
            rows = await self._page(ListQuery(kind, limit, after=after))
            if not await self._delete(kind, self._old(rows)):
                return False
            if len(rows) < limit:
                return True
            after = ListCursor(rows[-1].uuid)
            per_row = max(1, sum(row_size(row).chars for row in rows) // len(rows))
            limit = max(1, min(PAGE_CHARS // per_row, GROWTH_MAX * limit, self.rows_max))

    def _old(self, rows: Sequence[AnyRow]) -> Keys:
        return {row.uuid: row.version for row in rows if row.version <= self.up_to_version}

    async def _delete(self, kind: Kind, keys: Keys) -> bool:
        """False: time is up."""
        waiting = [dict(keys)] if keys else []
        while waiting:
            if self.longest_s and self._is_time_up():
                return False
            part = waiting.pop()
            most = min(self.rows_max, self.weight_max or self.rows_max)
            if len(part) > most:
                waiting += _parted(part, most)
                continue
            intent = WriteIntent(
                group_id=self.group_id,
                op_id=new_op_id(),
                content_hash="clear-rows",
                deletions=tuple((kind, uuid) for uuid in part),
                allow_missing=True,
                conditions=tuple(RowCondition(kind, uuid, version) for uuid, version in part.items()),
            )
            try:
                await self._write(intent)
            except (RowVersionMismatch, WriteContended):
                left = self._old(await self._rows(kind, tuple(part)))
                waiting += [dict(left)] if left else []
            except (WriteTooLarge, WriteTooHeavy, RowLimitExceeded):
                if len(part) > 1:
                    waiting += _parted(part, (len(part) + 1) // 2)
                else:
                    await self._strip(kind, next(iter(part)))
                    waiting.append(part)
        return True

    async def _strip(self, kind: Kind, uuid: str) -> None:
        """Deletes some of the edges of a node that is to go and has too many to go in the same write. If
        anything in the group changes meanwhile, it is to be seen first whether the node still is to go."""
        if not self._old(await self._rows(kind, (uuid,))):
            return
        version = self.version
        limit = min(self.rows_max, self.weight_max or self.rows_max)
        for edge, ends in ENDPOINT_KINDS.items():
            if kind not in ends:
                continue
            found = await self._page(ListQuery(edge, limit, anchor=Anchor(kind, uuid)))
            if not found:
                continue
            intent = WriteIntent(
                group_id=self.group_id,
                op_id=new_op_id(),
                content_hash="clear-rows",
                deletions=tuple((edge, row.uuid) for row in found),
                allow_missing=True,
                if_version=version,
            )
            try:
                await self._write(intent)
            except (GroupVersionMismatch, WriteContended):
                self.deadline.check(f"the clear of group {self.group_id} was planned anew")
            return

    async def _write(self, intent: WriteIntent) -> WriteReceipt:
        """The same write again while its outcome is unknown: its record tells whether it was applied."""
        attempt = 0
        while True:
            begun = time.monotonic()
            try:
                # As a task, so that a call that is cut off names no request_id of ours.
                receipt = await asyncio.create_task(self.writer.write(intent, self.deadline))
            except OutcomeUnknown:
                if self._is_time_up():
                    raise
                attempt += 1
                pause_s = _UNANSWERED.pause_s(attempt, self.rng)
                await asyncio.sleep(min(pause_s, self.deadline.remaining_s()))
                continue
            self.longest_s = max(self.longest_s, time.monotonic() - begun)
            self.version = max(self.version, receipt.version)
            self.deleted.update(receipt.dropped)
            return receipt

    async def _page(self, query: ListQuery) -> Sequence[AnyRow]:
        async def read(driver: ShardDriver, placement: Placement) -> RowsRead:
            self.weight_max = driver.write_weight_max
            return _owned(await driver.list_rows(placement.ref, query, self.deadline), placement)

        return await self._read(read)

    async def _rows(self, kind: Kind, uuids: Sequence[str]) -> Sequence[AnyRow]:
        async def read(driver: ShardDriver, placement: Placement) -> RowsRead:
            return _owned(await driver.get_rows(placement.ref, kind, uuids, False, self.deadline), placement)

        return await self._read(read)

    async def _read(self, read: OwnerCall[RowsRead]) -> Sequence[AnyRow]:
        found = await self.router.on_owner(self.group_id, self.deadline, read, create=False, writes=False)
        assert found.fence is not None, "an owner has a fence"
        self.version = max(self.version, found.fence.version)
        return found.rows


def _owned(found: RowsRead, placement: Placement) -> RowsRead:
    """Raises StalePlacement: a group that was away meanwhile may have rows that were not seen."""
    if found.fence is None or not found.fence.owned_throughout(placement.ref):
        raise StalePlacement(found.fence)
    return found


def _parted(keys: Keys, most: int) -> list[dict[str, int]]:
    items = list(keys.items())
    return [dict(items[at : at + most]) for at in range(0, len(items), most)]
