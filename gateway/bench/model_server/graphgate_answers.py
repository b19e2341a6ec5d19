"""Answers to graphgate's own prompts: the user message is the material, the schema's name the task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.bench.model_server.knowledge import Knowledge, KnownEntity, KnownFact

SUMMARY_CHARS_MAX = 600

type Material = Mapping[str, Any]
type Answer = dict[str, Any]


def extract(material: Material, knowledge: Knowledge) -> Answer:
    known = knowledge.of(material["episode"]["content"])
    ids = {one.name: number for number, one in enumerate(known.entities)}
    return {
        "entities": _entities(known.entities, ids, material),
        "facts": _facts(known.facts, ids, material),
    }


def extract_entities(material: Material, knowledge: Knowledge) -> Answer:
    known = knowledge.of(material["episode"]["content"])
    ids = {one.name: number for number, one in enumerate(known.entities)}
    return {"entities": _entities(known.entities, ids, material)}


def extract_facts(material: Material, knowledge: Knowledge) -> Answer:
    known = knowledge.of(material["episode"]["content"])
    ids = {one["name"]: one["id"] for one in material["entities"]}
    return {"facts": _facts(known.facts, ids, material)}


def reflect(material: Material, knowledge: Knowledge) -> Answer:
    """What is known of the text and was not given: nothing, when all was taken before."""
    known = knowledge.of(material["episode"]["content"])
    ids: dict[str, int] = {one["name"]: one["id"] for one in material["entities"]}
    missed = [one for one in known.entities if one.name not in ids]
    new_ids = {one.name: len(ids) + number for number, one in enumerate(missed)}
    told = {one["text"] for one in material["facts"]}
    return {
        "entities": _entities(missed, new_ids, material),
        "facts": _facts([one for one in known.facts if one.text not in told], ids | new_ids, material),
    }


def resolve_entities(material: Material, knowledge: Knowledge) -> Answer:
    names: dict[int, str] = {one["id"]: one["name"] for one in material["candidates"]}
    return {
        "same": [
            {
                "id": one["id"],
                "same_as": next(
                    (at for at in one["candidates"] if knowledge.same(one["name"], names[at])), -1
                ),
            }
            for one in material["new"]
        ]
    }


def judge_facts(material: Material, knowledge: Knowledge) -> Answer:
    texts: dict[int, str] = {one["id"]: one["text"] for one in material["candidates"]}
    judgements: list[Answer] = []
    for one in material["new"]:
        known = knowledge.fact(one["text"])
        verdict: Answer = {"id": one["id"], "repeats": [], "supersedes": [], "corrects": []}
        for at in one["candidates"]:
            kind = judged(known, one["text"], texts[at])
            if kind:
                verdict[kind].append(at)
        judgements.append(verdict)
    return {"judgements": judgements}


def judged(known: KnownFact | None, text: str, other: str) -> str:
    """ "repeats", "supersedes", "corrects" or nothing."""
    if known is not None:
        for kind, texts in (
            ("corrects", known.corrects), ("supersedes", known.supersedes), ("repeats", known.repeats)
        ):  # fmt: skip
            if other in texts:
                return kind
    return "repeats" if text.casefold() == other.casefold() else ""


def attributes(material: Material, knowledge: Knowledge) -> Answer:
    """What is known of the entity in this text, else what was given."""
    about = material["about"]
    known = knowledge.of(material["episode"]["content"])
    told = next((one.attributes for one in known.entities if one.name == about["name"]), {})
    return {one["name"]: told.get(one["name"], about["known"].get(one["name"])) for one in material["fields"]}


def summarise(material: Material, _: Knowledge) -> Answer:
    return {
        "summaries": [
            {"id": one["id"], "summary": joined([one["summary"], *one["facts"]]) or one["name"]}
            for one in material["entities"]
        ]
    }


def summarise_saga(material: Material, _: Knowledge) -> Answer:
    firsts = [one["content"].split(".")[0] for one in material["episodes"]]
    return {"summary": joined([material["summary"], *firsts]) or material["saga"]}


ANSWERS: Mapping[str, Callable[[Material, Knowledge], Answer]] = {
    "extract": extract,
    "extract_entities": extract_entities,
    "extract_facts": extract_facts,
    "reflect": reflect,
    "resolve_entities": resolve_entities,
    "judge_facts": judge_facts,
    "attributes": attributes,
    "summarise": summarise,
    "summarise_saga": summarise_saga,
}
"""By the name of the schema, which is the task's."""


def joined(parts: Sequence[str]) -> str:
    """The parts that fit, newest last."""
    text = ""
    for part in reversed([part.strip() for part in parts if part.strip()]):
        longer = f"{part.rstrip('.')}. {text}".strip()
        if len(longer) > SUMMARY_CHARS_MAX:
            break
        text = longer
    return text


def _entities(entities: Sequence[KnownEntity], ids: Mapping[str, int], material: Material) -> list[Answer]:
    typed = _typed(material)
    return [
        {"id": ids[one.name], "name": one.name, "type": one.type, "summary": one.summary}
        | ({"attributes": _pairs(one)} if typed else {})
        for one in entities
    ]


def _facts(facts: Sequence[KnownFact], ids: Mapping[str, int], material: Material) -> list[Answer]:
    typed = _typed(material)
    return [
        {
            "source": ids[one.source],
            "target": ids[one.target],
            "name": one.name,
            "text": one.text,
            "valid_at": one.valid_at,
            "invalid_at": one.invalid_at,
        }
        | ({"attributes": _pairs(one)} if typed else {})
        for one in facts
        if one.source in ids and one.target in ids
    ]


def _typed(material: Material) -> bool:
    """Whether the form has attributes: it has if any type has fields."""
    return any("fields" in one for name in ("entity_types", "fact_types") for one in material.get(name, ()))


def _pairs(one: KnownEntity | KnownFact) -> list[Answer]:
    return [{"name": name, "value": value} for name, value in one.attributes.items()]
