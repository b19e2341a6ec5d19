"""graphgate's constraints and indexes: which there are, what each is for, and how the server lists it.

Every index is paid for by each write, so there are few, and each is one that a statement names in a hint:

- unique pk per kind: MERGE and every lookup; and, because a pk begins with its group, scans and lists of a
  group in the order of uuids. That makes indexes on (group_id) and (group_id, uuid) unnecessary.
- (group_id, version) per kind, for tombstones and operation records: changes since a version.
- (group_id, created_at) per kind: lists with the newest first. Rows of one write share their created_at, at
  most ROWS_PER_WRITE_MAX of them, and are sorted by uuid when they are read.
- fulltext over (terms, group_key) per text kind, with the analyzer that splits at blanks and does nothing
  else. A fulltext index is what a commit costs most for.

Small groups are scanned exactly and need no vector index.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drivers.graph_model import NODE_KINDS, TEXT_KINDS, Kind
from drivers.row_codec import LABEL

ANALYZER = "whitespace"

_NAME_PREFIX = "graphgate"


@dataclass(frozen=True, slots=True)
class SchemaRule:
    form: str
    """unique, range or fulltext."""
    subject: str
    """A kind, or the label of a system node."""
    label: str
    is_node: bool
    properties: tuple[str, ...]

    @property
    def name(self) -> str:
        """As reports name it on either engine."""
        return f"{self.form}:{self.subject}({','.join(self.properties)})"

    @property
    def engine_name(self) -> str:
        if self.form == "fulltext":
            return f"{_NAME_PREFIX}_fulltext_{self.label}"
        return "_".join((_NAME_PREFIX, self.form, self.label, *self.properties))

    @property
    def create(self) -> str:
        name, columns = self.engine_name, ", ".join(f"n.{name}" for name in self.properties)
        each = f"(n:{self.label})" if self.is_node else f"()-[n:{self.label}]-()"
        match self.form:
            case "unique":
                return f"CREATE CONSTRAINT {name} IF NOT EXISTS FOR {each} REQUIRE {columns} IS UNIQUE"
            case "range":
                return f"CREATE RANGE INDEX {name} IF NOT EXISTS FOR {each} ON ({columns})"
            case _:
                return (
                    f"CREATE FULLTEXT INDEX {name} IF NOT EXISTS FOR {each} ON EACH [{columns}] "
                    f"OPTIONS {{indexConfig: {{`fulltext.analyzer`: '{ANALYZER}'}}}}"
                )

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes it this rule, whatever its name in the server."""
        return (self.form, self.is_node, self.label, self.properties)


def _of(kind: Kind, form: str, *properties: str) -> SchemaRule:
    return SchemaRule(form, kind, LABEL[kind], kind in NODE_KINDS, properties)


def _system(label: str, form: str, *properties: str) -> SchemaRule:
    return SchemaRule(form, label, label, True, properties)


MARKER_RULE = _system("_Marker", "unique", "key")

RULES: tuple[SchemaRule, ...] = (
    MARKER_RULE,
    _system("_Fence", "unique", "group_id"),
    _system("_Gate", "unique", "key"),
    _system("_Op", "unique", "pk"),
    _system("_Tombstone", "unique", "pk"),
    _system("_Slot", "unique", "key"),
    _system("_Vector", "unique", "pk"),
    *(_of(kind, "unique", "pk") for kind in Kind),
    *(_of(kind, "range", "group_id", "version") for kind in Kind),
    _system("_Tombstone", "range", "group_id", "version"),
    _system("_Op", "range", "group_id", "version"),
    *(_of(kind, "range", "group_id", "created_at") for kind in Kind),
    *(_of(kind, "fulltext", "terms", "group_key") for kind in TEXT_KINDS),
)

FULLTEXT_NAME: Mapping[Kind, str] = {
    Kind(rule.subject): rule.engine_name for rule in RULES if rule.form == "fulltext"
}
