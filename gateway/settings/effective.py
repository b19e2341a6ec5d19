"""The settings in force, each with its source, without secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import cast, get_args

from pydantic import SecretStr

from gateway.settings.layer import Path
from gateway.settings.section import SECRET_SHOWN, Section, without_secrets
from gateway.settings.tree import Settings

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    path: Path
    value: str | int | float | bool | None
    """For programs: typed, a secret as ********."""
    source: str
    """default, profile NAME, file PATH, environment NAME or command line."""

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def shown(self) -> str:
        """For people."""
        return shown_value(self.value)


def effective(settings: Settings, sources: Mapping[Path, str]) -> list[EffectiveSetting]:
    """Every value in the order of the tree."""
    return [
        EffectiveSetting(path, _plain(value), sources.get(path, DEFAULT))
        for path, value in _values(settings, ())
    ]


def is_secret(path: Path) -> bool:
    """Whether the field at this path holds a secret."""
    inside: type[Section] = Settings
    for name in path:
        known = inside.model_fields.get(name)
        if known is None:
            continue
        if known.annotation is SecretStr or SecretStr in get_args(known.annotation):
            return True
        kinds = (known.annotation, *get_args(known.annotation))
        inside = next(
            (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), inside
        )
    return False


def shown_value(value: object) -> str:
    """A value as one writes it, passwords in URLs hidden; a value that is not set is a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return without_secrets(str(value))


def _values(section: Section, prefix: Path) -> Iterator[tuple[Path, object]]:
    for name in type(section).model_fields:
        value: object = getattr(section, name)
        path = (*prefix, name)
        if isinstance(value, Section):
            yield from _values(value, path)
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                yield from _values(item, (*path, str(index)))
        elif isinstance(value, dict):
            for key, item in cast("dict[str, object]", value).items():
                yield (*path, key), item
        else:
            yield path, value


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, SecretStr):
        return SECRET_SHOWN
    if isinstance(value, FilePath):
        return str(value)
    if isinstance(value, str):
        return without_secrets(value)
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError(f"a setting of type {type(value).__name__} has no plain form; add it here")
