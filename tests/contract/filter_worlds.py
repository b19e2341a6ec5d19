"""Graphs whose values are few and close together, and filters made of the same values, so that both a row
that just passes and one that just fails are likely."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import cos, sin

from hypothesis import strategies as st

from drivers.filters import (
    NO_FILTER,
    AttributeCondition,
    AttributeTest,
    RowFilter,
    TimeCondition,
    TimeField,
)
from drivers.graph_model import (
    INT64_MAX,
    INT64_MIN,
    OPEN_END,
    OPEN_START,
    AnyRow,
    Attributes,
    AttributeScalar,
    AttributeValue,
    Community,
    Entity,
    Episode,
    EpisodeSource,
    Fact,
    Kind,
    Timestamp,
    Vector,
)
from tests.contract.rows import vector
from tests.contract.tenant import FOUNDED_AT, TICK_US

CLOSINGS = 3
"""Writes that give facts other ends, one after the other."""
WRITES = 3 + CLOSINGS
"""Of each group: nodes, facts, more facts, facts with other ends."""
QUESTIONS = 60

LABELS = ("Person", "person", "City", "")
NAMES = ("KNOWS", "knows", "LIKES")
TERMS = ("alpha", "beta", "gamma")
ATTRIBUTES: tuple[str, ...] = ("n", "n ", "né", "m")
WORLD_TIMES = (-(2**55), -1, 0, 1, 10**15, 10**15 + 1, 2**53 + 1, OPEN_START, OPEN_END)
SYSTEM_TIMES = tuple(
    FOUNDED_AT + write * TICK_US + apart for write in range(WRITES + 2) for apart in (-1, 0, 1)
)
STRINGS = ("", "a", "ab", "b", "é", "\uffff", "\U0001f600", "x" * 256)
LONG_STRINGS = ("x" * 257, "x" * 256 + "y", "x" * 255 + "\U0001f600y")
SCALARS: dict[type, tuple[AttributeScalar, ...]] = {
    str: (*STRINGS, *LONG_STRINGS),
    int: (INT64_MIN, -1, 0, 1, 2**53, 2**53 + 1, INT64_MAX),
    float: (-1.5, -0.0, 0.0, 1.0, 1.0000000000000002, 5e-324),
    bool: (False, True),
    Timestamp: (Timestamp(-1), Timestamp(0), Timestamp(1), Timestamp(INT64_MAX)),
}


def _uuid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


ENTITIES = tuple(_uuid(n) for n in range(5))
EPISODES = tuple(_uuid(n) for n in range(100, 104))
COMMUNITIES = tuple(_uuid(n) for n in range(200, 203))
FACTS = tuple(_uuid(n) for n in range(300, 312))
UUIDS = {
    Kind.ENTITY: ENTITIES,
    Kind.EPISODE: EPISODES,
    Kind.COMMUNITY: COMMUNITIES,
    Kind.FACT: FACTS,
}


@dataclass(frozen=True, slots=True)
class Question:
    kind: Kind
    filter: RowFilter
    limit: int
    terms: tuple[str, ...]
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class World:
    groups: tuple[tuple[tuple[AnyRow, ...], ...], ...]
    """Of each group its writes, of each write its rows."""
    questions: tuple[Question, ...] = field(repr=False)
    """A failure shows the one that failed as a note."""


def embedding(kind: Kind, uuid: str, group: int) -> Vector:
    """Every row's own direction, far enough from the others' for engines to agree on the order."""
    angle = 0.03 * (2 * UUIDS[kind].index(uuid) + group)
    return vector([cos(angle), sin(angle)])


def _some[T](values: Sequence[T], most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


def _attribute_values() -> st.SearchStrategy[AttributeValue]:
    lists = [_some(values) for values in SCALARS.values()]
    return st.one_of(*(st.sampled_from(values) for values in SCALARS.values()), *lists)


@cache
def _attributes() -> st.SearchStrategy[Attributes]:
    return st.dictionaries(st.sampled_from(ATTRIBUTES), _attribute_values(), max_size=2)


@st.composite
def _group(draw: st.DrawFn, group: int) -> tuple[tuple[AnyRow, ...], ...]:
    def text() -> str:
        return " ".join(draw(_some(TERMS)))

    def vector_of(kind: Kind, uuid: str) -> Vector | None:
        return embedding(kind, uuid, group) if draw(st.integers(0, 4)) else None

    def fact(uuid: str) -> Fact:
        start, end = sorted(draw(st.lists(st.sampled_from(WORLD_TIMES), min_size=2, max_size=2, unique=True)))
        return Fact(
            uuid=uuid,
            source_uuid=draw(st.sampled_from(ENTITIES)),
            target_uuid=draw(st.sampled_from(ENTITIES)),
            name=draw(st.sampled_from(NAMES)),
            fact=text(),
            valid_at=start,
            invalid_at=end,
            attributes=draw(_attributes()),
            embedding=vector_of(Kind.FACT, uuid),
        )

    entities = [
        Entity(
            uuid=uuid,
            name=text(),
            labels=draw(_some(LABELS)),
            attributes=draw(_attributes()),
            embedding=vector_of(Kind.ENTITY, uuid),
        )
        for uuid in ENTITIES
    ]
    episodes = [
        Episode(
            uuid=uuid,
            name="",
            content=text(),
            source=draw(st.sampled_from(EpisodeSource)),
            reference_time=draw(st.sampled_from(WORLD_TIMES[:-2])),
            attributes=draw(_attributes()),
            embedding=vector_of(Kind.EPISODE, uuid),
        )
        for uuid in EPISODES
    ]
    communities = [
        Community(uuid=uuid, name=text(), embedding=vector_of(Kind.COMMUNITY, uuid)) for uuid in COMMUNITIES
    ]
    facts = [fact(uuid) for uuid in FACTS[: draw(st.integers(2, len(FACTS)))]]
    half = len(facts) // 2
    closings = [
        tuple(
            replace(one, invalid_at=draw(st.sampled_from([t for t in WORLD_TIMES if t > one.valid_at])))
            for one in facts
            if draw(st.booleans())
        )
        for _ in range(CLOSINGS)
    ]
    return (*entities, *episodes, *communities), tuple(facts[:half]), tuple(facts[half:]), *closings


@cache
@st.composite
def _time(draw: st.DrawFn, kind: Kind) -> TimeCondition:
    fields = [TimeField.CREATED_AT]
    if kind is Kind.FACT:
        fields += [TimeField.VALID_AT, TimeField.INVALID_AT, TimeField.EXPIRED_AT]
    elif kind is Kind.EPISODE:
        fields.append(TimeField.REFERENCE_TIME)
    field = draw(st.sampled_from(fields))
    system = field in (TimeField.CREATED_AT, TimeField.EXPIRED_AT)
    times = st.sampled_from((*SYSTEM_TIMES, OPEN_START, OPEN_END) if system else WORLD_TIMES)
    if draw(st.integers(0, 4)) == 0:
        return TimeCondition(field, is_open=True)
    return TimeCondition(field, draw(st.just(OPEN_START) | times), draw(st.just(OPEN_END) | times))


@cache
@st.composite
def _attribute(draw: st.DrawFn) -> AttributeCondition:
    name = draw(st.sampled_from(ATTRIBUTES))
    test = draw(st.sampled_from(AttributeTest))
    match test:
        case AttributeTest.EXISTS | AttributeTest.ABSENT:
            return AttributeCondition(name, test)
        case AttributeTest.RANGE:
            scalars = draw(st.sampled_from((STRINGS, *(v for t, v in SCALARS.items() if t is not str))))
            ends = st.sampled_from(scalars)
            return AttributeCondition(name, test, (draw(ends), draw(ends)))
        case _:
            every = tuple(value for values in SCALARS.values() for value in values)
            values = draw(st.lists(st.sampled_from(every), min_size=1, max_size=3))
            return AttributeCondition(name, test, tuple(values))


@cache
@st.composite
def _filter(draw: st.DrawFn, kind: Kind) -> RowFilter:
    """Of the parts that the kind has each with a small chance: of many at once nothing passes."""

    def part[T](values: Sequence[T]) -> tuple[T, ...]:
        return draw(_some(values, 4)) if draw(st.integers(0, 5)) == 0 else ()

    wanted = RowFilter(uuids=part(UUIDS[kind]))
    if draw(st.integers(0, 2)) == 0:
        alternative = st.lists(_time(kind), min_size=1, max_size=2).map(tuple)
        wanted = replace(wanted, times=tuple(draw(st.lists(alternative, min_size=1, max_size=2))))
    if kind is not Kind.COMMUNITY and draw(st.integers(0, 2)) == 0:
        wanted = replace(wanted, attributes=tuple(draw(st.lists(_attribute(), min_size=1, max_size=2))))
    if draw(st.integers(0, 2)) == 0:
        wanted = replace(wanted, known_at=draw(st.sampled_from(SYSTEM_TIMES)))
    match kind:
        case Kind.ENTITY:
            wanted = replace(
                wanted, labels_any=part(LABELS), labels_all=part(LABELS[:2]), labels_none=part(LABELS)
            )
        case Kind.EPISODE:
            wanted = replace(wanted, sources=part(tuple(EpisodeSource)))
        case Kind.FACT:
            wanted = replace(
                wanted,
                names=part(NAMES),
                source_uuids=part(ENTITIES),
                target_uuids=part(ENTITIES),
                end_uuids=part(ENTITIES),
                as_of=draw(st.none() | st.sampled_from(WORLD_TIMES)),
            )
        case _:
            pass
    return wanted


@cache
@st.composite
def _question(draw: st.DrawFn) -> Question:
    kind = draw(st.sampled_from((Kind.FACT, Kind.FACT, Kind.ENTITY, Kind.EPISODE, Kind.COMMUNITY)))
    return Question(
        kind=kind,
        filter=draw(_filter(kind) | st.just(NO_FILTER)),
        limit=draw(st.sampled_from((1, 2, 5, 100))),
        terms=draw(_some(TERMS).filter(bool)),
        groups=draw(st.sampled_from(((0,), (1,), (0, 1)))),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    return World(
        groups=(draw(_group(0)), draw(_group(1))),
        questions=tuple(draw(st.lists(_question(), min_size=QUESTIONS, max_size=QUESTIONS))),
    )
