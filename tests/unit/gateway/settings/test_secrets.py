"""A secret that was set is never shown again, whatever is printed and whatever is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.effective import effective, shown_value
from gateway.settings.loading import load_settings
from gateway.settings.problem import SettingsInvalid
from gateway.settings.section import without_secrets

SECRET = "geheim-7f3a"
SHARD = {"id": "a", "engine": "falkordb", "url": "redis://a:6379"}
VALID: list[dict[str, str]] = [
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"password": SECRET}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"url": f"redis://user:{SECRET}@a:6379/0"}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"url": f"redis://:{SECRET}@a:6379/0"}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"url": f"redis://a:6379/0?password={SECRET}"}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD]), "GRAPHGATE_CATALOG__URL": f"redis://{SECRET}@c:6379"},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD]), "GRAPHGATE_CATALOG__PASSWORD": SECRET},
    {"GRAPHGATE_EMBEDDER__KIND": "openai", "GRAPHGATE_EMBEDDER__API_KEY": SECRET},
    {"GRAPHGATE_EMBEDDER__KIND": "openai", "GRAPHGATE_EMBEDDER__BASE_URL": f"http://u:{SECRET}@h/v1"},
]
INVALID: list[dict[str, str]] = [
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"pasword": SECRET}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"password": [SECRET]}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"password": 5, "user": {"x": SECRET}}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"url": f"redis://user:{SECRET}/x@a:6379"}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"url": f"bolt://user:{SECRET}@a:6379"}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"engine": "neo4j", "url": f"bolt://u:{SECRET}@a"}])},
    {"GRAPHGATE_SHARDS": json.dumps([SHARD | {"url": f"redis://u:{SECRET}@a", "password": SECRET}])},
    {"GRAPHGATE_SHARDS": f'[{{"password": "{SECRET}"'},
    {"GRAPHGATE_SHARDS": SECRET},
    {"GRAPHGATE_GRPC": SECRET},
    {"GRAPHGATE_EMBEDDER__API_KEY": SECRET},
    {"GRAPHGATE_EMBEDDER__APIKEY": SECRET},
    {"GRAPHGATE_API_KEY": SECRET},
    {"GRAPHGATE_CATALOG__URL": f"http://{SECRET}@c"},
    {"GRAPHGATE_CATALOG__URL": f"redis://u:{SECRET}@c"},
]


@pytest.mark.parametrize("environ", VALID)
def test_the_effective_settings_hide_secrets(environ: dict[str, str]) -> None:
    """`graphgate config` and every repr that a log may hold are safe to paste into a ticket."""
    if "GRAPHGATE_SHARDS" in environ:
        environ = {"GRAPHGATE_CATALOG__URL": "redis://c", **environ}
    loaded = load_settings(environ=environ)
    rows = effective(loaded.settings, loaded.sources)
    shown = " ".join(f"{row.name} {row.shown} {row.value} {row.source}" for row in rows)
    assert SECRET not in shown
    assert "********" in shown
    assert SECRET not in repr(loaded)
    assert SECRET in _everything(loaded.settings.model_dump())


@pytest.mark.parametrize("environ", INVALID)
def test_problems_hide_secrets(environ: dict[str, str]) -> None:
    """What is wrong is told without what was given, also where a secret stands in a misspelt field."""
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(environ=environ)
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.problems!r}"
    assert caught.value.__cause__ is None


@given(
    user=st.text(st.characters(codec="ascii", categories=["L", "N"])),
    password=st.text(min_size=3).map(lambda text: f"<{text}>"),
)
def test_no_password_slips_out_of_a_url(user: str, password: str) -> None:
    """Also passwords with slashes, at signs and question marks that should have been escaped."""
    shown = without_secrets(f"redis://{user}:{password}@host:6379/0")
    assert shown == f"redis://{user}:********@host:6379/0"


def test_what_is_no_url_stays_as_it_is() -> None:
    """Only URLs are changed: an at sign elsewhere is no password."""
    assert shown_value("someone@example.org") == "someone@example.org"
    assert shown_value("redis://host:6379/0?db=1") == "redis://host:6379/0?db=1"


def _everything(value: Any) -> str:
    if hasattr(value, "get_secret_value"):
        return str(value.get_secret_value())
    if isinstance(value, dict):
        return " ".join(_everything(item) for item in value.values())
    if isinstance(value, tuple):
        return " ".join(_everything(item) for item in value)
    return str(value)
