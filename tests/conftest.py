"""Fixtures for every test."""

from pathlib import Path

import pytest

pytest_plugins = ["tests.engines"]

_TIMED = tuple(Path(__file__).parent / layer for layer in ("integration", "robustness"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with real deadlines, of real servers, run once more when they fail: a machine that others use can
    be slower than any deadline. The report names those that needed it (R, and a line each in the summary)."""
    for item in items:
        if any(item.path.is_relative_to(layer) for layer in _TIMED):
            item.add_marker(pytest.mark.flaky(reruns=1))
