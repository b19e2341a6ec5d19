"""The crashes that the demo causes in its fleet."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.corpus.running_fleet import RunningFleet
from gateway.corpus.write_calls import WriteCall
from gateway.corpus.writer import PhaseTiming, Writer
from graphgate.v1 import graph_service_pb2

KILL_AFTER = 0.4
"""Share of a phase's rows that are acknowledged before its crash."""
_CALL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A crash and its end."""

    victim: str
    calls_cut_off: int
    """Writes that waited for an answer at that moment, sent again with the same request_id."""
    down_s: float


async def write_through_crash(
    writer: Writer,
    groups: Sequence[Sequence[WriteCall]],
    on_acknowledged: Callable[[WriteCall], None],
    crash: Callable[[], Awaitable[Outage]],
) -> tuple[PhaseTiming, Outage]:
    """Writes all calls; `crash` runs once KILL_AFTER of their rows are acknowledged."""
    rows_left = KILL_AFTER * sum(call.rows for group in groups for call in group)
    due = asyncio.Event()

    def count(call: WriteCall) -> None:
        nonlocal rows_left
        rows_left -= call.rows
        if rows_left <= 0:
            due.set()
        on_acknowledged(call)

    async def crash_when_due() -> Outage:
        await due.wait()
        return await crash()

    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(writer.run(groups, count))
        crashing = tasks.create_task(crash_when_due())
    return writing.result(), crashing.result()


async def crash_gateway(run: RunningFleet, writer: Writer) -> Outage:
    """SIGKILL to the gateway, then a new one on the same port."""
    cut_off, started = writer.running, time.monotonic()
    await run.gateway.kill()
    await run.gateway.start()
    return Outage("gateway", cut_off, time.monotonic() - started)


async def crash_engine(run: RunningFleet, writer: Writer, group_id: str) -> Outage:
    """SIGKILL to the engine that holds the group, then the same engine on the same disk."""
    ask = graph_service_pb2.GetGroupRequest(group_id=group_id)
    shard_id = (await run.client.graph.GetGroup(ask, timeout=_CALL_TIMEOUT_S)).group.shard
    cut_off, started = writer.running, time.monotonic()
    await run.fleet.kill(shard_id)
    await run.fleet.restart(shard_id)
    return Outage(shard_id, cut_off, time.monotonic() - started)
