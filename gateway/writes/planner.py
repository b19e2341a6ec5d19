"""From an intent and the present state to a plan: pure, the same for every engine.

The plan is computed outside the shard from images that may be stale by the time it is applied; the
guards in it make the shard refuse then, and the writer plans again from new images.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import cast

from drivers.fence import EmbeddingSpec, KindStats
from drivers.graph_model import (
    EDGE_KINDS,
    ENDPOINT_KINDS,
    NODE_KINDS,
    OPEN_END,
    AnyRow,
    AnyTextRow,
    Community,
    Edge,
    Entity,
    Episode,
    Fact,
    Kind,
    Vector,
)
from drivers.row_codec import kind_of, term_count_of
from drivers.write_plan import (
    ROWS_PER_WRITE_MAX,
    ImageRequest,
    Images,
    OpRecord,
    RowDrop,
    RowPut,
    VectorChange,
    WritePlan,
)
from gateway.search.analyzer import RowTerms
from gateway.writes.errors import (
    EmbeddingMismatch,
    EndpointsMissing,
    FactFull,
    RowsExist,
    RowsMissing,
    RowVersionMismatch,
    TimeRangeInverted,
    VectorWouldBeLost,
    WriteTooLarge,
)
from gateway.writes.intent import AT_WRITE, RowChange, WriteIntent, WriteMode
from gateway.writes.row_text import embedded_text, indexed_text

type Analyze = Callable[[str], RowTerms]

FACT_EPISODES_MAX = 1_000
CLOSURES_MAX = 1_000
"""Changes of a fact's end that are recorded with it; every write of the fact carries them."""

_END_FIELDS = frozenset({"source_uuid", "target_uuid"})


@dataclass(frozen=True, slots=True)
class VectorModel:
    name: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class VectorModels:
    """Of the vectors of one write: the caller's may be of another model than the gateway's."""

    given: VectorModel
    made: VectorModel


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row as it will be, its vector still to come if `needs_vector`."""

    put: RowPut
    needs_vector: bool


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A plan but for the vectors that the embedder has to make."""

    intent: WriteIntent
    images: Images
    rows: tuple[PlannedRow, ...]
    drops: tuple[RowDrop, ...]
    stats: Mapping[Kind, KindStats]
    endpoints: Mapping[Kind, Sequence[str]]
    """Nodes outside the batch that its edges need."""
    models: VectorModels

    def texts(self) -> list[str]:
        """Texts to embed, without repeats, in order."""
        return list(
            dict.fromkeys(
                embedded_text(cast("AnyTextRow", planned.put.row))
                for planned in self.rows
                if planned.needs_vector
            )
        )


def image_request(intent: WriteIntent) -> ImageRequest:
    """What has to be read before `draft`."""
    rows: dict[Kind, list[str]] = defaultdict(list)
    endpoints: dict[Kind, dict[str, None]] = defaultdict(dict)
    cascades: dict[Kind, list[str]] = defaultdict(list)
    in_batch = {(kind_of(change.row), change.row.uuid) for change in intent.changes}
    for change in intent.changes:
        kind = kind_of(change.row)
        rows[kind].append(change.row.uuid)
        for end in _ends(intent, change):
            if end not in in_batch:
                endpoints[end[0]][end[1]] = None
    for kind, uuid in intent.deletions:
        rows[kind].append(uuid)
        if kind in NODE_KINDS:
            cascades[kind].append(uuid)
    # Only touched rows are guarded by the shard: a condition on another one could not be held.
    assert all(c.uuid in rows.get(c.kind, ()) for c in intent.conditions), intent.conditions
    return ImageRequest(
        op_id=intent.op_id,
        rows={kind: tuple(uuids) for kind, uuids in rows.items() if uuids},
        endpoints={kind: tuple(uuids) for kind, uuids in endpoints.items()},
        cascades=dict(cascades),
    )


