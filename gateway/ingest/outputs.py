"""The forms of models' answers. Lengths are held to by the translation, not here: an answer with one value
that is too long is still worth having."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from gateway.ingest.types import CustomType, FieldType

FORMS_MAX = 1_024


class Output(BaseModel):
    """What a model adds beside the form is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class AttributeOutput(Output):
    name: str
    value: str


class EntityOutput(Output):
    id: int
    name: str
    type: str = Field(default="", description="one of the given types, or empty")
    summary: str = Field(default="", description="one sentence")


class TypedEntityOutput(EntityOutput):
    attributes: list[AttributeOutput] = Field(default_factory=list[AttributeOutput])


class FactOutput(Output):
    source: int = Field(description="id of an entity")
    target: int = Field(description="id of an entity")
    name: str = Field(description="relation as VERB_PHRASE")
    text: str = Field(description="one sentence that stands alone")
    valid_at: str | None = None
    invalid_at: str | None = None


class TypedFactOutput(FactOutput):
    attributes: list[AttributeOutput] = Field(default_factory=list[AttributeOutput])


class ExtractionOutput(Output):
    """Entities and facts in one call."""

    entities: list[EntityOutput]
    facts: list[FactOutput]


class TypedExtractionOutput(Output):
    """As ExtractionOutput, for types with fields."""

    entities: list[TypedEntityOutput]
    facts: list[TypedFactOutput]


class EntitiesOutput(Output):
    entities: list[EntityOutput]


class TypedEntitiesOutput(Output):
    entities: list[TypedEntityOutput]


class FactsOutput(Output):
    facts: list[FactOutput]


class TypedFactsOutput(Output):
    facts: list[TypedFactOutput]


class SameOutput(Output):
    id: int = Field(description="id of a new entity")
    same_as: int = Field(description="id of a candidate, or -1")


class ResolutionOutput(Output):
    same: list[SameOutput]


class JudgementOutput(Output):
    id: int = Field(description="id of a new fact")
    repeats: list[int] = Field(default_factory=list[int], description="ids of candidates that say the same")
    supersedes: list[int] = Field(default_factory=list[int], description="ids of candidates that it ends")
    corrects: list[int] = Field(
        default_factory=list[int], description="ids of candidates that it says were never so"
    )


class JudgementsOutput(Output):
    judgements: list[JudgementOutput]


class SummaryOutput(Output):
    id: int
    summary: str


class SummariesOutput(Output):
    summaries: list[SummaryOutput]


class SagaSummaryOutput(Output):
    summary: str


_FIELD_TYPES: dict[FieldType, Any] = {
    FieldType.STRING: str | None,
    FieldType.INTEGER: int | None,
    FieldType.NUMBER: float | None,
    FieldType.BOOLEAN: bool | None,
    FieldType.TIMESTAMP: str | None,
}


@lru_cache(maxsize=FORMS_MAX)
def attributes_output(of: CustomType) -> type[Output]:
    """A form with one field for each of the type's; null where the text does not tell."""
    fields: dict[str, Any] = {
        f"field_{position}": (
            _FIELD_TYPES[one.type],
            Field(default=None, alias=one.name, description=one.description or None),
        )
        for position, one in enumerate(of.fields)
    }
    # Names of fields are the callers': as aliases they can shadow nothing of pydantic.
    return create_model(f"{of.name}Attributes", __base__=Output, **fields)


type AnyExtractionOutput = ExtractionOutput | TypedExtractionOutput
