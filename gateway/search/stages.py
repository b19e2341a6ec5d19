"""Wall time of a search by stage."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stages:
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """By stage, in the order in which they ended."""
    _last: float = field(default_factory=time.monotonic)

    def done(self, stage: str) -> None:
        """What passed since the stage before belongs to this one."""
        now = time.monotonic()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
