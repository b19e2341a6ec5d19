"""Commands that other modules of the distribution bring."""

import sys
from pathlib import Path

import pytest

from gateway.cli.further import ENTRY_POINT_GROUP, further_commands
from tests.unit.gateway.cli.command import graphgate


def _install(monkeypatch: pytest.MonkeyPatch, folder: Path, entry: str, source: str | None) -> None:
    """A distribution in `folder` that registers one command; `source` of its module, None: left out."""
    metadata = folder / "further-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: further\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nsome = {entry}\n")
    if source is not None:
        (folder / "further_module.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "further_module", raising=False)


def _names() -> list[str]:
    return [command.__name__ for command in further_commands()]


def test_a_registered_function_is_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An entry point of the group is enough."""
    _install(monkeypatch, tmp_path, "further_module:some", "def some() -> None: ...\n")
    assert "some" in _names()


def test_a_command_whose_module_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """As in the wheel, which registers the commands of its tests and does not bring them."""
    before = _names()
    _install(monkeypatch, tmp_path, "further_absent.command:some", None)
    assert _names() == before


@pytest.mark.parametrize(
    ("source", "error"),
    [("import module_that_is_nowhere\n", ModuleNotFoundError), ("raise ValueError('broken')\n", ValueError)],
)
def test_a_command_that_cannot_be_loaded_is_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, error: type[Exception]
):
    """Only the command's own absence is expected: what fails inside it is raised."""
    _install(monkeypatch, tmp_path, "further_module:some", source)
    with pytest.raises(error):
        _names()


async def test_crash_is_there_beside_the_sources(tmp_path: Path):
    """`graphgate crash` comes with the repository's own environment and explains its options."""
    done = await graphgate("crash", "--help", home=tmp_path)
    assert done.code == 0
    assert [option for option in ("--seconds", "--seed", "--json") if option not in done.out] == []
