"""Shards as objects for programs and as text for people."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from gateway.cli.columns import aligned
from gateway.cli.exits import fail
from graphgate.v1 import admin_service_pb2 as pb
from graphgate.v1 import search_service_pb2, shard_pb2

SHARD_TITLES = ("SHARD", "ENGINE", "STATE", "WEIGHT", "ZONE", "REACHED", "PROBLEM")
HISTORY_TITLES = ("TIME", "BY", "ACTION", "SHARD", "DETAIL")


def engine_number(name: str, *, as_json: bool) -> "search_service_pb2.ShardEngine":
    """Ends the command for a name that is none."""
    names = {
        known.removeprefix("SHARD_ENGINE_").lower(): number
        for known, number in search_service_pb2.ShardEngine.items()
        if number
    }
    if name.lower() not in names:
        fail(f"there is no engine {name!r}; choose {' or '.join(sorted(names))}", as_json=as_json)
    return cast("search_service_pb2.ShardEngine", names[name.lower()])


def shard_object(shard: pb.Shard) -> dict[str, Any]:
    return {
        "shard": shard.shard,
        "engine": search_service_pb2.ShardEngine.Name(shard.engine).removeprefix("SHARD_ENGINE_").lower(),
        "state": pb.ShardState.Name(shard.state).removeprefix("SHARD_STATE_"),
        "weight": shard.weight,
        "zone": shard.zone,
        "reachable": shard.reachable,
        "problem": shard.problem,
    }


def shard_line(shard: Mapping[str, Any]) -> tuple[str, ...]:
    reached = "-" if shard["state"] == "REMOVED" else "yes" if shard["reachable"] else "no"
    return (
        shard["shard"],
        shard["engine"],
        shard["state"],
        f"{shard['weight']:g}",
        shard["zone"] or "-",
        reached,
        shard["problem"],
    )


def description_object(found: pb.DescribeShardResponse) -> dict[str, Any]:
    usage = found.usage
    return shard_object(found.shard) | {
        "url": found.url,
        "credentials": found.credentials,
        "map_version": found.map_version,
        "root_member": found.root.member,
        "root_version": found.root.version,
        "root_pending": found.root.pending_version,
        "usage": {
            "groups": usage.groups,
            "leaving": usage.leaving,
            "arriving": usage.arriving,
            "reverse_windows": usage.reverse_windows,
            "pointers": usage.pointers,
            "complete": usage.complete,
        }
        if found.HasField("usage")
        else None,
        "drain_problem": found.drain_problem,
    }


def description_text(found: Mapping[str, Any]) -> str:
    ring = f"{'member of' if found['root_member'] else 'not in'} root ring {found['root_version']}"
    if found["root_pending"]:
        ring += f", ring {found['root_pending']} is about to take over"
    rows = [
        ("shard", found["shard"]),
        ("engine", found["engine"]),
        ("state", found["state"]),
        ("weight", f"{found['weight']:g}"),
        ("zone", found["zone"] or "-"),
        ("url", found["url"] or "in the gateways' settings"),
        ("reached", "yes" if found["reachable"] else "no"),
        ("problem", found["problem"] or "-"),
        ("register", ring),
    ]
    usage = found["usage"]
    if usage is not None:
        more = "" if usage["complete"] else " or more"
        rows += [
            (
                "groups",
                f"{usage['groups']}{more}, {usage['leaving']} of them leaving, {usage['arriving']} arriving",
            ),
            ("reverse windows", str(usage["reverse_windows"])),
            ("pointers", str(usage["pointers"])),
        ]
    if found["drain_problem"]:
        rows.append(("drain", found["drain_problem"]))
    return aligned(rows)


def history_object(entry: shard_pb2.ShardHistoryEntry) -> dict[str, Any]:
    return {
        "time": entry.time.ToDatetime(UTC).isoformat(),
        "by": entry.requested_by,
        "action": entry.action,
        "shard": entry.shard,
        "detail": entry.detail,
        "request_id": entry.request_id,
    }


def history_line(entry: Mapping[str, Any]) -> tuple[str, ...]:
    at = datetime.fromisoformat(entry["time"]).strftime("%Y-%m-%d %H:%M:%S")
    return (at, entry["by"], entry["action"], entry["shard"], entry["detail"] or "-")
