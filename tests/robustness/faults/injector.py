"""Carries the plan out."""

import asyncio
import itertools
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from gateway.embedded import CATALOG_ID
from tests.robustness.cluster import Cluster
from tests.robustness.faults.plan import COPIES_BACK_MAX, QUIET_END_S, REST_S, Fault, rest_s
from tests.robustness.timeline import Cause, Clock, Outage

COPY_INTERVAL_S = 4.0
"""Between two copies of the catalog's data."""
AWAY_MAX = 2
"""Parts that are away at once by strikes, or by strikes and the plan."""
_DATA = "appendonlydir"
"""All that Redis knows when it starts; a copy made while it writes ends early, which it forgives."""


class Injector:
    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        directory: Path,
        on_outage: Callable[[Outage], None],
        slow_rest_s: float = REST_S,
    ) -> None:
        """`directory`: for copies of the catalog's data. `on_outage` is called when a part works again.
        `slow_rest_s` as of the plan."""
        self._slow_rest_s = slow_rest_s
        self._on_outage = on_outage
        self.outages: list[Outage] = []
        self._cluster = cluster
        self._clock = clock
        self._directory = directory
        self._copies: list[Path] = []
        self._strikes: asyncio.TaskGroup | None = None
        self._rests_until: dict[str, float] = {}
        self._until_s = 0.0
        self._busy = {part: asyncio.Lock() for part in cluster.parts}
        # At least one gateway is always untouched: a client that tries them all must find one.
        self._gateways = asyncio.Semaphore(len(cluster.gateways) - 1)

    async def run(self, plan: Sequence[Fault], until_s: float) -> None:
        """Returns when the last fault is over and everything runs.

        A fault waits for its part to be up; one that could not begin before `until_s` is left out.
        """
        self._until_s = until_s
        async with asyncio.TaskGroup() as tasks:
            rolled_back = any(fault.cause is Cause.ROLLBACK for fault in plan)
            copying = tasks.create_task(self._copy_catalog()) if rolled_back else None
            async with asyncio.TaskGroup() as faults:
                self._strikes = faults
                for fault in plan:
                    await asyncio.sleep(max(0.0, fault.at_s - self._clock.now_s()))
                    faults.create_task(self._inject(fault))
                # Until then movers may strike.
                await asyncio.sleep(max(0.0, until_s - self._clock.now_s()))
                self._strikes = None
            if copying is not None:
                copying.cancel()

    @property
    def parts_away(self) -> int:
        """That are killed or paused, or about to be."""
        return sum(lock.locked() for lock in self._busy.values())

    def may_strike(self, part: str) -> bool:
        """Whether `strike` would kill it now: it runs, has rested, another gateway is untouched, and not too
        much is away already."""
        return (
            self._strikes is not None
            and self.parts_away < AWAY_MAX
            and not self._busy[part].locked()
            and not (part in self._cluster.gateways and self._gateways.locked())
            and self._clock.now_s() >= self._rests_until.get(part, 0.0)
            and self._clock.now_s() < self._until_s - QUIET_END_S
        )

    def strike(self, part: str, down_s: float) -> asyncio.Future[int]:
        """SIGKILL at once, and a restart after `down_s`; only if `may_strike`. The future is done
        with the wall time of the SIGKILL, in microseconds."""
        assert self._strikes is not None, "the run is over"
        fault = Fault(self._clock.now_s(), part, Cause.KILL, down_s)
        struck_us = asyncio.get_running_loop().create_future()
        self._strikes.create_task(self._inject(fault, struck_us))
        return struck_us

    async def _inject(self, fault: Fault, struck_us: asyncio.Future[int] | None = None) -> None:
        is_gateway = fault.part in self._cluster.gateways
        async with self._busy[fault.part], self._gateways if is_gateway else nullcontext():
            if self._clock.now_s() < self._until_s:
                await self._act(fault, struck_us)

    async def _act(self, fault: Fault, struck_us: asyncio.Future[int] | None) -> None:
        from_s = self._clock.now_s()
        if fault.cause is Cause.PAUSE:
            self._cluster.pause(fault.part)
            try:
                await asyncio.sleep(fault.lasts_s)
            finally:
                self._cluster.go_on(fault.part)
        else:
            if struck_us is not None:
                struck_us.set_result(time.time_ns() // 1_000)
            await self._cluster.kill(fault.part)
            await asyncio.sleep(fault.lasts_s)
            if fault.cause is Cause.ROLLBACK:
                await asyncio.to_thread(self._roll_back, fault.copies_back)
            await self._cluster.start(fault.part)
        outage = Outage(fault.part, fault.cause, from_s, self._clock.now_s(), struck_us is not None)
        self._rests_until[fault.part] = outage.to_s + rest_s(fault.part, self._slow_rest_s)
        self.outages.append(outage)
        self._on_outage(outage)

    def _roll_back(self, copies_back: int) -> None:
        data = self._cluster.fleet.directory_of(CATALOG_ID) / _DATA
        shutil.rmtree(data)
        if copies_back <= len(self._copies):
            shutil.copytree(self._copies[-copies_back], data)

    async def _copy_catalog(self) -> None:
        data = self._cluster.fleet.directory_of(CATALOG_ID) / _DATA
        for number in itertools.count():
            async with self._busy[CATALOG_ID]:
                copy = self._directory / f"catalog-copy-{number}"
                await asyncio.to_thread(shutil.copytree, data, copy)
            self._copies.append(copy)
            if len(self._copies) > COPIES_BACK_MAX:
                await asyncio.to_thread(shutil.rmtree, self._copies.pop(0))
            await asyncio.sleep(COPY_INTERVAL_S)
