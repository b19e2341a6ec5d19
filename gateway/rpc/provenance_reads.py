"""The episodes that support a fact, page by page in the fact's own order."""

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.graph_model import Fact, Kind
from drivers.reads import RowsRead
from gateway.rpc import page_token
from gateway.rpc.row_reads import Page, RowReads, check_read, checked_fence, owned, page_size
from gateway.rpc.validation import Violations
from gateway.writes.errors import RowsMissing
from graphgate.v1 import graph_service_pb2 as pb
from shard_router.placement import Placement
from shard_router.router import Router


class Provenance:
    def __init__(self, router: Router, reads: RowReads) -> None:
        self._router = router
        self._reads = reads

    async def episodes_of_fact(self, request: pb.ListEpisodesRequest, deadline: Deadline) -> Page:
        """Raises GroupNotFound, RowsMissing."""
        v = Violations()
        check_read(v, request.group_id, request.min_version)
        size = page_size(v, request.page_size)
        v.uuid("fact_uuid", request.fact_uuid)
        if request.order != pb.ROW_ORDER_UNSPECIFIED:
            v.add("order", "cannot be combined with fact_uuid, whose episodes have their own order")
        if request.saga_uuid:
            v.add("saga_uuid", "cannot be combined with fact_uuid")
        belongs = page_token.fingerprint(
            Kind.EPISODE, request.group_id, f"{Kind.FACT}/{request.fact_uuid}", request.with_embedding
        )
        position = page_token.decode(v, request.page_token, belongs, (str, int))
        v.raise_if_any()

        async def read(driver: ShardDriver, placement: Placement) -> tuple[tuple[str, ...], int, RowsRead]:
            """All uuids of the fact's episodes, where this page begins, and its rows."""
            ref = placement.ref
            facts = owned(await driver.get_rows(ref, Kind.FACT, (request.fact_uuid,), False, deadline), ref)
            fact = facts.rows[0] if facts.rows else None
            if not isinstance(fact, Fact):
                raise RowsMissing(Kind.FACT, (request.fact_uuid,))
            first = _first(fact.episodes, position)
            wanted = fact.episodes[first : first + size]
            episodes = await driver.get_rows(ref, Kind.EPISODE, wanted, request.with_embedding, deadline)
            return fact.episodes, first, owned(episodes, ref)

        uuids, first, episodes = await self._router.on_owner(
            request.group_id, deadline, read, create=False, writes=False
        )
        fence = checked_fence(episodes, request.group_id, request.min_version)
        messages = self._reads.fitting(episodes.rows)
        if len(messages) < len(episodes.rows):
            last = uuids.index(messages[-1].uuid)
        else:
            last = min(first + size, len(uuids)) - 1
        token = page_token.encode(belongs, (uuids[last], last)) if last + 1 < len(uuids) else ""
        return Page(messages, token, fence.version)


def _first(uuids: tuple[str, ...], position: list[str | int] | None) -> int:
    """Where the page begins: after the last episode of the page before, wherever that is now."""
    if position is None:
        return 0
    uuid, index = str(position[0]), int(position[1])
    return uuids.index(uuid) + 1 if uuid in uuids else min(max(0, index), len(uuids))
