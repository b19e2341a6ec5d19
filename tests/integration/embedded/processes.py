"""What runs in a directory, seen from outside, and gateways that can be killed."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class ForeignGateway:
    """Another process that runs an embedded fleet."""

    process: asyncio.subprocess.Process
    shard_pids: tuple[int, ...]
    shard_urls: tuple[str, ...]
    catalog_url: str

    async def kill(self) -> None:
        """SIGKILL the gateway, not its engines."""
        self.process.kill()
        await self.process.wait()


def alive(pid: int) -> bool:
    """Whether the process exists and is more than an entry that nobody has collected."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pids_inside(directory: Path) -> set[int]:
    """Pids of engines whose command line names a file in `directory`."""
    found: set[int] = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            name = process.name()
            if name in ("redis-server", "java") and any(
                f"{directory}/" in part for part in process.cmdline()
            ):
                found.add(process.pid)
    return {pid for pid in found if alive(pid)}


@asynccontextmanager
async def foreign_gateway(data_dir: Path, falkordb_shards: int) -> AsyncGenerator[ForeignGateway]:
    """A second gateway on `data_dir`, as a process of its own; it and its engines are gone at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.embedded.fleet_child",
        str(data_dir),
        str(falkordb_shards),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    engines: list[psutil.Process] = []
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert line, "the other gateway ended before its fleet was ready"
        engines = psutil.Process(process.pid).children()
        fleet = orjson.loads(line)
        yield ForeignGateway(
            process,
            tuple(shard["pid"] for shard in fleet["shards"]),
            tuple(shard["url"] for shard in fleet["shards"]),
            fleet["catalog_url"],
        )
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for engine in engines:
            with suppress(psutil.NoSuchProcess):
                engine.kill()
