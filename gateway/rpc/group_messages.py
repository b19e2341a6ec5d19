"""Groups, and the limits of the shards that hold them, as messages."""

from drivers.fence import Fence
from drivers.graph_model import Kind
from gateway.rpc.row_messages import ROW_KIND, timestamp
from graphgate.v1 import graph_pb2 as pb


def group_message(fence: Fence, shard_id: str) -> pb.Group:
    return pb.Group(
        group_id=fence.group_id,
        version=fence.version,
        shard=shard_id,
        space=fence.space,
        epoch=fence.epoch,
        created_at=timestamp(fence.created_at),
        counts=[
            pb.RowCount(kind=ROW_KIND[kind], rows=fence.stats[kind].rows)
            for kind in Kind
            if kind in fence.stats and fence.stats[kind].rows
        ],
        embeddings=[
            pb.EmbeddingSpec(
                kind=ROW_KIND[kind], model=spec.model, dimension=spec.dimension, revision=spec.revision
            )
            for kind, spec in sorted(fence.embeddings.items())
        ],
    )


def limits_message(write_weight_max: int) -> pb.ShardLimits:
    return pb.ShardLimits(write_weight_max=write_weight_max)
