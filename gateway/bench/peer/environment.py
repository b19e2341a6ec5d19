"""The virtual environment of graphiti-core: made once in the cache, by the machine's own pip."""

import asyncio
import fcntl
import shutil
import sys
from pathlib import Path

from gateway.bench.peer.errors import PeerNotInstalled

REQUIREMENTS = (
    "graphiti-core[falkordb]",
    # It imports this without asking for it.
    "httpx",
    # Graphgate has the same: what is compared is not how fast a client packs and parses.
    "neo4j-rust-ext",
    "hiredis",
)
INSTALL_TIMEOUT_S = 900.0
_COMPLETE = ".complete"
_TAIL_LINES = 20


def environment_dir(cache_dir: Path) -> Path:
    return cache_dir / "bench-peer" / "graphiti-core"


def installed_python(cache_dir: Path) -> Path | None:
    """Its interpreter; None unless the environment was made to the end."""
    directory = environment_dir(cache_dir)
    return _python(directory) if (directory / _COMPLETE).is_file() else None


async def peer_python(cache_dir: Path) -> Path:
    """The interpreter of an environment with graphiti-core, its newest version at the time of the first use:
    to get a newer one, delete the folder. Safe for several processes. Raises PeerNotInstalled."""
    directory = environment_dir(cache_dir)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f"{directory.name}.lock").open("w", encoding="ascii") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        python = installed_python(cache_dir)
        if python is None:
            python = await _install(directory)
    return python


async def _install(directory: Path) -> Path:
    # One that was not finished is of no use.
    await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
    await _run(sys.executable, "-m", "venv", str(directory))
    python = _python(directory)
    await _run(str(python), "-m", "pip", "install", "--no-input", *REQUIREMENTS)
    (directory / _COMPLETE).touch()
    return python


def _python(directory: Path) -> Path:
    return directory / "bin" / "python"


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(INSTALL_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise PeerNotInstalled(f"{command[2]} took longer than {INSTALL_TIMEOUT_S:g} s", "") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        tail = output.decode(errors="replace").splitlines()[-_TAIL_LINES:]
        raise PeerNotInstalled(f"{command[2]} ended with code {process.returncode}", "\n".join(tail))
