"""What makes two write requests the same write."""

from hashlib import blake2b

from graphgate.v1 import graph_service_pb2 as pb
from graphgate.v1 import ingest_service_pb2 as ingest_pb

type DeleteRequest = (
    pb.DeleteEntitiesRequest
    | pb.DeleteFactsRequest
    | pb.DeleteEpisodesRequest
    | pb.DeleteMentionsRequest
    | pb.DeleteCommunitiesRequest
    | pb.DeleteSagasRequest
)
type AnyWriteRequest = pb.WriteGraphRequest | ingest_pb.AddEpisodeRequest | DeleteRequest


def content_hash(request: AnyWriteRequest) -> str:
    """Hex digits over all but the id, for a caller who gave none learns it from the answer or an error and
    retries with it. A mode that is left out becomes the default, in the request too."""
    match request:
        case pb.WriteGraphRequest(mode=pb.WRITE_MODE_UNSPECIFIED):
            request.mode = pb.WRITE_MODE_UPSERT
        case ingest_pb.AddEpisodeRequest(mode=ingest_pb.EXTRACTION_MODE_UNSPECIFIED):
            request.mode = ingest_pb.EXTRACTION_MODE_NONE
        case _:
            pass
    # Put back and not copied: a copy takes several times as long as the rest of this.
    request_id = request.request_id
    request.request_id = ""
    content = request.SerializeToString(deterministic=True)
    request.request_id = request_id
    return blake2b(content, digest_size=16).hexdigest()
