"""Where settings come from and which source wins."""

import json
from pathlib import Path

import pytest

from gateway.settings.loading import load_settings
from gateway.settings.problem import SettingsInvalid
from gateway.settings.tree import Settings

FLEET = {"GRAPHGATE_CATALOG__URL": "redis://catalog:6379/0"}
TWO_SHARDS = [
    {"id": "a", "engine": "neo4j", "url": "bolt://a:7687"},
    {"id": "b", "engine": "falkordb", "url": "redis://b:6379", "pool_size_max": 7},
]


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    return file


def problems(**sources: object) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(**{"environ": {}, **sources})  # type: ignore[arg-type]
    return [str(problem) for problem in caught.value.problems]


def test_defaults_need_no_source() -> None:
    """A gateway starts without any setting, on a fleet of its own; every source is the default."""
    loaded = load_settings(environ={})
    assert loaded.settings == Settings()
    assert loaded.settings.embedded_in_use
    assert loaded.sources == {}


def test_later_sources_win_value_by_value(tmp_path: Path) -> None:
    """profile < file < environment < command line, and each value remembers which one it came from."""
    file = write(
        tmp_path,
        'profile = "vertical"\n[grpc]\nport = 1\nconcurrent_rpcs_max = 10\n'
        "[routing]\nshard_calls_max = 11\n[metrics]\nport = 3\n",
    )
    loaded = load_settings(
        file=file,
        environ={"GRAPHGATE_ROUTING__SHARD_CALLS_MAX": "12", "GRAPHGATE_METRICS__PORT": "4"},
        overrides={"metrics.port": 5},
    )
    settings, sources = loaded.settings, loaded.sources
    assert settings.shard_defaults.pool_size_max == 200
    assert sources["shard_defaults", "pool_size_max"] == "profile vertical"
    assert (settings.grpc.port, sources["grpc", "port"]) == (1, f"file {file}")
    assert (settings.grpc.concurrent_rpcs_max, sources["grpc", "concurrent_rpcs_max"]) == (10, f"file {file}")
    assert settings.routing.shard_calls_max == 12
    assert sources["routing", "shard_calls_max"] == "environment GRAPHGATE_ROUTING__SHARD_CALLS_MAX"
    assert (settings.metrics.port, sources["metrics", "port"]) == (5, "command line")


def test_settings_file_named_by_the_environment(tmp_path: Path) -> None:
    """GRAPHGATE_SETTINGS names the file; the command line's --settings wins over it."""
    file = write(tmp_path, "pool_graphs = 3")
    other = tmp_path / "other.toml"
    other.write_text("pool_graphs = 5")
    environ = {"GRAPHGATE_SETTINGS": str(file)}
    assert load_settings(environ=environ).settings.pool_graphs == 3
    assert load_settings(environ=environ, file=other).settings.pool_graphs == 5


def test_shards_as_json_in_one_variable() -> None:
    """A whole fleet fits one variable, as container platforms like it."""
    loaded = load_settings(environ={**FLEET, "GRAPHGATE_SHARDS": json.dumps(TWO_SHARDS)})
    assert [(shard.id, shard.engine, shard.url) for shard in loaded.settings.shards] == [
        ("a", "neo4j", "bolt://a:7687"),
        ("b", "falkordb", "redis://b:6379"),
    ]
    assert not loaded.settings.embedded_in_use


def test_numbered_variables_refine_the_shards_of_the_file(tmp_path: Path) -> None:
    """The topology may stand in a file and the passwords in the environment."""
    file = write(
        tmp_path,
        '[catalog]\nurl = "redis://c"\n'
        '[[shards]]\nid = "a"\nengine = "neo4j"\nurl = "bolt://a"\n'
        '[[shards]]\nid = "b"\nengine = "neo4j"\nurl = "bolt://b"\n',
    )
    loaded = load_settings(file=file, environ={"GRAPHGATE_SHARDS__1__PASSWORD": "geheim"})
    first, second = loaded.settings.shards
    assert first.password is None
    assert second.password is not None
    assert second.password.get_secret_value() == "geheim"
    assert loaded.sources["shards", "1", "password"] == "environment GRAPHGATE_SHARDS__1__PASSWORD"
    assert loaded.sources["shards", "1", "url"] == f"file {file}"


