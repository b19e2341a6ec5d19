"""`graphgate serve` as a user runs it, on real engines."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.unit.gateway.cli.command import Finished, clean_environment, graphgate, start_graphgate

READY_S = 60
ARGUMENTS = ("serve", "--json", "--port", "0", "--metrics-port", "0", "--set", "embedder.kind=none")
ONE_SHARD = ("--set", "embedded.falkordb_shards=1")


class Serving:
    """A gateway process that has told that it is ready."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready

    @property
    def engines(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def stopped(self, number: int) -> Finished:
        self.process.send_signal(number)
        out, err = await asyncio.wait_for(self.process.communicate(), READY_S)
        assert self.process.returncode is not None
        return Finished(self.process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def serving(home: Path, data_dir: Path) -> AsyncGenerator[Serving]:
    process = await start_graphgate(
        *ARGUMENTS, *ONE_SHARD, "--data-dir", str(data_dir), env=clean_environment(home)
    )
    children: list[psutil.Process] = []
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
        assert line, (await process.stderr.read()).decode()
        served = Serving(process, json.loads(line))
        children = served.engines
        yield served
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        await process.wait()


async def test_serve_status_stop(tmp_path: Path) -> None:
    """One command serves; status finds it healthy; SIGTERM ends it with code 0 and no engine is left."""
    async with serving(tmp_path, tmp_path / "data") as gateway:
        ready = gateway.ready
        assert ready["event"] == "ready"
        assert ready["data_dir"] == str(tmp_path / "data")
        assert [shard["id"] for shard in ready["shards"]] == ["falkordb-0"]
        engines = gateway.engines
        assert len(engines) >= 2
        status = await graphgate("status", "--address", ready["address"], "--json", home=tmp_path)
        assert status.code == 0, status.out + status.err
        done = await gateway.stopped(signal.SIGTERM)
        assert done.code == 0, done.err
        assert json.loads(done.out.splitlines()[-1]) == {"event": "stopped", "exit_code": 0}
        assert [engine for engine in engines if engine.is_running()] == []


async def test_data_and_ports_belong_to_one_gateway(tmp_path: Path) -> None:
    """A second gateway on the same data or the same port fails with one sentence and code 1."""
    async with serving(tmp_path, tmp_path / "data") as gateway:
        second = await graphgate(*ARGUMENTS, *ONE_SHARD, "--data-dir", str(tmp_path / "data"), home=tmp_path)
        assert second.code == 1
        assert json.loads(second.out)["event"] == "failed"
        assert "is in use by process" in json.loads(second.out)["error"]
        assert "Traceback" not in second.err
        port = gateway.ready["address"].rpartition(":")[2]
        third = await graphgate(
            "serve", "--port", port, "--metrics-port", "0", "--data-dir", str(tmp_path / "o"), home=tmp_path
        )
        assert third.code == 1
        assert third.out == ""
        assert "graphgate: cannot listen on 127.0.0.1" in third.err
        assert "Traceback" not in third.err
        assert not (tmp_path / "o").exists()
        done = await gateway.stopped(signal.SIGINT)
        assert done.code == 0, done.err


async def test_wrong_settings_end_with_2(tmp_path: Path) -> None:
    """A misspelt setting stops the start before anything is made."""
    done = await graphgate("serve", "--port", "70000", "--set", "grcp.port=1", home=tmp_path)
    assert done.code == 2
    assert "grpc.port = 70000 (command line): should be less than or equal to 65535" in done.err
    assert not (tmp_path / ".local").exists()
