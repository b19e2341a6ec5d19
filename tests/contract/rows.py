"""Rows for tests, short to write, and their canonical form for comparison."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from drivers.graph_model import (
    AnyRow,
    Attributes,
    Community,
    Entity,
    Episode,
    EpisodeSource,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    Saga,
    SagaEpisode,
    Vector,
)
from drivers.row_codec import kind_of
from gateway.search.analyzer import row_terms
from gateway.writes.row_text import indexed_text

type Canonical = tuple[str, ...]


def new_uuid() -> str:
    return str(uuid.uuid4())


def uuids(count: int) -> list[str]:
    """Fresh ones in ascending order."""
    return sorted(new_uuid() for _ in range(count))


def vector(values: Sequence[float]) -> Vector:
    """L2-normalised, as rows carry them."""
    given = np.array(values, dtype=np.float64)
    return (given / np.linalg.norm(given)).astype(np.float32)


def random_vector(rng: np.random.Generator, dimension: int) -> Vector:
    return vector(rng.standard_normal(dimension).tolist())


def entity(name: str = "", *, at: str = "", embedding: Vector | None = None, **more: Any) -> Entity:
    """`at` is its uuid; a fresh one when empty. So for all builders here."""
    return Entity(uuid=at or new_uuid(), name=name, embedding=embedding, **more)


def fact(source: str, target: str, text: str = "", *, at: str = "", **more: Any) -> Fact:
    return Fact(
        uuid=at or new_uuid(),
        source_uuid=source,
        target_uuid=target,
        name=more.pop("name", "KNOWS"),
        fact=text,
        **more,
    )


def episode(content: str = "", *, at: str = "", **more: Any) -> Episode:
    return Episode(uuid=at or new_uuid(), name=more.pop("name", "chat"), content=content, **more)


def mention(episode_uuid: str, entity_uuid: str, *, at: str = "") -> Mention:
    return Mention(uuid=at or new_uuid(), source_uuid=episode_uuid, target_uuid=entity_uuid)


def one_of_each(attributes: Attributes | None = None, embedding: Vector | None = None) -> dict[Kind, AnyRow]:
    """A small graph with one row of every kind, every property set; `embedding` on the text kinds."""
    given: Attributes = attributes if attributes is not None else {"role": "guide", "age": 41}
    who = entity(
        "Ada Lovelace",
        summary="wrote the first program",
        labels=("Person", "Author"),
        attributes=given,
        embedding=embedding,
    )
    what = episode(
        "Ada met Babbage at a dinner",
        source=EpisodeSource.MESSAGE,
        source_description="a letter",
        reference_time=1_234_567_890_123_456,
        attributes=given,
        embedding=embedding,
    )
    circle = Community(
        uuid=new_uuid(), name="Mathematicians", summary="people who count", embedding=embedding
    )
    story = Saga(uuid=new_uuid(), name="The engine", summary="how it came to be")
    claim = fact(
        who.uuid,
        who.uuid,
        "Ada taught herself",
        name="TAUGHT",
        episodes=(what.uuid, new_uuid()),
        valid_at=-1_000_001,
        attributes=given,
        embedding=embedding,
    )
    rows: list[AnyRow] = [
        who,
        what,
        circle,
        story,
        claim,
        mention(what.uuid, who.uuid),
        Membership(uuid=new_uuid(), source_uuid=circle.uuid, target_uuid=who.uuid),
        SagaEpisode(uuid=new_uuid(), source_uuid=story.uuid, target_uuid=what.uuid),
        NextEpisode(uuid=new_uuid(), source_uuid=what.uuid, target_uuid=what.uuid, saga_uuid=story.uuid),
    ]
    return {kind_of(row): row for row in rows}


def analysed(row: AnyRow) -> AnyRow:
    """The row with the terms that the planner gives it."""
    if not isinstance(row, Entity | Episode | Community | Fact):
        return row
    terms = row_terms(indexed_text(row))
    return replace(row, terms=terms.text, term_count=terms.count)


def canonical(row: AnyRow) -> Canonical:
    """Everything of a row, with types and float bits: == of two rows says neither (1 == 1.0 == True)."""
    return (str(kind_of(row)), *(f"{f.name}={_exact(getattr(row, f.name))}" for f in fields(row)))


def canonical_set(rows: Iterable[AnyRow]) -> set[Canonical]:
    return {canonical(row) for row in rows}


def without_stamps(row: AnyRow) -> Canonical:
    """`canonical` but for what the shard gives to every row."""
    return canonical(replace(row, version=0, created_at=0))


def _exact(value: object) -> str:
    match value:
        case np.ndarray():
            return f"{value.dtype}{value.shape}{value.tobytes().hex()}"
        case Mapping():
            return "{" + ", ".join(f"{name!r}: {_exact(item)}" for name, item in sorted(value.items())) + "}"
        case tuple():
            return "(" + ", ".join(map(_exact, value)) + ")"
        case _:
            return f"{type(value).__name__} {value!r}"
