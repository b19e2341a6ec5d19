"""Deleting a group's rows up to a version, write by write, whatever others do to the group meanwhile.

Edges go first and then nodes, so that a node takes few edges along. A row is deleted on the condition that
its version is the one that was read: who writes it meanwhile keeps it. A row that is written gets a version
above the bound, so that one pass over the group finds all there is, and what was refused is less next time.
Of the rows only uuids and versions are read, whatever else is in them, and of newer rows nothing is.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
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
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, NODE_KINDS, Kind
from drivers.reads import ROWS_PER_READ_MAX, Anchor, ListCursor, ListQuery, RowsRead, VersionsRead
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
    refused: int = 0
    """Writes, for someone wrote to what they were to delete."""
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
        while True:
            query = ListQuery(kind, ROWS_PER_READ_MAX, after=after, up_to_version=self.up_to_version)
            keys = await self._versions(query)
            refused = self.refused
            if not await self._delete(kind, keys):
                return False
            if self.refused > refused:
                # What is left of this page, without what has become newer.
                continue
            if len(keys) < query.limit:
                return True
            after = ListCursor(list(keys)[-1])

    async def _delete(self, kind: Kind, keys: Keys) -> bool:
        """All but what is refused. False: time is up."""
        waiting = [keys] if keys else []
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
                self.refused += 1
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
        version = await self._version_if_old(kind, uuid)
        if not version:
            return
        limit = min(self.rows_max, self.weight_max or self.rows_max)
        for edge, ends in ENDPOINT_KINDS.items():
            if kind not in ends:
                continue
            found = await self._versions(ListQuery(edge, limit, anchor=Anchor(kind, uuid)))
            if not found:
                continue
            intent = WriteIntent(
                group_id=self.group_id,
                op_id=new_op_id(),
                content_hash="clear-rows",
                deletions=tuple((edge, found_uuid) for found_uuid in found),
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

    async def _versions(self, query: ListQuery) -> Keys:
        async def read(driver: ShardDriver, placement: Placement) -> VersionsRead:
            self.weight_max = driver.write_weight_max
            return _owned(await driver.list_versions(placement.ref, query, self.deadline), placement)

        return (await self._read(read)).versions

    async def _version_if_old(self, kind: Kind, uuid: str) -> int:
        """The group's version, at which the row is still to go; 0: it no longer is."""

        async def read(driver: ShardDriver, placement: Placement) -> RowsRead:
            found = await driver.get_rows(placement.ref, kind, (uuid,), False, self.deadline)
            return _owned(found, placement)

        rows = (await self._read(read)).rows
        return self.version if rows and rows[0].version <= self.up_to_version else 0

    async def _read[R: (RowsRead, VersionsRead)](self, read: OwnerCall[R]) -> R:
        found = await self.router.on_owner(self.group_id, self.deadline, read, create=False, writes=False)
        assert found.fence is not None, "an owner has a fence"
        self.version = max(self.version, found.fence.version)
        return found


def _owned[R: (RowsRead, VersionsRead)](found: R, placement: Placement) -> R:
    """Raises StalePlacement: a group that was away meanwhile may have rows that were not seen."""
    if found.fence is None or not found.fence.owned_throughout(placement.ref):
        raise StalePlacement(found.fence)
    return found


def _parted(keys: Keys, most: int) -> list[dict[str, int]]:
    """The first part last: to be taken from the end."""
    items = list(keys.items())
    return [dict(items[at : at + most]) for at in range(0, len(items), most)][::-1]
