"""Large groups with vectors that are there when the traffic begins: their moves take a while."""

from collections.abc import Iterator
from functools import partial

from tests.robustness.model.history import Effect, Write
from tests.robustness.timeline import Clock
from tests.robustness.traffic.board import Board
from tests.robustness.traffic.caller import Caller
from tests.robustness.traffic.requests import send_write

BULK_ENTITIES = 1_600
"""Enough for vector slots with the gateways of tests/robustness/cluster.py, also after many deletions: a move
to Neo4j fills them before its commit, FalkorDB while the traffic runs."""
BULK_FACTS = 300
_BATCH = 100
_WRITE_S_MAX = 60.0


async def write_bulk(board: Board, caller: Caller, clock: Clock, groups: int) -> tuple[str, ...]:
    """Their ids. Part of the history as every other write; nothing is killed yet, so each is answered."""
    names = tuple(board.new_group_id(embeds=True) for _ in range(groups))
    for group_id in names:
        for write in _writes(board, group_id):
            book = board.begin(write, clock.now_s())
            send = partial(send_write, write)
            reply = await caller.call(
                group_id,
                "bulk",
                send,
                creates_group=True,
                call_s_max=_WRITE_S_MAX,
                attempt_s_max=_WRITE_S_MAX,
            )
            assert reply.answer is not None, f"{group_id} could not be written: {reply.refusal}"
            board.acknowledged(book, reply.answer, reply.ended_s)
    return names


def _writes(board: Board, group_id: str) -> Iterator[Write]:
    """Each is made when the one before has been sent, for a name follows from the number of writes."""
    entities: list[str] = []
    for _ in range(0, BULK_ENTITIES, _BATCH):
        uuids = board.new_uuids(_BATCH)
        entities += uuids
        yield board.new_write(group_id, Effect.CREATE, uuids)
    for number in range(0, BULK_FACTS, _BATCH):
        ends = (entities[number], entities[-1 - number])
        yield board.new_write(group_id, Effect.CREATE, board.new_uuids(_BATCH), ends)
