"""Where Neo4j's jars and Java are looked for."""

import re
from pathlib import Path

import pytest

from gateway.embedded import find_neo4j_lib, java_major, missing_for_neo4j
from gateway.embedded.neo4j_process import NEO4J_VERSION

TESTS = Path(__file__).parents[3]


def _fetched(cache: Path) -> Path:
    lib = cache / f"neo4j-{NEO4J_VERSION}" / "lib"
    lib.mkdir(parents=True)
    (lib / ".complete").touch()
    return lib


def test_the_version_is_the_one_that_is_fetched():
    """Whoever raises the version in one place is told of the other."""
    pom = (TESTS / "neo4j" / "pom.xml").read_text()
    assert re.findall("<neo4j.version>(.*)</neo4j.version>", pom) == [NEO4J_VERSION]


def test_the_cache_is_where_the_fetching_script_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """GRAPHGATE_CACHE wins over XDG_CACHE_HOME, which wins over the home; empty counts as not set."""
    own = _fetched(tmp_path / "own")
    xdg = _fetched(tmp_path / "xdg" / "graphgate")
    home = _fetched(tmp_path / "home" / ".cache" / "graphgate")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("GRAPHGATE_CACHE", str(tmp_path / "own"))
    assert find_neo4j_lib() == own
    monkeypatch.setenv("GRAPHGATE_CACHE", "")
    assert find_neo4j_lib() == xdg
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert find_neo4j_lib() == home


def test_jars_that_were_not_fetched_to_the_end_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An interrupted fetch is no installation."""
    monkeypatch.setenv("GRAPHGATE_CACHE", str(tmp_path))
    (_fetched(tmp_path) / ".complete").unlink()
    assert find_neo4j_lib() is None


@pytest.mark.parametrize(
    ("version_line", "major"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_401"', 1), ("no such thing", None)],
)
def test_the_version_of_java_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version_line: str, major: int | None
):
    """Java writes its version to stderr; one that Neo4j does not run on is reported as missing."""
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{version_line}' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert java_major() == major
    assert (missing_for_neo4j(tmp_path) is None) == (major == 17)


def test_without_java_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No Java on the PATH is a state, not a crash."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java_major() is None
    assert missing_for_neo4j(tmp_path) == "Java is missing"
