"""Stop signals while calls run: each call gets an end to act on, and nothing acknowledged is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from graphgate.v1 import admin_service_pb2, graph_pb2, graph_service_pb2
from tests.eventually import eventually
from tests.integration.gateway.calls import Refusal, new_uuid

Code = grpc.StatusCode
CALL_S_MAX = 60.0
WRITERS = 24
GROUPS = 8
ACKED_MIN = 150
EXIT_S_MAX = 30.0


@pytest.fixture(scope="module")
async def fleet(
    tmp_path_factory: pytest.TempPathFactory, neo4j_installed: None
) -> AsyncIterator[EmbeddedFleet]:
    async with EmbeddedFleet(tmp_path_factory.mktemp("fleet"), falkordb_shards=1, neo4j_shards=1) as fleet:
        yield fleet


def gateway(fleet: EmbeddedFleet, directory: Path, grace_s: float) -> GatewayProcess:
    return GatewayProcess(
        directory / "gateway.log",
        fleet,
        embedder="none",
        cache_dir=directory,
        pool_graphs=2,
        settings={"GRAPHGATE_GRPC__DRAIN_GRACE_S": f"{grace_s:g}"},
    )


@dataclass(slots=True)
class Traffic:
    """Writers of rows of their own, until they are told that the gateway stops."""

    client: GatewayClient
    groups: list[str]
    acked: dict[str, str]
    """uuid -> group of the rows whose writes were acknowledged."""
    ends: list[Code]
    """How the last call of each writer ended."""

    async def write_on(self, number: int) -> None:
        group_id = self.groups[number % len(self.groups)]
        while True:
            uuid = new_uuid()
            request = graph_service_pb2.WriteGraphRequest(
                group_id=group_id, entities=[graph_pb2.Entity(uuid=uuid, name="row")], request_id=new_uuid()
            )
            try:
                await self.client.graph.WriteGraph(request, timeout=CALL_S_MAX)
            except grpc.aio.AioRpcError as error:
                self.ends.append(error.code())
                return
            self.acked[uuid] = group_id


async def lost(client: GatewayClient, acked: dict[str, str]) -> list[str]:
    """Acknowledged rows that are not there."""
    missing: list[str] = []
    for group_id in set(acked.values()):
        uuids = [uuid for uuid, group in acked.items() if group == group_id]
        for start in range(0, len(uuids), 1_000):
            request = graph_service_pb2.BatchGetEntitiesRequest(
                group_id=group_id, uuids=uuids[start : start + 1_000]
            )
            missing += (await client.graph.BatchGetEntities(request, timeout=CALL_S_MAX)).missing_uuids
    return missing


async def _exit_code(process: GatewayProcess) -> int:
    """Of the gateway, which must end by itself."""
    child = process._process
    assert child is not None
    async with asyncio.timeout(EXIT_S_MAX):
        return await child.wait()


async def test_sigterm_under_load_ends_every_call_and_loses_nothing(
    fleet: EmbeddedFleet, tmp_path: Path
) -> None:
    """Calls that run get their answers, later ones UNAVAILABLE; acknowledged rows are there afterwards."""
    process = gateway(fleet, tmp_path, grace_s=20)
    await process.start()
    try:
        async with GatewayClient(process.address) as client:
            await client.until_all_shards_answer(timeout_s=CALL_S_MAX)
            traffic = Traffic(client, [f"group-{new_uuid()}" for _ in range(GROUPS)], {}, [])
            writers = [asyncio.create_task(traffic.write_on(number)) for number in range(WRITERS)]
            await eventually(lambda: len(traffic.acked) >= ACKED_MIN, timeout_s=CALL_S_MAX)
            os.kill(process.pid, signal.SIGTERM)
            assert await _exit_code(process) == 0
            await asyncio.gather(*writers)
            assert traffic.ends == [Code.UNAVAILABLE] * WRITERS
        await process.start()
        async with GatewayClient(process.address) as client:
            await client.until_all_shards_answer(timeout_s=CALL_S_MAX)
            assert await lost(client, traffic.acked) == []
            shards = {
                (
                    await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
                ).group.shard
                for group_id in traffic.groups
            }
            assert len(shards) == 2, "both engines were to be written to"
    finally:
        await process.stop()


def _hanging_call(
    client: GatewayClient, group_id: str, request_id: str = "", if_version: int | None = None
) -> asyncio.Task[grpc.aio.AioRpcError]:
    """A write whose engine has stopped to answer; its end. With `if_version` it is read for first."""

    async def write() -> grpc.aio.AioRpcError:
        request = graph_service_pb2.WriteGraphRequest(
            group_id=group_id,
            entities=[graph_pb2.Entity(name="row")],
            request_id=request_id,
            if_version=if_version,
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.graph.WriteGraph(request, timeout=CALL_S_MAX)
        return caught.value

    return asyncio.create_task(write())


async def _group_on(client: GatewayClient, shard: str) -> str:
    while True:
        group_id = f"group-{new_uuid()}"
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=[graph_pb2.Entity(name="first")])
        )
        described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
        if described.group.shard == shard:
            return group_id


def _pid_of(fleet: EmbeddedFleet, shard_id: str) -> int:
    (pid,) = [shard.pid for shard in fleet.shards if shard.id == shard_id]
    assert pid is not None
    return pid


async def _running(client: GatewayClient, shard_id: str, calls: int = 1) -> bool:
    """Whether so many calls are under way at the shard."""
    listed = await client.admin.ListShards(admin_service_pb2.ListShardsRequest())
    return any(shard.shard == shard_id and shard.calls_running >= calls for shard in listed.shards)


async def _refuses(client: GatewayClient) -> bool:
    """Whether the gateway takes no new calls."""
    try:
        await client.admin.ListShards(admin_service_pb2.ListShardsRequest())
    except grpc.aio.AioRpcError as error:
        return Refusal(error).reason == "GATEWAY_STOPS"
    return False


async def test_a_call_that_outlasts_the_grace_is_told_that_the_gateway_stops(
    fleet: EmbeddedFleet, tmp_path: Path
) -> None:
    """UNAVAILABLE with its reason instead of a connection that just breaks. A write that the shard may have
    got carries its op id and outcome_unknown, given by the caller or not; one that was still being planned
    does not."""
    shard = "falkordb-0"
    engine = _pid_of(fleet, shard)
    async with gateway(fleet, tmp_path, grace_s=2) as process, GatewayClient(process.address) as client:
        await client.until_all_shards_answer(timeout_s=CALL_S_MAX)
        group_id = await _group_on(client, shard)
        # After two writes of new rows the next ones are sent without being read for.
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=[graph_pb2.Entity(name="second")])
        )
        op_id = new_uuid()
        os.kill(engine, signal.SIGSTOP)
        try:
            calls = [
                _hanging_call(client, group_id, new_uuid(), if_version=2),
                _hanging_call(client, group_id, op_id),
                _hanging_call(client, group_id),
            ]
            await eventually(lambda: _running(client, shard, len(calls)), timeout_s=CALL_S_MAX)
            os.kill(process.pid, signal.SIGTERM)
            refusals = [Refusal(await call) for call in calls]
            for refusal in refusals:
                assert (refusal.code, refusal.reason) == (Code.UNAVAILABLE, "SHUTTING_DOWN")
                assert refusal.retry_delay_s is not None
            planned, named, unnamed = (refusal.metadata for refusal in refusals)
            assert not {"op_id", "outcome_unknown"} & planned.keys()
            assert (named["op_id"], named["outcome_unknown"]) == (op_id, "true")
            assert unnamed["outcome_unknown"] == "true"
            assert unnamed["op_id"] not in ("", op_id)
            assert unnamed["op_id"] in refusals[2].text
            assert await _exit_code(process) == 0
        finally:
            os.kill(engine, signal.SIGCONT)


async def test_a_second_signal_stops_at_once(fleet: EmbeddedFleet, tmp_path: Path) -> None:
    """An operator who asks twice does not wait for a grace of ten minutes."""
    shard = "falkordb-0"
    engine = _pid_of(fleet, shard)
    async with gateway(fleet, tmp_path, grace_s=600) as process, GatewayClient(process.address) as client:
        await client.until_all_shards_answer(timeout_s=CALL_S_MAX)
        group_id = await _group_on(client, shard)
        os.kill(engine, signal.SIGSTOP)
        try:
            call = _hanging_call(client, group_id)
            await eventually(lambda: _running(client, shard), timeout_s=CALL_S_MAX)
            os.kill(process.pid, signal.SIGTERM)
            await eventually(lambda: _refuses(client), timeout_s=CALL_S_MAX)
            assert not call.done()
            os.kill(process.pid, signal.SIGTERM)
            assert await _exit_code(process) == 128 + signal.SIGTERM
            assert (await call).code() is Code.UNAVAILABLE
        finally:
            os.kill(engine, signal.SIGCONT)