def draft(
    intent: WriteIntent, images: Images, analyze: Analyze, embeds: bool, models: VectorModels
) -> PlanDraft:
    """Checks the intent against the images and computes every row. `embeds`: an embedder makes the
    vectors that are not given; without one a row whose text changed loses its vector.

    Raises the errors of gateway/writes/errors.py, and ValueError for a row that is named twice; nothing has
    been written then.
    """
    _check_each_once(intent)
    _check_conditions(intent, images)
    _check_presence(intent, images)
    endpoints = image_request(intent).endpoints
    _check_endpoints(endpoints, images)
    stats: dict[Kind, KindStats] = defaultdict(KindStats)
    drops: list[RowDrop] = []
    rows: list[PlannedRow] = []
    for change in intent.changes:
        before = images.rows.get((kind_of(change.row), change.row.uuid))
        planned = _plan_row(intent, change, before, analyze, embeds)
        _check_ends_stay(intent, planned.put.row)
        if _loses_its_vector(planned, before, images):
            raise VectorWouldBeLost(planned.put.row.uuid)
        row, kind = planned.put.row, kind_of(planned.put.row)
        if before is not None and not planned.put.existed:
            edge = cast("Edge", before)
            drops.append(RowDrop(kind, edge.uuid, edge.source_uuid, edge.target_uuid, tombstone=False))
        stats[kind] += KindStats(
            0 if before is not None else 1,
            term_count_of(row) - (term_count_of(before) if before is not None else 0),
        )
        rows.append(planned)
    for drop, terms in _deletions(intent, images):
        drops.append(drop)
        if drop.tombstone:
            stats[drop.kind] += KindStats(-1, -terms)
    if len(rows) + len(drops) > ROWS_PER_WRITE_MAX:
        raise WriteTooLarge(len(rows) + len(drops), ROWS_PER_WRITE_MAX)
    drafted = PlanDraft(intent, images, tuple(rows), tuple(drops), dict(stats), endpoints, models)
    _embeddings(drafted, [planned.put for planned in rows])
    return drafted


def finish(draft: PlanDraft, vectors: Mapping[str, Vector], epoch: int, now: int, result: str) -> WritePlan:
    """The plan. `vectors` has one for every text of the draft. `result` goes into the operation record.

    Raises EmbeddingMismatch when a vector does not fit the group's model.
    """
    intent, images = draft.intent, draft.images
    puts = tuple(
        replace(
            planned.put,
            row=replace(
                planned.put.row, embedding=vectors[embedded_text(cast("AnyTextRow", planned.put.row))]
            ),
        )
        if planned.needs_vector
        else planned.put
        for planned in draft.rows
    )
    # The shard's time of the write, as long as nobody with a clock that is ahead writes in between.
    last_created_at = images.fence.last_created_at if images.fence else 0
    puts = tuple(_timed(put, max(now, last_created_at + 1)) for put in puts)
    seen = images.fence.embeddings if images.fence else {}
    touched = {(kind_of(put.row), put.row.uuid) for put in puts} | {(d.kind, d.uuid) for d in draft.drops}
    present = images.rows.keys() | {(edge.kind, edge.uuid) for edge in images.incident}
    existing = Counter(kind for kind, _ in touched & present)
    return WritePlan(
        epoch=epoch,
        operation=OpRecord(intent.op_id, intent.content_hash, result),
        puts=puts,
        drops=draft.drops,
        seen_version=images.fence.version if images.fence else 0,
        existing=dict(existing),
        endpoints=draft.endpoints,
        incident_edges=len(images.incident),
        stats=draft.stats,
        embeddings_seen=seen,
        embeddings=_embeddings(draft, puts),
        now=now,
        if_version=intent.if_version,
    )


def _timed(put: RowPut, at: int) -> RowPut:
    """With the write's time in place of AT_WRITE."""
    row = put.row
    if not isinstance(row, Fact) or AT_WRITE not in (
        row.expired_at,
        *(one.closed_at for one in row.closures),
    ):
        return put
    closures = tuple(replace(one, closed_at=at) if one.closed_at == AT_WRITE else one for one in row.closures)
    expired_at = at if row.expired_at == AT_WRITE else row.expired_at
    return replace(put, row=replace(row, closures=closures, expired_at=expired_at))


def _ends(intent: WriteIntent, change: RowChange) -> list[tuple[Kind, str]]:
    """Nodes that an edge of the batch needs. A patch that leaves the ends alone needs none."""
    row = change.row
    if not isinstance(row, Edge):
        return []
    kind = kind_of(row)
    mask = intent.masks.get(kind, frozenset()) if intent.mode is WriteMode.PATCH else _END_FIELDS
    source_kind, target_kind = ENDPOINT_KINDS[kind]
    ends: list[tuple[Kind, str]] = []
    if "source_uuid" in mask:
        ends.append((source_kind, row.source_uuid))
    if "target_uuid" in mask:
        ends.append((target_kind, row.target_uuid))
    return ends


