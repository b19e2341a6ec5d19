"""One run of the gateway: what is started is stopped, whatever happens."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from drivers.errors import ShardUnavailable
from gateway.cli import service_run
from gateway.cli.service_run import Ready, StartFailure, run
from gateway.embedded.errors import DirectoryInUseError
from gateway.embedding.port import Embedder
from gateway.settings.tree import Settings
from gateway.telemetry.telemetry import Telemetry
from tests.eventually import eventually

GIVEN = {
    "grpc": {"port": 0, "drain_grace_s": 3},
    "metrics": {"enabled": False},
    "embedder": {"kind": "none"},
    "shards": [{"id": "a", "engine": "neo4j", "url": "bolt://a"}],
    "catalog": {"url": "redis://c"},
}


class FakeGateway:
    """Notes what is done to it; `starting` and `draining` decide how long that takes."""

    address = "127.0.0.1:4242"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.events: list[str] = []
        self.starting = asyncio.Event()
        self.starting.set()
        self.draining = asyncio.Event()
        self.draining.set()
        self.telemetry = Telemetry(given())
        self.settings: Settings | None = None

    def made(self, settings: Settings, embedder: Embedder) -> "FakeGateway":
        self.settings = settings
        return self

    async def start(self) -> None:
        self.events.append("start")
        await self.starting.wait()
        if self.error is not None:
            raise self.error
        self.events.append("started")

    async def stop(self, grace_s: float) -> None:
        self.events.append(f"stop {grace_s:g}")
        if grace_s:
            await self.draining.wait()
        self.events.append("stopped")


def signalling(number: int) -> Callable[[Ready], None]:
    return lambda _: os.kill(os.getpid(), number)


def given() -> Settings:
    return Settings.model_validate(GIVEN)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_drains_and_ends_with_0(number: int) -> None:
    """Ctrl-C and a container's stop are the orderly end: calls get their grace, the code is 0."""
    gateway = FakeGateway()
    assert await run(given(), signalling(number), gateway.made) == 0
    assert gateway.events == ["start", "started", "stop 3", "stopped"]


async def test_ready_is_told_after_the_start() -> None:
    """What is announced is what runs."""
    gateway, told = FakeGateway(), list[Ready]()

    def announce(ready: Ready) -> None:
        assert gateway.events == ["start", "started"]
        told.append(ready)
        os.kill(os.getpid(), signal.SIGTERM)

    await run(given(), announce, gateway.made)
    (ready,) = told
    assert (ready.address, ready.metrics_address, ready.data_dir) == ("127.0.0.1:4242", None, None)
    assert [(shard.id, shard.engine) for shard in ready.shards] == [("a", "neo4j")]
    assert ready.embedder.kind == "none"


async def test_a_second_signal_stops_at_once() -> None:
    """A drain that hangs is cut short; the code tells that calls may have been cut off."""
    gateway = FakeGateway()
    gateway.draining.clear()
    running = asyncio.create_task(run(given(), signalling(signal.SIGTERM), gateway.made))
    await eventually(lambda: "stop 3" in gateway.events)
    os.kill(os.getpid(), signal.SIGINT)
    assert await asyncio.wait_for(running, 10) == 128 + signal.SIGINT
    assert gateway.events == ["start", "started", "stop 3", "stop 0", "stopped"]


async def test_a_signal_during_the_start() -> None:
    """Nobody has to wait for a start to end in order to stop it; what was started is stopped."""
    gateway = FakeGateway()
    gateway.starting.clear()
    told: list[Ready] = []
    running = asyncio.create_task(run(given(), told.append, gateway.made))
    await eventually(lambda: gateway.events == ["start"])
    os.kill(os.getpid(), signal.SIGINT)
    assert await asyncio.wait_for(running, 10) == 128 + signal.SIGINT
    assert (gateway.events, told) == (["start", "stop 3", "stopped"], [])


async def test_a_failed_start_is_one_sentence_and_leaves_nothing() -> None:
    """Expected failures are worded for people, and what had begun is stopped."""
    gateway = FakeGateway(ShardUnavailable("a", "refused"))
    with pytest.raises(StartFailure, match="shard a is not available"):
        await run(given(), lambda _: None, gateway.made)
    assert gateway.events == ["start", "stop 3", "stopped"]


