"""Carries one write through: images, plan, embeddings, the fenced apply, and again when it was overtaken."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

import orjson

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, FenceState
from drivers.graph_model import Kind, Vector
from drivers.row_codec import kind_of
from drivers.write_plan import ImageRequest, Images, OpRecord, WriteOutcome, WriteStatus, check_weight
from gateway.embedding.port import Embedder, EmbeddingModel
from gateway.search.analyzer import row_terms
from gateway.writes import planner
from gateway.writes.errors import GroupVersionMismatch, RequestIdReused, WriteContended, WriteRefused
from gateway.writes.fresh_groups import FreshGroups
from gateway.writes.intent import WriteIntent
from shard_router.errors import GroupNotFound, StalePlacement
from shard_router.placement import Placement
from shard_router.router import Router
from shard_router.slot_search import NoSlots, SlotDirectory

ATTEMPTS_MAX = 16
"""Plans that one write makes before it gives up against writers of the same rows."""

UNNAMED_MODEL = "unnamed"
"""Model of vectors whose caller names none, at a gateway that has no embedder of its own."""

unsettled_op_id: ContextVar[str] = ContextVar("unsettled_op_id", default="")
"""The write that this task has handed to a shard or to the queue and has no answer to; empty: none."""

_PAUSE_S = 0.002
_PAUSE_S_MAX = 0.25
"""Pauses while a group changes its owner, doubling."""


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


def _nobody_waits(group_id: str) -> None: ...


class GraphWriter:
    def __init__(
        self,
        router: Router,
        embedder: Embedder,
        clock: Callable[[], int] = wall_clock_us,
        slots: SlotDirectory | None = None,
        written: Callable[[str], None] = _nobody_waits,
    ) -> None:
        """`slots` is told of groups that grow, `written` the id of a group when a write to it is done."""
        self._router = router
        self._embedder = embedder
        self._clock = clock
        self._slots = slots or NoSlots()
        self._written = written
        self._fresh = FreshGroups()

    async def write(self, intent: WriteIntent, deadline: Deadline) -> WriteReceipt:
        """Applies the intent once. Raises WriteRefused and what the router and the driver raise."""
        vectors: dict[str, Vector] = {}
        exists = await self._router.find(intent.group_id, deadline) is not None
        if not exists:
            if not intent.changes:
                raise GroupNotFound(intent.group_id)
            # A write that is refused must not leave a group behind.
            drafted = self._draft(intent, _NO_IMAGES)
            if intent.validate_only:
                return _receipt(intent, drafted, 0, 0)
            await self._check_vectors_and_weight(drafted, vectors, deadline)
        request = planner.image_request(intent)
        receipt = await self._write_unread(intent, request, deadline) if exists else None
        if receipt is not None:
            return receipt
        for attempt in range(ATTEMPTS_MAX):
            images = await self._images(intent.group_id, request, deadline, create=not exists)
            if images.operation is not None:
                return _repeated(intent, images.operation)
            drafted = self._draft(intent, images)
            if intent.validate_only:
                return _receipt(intent, drafted, 0, 0)
            if _is_frozen(images.fence):
                await self._router.until_thawed(intent.group_id, deadline)
                continue
            # Between the two calls, not inside one: a slow embedder must not hold a slot of the shard.
            await self._embed(drafted, vectors, deadline)
            outcome = await self._apply(drafted, vectors, deadline)
            if outcome.status is WriteStatus.NOT_OWNED:
                await self._wait_for_owner(intent.group_id, outcome.fence, attempt, deadline)
            elif outcome.status in _ENDS:
                return self._settle(intent, drafted, outcome)
            deadline.check(f"the write to group {intent.group_id} was planned anew")
        raise WriteContended(intent.group_id, ATTEMPTS_MAX)

    async def _write_unread(
        self, intent: WriteIntent, request: ImageRequest, deadline: Deadline
    ) -> WriteReceipt | None:
        """The write planned from guessed images; None, and nothing written, when it has to be read for."""
        images = self._fresh.guess(intent, request)
        if images is None:
            return None
        try:
            drafted = self._draft(intent, images)
        except WriteRefused:
            return None
        if drafted.texts():
            # A refusal after the model call would waste it, and beside the call the read is cheap.
            return None
        outcome = await self._apply(drafted, {}, deadline)
        if outcome.status in _ENDS:
            return self._settle(intent, drafted, outcome)
        self._fresh.forget(intent.group_id)
        return None

    async def _images(
        self, group_id: str, request: ImageRequest, deadline: Deadline, *, create: bool
    ) -> Images:
        """The fence of the images owns the group."""

        async def read(driver: ShardDriver, placement: Placement) -> Images:
            images = await driver.read_images(placement.ref, request, deadline)
            if images.fence is None or not images.fence.owned_throughout(placement.ref):
                raise StalePlacement(images.fence)
            return images

        return await self._router.on_owner(group_id, deadline, read, create=create)

    def _draft(self, intent: WriteIntent, images: Images) -> planner.PlanDraft:
        version = images.fence.version if images.fence is not None else 0
        if intent.if_version is not None and version != intent.if_version:
            raise GroupVersionMismatch(intent.group_id, intent.if_version, version)
        own = self._embedder.model
        return planner.draft(intent, images, row_terms, embeds=own is not None, models=_models(intent, own))

    async def _embed(
        self, drafted: planner.PlanDraft, vectors: dict[str, Vector], deadline: Deadline
    ) -> None:
        """Makes the vectors that are missing; those of earlier attempts are kept in `vectors`."""
        missing = [text for text in drafted.texts() if text not in vectors]
        if missing:
            made = await self._embedder.embed(missing, deadline=deadline.at_s)
            vectors.update(zip(missing, made, strict=True))

    async def _check_vectors_and_weight(
        self, drafted: planner.PlanDraft, vectors: dict[str, Vector], deadline: Deadline
    ) -> None:
        """Of the first write of a group: raises what it would fail with once the group is there. The vectors
        are kept in `vectors`."""
        shard_id = await self._router.shard_for_new(drafted.intent.group_id, deadline)
        await self._embed(drafted, vectors, deadline)
        plan = planner.finish(drafted, vectors, 0, self._clock(), "")
        check_weight(plan, shard_id, self._router.write_weight_max(shard_id))

    async def _wait_for_owner(
        self, group_id: str, fence: Fence | None, attempt: int, deadline: Deadline
    ) -> None:
        """Until it is worth planning anew: a frozen group opens again or has gone, and whoever gave way to a
        thaw finds the next epoch at once."""
        if _is_frozen(fence):
            await self._router.until_thawed(group_id, deadline)
        elif attempt:
            pause_s = min(_PAUSE_S * 2 ** (attempt - 1), _PAUSE_S_MAX, deadline.remaining_s())
            await asyncio.sleep(pause_s)

    def _settle(self, intent: WriteIntent, drafted: planner.PlanDraft, outcome: WriteOutcome) -> WriteReceipt:
        match outcome.status:
            case WriteStatus.APPLIED:
                record = _present(outcome.operation)
                assert outcome.fence is not None, "APPLIED carries the fence"
                self._fresh.written(outcome.fence, all_new=_all_new(drafted))
                self._written(intent.group_id)
                return _receipt(intent, drafted, record.version, record.created_at)
            case WriteStatus.DUPLICATE:
                return _repeated(intent, _present(outcome.operation))
            case WriteStatus.VERSION_MISMATCH:
                fence = cast("Fence", outcome.fence)
                raise GroupVersionMismatch(intent.group_id, intent.if_version or 0, fence.version)
            case _:
                raise AssertionError(f"{outcome.status} is not an end")

    async def _apply(
        self, drafted: planner.PlanDraft, vectors: Mapping[str, Vector], deadline: Deadline
    ) -> WriteOutcome:
        fence = drafted.images.fence
        assert fence is not None, "only an existing group is written to"
        plan = planner.finish(drafted, vectors, fence.epoch, self._clock(), _result_text(drafted))

        async def apply(driver: ShardDriver, placement: Placement) -> WriteOutcome:
            # NOT_OWNED is an outcome here: the plan names the epoch that it was made for.
            outcome = await driver.apply(placement.ref, plan, deadline)
            if outcome.status is WriteStatus.APPLIED and outcome.fence is not None:
                self._slots.note(driver.shard_id, (outcome.fence,))
            return outcome

        # Left set by a cancellation.
        unsettled_op_id.set(drafted.intent.op_id)
        outcome = await self._router.on_owner(drafted.intent.group_id, deadline, apply, create=False)
        unsettled_op_id.set("")
        return outcome


def _is_frozen(fence: Fence | None) -> bool:
    return fence is not None and fence.state is FenceState.FROZEN


def _models(intent: WriteIntent, own: EmbeddingModel | None) -> planner.VectorModels:
    made = planner.VectorModel(own.name, own.revision) if own is not None else _UNNAMED
    given = made if intent.embedding_model in ("", made.name) else planner.VectorModel(intent.embedding_model)
    return planner.VectorModels(given=given, made=made)


_ENDS = frozenset({WriteStatus.APPLIED, WriteStatus.DUPLICATE, WriteStatus.VERSION_MISMATCH})
"""What planning anew would not change."""

_UNNAMED = planner.VectorModel(UNNAMED_MODEL)
_NO_IMAGES = Images(fence=None, operation=None, rows={}, endpoints={}, incident=())


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


def _all_new(drafted: planner.PlanDraft) -> bool:
    return bool(drafted.rows) and not drafted.drops and all(_created(drafted))


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
    note = {"note": drafted.intent.note} if drafted.intent.note else {}
    return orjson.dumps({"created": f"{int('1' + flags, 2):x}", "dropped": dropped, **note}).decode()


def note_of(record: OpRecord) -> str:
    """WriteIntent.note of the write; empty: it had none."""
    return str(orjson.loads(record.result).get("note", ""))


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
