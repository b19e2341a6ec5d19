"""Which exception classes the sources make, wherever they are raised afterwards."""

import ast
import builtins
import importlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("gateway", "shard_router", "drivers")


_ELSEWHERE = "graphiti_side"
"""Programs for graphiti-core's environment: here they cannot be imported."""


def made_classes() -> dict[type[BaseException], set[str]]:
    """By class: the modules that make one, by `X(..)` or `raise X`."""
    made: dict[type[BaseException], set[str]] = defaultdict(set)
    for module, path in _modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = _names(module, tree)
        for node in ast.walk(tree):
            for expression in _makers(node):
                found = _value(expression, names)
                if isinstance(found, type) and issubclass(found, BaseException):
                    made[found].add(module)
    return made


def _modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name != "__main__.py" and path.parent.name != _ELSEWHERE:
                parts = path.relative_to(ROOT).with_suffix("").parts
                yield ".".join(part for part in parts if part != "__init__"), path


def _makers(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call(func=func):
            return [func]
        case ast.Raise(exc=ast.expr() as raised):
            return [raised]
        case _:
            return []


def _names(module: str, tree: ast.Module) -> Mapping[str, Any]:
    """What names mean in the module, those that only a function imports included."""
    names = dict(vars(importlib.import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            imported = importlib.import_module(node.module)
            for alias in node.names:
                names.setdefault(alias.asname or alias.name, getattr(imported, alias.name, None))
    return names


def _value(expression: ast.expr, names: Mapping[str, Any]) -> Any:
    match expression:
        case ast.Name(id=name):
            return names.get(name, getattr(builtins, name, None))
        case ast.Attribute(value=owner, attr=name):
            return getattr(_value(owner, names), name, None)
        case _:
            return None
