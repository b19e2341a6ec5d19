"""Fences and the shard's marker."""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from typing import Any, cast

from drivers.deadline import Deadline
from drivers.errors import EngineRefused, RegisterClosed
from drivers.falkordb import queries
from drivers.falkordb.client import GraphClient
from drivers.falkordb.errors import ALREADY_INDEXED
from drivers.falkordb.fan_out import over_graphs
from drivers.falkordb.graphs import MARKER_GRAPH, OWN_PREFIX, by_graph, pooled_graphs
from drivers.fence import Fence, GroupRef, ShardMarker
from drivers.fence_codec import decode_fence, decode_marker, encode_fence, encode_marker, encode_root
from drivers.register_gate import RegisterGate


def fences(found: Iterable[Sequence[Any]]) -> dict[str, Fence]:
    """By group_id, of the tagged rows that are fences."""
    decoded = (decode_fence(values) for tag, values in found if tag == queries.FENCE)
    return {fence.group_id: fence for fence in decoded}


async def read_marker(client: GraphClient, deadline: Deadline) -> ShardMarker | None:
    found = await client.read(MARKER_GRAPH, queries.READ_MARKER, {}, deadline, "reading the shard's marker")
    return decode_marker(found[0]) if found else None


async def create_marker(client: GraphClient, marker: ShardMarker, deadline: Deadline) -> ShardMarker:
    """The label must be there before the MERGE: in a graph that does not know it, each of several MERGEs
    that run at once is planned as a plain CREATE (114 of 150 races made several markers)."""
    try:
        await client.write(MARKER_GRAPH, queries.INDEX_MARKER, {}, deadline, "creating the marker's index")
    except EngineRefused as refused:
        if ALREADY_INDEXED not in refused.engine_text:
            raise
    found = await client.write(
        MARKER_GRAPH,
        queries.CREATE_MARKER,
        {"properties": encode_marker(marker)},
        deadline,
        "creating the shard's marker",
    )
    return decode_marker(found[0])


async def advance_beat(client: GraphClient, seen: int, beat: int, deadline: Deadline) -> int:
    """0 when there is no marker."""
    found = await client.write(
        MARKER_GRAPH, queries.ADVANCE_BEAT, {"seen": seen, "beat": beat}, deadline, "advancing the beat"
    )
    return found[0][0] if found else 0


async def change_marker(
    client: GraphClient, seen: ShardMarker, after: ShardMarker, deadline: Deadline
) -> ShardMarker | None:
    await client.write(
        MARKER_GRAPH,
        queries.CHANGE_MARKER,
        {"seen": encode_root(seen), "after": encode_root(after)},
        deadline,
        "changing the shard's marker",
    )
    return await read_marker(client, deadline)


async def clock_us(client: GraphClient, deadline: Deadline) -> int:
    seconds, microseconds = cast("list[str]", await client.command(deadline, "reading the clock", "TIME"))
    return int(seconds) * 1_000_000 + int(microseconds)


async def read_gate(client: GraphClient, pool_graphs: int, deadline: Deadline) -> RegisterGate:
    async def of_graph(graph: str, _: None) -> RegisterGate:
        found = await client.read(graph, queries.READ_GATE, {}, deadline, "reading the register's gate")
        return RegisterGate(*found[0]) if found else RegisterGate()

    gates = await over_graphs(client, dict.fromkeys(pooled_graphs(pool_graphs)), of_graph)
    return reduce(RegisterGate.raised, gates)


async def raise_gate(client: GraphClient, pool_graphs: int, gate: RegisterGate, deadline: Deadline) -> None:
    async def of_graph(graph: str, _: None) -> None:
        values = {"root": gate.root, "seal": gate.seal}
        await client.write(graph, queries.RAISE_GATE, values, deadline, "raising the register's gate")

    await over_graphs(client, dict.fromkeys(pooled_graphs(pool_graphs)), of_graph)


async def create_fence(
    client: GraphClient, graph: str, fence: Fence, roots: Collection[int], deadline: Deadline
) -> Fence:
    found = await client.write(
        graph,
        queries.CREATE_FENCE,
        {"group": fence.group_id, "properties": encode_fence(fence), "roots": sorted(roots)},
        deadline,
        f"creating the fence of {fence.group_id}",
    )
    if not found:
        # Closed for new ones; the one that is there is still the answer.
        parameters = {"groups": [fence.group_id]}
        found = await client.read(graph, queries.FENCES_OF_GROUPS, parameters, deadline, "reading fences")
    if not found:
        raise RegisterClosed(client.shard_id, fence.group_id)
    return fences(found)[fence.group_id]


async def read_fences(
    client: GraphClient, refs: Sequence[GroupRef], pool_graphs: int, deadline: Deadline
) -> dict[str, Fence]:
    async def of_graph(graph: str, group_ids: list[str]) -> dict[str, Fence]:
        return fences(
            await client.read(
                graph, queries.FENCES_OF_GROUPS, {"groups": group_ids}, deadline, "reading fences"
            )
        )

    answers = await over_graphs(client, by_graph(refs, pool_graphs), of_graph)
    return {group_id: fence for answer in answers for group_id, fence in answer.items()}


async def list_fences(
    client: GraphClient, pool_graphs: int, after: str, limit: int, deadline: Deadline
) -> list[Fence]:
    async def of_graph(graph: str, limit: int) -> dict[str, Fence]:
        return fences(
            await client.read(
                graph, queries.LIST_FENCES, {"after": after, "limit": limit}, deadline, "listing fences"
            )
        )

    graphs = (*pooled_graphs(pool_graphs), *await own_graphs(client, deadline))
    answers = await over_graphs(client, dict.fromkeys(graphs, limit), of_graph)
    found = {group_id: fence for answer in answers for group_id, fence in answer.items()}
    return [found[group_id] for group_id in sorted(found)[:limit]]


async def list_all_fences(
    client: GraphClient, pool_graphs: int, after: str, limit: int, deadline: Deadline
) -> list[Fence]:
    async def of_graph(graph: str, limit: int) -> list[Fence]:
        rows = await client.read(
            graph, queries.LIST_ALL_FENCES, {"after": after, "limit": limit}, deadline, "listing fences"
        )
        return [decode_fence(values) for _, values in rows]

    graphs = (*pooled_graphs(pool_graphs), *await own_graphs(client, deadline))
    answers = await over_graphs(client, dict.fromkeys(graphs, limit), of_graph)
    found = sorted((fence for answer in answers for fence in answer), key=lambda f: (f.group_id, f.space))
    if len(found) <= limit:
        return found
    # Each graph has told all that it has up to there.
    last = found[limit - 1].group_id
    return [fence for fence in found if fence.group_id <= last]


async def own_graphs(client: GraphClient, deadline: Deadline) -> list[str]:
    """Graphs of groups that have a space of their own."""
    names = cast("list[str]", await client.command(deadline, "listing graphs", "GRAPH.LIST"))
    return sorted(name for name in names if name.startswith(OWN_PREFIX))