def test_a_whole_list_replaces_the_list_below(tmp_path: Path) -> None:
    """Shards of two sources are never mixed: a list given as a whole is the list."""
    file = write(
        tmp_path,
        "".join(
            f'[[shards]]\nid = "f{n}"\nengine = "neo4j"\nurl = "bolt://f{n}"\nzone = "z"\n' for n in range(3)
        ),
    )
    loaded = load_settings(file=file, environ={**FLEET, "GRAPHGATE_SHARDS": json.dumps(TWO_SHARDS)})
    assert [(shard.id, shard.zone) for shard in loaded.settings.shards] == [("a", ""), ("b", "")]
    embedded = load_settings(file=file, environ={"GRAPHGATE_SHARDS": "[]"}).settings
    assert embedded.embedded_in_use


def test_shards_inherit_limits_with_their_source() -> None:
    """Pool sizes are set once for all shards, and one shard can still have its own."""
    loaded = load_settings(
        environ={
            **FLEET,
            "GRAPHGATE_SHARDS": json.dumps(TWO_SHARDS),
            "GRAPHGATE_SHARD_DEFAULTS__POOL_SIZE_MAX": "120",
            "GRAPHGATE_SHARD_DEFAULTS__FETCH_SIZE": "10",
        }
    )
    assert [shard.pool_size_max for shard in loaded.settings.shards] == [120, 7]
    assert [shard.fetch_size for shard in loaded.settings.shards] == [10, 10]
    source = "environment GRAPHGATE_SHARD_DEFAULTS__POOL_SIZE_MAX"
    assert loaded.sources["shards", "0", "pool_size_max"] == source
    assert loaded.sources["shards", "1", "pool_size_max"] == "environment GRAPHGATE_SHARDS"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """One start tells everything that is wrong: setting, value, source and what is allowed."""
    file = write(tmp_path, "[grpc]\nport = 70000\n[embeded]\nx = 1\n")
    told = problems(
        file=file, environ={"GRAPHGATE_LOGGING__FORMAT": "xml"}, overrides={"routing.shard_calls_max": "0"}
    )
    assert told == [
        f"embeded (file {file}): there is no such setting; did you mean embedded?",
        f"grpc.port = 70000 (file {file}): should be less than or equal to 65535",
        "logging.format = xml (environment GRAPHGATE_LOGGING__FORMAT): should be 'console' or 'json'",
        "routing.shard_calls_max = 0 (command line): should be greater than or equal to 1",
    ]


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"GRAPHGATE_SHARDS": "[{"}, "shards (environment GRAPHGATE_SHARDS): is no JSON"),
        ({"GRAPHGATE_SHARDS": "{}"}, "shards (environment GRAPHGATE_SHARDS): is a list of tables"),
        ({"GRAPHGATE_GRPC": "5"}, "grpc (environment GRAPHGATE_GRPC): is a table"),
        (
            {"GRAPHGATE_SHARDS": '[{"id": ["x"]}]'},
            "shards.0.id (environment GRAPHGATE_SHARDS): takes one value",
        ),
        ({"GRAPHGATE_SHARDS__1__ID": "x"}, "shards: must be numbered from 0 without a gap"),
        (
            {"GRAPHGATE_SHARDS__1000__ID": "x"},
            "shards.1000.id (environment GRAPHGATE_SHARDS__1000__ID): there is no",
        ),
        (
            {"GRAPHGATE_SHARDS__-1__ID": "x"},
            "shards.-1.id (environment GRAPHGATE_SHARDS__-1__ID): there is no",
        ),
        ({"GRAPHGATE_PROFILE": "fast"}, "profile = fast (environment GRAPHGATE_PROFILE): should be"),
    ],
)
def test_what_does_not_fit_the_tree_is_a_problem(environ: dict[str, str], told: str) -> None:
    """Nothing that was set is ignored: wrong shapes are errors that name the variable."""
    assert any(problem.startswith(told) for problem in problems(environ=environ)), problems(environ=environ)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"grpc = [", "is no TOML"), (b"\xff", "is no UTF-8 text"), (None, "cannot be read")],
)
def test_an_unreadable_file_is_a_problem(tmp_path: Path, content: bytes | None, told: str) -> None:
    """A settings file that was named is never skipped."""
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    (problem,) = problems(file=file)
    assert problem.startswith(f"file {file}: {told}")


def test_missing_fields_are_named() -> None:
    """A shard without its parts says which ones."""
    told = problems(environ={**FLEET, "GRAPHGATE_SHARDS": '[{"id": "a"}]'})
    assert told == ["shards.0.engine: is required", "shards.0.url: is required"]
