"""Names of indexes, as describe_schema has them, that shapes of queries require."""

from drivers.graph_model import Kind

FENCE = "unique:_Fence(group_id)"
OPERATION = "unique:_Op(pk)"
TOMBSTONE = "unique:_Tombstone(pk)"
MARKER = "unique:_Marker(key)"
GATE = "unique:_Gate(key)"
SLOT = "unique:_Slot(key)"


def unique(kind: Kind) -> str:
    return f"unique:{kind}(pk)"
