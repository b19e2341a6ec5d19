"""graphiti-core as a process of its own environment, asked over its standard input and output."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from drivers.graph_model import Entity, Fact
from gateway.bench.peer.errors import PeerFailed
from gateway.bench.rig import EngineName
from gateway.bench.variants import Rows

SCRIPT = Path(__file__).parents[1] / "graphiti_side"
ANSWER_TIMEOUT_S = 120.0
STOP_GRACE_S = 10.0
_ANSWER_BYTES_MAX = 1 << 20
_LOG_TAIL_LINES = 20


class GraphitiProcess:
    """Context manager: inside, it answers, one request at a time; at its end, it is stopped."""

    def __init__(
        self,
        python: Path,
        engine: EngineName,
        url: str,
        group: str,
        log_file: Path,
        program: Literal["search", "ingest"] = "search",
        arguments: Sequence[str] = (),
        script: Path = SCRIPT,
    ) -> None:
        """`url`: of an engine that runs and that nobody else uses. `log_file` is appended to. `program`: what
        `script` serves. `arguments`: further ones of it."""
        # Isolated: its packages are those of its environment, wherever this process has its own from.
        self._command = (str(python), "-I", str(script), program, engine, url, group, *arguments)
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self.version = ""
        """Of graphiti-core."""

    async def __aenter__(self) -> Self:
        """Returns once its indexes are made. Raises PeerFailed."""
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=_ANSWER_BYTES_MAX,
                start_new_session=True,
            )
        try:
            self.version = (await self.ask({"op": "open"}))["version"]
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Its answer to one request. Raises PeerFailed."""
        return await self._send(encoded(request), request["op"])

    async def write(self, rows: Rows) -> float:
        """Saves one batch; the seconds that the library took."""
        request = write_request(rows)
        return (await self._send(encoded(request), request["op"]))["seconds"]

    async def search(self, search: str, query: str, vector: Sequence[float]) -> tuple[float, int]:
        """The seconds that the library took, and how many rows it found."""
        answer = await self.ask(
            {"op": "search", "search": search, "query": query, "vector": list(vector)},
        )
        return answer["seconds"], answer["hits"]

    async def similar(self, kind: str, vector: Sequence[float], limit: int) -> list[str]:
        """uuids of `kind` ("facts" or "entities") by cosine, best first."""
        answer = await self.ask({"op": "similar", "kind": kind, "vector": list(vector), "limit": limit})
        return answer["uuids"]

    async def _send(self, line: bytes, operation: str) -> dict[str, Any]:
        process = self._process
        assert process is not None, "it was not started"
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                process.stdin.write(line)
                await process.stdin.drain()
                answer = await process.stdout.readline()
        except TimeoutError as error:
            raise self._failed(f"no answer to {operation!r} within {ANSWER_TIMEOUT_S:g} s") from error
        except ConnectionError as error:
            raise self._failed(f"it ended before {operation!r}") from error
        if not answer:
            raise self._failed(f"it ended during {operation!r}")
        found: dict[str, Any] = json.loads(answer)
        if "error" in found:
            raise self._failed(f"it refused {operation!r}: {found['error']}")
        return found

    def _failed(self, what: str) -> PeerFailed:
        lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return PeerFailed(what, "\n".join(lines[-_LOG_TAIL_LINES:]))

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await process.wait()
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if not isinstance(error, TimeoutError):
                raise


def encoded(request: dict[str, Any]) -> bytes:
    """One line."""
    return json.dumps(request, separators=(",", ":")).encode() + b"\n"


def write_request(rows: Sequence[Entity | Fact]) -> dict[str, Any]:
    """What saves one batch, all of one kind. Every row has its vector."""
    return {
        "op": "facts" if isinstance(rows[0], Fact) else "entities",
        "rows": [_values(row) for row in rows],
    }


def _values(row: Entity | Fact) -> list[Any]:
    assert row.embedding is not None, row.uuid
    vector = row.embedding.tolist()
    if isinstance(row, Entity):
        return [row.uuid, row.name, vector]
    return [row.uuid, row.source_uuid, row.target_uuid, row.name, row.fact, vector]
