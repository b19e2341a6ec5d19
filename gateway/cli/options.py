"""Options that several commands share, and the settings that they make."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import SETTINGS_WRONG, fail

if TYPE_CHECKING:
    from gateway.settings.loading import LoadedSettings

AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        "-f",
        help="TOML file of settings; default: the one that GRAPHGATE_SETTINGS names, if any.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="PATH=VALUE",
        help="One setting, e.g. grpc.port=0; repeatable, wins over all others.",
    ),
]


def load(
    file: Path | None, sets: Sequence[str] | None, named: Mapping[str, object | None], *, as_json: bool
) -> "LoadedSettings":
    """Every source of settings; `named` are options of the command line by path, None when not given.

    Ends the command with SETTINGS_WRONG and a readable list when something is wrong.
    """
    from gateway.settings.loading import load_settings  # noqa: PLC0415
    from gateway.settings.problem import SettingsInvalid  # noqa: PLC0415

    overrides: dict[str, object] = {}
    for assignment in sets or ():
        path, equals, value = assignment.partition("=")
        if not equals:
            fail(f"--set {path!r} has no value; write PATH=VALUE", SETTINGS_WRONG, as_json=as_json)
        overrides[path] = value
    overrides |= {path: value for path, value in named.items() if value is not None}
    try:
        return load_settings(file=file, overrides=overrides)
    except SettingsInvalid as error:
        fail(str(error), SETTINGS_WRONG, as_json=as_json)
