"""Groups and comparisons for people and for programs."""

from collections.abc import Sequence
from typing import Any

from gateway.cli.columns import aligned
from graphgate.v1 import graph_pb2, move_pb2


def kind_name(kind: int) -> str:
    """ENTITY; empty if it is unset."""
    name = graph_pb2.RowKind.Name(graph_pb2.RowKind.ValueType(kind)).removeprefix("ROW_KIND_")
    return "" if name == "UNSPECIFIED" else name


def group_line(group: graph_pb2.Group) -> tuple[str, ...]:
    rows = sum(count.rows for count in group.counts)
    return (
        group.group_id,
        group.shard,
        group.space or "-",
        str(group.epoch),
        str(group.version),
        f"{rows:,}",
    )


def group_object(group: graph_pb2.Group) -> dict[str, Any]:
    return {
        "group_id": group.group_id,
        "shard": group.shard,
        "space": group.space,
        "epoch": group.epoch,
        "version": group.version,
        "created_at": group.created_at.ToJsonString(),
        "rows": {kind_name(count.kind): count.rows for count in group.counts},
        "embeddings": [
            {"kind": kind_name(spec.kind), "model": spec.model, "dimension": spec.dimension}
            for spec in group.embeddings
        ],
        "vector_slots": [
            {
                "kind": kind_name(slot.kind),
                "complete_version": slot.complete_version,
                "serving": slot.serving,
            }
            for slot in group.vector_slots
        ],
    }


def group_text(group: graph_pb2.Group) -> str:
    heading = [
        ("group", group.group_id),
        ("shard", group.shard),
        ("space", group.space or "shared"),
        ("epoch", str(group.epoch)),
        ("version", str(group.version)),
        ("created", group.created_at.ToJsonString()),
    ]
    models = {spec.kind: f"{spec.model}, {spec.dimension} dimensions" for spec in group.embeddings}
    slots = {slot.kind: "serving" if slot.serving else "filling" for slot in group.vector_slots}
    rows = [
        (
            kind_name(count.kind),
            f"{count.rows:,}",
            models.get(count.kind, "-"),
            slots.get(count.kind, "-"),
        )
        for count in group.counts
    ]
    return f"{aligned(heading)}\n\n{aligned([('KIND', 'ROWS', 'EMBEDDINGS', 'INDEX'), *rows])}"


def verify_object(report: move_pb2.VerifyReport) -> dict[str, Any]:
    return {
        "equal": report.equal,
        "left_rows": report.left_rows,
        "right_rows": report.right_rows,
        "left_version": report.left_version,
        "right_version": report.right_version,
        "missing_total": report.missing_total,
        "extra_total": report.extra_total,
        "different_total": report.different_total,
        "missing": [_difference_object(one) for one in report.missing],
        "extra": [_difference_object(one) for one in report.extra],
        "different": [_difference_object(one) for one in report.different],
    }


def verify_text(report: move_pb2.VerifyReport) -> str:
    heading = [
        ("equal", "yes" if report.equal else "no"),
        ("left", f"{report.left_rows:,} rows at version {report.left_version}"),
        ("right", f"{report.right_rows:,} rows at version {report.right_version}"),
    ]
    if report.equal:
        return aligned(heading)
    heading += [
        ("only left", f"{report.missing_total:,}"),
        ("only right", f"{report.extra_total:,}"),
        ("different", f"{report.different_total:,}"),
    ]
    lines = [
        *_lines("only left", report.missing),
        *_lines("only right", report.extra),
        *_lines("different", report.different),
    ]
    return f"{aligned(heading)}\n\n{aligned([('WHERE', 'WHAT', 'KIND', 'KEY'), *lines])}"


def _lines(where: str, differences: Sequence[move_pb2.CopyDifference]) -> list[tuple[str, ...]]:
    return [(where, _section(one), kind_name(one.kind) or "-", one.key) for one in differences]


def _section(difference: move_pb2.CopyDifference) -> str:
    name = move_pb2.DifferenceSection.Name(difference.section)
    return name.removeprefix("DIFFERENCE_SECTION_").lower()


def _difference_object(difference: move_pb2.CopyDifference) -> dict[str, str]:
    return {
        "section": _section(difference),
        "kind": kind_name(difference.kind),
        "key": difference.key,
    }
