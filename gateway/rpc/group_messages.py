"""Groups, and the limits of the shards that hold them, as messages."""

from collections.abc import Iterable

from drivers.fence import Fence
from drivers.graph_model import Kind
from drivers.vector_slots import VectorSlot
from gateway.rpc.row_messages import ROW_KIND, timestamp
from graphgate.v1 import graph_pb2 as pb


def group_message(fence: Fence, shard_id: str, slots: Iterable[VectorSlot] = ()) -> pb.Group:
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
        vector_slots=[
            pb.VectorSlot(
                kind=ROW_KIND[slot.kind],
                complete_version=slot.progress.complete_version,
                serving=slot.caught_up,
            )
            for slot in slots
        ],
    )


def limits_message(write_weight_max: int) -> pb.ShardLimits:
    return pb.ShardLimits(write_weight_max=write_weight_max)
