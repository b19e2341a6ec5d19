"""Which fields of the hits' rows a caller wants."""

from collections.abc import Mapping

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from drivers.graph_model import Kind
from gateway.rpc.validation import Violations, shown
from graphgate.v1 import graph_pb2

_MESSAGES: Mapping[str, tuple[Kind, type[Message]]] = {
    "entity": (Kind.ENTITY, graph_pb2.Entity),
    "fact": (Kind.FACT, graph_pb2.Fact),
    "episode": (Kind.EPISODE, graph_pb2.Episode),
    "community": (Kind.COMMUNITY, graph_pb2.Community),
}
PATHS_MAX = 100
_EMBEDDING = "embedding"


class ReadMask:
    """Empty: every field."""

    def __init__(self, fields: Mapping[Kind, frozenset[str]] | None, with_embedding: bool) -> None:
        self._fields = fields
        self._with_embedding = with_embedding

    @property
    def wants_embedding(self) -> bool:
        return self._with_embedding or any(_EMBEDDING in names for names in (self._fields or {}).values())

    def apply(self, kind: Kind, row: Message) -> None:
        """Clears what was not asked for; the uuid stays."""
        if self._fields is None:
            return
        wanted = self._fields.get(kind, frozenset())
        for descriptor, _ in row.ListFields():
            kept = descriptor.name in wanted or descriptor.name == "uuid"
            if not kept and not (descriptor.name == _EMBEDDING and self._with_embedding):
                row.ClearField(descriptor.name)


def read_mask(v: Violations, field: str, mask: FieldMask, with_embedding: bool) -> ReadMask:
    if not mask.paths or "*" in mask.paths:
        if len(mask.paths) > 1:
            v.add(field, "has * beside other paths")
        return ReadMask(None, with_embedding)
    v.count(field, len(mask.paths), PATHS_MAX)
    fields: dict[Kind, frozenset[str]] = {}
    for path in mask.paths[:PATHS_MAX]:
        row, _, name = path.partition(".")
        known = _MESSAGES.get(row)
        names = () if known is None else tuple(known[1].DESCRIPTOR.fields_by_name)
        if known is None or (name and name not in names) or path.endswith("."):
            v.add(field, f"has the unknown path {shown(path)}; write entity, fact.name and the like, or *")
            continue
        kind = known[0]
        whole = frozenset(names) - {_EMBEDDING}
        fields[kind] = fields.get(kind, frozenset()) | ({name} if name else whole)
    return ReadMask(fields, with_embedding)
