"""Models' answers as internal values: what cannot be used is left out and listed, never guessed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from drivers.graph_model import (
    INT64_MAX,
    INT64_MIN,
    OPEN_END,
    OPEN_START,
    Attributes,
    AttributeValue,
    Timestamp,
)
from gateway.embedding.preparation import clean_text
from gateway.ingest.extraction import (
    ATTRIBUTE_CHARS_MAX,
    ENTITIES_MAX,
    FACT_CHARS_MAX,
    FACT_NAME_CHARS_MAX,
    FACTS_MAX,
    NAME_CHARS_MAX,
    PROBLEMS_MAX,
    SUMMARY_CHARS_MAX,
    ExtractedEntity,
    ExtractedFact,
    Extraction,
    ProblemKind,
    Problems,
)
from gateway.ingest.model_times import epoch_us
from gateway.ingest.outputs import (
    AttributeOutput,
    EntityOutput,
    FactOutput,
    Output,
    TypedEntityOutput,
    TypedFactOutput,
)
from gateway.ingest.types import ANY_TYPE, CustomType, ExtractionTypes, FieldType, TypeField

DEFAULT_FACT_NAME = "RELATES_TO"
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def translate(
    entities: Sequence[EntityOutput], facts: Sequence[FactOutput], types: ExtractionTypes
) -> Extraction:
    """Of one call or of two, whose facts name the entities of the first by their ids."""
    return _translated(Extraction(), entities, facts, types)


def translate_more(
    so_far: Extraction, entities: Sequence[EntityOutput], facts: Sequence[FactOutput], types: ExtractionTypes
) -> Extraction:
    """All of `so_far` and what a reflexion adds, which knows the entities so far by their positions."""
    return _translated(so_far, entities, facts, types)


def _translated(
    so_far: Extraction, entities: Sequence[EntityOutput], facts: Sequence[FactOutput], types: ExtractionTypes
) -> Extraction:
    problems = Problems()
    kept = list(so_far.entities)
    position_of = {position: position for position in range(len(kept))}
    dropped: set[int] = set()
    for number, entity in enumerate(_bounded(entities, ENTITIES_MAX, "entities", problems)):
        translated = _entity(entity, f"entity {number}", types, problems)
        if entity.id in position_of or entity.id in dropped:
            problems.add(ProblemKind.REPEATED_ID, f"entity {number}")
        elif translated is None:
            dropped.add(entity.id)
        else:
            position_of[entity.id] = len(kept)
            kept.append(translated)
    taken = list(so_far.facts)
    for number, fact in enumerate(_bounded(facts, FACTS_MAX, "facts", problems)):
        translated_fact = _fact(fact, f"fact {number}", kept, position_of, dropped, types, problems)
        if translated_fact is not None:
            taken.append(translated_fact)
    listed = (*so_far.problems, *problems.kept)[:PROBLEMS_MAX]
    return Extraction(tuple(kept), tuple(taken), listed, so_far.problems_found + problems.found)


def translate_attributes(output: Output, of: CustomType, problems: Problems) -> Attributes:
    """Of an answer in the form attributes_output(of); fields that are null are left out."""
    found: dict[str, AttributeValue] = {}
    values: Mapping[str, Any] = output.model_dump(by_alias=True)
    for one in of.fields:
        value = values.get(one.name)
        if value is not None:
            _put(found, one, str(value), f"{of.name}.{one.name}", problems)
    return found


def cut(text: str, chars_max: int, what: str, problems: Problems) -> str:
    """Without surrogates, NUL and blanks around it; cut to `chars_max`, which is listed."""
    clean = clean_text(text).replace("\0", "").strip()
    if len(clean) > chars_max:
        problems.add(ProblemKind.TOO_LONG, what)
        clean = clean[:chars_max].rstrip()
    return clean


def _bounded[T](items: Sequence[T], count_max: int, what: str, problems: Problems) -> Sequence[T]:
    if len(items) > count_max:
        problems.add(ProblemKind.TOO_MANY, f"{len(items)} {what}, at most {count_max}")
    return items[:count_max]


def _entity(
    entity: EntityOutput, what: str, types: ExtractionTypes, problems: Problems
) -> ExtractedEntity | None:
    """None: it is left out."""
    name = " ".join(cut(entity.name, NAME_CHARS_MAX, f"{what}, name", problems).split())
    if not name:
        problems.add(ProblemKind.BLANK, f"{what}, name")
        return None
    type_name = entity.type.strip()
    if type_name == ANY_TYPE:
        type_name = ""
    if (type_name or ANY_TYPE) in types.excluded_entities:
        problems.add(ProblemKind.EXCLUDED_TYPE, what)
        return None
    custom = types.entity_type(type_name) if type_name else None
    if type_name and custom is None:
        # Without a list of types the model's own would be as many as it pleases.
        if types.entities:
            problems.add(ProblemKind.UNKNOWN_TYPE, what)
        type_name = ""
    attributes: Attributes | None = None
    unread = False
    if custom is not None and isinstance(entity, TypedEntityOutput):
        attributes, unread = _attributes(entity.attributes, custom, what, problems)
    summary = cut(entity.summary, SUMMARY_CHARS_MAX, f"{what}, summary", problems)
    return ExtractedEntity(name, type_name, summary, attributes, unread)


def _fact(
    fact: FactOutput,
    what: str,
    entities: Sequence[ExtractedEntity],
    position_of: Mapping[int, int],
    dropped: set[int],
    types: ExtractionTypes,
    problems: Problems,
) -> ExtractedFact | None:
    ends: list[int] = []
    for side, given in (("source", fact.source), ("target", fact.target)):
        position = position_of.get(given)
        if position is None:
            # That its entity was left out is listed already.
            if given not in dropped:
                problems.add(ProblemKind.UNKNOWN_ENTITY, f"{what}, {side}")
            return None
        ends.append(position)
    text = cut(fact.text, FACT_CHARS_MAX, f"{what}, text", problems)
    if not text:
        problems.add(ProblemKind.BLANK, f"{what}, text")
        return None
    name = cut(fact.name, FACT_NAME_CHARS_MAX, f"{what}, name", problems) or DEFAULT_FACT_NAME
    custom = types.fact_type(name)
    if custom is not None:
        source_types, target_types = (frozenset((entities[end].type,)) - {""} for end in ends)
        if not types.may_join(name, source_types, target_types):
            problems.add(ProblemKind.TYPE_MAP, what)
            name, custom = DEFAULT_FACT_NAME, None
    valid_at = _time(fact.valid_at, OPEN_START, f"{what}, valid_at", problems)
    invalid_at = _time(fact.invalid_at, OPEN_END, f"{what}, invalid_at", problems)
    if invalid_at < valid_at:
        problems.add(ProblemKind.BAD_TIME, f"{what}, ends before it begins")
        invalid_at = OPEN_END
    attributes: Attributes | None = None
    unread = False
    if custom is not None and isinstance(fact, TypedFactOutput):
        attributes, unread = _attributes(fact.attributes, custom, what, problems)
    return ExtractedFact(ends[0], ends[1], name, text, valid_at, invalid_at, attributes, unread)


def _time(text: str | None, unknown: int, what: str, problems: Problems) -> int:
    if text is None or not text.strip():
        return unknown
    try:
        return epoch_us(text)
    except ValueError:
        problems.add(ProblemKind.BAD_TIME, what)
        return unknown


def _attributes(
    given: Sequence[AttributeOutput], of: CustomType, what: str, problems: Problems
) -> tuple[Attributes, bool]:
    """And whether a field of the type could not hold its value."""
    fields = {one.name: one for one in of.fields}
    found: dict[str, AttributeValue] = {}
    unread = False
    for one in _bounded(given, len(fields), f"attributes of {what}", problems):
        known = fields.get(one.name)
        if known is None:
            problems.add(ProblemKind.BAD_ATTRIBUTE, f"{what}, a field that {of.name} does not have")
        else:
            unread |= not _put(found, known, one.value, f"{what}, {known.name}", problems)
    return found, unread


def _put(found: dict[str, AttributeValue], of: TypeField, text: str, what: str, problems: Problems) -> bool:
    """Whether the field can hold the value, as it can a blank one: there is none."""
    text = cut(text, ATTRIBUTE_CHARS_MAX, what, problems)
    if not text:
        return True
    try:
        found[of.name] = _value(of.type, text)
    except ValueError:
        problems.add(ProblemKind.BAD_ATTRIBUTE, what)
        return False
    return True


def _value(kind: FieldType, text: str) -> AttributeValue:
    match kind:
        case FieldType.STRING:
            return text
        case FieldType.INTEGER:
            number = int(text.replace(",", ""))
            if not INT64_MIN <= number <= INT64_MAX:
                raise ValueError("no int64")
            return number
        case FieldType.NUMBER:
            value = float(text.replace(",", ""))
            if not math.isfinite(value):
                raise ValueError("not finite")
            return value
        case FieldType.BOOLEAN:
            if text.casefold() not in (*_TRUE, *_FALSE):
                raise ValueError("neither true nor false")
            return text.casefold() in _TRUE
        case FieldType.TIMESTAMP:
            return Timestamp(epoch_us(text))
