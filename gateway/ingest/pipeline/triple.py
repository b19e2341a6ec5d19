"""Episodes that are one fact already: "subject | predicate | object", three words, or JSON of the three."""

from typing import Any, cast

import orjson

from gateway.ingest.extraction import (
    FACT_CHARS_MAX,
    FACT_NAME_CHARS_MAX,
    NAME_CHARS_MAX,
    ExtractedEntity,
    ExtractedFact,
    Extraction,
    Problems,
)
from gateway.ingest.translation import DEFAULT_FACT_NAME, cut

_NAMES = ("subject", "predicate", "object")


def parts(content: str) -> tuple[str, str, str] | None:
    """None: it is no triple."""
    text = content.strip()
    found: list[str] = []
    if text[:1] in ("[", "{"):
        try:
            told: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if isinstance(told, dict):
            told = [cast("dict[str, Any]", told).get(name) for name in _NAMES]
        found = [one for one in cast("list[Any]", told) if isinstance(one, str)]
    else:
        for separator in ("|", "\t", None):
            found = text.split(separator)
            if len(found) == len(_NAMES):
                break
    cleaned = [" ".join(one.split()) for one in found]
    if len(cleaned) != len(_NAMES) or not all(cleaned):
        return None
    subject, predicate, of = cleaned
    return subject, predicate, of


def extraction_of(content: str) -> Extraction:
    """Raises ValueError for what is no triple."""
    found = parts(content)
    if found is None:
        raise ValueError("an episode that is no triple")
    problems = Problems()
    subject = cut(found[0], NAME_CHARS_MAX, "subject", problems)
    of = cut(found[2], NAME_CHARS_MAX, "object", problems)
    name = "_".join(found[1].upper().split())
    fact = ExtractedFact(
        source=0,
        target=0 if subject == of else 1,
        name=cut(name, FACT_NAME_CHARS_MAX, "predicate", problems) or DEFAULT_FACT_NAME,
        text=cut(" ".join(found).replace("_", " "), FACT_CHARS_MAX, "fact", problems),
    )
    names = dict.fromkeys((subject, of))
    entities = tuple(ExtractedEntity(one) for one in names)
    return Extraction(entities, (fact,), problems.kept, problems.found)
