"""When a group was frozen during a move, and how long that was for its writers: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.bench.move.pacing import Sample
from graphgate.v1 import move_pb2


@dataclass(frozen=True, slots=True)
class Freeze:
    """Wall times between which the group was frozen, though not necessarily all the time."""

    from_us: int
    to_us: int


def freezes(looks: Sequence[move_pb2.MoveProgress], done: move_pb2.MoveProgress) -> list[Freeze]:
    """Of a move that is committed, in their order. `looks`: what was seen of it until then; `done`: its end.

    A move records how long each freeze was, and when it was committed: the last freeze ended there. One that
    was thawed ended between the last record without it and the first one with it.
    """
    committed_us = done.committed_at.ToMicroseconds()
    lengths_us = [pause.ToMicroseconds() for pause in done.pauses]
    found: list[Freeze] = []
    for number, length_us in enumerate(lengths_us[: done.thaws]):
        without = [look.updated_at.ToMicroseconds() for look in looks if len(look.pauses) <= number]
        having = [look.updated_at.ToMicroseconds() for look in looks if len(look.pauses) > number]
        ended_after_us = max(without, default=done.requested_at.ToMicroseconds())
        found.append(Freeze(ended_after_us - length_us, min(having, default=committed_us)))
    found.append(Freeze(committed_us - sum(lengths_us[done.thaws :]), committed_us))
    return found


def pause_ms(writes: Sequence[Sample], freeze: Freeze) -> float | None:
    """The longest latency of a write that was under way then; None: there was none, so nothing is known."""
    met = [write.latency_ms for write in writes if write.overlaps(freeze.from_us, freeze.to_us)]
    return max(met, default=None)
