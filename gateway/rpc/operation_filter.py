"""The filter of ListOperations: a small part of AIP-160."""

import re
from dataclasses import dataclass

from gateway.rpc.validation import Violations, shown

FILTER_CHARS_MAX = 512

_TERM = re.compile(r"""(?P<name>[a-z_]+)\s*=\s*("(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))""")
_AND = re.compile(r"\s+AND\s+")


@dataclass(frozen=True, slots=True)
class OperationFilter:
    group_id: str = ""
    """Empty: of every group."""
    done: bool | None = None
    """None: whether or not."""


def read_filter(v: Violations, text: str) -> OperationFilter:
    """`group_id = "g"`, `done = true` or both joined by AND, each at most once; empty: everything."""
    v.text("filter", text, FILTER_CHARS_MAX)
    found: dict[str, str] = {}
    for part in _AND.split(text[:FILTER_CHARS_MAX].strip()) if text.strip() else ():
        term = _TERM.fullmatch(part)
        if term is None or term["name"] not in ("group_id", "done") or term["name"] in found:
            v.add(
                "filter",
                'must be group_id = "...", done = true, done = false, or one of each joined by AND, got '
                f"{shown(part)}",
            )
            return OperationFilter()
        found[term["name"]] = term["quoted"] if term["bare"] is None else term["bare"]
    if "group_id" in found:
        v.group_id("filter", found["group_id"])
    if found.get("done", "true") not in ("true", "false"):
        v.add("filter", f"done must be true or false, got {shown(found['done'])}")
    return OperationFilter(
        found.get("group_id", ""), {"true": True, "false": False}.get(found.get("done", ""))
    )
