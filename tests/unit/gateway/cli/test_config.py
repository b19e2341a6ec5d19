"""`graphgate config`."""

import json
from pathlib import Path

from tests.unit.gateway.cli.command import graphgate

FLEET = {
    "GRAPHGATE_CATALOG__URL": "redis://:geheim@c:6379/0",
    "GRAPHGATE_SHARDS": '[{"id": "a", "engine": "neo4j", "url": "bolt://a", "password": "geheim"}]',
}


async def test_values_with_their_sources(tmp_path: Path) -> None:
    """Each effective setting on a line of its own with where it came from; secrets are hidden."""
    file = tmp_path / "graphgate.toml"
    file.write_text("[grpc]\nport = 7\n")
    done = await graphgate(
        "config", "--settings", str(file), "--set", "metrics.port=0", home=tmp_path, env=FLEET
    )
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.out.splitlines()}
    assert rows["SETTING"] == ["VALUE", "SOURCE"]
    assert rows["grpc.port"] == ["7", f"file {file}"]
    assert rows["grpc.host"] == ["127.0.0.1", "default"]
    assert rows["metrics.port"] == ["0", "command line"]
    assert rows["shards.0.password"] == ["********", "environment GRAPHGATE_SHARDS"]
    assert rows["catalog.url"] == ["redis://:********@c:6379/0", "environment GRAPHGATE_CATALOG__URL"]
    assert rows["embedded.data_dir"] == [str(tmp_path / ".local/share/graphgate"), "default"]
    assert "geheim" not in done.out + done.err


async def test_json_for_programs(tmp_path: Path) -> None:
    """The same as typed values, with the variable that sets each."""
    done = await graphgate("config", "--json", home=tmp_path, env=FLEET)
    settings = {entry["setting"]: entry for entry in json.loads(done.out)["settings"]}
    assert settings["grpc.port"] == {
        "setting": "grpc.port",
        "value": 50051,
        "source": "default",
        "environment": "GRAPHGATE_GRPC__PORT",
    }
    assert settings["shards.0.password"]["value"] == "********"
    assert "geheim" not in done.out


async def test_wrong_settings_are_one_list(tmp_path: Path) -> None:
    """Exit code 2, every problem, no traceback; with --json the same text for a program, too."""
    done = await graphgate("config", "--json", "-s", "grpc.port=x", "-s", "what=1", home=tmp_path)
    assert done.code == 2
    assert "2 settings are wrong" in done.err
    assert "grpc.port = x (command line)" in done.err
    assert "Traceback" not in done.err
    failed = json.loads(done.out)
    assert (failed["event"], failed["exit_code"]) == ("failed", 2)


async def test_an_assignment_needs_a_value(tmp_path: Path) -> None:
    """--set without = is told, not guessed."""
    done = await graphgate("config", "--set", "grpc.port", home=tmp_path)
    assert done.code == 2
    assert "PATH=VALUE" in done.err
