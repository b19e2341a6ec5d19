"""AdminService: shards, their schema, moves of groups, and what is kept of searches."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import cast

from google.longrunning.operations_pb2 import Operation

from drivers.contract import SchemaReport, ShardDriver
from drivers.deadline import Deadline
from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.catalog_service import CatalogCalls
from gateway.rpc.group_messages import limits_message
from gateway.rpc.move_service import MoveCalls
from gateway.rpc.search_answer import SHARD_ENGINE
from gateway.rpc.searches import Searches
from gateway.rpc.shard_service import ShardCalls, root_message, usage_message
from gateway.rpc.validation import GROUPS_MAX, SHARD_ID_CHARS_MAX, Violations, shown
from gateway.search_cache.group_pattern import GroupPattern
from gateway.search_cache.search_cache import SearchCache
from graphgate.v1 import admin_service_pb2 as pb
from graphgate.v1 import admin_service_pb2_grpc as pb_grpc
from graphgate.v1 import catalog_pb2, move_pb2, shard_pb2
from shard_router.fleet import Fleet, ShardStatus
from shard_router.shard_link import LinkState
from shard_router.shard_map import ShardState

_STATE: Mapping[ShardState, pb.ShardState] = {
    state: cast("pb.ShardState", pb.ShardState.Value(f"SHARD_STATE_{state}")) for state in ShardState
}


class AdminService(pb_grpc.AdminServiceServicer):
    def __init__(
        self,
        fleet: Fleet,
        shards: ShardCalls,
        moves: MoveCalls,
        catalog: CatalogCalls,
        searches: Searches,
        cache: SearchCache,
        limits: CallLimits,
    ) -> None:
        self._fleet = fleet
        self._shards = shards
        self._catalog = catalog
        self._moves = moves
        self._searches = searches
        self._cache = cache
        self._limits = limits

    async def ListShards(self, request: pb.ListShardsRequest, context: Context) -> pb.ListShardsResponse:
        return pb.ListShardsResponse(
            shards=[_shard(status) for status in self._fleet.status()],
            map_version=self._fleet.map.version,
            fleet=self._fleet.map.fleet,
            catalog_problem=str(self._fleet.catalog_problem or ""),
        )

    async def DescribeShard(
        self, request: pb.DescribeShardRequest, context: Context
    ) -> pb.DescribeShardResponse:
        described = await self._shards.describe(request.shard, deadline_of(context, self._limits))
        endpoint = described.status.info.endpoint
        return pb.DescribeShardResponse(
            shard=_shard(described.status),
            usage=usage_message(described.usage),
            root=root_message(described),
            url="" if endpoint is None else endpoint.url,
            credentials="" if endpoint is None else endpoint.credentials,
            drain_problem=self._shards.drain_problem(request.shard),
            map_version=described.map_version,
        )

    async def AddShard(
        self, request: shard_pb2.AddShardRequest, context: Context
    ) -> shard_pb2.AddShardResponse:
        return await self._shards.add(request, context, deadline_of(context, self._limits))

    async def UpdateShard(
        self, request: shard_pb2.UpdateShardRequest, context: Context
    ) -> shard_pb2.UpdateShardResponse:
        return await self._shards.update(request, context)

    async def DrainShard(
        self, request: shard_pb2.DrainShardRequest, context: Context
    ) -> shard_pb2.DrainShardResponse:
        return await self._shards.drain(request, context)

    async def RemoveShard(
        self, request: shard_pb2.RemoveShardRequest, context: Context
    ) -> shard_pb2.RemoveShardResponse:
        return await self._shards.remove(request, context)

    async def ListShardHistory(
        self, request: shard_pb2.ListShardHistoryRequest, context: Context
    ) -> shard_pb2.ListShardHistoryResponse:
        return await self._shards.history(request, deadline_of(context, self._limits))

    async def CheckCatalog(
        self, request: catalog_pb2.CheckCatalogRequest, context: Context
    ) -> catalog_pb2.CheckCatalogResponse:
        return await self._catalog.check(request, deadline_of(context, self._limits))

    async def RebuildCatalog(
        self, request: catalog_pb2.RebuildCatalogRequest, context: Context
    ) -> catalog_pb2.RebuildCatalogResponse:
        return await self._catalog.rebuild(request, deadline_of(context, self._limits))

    async def DescribeSchema(
        self, request: pb.DescribeSchemaRequest, context: Context
    ) -> pb.DescribeSchemaResponse:
        return pb.DescribeSchemaResponse(schemas=await self._on_shards(request.shard, _describe, context))

    async def EnsureSchema(
        self, request: pb.EnsureSchemaRequest, context: Context
    ) -> pb.EnsureSchemaResponse:
        return pb.EnsureSchemaResponse(schemas=await self._on_shards(request.shard, _ensure, context))

    async def DropSchema(self, request: pb.DropSchemaRequest, context: Context) -> pb.DropSchemaResponse:
        v = Violations()
        v.text("shard", request.shard, SHARD_ID_CHARS_MAX, required=True)
        v.raise_if_any()
        (schema,) = await self._on_shards(request.shard, _drop, context)
        return pb.DropSchemaResponse(schema=schema)

    async def InvalidateSearchCache(
        self, request: pb.InvalidateSearchCacheRequest, context: Context
    ) -> pb.InvalidateSearchCacheResponse:
        v = Violations()
        scope = _scope(v, request)
        v.raise_if_any()
        return pb.InvalidateSearchCacheResponse(dropped=await self._cache.drop(scope))

    async def PreloadSearch(
        self, request: pb.PreloadSearchRequest, context: Context
    ) -> pb.PreloadSearchResponse:
        answer = await self._searches.preload(request.search, "search.", deadline_of(context, self._limits))
        return pb.PreloadSearchResponse(
            cache=answer.cache, hits=sum(len(found.hits) for found in answer.results)
        )

    async def MoveGroup(self, request: move_pb2.MoveGroupRequest, context: Context) -> Operation:
        return await self._moves.move(request, deadline_of(context, self._limits))

    async def ReverseMove(self, request: move_pb2.ReverseMoveRequest, context: Context) -> Operation:
        return await self._moves.reverse(request, deadline_of(context, self._limits))

    async def FinishMove(
        self, request: move_pb2.FinishMoveRequest, context: Context
    ) -> move_pb2.FinishMoveResponse:
        return await self._moves.finish(request, deadline_of(context, self._limits))

    async def VerifyGroup(
        self, request: move_pb2.VerifyGroupRequest, context: Context
    ) -> move_pb2.VerifyGroupResponse:
        return await self._moves.verify(request, deadline_of(context, self._limits))

    async def _on_shards(
        self,
        shard_id: str,
        call: Callable[[Deadline, ShardDriver], Awaitable[SchemaReport]],
        context: Context,
    ) -> list[pb.ShardSchema]:
        """On the named shard or on all. Raises ShardUnknown, ShardUnavailable."""
        v = Violations()
        v.text("shard", shard_id, SHARD_ID_CHARS_MAX)
        v.raise_if_any()
        deadline = deadline_of(context, self._limits)
        shard_ids = [shard_id] if shard_id else list(self._fleet.searched_shards())
        reports = await asyncio.gather(
            *(self._fleet.on_shard(one, deadline, partial(call, deadline)) for one in shard_ids)
        )
        return [_schema(one, report) for one, report in zip(shard_ids, reports, strict=True)]


def _scope(v: Violations, request: pb.InvalidateSearchCacheRequest) -> Sequence[str] | GroupPattern | None:
    """None: all groups."""
    match request.WhichOneof("scope"):
        case "groups":
            group_ids = request.groups.group_ids
            v.count("groups.group_ids", len(group_ids), GROUPS_MAX, at_least=1)
            return [v.group_id(f"groups.group_ids[{i}]", g) for i, g in enumerate(group_ids[:GROUPS_MAX])]
        case "group_id_pattern":
            try:
                return GroupPattern(request.group_id_pattern)
            except ValueError as error:
                v.add("group_id_pattern", f"{error}, got {shown(request.group_id_pattern)}")
                return None
        case "all_groups":
            return None
        case _:
            v.add("scope", "is required: groups, group_id_pattern or all_groups")
            return None


async def _describe(deadline: Deadline, driver: ShardDriver) -> SchemaReport:
    return await driver.describe_schema(deadline)


async def _ensure(deadline: Deadline, driver: ShardDriver) -> SchemaReport:
    await driver.ensure_schema(deadline)
    return await driver.describe_schema(deadline)


async def _drop(deadline: Deadline, driver: ShardDriver) -> SchemaReport:
    await driver.drop_schema(deadline)
    return await driver.describe_schema(deadline)


def _shard(status: ShardStatus) -> pb.Shard:
    return pb.Shard(
        shard=status.info.shard_id,
        engine=SHARD_ENGINE[status.info.engine],
        weight=status.info.weight,
        zone=status.info.zone,
        state=_STATE[status.info.state],
        reachable=status.link is LinkState.READY,
        problem=str(status.problem or ""),
        calls_running=status.calls_running,
        calls_waiting=status.calls_waiting,
        limits=None if status.write_weight_max is None else limits_message(status.write_weight_max),
    )


def _schema(shard_id: str, report: SchemaReport) -> pb.ShardSchema:
    return pb.ShardSchema(
        shard=shard_id,
        engine_version=report.engine_version,
        ready=report.ready,
        items=[
            pb.SchemaItem(
                name=item.name,
                space=item.space,
                state=cast("pb.SchemaState", pb.SchemaState.Value(f"SCHEMA_STATE_{item.state}")),
                detail=item.detail,
            )
            for item in report.items
        ],
    )
