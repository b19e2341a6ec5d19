"""IngestService: episodes in, graph out."""

from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.row_messages import timestamp
from gateway.rpc.write_requests import episode_intent
from gateway.rpc.write_results import row_results
from gateway.writes.writer import GraphWriter
from graphgate.v1 import ingest_service_pb2 as pb
from graphgate.v1 import ingest_service_pb2_grpc as pb_grpc


class IngestService(pb_grpc.IngestServiceServicer):
    def __init__(self, writer: GraphWriter, limits: CallLimits) -> None:
        self._writer = writer
        self._limits = limits

    async def AddEpisode(self, request: pb.AddEpisodeRequest, context: Context) -> pb.AddEpisodeResponse:
        deadline = deadline_of(context, self._limits)
        intent = episode_intent(request)
        receipt = await self._writer.write(intent, deadline)
        return pb.AddEpisodeResponse(
            episode_uuid=intent.episode_uuid,
            state=pb.EPISODE_STATE_APPLIED,
            rows=row_results(intent, receipt),
            version=receipt.version,
            written_at=timestamp(receipt.written_at),
            request_id=receipt.op_id,
        )
