"""The command line itself."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.gateway.cli.command import graphgate

HEAVY = ("grpc", "numpy", "pydantic", "structlog", "neo4j", "redis", "falkordb", "openai", "onnxruntime")


def test_the_command_line_loads_nothing_heavy() -> None:
    """`graphgate --help` answers at once: every library of the gateway is loaded inside its command."""
    code = f"import sys, gateway.cli.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [["--help"], []])
async def test_help_names_every_command(tmp_path: Path, arguments: list[str]) -> None:
    """A new user finds the commands without any document."""
    done = await graphgate(*arguments, home=tmp_path)
    for command in ("serve", "worker", "status", "failures", "config", "explain", "demo", "bench"):
        assert f"│ {command} " in done.out + done.err


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (["serve"], ["--settings", "--set", "--data-dir", "--port", "--profile", "--json"]),
        (["worker"], ["--settings", "--set", "--strategy", "--metrics-port", "--json"]),
        (["status"], ["--address", "--timeout-s", "--json"]),
        (["failures", "list"], ["--group", "--limit", "--address", "--json"]),
        (["failures", "replay"], ["--all", "--address", "--json"]),
        (["config"], ["--settings", "--set", "--json"]),
        (["explain"], ["--engine", "--shape", "--list", "--profile", "--no-profile", "--settings", "--json"]),
        (["demo"], ["--json"]),
        (["bench", "write"], ["--engine", "--json"]),
        (["bench", "ingest"], ["--engine", "--peer", "--episodes", "--latencies", "--json"]),
        (["bench", "peer"], ["--engine", "--entities", "--facts", "--json"]),
        (["bench", "search"], ["--engine", "--sizes", "--shards", "--groups", "--parts", "--json"]),
    ],
)
async def test_every_command_explains_its_options(
    tmp_path: Path, command: list[str], options: list[str]
) -> None:
    """Each command has help, and --json where it prints anything."""
    done = await graphgate(*command, "--help", home=tmp_path)
    assert done.code == 0
    assert [option for option in options if option not in done.out] == []


async def test_version(tmp_path: Path) -> None:
    """The version is that of the installed distribution."""
    done = await graphgate("--version", home=tmp_path)
    assert done.out == f"graphgate {importlib.metadata.version('graphgate-server')}\n"


async def test_unknown_words_are_usage_errors(tmp_path: Path) -> None:
    """Code 2 and a hint on standard error, as command lines do."""
    done = await graphgate("serv", home=tmp_path)
    assert done.code == 2
    assert "serve" in done.err
    assert done.out == ""
