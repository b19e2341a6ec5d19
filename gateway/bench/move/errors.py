"""What can go wrong in the benchmark of moves."""

from graphgate.v1 import move_pb2


class MoveNotDone(Exception):
    """A move of the benchmark was given up."""

    def __init__(self, progress: move_pb2.MoveProgress) -> None:
        phase = move_pb2.MovePhase.Name(progress.phase)
        super().__init__(
            f"the move of group {progress.group_id} from {progress.source_shard} to {progress.target_shard} "
            f"ended in {phase}: {progress.error_reason} {progress.error_text}"
        )
