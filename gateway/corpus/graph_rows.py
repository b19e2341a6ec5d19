"""The graph of the passages: the same rows, under the same uuids, whatever layout holds them."""

import re
import unicodedata
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.corpus.dataset import Dataset, Passage

GROUPS = 45
NAME_CHARS_MAX = 1_024

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "graphgate:demo:musique100")


@dataclass(frozen=True, slots=True)
class EntityRow:
    uuid: str
    name: str
    """As the group's first passage spells it; also the text to embed."""


@dataclass(frozen=True, slots=True)
class FactRow:
    uuid: str
    source_uuid: str
    target_uuid: str
    name: str
    fact: str
    """Subject, predicate and object as words; also the text to embed."""


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    uuid: str
    name: str
    content: str

    @property
    def text(self) -> str:
        """What is embedded."""
        return f"{self.name}\n{self.content}"


@dataclass(frozen=True, slots=True)
class PassageGraph:
    """What one passage says. The episode mentions every entity of it."""

    index: int
    """Place of the passage in the dataset."""
    episode: EpisodeRow
    entities: tuple[EntityRow, ...]
    """Without repeats: those that were extracted, then those that only triples name."""
    facts: tuple[FactRow, ...]


@dataclass(frozen=True, slots=True)
class GroupGraph:
    group_id: str
    passages: tuple[PassageGraph, ...]

    @property
    def entities(self) -> tuple[EntityRow, ...]:
        """Without repeats, in the order in which the passages name them."""
        return tuple(dict.fromkeys(entity for passage in self.passages for entity in passage.entities))

    @property
    def facts(self) -> tuple[FactRow, ...]:
        return tuple(fact for passage in self.passages for fact in passage.facts)

    @property
    def mentions(self) -> int:
        return sum(len(passage.entities) for passage in self.passages)

    @property
    def rows(self) -> int:
        """Rows of all kinds."""
        return len(self.passages) + len(self.entities) + len(self.facts) + self.mentions


def build_groups(dataset: Dataset, groups: int = GROUPS) -> tuple[GroupGraph, ...]:
    """Consecutive passages share a group: passage i is in group i * groups // passages.

    There are at most as many groups as passages.
    """
    count = len(dataset.passages)
    groups = min(groups, count)
    members: list[list[int]] = [[] for _ in range(groups)]
    for index in range(count):
        members[index * groups // count].append(index)
    return tuple(
        _group(f"musique-{number:02d}", {index: dataset.passages[index] for index in indexes})
        for number, indexes in enumerate(members)
    )


def normalised(name: str) -> str:
    """Names that are equal in this form are one entity."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def texts(groups: Sequence[GroupGraph]) -> Iterator[str]:
    """Every text that needs a vector, with repeats."""
    for group in groups:
        for passage in group.passages:
            yield passage.episode.text
            yield from (fact.fact for fact in passage.facts)
        yield from (entity.name for entity in group.entities)


def _group(group_id: str, passages: Mapping[int, Passage]) -> GroupGraph:
    entities: dict[str, EntityRow] = {}
    graphs: list[PassageGraph] = []
    for index, passage in passages.items():
        named = [*passage.entities, *(end for t in passage.triples for end in (t.subject, t.object))]
        here: dict[str, EntityRow] = {}
        for name in named:
            key = normalised(name)
            if key and key not in here:
                here[key] = entities.setdefault(
                    key, EntityRow(_uuid("entity", group_id, key), " ".join(name.split()))
                )
        facts = tuple(
            FactRow(
                uuid=_uuid("fact", str(index), str(position)),
                source_uuid=here[normalised(triple.subject)].uuid,
                target_uuid=here[normalised(triple.object)].uuid,
                name=fact_name(triple.predicate),
                fact=" ".join(f"{triple.subject} {triple.predicate} {triple.object}".split()),
            )
            for position, triple in enumerate(passage.triples)
        )
        episode = EpisodeRow(_uuid("episode", str(index)), passage.title, passage.text)
        graphs.append(PassageGraph(index, episode, tuple(here.values()), facts))
    return GroupGraph(group_id, tuple(graphs))


def fact_name(predicate: str) -> str:
    """The predicate as the name of a relation: "published by" is PUBLISHED_BY."""
    words = re.sub(r"\W+", "_", predicate).strip("_").upper()
    return words[:NAME_CHARS_MAX] or "RELATES_TO"


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))
