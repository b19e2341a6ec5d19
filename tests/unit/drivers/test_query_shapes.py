"""The lists of query shapes are whole."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import drivers.falkordb
import drivers.neo4j
from drivers.example_group import ExampleGroup, placeholder
from drivers.falkordb import query_shapes as falkordb_shapes
from drivers.falkordb.plans import names as falkordb_names
from drivers.falkordb.schema import INDEXES
from drivers.neo4j import query_shapes as neo4j_shapes
from drivers.neo4j.schema_rules import RULES
from drivers.query_plan import QueryShape

_CYPHER = re.compile(r"\b(MATCH|MERGE|CALL|SHOW|CREATE|UNWIND|DELETE|SET|RETURN)\b")


class Package(NamedTuple):
    module: ModuleType
    shapes: Callable[[ExampleGroup], Sequence[QueryShape]]
    left_out: Mapping[str, str]
    indexes: frozenset[str]


PACKAGES = {
    "falkordb": Package(
        drivers.falkordb,
        falkordb_shapes.query_shapes,
        falkordb_shapes.LEFT_OUT,
        # The marker's graph has an index that is part of its making, not of the schema.
        frozenset({*(index.name for index in INDEXES), falkordb_shapes.MARKER}),
    ),
    "neo4j": Package(
        drivers.neo4j,
        neo4j_shapes.query_shapes,
        neo4j_shapes.LEFT_OUT,
        frozenset(rule.name for rule in RULES),
    ),
}


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> Package:
    return PACKAGES[request.param]


def _modules(package: Package) -> Iterator[tuple[str, ModuleType]]:
    for found in pkgutil.iter_modules(package.module.__path__):
        yield found.name, importlib.import_module(f"{package.module.__name__}.{found.name}")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and _CYPHER.search(value) else None


def test_every_constant_text_is_a_shape_or_part_of_one(package: Package) -> None:
    """A new query cannot be sent without a plan that a test looks at, unless somebody says why."""
    texts = [shape.text for shape in package.shapes(placeholder("any"))]
    found = {
        f"{module_name}.{name}": text
        for module_name, module in _modules(package)
        for name, value in vars(module).items()
        if not name.startswith("__") and (text := _text(value)) is not None
    }
    left_out = {found[name] for name in package.left_out if name in found}
    assert [
        name
        for name, text in found.items()
        if text not in left_out and not any(text in whole for whole in texts)
    ] == []


def test_every_builder_of_texts_is_used(package: Package) -> None:
    """As above, for texts that are made by functions."""
    builders: dict[str, Any] = {
        f"{module_name}.{name}": value
        for module_name, module in _modules(package)
        if module_name.startswith("queries_")
        for name, value in vars(module).items()
        if name.endswith(("_text", "_statement")) and not name.startswith("_")
        if f"{module_name}.{name}" not in package.left_out
        if getattr(value, "__module__", "") == module.__name__
    }
    assert len(builders) >= 6
    for builder in builders.values():
        builder.cache_clear()
    package.shapes(placeholder("any"))
    assert [name for name, builder in builders.items() if not builder.cache_info().misses] == []


def test_shapes_are_named_and_filled(package: Package) -> None:
    """Names are unique; each text has the parameters that it names; required indexes are those of the
    schema, and each of the schema's is required by a shape but for the ones that only removal needs."""
    shapes = package.shapes(placeholder("any"))
    assert len({shape.name for shape in shapes}) == len(shapes)
    for shape in shapes:
        wanted = (
            falkordb_names(shape.text)
            if package.module is drivers.falkordb
            else re.findall(r"\$p\.(\w+)", shape.text)
        )
        assert set(wanted) <= shape.parameters.keys(), shape.name
    required = {name for shape in shapes for name in shape.indexes}
    assert required <= package.indexes
    assert package.indexes - required <= {
        "range:_Op(group_id)",
        "range:_Op(version)",
        "range:_Marker(key)",
    }