async def test_a_bug_at_the_start_stays_a_bug() -> None:
    """Only expected failures become sentences; the rest keeps its traceback and is cleaned up, too."""
    gateway = FakeGateway(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await run(given(), lambda _: None, gateway.made)
    assert gateway.events[-1] == "stopped"


async def test_a_taken_port_is_told_before_anything_starts() -> None:
    """No engines are started for a gateway that could not listen."""
    gateway = FakeGateway()
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = Settings.model_validate(GIVEN | {"grpc": {"port": server.getsockname()[1]}})
        with pytest.raises(StartFailure, match=r"address already in use.*grpc\.port"):
            await run(settings, lambda _: None, gateway.made)
    assert gateway.events == []


class FakeFleet:
    """Stands for the embedded fleet: what it is asked for and whether it was stopped."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.events: list[str] = []
        self.catalog_url = "redis://127.0.0.1:1/0"
        self.stopping = asyncio.Event()
        self.stopping.set()

    def made(self, data_dir: Path, *, falkordb_shards: int, neo4j_shards: int, **_: object) -> "FakeFleet":
        self.events.append(f"made {falkordb_shards} {neo4j_shards}")
        return self

    @property
    def shards(self) -> tuple[object, ...]:
        from gateway.embedded.fleet import EmbeddedShard  # noqa: PLC0415

        return (EmbeddedShard("falkordb-0", "falkordb", "redis://127.0.0.1:2/0", Path("/d"), 1),)

    async def __aenter__(self) -> Self:
        if self.error is not None:
            raise self.error
        self.events.append("started")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stopping.wait()
        except asyncio.CancelledError:
            self.events.append("killed")
            raise
        self.events.append("stopped")


def embedded(tmp_path: Path) -> Settings:
    own = {name: value for name, value in GIVEN.items() if name not in ("shards", "catalog")}
    limits = {"pool_size_max": 9}
    return Settings.model_validate(own | {"embedded": {"data_dir": tmp_path}, "shard_defaults": limits})


async def test_without_shards_a_fleet_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway gets the fleet's addresses as if they had been given, and the fleet stops after it."""
    fleet, gateway, told = FakeFleet(), FakeGateway(), list[Ready]()
    monkeypatch.setattr("gateway.embedded.fleet.EmbeddedFleet", fleet.made)

    def announce(ready: Ready) -> None:
        told.append(ready)
        os.kill(os.getpid(), signal.SIGTERM)

    assert await run(embedded(tmp_path), announce, gateway.made) == 0
    assert fleet.events == ["made 3 0", "started", "stopped"]
    assert gateway.settings is not None
    assert gateway.settings.catalog.url == fleet.catalog_url
    (shard,) = gateway.settings.shards
    assert (shard.id, shard.url, shard.pool_size_max) == ("falkordb-0", "redis://127.0.0.1:2/0", 9)
    assert told[0].data_dir == tmp_path


async def test_a_second_signal_kills_the_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not end is not waited for."""
    fleet, gateway = FakeFleet(), FakeGateway()
    fleet.stopping.clear()
    monkeypatch.setattr("gateway.embedded.fleet.EmbeddedFleet", fleet.made)
    running = asyncio.create_task(run(embedded(tmp_path), signalling(signal.SIGTERM), gateway.made))
    await eventually(lambda: "stopped" in gateway.events)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 10) == 128 + signal.SIGTERM
    assert fleet.events[-1] == "killed"


async def test_a_locked_data_directory_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second gateway on the same data says who has it."""
    fleet = FakeFleet(DirectoryInUseError(tmp_path, 77, "stop it"))
    monkeypatch.setattr("gateway.embedded.fleet.EmbeddedFleet", fleet.made)
    with pytest.raises(StartFailure, match="is in use by process 77"):
        await run(embedded(tmp_path), lambda _: None, FakeGateway().made)


async def test_a_missing_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the embedded extra the way out is told: install it or give shards."""

    async def no_psutil(*_: object) -> Settings:
        raise ModuleNotFoundError("No module named 'psutil'", name="psutil")

    monkeypatch.setattr(service_run, "_with_own_fleet", no_psutil)
    with pytest.raises(StartFailure, match=r"needs psutil.*graphgate-server\[embedded\]"):
        await run(embedded(tmp_path), lambda _: None, FakeGateway().made)
