"""The last episodes of a saga, in their order.

Places of one write share their created_at; among them the links from episode to episode tell the order.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby

from drivers.graph_model import Kind, NextEpisode, SagaEpisode
from drivers.reads import ROWS_PER_READ_MAX, Anchor
from gateway.ingest.pipeline.group_reads import GroupReads


async def last_places(
    saga: str, count: int, reads: GroupReads, but: Iterable[str] = ()
) -> Sequence[SagaEpisode]:
    """The last `count` places, oldest first, save those of the episodes `but`; an episode that was removed
    has none. At most ROWS_PER_READ_MAX of one write."""
    left_out = frozenset(but)
    wanted = min(count + len(left_out), ROWS_PER_READ_MAX)
    rows = await reads.newest(Kind.SAGA_EPISODE, wanted, Anchor(Kind.SAGA, saga))
    places = [one for one in rows if isinstance(one, SagaEpisode)]
    writes = [list(some) for _, some in groupby(places, key=lambda one: one.created_at)]
    if len(places) == wanted and (len(writes) == 1 or len(writes[-1]) > 1):
        # Of the oldest of these writes there may be more, of which any are here, not the last ones.
        whole = await reads.made_at(Kind.SAGA_EPISODE, writes[-1][0].created_at)
        writes[-1] = [one for one in whole if isinstance(one, SagaEpisode) and one.source_uuid == saga]
    ordered = await asyncio.gather(*(_by_links(saga, some, reads) for some in writes))
    found = [one for some in reversed(ordered) for one in some if one.target_uuid not in left_out]
    return found[-count:]


async def _by_links(saga: str, places: Sequence[SagaEpisode], reads: GroupReads) -> Sequence[SagaEpisode]:
    """Places of one write: each before the one whose episode follows its own."""
    if len(places) < 2:
        return places
    links = await reads.made_at(Kind.NEXT_EPISODE, places[0].created_at)
    before = {
        one.target_uuid: one.source_uuid
        for one in links
        if isinstance(one, NextEpisode) and one.saga_uuid == saga
    }
    by_episode = {one.target_uuid: one for one in places}
    found: dict[str, SagaEpisode] = {}
    for one in places:
        chain: list[str] = []
        at: str | None = one.target_uuid
        # Callers may name any episode as the one before: also in a circle.
        while at in by_episode and at not in found and at not in chain:
            chain.append(at)
            at = before.get(at)
        found |= {uuid: by_episode[uuid] for uuid in reversed(chain)}
    return list(found.values())
