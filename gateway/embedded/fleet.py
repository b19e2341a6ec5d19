"""A whole fleet on one machine: FalkorDB and Neo4j shards and the catalog's Redis in one data directory."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from gateway.embedded.errors import EmbeddedError, UnknownMemberError
from gateway.embedded.falkordb_process import FalkorDBProcess
from gateway.embedded.neo4j_process import Neo4jProcess, find_neo4j_lib
from gateway.embedded.ownership import DataDirectoryLock, stop_orphan
from gateway.embedded.ports import remembered_port
from gateway.embedded.process import STOP_GRACE_S, EngineProcess
from gateway.embedded.redis_process import AppendFsync, RedisProcess

type ShardEngine = Literal["falkordb", "neo4j"]

CATALOG_ID = "catalog"
"""Id and directory name of the catalog's Redis."""
SHARDS_MAX = 64
"""Shards in one embedded fleet, of both engines together."""


@dataclass(frozen=True, slots=True)
class EmbeddedShard:
    """One running shard of the fleet."""

    id: str
    """`falkordb-0`, `neo4j-0` and so on; also the name of its directory."""
    engine: ShardEngine
    url: str
    """`redis://127.0.0.1:PORT/0` or `bolt://127.0.0.1:PORT`; no authentication."""
    directory: Path
    pid: int | None
    """None while the shard is killed."""


