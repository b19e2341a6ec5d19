"""Carries one write through: images, plan, embeddings, the fenced apply, and again when it was overtaken."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from drivers.contract import (
    Fence,
    GroupRef,
    Images,
    OpRecord,
    ShardDriver,
    WriteOutcome,
    WriteStatus,
)
from drivers.deadline import Deadline
from drivers.graph_model import Kind, Vector
from drivers.row_codec import kind_of
from gateway.embedding.port import Embedder
from gateway.search.analyzer import analyze
from gateway.writes import planner
from gateway.writes.errors import GroupVersionMismatch, RequestIdReused, WriteContended
from gateway.writes.intent import WriteIntent
from shard_router.errors import StalePlacement
from shard_router.placement import Placement
from shard_router.router import Router

ATTEMPTS_MAX = 16
"""Plans that one write makes before it gives up against writers of the same rows."""

UNNAMED_MODEL = "unnamed"
"""Model of vectors whose caller names none, at a gateway that has no embedder of its own."""


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """What a write did; the same again for every retry of it."""

    op_id: str
    version: int
    """0 under validate_only."""
    written_at: int
    created: tuple[bool, ...]
    """Per change of the intent, in order."""
    dropped: Mapping[Kind, int]
    """Rows that deletions removed, cascades included."""


def wall_clock_us() -> int:
    """UTC, microseconds since the epoch."""
    return time.time_ns() // 1000


class GraphWriter:
    def __init__(self, router: Router, embedder: Embedder, clock: Callable[[], int] = wall_clock_us) -> None:
        self._router = router
        self._embedder = embedder
        self._clock = clock

    async def write(self, intent: WriteIntent, deadline: Deadline) -> WriteReceipt:
        """Applies the intent once. Raises WriteRefused and what the router and the driver raise."""
        vectors: dict[str, Vector] = {}

        async def attempt(driver: ShardDriver, placement: Placement) -> WriteReceipt:
            return await self._on_shard(intent, driver, placement, vectors, deadline)

        creates = bool(intent.changes)
        if intent.validate_only and await self._router.find(intent.group_id, deadline) is None:
            await self._dry_run(intent, _NO_IMAGES, vectors, deadline)
            return WriteReceipt(intent.op_id, 0, 0, (True,) * len(intent.changes), {})
        return await self._router.on_owner(intent.group_id, deadline, attempt, create=creates)

    async def _on_shard(
        self,
        intent: WriteIntent,
        driver: ShardDriver,
        placement: Placement,
        vectors: dict[str, Vector],
        deadline: Deadline,
    ) -> WriteReceipt:
        ref = GroupRef(placement.group_id, placement.space)
        request = planner.image_request(intent)
        for _ in range(ATTEMPTS_MAX):
            images = await driver.read_images(ref, request, deadline)
            fence = images.fence
            if fence is None or not fence.owns:
                raise StalePlacement(fence)
            if images.operation is not None:
                return _repeated(intent, images.operation)
            if intent.if_version is not None and fence.version != intent.if_version:
                raise GroupVersionMismatch(intent.group_id, intent.if_version, fence.version)
            drafted = await self._dry_run(intent, images, vectors, deadline)
            if intent.validate_only:
                return _receipt(intent, drafted, 0, 0)
            plan = planner.finish(
                drafted, vectors, self._model(intent), fence.epoch, self._clock(), _result_text(drafted)
            )
            outcome = await driver.apply(ref, plan, deadline)
            if outcome.status is not WriteStatus.CONFLICT:
                return _settle(intent, drafted, outcome)
        raise WriteContended(intent.group_id, ATTEMPTS_MAX)

    async def _dry_run(
        self, intent: WriteIntent, images: Images, vectors: dict[str, Vector], deadline: Deadline
    ) -> planner.PlanDraft:
        """Everything but the write: checks, terms, embeddings (kept in `vectors` over attempts)."""
        drafted = planner.draft(intent, images, analyze, embeds=self._embedder.model is not None)
        missing = [text for text in drafted.texts() if text not in vectors]
        if missing and not intent.validate_only:
            made = await self._embedder.embed(missing, deadline=deadline.at_s)
            vectors.update(zip(missing, made, strict=True))
        return drafted

    def _model(self, intent: WriteIntent) -> planner.VectorModel:
        own = self._embedder.model
        if own is not None and intent.embedding_model in ("", own.name):
            return planner.VectorModel(own.name, own.revision)
        return planner.VectorModel(intent.embedding_model or UNNAMED_MODEL)


_NO_IMAGES = Images(fence=None, operation=None, rows={}, endpoints={}, incident=())


def _settle(intent: WriteIntent, drafted: planner.PlanDraft, outcome: WriteOutcome) -> WriteReceipt:
    match outcome.status:
        case WriteStatus.APPLIED:
            record = _present(outcome.operation)
            return _receipt(intent, drafted, record.version, record.created_at)
        case WriteStatus.DUPLICATE:
            return _repeated(intent, _present(outcome.operation))
        case WriteStatus.VERSION_MISMATCH:
            fence = cast("Fence", outcome.fence)
            raise GroupVersionMismatch(intent.group_id, intent.if_version or 0, fence.version)
        case _:
            raise StalePlacement(outcome.fence)


def _present(record: OpRecord | None) -> OpRecord:
    assert record is not None, "APPLIED and DUPLICATE carry the operation record"
    return record


def _receipt(intent: WriteIntent, drafted: planner.PlanDraft, version: int, written_at: int) -> WriteReceipt:
    return WriteReceipt(
        op_id=intent.op_id,
        version=version,
        written_at=written_at,
        created=_created(drafted),
        dropped=_dropped(drafted),
    )


def _created(drafted: planner.PlanDraft) -> tuple[bool, ...]:
    present = drafted.images.rows
    return tuple((kind_of(planned.put.row), planned.put.row.uuid) not in present for planned in drafted.rows)


def _dropped(drafted: planner.PlanDraft) -> dict[Kind, int]:
    counts: dict[Kind, int] = {}
    for drop in drafted.drops:
        if drop.tombstone:
            counts[drop.kind] = counts.get(drop.kind, 0) + 1
    return counts


def _result_text(drafted: planner.PlanDraft) -> str:
    """What a retry cannot know from its own request: which rows were new, what a deletion took along."""
    flags = "".join("1" if created else "0" for created in _created(drafted))
    dropped = {str(kind): count for kind, count in _dropped(drafted).items()}
    return orjson.dumps({"created": f"{int('1' + flags, 2):x}", "dropped": dropped}).decode()


def _repeated(intent: WriteIntent, record: OpRecord) -> WriteReceipt:
    """The first answer again. Raises RequestIdReused."""
    if record.content_hash != intent.content_hash:
        raise RequestIdReused(record.op_id)
    result = orjson.loads(record.result)
    flags: Sequence[str] = bin(int(result["created"], 16))[3:]
    return WriteReceipt(
        op_id=record.op_id,
        version=record.version,
        written_at=record.created_at,
        created=tuple(flag == "1" for flag in flags),
        dropped={Kind(kind): count for kind, count in result["dropped"].items()},
    )


def new_op_id() -> str:
    """For a write whose caller gave no request_id."""
    return f"{secrets.randbits(128):032x}"
