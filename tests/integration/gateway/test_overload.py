"""More than the gateway can do: it refuses with details, stays small, and serves the others."""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import grpc
import psutil
import pytest

from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from gateway.loopback.process_stat import resident_bytes
from graphgate.v1 import graph_pb2, graph_service_pb2, graph_service_pb2_grpc
from tests.eventually import eventually
from tests.integration.gateway.calls import Refusal, new_uuid
from tests.integration.gateway.own_gateway import own_gateway
from tests.integration.gateway.silent_client import SilentClient

Code = grpc.StatusCode
MIB = 1024 * 1024
CALL_S_MAX = 60.0
DIRECTORY = "overload"
CALLS_MAX = 600
"""Places of the gateway under test."""
BUSY_CONNECTIONS = 4
FILES_KEPT_MAX = 80
"""More than before: connections to shards, which are kept, and none of the hundreds of clients."""
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
LIST_EPISODES = "/graphgate.v1.GraphService/ListEpisodes"


@pytest.fixture(scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayProcess]:
    directory = tmp_path_factory.mktemp(DIRECTORY)
    settings = {"GRAPHGATE_GRPC__CONCURRENT_RPCS_MAX": str(CALLS_MAX)}
    async with own_gateway(directory, settings) as process:
        async with GatewayClient(process.address) as client:
            await client.until_all_shards_answer(timeout_s=CALL_S_MAX)
        yield process


class Caller:
    """One client on one connection of its own. Refused calls are made again, as RetryInfo asks."""

    def __init__(self, channel: grpc.aio.Channel, group_id: str) -> None:
        self._stub: graph_service_pb2_grpc.GraphServiceAsyncStub = graph_service_pb2_grpc.GraphServiceStub(
            channel
        )
        self.group_id = group_id
        self.refusals: list[Refusal] = []
        self.latencies_s: list[float] = []
        self.written: list[str] = []

    async def write(self) -> None:
        """One row of its own; returns when it is acknowledged."""
        uuid, request_id = new_uuid(), new_uuid()
        request = graph_service_pb2.WriteGraphRequest(
            group_id=self.group_id,
            entities=[graph_pb2.Entity(uuid=uuid, name="row", embedding=[1.0, 0.0])],
            request_id=request_id,
        )
        await self._until_done(lambda: self._stub.WriteGraph(request, timeout=CALL_S_MAX))
        self.written.append(uuid)

    async def read(self) -> None:
        request = graph_service_pb2.ListEntitiesRequest(group_id=self.group_id, page_size=5)
        await self._until_done(lambda: self._stub.ListEntities(request, timeout=CALL_S_MAX))

    async def missing(self) -> list[str]:
        """Acknowledged rows that cannot be read."""
        request = graph_service_pb2.BatchGetEntitiesRequest(group_id=self.group_id, uuids=self.written)
        return list((await self._stub.BatchGetEntities(request, timeout=CALL_S_MAX)).missing_uuids)

    async def _until_done(self, call: Callable[[], Awaitable[object]]) -> None:
        started = time.monotonic()
        while True:
            try:
                await call()
            except grpc.aio.AioRpcError as error:
                refusal = Refusal(error)
                if refusal.code is not Code.RESOURCE_EXHAUSTED:
                    raise
                self.refusals.append(refusal)
                assert refusal.retry_delay_s is not None, refusal.text
                await asyncio.sleep(refusal.retry_delay_s)
            else:
                break
        self.latencies_s.append(time.monotonic() - started)


@asynccontextmanager
async def callers(process: GatewayProcess, number: int) -> AsyncGenerator[list[Caller]]:
    """So many clients, each with its own connection and its own group."""
    channels = [grpc.aio.insecure_channel(process.address, options=OWN_CONNECTION) for _ in range(number)]
    try:
        yield [Caller(channel, f"group-{new_uuid()}") for channel in channels]
    finally:
        for channel in channels:
            await channel.close()


@contextmanager
def stopped_engine() -> Generator[None]:
    """The FalkorDB shard of the gateway under test does not run inside."""
    (engine,) = [
        child
        for child in psutil.Process().children()
        if f"{DIRECTORY}0/fleet/falkordb-0" in " ".join(child.cmdline())
    ]
    engine.suspend()
    try:
        yield
    finally:
        engine.resume()


def median_s(latencies_s: Sequence[float]) -> float:
    return statistics.median(latencies_s)


async def test_two_thousand_calls_at_once_over_200_connections(process: GatewayProcess) -> None:
    """Past the places every refusal has its details, each call gets through in the end, memory is bounded."""
    async with callers(process, 200) as clients, callers(process, 1) as (warm,):
        await warm.write()
        await asyncio.gather(*(client.write() for client in clients))
        before = resident_bytes(process.pid)
        async with asyncio.TaskGroup() as calls:
            # However fast the machine is, nothing ends while the engine stands still.
            with stopped_engine():
                for client in clients:
                    for _ in range(5):
                        calls.create_task(client.write())
                        calls.create_task(client.read())
                await eventually(lambda: any(client.refusals for client in clients), timeout_s=CALL_S_MAX)
        refusals = [refusal for client in clients for refusal in client.refusals]
        assert {refusal.reason for refusal in refusals} <= {"TOO_MANY_CALLS", "SHARD_GATE_FULL"}
        assert {refusal.metadata["limit"] for refusal in refusals if refusal.reason == "TOO_MANY_CALLS"} == {
            str(CALLS_MAX)
        }
        assert resident_bytes(process.pid) - before < 150 * MIB
        for client in clients:
            assert len(client.written) == 6
            assert await client.missing() == []