class EmbeddedFleet:
    """Context manager: inside, all engines run; at its end, all that it started are stopped.

    The data directory belongs to one gateway at a time. Ids, data and ports survive restarts. A shard that
    once ran in the data directory is started again even if fewer shards are asked for, because its groups
    would be out of reach otherwise; to remove one, drain it and delete its directory while no gateway runs.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        falkordb_shards: int = 3,
        neo4j_shards: int = 0,
        append_fsync: AppendFsync = AppendFsync.ALWAYS,
        falkordb_thread_count: int = 2,
        neo4j_lib_dir: Path | None = None,
        neo4j_heap_mb: int = 512,
        neo4j_page_cache_mb: int = 64,
        neo4j_short_lived: bool = False,
        stop_grace_s: float = STOP_GRACE_S,
    ) -> None:
        """`neo4j_lib_dir` None: the cache that `find_neo4j_lib` names.

        Raises ValueError if the fleet would have no shard or more than SHARDS_MAX.
        """
        if min(falkordb_shards, neo4j_shards) < 0 or not 1 <= falkordb_shards + neo4j_shards <= SHARDS_MAX:
            raise ValueError(
                f"an embedded fleet has 1..{SHARDS_MAX} shards, asked were "
                f"{falkordb_shards} FalkorDB and {neo4j_shards} Neo4j shards"
            )
        self._data_dir = data_dir.resolve()
        self._shard_counts: dict[ShardEngine, int] = {"falkordb": falkordb_shards, "neo4j": neo4j_shards}
        self._append_fsync = append_fsync
        self._falkordb_thread_count = falkordb_thread_count
        self._neo4j_lib_dir = neo4j_lib_dir
        self._neo4j_heap_mb = neo4j_heap_mb
        self._neo4j_page_cache_mb = neo4j_page_cache_mb
        self._neo4j_short_lived = neo4j_short_lived
        self._stop_grace_s = stop_grace_s
        self._lock = DataDirectoryLock(self._data_dir)
        self._catalog = RedisProcess(self._data_dir / CATALOG_ID, append_fsync=append_fsync)
        self._shards: dict[str, tuple[ShardEngine, EngineProcess]] = {}

    @property
    def shards(self) -> tuple[EmbeddedShard, ...]:
        """The shards as they are now, FalkorDB first, by number."""
        return tuple(self._shard(shard_id) for shard_id in self._shards)

    @property
    def catalog_url(self) -> str:
        """`redis://127.0.0.1:PORT/0` of the catalog's Redis."""
        return self._catalog.url

    async def __aenter__(self) -> Self:
        """Lock the data directory, stop orphans, start everything in parallel.

        When one engine fails, those that run are stopped and its error is raised: the ones that
        `EngineProcess.start` names, DirectoryInUseError too if another gateway has the data directory.
        """
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            await self._stop_orphans()
            for engine, count in self._shard_counts.items():
                for number in sorted({*range(count), *self._numbers_on_disk(engine)}):
                    self._shards[f"{engine}-{number}"] = (engine, self._new_process(engine, number))
            await self._start_all()
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything in parallel, then give the data directory free."""
        await self._stop_all()

    def pid_of(self, member_id: str) -> int | None:
        """Of one shard, or of the catalog by CATALOG_ID; None while it is killed.

        Raises UnknownMemberError.
        """
        return self._member(member_id).pid

    def directory_of(self, member_id: str) -> Path:
        """Where one shard or the catalog keeps all that it has. Raises UnknownMemberError."""
        return self._member(member_id).directory

    async def kill(self, member_id: str) -> None:
        """SIGKILL one shard, or the catalog by CATALOG_ID, as a crash would. Raises UnknownMemberError."""
        await self._member(member_id).kill()

    async def restart(self, member_id: str) -> None:
        """Stop one shard or the catalog if it runs and start it on its port again.

        Raises UnknownMemberError and what `EngineProcess.restart` raises.
        """
        await self._member(member_id).restart(self._stop_grace_s)

    async def add_shard(self, engine: ShardEngine) -> EmbeddedShard:
        """Start one more shard under the next number and return it.

        Raises ValueError at SHARDS_MAX and what `EngineProcess.start` raises.
        """
        if len(self._shards) >= SHARDS_MAX:
            raise ValueError(f"the embedded fleet has {SHARDS_MAX} shards, which is its limit")
        prefix = f"{engine}-"
        numbers = [int(shard_id.removeprefix(prefix)) for shard_id in self._shards if prefix in shard_id]
        shard_id = f"{prefix}{max(numbers, default=-1) + 1}"
        process = self._new_process(engine, int(shard_id.removeprefix(prefix)))
        # Known before it runs, so that the end of the fleet stops it whatever happens meanwhile.
        self._shards[shard_id] = (engine, process)
        try:
            await process.start()
        except BaseException:
            del self._shards[shard_id]
            raise
        return self._shard(shard_id)

    def _shard(self, shard_id: str) -> EmbeddedShard:
        engine, process = self._shards[shard_id]
        return EmbeddedShard(shard_id, engine, process.url, process.directory, process.pid)

    def _member(self, member_id: str) -> EngineProcess:
        if member_id == CATALOG_ID:
            return self._catalog
        if member_id not in self._shards:
            raise UnknownMemberError(member_id, (*self._shards, CATALOG_ID))
        return self._shards[member_id][1]

    def _new_process(self, engine: ShardEngine, number: int) -> EngineProcess:
        directory = self._data_dir / f"{engine}-{number}"
        if engine == "neo4j":
            return Neo4jProcess(
                directory,
                self._neo4j_lib_dir or find_neo4j_lib(),
                heap_mb=self._neo4j_heap_mb,
                page_cache_mb=self._neo4j_page_cache_mb,
                short_lived=self._neo4j_short_lived,
            )
        return FalkorDBProcess(
            directory, append_fsync=self._append_fsync, thread_count=self._falkordb_thread_count
        )

    def _numbers_on_disk(self, engine: ShardEngine) -> list[int]:
        """Numbers of the shards that once became ready in the data directory."""
        matches = (
            (re.fullmatch(rf"{engine}-(0|[1-9]\d*)", path.name), path) for path in self._data_dir.iterdir()
        )
        return [int(match[1]) for match, path in matches if match and remembered_port(path) is not None]

    async def _stop_orphans(self) -> None:
        directories = [path for path in self._data_dir.iterdir() if path.is_dir()]
        await asyncio.gather(*(stop_orphan(path, self._stop_grace_s) for path in directories))

    def _processes(self) -> list[EngineProcess]:
        return [self._catalog, *(process for _, process in self._shards.values())]

    async def _start_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for process in self._processes():
                    group.create_task(process.start())
        except* EmbeddedError as failures:
            first = failures.exceptions[0]
        else:
            return
        raise first

    async def _stop_all(self) -> None:
        try:
            outcomes = await asyncio.gather(
                *(process.stop(self._stop_grace_s) for process in self._processes()), return_exceptions=True
            )
        finally:
            self._lock.release()
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
