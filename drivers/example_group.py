"""A group whose rows give query shapes their parameters, and a write to it with a row of every kind."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, FenceState, GroupRef
from drivers.graph_model import (
    ENDPOINT_KINDS,
    NODE_KINDS,
    TEXT_KINDS,
    AnyRow,
    Community,
    Entity,
    Episode,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    Saga,
    SagaEpisode,
    TextRow,
    Vector,
)
from drivers.reads import ListQuery
from drivers.row_codec import kind_of
from drivers.write_plan import OpRecord, RowDrop, RowPut, VectorChange, WritePlan

ROWS_PER_KIND = 5
_UUIDS = uuid.UUID("2d1c5d36-6c0f-5d0e-9d6b-0f6f2f6a9a55")
_TERM = "example"
_DIMENSION = 3


@dataclass(frozen=True, slots=True)
class ExampleGroup:
    fence: Fence
    rows: Mapping[Kind, Sequence[AnyRow]] = field(default_factory=dict[Kind, Sequence[AnyRow]])
    """At most ROWS_PER_KIND of each kind, with their vectors."""

    @property
    def ref(self) -> GroupRef:
        return GroupRef(self.fence.group_id, self.fence.space)

    def uuids(self, kind: Kind) -> list[str]:
        """At least one: a kind without rows gives a uuid that no row has."""
        return [row.uuid for row in self.rows.get(kind, ())] or [_absent(kind)]

    def terms(self, kind: Kind) -> list[str]:
        """Up to two tokens, the first one of a row if there are any."""
        found = [term for row in self.rows.get(kind, ()) for term in getattr(row, "terms", "").split()]
        return list(dict.fromkeys([*found[:1], _TERM]))

    def vector(self, kind: Kind) -> Vector:
        """As the rows of the kind have them, L2-normalised."""
        spec = self.fence.embeddings.get(kind)
        vector = np.zeros(_DIMENSION if spec is None else spec.dimension, dtype=np.float32)
        vector[0] = 1.0
        return vector


def placeholder(group_id: str) -> ExampleGroup:
    """An open group without rows: enough for a plan, not for its figures."""
    return ExampleGroup(Fence(group_id, 1, FenceState.OPEN))


async def read_example(driver: ShardDriver, fence: Fence, deadline: Deadline) -> ExampleGroup:
    """The first rows of a group by uuid. Raises ShardError."""
    ref = GroupRef(fence.group_id, fence.space)
    rows: dict[Kind, Sequence[AnyRow]] = {}
    for kind in Kind:
        query = ListQuery(kind, ROWS_PER_KIND, with_vectors=kind in TEXT_KINDS)
        rows[kind] = (await driver.list_rows(ref, query, deadline)).rows
    return ExampleGroup((await driver.read_fences([ref], deadline)).get(fence.group_id, fence), rows)


def example_plan(example: ExampleGroup, kinds: Sequence[Kind], *, drops: bool) -> WritePlan:
    """A write with every section that its kinds can have: a new row of each of `kinds`, whose endpoints are
    among them, with a vector where the group has a model; with facts, the first one is closed; with `drops`,
    a row of each kind that is not there is dropped and gets its tombstone.

    The guards accept it in a group that has rows of all kinds.
    """
    fence = example.fence
    puts = [_put(example, row) for row in new_rows() if kind_of(row) in kinds]
    existing: dict[Kind, int] = {}
    if Kind.FACT in kinds:
        fact = next((row for row in example.rows.get(Kind.FACT, ()) if isinstance(row, Fact)), _A_FACT)
        closed = replace(fact, embedding=None, invalid_at=0)
        puts.append(RowPut(closed, existed=True, closed_by="", previous_end=fact.invalid_at, expires=True))
        existing[Kind.FACT] = 1
    ends = dict.fromkeys(end for kind in kinds for end in ENDPOINT_KINDS.get(kind, ()))
    return WritePlan(
        epoch=fence.epoch,
        operation=OpRecord("explain", "none", ""),
        puts=tuple(puts),
        drops=tuple(RowDrop(kind, _uuid("dropped", kind)) for kind in kinds if drops),
        seen_version=fence.version,
        existing=existing,
        endpoints={end: example.uuids(end)[:1] for end in ends},
        incident_edges=0,
        stats={},
        embeddings_seen=fence.embeddings,
        embeddings=fence.embeddings,
        now=fence.last_created_at + 1,
    )


def _put(example: ExampleGroup, row: AnyRow) -> RowPut:
    if isinstance(row, TextRow | Fact) and kind_of(row) in example.fence.embeddings:
        row = replace(row, embedding=example.vector(kind_of(row)))
        return RowPut(row, existed=False, vector=VectorChange.SET)
    return RowPut(row, existed=False)


def new_rows() -> list[AnyRow]:
    """One of each kind, without vectors; no group has them. Their ends are among them."""
    entity, episode, community, saga = (_new(kind) for kind in NODE_KINDS)
    return [
        Entity(uuid=entity, name=_TERM, terms=_TERM, term_count=1),
        Episode(uuid=episode, name=_TERM, content=_TERM, terms=_TERM, term_count=1),
        Community(uuid=community, name=_TERM, terms=_TERM, term_count=1),
        Saga(uuid=saga, name=_TERM),
        replace(_A_FACT, uuid=_new(Kind.FACT)),
        Mention(uuid=_new(Kind.MENTION), source_uuid=episode, target_uuid=entity),
        Membership(uuid=_new(Kind.MEMBERSHIP), source_uuid=community, target_uuid=entity),
        SagaEpisode(uuid=_new(Kind.SAGA_EPISODE), source_uuid=saga, target_uuid=episode),
        NextEpisode(uuid=_new(Kind.NEXT_EPISODE), source_uuid=episode, target_uuid=episode, saga_uuid=saga),
    ]


def _new(kind: Kind) -> str:
    return _uuid("new", kind)


def _absent(kind: Kind) -> str:
    return _uuid("absent", kind)


def _uuid(role: str, kind: Kind) -> str:
    """No row of a caller has it."""
    return str(uuid.uuid5(_UUIDS, f"{role} {kind}"))


_A_FACT = Fact(
    uuid=_absent(Kind.FACT),
    source_uuid=_new(Kind.ENTITY),
    target_uuid=_new(Kind.ENTITY),
    name=_TERM,
    fact=_TERM,
    terms=_TERM,
    term_count=1,
)
