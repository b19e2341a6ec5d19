"""One writer per group whose acknowledgements are held against what the shards have in the end, by the model
of the robustness runs."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import numpy as np

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, OutcomeUnknown
from drivers.fence import POOLED, Engine, Fence, GroupRef
from drivers.graph_model import AnyRow, Entity, Fact, Kind, Vector
from drivers.moving import SECTIONS, CopyCursor
from drivers.reads import ListQuery
from drivers.write_plan import ImageRequest
from gateway.writes.errors import WriteRefused
from gateway.writes.intent import RowChange, WriteIntent, WriteMode
from gateway.writes.writer import GraphWriter
from shard_router.moves.moves import own_space
from tests.robustness.model.findings import Finding
from tests.robustness.model.history import Answer, Effect, GroupSeen, RowSeen, Write, WriteHistory
from tests.robustness.model.judge import judge
from tests.robustness.model.moves import CopySeen

WRITE_S_MAX = 30.0
"""Of one write with all its attempts."""
ATTEMPT_S_MAX = 5.0
_RETRY_S = 0.1
_PAUSE_S = 1.0
"""Between two writes of one group; there are some forty groups."""
_ENTITIES = 6
_FACTS = 4
_DIMENSION = 4


def soon() -> Deadline:
    return Deadline.after(300)


@dataclass(slots=True)
class GroupWriter:
    """Puts and deletes entities and facts, one write after the other, through one gateway after the other."""

    group_id: str
    writers: Sequence[GraphWriter]
    rng: Random
    vectors: int = 0
    """Entities with vectors, beside the others: enough of them get an index."""
    attempts: int = 0
    histories: list[WriteHistory] = field(default_factory=list[WriteHistory])

    async def begin(self) -> None:
        """The group with its first rows."""
        uuids = [self._uuid(f"entity-{number}") for number in range(_ENTITIES)]
        await self._send(self._write(Effect.CREATE, *uuids))
        await self._send(self._write(Effect.CREATE, self._uuid("fact-0"), ends=(uuids[0], uuids[1])))
        await self._send(self._write(Effect.DELETE, uuids[5]))
        if self.vectors:
            uuids = [self._uuid(f"vector-{number}") for number in range(self.vectors)]
            await self._send(self._write(Effect.CREATE, *uuids, embeds=True))

    async def run(self) -> None:
        """Until it is cancelled, between two writes or in one: that one's outcome is unknown."""
        while True:
            await self._send(self._next())
            await asyncio.sleep(_PAUSE_S)

    @property
    def acked(self) -> int:
        return sum(history.acknowledged for history in self.histories)

    def _next(self) -> Write:
        number = self.rng.randrange(_ENTITIES)
        if self.rng.random() < 0.4:
            fact = self.rng.randrange(_FACTS)
            # A fact has its ends for good.
            ends = (self._uuid(f"entity-{fact}"), self._uuid(f"entity-{fact + 1}"))
            effect = self.rng.choice((Effect.UPSERT, Effect.UPSERT, Effect.DELETE))
            return self._write(effect, self._uuid(f"fact-{fact}"), ends=ends)
        effect = self.rng.choice((Effect.UPSERT, Effect.UPSERT, Effect.UPSERT, Effect.DELETE))
        return self._write(effect, self._uuid(f"entity-{number}"))

    def _write(
        self, effect: Effect, *uuids: str, ends: tuple[str, str] | None = None, embeds: bool = False
    ) -> Write:
        number = len(self.histories)
        return Write(
            self._uuid(f"op-{number}"), self.group_id, effect, uuids, f"token {number}", ends, embeds
        )

    def _uuid(self, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.group_id}/{name}"))

    async def _send(self, write: Write) -> None:
        """The history has it whatever becomes of this task."""
        sent_s, place, doubtful = time.monotonic(), len(self.histories), True
        self.histories.append(WriteHistory(write, sent_s, (), None, doubtful))
        doubtful = False
        for attempt in range(1_000):
            if time.monotonic() - sent_s > WRITE_S_MAX:
                break
            gateway = self.writers[attempt % len(self.writers)]
            self.attempts += 1
            try:
                receipt = await gateway.write(_intent(write), Deadline.after(ATTEMPT_S_MAX))
            except WriteRefused as refusal:
                if not refusal.retryable:
                    self.histories[place] = WriteHistory(write, sent_s, (), None, doubtful, (refusal.reason,))
                    return
            except GraphgateError as error:
                doubtful |= isinstance(error, OutcomeUnknown)
            else:
                deletes = write.effect is Effect.DELETE
                counts = (sum(receipt.dropped.values()),) if deletes else tuple(map(int, receipt.created))
                answer = Answer(receipt.version, counts, receipt.written_at)
                self.histories[place] = WriteHistory(write, sent_s, (answer,), time.monotonic(), doubtful)
                return
            await asyncio.sleep(_RETRY_S)
        # Whether one of the attempts that ended otherwise wrote, nobody says.
        self.histories[place] = WriteHistory(write, sent_s, (), None, doubtful=True)


