"""Programs of driver calls, generated."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from drivers.graph_model import (
    EDGE_KINDS,
    ENDPOINT_KINDS,
    NODE_KINDS,
    OPEN_END,
    AnyRow,
    AttributeValue,
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
    Timestamp,
    Vector,
)
from drivers.reads import Anchor, ListOrder
from drivers.row_codec import kind_of
from gateway.writes.intent import WriteMode
from tests.contract.rows import random_vector

POOL = {
    kind: tuple(f"{n:08x}-0000-4000-8000-{i:012x}" for i in range(4 if kind in NODE_KINDS else 5))
    for n, kind in enumerate(Kind)
}
"""The uuids that programs use: few, so that steps meet."""

_RNG = np.random.default_rng(11)
VECTORS: tuple[Vector, ...] = tuple(random_vector(_RNG, 3) for _ in range(5))
"""Without near ties, which engines may round apart; equal ones tie exactly."""

TEXTS = ("", "cat", "cats and dogs", "the dog", "a \"b\" \\ 'c'", "日本語 dog", "dog cat bird -x @y:z")
TERMS = ("cat", "dog", "bird", "日本", "absent")


@dataclass(frozen=True, slots=True)
class Write:
    rows: tuple[AnyRow, ...]
    deletions: tuple[tuple[Kind, str], ...]
    mode: WriteMode
    masked: frozenset[str]
    episode_uuid: str
    clock_us: int
    """Distance of the gateway's clock from its last reading; may be negative."""
    if_version_off: int | None
    """None: no if_version; else that much off the present version."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Plans now what is applied when a later `Overdue` comes."""

    write: Write


@dataclass(frozen=True, slots=True)
class Overdue:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    """Applies an earlier plan again, maybe with a stale epoch."""

    back: int
    epoch_off: int


@dataclass(frozen=True, slots=True)
class Get:
    kind: Kind
    uuids: tuple[str, ...]
    with_vectors: bool


@dataclass(frozen=True, slots=True)
class List:
    kind: Kind
    limit: int
    order: ListOrder
    anchor: Anchor | None
    pages: int


@dataclass(frozen=True, slots=True)
class Feed:
    after: int


@dataclass(frozen=True, slots=True)
class Semantic:
    kind: Kind
    vector: int
    limit: int
    score_min: float


@dataclass(frozen=True, slots=True)
class Keyword:
    kind: Kind
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expand:
    entities: tuple[str, ...]
    along: Kind
    most: int


type Call = Write | Delay | Overdue | Retry | Get | List | Feed | Semantic | Keyword | Expand
type Step = tuple[int, Call]
"""Which of the groups, and what."""


# --- generating -----------------------------------------------------------------------------------

_text = st.sampled_from(TEXTS)
_vector = st.none() | st.sampled_from(VECTORS)
_time = st.sampled_from((-(2**62), -1, 0, 1_700_000_000_000_001, 2**62))
_value: st.SearchStrategy[AttributeValue] = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    _text,
    _time.map(Timestamp),
    st.lists(_text, max_size=3).map(tuple),
)
_attributes = st.dictionaries(st.sampled_from(("a", "b", "", "pk")), _value, max_size=3)


def _at(kind: Kind) -> st.SearchStrategy[str]:
    return st.sampled_from(POOL[kind])


def _edge_of(
    kind: Kind, make: Callable[..., AnyRow], **more: st.SearchStrategy[object]
) -> st.SearchStrategy[AnyRow]:
    source, target = ENDPOINT_KINDS[kind]
    return st.builds(make, uuid=_at(kind), source_uuid=_at(source), target_uuid=_at(target), **more)


_rows: dict[Kind, st.SearchStrategy[AnyRow]] = {
    Kind.ENTITY: st.builds(
        Entity,
        uuid=_at(Kind.ENTITY),
        name=_text,
        summary=_text,
        labels=st.lists(_text, max_size=2).map(tuple),
        attributes=_attributes,
        embedding=_vector,
    ),
    Kind.EPISODE: st.builds(
        Episode,
        uuid=_at(Kind.EPISODE),
        name=_text,
        content=_text,
        source=st.sampled_from(EpisodeSource),
        reference_time=_time,
        attributes=_attributes,
        embedding=_vector,
    ),
    Kind.COMMUNITY: st.builds(
        Community, uuid=_at(Kind.COMMUNITY), name=_text, summary=_text, embedding=_vector
    ),
    Kind.SAGA: st.builds(Saga, uuid=_at(Kind.SAGA), name=_text, summary=_text),
    Kind.FACT: _edge_of(
        Kind.FACT,
        Fact,
        name=_text,
        fact=_text,
        episodes=st.lists(_at(Kind.EPISODE), max_size=2).map(tuple),
        valid_at=_time,
        invalid_at=st.sampled_from((OPEN_END, OPEN_END, 5, 6)),
        attributes=_attributes,
        embedding=_vector,
    ),
    Kind.MENTION: _edge_of(Kind.MENTION, Mention),
    Kind.MEMBERSHIP: _edge_of(Kind.MEMBERSHIP, Membership),
    Kind.SAGA_EPISODE: _edge_of(Kind.SAGA_EPISODE, SagaEpisode),
    Kind.NEXT_EPISODE: _edge_of(Kind.NEXT_EPISODE, NextEpisode, saga_uuid=_at(Kind.SAGA)),
}


