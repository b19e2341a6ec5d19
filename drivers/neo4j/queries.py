"""Fragments that all statements are made of. Every value is a parameter; labels and property names are
constants of drivers/row_codec.py.

All parameters travel in one map, `$p`: a list that is a parameter of its own is part of the plan's key by
the power of ten of its length, so that each statement would be compiled four times.
"""

from collections.abc import Iterable

from drivers.fence_codec import FENCE_COLUMNS
from drivers.graph_model import NODE_KINDS, Kind
from drivers.row_codec import COLUMNS, LABEL

PREFIX = "CYPHER 5 replan=skip"
"""Index hints and uniqueness constraints leave the planner one plan per statement, whatever is in the
database; without `skip` a statement is planned anew (0.1 to 1.5 s) whenever its labels have grown.

The hints say SEEK: without it a scan of the whole index satisfies them too, and on a young database, whose
statistics expect no rows, pages of edges were planned so (4 of 102 statements) and would have stayed so."""

OPERATION_COLUMNS = ("op_id", "content_hash", "result", "version", "created_at")


def values(variable: str, columns: Iterable[str]) -> str:
    """A list of properties, in the order of `columns`."""
    return "[" + ", ".join(f"{variable}.{column}" for column in columns) + "]"


def values_or_null(variable: str, columns: Iterable[str]) -> str:
    """`values`, or null when an OPTIONAL MATCH has found nothing."""
    return f"CASE WHEN {variable} IS NULL THEN null ELSE {values(variable, columns)} END"


def pattern(kind: Kind) -> str:
    """All rows of a kind, as `n`. Endpoints bear no labels, so that the index on the edge is used."""
    return f"(n:{LABEL[kind]})" if kind in NODE_KINDS else f"()-[n:{LABEL[kind]}]->()"


def row_by_pk(kind: Kind, key: str) -> str:
    """MATCH of one row as `n` by its unique key."""
    body = f"n:{LABEL[kind]} {{pk: {key}}}"
    where = f"({body})" if kind in NODE_KINDS else f"()-[{body}]->()"
    return f"MATCH {where} USING INDEX SEEK n:{LABEL[kind]}(pk)"


def row_values(kind: Kind, with_vectors: bool) -> str:
    """What records.row and records.row_with_vector decode. The slot of a vector is known to the fence only,
    which is read last: so all properties are returned."""
    return "properties(n)" if with_vectors else values("n", COLUMNS[kind])


def fence_of(group_id: str) -> str:
    """Finds the fence as `f`, or null."""
    return f"OPTIONAL MATCH (f:_Fence {{group_id: {group_id}}}) USING INDEX SEEK f:_Fence(group_id)"


FENCE = values("f", FENCE_COLUMNS)
FENCE_OR_NULL = values_or_null("f", FENCE_COLUMNS)


def fences_of_groups(after: str) -> str:
    """Collects the fences of `groups`, maps with group_id. It takes in the variable `after`, and does not
    begin before that is computed: so the fences are read last."""
    return f"""CALL ({after}) {{
  UNWIND $p.groups AS g
  MATCH (f:_Fence {{group_id: g.group_id}}) USING INDEX SEEK f:_Fence(group_id)
  RETURN collect({FENCE}) AS fences
}}"""
