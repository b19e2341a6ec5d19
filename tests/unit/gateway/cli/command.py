"""The `graphgate` command as a process of its own, as a user runs it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MAIN = "from gateway.cli.app import main; main()"
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    out: str
    err: str


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Without settings of whoever runs the tests, and with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHGATE_", "XDG_"))}
    return kept | {"HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"} | dict(extra or {})


async def start_graphgate(*arguments: str, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _MAIN,
        *arguments,
        env=dict(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def graphgate(*arguments: str, home: Path, env: Mapping[str, str] | None = None) -> Finished:
    process = await start_graphgate(*arguments, env=clean_environment(home, env))
    try:
        out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
    except BaseException:
        process.kill()
        raise
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())
