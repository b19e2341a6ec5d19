"""Answers to the prompts of graphiti-core 0.29 to 0.31, known by the names of its response models.

Its prompts quote texts between tags such as <CURRENT MESSAGE>; lists are JSON or Python's own notation.
"""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from gateway.bench.model_server.graphgate_answers import joined, judged
from gateway.bench.model_server.knowledge import Knowledge

type Answer = dict[str, Any]

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ][0-9:.]+(?:Z|[+-]\d{2}:\d{2})?")
TEXT_TAGS = ("CURRENT MESSAGES", "CURRENT MESSAGE", "CURRENT_MESSAGE", "TEXT", "JSON", "EPISODES", "MESSAGES")


def extracted_entities(prompt: str, knowledge: Knowledge) -> Answer:
    known = knowledge.of(_text(prompt))
    return {
        "extracted_entities": [
            {"name": one.name, "entity_type_id": 0, "episode_indices": [0]} for one in known.entities
        ]
    }


def combined_extraction(prompt: str, knowledge: Knowledge) -> Answer:
    known = knowledge.of(_text(prompt))
    return extracted_entities(prompt, knowledge) | {
        "edges": [
            {
                "source_entity_name": one.source,
                "target_entity_name": one.target,
                "relation_type": one.name,
                "fact": one.text,
                "episode_indices": [0],
            }
            for one in known.facts
        ]
    }


def extracted_edges(prompt: str, knowledge: Knowledge) -> Answer:
    named = {str(one["name"] if isinstance(one, dict) else one) for one in _list(prompt, "ENTITIES")}
    known = knowledge.of(_text(prompt))
    stated_at = _stated_at(_tagged(prompt, "REFERENCE_TIME"))
    return {
        "edges": [
            {
                "source_entity_name": one.source,
                "target_entity_name": one.target,
                "relation_type": one.name,
                "fact": one.text,
                "valid_at": one.valid_at or stated_at,
                "invalid_at": one.invalid_at,
                "episode_indices": [0],
            }
            for one in known.facts
            if one.source in named and one.target in named
        ]
    }


def node_resolutions(prompt: str, knowledge: Knowledge) -> Answer:
    candidates = _list(prompt, "EXISTING ENTITIES")
    return {
        "entity_resolutions": [
            {
                "id": one["id"],
                "name": one["name"],
                "duplicate_candidate_id": _duplicate(one["name"], candidates, knowledge),
            }
            for one in _list(prompt, "ENTITIES")
        ]
    }


def node_duplicate(prompt: str, knowledge: Knowledge) -> Answer:
    one = cast("dict[str, Any]", _parsed(_tagged(prompt, "NEW ENTITY")) or {})
    found = _duplicate(str(one.get("name", "")), _list(prompt, "EXISTING ENTITIES"), knowledge)
    return {"id": one.get("id", 0), "name": one.get("name", ""), "duplicate_candidate_id": found}


def edge_duplicate(prompt: str, knowledge: Knowledge) -> Answer:
    text = _tagged(prompt, "NEW FACT").strip()
    known = knowledge.fact(text)
    existing = _list(prompt, "EXISTING FACTS")
    others = _list(prompt, "FACT INVALIDATION CANDIDATES")
    return {
        "duplicate_facts": [one["idx"] for one in existing if judged(known, text, one["fact"]) == "repeats"],
        "contradicted_facts": [
            one["idx"]
            for one in (*existing, *others)
            if judged(known, text, one["fact"]) in ("supersedes", "corrects")
        ],
    }


def edge_timestamps(prompt: str, knowledge: Knowledge) -> Answer:
    return _times(_tagged(prompt, "FACT").strip(), knowledge)


def batch_edge_timestamps(prompt: str, knowledge: Knowledge) -> Answer:
    facts = _list(prompt, "FACTS")
    return {
        "timestamps": [
            _times(str(one.get("fact", "")), knowledge, str(one.get("reference_time", "")))
            if isinstance(one, dict)
            else _times(str(one), knowledge)
            for one in facts
        ]
    }


def summarized_entities(prompt: str, _: Knowledge) -> Answer:
    text = _text(prompt)
    return {
        "summaries": [
            {
                "name": one["name"],
                "summary": joined([str(one.get("summary") or ""), *_about(one["name"], text)]),
            }
            for one in _list(prompt, "ENTITIES")
            if isinstance(one, dict)
        ]
    }


def summary(prompt: str, _: Knowledge) -> Answer:
    return {"summary": joined(_text(prompt).split(". ")[:3]) or "nothing"}


def summary_description(prompt: str, _: Knowledge) -> Answer:
    return {"description": "a group of entities"}


ANSWERS: Mapping[str, Callable[[str, Knowledge], Answer]] = {
    "ExtractedEntities": extracted_entities,
    "CombinedExtraction": combined_extraction,
    "ExtractedEdges": extracted_edges,
    "NodeResolutions": node_resolutions,
    "NodeDuplicate": node_duplicate,
    "EdgeDuplicate": edge_duplicate,
    "EdgeTimestamps": edge_timestamps,
    "BatchEdgeTimestamps": batch_edge_timestamps,
    "SummarizedEntities": summarized_entities,
    "EntitySummary": summary,
    "Summary": summary,
    "SagaSummary": summary,
    "SummaryDescription": summary_description,
}
"""By the name of the schema, which is that of the response model."""


def _text(prompt: str) -> str:
    return next((found for tag in TEXT_TAGS if (found := _tagged(prompt, tag).strip())), "")


def _tagged(prompt: str, tag: str) -> str:
    """Between the first <tag> and the last </tag> behind it; empty if there is none."""
    start = prompt.find(f"<{tag}>")
    end = prompt.find(f"</{tag}>", start)
    return prompt[start + len(tag) + 2 : end] if 0 <= start < end else ""


def _list(prompt: str, tag: str) -> list[Any]:
    found = _parsed(_tagged(prompt, tag))
    return cast("list[Any]", found) if isinstance(found, list) else []


def _parsed(text: str) -> object:
    text = text.strip()
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return [line.strip(" -") for line in re.split(r"\n+", text) if line.strip()]


def _duplicate(name: str, candidates: list[Any], knowledge: Knowledge) -> int:
    return next(
        (
            int(one.get("candidate_id", at))
            for at, one in enumerate(candidates)
            if isinstance(one, dict) and knowledge.same(name, str(one.get("name", "")))
        ),
        -1,
    )


def _times(fact: str, knowledge: Knowledge, told_at: str = "") -> Answer:
    known = knowledge.fact(fact)
    stated_at = _stated_at(told_at)
    return {
        "valid_at": stated_at if known is None else known.valid_at or stated_at,
        "invalid_at": None if known is None else known.invalid_at,
    }


def _stated_at(text: str) -> str | None:
    """What is told without a date holds from when it is told, as the prompts say. Of a fact without any date
    graphiti-core asks in a call of its own, which a real model seldom makes it do."""
    found = _TIME.search(text)
    return None if found is None else found[0].replace(" ", "T")


def _about(name: str, text: str) -> list[str]:
    return [sentence for sentence in text.split(". ") if name in sentence][:2]
