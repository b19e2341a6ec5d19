"""The shard's marker and the fences of its groups."""

from collections.abc import Sequence

from drivers.deadline import Deadline
from drivers.fence import Fence, GroupRef, ShardMarker
from drivers.fence_codec import decode_fence, decode_marker, encode_fence, encode_marker
from drivers.neo4j import records
from drivers.neo4j.client import Neo4jClient, to_any_server
from drivers.neo4j.queries_fences import (
    ADVANCE_BEAT,
    CREATE_FENCE,
    CREATE_MARKER,
    LIST_FENCES,
    PING,
    READ_FENCES,
    READ_MARKER,
)
from drivers.neo4j.schema_rules import MARKER_RULE

MARKER_KEY = "shard"
"""The constant key of the one marker."""


class Fences:
    def __init__(self, client: Neo4jClient) -> None:
        self._client = client

    async def ping(self, deadline: Deadline) -> None:
        with to_any_server():
            await self._client.read(PING, {}, "ping", deadline)

    async def read_marker(self, deadline: Deadline) -> ShardMarker | None:
        with to_any_server():
            found = await self._client.read(READ_MARKER, {"key": MARKER_KEY}, "read_marker", deadline)
        return decode_marker(found[0][0]) if found else None

    async def create_marker(self, marker: ShardMarker, deadline: Deadline) -> ShardMarker:
        # MERGE is atomic only under the uniqueness constraint, and a shard is founded before ensure_schema.
        with to_any_server():
            await self._client.define(MARKER_RULE.create, deadline)
            ((values,),) = await self._client.repeatable(
                CREATE_MARKER, {"key": MARKER_KEY, "marker": encode_marker(marker)}, "create_marker", deadline
            )
        return decode_marker(values)

    async def advance_beat(self, seen: int, beat: int, deadline: Deadline) -> int:
        """0 when there is no marker."""
        with to_any_server():
            found = await self._client.repeatable(
                ADVANCE_BEAT, {"key": MARKER_KEY, "seen": seen, "beat": beat}, "advance_beat", deadline
            )
        return found[0][0] if found else 0

    async def create_fence(self, fence: Fence, deadline: Deadline) -> Fence:
        ((values,),) = await self._client.repeatable(
            CREATE_FENCE, {"fence": encode_fence(fence)}, "create_fence", deadline
        )
        return decode_fence(values)

    async def read_fences(self, refs: Sequence[GroupRef], deadline: Deadline) -> dict[str, Fence]:
        groups = [{"group_id": group_id} for group_id in sorted({ref.group_id for ref in refs})]
        ((found,),) = await self._client.read(READ_FENCES, {"groups": groups}, "read_fences", deadline)
        return records.fences(found)

    async def list_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        found = await self._client.read(
            LIST_FENCES, {"after": after, "limit": limit}, "list_fences", deadline
        )
        return [decode_fence(values) for (values,) in found]
