"""`graphgate eval` as far as it goes without a fleet."""

from pathlib import Path

import pytest

from tests.unit.gateway.cli.command import graphgate


async def test_the_command_explains_its_options(tmp_path: Path):
    """A user finds out what can be chosen, the layouts' names included."""
    done = await graphgate("eval", "--help", home=tmp_path)
    assert done.code == 0
    for word in (
        "--data",
        "--layouts",
        "--questions",
        "--passages",
        "--json",
        "--ingest",
        "falkordb_8",
        "single_group",
    ):
        assert word in done.out


async def test_an_unknown_layout_is_a_usage_error(tmp_path: Path):
    """Code 2 and the names that there are, before anything is started."""
    done = await graphgate("eval", "--layouts=falkordb_3", home=tmp_path)
    assert done.code == 2
    assert "falkordb_4" in done.err


async def test_an_unknown_way_of_ingestion_is_a_usage_error(tmp_path: Path):
    """Likewise."""
    done = await graphgate("eval", "--ingest=magic", home=tmp_path)
    assert done.code == 2
    assert "both" in done.err


@pytest.mark.parametrize(
    ("options", "problem"),
    [(["--data={home}"], "corpus.json"), (["--passages=2"], "no question")],
)
async def test_what_cannot_be_measured_is_one_sentence(tmp_path: Path, options: list[str], problem: str):
    """Code 1, what is missing, no traceback; no fleet is started."""
    done = await graphgate("eval", *(option.format(home=tmp_path) for option in options), home=tmp_path)
    assert done.code == 1
    assert problem in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
