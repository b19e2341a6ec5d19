"""The shard's marker and the fences of its groups."""

from collections.abc import Collection, Sequence
from zlib import crc32

from drivers.deadline import Deadline
from drivers.errors import RegisterClosed
from drivers.fence import Fence, GroupRef, ShardMarker
from drivers.fence_codec import decode_fence, decode_marker, encode_fence, encode_marker, encode_root
from drivers.neo4j import records
from drivers.neo4j.client import Neo4jClient, to_any_server
from drivers.neo4j.queries_fences import (
    ADVANCE_BEAT,
    CHANGE_MARKER,
    CLOCK,
    CREATE_FENCE,
    CREATE_MARKER,
    LIST_ALL_FENCES,
    LIST_FENCES,
    LOCKED_FENCES,
    PING,
    RAISE_GATE,
    READ_FENCES,
    READ_GATE,
    READ_MARKER,
)
from drivers.neo4j.schema_rules import MARKER_RULE
from drivers.register_gate import RegisterGate

MARKER_KEY = "shard"
"""The constant key of the one marker."""

GATE_STRIPES = 16
"""Creations of fences that may run at once."""
_STRIPES = list(range(GATE_STRIPES))


def stripe_of(group_id: str) -> int:
    return crc32(group_id.encode()) % GATE_STRIPES


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

    async def change_marker(
        self, seen: ShardMarker, after: ShardMarker, deadline: Deadline
    ) -> ShardMarker | None:
        given = {"key": MARKER_KEY, "seen": encode_root(seen), "after": encode_root(after)}
        with to_any_server():
            await self._client.repeatable(CHANGE_MARKER, given, "change_marker", deadline)
        return await self.read_marker(deadline)

    async def clock_us(self, deadline: Deadline) -> int:
        with to_any_server():
            ((now_us,),) = await self._client.read(CLOCK, {}, "clock_us", deadline)
        return now_us

    async def read_gate(self, deadline: Deadline) -> RegisterGate:
        ((root, seal),) = await self._client.read(READ_GATE, {"stripes": _STRIPES}, "read_gate", deadline)
        return RegisterGate() if root is None else RegisterGate(root, seal)

    async def raise_gate(self, gate: RegisterGate, deadline: Deadline) -> None:
        given = {"stripes": _STRIPES, "root": gate.root, "seal": gate.seal}
        await self._client.repeatable(RAISE_GATE, given, "raise_gate", deadline)

    async def create_fence(self, fence: Fence, roots: Collection[int], deadline: Deadline) -> Fence:
        given = {
            "fence": encode_fence(fence),
            "roots": sorted(roots),
            "stripe": stripe_of(fence.group_id),
        }
        ((values,),) = await self._client.repeatable(CREATE_FENCE, given, "create_fence", deadline)
        if values is None:
            raise RegisterClosed(self._client.shard_id, fence.group_id)
        return decode_fence(values)

    async def read_fences(
        self, refs: Sequence[GroupRef], deadline: Deadline, *, settled: bool = False
    ) -> dict[str, Fence]:
        groups = [{"group_id": group_id} for group_id in sorted({ref.group_id for ref in refs})]
        if settled:
            locked = await self._client.repeatable(LOCKED_FENCES, {"groups": groups}, "read_fences", deadline)
            return records.fences([values for (values,) in locked])
        ((found,),) = await self._client.read(READ_FENCES, {"groups": groups}, "read_fences", deadline)
        return records.fences(found)

    async def list_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        found = await self._client.read(
            LIST_FENCES, {"after": after, "limit": limit}, "list_fences", deadline
        )
        return [decode_fence(values) for (values,) in found]

    async def list_all_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        found = await self._client.read(
            LIST_ALL_FENCES, {"after": after, "limit": limit}, "list_all_fences", deadline
        )
        return [decode_fence(values) for (values,) in found]