@asynccontextmanager
async def busy_client(process: GatewayProcess, group_id: str, calls: int) -> AsyncGenerator[dict[str, float]]:
    """A client with so many calls at once on BUSY_CONNECTIONS; filled at the end with what it reports."""
    busy = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.gateway.busy_client", process.address, group_id),
        *(str(BUSY_CONNECTIONS), str(calls // BUSY_CONNECTIONS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    report: dict[str, float] = {}
    try:
        assert busy.stdout is not None
        async with asyncio.timeout(CALL_S_MAX):
            assert await busy.stdout.readline() == b"running\n"
        yield report
        output, _ = await busy.communicate()
        report.update(json.loads(output))
    finally:
        if busy.returncode is None:
            busy.kill()
            await busy.wait()


async def test_a_busy_client_does_not_push_a_quiet_one_aside(process: GatewayProcess) -> None:
    """One call at a time is never refused and waits no longer than those of one with hundreds at once."""
    async with callers(process, 1) as (quiet,):
        await quiet.write()
        quiet.latencies_s.clear()
        async with busy_client(process, quiet.group_id, 480) as busy:
            for _ in range(40):
                await quiet.read()
        assert busy["refusals"] == 0
        assert median_s(quiet.latencies_s) < 1.5 * busy["median_s"]
        assert quiet.refusals == []


async def test_answers_that_nobody_reads_are_bounded(process: GatewayProcess) -> None:
    """Clients that ask for much and read nothing fill neither the memory nor the places of others."""
    group_id = f"group-{new_uuid()}"
    async with GatewayClient(process.address) as client, callers(process, 1) as (quiet,):
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=group_id, episodes=[graph_pb2.Episode(content="x" * 900_000)]
            )
        )
        body = graph_service_pb2.ListEpisodesRequest(group_id=group_id).SerializeToString()
        await client.graph.ListEpisodes(graph_service_pb2.ListEpisodesRequest(group_id=group_id))
        await quiet.write()
        before = resident_bytes(process.pid)
        silent = [await SilentClient.connect(process.address) for _ in range(8)]
        try:
            for one in silent:
                await one.ask(LIST_EPISODES, [body] * 60)
            # As answers are made one after the other, those of the first calls are waiting by then.
            for _ in range(40):
                await quiet.read()
            peak = await _settled(process.pid)
            assert peak - before < 550 * MIB
            assert peak - before > 50 * MIB, "the answers were not made: this test shows nothing"
            for _ in range(20):
                await quiet.write()
            assert quiet.refusals == []
            assert await quiet.missing() == []
        finally:
            for one in silent:
                one.abort()
        # Their places are free again: that many calls at once need every one of them.
        await asyncio.gather(*(quiet.read() for _ in range(200)))


async def _settled(pid: int) -> int:
    """Resident bytes once they have stopped to grow."""
    sizes = [0, resident_bytes(pid)]

    def grown() -> bool:
        sizes.append(resident_bytes(pid))
        return len(sizes) > 30 and sizes[-1] - sizes[-25] < MIB

    await eventually(grown, timeout_s=CALL_S_MAX)
    return max(sizes)


async def test_connections_that_come_and_go(process: GatewayProcess) -> None:
    """Hundreds of connections that are made, used and dropped, cleanly or not, leave nothing behind."""
    body = graph_service_pb2.ListEntitiesRequest(group_id="no-such-group").SerializeToString()

    async def come_and_go(number: int) -> None:
        if number % 2:
            silent = await SilentClient.connect(process.address)
            await silent.ask("/graphgate.v1.GraphService/ListEntities", [body] * 5)
            silent.abort()
        else:
            async with callers(process, 1) as (client,):
                await client.write()

    async with callers(process, 1) as (quiet,):
        await quiet.write()
        for number in range(100):
            await come_and_go(number)
        before, files = resident_bytes(process.pid), psutil.Process(process.pid).num_fds()
        calm_s: list[float] = []
        stormy_s: list[float] = []
        for round_number in range(12):
            stormy = round_number % 2 == 1
            storm = [asyncio.create_task(come_and_go(number)) for number in range(60 if stormy else 0)]
            quiet.latencies_s.clear()
            while len(quiet.latencies_s) < 10 or not all(task.done() for task in storm):
                await quiet.read()
            await asyncio.gather(*storm)
            (stormy_s if stormy else calm_s).extend(quiet.latencies_s)
        assert resident_bytes(process.pid) - before < 60 * MIB
        assert median_s(stormy_s) < 25 * median_s(calm_s)
        await eventually(lambda: psutil.Process(process.pid).num_fds() <= files + FILES_KEPT_MAX)
