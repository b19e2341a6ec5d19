"""drivers.moving.GroupMoves on one Neo4j server.

Measured with 10,000 entities and 50,000 facts, 384-d vectors, server and client on two cores: taken in within
33 s by batches of 1,000 rows (1,600 entities, 1,850 facts a second; half of that in the first 5,000 rows
after the server's start; batches of 500 were no faster); read in 12 s, of which 4 s went into compiling, then
8,000 rows a second; wiped in 8 s. A change of a fence takes 3 to 7 ms, a round without changes 10 ms. Rows
that are refused for their version pass at 4,000 to 6,000 a second.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from drivers.fence import Fence, FenceState, GroupRef
from drivers.fence_changes import FenceChange, Value
from drivers.fence_codec import decode_fence
from drivers.graph_model import EDGE_KINDS, INT64_MAX, NODE_KINDS, TEXT_KINDS, Kind
from drivers.moving import (
    PAGE_ROWS_MAX,
    Changed,
    CopyCursor,
    GroupPage,
    Intake,
    Other,
    Section,
    Settlement,
    after_page,
    check_intake,
)
from drivers.neo4j import move_parameters, queries_moving, records
from drivers.neo4j.client import Neo4jClient, Record
from drivers.neo4j.queries_read import END_PK_SUFFIX, FIRST_PK_SUFFIX
from drivers.neo4j.reads import Reads
from drivers.neo4j.slots import Slots
from drivers.reads import ListCursor, ListQuery, RowsRead, Tombstone
from drivers.write_plan import OpRecord

_SETTLING_READS_MAX = 20
"""Of the rows of a page that were written while it was read."""
_WIPED: Final[tuple[Section, ...]] = (*EDGE_KINDS, *NODE_KINDS, Other.TOMBSTONE, Other.OPERATION)
"""Edges first: then no node takes more rows with it than one statement is to delete."""


class Moving:
    def __init__(self, client: Neo4jClient, reads: Reads, slots: Slots) -> None:
        self._client = client
        self._reads = reads
        self._slots = slots

    async def change_fence(
        self,
        ref: GroupRef,
        change: FenceChange,
        given: Mapping[str, Value],
        deadline: Deadline,
        settlement: Settlement | None = None,
    ) -> Changed:
        """OutcomeUnknown when the answer was lost after the change was sent: the fence tells."""
        text = queries_moving.CHANGE_OR_MAKE_FENCE if change.creates else queries_moving.CHANGE_FENCE
        found = await self._client.write(
            text,
            {
                "group_id": ref.group_id,
                "rule": move_parameters.rule(change, given, settlement),
                "blank": move_parameters.BLANK,
            },
            f"{change.name} of a fence",
            _name(ref, change),
            deadline,
        )
        return _changed(found)

    async def locked_fence(self, ref: GroupRef, deadline: Deadline) -> Fence | None:
        found = await self._client.repeatable(
            queries_moving.LOCKED_FENCE, {"group_id": ref.group_id}, "locked_fence", deadline
        )
        return decode_fence(found[0][0]) if found else None

    # --- reading out ------------------------------------------------------------------------------

    async def read_page(
        self, ref: GroupRef, cursor: CopyCursor, rows_max: int, deadline: Deadline
    ) -> GroupPage:
        assert 0 < rows_max <= PAGE_ROWS_MAX, f"a page of {rows_max} rows, at most {PAGE_ROWS_MAX}"
        locked = await self.locked_fence(ref, deadline)
        while True:
            section, after = cursor.section, cursor.after
            if isinstance(section, Kind):
                page = await self._rows(ref, section, after, rows_max, locked, deadline)
            else:
                page = await self._others(ref, section, after, rows_max, deadline)
            if page.rows or page.tombstones or page.operations or page.next is None:
                return page
            cursor = page.next

    async def _rows(
        self,
        ref: GroupRef,
        kind: Kind,
        after: str,
        rows_max: int,
        locked: Fence | None,
        deadline: Deadline,
    ) -> GroupPage:
        query = ListQuery(
            kind, rows_max, after=ListCursor(after) if after else None, with_vectors=kind in TEXT_KINDS
        )
        read = await self._reads.list_rows(ref, query, deadline)
        following = after_page(kind, [row.uuid for row in read.rows], rows_max)
        settled = await self._settled(ref, kind, read, locked, deadline)
        return GroupPage(settled.rows, (), (), following, settled.fence)

    async def _settled(
        self, ref: GroupRef, kind: Kind, read: RowsRead, locked: Fence | None, deadline: Deadline
    ) -> RowsRead:
        """`read` with every row as one write left it: a reader can find one that is being changed with
        properties of both states (see reads.py). If its version is not above that of the fence that was
        `locked` before, a newer version comes in a round and puts it right. A row above that may have older
        properties and would never come again: it is read anew. To leave it out would make its edges homeless,
        which may be old."""
        rows = {row.uuid: row for row in read.rows}
        fence = read.fence
        for _ in range(_SETTLING_READS_MAX):
            whole = _written_up_to(locked)
            unsettled = {row.uuid for row in rows.values() if row.version > whole}
            if not unsettled:
                return RowsRead(tuple(rows.values()), fence)
            locked = await self.locked_fence(ref, deadline)
            wanted = {ref: sorted(unsettled)}
            again = await self._reads.fetch_rows(kind, wanted, kind in TEXT_KINDS, deadline)
            fence = again[ref.group_id].fence
            present = {row.uuid: row for row in again[ref.group_id].rows}
            # One that is not found again has been deleted.
            rows = {
                uuid: present.get(uuid, row)
                for uuid, row in rows.items()
                if uuid in present or uuid not in unsettled
            }
        raise ShardUnavailable(self._client.shard_id, "the rows of a page are being written all the time")

    async def _others(
        self, ref: GroupRef, other: Other, after: str, rows_max: int, deadline: Deadline
    ) -> GroupPage:
        ((found, fence_values),) = await self._client.read(
            queries_moving.others_text(other),
            {
                "group_id": ref.group_id,
                "after_pk": ref.group_id + FIRST_PK_SUFFIX + after,
                "end_pk": ref.group_id + END_PK_SUFFIX,
                "limit": rows_max,
            },
            "read_page",
            deadline,
        )
        fence = records.fence(fence_values)
        tombstones: Sequence[Tombstone] = ()
        operations: Sequence[OpRecord] = ()
        if other is Other.TOMBSTONE:
            tombstones = records.tombstones(found)
            keys = [f"{tombstone.kind}/{tombstone.uuid}" for tombstone in tombstones]
        else:
            operations = records.operations(found)
            keys = [operation.op_id for operation in operations]
        if not keys and len(found) == rows_max:
            # A page without a last one would tell the caller that the section ends.
            raise ShardUnavailable(self._client.shard_id, f"a page of {other} is being written")
        following = after_page(other, keys, rows_max - (len(found) - len(keys)))
        return GroupPage((), tuple(tombstones), tuple(operations), following, fence)

    # --- taking in --------------------------------------------------------------------------------

    async def take_in(self, ref: GroupRef, intake: Intake, deadline: Deadline) -> Changed:
        """OutcomeUnknown as of change_fence."""
        check_intake(intake, self._client.shard_id, 0)
        found = await self._client.write(
            queries_moving.TAKE_IN,
            move_parameters.intake(ref.group_id, intake),
            f"{intake.change.name} of a batch",
            _name(ref, intake.change),
            deadline,
        )
        if not found:
            return Changed(False, None)
        ((ok, fence_values, homeless),) = found
        return Changed(
            ok,
            decode_fence(fence_values),
            tuple((kind, uuid) for kind, uuids in zip(EDGE_KINDS, homeless, strict=True) for uuid in uuids),
        )

    # --- taking away ------------------------------------------------------------------------------

    async def wipe(
        self, ref: GroupRef, token: int, move_id: str, rows_max: int, deadline: Deadline
    ) -> int | None:
        fence = await self.locked_fence(ref, deadline)
        if fence is None or not (
            fence.state is FenceState.TOMB
            or (fence.state is FenceState.WIPING and (fence.token, fence.move_id) == (token, move_id))
        ):
            return None
        for slot in await self._slots.list(deadline):
            if slot.ref.group_id == ref.group_id:
                await self._slots.drop(slot, deadline)
        gone = 0
        for section in _WIPED:
            found = await self._client.repeatable(
                queries_moving.wipe_text(section),
                {
                    "group_id": ref.group_id,
                    "token": token,
                    "move_id": move_id,
                    "first_pk": ref.group_id + FIRST_PK_SUFFIX,
                    "end_pk": ref.group_id + END_PK_SUFFIX,
                    "rows_max": rows_max - gone,
                },
                "wipe",
                deadline,
            )
            if not found or not found[0][0]:
                return None
            gone += found[0][1]
            if gone >= rows_max:
                break
        return gone


def _written_up_to(locked: Fence | None) -> int:
    """Rows up to this version are wholly visible after the lock was held. Where the group is not OPEN nobody
    writes: rows of a target have higher versions than its fence."""
    if locked is None or locked.state is not FenceState.OPEN:
        return INT64_MAX
    return locked.version


def _name(ref: GroupRef, change: FenceChange) -> str:
    """For an error whose outcome is unknown."""
    return f"{change.name} {ref.group_id}"


def _changed(found: Sequence[Record]) -> Changed:
    if not found:
        return Changed(False, None)
    ok: bool
    values: Sequence[Any]
    ok, values = found[0]
    return Changed(ok, decode_fence(values))