def _check_each_once(intent: WriteIntent) -> None:
    """Which of two would win is the engine's choice, and the statistics would count both."""
    changed = ((kind_of(change.row), change.row.uuid) for change in intent.changes)
    repeated = [key for key, times in Counter((*changed, *intent.deletions)).items() if times > 1]
    if repeated:
        kind, uuid = repeated[0]
        raise ValueError(f"the write {intent.op_id} names {kind} {uuid} more than once; give each row once")


def _check_conditions(intent: WriteIntent, images: Images) -> None:
    for condition in intent.conditions:
        row = images.rows.get((condition.kind, condition.uuid))
        found = row.version if row is not None else 0
        if found != condition.version:
            raise RowVersionMismatch(condition.kind, condition.uuid, condition.version, found)
    for edge in images.incident:
        if edge.uuid not in intent.cascade.get(edge.kind, (edge.uuid,)):
            # Its own version is not read: it is at most the group's.
            raise RowVersionMismatch(edge.kind, edge.uuid, 0, images.fence.version if images.fence else 0)


def _check_presence(intent: WriteIntent, images: Images) -> None:
    wrong: dict[Kind, list[str]] = defaultdict(list)
    if intent.mode is not WriteMode.UPSERT:
        for change in intent.changes:
            key = (kind_of(change.row), change.row.uuid)
            if (key in images.rows) is (intent.mode is WriteMode.CREATE):
                wrong[key[0]].append(key[1])
    if not intent.allow_missing:
        for kind, uuid in intent.deletions:
            if (kind, uuid) not in images.rows:
                wrong[kind].append(uuid)
    for kind, uuids in wrong.items():
        if intent.mode is WriteMode.CREATE and intent.changes:
            raise RowsExist(kind, uuids)
        raise RowsMissing(kind, uuids)


def _check_endpoints(endpoints: Mapping[Kind, Sequence[str]], images: Images) -> None:
    missing: dict[Kind, list[str]] = {}
    for kind, uuids in endpoints.items():
        absent = [uuid for uuid in uuids if uuid not in images.endpoints.get(kind, frozenset())]
        if absent:
            missing[kind] = absent
    if missing:
        raise EndpointsMissing(missing)


def _plan_row(
    intent: WriteIntent, change: RowChange, before: AnyRow | None, analyze: Analyze, embeds: bool
) -> PlannedRow:
    row = change.row
    if intent.mode is WriteMode.PATCH and before is not None:
        row = _patched(before, row, intent.masks.get(kind_of(row), frozenset()))
    closed_by, previous_end, expires = None, 0, False
    if isinstance(row, Fact):
        if row.invalid_at < row.valid_at:
            raise TimeRangeInverted(row.uuid)
        old = before if isinstance(before, Fact) else None
        if old is not None and change.merge_episodes:
            row = replace(row, episodes=tuple(dict.fromkeys((*old.episodes, *row.episodes))))
        if len(row.episodes) > FACT_EPISODES_MAX:
            raise FactFull(row.uuid, "episodes", FACT_EPISODES_MAX)
        if change.closures is not None:
            return _planned(replace(row, closures=change.closures), before, analyze, embeds)
        ended_anew = old is None or old.invalid_at != row.invalid_at
        expires = row.invalid_at != OPEN_END and ended_anew
        if old is not None and ended_anew:
            closed_by, previous_end = intent.episode_uuid, old.invalid_at
            if len(old.closures) >= CLOSURES_MAX:
                raise FactFull(row.uuid, "closures", CLOSURES_MAX)
        row = replace(
            row,
            closures=old.closures if old else (),
            expired_at=OPEN_END if row.invalid_at == OPEN_END or old is None else old.expired_at,
        )
    planned = _planned(row, before, analyze, embeds)
    if closed_by is None and not expires:
        return planned
    put = replace(planned.put, closed_by=closed_by, previous_end=previous_end, expires=expires)
    return replace(planned, put=put)