def _intent(write: Write) -> WriteIntent:
    kind = Kind.ENTITY if write.ends is None else Kind.FACT
    if write.effect is Effect.DELETE:
        return WriteIntent(
            group_id=write.group_id,
            op_id=write.op_id,
            content_hash=write.token,
            deletions=tuple((kind, uuid) for uuid in write.uuids),
            allow_missing=True,
        )
    return WriteIntent(
        group_id=write.group_id,
        op_id=write.op_id,
        content_hash=write.token,
        mode=WriteMode.CREATE if write.effect is Effect.CREATE else WriteMode.UPSERT,
        changes=tuple(RowChange(_row(write, uuid)) for uuid in write.uuids),
        embedding_model="of uuids" if write.embeds else "",
    )


def _row(write: Write, uuid: str) -> AnyRow:
    if write.ends is None:
        return Entity(
            uuid=uuid,
            name=write.token,
            summary=write.token,
            embedding=_vector_of(uuid) if write.embeds else None,
        )
    source, target = write.ends
    return Fact(uuid=uuid, source_uuid=source, target_uuid=target, name=write.token, fact=write.token)


def _vector_of(uuid: str) -> Vector:
    return np.random.default_rng(UUID(uuid).int).standard_normal(_DIMENSION).astype(np.float32)


# --- what is there --------------------------------------------------------------------------------


async def broken_promises(writer: GroupWriter, drivers: Sequence[ShardDriver]) -> tuple[Finding, ...]:
    """Of one group, when nothing writes and nothing moves any more."""
    places = [
        (driver, ref, fence) for driver, ref, fence in await _fences(writer.group_id, drivers) if fence.owns
    ]
    owners = tuple(sorted(f"{driver.shard_id}/{ref.space}" for driver, ref, _ in places))
    seen = await _seen(writer, owners, *places[0]) if places else GroupSeen(owners)
    return judge(writer.histories, (), {writer.group_id: seen})


async def _fences(group_id: str, drivers: Sequence[ShardDriver]) -> list[tuple[ShardDriver, GroupRef, Fence]]:
    """Wherever there is one of the group, in the pool or in a space of its own."""
    found: list[tuple[ShardDriver, GroupRef, Fence]] = []
    for driver in drivers:
        spaces = (POOLED, own_space(group_id)) if driver.engine is Engine.FALKORDB else (POOLED,)
        for ref in (GroupRef(group_id, space) for space in spaces):
            fence = (await driver.read_fences([ref], soon())).get(group_id)
            if fence is not None:
                found.append((driver, ref, fence))
    return found


async def _seen(
    writer: GroupWriter, owners: tuple[str, ...], owner: ShardDriver, ref: GroupRef, fence: Fence
) -> GroupSeen:
    rows: dict[str, RowSeen] = {}
    for kind in (Kind.ENTITY, Kind.FACT):
        for row in (await owner.list_rows(ref, ListQuery(kind, limit=100), soon())).rows:
            if isinstance(row, Entity):
                rows[row.uuid] = RowSeen(row.name, row.summary, row.version)
            elif isinstance(row, Fact):
                rows[row.uuid] = RowSeen(row.name, row.fact, row.version)
    operations: dict[str, int] = {}
    for history in writer.histories:
        asked = ImageRequest(history.write.op_id, rows={}, endpoints={}, cascades={})
        record = (await owner.read_images(ref, asked, soon())).operation
        if record is not None:
            operations[history.write.op_id] = record.version
    counted = fence.stats[Kind.ENTITY].rows + fence.stats[Kind.FACT].rows
    return GroupSeen(owners, fence.version, rows, operations, counted)


async def copies_of(group_id: str, drivers: Sequence[ShardDriver]) -> list[CopySeen]:
    """Wherever there is a fence of it."""
    found: list[CopySeen] = []
    for driver, ref, fence in await _fences(group_id, drivers):
        things = 0
        for section in SECTIONS if not fence.owns else ():
            page = await driver.read_page(ref, CopyCursor(section), 10, soon())
            things += len(page.rows) + len(page.tombstones) + len(page.operations)
        found.append(
            CopySeen(group_id, driver.shard_id, ref.space, fence.state, fence.owns, things, fence.move_id)
        )
    return found
