"""The JSON schema of an answer as strict structured outputs want it."""

from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel

SCHEMAS_MAX = 1_024
"""Custom types make schemas of their own."""
_LEFT_OUT = frozenset(("title", "default", "minLength", "maxLength", "minItems", "maxItems", "pattern"))
"""Titles cost tokens; strict mode does not take the others, which validation holds the answer to."""


@lru_cache(maxsize=SCHEMAS_MAX)
def strict_schema(output: type[BaseModel]) -> dict[str, Any]:
    """Every field required, none beside them. Shared: callers do not change it."""
    return cast("dict[str, Any]", _strict(output.model_json_schema()))


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    given = cast("dict[str, Any]", node)
    result: dict[str, Any] = {}
    for key, value in given.items():
        if key in ("properties", "$defs"):
            result[key] = {name: _strict(part) for name, part in value.items()}
        elif key not in _LEFT_OUT:
            result[key] = _strict(value)
    if "properties" in result:
        result["required"] = list(result["properties"])
        result["additionalProperties"] = False
    return result