def _planned(row: AnyRow, before: AnyRow | None, analyze: Analyze, embeds: bool) -> PlannedRow:
    """With its terms, and what becomes of its vector. Raises FactFull."""
    if isinstance(row, Fact) and len(row.closures) > CLOSURES_MAX:
        raise FactFull(row.uuid, "closures", CLOSURES_MAX)
    existed = before is not None and (not isinstance(row, Edge) or _same_ends(row, cast("Edge", before)))
    vector, needs_vector = VectorChange.KEEP, False
    if isinstance(row, Entity | Episode | Community | Fact):
        terms = analyze(indexed_text(row))
        row = replace(row, terms=terms.text, term_count=terms.count)
        text = embedded_text(row)
        kept = existed and embedded_text(cast("AnyTextRow", before)) == text
        if row.embedding is not None:
            vector = VectorChange.SET
        elif not kept:
            needs_vector = embeds and bool(text.strip())
            vector = VectorChange.SET if needs_vector else VectorChange.REMOVE
    return PlannedRow(RowPut(row, existed, vector), needs_vector)


def _check_ends_stay(intent: WriteIntent, row: AnyRow) -> None:
    """An edge cannot hang on a node that the same write deletes. Raises EndpointsMissing."""
    if isinstance(row, Edge):
        ends = zip(ENDPOINT_KINDS[kind_of(row)], (row.source_uuid, row.target_uuid), strict=True)
        for kind, uuid in ends:
            if (kind, uuid) in intent.deletions:
                raise EndpointsMissing({kind: (uuid,)})


def _loses_its_vector(planned: PlannedRow, before: AnyRow | None, images: Images) -> bool:
    """Whether an edge that gets other ends, and so is made anew, had a vector that nobody makes again."""
    put = planned.put
    if before is None or put.existed or put.vector is VectorChange.SET or images.fence is None:
        return False
    return kind_of(put.row) in images.fence.embeddings


def _patched(before: AnyRow, given: AnyRow, mask: frozenset[str]) -> AnyRow:
    """The stored row with the masked fields of the given one."""
    names = {f.name for f in fields(before)} & mask
    return replace(before, **{name: getattr(given, name) for name in names})


def _same_ends(row: Edge, before: Edge) -> bool:
    return (row.source_uuid, row.target_uuid) == (before.source_uuid, before.target_uuid)


def _deletions(intent: WriteIntent, images: Images) -> list[tuple[RowDrop, int]]:
    """Rows to drop, each once, with their term counts; edges of dropped nodes included.

    A row that is not there is named, too: the shard has to refuse the deletion of a row that somebody has
    made since, or the row would outlive a deletion with a higher version.
    """
    found: dict[tuple[Kind, str], tuple[RowDrop, int]] = {}
    # An edge that the same write moves away from a deleted node is not deleted with it.
    moved = {(kind_of(change.row), change.row.uuid) for change in intent.changes}
    for edge in images.incident:
        if (edge.kind, edge.uuid) in moved:
            continue
        found[edge.kind, edge.uuid] = (
            RowDrop(edge.kind, edge.uuid, edge.source_uuid, edge.target_uuid),
            edge.term_count,
        )
    for kind, uuid in intent.deletions:
        row = images.rows.get((kind, uuid))
        if (kind, uuid) in found:
            continue
        if row is None:
            found[kind, uuid] = (RowDrop(kind, uuid, tombstone=False), 0)
            continue
        ends = (row.source_uuid, row.target_uuid) if isinstance(row, Edge) else ("", "")
        found[kind, uuid] = (RowDrop(kind, uuid, *ends), term_count_of(row))
    # Edges first: a node cannot go before its edges.
    return sorted(found.values(), key=lambda item: item[0].kind not in EDGE_KINDS)


def _embeddings(draft: PlanDraft, puts: Sequence[RowPut]) -> dict[Kind, EmbeddingSpec]:
    """The group's specs after the write; rows whose vector is still to be made are passed over.

    Raises EmbeddingMismatch.
    """
    specs = dict(draft.images.fence.embeddings) if draft.images.fence else {}
    for planned, put in zip(draft.rows, puts, strict=True):
        vector = cast("AnyTextRow", put.row).embedding if put.vector is VectorChange.SET else None
        if vector is None:
            continue
        model = draft.models.made if planned.needs_vector else draft.models.given
        kind, dimension = kind_of(put.row), len(vector)
        spec = specs.setdefault(kind, EmbeddingSpec(model.name, dimension, model.revision))
        if (spec.model, spec.dimension) != (model.name, dimension):
            raise EmbeddingMismatch(kind, spec, model.name, dimension)
    return specs
