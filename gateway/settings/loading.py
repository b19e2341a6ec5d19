"""All sources of settings, merged and checked: defaults, profile, file, environment, command line."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, cast

from pydantic import ValidationError

from gateway.settings.effective import is_secret, shown_value
from gateway.settings.environment import SETTINGS_FILE_VARIABLE, environment_layer
from gateway.settings.file import file_layer
from gateway.settings.fleet import ShardLimits
from gateway.settings.layer import Given, Layer, Path, list_indexes, merged, nested, place_at
from gateway.settings.problem import Problem, SettingsInvalid
from gateway.settings.profiles import PROFILES
from gateway.settings.tree import ProfileName, Settings

COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    settings: Settings
    sources: Mapping[Path, str]
    """Where each value came from; a path that is not here has its default."""


def load_settings(
    *,
    file: FilePath | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> LoadedSettings:
    """Reads every source, lowest first: defaults, profile, file, environment, overrides.

    `file`: None takes the one that GRAPHGATE_SETTINGS names, if any. `overrides` go by dotted path; texts
    are read as environment variables are. Raises SettingsInvalid with everything that is wrong.
    """
    environ = os.environ if environ is None else environ
    if file is None and environ.get(SETTINGS_FILE_VARIABLE):
        file = FilePath(environ[SETTINGS_FILE_VARIABLE])
    explicit = [
        *([] if file is None else [file_layer(file)]),
        environment_layer(environ),
        _override_layer(overrides or {}),
    ]
    given = merged([_profile_layer(merged(explicit)), *explicit])
    _inherit_limits(given)
    problems = [problem for layer in explicit for problem in layer.problems]
    shards = list_indexes(given, ("shards",))
    if shards != list(range(len(shards))):
        problems.append(Problem("shards", "must be numbered from 0 without a gap"))
    try:
        settings = Settings.model_validate(nested(given))
    except ValidationError as error:
        problems += [_problem_of(cast("Mapping[str, Any]", failure), given) for failure in error.errors()]
        raise SettingsInvalid(problems) from None
    if problems:
        raise SettingsInvalid(problems)
    return LoadedSettings(settings, {path: value.source for path, value in given.items()})


def _override_layer(overrides: Mapping[str, object]) -> Layer:
    layer = Layer()
    for dotted, value in sorted(overrides.items(), key=lambda pair: pair[0].count(".")):
        path = tuple(dotted.split("."))
        if isinstance(value, str):
            layer.put_text(path, value, COMMAND_LINE)
        else:
            layer.put(path, value, COMMAND_LINE)
    return layer


def _profile_layer(explicit: Mapping[Path, Given]) -> Layer:
    """The defaults of the chosen profile; an unknown name is left to the check of the tree."""
    chosen = explicit.get(("profile",))
    layer = Layer()
    if chosen is not None and chosen.value in PROFILES:
        name = cast("ProfileName", chosen.value)
        for dotted, value in PROFILES[name].items():
            layer.put(tuple(dotted.split(".")), value, f"profile {name}")
    return layer


def _inherit_limits(given: dict[Path, Given]) -> None:
    """Writes shard_defaults into each shard that does not say otherwise."""
    for index in list_indexes(given, ("shards",)):
        for name in ShardLimits.model_fields:
            inherited = given.get(("shard_defaults", name))
            if inherited is not None:
                given.setdefault(("shards", str(index), name), inherited)


def _problem_of(failure: Mapping[str, Any], given: Mapping[Path, Given]) -> Problem:
    path: Path = tuple(str(part) for part in cast("Sequence[object]", failure["loc"]))
    while path and place_at(path) is None:
        # Below a value pydantic names the variant of a union: not a path of ours.
        path = path[:-1]
    advice = str(failure["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if failure["type"] == "missing":
        advice = "is required"
    found = given.get(path)
    return Problem(
        ".".join(path),
        advice[:1].lower() + advice[1:],
        shown=None if found is None or is_secret(path) else shown_value(found.value),
        source=None if found is None else found.source,
    )
