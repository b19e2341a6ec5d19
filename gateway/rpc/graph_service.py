"""GraphService: direct reading and writing of one group's rows."""

from collections.abc import AsyncGenerator
from typing import Any, cast

from drivers.graph_model import TEXT_KINDS, Kind
from gateway.rpc import page_token
from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.graph_reads import GraphReads
from gateway.rpc.group_messages import group_message, limits_message
from gateway.rpc.provenance_reads import Provenance
from gateway.rpc.row_messages import ROW_KIND, timestamp
from gateway.rpc.row_reads import Batch, Page, RowReads, page_size
from gateway.rpc.validation import Violations
from gateway.rpc.watch_service import Watches
from gateway.rpc.write_requests import DeleteRequest, delete_intent, graph_intent
from gateway.rpc.write_results import row_results
from gateway.writes.writer import GraphWriter
from graphgate.v1 import graph_pb2
from graphgate.v1 import graph_service_pb2 as pb
from graphgate.v1 import graph_service_pb2_grpc as pb_grpc
from shard_router.router import Router
from shard_router.slot_search import SlotDirectory


class GraphService(pb_grpc.GraphServiceServicer):
    """The methods of each kind differ only in their messages; RowReads has what they share."""

    def __init__(
        self,
        router: Router,
        writer: GraphWriter,
        slots: SlotDirectory,
        watches: Watches,
        limits: CallLimits,
    ) -> None:
        self._slots = slots
        self._router = router
        self._writer = writer
        self._reads = RowReads(router, limits)
        self._provenance = Provenance(router, self._reads)
        self._graph_reads = GraphReads(router, limits)
        self._watches = watches
        self._limits = limits

    async def WriteGraph(self, request: pb.WriteGraphRequest, context: Context) -> pb.WriteGraphResponse:
        deadline = deadline_of(context, self._limits)
        intent = graph_intent(request)
        receipt = await self._writer.write(intent, deadline)
        return pb.WriteGraphResponse(
            rows=row_results(intent, receipt),
            version=receipt.version,
            written_at=timestamp(receipt.written_at) if receipt.version else None,
            request_id=receipt.op_id,
        )

    async def ListGroups(self, request: pb.ListGroupsRequest, context: Context) -> pb.ListGroupsResponse:
        v = Violations()
        size = page_size(v, request.page_size)
        belongs = page_token.fingerprint("groups")
        position = page_token.decode(v, request.page_token, belongs, (str,))
        v.raise_if_any()
        listed = await self._router.list_groups(
            str(position[0]) if position else "",
            size,
            deadline_of(context, self._limits),
            allow_partial=request.return_partial_success,
        )
        return pb.ListGroupsResponse(
            groups=[group_message(fence, shard_id) for shard_id, fence in listed.groups],
            next_page_token=page_token.encode(belongs, (listed.groups[-1][1].group_id,))
            if listed.more
            else "",
            unreachable=sorted(listed.failures),
        )

    async def GetGroup(self, request: pb.GetGroupRequest, context: Context) -> pb.GetGroupResponse:
        v = Violations()
        v.group_id("group_id", request.group_id)
        v.raise_if_any()
        shard_id, fence = await self._router.describe_group(
            request.group_id, deadline_of(context, self._limits)
        )
        known = self._slots.slots_of(shard_id)
        slots = [known[fence.group_id, kind] for kind in TEXT_KINDS if (fence.group_id, kind) in known]
        return pb.GetGroupResponse(
            group=group_message(fence, shard_id, slots),
            limits=limits_message(self._router.write_weight_max(shard_id)),
        )

    async def Expand(self, request: pb.ExpandRequest, context: Context) -> pb.ExpandResponse:
        return await self._graph_reads.expand(request, deadline_of(context, self._limits))

    async def FindPaths(self, request: pb.FindPathsRequest, context: Context) -> pb.FindPathsResponse:
        return await self._graph_reads.paths(request, deadline_of(context, self._limits))

    def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncGenerator[pb.WatchResponse]:
        return self._watches.watch(request)

    async def _delete(self, kind: Kind, request: DeleteRequest, context: Context) -> dict[str, Any]:
        """The fields of the response."""
        deadline = deadline_of(context, self._limits)
        receipt = await self._writer.write(delete_intent(request, kind), deadline)
        return {
            "deleted": [
                pb.DeletedCount(kind=ROW_KIND[dropped], rows=count)
                for dropped, count in receipt.dropped.items()
            ],
            "version": receipt.version,
            "request_id": receipt.op_id,
        }

    async def GetEntity(self, request: pb.GetEntityRequest, context: Context) -> pb.GetEntityResponse:
        message, version = await self._reads.get(
            Kind.ENTITY,
            request.group_id,
            request.uuid,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.GetEntityResponse(entity=cast("graph_pb2.Entity", message), version=version)

    async def BatchGetEntities(
        self, request: pb.BatchGetEntitiesRequest, context: Context
    ) -> pb.BatchGetEntitiesResponse:
        batch = await self._reads.batch_get(
            Kind.ENTITY,
            request.group_id,
            request.uuids,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.BatchGetEntitiesResponse(
            entities=cast("tuple[graph_pb2.Entity, ...]", batch.messages), **_rest(batch)
        )

    async def ListEntities(
        self, request: pb.ListEntitiesRequest, context: Context
    ) -> pb.ListEntitiesResponse:
        page = await self._reads.list_rows(
            Kind.ENTITY,
            request,
            request.with_embedding,
            {Kind.COMMUNITY: request.community_uuid},
            deadline_of(context, self._limits),
        )
        return pb.ListEntitiesResponse(
            entities=cast("tuple[graph_pb2.Entity, ...]", page.messages), **_more(page)
        )

    async def DeleteEntities(
        self, request: pb.DeleteEntitiesRequest, context: Context
    ) -> pb.DeleteEntitiesResponse:
        return pb.DeleteEntitiesResponse(**await self._delete(Kind.ENTITY, request, context))

    async def GetFact(self, request: pb.GetFactRequest, context: Context) -> pb.GetFactResponse:
        message, version = await self._reads.get(
            Kind.FACT,
            request.group_id,
            request.uuid,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.GetFactResponse(fact=cast("graph_pb2.Fact", message), version=version)

    async def BatchGetFacts(
        self, request: pb.BatchGetFactsRequest, context: Context
    ) -> pb.BatchGetFactsResponse:
        batch = await self._reads.batch_get(
            Kind.FACT,
            request.group_id,
            request.uuids,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.BatchGetFactsResponse(
            facts=cast("tuple[graph_pb2.Fact, ...]", batch.messages), **_rest(batch)
        )

    async def ListFacts(self, request: pb.ListFactsRequest, context: Context) -> pb.ListFactsResponse:
        page = await self._reads.list_rows(
            Kind.FACT,
            request,
            request.with_embedding,
            {Kind.ENTITY: request.entity_uuid, Kind.EPISODE: request.episode_uuid},
            deadline_of(context, self._limits),
            request.other_entity_uuid,
        )
        return pb.ListFactsResponse(facts=cast("tuple[graph_pb2.Fact, ...]", page.messages), **_more(page))

    async def DeleteFacts(self, request: pb.DeleteFactsRequest, context: Context) -> pb.DeleteFactsResponse:
        return pb.DeleteFactsResponse(**await self._delete(Kind.FACT, request, context))

    async def GetEpisode(self, request: pb.GetEpisodeRequest, context: Context) -> pb.GetEpisodeResponse:
        message, version = await self._reads.get(
            Kind.EPISODE,
            request.group_id,
            request.uuid,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.GetEpisodeResponse(episode=cast("graph_pb2.Episode", message), version=version)

    async def BatchGetEpisodes(
        self, request: pb.BatchGetEpisodesRequest, context: Context
    ) -> pb.BatchGetEpisodesResponse:
        batch = await self._reads.batch_get(
            Kind.EPISODE,
            request.group_id,
            request.uuids,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.BatchGetEpisodesResponse(
            episodes=cast("tuple[graph_pb2.Episode, ...]", batch.messages), **_rest(batch)
        )

    async def ListEpisodes(
        self, request: pb.ListEpisodesRequest, context: Context
    ) -> pb.ListEpisodesResponse:
        if request.fact_uuid:
            page = await self._provenance.episodes_of_fact(request, deadline_of(context, self._limits))
        else:
            page = await self._reads.list_rows(
                Kind.EPISODE,
                request,
                request.with_embedding,
                {Kind.SAGA: request.saga_uuid},
                deadline_of(context, self._limits),
            )
        return pb.ListEpisodesResponse(
            episodes=cast("tuple[graph_pb2.Episode, ...]", page.messages), **_more(page)
        )

    async def DeleteEpisodes(
        self, request: pb.DeleteEpisodesRequest, context: Context
    ) -> pb.DeleteEpisodesResponse:
        return pb.DeleteEpisodesResponse(**await self._delete(Kind.EPISODE, request, context))

    async def GetMention(self, request: pb.GetMentionRequest, context: Context) -> pb.GetMentionResponse:
        message, version = await self._reads.get(
            Kind.MENTION,
            request.group_id,
            request.uuid,
            request.min_version,
            False,
            deadline_of(context, self._limits),
        )
        return pb.GetMentionResponse(mention=cast("graph_pb2.Mention", message), version=version)

    async def BatchGetMentions(
        self, request: pb.BatchGetMentionsRequest, context: Context
    ) -> pb.BatchGetMentionsResponse:
        batch = await self._reads.batch_get(
            Kind.MENTION,
            request.group_id,
            request.uuids,
            request.min_version,
            False,
            deadline_of(context, self._limits),
        )
        return pb.BatchGetMentionsResponse(
            mentions=cast("tuple[graph_pb2.Mention, ...]", batch.messages), **_rest(batch)
        )

    async def ListMentions(
        self, request: pb.ListMentionsRequest, context: Context
    ) -> pb.ListMentionsResponse:
        page = await self._reads.list_rows(
            Kind.MENTION,
            request,
            False,
            {Kind.EPISODE: request.episode_uuid, Kind.ENTITY: request.entity_uuid},
            deadline_of(context, self._limits),
        )
        return pb.ListMentionsResponse(
            mentions=cast("tuple[graph_pb2.Mention, ...]", page.messages), **_more(page)
        )

    async def DeleteMentions(
        self, request: pb.DeleteMentionsRequest, context: Context
    ) -> pb.DeleteMentionsResponse:
        return pb.DeleteMentionsResponse(**await self._delete(Kind.MENTION, request, context))

    async def GetCommunity(
        self, request: pb.GetCommunityRequest, context: Context
    ) -> pb.GetCommunityResponse:
        message, version = await self._reads.get(
            Kind.COMMUNITY,
            request.group_id,
            request.uuid,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.GetCommunityResponse(community=cast("graph_pb2.Community", message), version=version)

    async def BatchGetCommunities(
        self, request: pb.BatchGetCommunitiesRequest, context: Context
    ) -> pb.BatchGetCommunitiesResponse:
        batch = await self._reads.batch_get(
            Kind.COMMUNITY,
            request.group_id,
            request.uuids,
            request.min_version,
            request.with_embedding,
            deadline_of(context, self._limits),
        )
        return pb.BatchGetCommunitiesResponse(
            communities=cast("tuple[graph_pb2.Community, ...]", batch.messages), **_rest(batch)
        )

    async def ListCommunities(
        self, request: pb.ListCommunitiesRequest, context: Context
    ) -> pb.ListCommunitiesResponse:
        page = await self._reads.list_rows(
            Kind.COMMUNITY, request, request.with_embedding, {}, deadline_of(context, self._limits)
        )
        return pb.ListCommunitiesResponse(
            communities=cast("tuple[graph_pb2.Community, ...]", page.messages), **_more(page)
        )

    async def DeleteCommunities(
        self, request: pb.DeleteCommunitiesRequest, context: Context
    ) -> pb.DeleteCommunitiesResponse:
        return pb.DeleteCommunitiesResponse(**await self._delete(Kind.COMMUNITY, request, context))

    async def GetSaga(self, request: pb.GetSagaRequest, context: Context) -> pb.GetSagaResponse:
        message, version = await self._reads.get(
            Kind.SAGA,
            request.group_id,
            request.uuid,
            request.min_version,
            False,
            deadline_of(context, self._limits),
        )
        return pb.GetSagaResponse(saga=cast("graph_pb2.Saga", message), version=version)

    async def BatchGetSagas(
        self, request: pb.BatchGetSagasRequest, context: Context
    ) -> pb.BatchGetSagasResponse:
        batch = await self._reads.batch_get(
            Kind.SAGA,
            request.group_id,
            request.uuids,
            request.min_version,
            False,
            deadline_of(context, self._limits),
        )
        return pb.BatchGetSagasResponse(
            sagas=cast("tuple[graph_pb2.Saga, ...]", batch.messages), **_rest(batch)
        )

    async def ListSagas(self, request: pb.ListSagasRequest, context: Context) -> pb.ListSagasResponse:
        page = await self._reads.list_rows(Kind.SAGA, request, False, {}, deadline_of(context, self._limits))
        return pb.ListSagasResponse(sagas=cast("tuple[graph_pb2.Saga, ...]", page.messages), **_more(page))

    async def DeleteSagas(self, request: pb.DeleteSagasRequest, context: Context) -> pb.DeleteSagasResponse:
        return pb.DeleteSagasResponse(**await self._delete(Kind.SAGA, request, context))


def _rest(batch: Batch) -> dict[str, Any]:
    return {"missing_uuids": batch.missing, "unread_uuids": batch.unread, "version": batch.version}


def _more(page: Page) -> dict[str, Any]:
    return {"next_page_token": page.next_page_token, "version": page.version}
