"""Query texts that read rows of one group, every one with the group's fence in the same snapshot."""

from collections.abc import Mapping
from functools import cache

from drivers.falkordb.queries import (
    FENCE_OF_GROUP,
    FENCES_OF_GROUPS,
    cells,
    match_all,
    row_cells,
    tagged,
    union,
)
from drivers.falkordb.queries_write import OPERATION, OPERATION_COLUMNS
from drivers.graph_model import EDGE_KINDS, TEXT_KINDS, Kind
from drivers.reads import ListOrder
from drivers.row_codec import LABEL

TOMBSTONE = "TOMBSTONE"
TOMBSTONE_COLUMNS = ("kind", "uuid", "version")
VERSION = "VERSION"
VERSION_COLUMNS = ("uuid", "version")

OPERATION_ROW = tagged(OPERATION, cells("n", ("op_id", *OPERATION_COLUMNS)))
"""A whole record, unlike that of images_text, whose caller knows the op id."""

_ORDER: Mapping[ListOrder, str] = {
    ListOrder.UUID: "n.uuid",
    ListOrder.NEWEST: "n.created_at DESC, n.uuid",
}
_AFTER: Mapping[ListOrder, str] = {
    ListOrder.UUID: "n.uuid > $after_uuid",
    ListOrder.NEWEST: (
        "(n.created_at < $after_created_at OR n.created_at = $after_created_at AND n.uuid > $after_uuid)"
    ),
}
_CLOSED = "($anchor_uuid IN n.closure_episode OR any(f IN n.closure_fact WHERE f IN $closed_by_facts))"


@cache
def fetch_text(kind: Kind, slot: str | None) -> str:
    """Rows of many groups, each led by its group_id; with a slot, its vector is the last value.
    Parameters: groups, keys."""
    rows = tagged(kind, f"n.group_id, {row_cells(kind, slot=slot)}")
    return union((f"MATCH {match_all(kind)} WHERE n.pk IN $keys\n{rows}", FENCES_OF_GROUPS))


@cache
def list_text(
    kind: Kind,
    anchor: Kind | None,
    order: ListOrder,
    *,
    continues: bool,
    slot: str | None,
    between: bool = False,
    closed: bool = False,
    bounded: bool = False,
    versions: bool = False,
) -> str:
    """Parameters: group, limit, anchor (its key), anchor_uuid, after_uuid, after_created_at, and, for facts
    `between` the anchor and another entity, other_uuid, for facts `closed` by the anchor, closed_by_facts,
    for `bounded` versions, up_to_version. With `versions` a row is its uuid and its version.

    One pass over the group (0.3 us per row) or the anchor's edges; only the page's rows are read whole.
    """
    after = _AFTER[order] if continues else ""
    if bounded:
        after = " AND ".join(filter(None, ("n.version <= $up_to_version", after)))
    if between:
        other = (
            "(n.source_uuid = $anchor_uuid AND n.target_uuid = $other_uuid"
            " OR n.source_uuid = $other_uuid AND n.target_uuid = $anchor_uuid)"
        )
        after = f"{other} AND {after}" if after else other
    if kind is Kind.FACT and anchor is Kind.EPISODE:
        told = _CLOSED if closed else "$anchor_uuid IN n.episodes"
        match = f"MATCH {match_all(kind)} WHERE n.group_id = $group AND {told}"
        match += (f" AND {after}" if after else "") + "\nWITH n"
    elif anchor is None:
        match = f"MATCH {match_all(kind)} WHERE n.group_id = $group" + (f" AND {after}" if after else "")
        match += "\nWITH n"
    else:
        assert kind in EDGE_KINDS, f"{kind} rows hang on no node"
        match = f"MATCH (x:{LABEL[anchor]} {{pk: $anchor}})-[n:{LABEL[kind]}]-()"
        match += (f" WHERE {after}" if after else "") + "\nWITH DISTINCT n"
    columns = cells("n", VERSION_COLUMNS) if versions else row_cells(kind, slot=slot)
    return union(
        (
            f"{match} ORDER BY {_ORDER[order]} LIMIT $limit\n{tagged(kind, columns)}",
            FENCE_OF_GROUP,
        )
    )


@cache
def changed_versions_text(*, with_operations: bool) -> str:
    """How many rows and tombstones (and operations) each version after $after has, counting the first
    $rows_max of each kind. Parameters: group, after, rows_max."""
    patterns = (*map(match_all, Kind), "(n:_Tombstone)", *(("(n:_Op)",) if with_operations else ()))
    return union(
        (
            *(
                f"MATCH {pattern} WHERE n.group_id = $group AND n.version > $after\n"
                "WITH n.version AS version ORDER BY version LIMIT $rows_max\n"
                f"WITH version, count(version) AS rows\n{tagged(VERSION, 'version, rows')}"
                for pattern in patterns
            ),
            FENCE_OF_GROUP,
        )
    )


@cache
def changes_text(slots: tuple[tuple[Kind, str], ...], *, with_operations: bool, bounded: bool = False) -> str:
    """Everything with a version in ($after, $until]; `bounded`: with a version after $after, any $rows_max of
    each kind. `slots` has one for each of TEXT_KINDS."""
    slot = dict(slots)
    within = "WHERE n.group_id = $group AND n.version > $after"
    within += "\nWITH n LIMIT $rows_max" if bounded else " AND n.version <= $until"
    return union(
        (
            *(
                f"MATCH {match_all(kind)} {within}\n"
                + tagged(kind, row_cells(kind, slot=slot[kind] if kind in TEXT_KINDS else None))
                for kind in Kind
            ),
            f"MATCH (n:_Tombstone) {within}\n{tagged(TOMBSTONE, cells('n', TOMBSTONE_COLUMNS))}",
            *([f"MATCH (n:_Op) {within}\n{OPERATION_ROW}"] if with_operations else []),
            FENCE_OF_GROUP,
        )
    )
