"""The types of entities and facts that a caller gives along with an episode."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

ENTITY_TYPES_MAX = 100
FACT_TYPES_MAX = 200
FIELDS_MAX = 50
ANY_TYPE = "Entity"
"""What an entity is that has no type of its own, also in `type_map`."""


class FieldType(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class TypeField:
    name: str
    type: FieldType = FieldType.STRING
    description: str = ""


@dataclass(frozen=True, slots=True)
class CustomType:
    """Of entities or of facts."""

    name: str
    description: str = ""
    fields: tuple[TypeField, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractionTypes:
    """Nothing given: entities have no type, facts any name."""

    entities: tuple[CustomType, ...] = ()
    facts: tuple[CustomType, ...] = ()
    excluded_entities: frozenset[str] = frozenset()
    """Entities of these types are left out, with their facts; ANY_TYPE leaves out all without a type."""
    type_map: Mapping[tuple[str, str], tuple[str, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[str, ...]]
    )
    """Types of source and target -> names of the fact types that may join them. A fact type that is in no
    entry may join any."""
    instructions: str = ""
    """The caller's, added to the prompt of every extraction."""

    @property
    def have_fields(self) -> bool:
        return any(one.fields for one in (*self.entities, *self.facts))

    def entity_type(self, name: str) -> CustomType | None:
        return next((one for one in self.entities if one.name == name), None)

    def fact_type(self, name: str) -> CustomType | None:
        return next((one for one in self.facts if one.name == name), None)

    def may_join(self, fact_type: str, source_types: frozenset[str], target_types: frozenset[str]) -> bool:
        """Whether the type map lets a fact of this type lead from such an entity to such another."""
        mapped = [pair for pair, names in self.type_map.items() if fact_type in names]
        sources, targets = source_types | {ANY_TYPE}, target_types | {ANY_TYPE}
        return not mapped or any(source in sources and target in targets for source, target in mapped)
