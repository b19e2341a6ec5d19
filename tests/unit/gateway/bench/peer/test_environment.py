"""The cached environment of graphiti-core."""

from pathlib import Path

from gateway.bench.peer.environment import environment_dir, installed_python


def test_an_environment_counts_only_when_it_was_made_to_the_end(tmp_path: Path) -> None:
    """An interrupted installation must not be taken for one that is there."""
    python = environment_dir(tmp_path) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert installed_python(tmp_path) is None
    (environment_dir(tmp_path) / ".complete").touch()
    assert installed_python(tmp_path) == python
