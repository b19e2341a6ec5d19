"""A kill that was aimed at a move, and the phase in which it met it."""

from dataclasses import dataclass

from graphgate.v1 import move_pb2
from tests.robustness.moves.calls import phase_of
from tests.robustness.moves.plan import PHASES

_COMMITTED = "COMMITTED"


@dataclass(slots=True)
class Shot:
    """The move may have gone on between the last look at it and the SIGKILL; the record tells afterwards."""

    move_id: str
    role: str
    part: str
    struck_us: int
    """Wall time of the SIGKILL."""
    phase: str
    """As far as it is known."""
    recorded_us: int
    """Wall time of the record that told `phase`."""

    def see(self, later: move_pb2.MoveProgress) -> None:
        """A look at the move, after the kill."""
        if later.move_id != self.move_id:
            return
        phase, recorded_us = phase_of(later), later.updated_at.ToMicroseconds()
        # An older one is from an older copy of the catalog.
        if self.recorded_us <= recorded_us <= self.struck_us:
            self.phase, self.recorded_us = phase, recorded_us
        elif (
            recorded_us > self.struck_us
            and phase in (_COMMITTED, "REVERSIBLE")
            and self.phase in PHASES[: PHASES.index(_COMMITTED)]
            and later.HasField("committed_at")
            and later.committed_at.ToMicroseconds() <= self.struck_us
        ):
            # Its coordinator had seen the commit, and what comes after it was recorded after the kill.
            self.phase = _COMMITTED
