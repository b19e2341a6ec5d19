"""The data of both sides: MuSiQue-100's entities and facts, and as many more as asked for, recombined."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.corpus.dataset import Dataset
from gateway.corpus.graph_rows import EntityRow, FactRow, build_groups, normalised

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "graphgate:bench:peer")
_SEED = 1
_SPARE = 4
"""Combinations there must be for every row that is drawn from them: with fewer the drawing gets slow."""
_DRAWN_AT_ONCE = 4_096


@dataclass(frozen=True, slots=True)
class PeerRows:
    """One group. No two entities share a name, no two facts a text."""

    entities: Sequence[EntityRow]
    facts: Sequence[FactRow]
    """Between `entities`."""
    recombined_entities: int
    """The last ones of `entities` that the data does not have."""
    recombined_facts: int

    @property
    def texts(self) -> Iterator[str]:
        """Every text that needs a vector."""
        yield from (entity.name for entity in self.entities)
        yield from (fact.fact for fact in self.facts)


def peer_rows(dataset: Dataset, entities: int, facts: int) -> PeerRows:
    """Always the same rows for the same numbers.

    The first `entities` names in the order of the passages; past them "A and B" of two names. Of the facts
    those between these entities; past them subject, predicate and object of different facts. Raises
    ValueError when the data does not have enough to recombine.
    """
    (graph,) = build_groups(dataset, 1)
    found = graph.entities[:entities]
    chosen = [*found, *_recombined_entities(found, entities - len(found))]
    names = {entity.uuid: entity.name for entity in chosen}
    by_text = {
        fact.fact: fact for fact in graph.facts if fact.source_uuid in names and fact.target_uuid in names
    }
    stated = list(by_text.values())
    real = stated[:facts]
    more = _recombined_facts(stated, set(by_text), names, facts - len(real))
    return PeerRows(chosen, [*real, *more], len(chosen) - len(found), len(more))


def _recombined_entities(found: Sequence[EntityRow], count: int) -> list[EntityRow]:
    taken = {normalised(entity.name) for entity in found}
    made: list[EntityRow] = []
    for one, other in _draws(count, (len(found), len(found)), "entities"):
        if len(made) == count:
            break
        name = f"{found[one].name} and {found[other].name}"
        if one != other and normalised(name) not in taken:
            taken.add(normalised(name))
            made.append(EntityRow(_uuid("entity", name), name))
    return made


def _recombined_facts(
    stated: Sequence[FactRow], taken: set[str], names: dict[str, str], count: int
) -> list[FactRow]:
    """`taken`: texts that are there already."""
    subjects = list(dict.fromkeys(fact.source_uuid for fact in stated))
    predicates = list(dict.fromkeys(fact.name for fact in stated))
    objects = list(dict.fromkeys(fact.target_uuid for fact in stated))
    taken = set(taken)
    made: list[FactRow] = []
    sizes = (len(subjects), len(predicates), len(objects))
    for subject, predicate, thing in _draws(count, sizes, "facts"):
        if len(made) == count:
            break
        source, name, target = subjects[subject], predicates[predicate], objects[thing]
        text = f"{names[source]} {name.replace('_', ' ').lower()} {names[target]}"
        if text not in taken:
            taken.add(text)
            made.append(FactRow(_uuid("fact", text), source, target, name, text))
    return made


def _draws(count: int, sizes: tuple[int, ...], what: str) -> Iterator[list[int]]:
    """Endless combinations of places, with repeats; none when nothing is wanted."""
    if count <= 0:
        return
    if np.prod([float(size) for size in sizes]) < _SPARE * count:
        raise ValueError(f"the data cannot be recombined to {count:,} more {what}; ask for fewer")
    random = np.random.default_rng(_SEED)
    while True:
        yield from random.integers(0, sizes, (_DRAWN_AT_ONCE, len(sizes))).tolist()


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))
