"""Carries the plan out."""

import asyncio
import itertools
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from gateway.embedded import CATALOG_ID
from tests.robustness.cluster import GATEWAYS, Cluster
from tests.robustness.faults.plan import COPIES_BACK_MAX, Fault
from tests.robustness.timeline import Cause, Clock, Outage

COPY_INTERVAL_S = 4.0
"""Between two copies of the catalog's data."""
_DATA = "appendonlydir"
"""All that Redis knows when it starts; a copy made while it writes ends early, which it forgives."""


class Injector:
    def __init__(
        self, cluster: Cluster, clock: Clock, directory: Path, on_outage: Callable[[Outage], None]
    ) -> None:
        """`directory`: for copies of the catalog's data. `on_outage` is called when a part works again."""
        self._on_outage = on_outage
        self.outages: list[Outage] = []
        self._cluster = cluster
        self._clock = clock
        self._directory = directory
        self._copies: list[Path] = []
        self._busy = {part: asyncio.Lock() for part in cluster.parts}
        # At least one gateway is always untouched: a client that tries them all must find one.
        self._gateways = asyncio.Semaphore(GATEWAYS - 1)

    async def run(self, plan: Sequence[Fault], until_s: float) -> None:
        """Returns when the last fault is over and everything runs.

        A fault waits for its part to be up; one that could not begin before `until_s` is left out.
        """
        async with asyncio.TaskGroup() as tasks:
            copying = tasks.create_task(self._copy_catalog())
            async with asyncio.TaskGroup() as faults:
                for fault in plan:
                    await asyncio.sleep(max(0.0, fault.at_s - self._clock.now_s()))
                    faults.create_task(self._inject(fault, until_s))
            copying.cancel()

    async def _inject(self, fault: Fault, until_s: float) -> None:
        is_gateway = fault.part in self._cluster.gateways
        async with self._busy[fault.part], self._gateways if is_gateway else nullcontext():
            if self._clock.now_s() < until_s:
                await self._act(fault)

    async def _act(self, fault: Fault) -> None:
        from_s = self._clock.now_s()
        if fault.cause is Cause.PAUSE:
            self._cluster.pause(fault.part)
            try:
                await asyncio.sleep(fault.lasts_s)
            finally:
                self._cluster.go_on(fault.part)
        else:
            await self._cluster.kill(fault.part)
            await asyncio.sleep(fault.lasts_s)
            if fault.cause is Cause.ROLLBACK:
                await asyncio.to_thread(self._roll_back, fault.copies_back)
            await self._cluster.start(fault.part)
        outage = Outage(fault.part, fault.cause, from_s, self._clock.now_s())
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
