"""What the tree of settings promises and refuses."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings.fleet import CatalogSettings, EmbeddedSettings, ShardLimits, ShardSettings
from gateway.settings.service import EmbedderSection, GrpcSettings
from gateway.settings.tree import Settings

REDIS = {"id": "a", "engine": "falkordb", "url": "redis://h"}
BOLT = {"id": "a", "engine": "neo4j", "url": "bolt://h"}


def refusal(make: Any, **given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        make.model_validate(given)
    return "; ".join(str(failure["msg"]) for failure in caught.value.errors())


def test_default_limits_of_a_shard() -> None:
    """The documented figures: 50 connections for an hour, waits of 60, 30 and 30 s, 100 queries at once."""
    assert ShardLimits().model_dump() == {
        "pool_size_max": 50,
        "connection_lifetime_s": 3600.0,
        "acquire_timeout_s": 60.0,
        "connect_timeout_s": 30.0,
        "query_timeout_s_max": 30.0,
        "concurrent_queries_max": 100,
        "fetch_size": 1000,
        "write_lane": True,
    }
    assert ShardLimits(pool_size_max=200).pool_size_max == 200
    assert "200" in refusal(ShardLimits, pool_size_max=201)


def test_default_limits_of_a_call() -> None:
    """30 s for a call that names no deadline, 300 s at most; 16 MiB in, below the clients' 4 MiB out."""
    grpc = GrpcSettings()
    assert (grpc.default_deadline_s, grpc.deadline_s_max, grpc.drain_grace_s) == (30.0, 300.0, 20.0)
    assert grpc.message_bytes_max == 16 * 1024 * 1024
    assert grpc.reply_bytes_max < 4 * 1024 * 1024
    assert "default_deadline_s" in refusal(GrpcSettings, default_deadline_s=31, deadline_s_max=30)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0, -1])
def test_a_limit_is_a_positive_finite_number(number: float) -> None:
    """No setting switches a limit off by accident."""
    assert refusal(GrpcSettings, deadline_s_max=number)
    assert refusal(ShardLimits, query_timeout_s_max=number)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({**BOLT, "url": "redis://h"}, "bolt or bolt+s"),
        ({**REDIS, "url": "bolt://h"}, "redis or rediss"),
        ({**REDIS, "url": "redis://"}, "redis://host:port"),
        ({**REDIS, "url": "redis://h:99999"}, "redis://host:port"),
        ({**REDIS, "url": "unix://"}, "unix:///run/db.sock"),
        ({**BOLT, "url": "bolt://u@h"}, "give them as user and password"),
        ({**REDIS, "url": "redis://:x@h", "password": "y"}, "twice"),
        ({**REDIS, "id": "a b"}, "rename the shard"),
        ({**REDIS, "id": ""}, "rename the shard"),
        ({**REDIS, "weight": 0}, "greater than 0"),
        ({**REDIS, "weight": 100.01}, "less than or equal to 100"),
        ({**REDIS, "weight": 0.001}, "two decimals"),
        ({**REDIS, "tls": {"verify": False}}, "does nothing with this URL"),
        ({**BOLT, "url": "bolt+ssc://h"}, "bolt+s"),
        ({**BOLT, "url": "bolt://h", "tls": {"verify": False}}, "does nothing with this URL"),
        ({**REDIS, "url": "rediss://h", "tls": {"ca_file": "/nowhere.pem"}}, "no such file"),
        ({**REDIS, "engine": "memgraph"}, "'falkordb' or 'neo4j'"),
    ],
)
def test_a_shard_that_cannot_work_is_refused(given: dict[str, Any], told: str) -> None:
    """A wrong shard stops the start with a sentence, not a query later on."""
    assert told in refusal(ShardSettings, **given)


@pytest.mark.parametrize(
    "given",
    [
        {**REDIS, "url": "rediss://h:6380", "tls": {"verify": False}},
        {**REDIS, "url": "unix:///run/falkordb.sock"},
        {**REDIS, "url": "redis://[::1]:6379/0"},
        {**REDIS, "engine": "FalkorDB", "weight": 2.55, "zone": "eu-1"},
        {**BOLT, "url": "bolt+s://h", "user": "neo4j", "password": "x", "tls": {"ca_file": __file__}},
    ],
)
def test_shards_that_can_work(given: dict[str, Any]) -> None:
    """Both engines with and without TLS, by name or socket."""
    shard = ShardSettings.model_validate(given)
    assert shard.engine in ("falkordb", "neo4j")


def test_the_fleet_is_whole_or_not_given() -> None:
    """Shards without a catalog, a catalog without shards, and twins are refused; so is no shard at all."""
    shard = ShardSettings.model_validate(REDIS)
    catalog = CatalogSettings(url="redis://c")
    assert "catalog.url" in refusal(Settings, shards=(shard,))
    assert "without shards" in refusal(Settings, catalog=catalog)
    assert "same id a" in refusal(Settings, shards=(shard, shard), catalog=catalog)
    assert "no shard" in refusal(Settings, embedded={"data_dir": "/tmp", "falkordb_shards": 0})
    assert Settings(shards=(shard,), catalog=catalog).shards == (shard,)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "openai"}, "needs an api_key"),
        ({"kind": "auto", "api_key": "x"}, "api_key only serves kind openai"),
        ({"kind": "local", "base_url": "http://h/v1", "dimension": 3}, "base_url, dimension only serves"),
        ({"kind": "none", "model": "m"}, "takes no model"),
        ({"kind": "openai", "base_url": "ftp://h"}, "http or https"),
    ],
)
def test_embedder_settings_that_would_be_ignored_are_refused(given: dict[str, Any], told: str) -> None:
    """A key or a model that the chosen kind would not use is a mistake that is told."""
    assert told in refusal(EmbedderSection, **given)


def test_a_catalog_user_needs_a_password() -> None:
    """Half of the credentials would be left out unseen."""
    assert "without password" in refusal(CatalogSettings, url="redis://c", user="u")


def test_unknown_names_are_refused() -> None:
    """Also where the tree is built in code."""
    assert "Extra inputs" in refusal(Settings, grcp={})


def test_an_embedded_fleet_becomes_a_given_one(tmp_path: Path) -> None:
    """From with_fleet on nothing tells the two apart; its pooled graphs are the embedded ones'."""
    settings = Settings(embedded=EmbeddedSettings(data_dir=tmp_path, pool_graphs=4), pool_graphs=16)
    found = settings.with_fleet([ShardSettings.model_validate(REDIS)], "redis://127.0.0.1:1/0")
    assert not found.embedded_in_use
    assert (found.catalog.url, found.pool_graphs) == ("redis://127.0.0.1:1/0", 4)
    assert found.grpc == settings.grpc


def test_data_goes_where_the_user_keeps_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_DATA_HOME and XDG_CACHE_HOME are followed; relative ones are ignored, as their standard says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    settings = Settings()
    assert settings.embedded.data_dir == tmp_path / ".local/share/graphgate"
    assert settings.cache == tmp_path / "c/graphgate"


def test_a_folder_is_absolute_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory does not move when the process changes its own."""
    monkeypatch.chdir(tmp_path)
    assert EmbeddedSettings(data_dir=Path("data")).data_dir == tmp_path / "data"
    (tmp_path / "file").touch()
    assert "is a file" in refusal(EmbeddedSettings, data_dir="file")
