"""The least answer that fits a JSON schema, and answers spoilt on purpose."""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from gateway.bench.model_server.replies import Fault

DEPTH_MAX = 20
HUGE_TIMES = 100
NOWHERE = 987_654
"""An id that nothing has."""
OBEDIENT_ANSWER = {"entities": [], "facts": [], "status": "PWNED"}


def least(schema: Mapping[str, Any]) -> Any:
    """Null where it may be, else empty."""
    return _least(schema, schema.get("$defs", {}), 0)


def _least(node: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Any:
    if depth > DEPTH_MAX:
        return None
    if "$ref" in node:
        return _least(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions, depth + 1)
    if "enum" in node:
        return node["enum"][0]
    choices: list[Mapping[str, Any]] = node.get("anyOf") or node.get("oneOf") or node.get("allOf") or []
    if choices:
        null = next((one for one in choices if one.get("type") == "null"), None)
        return None if null is not None else _least(choices[0], definitions, depth + 1)
    match node.get("type"):
        case "object":
            properties: Mapping[str, Any] = node.get("properties", {})
            required = node.get("required", [])
            return {
                name: _least(part, definitions, depth + 1)
                for name, part in properties.items()
                if name in required
            }
        case "array":
            return []
        case "integer":
            return 0
        case "number":
            return 0.0
        case "boolean":
            return False
        case "string":
            return ""
        case _:
            return None


def spoilt(answer: Any, fault: Fault) -> str:
    """The content of the message."""
    content = orjson.dumps(answer).decode()
    match fault:
        case Fault.CUT_OFF:
            return content[: len(content) // 2]
        case Fault.NOT_JSON:
            return "Certainly! Here are the entities that I found."
        case Fault.WRONG_SCHEMA:
            return orjson.dumps({"result": answer}).decode()
        case Fault.EMPTY | Fault.REFUSAL:
            return ""
        case Fault.UNKNOWN_IDS:
            return orjson.dumps(_elsewhere(answer)).decode()
        case Fault.HUGE:
            return orjson.dumps(_longer(answer)).decode()
        case Fault.FENCED:
            return f"```json\n{content}\n```"
        case Fault.OBEDIENT:
            return orjson.dumps(OBEDIENT_ANSWER).decode()


_REFERENCES = ("source", "target", "same_as", "repeats", "supersedes", "corrects")


def _elsewhere(node: Any) -> Any:
    if isinstance(node, list):
        return [_elsewhere(one) for one in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for name, value in cast("dict[str, Any]", node).items():
        if name in _REFERENCES:
            found[name] = [NOWHERE] if isinstance(value, list) else NOWHERE
        else:
            found[name] = _elsewhere(value)
    return found


def _longer(node: Any) -> Any:
    if isinstance(node, list):
        return [_longer(one) for one in cast("list[Any]", node)]
    if isinstance(node, dict):
        return {name: _longer(value) for name, value in cast("dict[str, Any]", node).items()}
    return node * HUGE_TIMES if isinstance(node, str) else node
