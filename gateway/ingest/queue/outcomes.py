"""How far units have come, and how they end."""

from collections.abc import Mapping, Sequence

from drivers.deadline import Deadline
from gateway.ingest.queue import scripts
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.queue.status import Details, EpisodeState
from gateway.ingest.queue.store import WORKERS, QueueStore
from gateway.ingest.queue.units import Result, Unit


class Outcomes(QueueStore):
    def __init__(self, url: str, settings: QueueSettings | None = None) -> None:
        super().__init__(url, settings)
        self._stage = self.redis.register_script(scripts.STAGE)
        self._finish = self.redis.register_script(scripts.FINISH)
        self._release = self.redis.register_script(scripts.RELEASE)

    async def note_stages(
        self, stages: Mapping[tuple[str, str], EpisodeState], now_us: int, deadline: Deadline
    ) -> None:
        """By (group_id, op_id). One that has ended keeps its state."""
        async with self._call(deadline), self.redis.pipeline(transaction=False) as pipe:
            for (group_id, op_id), state in stages.items():
                await self._stage(
                    keys=[self._op(group_id, op_id)],
                    args=[self._prefix, group_id, op_id, str(state), now_us],
                    client=pipe,
                )
            await pipe.execute()

    async def finish(
        self,
        unit: Unit,
        results: Sequence[Result],
        now_us: int,
        deadline: Deadline,
        *,
        cap: int | None = None,
    ) -> bool:
        """Records how members have ended; the others keep their places before all that wait. False: the unit
        is no longer this worker's, nothing was recorded. `cap`: of the group's next unit."""
        group_id = unit.turn.group_id
        ended: list[str] = []
        for one in results:
            ended += [one.member.entry, one.member.op_id, str(one.state), one.details.encode()]
        async with self._call(deadline):
            return bool(
                await self._finish(
                    keys=[
                        self._key(f"group:{group_id}"),
                        self._key(f"waiting:{group_id}"),
                        self._ready(unit.turn.partition),
                        self._key("depth"),
                        self._key("failures"),
                        self._key(f"failures:{group_id}"),
                        self._key("bytes"),
                    ],
                    args=[
                        self._prefix,
                        group_id,
                        unit.turn.entry,
                        unit.token,
                        WORKERS,
                        now_us,
                        int(self.settings.status_kept_s * 1000),
                        int(self.settings.failed_kept_s * 1000),
                        self.settings.failures_max,
                        "" if cap is None else cap,
                        self.settings.failures_bytes_max,
                        *ended,
                    ],
                )
            )

    async def release(
        self,
        unit: Unit,
        waiting: Mapping[str, Details],
        pause_s: float,
        now_us: int,
        deadline: Deadline,
        *,
        cap: int | None = None,
    ) -> bool:
        """Gives the turn back, to be tried again after a pause; with `cap` as units of at most so many.
        `waiting`: what is told of each member meanwhile, by op id. False: it was no longer this worker's."""
        group_id = unit.turn.group_id
        told = [text for op_id, details in waiting.items() for text in (op_id, details.encode())]
        async with self._call(deadline):
            return bool(
                await self._release(
                    keys=[
                        self._key(f"group:{group_id}"),
                        self._key(f"waiting:{group_id}"),
                        self._ready(unit.turn.partition),
                        self._later(unit.turn.partition),
                    ],
                    args=[
                        self._prefix,
                        group_id,
                        unit.turn.entry,
                        unit.token,
                        WORKERS,
                        now_us,
                        int(pause_s * 1000),
                        "" if cap is None else cap,
                        *told,
                    ],
                )
            )
