"""The server as a process of its own, so that its work is not its client's."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson

from gateway.bench.errors import ModelServerFailed

START_S_MAX = 60.0
"""With --replay it reads the data set first."""
STOP_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class ModelServerStats:
    """Since the start or the last /reset."""

    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    """By path, of chat completions by the name of their schema: the task."""
    chat_requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class ModelServerProcess:
    """Context manager: inside, the server answers; at its end it is stopped, and `stats` are known."""

    def __init__(self, options: Sequence[str] = ()) -> None:
        """`options` of `python -m gateway.bench.model_server`."""
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._base_url = ""
        self.stats = ModelServerStats()

    @property
    def base_url(self) -> str:
        """With the version in its path."""
        assert self._base_url, "the model server was not started"
        return self._base_url

    async def __aenter__(self) -> Self:
        """Raises ModelServerFailed."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.bench.model_server",
            *self._options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            # An interrupt typed at the terminal is for the client, which stops it.
            start_new_session=True,
        )
        try:
            self._base_url = str((await self._told(self._process, START_S_MAX))["base_url"])
        except BaseException:
            await _kill(self._process)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises ModelServerFailed, unless something else has failed before."""
        process = self._process
        assert process is not None
        try:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            told = await self._told(process, STOP_S_MAX)
            self.stats = ModelServerStats(
                told["requests"], told["chat_requests"], told["input_tokens"], told["output_tokens"]
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S_MAX):
                    await process.wait()
        except ModelServerFailed:
            if error is None:
                raise
        finally:
            await _kill(process)

    async def _told(self, process: asyncio.subprocess.Process, seconds_max: float) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds_max):
                line = await process.stdout.readline()
        except TimeoutError:
            raise ModelServerFailed(f"it said nothing for {seconds_max:g} s") from None
        if not line:
            raise ModelServerFailed(f"it ended with code {await process.wait()}")
        told: dict[str, Any] = orjson.loads(line)
        return told


async def _kill(process: asyncio.subprocess.Process) -> None:
    """If it has not ended by itself."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
