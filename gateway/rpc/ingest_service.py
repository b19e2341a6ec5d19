"""IngestService: episodes in, graph out."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from gateway.ingest.group_clear import GroupClear
from gateway.ingest.intake import REPLAYED_MAX, Intake
from gateway.ingest.queue.status import Status
from gateway.rpc import page_token
from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.episode_adding import AddedEpisode, EpisodeAdding
from gateway.rpc.episode_messages import added_message, error_message, status_message
from gateway.rpc.episode_stream import EpisodeStream
from gateway.rpc.group_clearing import clear_group
from gateway.rpc.row_messages import ROW_KIND
from gateway.rpc.row_reads import page_size
from gateway.rpc.validation import Violations
from gateway.writes.writer import GraphWriter, new_op_id
from graphgate.v1 import graph_service_pb2 as graph_pb
from graphgate.v1 import ingest_service_pb2 as pb
from graphgate.v1 import ingest_service_pb2_grpc as pb_grpc

EPISODES_MAX = 1_000
"""Of one AddEpisodes."""
WATCH_WAIT_S = 60.0
"""Of one wait inside a WatchEpisode; how long it may stay open is the connection's matter."""


class IngestService(pb_grpc.IngestServiceServicer):
    def __init__(self, writer: GraphWriter, intake: Intake, clearing: GroupClear, limits: CallLimits) -> None:
        self._adding = EpisodeAdding(writer, intake)
        self._intake = intake
        self._clearing = clearing
        self._limits = limits

    async def AddEpisode(self, request: pb.AddEpisodeRequest, context: Context) -> pb.AddEpisodeResponse:
        deadline = deadline_of(context, self._limits)
        (added,) = await self._adding.add([request], deadline)
        if isinstance(added, GraphgateError):
            raise added
        if isinstance(added, Status):
            if request.wait:
                added = await self._intake.until_ended(added, deadline)
            return added_message(added)
        return added

    async def AddEpisodes(self, request: pb.AddEpisodesRequest, context: Context) -> pb.AddEpisodesResponse:
        deadline = deadline_of(context, self._limits)
        v = Violations()
        v.count("requests", len(request.requests), EPISODES_MAX, at_least=1)
        for number, one in enumerate(request.requests[:EPISODES_MAX]):
            if one.wait:
                v.add(f"requests[{number}].wait", "is only used in AddEpisode")
        v.raise_if_any()
        added = await self._adding.add(request.requests, deadline)
        return pb.AddEpisodesResponse(results=[_result(one) for one in added])

    async def StreamEpisodes(
        self, request_iterator: AsyncIterator[pb.StreamEpisodesRequest], context: Context
    ) -> AsyncGenerator[pb.StreamEpisodesResponse]:
        stream = EpisodeStream(self._adding, self._intake, self._limits)
        async with aclosing(stream.answers(request_iterator)) as answers:
            async for answer in answers:
                yield answer

    async def GetEpisodeStatus(
        self, request: pb.GetEpisodeStatusRequest, context: Context
    ) -> pb.GetEpisodeStatusResponse:
        status = await self._status(request, deadline_of(context, self._limits))
        return pb.GetEpisodeStatusResponse(status=status_message(status))

    async def WatchEpisode(
        self, request: pb.WatchEpisodeRequest, context: Context
    ) -> AsyncGenerator[pb.WatchEpisodeResponse]:
        first = await self._status(request, deadline_of(context, self._limits))
        async with aclosing(self._intake.watch(first, WATCH_WAIT_S)) as statuses:
            async for status in statuses:
                yield pb.WatchEpisodeResponse(status=status_message(status))

    async def RemoveEpisode(
        self, request: pb.RemoveEpisodeRequest, context: Context
    ) -> pb.RemoveEpisodeResponse:
        v = Violations()
        v.group_id("group_id", request.group_id)
        v.uuid("episode_uuid", request.episode_uuid)
        op_id = v.request_id("request_id", request.request_id) or new_op_id()
        v.raise_if_any()
        deadline = deadline_of(context, self._limits)
        removed = await self._intake.remove(request.group_id, request.episode_uuid, op_id, deadline)
        return pb.RemoveEpisodeResponse(
            deleted=[
                graph_pb.DeletedCount(kind=ROW_KIND[kind], rows=count)
                for kind, count in removed.receipt.dropped.items()
            ],
            facts_kept=removed.facts_kept,
            facts_reopened=removed.facts_reopened,
            version=removed.receipt.version,
            request_id=removed.receipt.op_id,
        )

    async def ClearGroup(self, request: pb.ClearGroupRequest, context: Context) -> pb.ClearGroupResponse:
        return await clear_group(self._clearing, request, deadline_of(context, self._limits))

    async def ListFailures(
        self, request: pb.ListFailuresRequest, context: Context
    ) -> pb.ListFailuresResponse:
        v = Violations()
        if request.group_id:
            v.group_id("group_id", request.group_id)
        size = page_size(v, request.page_size)
        belongs = page_token.fingerprint("failures", request.group_id)
        position = page_token.decode(v, request.page_token, belongs, (str,))
        v.raise_if_any()
        after = str(position[0]) if position else ""
        failures, last = await self._intake.failures(
            request.group_id, after, size, deadline_of(context, self._limits)
        )
        return pb.ListFailuresResponse(
            failures=[status_message(one) for one in failures],
            next_page_token=page_token.encode(belongs, (last,)) if last else "",
        )

    async def ReplayFailures(
        self, request: pb.ReplayFailuresRequest, context: Context
    ) -> pb.ReplayFailuresResponse:
        v = Violations()
        v.group_id("group_id", request.group_id)
        v.count("request_ids", len(request.request_ids), REPLAYED_MAX)
        for number, one in enumerate(request.request_ids[:REPLAYED_MAX]):
            if not v.request_id(f"request_ids[{number}]", one):
                v.add(f"request_ids[{number}]", "must not be empty")
        v.raise_if_any()
        replayed = await self._intake.replay(
            request.group_id,
            list(dict.fromkeys(request.request_ids)),
            deadline_of(context, self._limits),
        )
        return pb.ReplayFailuresResponse(replayed=[status_message(one) for one in replayed])

    async def _status(
        self, request: pb.GetEpisodeStatusRequest | pb.WatchEpisodeRequest, deadline: Deadline
    ) -> Status:
        """Raises InvalidRequest, EpisodeUnknown."""
        v = Violations()
        v.group_id("group_id", request.group_id)
        match cast("str | None", request.WhichOneof("episode")):
            case "episode_uuid":
                v.uuid("episode_uuid", request.episode_uuid)
            case "request_id":
                if not v.request_id("request_id", request.request_id):
                    v.add("request_id", "must not be empty")
            case _:
                v.add("episode", "is required: an episode_uuid or a request_id")
        v.raise_if_any()
        return await self._intake.status(
            request.group_id,
            op_id=request.request_id,
            episode_uuid=request.episode_uuid,
            deadline=deadline,
        )


def _result(added: AddedEpisode) -> pb.AddEpisodesResult:
    match added:
        case GraphgateError():
            return pb.AddEpisodesResult(error=error_message(added))
        case Status():
            return pb.AddEpisodesResult(response=added_message(added))
        case _:
            return pb.AddEpisodesResult(response=added)
