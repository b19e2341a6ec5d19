"""Adding episodes of all modes: those that models read go to the queue, others are written."""

from collections.abc import Sequence

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from gateway.ingest.intake import Intake
from gateway.ingest.job import EpisodeJob
from gateway.ingest.queue.status import Status
from gateway.rpc.episode_jobs import episode_job
from gateway.rpc.row_messages import timestamp
from gateway.rpc.write_requests import episode_intent
from gateway.rpc.write_results import row_results
from gateway.writes.writer import GraphWriter
from graphgate.v1 import ingest_service_pb2 as pb

type AddedEpisode = pb.AddEpisodeResponse | Status | GraphgateError
"""Applied, accepted, or refused."""


class EpisodeAdding:
    def __init__(self, writer: GraphWriter, intake: Intake) -> None:
        self._writer = writer
        self._intake = intake

    async def add(
        self, requests: Sequence[pb.AddEpisodeRequest], deadline: Deadline, op_ids: Sequence[str] = ()
    ) -> Sequence[AddedEpisode]:
        """Per request, in order. `op_ids`: of requests that name none. Raises nothing that is about one of
        them."""
        found: dict[int, AddedEpisode] = {}
        jobs: dict[int, EpisodeJob] = {}
        for at, request in enumerate(requests):
            op_id = op_ids[at] if op_ids else ""
            try:
                if request.mode == pb.EXTRACTION_MODE_LLM:
                    jobs[at] = episode_job(request, op_id)
                else:
                    if op_id and not request.request_id:
                        request.request_id = op_id
                    found[at] = await self._written(request, deadline)
            except GraphgateError as error:
                found[at] = error
        if jobs:
            accepted = await self._intake.add(list(jobs.values()), deadline)
            found |= zip(jobs, accepted, strict=True)
        return [found[at] for at in range(len(requests))]

    async def _written(self, request: pb.AddEpisodeRequest, deadline: Deadline) -> pb.AddEpisodeResponse:
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
