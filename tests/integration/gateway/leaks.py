"""What must not be read in an answer: names of classes, statements, stacks, files, addresses."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

ROOT = Path(__file__).resolve().parents[3]

_PATTERNS = (
    r"Traceback|NoneType|<class|object at 0x|\w+Exception\b|[a-z]Error\b",
    r"\b(MATCH|MERGE|UNWIND|DETACH|WHERE|RETURN|FOREACH)\b|CREATE \(|GRAPH\.(RO_)?QUERY|CALL db",
    r"\b_(Fence|Op|Tombstone|Marker)\b|\bgroup_key\b",
    r"/(root|home|tmp|usr|opt|var|work)/|\.py\b|site-packages",
    r"\b\d{1,3}(\.\d{1,3}){3}\b|localhost|(redis|rediss|bolt|neo4j)(\+s)?://(?!host:port)",
)


def leaks_in(text: str) -> list[str]:
    """What a caller should not have seen in it."""
    found = [match.group() for pattern in _PATTERNS for match in re.finditer(pattern, text)]
    return [*found, *(word for word in re.findall(r"[A-Z]\w+", text) if word in _class_names())]


def texts_of(message: Message) -> Iterator[str]:
    """Every text in a message, in the messages in it too."""
    for field, value in message.ListFields():
        for item in value if field.is_repeated else (value,):
            if isinstance(item, Message):
                yield from texts_of(item)
            elif isinstance(item, str):
                yield item
                if isinstance(value, dict):
                    yield str(value[item])


@cache
def _class_names() -> frozenset[str]:
    """Of our packages, those of several words; words of the API itself are no secret."""
    made = {
        node.name
        for package in ("gateway", "shard_router", "drivers")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and re.match(r"[A-Z][a-z]+[A-Z]", node.name)
    }
    public: set[str] = set()
    for name in ("graph", "graph_service", "ingest_service", "search_service", "admin_service"):
        file = Default().FindFileByName(f"graphgate/v1/{name}.proto")
        public |= {*file.message_types_by_name, *file.services_by_name, *file.enum_types_by_name}
        public |= {method.name for service in file.services_by_name.values() for method in service.methods}
    return frozenset(made - public)
