"""The named sets of defaults."""

from operator import attrgetter
from typing import cast, get_args

import pytest

from gateway.settings.loading import load_settings
from gateway.settings.profiles import PROFILES
from gateway.settings.tree import ProfileName, Settings


def test_every_profile_exists() -> None:
    """The names that the tree accepts are the ones that have a set."""
    assert set(PROFILES) == set(get_args(ProfileName.__value__))


@pytest.mark.parametrize(
    ("name", "calls", "batch", "pool"),
    [
        ("balanced", 30, 25, 50),
        ("high_throughput", 50, 50, 50),
        ("low_latency", 20, 10, 50),
        ("vertical", 100, 100, 200),
    ],
)
def test_profiles_set_concurrency_batch_and_pool(name: str, calls: int, batch: int, pool: int) -> None:
    """The documented figures of each profile."""
    settings = load_settings(environ={"GRAPHGATE_PROFILE": name}).settings
    assert settings.profile == name
    assert settings.routing.shard_calls_max == calls
    assert settings.embedder.batch_max == batch
    assert settings.shard_defaults.pool_size_max == pool


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_explicit_values_win_over_the_profile(name: str) -> None:
    """A profile is a set of defaults and nothing more, wherever it is chosen."""
    paths = PROFILES[cast("ProfileName", name)]
    overrides = {path: attrgetter(path)(Settings()) for path in paths}
    loaded = load_settings(environ={"GRAPHGATE_PROFILE": name}, overrides=overrides)
    assert loaded.settings == Settings(profile=cast("ProfileName", name))
    assert {loaded.sources[tuple(path.split("."))] for path in paths} <= {"command line"}


def test_the_default_profile_is_the_tree_itself() -> None:
    """`balanced` named and not named are the same gateway."""
    named = load_settings(environ={"GRAPHGATE_PROFILE": "balanced"}).settings
    assert named == Settings()