def _key(row: AnyRow) -> tuple[Kind, str]:
    return (kind_of(row), row.uuid)


@st.composite
def _writes(draw: st.DrawFn) -> Write:
    kinds = st.sampled_from((*Kind, Kind.ENTITY, Kind.FACT, Kind.FACT))
    rows = draw(st.lists(kinds.flatmap(_rows.__getitem__), min_size=2, max_size=8, unique_by=_key))
    taken = {_key(row) for row in rows} | {
        (kind, end)
        for row in rows
        if isinstance(row, Fact | Mention | Membership | SagaEpisode | NextEpisode)
        for kind, end in zip(ENDPOINT_KINDS[kind_of(row)], (row.source_uuid, row.target_uuid), strict=True)
    }
    doomed = st.sampled_from(Kind).flatmap(lambda kind: st.tuples(st.just(kind), _at(kind)))
    deletions = draw(st.lists(doomed, max_size=2, unique=True))
    deletions = [key for key in deletions if key not in taken]
    if any(kind in NODE_KINDS for kind, _ in deletions):
        # An edge of the batch may now hang on a dropped node, which is the caller's error.
        rows = [row for row in rows if kind_of(row) in NODE_KINDS]
    return Write(
        rows=tuple(rows),
        deletions=tuple(deletions),
        mode=draw(st.sampled_from((*[WriteMode.UPSERT] * 5, WriteMode.PATCH))),
        masked=frozenset(
            draw(
                st.sets(st.sampled_from(("name", "summary", "fact", "invalid_at", "attributes", "embedding")))
            )
        ),
        episode_uuid=draw(st.sampled_from(("", "an episode"))),
        clock_us=draw(st.sampled_from((1_000, 1_000, 0, -5_000))),
        if_version_off=draw(st.sampled_from((None, None, None, None, None, 0, 1))),
    )


def _some(kind: Kind, least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(_at(kind), min_size=least, max_size=4, unique=True).map(tuple)


_anchors = st.sampled_from(NODE_KINDS).flatmap(lambda kind: st.builds(Anchor, st.just(kind), _at(kind)))
_limits = st.sampled_from((1, 2, 50))
_text_kinds = st.sampled_from((Kind.ENTITY, Kind.FACT, Kind.EPISODE, Kind.COMMUNITY))

_reads: st.SearchStrategy[Call] = st.one_of(
    st.sampled_from(Kind).flatmap(lambda kind: st.builds(Get, st.just(kind), _some(kind), st.booleans())),
    st.builds(List, st.sampled_from(Kind), _limits, st.sampled_from(ListOrder), st.none(), st.just(3)),
    st.builds(List, st.sampled_from(EDGE_KINDS), _limits, st.sampled_from(ListOrder), _anchors, st.just(3)),
    st.builds(Feed, st.integers(0, 12)),
    st.builds(Semantic, _text_kinds, st.integers(0, 4), _limits, st.sampled_from((-1.0, 0.123))),
    st.builds(Keyword, _text_kinds, st.lists(st.sampled_from(TERMS), unique=True).map(tuple)),
    st.builds(Expand, _some(Kind.ENTITY, 1), st.sampled_from((Kind.FACT, Kind.MENTION)), _limits),
)
_calls: st.SearchStrategy[Call] = st.one_of(
    _writes(),
    _writes(),
    _writes(),
    st.builds(Delay, _writes()),
    st.just(Overdue()),
    st.just(Overdue()),
    st.builds(Retry, st.integers(0, 5), st.sampled_from((0, 0, 1))),
    _reads,
    _reads,
)


def programs(groups: int) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(st.integers(0, groups - 1), _calls), min_size=8, max_size=30)


def founding_rows() -> tuple[AnyRow, ...]:
    """All nodes of the pool: programs begin with them, so that edges find their ends."""
    return tuple(_bare_node(kind, at) for kind in NODE_KINDS for at in POOL[kind])


def _bare_node(kind: Kind, at: str) -> AnyRow:
    match kind:
        case Kind.ENTITY:
            return Entity(uuid=at, name="cat", embedding=VECTORS[0])
        case Kind.EPISODE:
            return Episode(uuid=at, name="", content="dog")
        case Kind.COMMUNITY:
            return Community(uuid=at, name="bird")
        case _:
            return Saga(uuid=at, name="saga")
