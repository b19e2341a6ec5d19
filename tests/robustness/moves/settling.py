"""The end of a run's moves: each of them ends, with whichever gateway."""

import asyncio
import time

from graphgate.v1 import move_pb2
from tests.robustness.model.moves import END_PHASES
from tests.robustness.moves.calls import MoveCalls, phase_of
from tests.robustness.moves.desk import MoveDesk

SETTLE_S_MAX = 120.0
"""For all moves together; what has not ended by then is a finding."""
_LOOK_S = 0.25


async def settle_moves(desk: MoveDesk, calls: MoveCalls) -> None:
    """Ends every reverse window and waits for every move on record. Everything must run."""
    deadline = time.monotonic() + SETTLE_S_MAX
    while time.monotonic() < deadline:
        moves = await calls.every()
        for progress in moves or ():
            desk.see(progress)
            if phase_of(progress) == "REVERSIBLE":
                await calls.finish(progress.move_id)
        if moves is not None and not _open(desk, moves):
            return
        await asyncio.sleep(_LOOK_S)


def _open(desk: MoveDesk, moves: list[move_pb2.MoveProgress]) -> bool:
    """Whether a move is on its way. One that the catalog has forgotten is not waited for here: its fences
    tell whether it is."""
    known = {progress.move_id for progress in moves}
    for move_id, book in desk.moves.items():
        if move_id not in known and phase_of(book.last) not in END_PHASES:
            desk.forget(move_id)
    return any(phase_of(progress) not in END_PHASES for progress in moves)
