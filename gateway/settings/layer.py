"""One source of settings as flat paths, and how layers of them become one tree."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, get_args, get_origin

from gateway.settings.problem import Problem
from gateway.settings.section import Section
from gateway.settings.tree import SHARDS_MAX, Settings

type Path = tuple[str, ...]
"""E.g. ("shards", "0", "url")."""


class Place(Enum):
    VALUE = "value"
    SECTION = "section"
    LIST = "list"
    """Of sections."""


@dataclass(frozen=True, slots=True)
class Given:
    value: object
    source: str
    """E.g. "environment GRAPHGATE_GRPC__PORT"."""


@dataclass(slots=True)
class Layer:
    """What one source says. Later layers win, value by value."""

    values: dict[Path, Given] = field(default_factory=dict[Path, Given])
    whole_lists: set[Path] = field(default_factory=set[Path])
    """Lists given as a whole: they replace those of earlier layers, they are not mixed with them."""
    problems: list[Problem] = field(default_factory=list[Problem])

    def put(self, path: Path, value: object, source: str) -> None:
        """Takes a value, a table or a list; what does not fit the tree of settings becomes a problem."""
        place = place_at(path)
        if place is None:
            self.problems.append(Problem(".".join(path), _unknown_advice(path), source=source))
        elif place is Place.VALUE:
            if isinstance(value, dict | list):
                self._refuse(path, "takes one value, not a table or a list", source)
            else:
                self.values[path] = Given(value, source)
        elif place is Place.SECTION:
            if not isinstance(value, dict):
                self._refuse(path, "is a table; give its settings one by one", source)
                return
            for name, item in value.items():
                self.put((*path, str(name)), item, source)
        else:
            if not isinstance(value, list):
                self._refuse(path, "is a list of tables", source)
                return
            self.whole_lists.add(path)
            for index, item in enumerate(value):
                self.put((*path, str(index)), item, source)

    def put_text(self, path: Path, text: str, source: str) -> None:
        """As put, for a source that knows only texts: tables and lists are JSON."""
        if place_at(path) not in (Place.SECTION, Place.LIST):
            self.put(path, text, source)
            return
        try:
            value = json.loads(text)
        except ValueError:
            self._refuse(path, "is no JSON; write a list or a table in JSON", source)
            return
        self.put(path, value, source)

    def _refuse(self, path: Path, advice: str, source: str) -> None:
        self.problems.append(Problem(".".join(path), advice, source=source))


def place_at(path: Path) -> Place | None:
    """What the tree of settings has at this path; None: nothing."""
    inside: type[Section] = Settings
    names = iter(path)
    for name in names:
        known = inside.model_fields.get(name)
        if known is None:
            return None
        section, listed = _section_of(known.annotation)
        if get_origin(known.annotation) is dict:
            # A table whose names are not given here.
            return Place.SECTION if next(names, None) is None else _last(names)
        if section is None:
            return Place.VALUE if next(names, None) is None else None
        if listed:
            index = next(names, None)
            if index is None:
                return Place.LIST
            if not index.isdecimal() or not index.isascii() or int(index) >= SHARDS_MAX:
                return None
        inside = section
    return Place.SECTION


def _last(names: Iterator[str]) -> Place | None:
    return Place.VALUE if next(names, None) is None else None


def merged(layers: Sequence[Layer]) -> dict[Path, Given]:
    """All layers as one, later ones winning."""
    values: dict[Path, Given] = {}
    for layer in layers:
        for whole in layer.whole_lists:
            values = {path: given for path, given in values.items() if path[: len(whole)] != whole}
        values |= layer.values
    return values


def nested(values: Mapping[Path, Given]) -> dict[str, Any]:
    """The tree that these paths describe; a list's items in the order of their numbers."""
    tree: dict[str, Any] = {}
    for path, given in values.items():
        branch = tree
        for name in path[:-1]:
            branch = branch.setdefault(name, {})
        branch[path[-1]] = given.value
    return {
        name: [item for _, item in sorted(branch.items(), key=lambda pair: int(pair[0]))]
        if place_at((name,)) is Place.LIST
        else branch
        for name, branch in tree.items()
    }


def list_indexes(values: Mapping[Path, Given], path: Path) -> list[int]:
    """The numbers of a list's items, ascending."""
    return sorted({int(found[len(path)]) for found in values if found[: len(path)] == path})


def known_paths(section: type[Section] = Settings, prefix: Path = ()) -> Iterator[Path]:
    """Every value of the tree that has a name of its own; the items of a list stand under the number 0."""
    for name, known in section.model_fields.items():
        inner, listed = _section_of(known.annotation)
        if get_origin(known.annotation) is dict:
            continue
        if inner is None:
            yield (*prefix, name)
        else:
            yield from known_paths(inner, (*prefix, name, "0") if listed else (*prefix, name))


def _section_of(annotation: Any) -> tuple[type[Section] | None, bool]:
    """The section that a field holds and whether it holds a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    if get_origin(annotation) is tuple:
        return _section_of(get_args(annotation)[0])[0], True
    return None, False


def _unknown_advice(path: Path) -> str:
    wanted = ".".join(path)
    known = {".".join(known[: depth + 1]) for known in known_paths() for depth in range(len(known))}
    near = difflib.get_close_matches(wanted, sorted(known), n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else "`graphgate config` lists the names"
    return f"there is no such setting; {hint}"
