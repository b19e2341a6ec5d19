"""A change of a fence and an intake as the parameter maps of queries_moving.py."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from drivers.fence import Fence, FenceState
from drivers.fence_changes import FenceChange, Greater, Guard, Own, Parameter, Value
from drivers.fence_codec import encode_fence, encode_stats
from drivers.graph_model import NODE_KINDS, AnyRow, Kind
from drivers.moving import Intake, Settlement, newest_rows
from drivers.neo4j.queries_moving import NEW_STATE
from drivers.reads import Tombstone
from drivers.row_codec import encode, pk, tombstone_pk

BLANK: Final[Mapping[str, Value]] = {
    name: "" if isinstance(value, str) else 0
    for name, value in encode_fence(Fence("", 0, FenceState.OPEN)).items()
    if name != "group_id"
} | {"state": NEW_STATE}
"""A fence that is made by a change, before it."""


def rule(
    change: FenceChange, given: Mapping[str, Value], settlement: Settlement | None = None
) -> dict[str, Any]:
    """ValueError when `given` lacks what the rule compares or sets."""
    missing = change.parameters - given.keys()
    if missing:
        raise ValueError(f"{change.name} needs {', '.join(sorted(missing))}")
    sets: dict[str, Value] = {}
    own: list[dict[str, Value]] = []
    greater: list[dict[str, Value]] = []
    for name, source in change.sets.items():
        match source:
            case Parameter(parameter):
                sets[name] = given[parameter]
            case Own(of, plus):
                own.append({"name": name, "own": of, "plus": _plus(of, plus), "blank": BLANK[of]})
            case Greater(_, parameter):
                greater.append({"name": name, "value": given[parameter]})
            case _:
                sets[name] = source
    if settlement is not None:
        sets |= encode_stats(settlement.stats)
    return {
        "states": sorted(str(state) for state in change.states),
        "guards": [_guard(guard, given) for guard in change.guards],
        "sets": sets,
        "own": own,
        "greater": greater,
    }


def _guard(guard: Guard, given: Mapping[str, Value]) -> dict[str, Value]:
    compared: dict[str, Value] = {
        "name": guard.name,
        "comparison": str(guard.comparison),
        "blank": BLANK[guard.name],
    }
    match guard.value:
        case Parameter(name):
            return compared | {"value": given[name]}
        case Own(name, plus):
            return compared | {"own": name, "plus": _plus(name, plus), "own_blank": BLANK[name]}


def _plus(name: str, plus: int) -> Value:
    """What leaves the property as it is when nothing is to be added: of a text, no text."""
    return plus if isinstance(BLANK[name], int) else ""


def intake(group_id: str, batch: Intake) -> dict[str, Any]:
    """Each row once, in the order of their pks."""
    put = {
        kind: [_row(group_id, kind, row) for _, row in sorted(rows.items())]
        for kind, rows in newest_rows(batch.rows).items()
    }
    dead: dict[Kind, list[dict[str, Any]]] = defaultdict(list)
    for tombstone in batch.tombstones:
        dead[tombstone.kind].append({"pk": pk(group_id, tombstone.uuid), "version": tombstone.version})
    return {
        "group_id": group_id,
        "rule": rule(batch.change, batch.given),
        "put": put,
        "dead": dead,
        "tombstones": [_tombstone(group_id, tombstone) for tombstone in batch.tombstones],
        "operations": [
            {
                "pk": pk(group_id, operation.op_id),
                "group_id": group_id,
                "op_id": operation.op_id,
                "content_hash": operation.content_hash,
                "result": operation.result,
                "version": operation.version,
                "created_at": operation.created_at,
            }
            for operation in batch.operations
        ],
    }


def _row(group_id: str, kind: Kind, row: AnyRow) -> dict[str, Any]:
    properties: dict[str, Any] = dict(encode(group_id, row))
    properties |= {"created_at": row.created_at, "version": row.version}
    given: dict[str, Any] = {"p": properties, "tombstone_pk": tombstone_pk(group_id, kind, row.uuid)}
    if kind not in NODE_KINDS:
        given["source"] = pk(group_id, properties["source_uuid"])
        given["target"] = pk(group_id, properties["target_uuid"])
    vector = getattr(row, "embedding", None)
    if vector is not None:
        given["vector"] = vector.tolist()
    return given


def _tombstone(group_id: str, tombstone: Tombstone) -> dict[str, Any]:
    return {
        "p": {
            "pk": tombstone_pk(group_id, tombstone.kind, tombstone.uuid),
            "group_id": group_id,
            "kind": tombstone.kind,
            "uuid": tombstone.uuid,
        },
        "version": tombstone.version,
    }
