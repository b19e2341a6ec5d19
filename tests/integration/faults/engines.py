"""Engines in a state that a test chooses, provoked on the engine itself."""

import asyncio
import resource
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import psutil
from redis.asyncio import Redis

from gateway.embedded import FalkorDBProcess, Neo4jProcess
from gateway.embedded.ports import free_port
from gateway.embedded.process import EngineProcess
from tests.eventually import eventually

_DUMP = "dump.rdb"
_FILE_BYTES_MAX = 4_096
"""Less than any log of transactions has."""


class TunedNeo4j(Neo4jProcess):
    """With lines of configuration that hold from the next start on."""

    def __init__(self, directory: Path, lib_dir: Path | None) -> None:
        super().__init__(directory, lib_dir, short_lived=True)
        self.tuning: list[str] = []

    def _config_lines(self, port: int) -> list[str]:
        return [*super()._config_lines(port), *self.tuning]


@asynccontextmanager
async def beside(process: EngineProcess) -> AsyncGenerator[Redis]:
    """Another client of a FalkorDB or Redis process."""
    client: Redis = Redis.from_url(process.url)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def suspended(process: EngineProcess) -> AsyncGenerator[None]:
    """The process hangs: its kernel accepts connections and bytes, nobody answers."""
    assert process.pid is not None
    running = psutil.Process(process.pid)
    running.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        running.send_signal(signal.SIGCONT)


@asynccontextmanager
async def killed(process: EngineProcess) -> AsyncGenerator[None]:
    """SIGKILL, and started again at the end."""
    await process.kill()
    try:
        yield
    finally:
        await process.restart()


@asynccontextmanager
async def out_of_memory(process: FalkorDBProcess) -> AsyncGenerator[None]:
    """Redis's own limit is below what is in use."""
    async with beside(process) as client:
        await client.config_set("maxmemory", "1mb")
        try:
            yield
        finally:
            await client.config_set("maxmemory", "0")


@asynccontextmanager
async def replica(process: FalkorDBProcess) -> AsyncGenerator[None]:
    """A replica whose primary is not there: it serves reads and refuses writes."""
    async with beside(process) as client:
        await cast("Any", client.execute_command("REPLICAOF", "127.0.0.1", str(free_port())))
        try:
            yield
        finally:
            await cast("Any", client.execute_command("REPLICAOF", "NO", "ONE"))


@asynccontextmanager
async def without_disk(process: FalkorDBProcess) -> AsyncGenerator[None]:
    """Redis cannot save, and so takes no writes: a directory lies where its snapshot should go."""
    obstacle = process.directory / _DUMP
    async with beside(process) as client:
        (obstacle / "in the way").mkdir(parents=True)
        await client.config_set("save", "3600 1")
        try:
            await _snapshot(client, "err")
            yield
        finally:
            shutil.rmtree(obstacle)
            await _snapshot(client, "ok")
            await client.config_set("save", "")
            obstacle.unlink(missing_ok=True)


async def _snapshot(client: Redis, expected: str) -> None:
    async def ended() -> bool:
        info = await client.info("persistence")
        return not info["rdb_bgsave_in_progress"] and info["rdb_last_bgsave_status"] == expected

    await eventually(lambda: _started(client))
    await eventually(ended)


async def _started(client: Redis) -> bool:
    await cast("Any", client.execute_command("BGSAVE", "SCHEDULE"))
    return True


@asynccontextmanager
async def without_log(process: TunedNeo4j) -> AsyncGenerator[None]:
    """No file of Neo4j may grow, as on a full disk, so that its next write is its last until it is restarted.
    There is room again at the end, and it is. Not a byte of that write gets into the log: of one that was cut
    in the middle Neo4j may not recover at all."""
    assert process.pid is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (_FILE_BYTES_MAX, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        await process.restart()


@asynccontextmanager
async def read_only(process: TunedNeo4j) -> AsyncGenerator[None]:
    """Restarted with its database in read-only mode."""
    process.tuning.append("server.databases.read_only=neo4j")
    await process.restart()
    try:
        yield
    finally:
        process.tuning.pop()
        await process.restart()


async def copy_of(process: EngineProcess, target: Path) -> None:
    """The data directory as a stopped engine leaves it; the engine runs again afterwards."""
    await process.stop()
    await asyncio.to_thread(shutil.copytree, process.directory, target)
    await process.restart()


async def put_back(process: EngineProcess, copy: Path) -> None:
    """The engine runs on the copy, as after a restore."""
    await process.stop()
    await asyncio.to_thread(shutil.rmtree, process.directory)
    await asyncio.to_thread(shutil.copytree, copy, process.directory)
    await process.restart()


async def wipe(process: EngineProcess) -> None:
    """The engine runs on an empty directory."""
    await process.stop()
    await asyncio.to_thread(shutil.rmtree, process.directory)
    await process.restart()
