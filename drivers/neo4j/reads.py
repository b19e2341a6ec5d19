"""Rows by uuid, in lists and by version.

Readers take no locks, and Neo4j applies a commit record by record. A row that is being deleted can be found
by its index and then lack some or all of its properties (152 of 4,157 lists beside a writer that made and
deleted 60 rows over and over): such a read is done again. A row that is being changed can have properties of
both states (13 of 512,640 rows beside a writer that rewrote 60 rows over and over), which nothing tells; the
reads that writes and moves are computed from are not affected, for they wait for the lock of the fence.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.deadline import Deadline
from drivers.errors import RowLimitExceeded, ShardUnavailable
from drivers.fence import Fence, GroupRef
from drivers.graph_model import EDGE_KINDS, INT64_MAX, AnyRow, Kind
from drivers.moving import GroupChanges
from drivers.neo4j import records
from drivers.neo4j.client import Neo4jClient, Record
from drivers.neo4j.queries_read import (
    CHANGES,
    CHANGES_AND_OPERATIONS,
    END_PK_SUFFIX,
    FIRST_PK_SUFFIX,
    list_text,
    rows_text,
)
from drivers.neo4j.queries_write import LOCKED_VERSION
from drivers.reads import ROWS_PER_READ_MAX, Changes, ListCursor, ListQuery, RowsRead, VersionsRead
from drivers.row_codec import pk

_BEFORE_ALL = ListCursor(uuid="", created_at=INT64_MAX)
_READS_MAX = 3
"""Of one statement, until no row has gaps."""


class Reads:
    def __init__(self, client: Neo4jClient) -> None:
        self._client = client

    async def fetch_rows(
        self, kind: Kind, wanted: Mapping[GroupRef, Sequence[str]], with_vectors: bool, deadline: Deadline
    ) -> dict[str, RowsRead]:
        asked = {ref.group_id: list(dict.fromkeys(uuids)) for ref, uuids in wanted.items()}
        self._check_size(sum(map(len, asked.values())))
        found = await self._read(
            rows_text(kind, with_vectors),
            {
                "groups": [
                    {"group_id": group_id, "pks": [pk(group_id, uuid) for uuid in uuids]}
                    for group_id, uuids in asked.items()
                ]
            },
            "get_rows",
            deadline,
            lambda group: records.has_gaps(kind, group[1]),
        )
        answer: dict[str, RowsRead] = {}
        for group_id, values, fence_values in found:
            fence = records.fence(fence_values)
            rows = {row.uuid: row for row in records.rows(kind, values, fence, with_vectors)}
            answer[group_id] = RowsRead(tuple(rows[uuid] for uuid in asked[group_id] if uuid in rows), fence)
        return answer

    async def list_rows(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> RowsRead:
        values, fence = await self._listed(
            ref, query, deadline, "list_rows", lambda page: records.has_gaps(query.kind, page[0])
        )
        rows = records.rows(query.kind, values, fence, query.with_vectors)
        self._check_page(query, len(rows), len(values))
        return RowsRead(tuple(rows), fence)

    async def list_versions(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> VersionsRead:
        values, fence = await self._listed(
            ref,
            query,
            deadline,
            "list_versions",
            lambda page: any(None in pair for pair in page[0]),
            versions=True,
        )
        versions = {uuid: version for uuid, version in values if None not in (uuid, version)}
        self._check_page(query, len(versions), len(values))
        return VersionsRead(versions, fence)

    async def _listed(
        self,
        ref: GroupRef,
        query: ListQuery,
        deadline: Deadline,
        what: str,
        has_gaps: Callable[[Record], bool],
        *,
        versions: bool = False,
    ) -> tuple[Sequence[Any], Fence | None]:
        self._check_size(query.limit)
        if query.anchor is not None and query.kind not in EDGE_KINDS:
            raise ValueError(f"only edges hang on a node, {query.kind} does not")
        after = query.after or _BEFORE_ALL
        ((values, fence_values),) = await self._read(
            list_text(
                query.kind,
                query.order,
                query.anchor and query.anchor.kind,
                query.with_vectors,
                between=bool(query.other_uuid),
                closed=query.closed_by_facts is not None,
                bounded=query.up_to_version is not None,
                versions=versions,
            ),
            {
                "group_id": ref.group_id,
                "limit": query.limit,
                "anchor_pk": pk(ref.group_id, query.anchor.uuid) if query.anchor else "",
                "anchor_uuid": query.anchor.uuid if query.anchor else "",
                "other_uuid": query.other_uuid,
                "closed_by_facts": list(query.closed_by_facts or ()),
                "after_pk": ref.group_id + FIRST_PK_SUFFIX + after.uuid,
                "end_pk": ref.group_id + END_PK_SUFFIX,
                "created_at": after.created_at,
                "uuid": after.uuid,
                "up_to_version": query.up_to_version,
            },
            what,
            deadline,
            has_gaps,
        )
        return values, records.fence(fence_values)

    async def changes(self, ref: GroupRef, after_version: int, limit: int, deadline: Deadline) -> Changes:
        changed = await self._changed(CHANGES, ref, after_version, limit, "changes", deadline)
        return Changes(changed.rows, changed.tombstones, changed.bound, changed.fence)

    async def changes_and_operations(
        self, ref: GroupRef, after_version: int, limit: int, deadline: Deadline
    ) -> GroupChanges:
        return await self._changed(
            CHANGES_AND_OPERATIONS, ref, after_version, limit, "read_changes", deadline
        )

    async def _changed(
        self,
        text: str,
        ref: GroupRef,
        after_version: int,
        limit: int,
        what: str,
        deadline: Deadline,
    ) -> GroupChanges:
        locked = await self._client.repeatable(LOCKED_VERSION, {"group_id": ref.group_id}, what, deadline)
        bound = locked[0][0] if locked else after_version
        ((cut, parts, fence_values),) = await self._read(
            text,
            {"group_id": ref.group_id, "after": after_version, "bound": bound, "limit": limit},
            what,
            deadline,
            lambda all_kinds: any(map(records.has_gaps, Kind, all_kinds[1])),
        )
        fence = records.fence(fence_values)
        rows: list[AnyRow] = []
        for kind, values in zip(Kind, parts, strict=False):
            rows += records.rows(kind, values, fence, with_vectors=True)
        dead, *operations = parts[len(Kind) :]
        # A row or tombstone that was written again after the bound was read belongs to a later call.
        return GroupChanges(
            rows=tuple(sorted((row for row in rows if row.version <= cut), key=lambda row: row.version)),
            tombstones=tuple(
                sorted((t for t in records.tombstones(dead) if t.version <= cut), key=lambda t: t.version)
            ),
            operations=tuple(
                sorted(
                    (operation for found in operations for operation in records.operations(found)),
                    key=lambda operation: operation.version,
                )
            ),
            bound=cut,
            fence=fence,
        )

    async def _read(
        self,
        text: str,
        parameters: Mapping[str, Any],
        what: str,
        deadline: Deadline,
        has_gaps: Callable[[Record], bool],
    ) -> list[Record]:
        """Rows that still have gaps after the last time are the caller's to leave out."""
        found = await self._client.read(text, parameters, what, deadline)
        for _ in range(_READS_MAX - 1):
            if not any(map(has_gaps, found)):
                break
            found = await self._client.read(text, parameters, what, deadline)
        return found

    def _check_page(self, query: ListQuery, whole: int, found: int) -> None:
        if whole < found == query.limit:
            # A short page would tell the caller that it is the last one.
            raise ShardUnavailable(self._client.shard_id, "the rows of a page are being deleted")

    def _check_size(self, rows: int) -> None:
        # One row more than a page may have tells its reader whether another page follows.
        if rows > ROWS_PER_READ_MAX + 1:
            raise RowLimitExceeded(self._client.shard_id, "one read", ROWS_PER_READ_MAX)
