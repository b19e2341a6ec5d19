"""Moves of groups as callers see them: begin, look, cancel, reverse, finish, compare."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from drivers.deadline import Deadline
from drivers.fence import POOLED, Engine, Fence
from shard_router.clock import Clock, SystemClock
from shard_router.errors import (
    CatalogUnavailable,
    GroupIsMoving,
    MoveCommitted,
    MoveNotCommitted,
    MoveNotFound,
    MoveNotReversible,
    MoveRefused,
    ShardUnknown,
    TargetNotReady,
)
from shard_router.fleet import Fleet
from shard_router.moves.adoption import Adoption
from shard_router.moves.digest import VerifyReport, VerifyRequest, verify
from shard_router.moves.record import (
    AFTER_COMMIT,
    MOVE_ID_CHARS,
    MoveKind,
    MovePhase,
    MoveRecord,
    MoveRequest,
    Place,
    ToSpace,
    record_id,
)
from shard_router.moves.runner import MoveRunner
from shard_router.moves.settings import MoveSettings
from shard_router.moves.store_port import MoveStore
from shard_router.router import Router
from shard_router.shard_map import ShardState
from shard_router.slot_search import SlotDirectory

UPDATES_MAX = 8
"""Attempts to change a record that somebody else changes too."""
LIST_MAX = 1_000

type RecordChange = Callable[[MoveRecord], MoveRecord | None]
"""None: there is nothing to change."""


class Moves:
    """Safe for concurrent use. Every call raises CatalogUnavailable when the records cannot be reached."""

    def __init__(
        self,
        fleet: Fleet,
        router: Router,
        store: MoveStore,
        gateway_id: str,
        settings: MoveSettings | None = None,
        clock: Clock | None = None,
        slots: SlotDirectory | None = None,
    ) -> None:
        """`gateway_id`: unlike that of any other gateway, now and before. `slots` is told of groups that have
        come to a shard."""
        self._fleet = fleet
        self._router = router
        self._store = store
        self._settings = settings or MoveSettings()
        self._clock = clock or SystemClock()
        self._runner = MoveRunner(fleet, router, store, gateway_id, self._settings, self._clock, slots)
        self._adoption = Adoption(
            fleet,
            store,
            gateway_id,
            self._settings,
            self._clock,
            lambda record: self._runner.take_up(record.move_id, record),
            self._runner.cleanup_turns,
        )
        router.on_stuck(self._adoption.note_stuck)
        self._schema_known: dict[str, float] = {}

    async def start(self) -> None:
        """From here on this gateway works on moves, its own and those that nobody works on, also those whose
        record was lost."""
        self._runner.start()
        self._adoption.start()

    async def close(self) -> None:
        """Leaves its moves as they are; other gateways go on with them at once."""
        await self._adoption.close()
        await self._runner.close()

    # --- asking for moves -------------------------------------------------------------------------

    async def begin(self, request: MoveRequest, deadline: Deadline) -> MoveRecord:
        """The record of the move, which goes on by itself; that of the first call if the request_id is known.

        Raises MoveRefused, GroupIsMoving, TargetNotReady, ShardUnknown, GroupNotFound and what the router
        raises.
        """
        if request.request_id:
            known = await self._store.get(request.move_id, deadline)
            if known is not None:
                return await self._repeated(request, known)
        shard_id, fence = await self._router.describe_group(request.group_id, deadline)
        if request.from_shard not in ("", shard_id):
            raise MoveRefused(request.group_id, f"it is at shard {shard_id}, not at {request.from_shard}")
        source = Place(shard_id, fence.space)
        target = Place(request.to_shard, self._target_space(request, source))
        await self._check_target(request, source, target, deadline)
        await self._check_still(fence, deadline)
        record = MoveRecord(
            move_id=request.move_id if request.request_id else secrets.token_hex(MOVE_ID_CHARS // 2),
            group_id=request.group_id,
            source_shard=source.shard_id,
            source_space=source.space,
            target_shard=target.shard_id,
            target_space=target.space,
            reverse_window_s=request.reverse_window_s,
            verify=request.verify,
            requested_us=self._clock.wall_us(),
            request_id=request.request_id,
        )
        return await self._create(record, deadline)

    async def reverse(self, move_id: str, deadline: Deadline) -> MoveRecord:
        """The record of the move back; that of an earlier call whose move is not finished. Ships what is
        newer than the copy that the source has kept, everything if too much has been pruned since.

        Raises MoveNotFound, MoveNotReversible and as begin.
        """
        record = await self._known(move_id, deadline)
        if not record.committed:
            raise MoveNotReversible(move_id, f"it is not committed, phase {record.phase}; cancel it")
        if record.phase not in (MovePhase.COMMITTED, MovePhase.REVERSIBLE):
            raise MoveNotReversible(
                move_id, f"its rows are being deleted at the source, phase {record.phase}"
            )
        shard_id, fence = await self._router.describe_group(record.group_id, deadline)
        if Place(shard_id, fence.space) != record.target:
            raise MoveNotReversible(move_id, f"the group is at shard {shard_id} now")
        if fence.move_id:
            moving = await self._store.get(record_id(fence.move_id), deadline)
            if moving is not None and not moving.ended and moving.reverses == move_id:
                return moving
        request = MoveRequest(record.group_id, record.source_shard, cordoned=True)
        await self._check_target(request, record.target, record.source, deadline)
        await self._check_still(fence, deadline)
        back = MoveRecord(
            move_id=secrets.token_hex(MOVE_ID_CHARS // 2),
            group_id=record.group_id,
            source_shard=record.target_shard,
            source_space=record.target_space,
            target_shard=record.source_shard,
            target_space=record.source_space,
            kind=MoveKind.REVERSE,
            reverses=move_id,
            reverse_window_s=record.reverse_window_s,
            verify=record.verify,
            requested_us=self._clock.wall_us(),
        )
        return await self._create(back, deadline)

    async def cancel(self, move_id: str, deadline: Deadline) -> MoveRecord:
        """It is given up unless the commit comes first: the record tells. Raises MoveNotFound,
        MoveCommitted."""

        def asked(record: MoveRecord) -> MoveRecord | None:
            if record.committed:
                raise MoveCommitted(move_id)
            return None if record.ended or record.cancel_requested else replace(record, cancel_requested=True)

        record = await self._change(move_id, asked, deadline)
        return record if record.ended else await self._runner.end_untaken(move_id) or record

    async def finish(self, move_id: str, deadline: Deadline) -> MoveRecord:
        """Ends the reverse window now. Raises MoveNotFound, MoveNotCommitted."""

        def asked(record: MoveRecord) -> MoveRecord | None:
            if record.phase not in AFTER_COMMIT:
                raise MoveNotCommitted(move_id, record.phase)
            now_us = self._clock.wall_us()
            over = record.phase in (MovePhase.CLEANING, MovePhase.DONE) or record.reverse_until_us <= now_us
            return None if over else replace(record, reverse_until_us=now_us)

        return await self._change(move_id, asked, deadline)

    async def adopt(self, shard_id: str, fence: Fence, deadline: Deadline) -> MoveRecord | None:
        """As Adoption.adopt, which does it by itself after a while."""
        return await self._adoption.adopt(shard_id, fence, deadline)

    # --- looking ----------------------------------------------------------------------------------

    async def get(self, move_id: str, deadline: Deadline) -> MoveRecord | None:
        return await self._store.get(move_id, deadline)

    async def list(
        self, after: str, limit: int, deadline: Deadline, *, group_id: str = "", active_only: bool = False
    ) -> Sequence[MoveRecord]:
        """Newest request first, those after the move `after`; at most LIST_MAX."""
        return await self._store.list(after, min(limit, LIST_MAX), group_id, active_only, deadline)

    async def leaving(self, shard_id: str, limit: int, deadline: Deadline) -> Sequence[MoveRecord]:
        """Moves that are to take a group away from this shard, and are neither committed nor being given up;
        in no order."""
        return await self._store.leaving(shard_id, limit, deadline)

    async def verify(self, request: VerifyRequest, deadline: Deadline) -> VerifyReport:
        """Raises ShardUnknown, MoveRefused for a copy without a fence, and what the shards raise."""
        return await verify(self._fleet, request, self._settings, deadline)

    # --- parts ------------------------------------------------------------------------------------

    async def _create(self, record: MoveRecord, deadline: Deadline) -> MoveRecord:
        made = await self._store.create(record, deadline)
        if made.move_id != record.move_id:
            raise GroupIsMoving(record.group_id, made.move_id)
        self._runner.take_up(made.move_id, made)
        return made

    async def _repeated(self, request: MoveRequest, known: MoveRecord) -> MoveRecord:
        if (known.group_id, known.target_shard) != (request.group_id, request.to_shard):
            raise MoveRefused(
                request.group_id,
                f"request_id {request.request_id} belongs to the move of group {known.group_id} to shard "
                f"{known.target_shard}; use a new one",
            )
        if not known.ended:
            self._runner.take_up(known.move_id)
        return known

    async def _known(self, move_id: str, deadline: Deadline) -> MoveRecord:
        record = await self._store.get(move_id, deadline)
        if record is None:
            raise MoveNotFound(move_id)
        return record

    async def _change(self, move_id: str, asked: RecordChange, deadline: Deadline) -> MoveRecord:
        for _ in range(UPDATES_MAX):
            record = await self._known(move_id, deadline)
            changed = asked(record)
            if changed is None:
                return record
            stored = await self._store.update(changed, deadline)
            if stored.revision == record.revision + 1 and _same_wish(stored, changed):
                await self._store.put_off(move_id, 0, deadline)
                self._runner.look_again(move_id)
                return stored
        raise CatalogUnavailable(f"the record of move {move_id} keeps changing")

    def _target_space(self, request: MoveRequest, source: Place) -> str:
        info = self._fleet.map.get(request.to_shard)
        if info is None:
            raise ShardUnknown(request.to_shard)
        has_spaces = info.engine is Engine.FALKORDB
        match request.to_space:
            case ToSpace.POOLED:
                return POOLED
            case ToSpace.OWN if not has_spaces:
                raise MoveRefused(
                    request.group_id,
                    f"shard {request.to_shard} runs {info.engine}, which has no space for one group alone; "
                    "move it with POOLED or KEEP",
                )
            case ToSpace.OWN:
                return own_space(request.group_id)
            case ToSpace.KEEP:
                keeps_own = has_spaces and source.space != POOLED
                return own_space(request.group_id) if keeps_own else POOLED

    async def _check_target(
        self, request: MoveRequest, source: Place, target: Place, deadline: Deadline
    ) -> None:
        group_id, shard_id = request.group_id, target.shard_id
        if source == target:
            raise MoveRefused(
                group_id, f"it is at shard {shard_id} in that space already; name another place"
            )
        info = self._fleet.map.get(shard_id)
        if info is None or not self._fleet.configured(shard_id):
            raise ShardUnknown(shard_id, "" if info is None else info.state)
        if source.shard_id != shard_id:
            if info.state in (ShardState.DRAINING, ShardState.REMOVED):
                raise MoveRefused(group_id, f"shard {shard_id} is {info.state}; name another shard")
            if info.state is ShardState.CORDONED and not request.cordoned:
                raise MoveRefused(
                    group_id, f"shard {shard_id} is {info.state}; uncordon it, or ask for it all the same"
                )
        now_s = self._clock.monotonic_s()
        if self._schema_known.get(shard_id, 0.0) > now_s:
            return
        report = await self._fleet.on_shard(
            shard_id, deadline, lambda driver: driver.describe_schema(deadline)
        )
        if not report.ready:
            raise TargetNotReady(group_id, shard_id, "its indexes are not ready")
        self._schema_known[shard_id] = now_s + self._settings.schema_known_s

    async def _check_still(self, fence: Fence, deadline: Deadline) -> None:
        """Raises GroupIsMoving."""
        if fence.move_id:
            moving = await self._store.get(record_id(fence.move_id), deadline)
            if moving is not None and not moving.ended and not moving.committed:
                raise GroupIsMoving(fence.group_id, moving.move_id)


def own_space(group_id: str) -> str:
    """Name of the space that a group has for itself."""
    return group_id


def _same_wish(stored: MoveRecord, changed: MoveRecord) -> bool:
    return (stored.cancel_requested, stored.reverse_until_us) == (
        changed.cancel_requested,
        changed.reverse_until_us,
    )
