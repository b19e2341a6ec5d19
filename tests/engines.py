"""Fixtures that start real engines: one of each kind for a whole test run, shared by all who ask for it.

Tests keep apart by groups or keys with random names. A test that kills or stops an engine starts its own.
An engine that is not installed skips the tests that need it, with one loud line at the end of the run;
with CI=true it fails them.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NoReturn

import pytest

from gateway.embedded import FalkorDBProcess, Neo4jProcess, RedisProcess, find_neo4j_lib, missing_for_neo4j
from gateway.embedded.errors import EngineNotInstalledError

_absent_engines: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class FalkorDBServer:
    """A running FalkorDB server without authentication."""

    url: str
    """`redis://127.0.0.1:PORT/0`."""
    process: FalkorDBProcess


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running Redis server, as the catalog's, without authentication."""

    url: str
    """`redis://127.0.0.1:PORT/0`."""
    process: RedisProcess


@dataclass(frozen=True, slots=True)
class Neo4jServer:
    """A running Neo4j server without authentication; its one database is `neo4j`."""

    url: str
    """`bolt://127.0.0.1:PORT`."""
    process: Neo4jProcess


def engine_absent(engine: str, reason: str) -> NoReturn:
    """Skip the test that needs `engine`, or fail it where CI requires every engine."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI requires {engine}: {reason}", pytrace=False)
    _absent_engines[engine] = reason
    pytest.skip(f"{engine} cannot run here: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each engine whose tests were left out."""
    for engine, reason in _absent_engines.items():
        terminalreporter.write_line(
            f"*** NO {engine.upper()}: {reason}; every test that needs it was SKIPPED ***",
            red=True,
            bold=True,
        )


@pytest.fixture(scope="session")
async def falkordb_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FalkorDBServer]:
    """The FalkorDB server of this test run."""
    process = FalkorDBProcess(tmp_path_factory.mktemp("falkordb"))
    try:
        await process.start()
    except EngineNotInstalledError as error:
        engine_absent("FalkorDB", error.missing)
    yield FalkorDBServer(process.url, process)
    await process.stop()


@pytest.fixture(scope="session")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """The Redis server of this test run."""
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    try:
        await process.start()
    except EngineNotInstalledError as error:
        engine_absent("Redis", error.missing)
    yield RedisServer(process.url, process)
    await process.stop()


@pytest.fixture(scope="session")
def neo4j_installed() -> None:
    """For tests that start a Neo4j server of their own."""
    missing = missing_for_neo4j(find_neo4j_lib())
    if missing is not None:
        engine_absent("Neo4j", missing)


@pytest.fixture(scope="session")
async def neo4j_server(
    tmp_path_factory: pytest.TempPathFactory, neo4j_installed: None
) -> AsyncIterator[Neo4jServer]:
    """The Neo4j server of this test run: 512 MB heap, 64 MB page cache, about 4 s to start."""
    process = Neo4jProcess(tmp_path_factory.mktemp("neo4j"), find_neo4j_lib(), short_lived=True)
    await process.start()
    yield Neo4jServer(process.url, process)
    await process.stop()
