"""Shards as operators see them: add, change, drain, remove, describe, and what was done."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.register_gate import RegisterGate
from shard_router.clock import Clock, SystemClock
from shard_router.errors import CatalogUnavailable, MapChanged, ShardRemoved, ShardUnknown
from shard_router.fleet import DriverMaker, Fleet, ShardStatus
from shard_router.shard_map import ShardInfo, ShardMapSnapshot, ShardState
from shard_router.shards import admission, removal
from shard_router.shards.errors import (
    RootChangeRunning,
    ShardExists,
    ShardStateRefused,
    ShardStillUsed,
)
from shard_router.shards.fence_pages import CALL_S_MAX
from shard_router.shards.history import HistoryEntry, ShardHistory
from shard_router.shards.usage import ShardUsage, usage_of

_LOG = logging.getLogger(__name__)

HISTORY_S_MAX: Final = 2.0
UNDO_S_MAX: Final = 10.0


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks, for the history."""

    who: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ShardChange:
    """None: stays as it is."""

    weight: float | None = None
    zone: str | None = None
    cordoned: bool | None = None
    """False also ends a drain: what has been moved away stays away, moves that are not committed are
    cancelled."""


@dataclass(frozen=True, slots=True)
class ShardDescription:
    status: ShardStatus
    map_version: int
    usage: ShardUsage | None
    """None: the shard does not answer, or was removed."""
    root_member: bool
    root_version: int
    root_pending: int
    """Version of the root ring that is about to take over; 0: none is."""


class Shards:
    """Safe for concurrent use, at any number of gateways: the shard map changes by compare-and-set."""

    def __init__(
        self,
        fleet: Fleet,
        history: ShardHistory,
        make_driver: DriverMaker,
        clock: Clock | None = None,
    ) -> None:
        self._fleet = fleet
        self._history = history
        self._make_driver = make_driver
        self._clock = clock or SystemClock()

    @property
    def map_version(self) -> int:
        """Of the map that this gateway has."""
        return self._fleet.map.version

    async def add(
        self, info: ShardInfo, operator: Operator, deadline: Deadline, *, validate_only: bool = False
    ) -> admission.Admitted:
        """Examines the server, makes it a shard and puts it into the map; returns when this gateway reaches
        it.

        Adding again what is there in the same way changes nothing. `validate_only`: examines only.
        Raises ShardExists, RootChangeRunning, CredentialsUnknown, ShardUnfit, ShardNotEmpty, ForeignFleet,
        WrongShard, NewerSchema, ShardRemoved, FleetNotFounded, CatalogUnavailable, ShardError.
        """
        assert info.endpoint is not None, "a shard is added by its endpoint"
        identity = self._fleet.identity
        if self._fleet.root_change_pending:
            raise RootChangeRunning(identity.root_version)
        _check_free(await self._fleet.change_map(lambda known: known), info)
        async with _opened(self._make_driver(info)) as driver:
            admitted = await admission.examine(
                driver, identity, self._fleet.pool_graphs, self._clock, deadline
            )
            if validate_only:
                return admitted
            await admission.admit(driver, admitted, deadline)

        def added(known: ShardMapSnapshot) -> ShardMapSnapshot:
            _check_free(known, info)
            return known if known.get(info.shard_id) is not None else known.with_shard(info)

        await self._fleet.change_map(added)
        detail = f"{info.engine} {info.endpoint.url} weight={info.weight:g} zone={info.zone or '-'}"
        await self._note("ADD", info.shard_id, detail, operator)
        await self._fleet.reached(info.shard_id, deadline)
        return admitted

    async def update(
        self, shard_id: str, change: ShardChange, operator: Operator, expected_version: int = 0
    ) -> ShardMapSnapshot:
        """`expected_version`: as Fleet.change_map. Raises ShardUnknown, ShardStateRefused, MapChanged,
        FleetNotFounded, CatalogUnavailable."""
        done: list[str] = []

        def changed(known: ShardMapSnapshot) -> ShardMapSnapshot:
            before = _known(known, shard_id)
            after = _changed(before, change)
            done[:] = _differences(before, after)
            return known.with_shard(after)

        snapshot = await self._fleet.change_map(changed, expected_version)
        if done:
            action = {None: "UPDATE", True: "CORDON", False: "UNCORDON"}[change.cordoned]
            await self._note(action, shard_id, ", ".join(done), operator)
        return snapshot

    async def drain(self, shard_id: str, operator: Operator, expected_version: int = 0) -> ShardMapSnapshot:
        """From now on the gateways move everything away, one of them at a time, see drain.py.

        Raises ShardUnknown, NoShardTakesGroups, MapChanged, FleetNotFounded, CatalogUnavailable.
        """
        begun = False

        def draining(known: ShardMapSnapshot) -> ShardMapSnapshot:
            nonlocal begun
            info = _known(known, shard_id)
            begun = info.state is not ShardState.DRAINING
            after = known.with_shard(replace(info, state=ShardState.DRAINING)) if begun else known
            # Raises when nobody is left to take its groups.
            _ = after.placement_ring
            return after

        snapshot = await self._fleet.change_map(draining, expected_version)
        if begun:
            await self._note("DRAIN", shard_id, "", operator)
        return snapshot

    async def remove(self, shard_id: str, operator: Operator, expected_version: int = 0) -> ShardMapSnapshot:
        """Removes a drained shard for ever, after every shard has been asked whether something leads there.

        Raises ShardUnknown, ShardStateRefused, ShardStillUsed, MapChanged, FleetNotFounded,
        CatalogUnavailable, ShardError; after any of it the shard is DRAINING as before, and calling again is
        safe.
        """
        await self._check_no_root_member(shard_id)

        def begun(known: ShardMapSnapshot) -> ShardMapSnapshot:
            info = _known(known, shard_id)
            if info.state is not ShardState.DRAINING:
                raise ShardStateRefused(shard_id, info.state, "drain it first")
            # Several may remove it at once: they are of one attempt, and end together.
            return known.with_shard(replace(info, removing=info.removing or known.version + 1))

        snapshot = await self._fleet.change_map(begun, expected_version)
        attempt = _known(snapshot, shard_id).removing
        reopening: RegisterGate | None = None
        try:
            try:
                reopening = await removal.seal(self._fleet, shard_id)
                await removal.check_unused(self._fleet, shard_id)
                removed = await self._decide(shard_id, attempt)
            except ShardRemoved:
                # Its marker says that it was removed, and only the catalog has forgotten it.
                removed = await self._fleet.change_map(lambda known: _removed(known, shard_id, attempt))
        except GraphgateError:
            await self._undo(shard_id, attempt, reopening)
            raise
        await self._note("REMOVE", shard_id, "", operator)
        return removed

    async def describe(self, shard_id: str, deadline: Deadline) -> ShardDescription:
        """Raises ShardUnknown, FleetNotFounded."""
        status = next((s for s in self._fleet.status() if s.info.shard_id == shard_id), None)
        if status is None:
            raise ShardUnknown(shard_id)
        usage = None
        if status.info.state is not ShardState.REMOVED:
            try:
                usage = await usage_of(self._fleet, shard_id, deadline)
            except GraphgateError as error:
                # Its status says why it does not answer.
                _LOG.debug("shard %s is not described: %s", shard_id, error)
        roots = self._fleet.roots
        return ShardDescription(
            status=status,
            map_version=self._fleet.map.version,
            usage=usage,
            root_member=roots.current.is_root_member(shard_id),
            root_version=roots.current.root_version,
            root_pending=0 if roots.pending is None else roots.pending.root_version,
        )

    async def history(
        self, before: str, limit: int, shard_id: str, deadline: Deadline
    ) -> Sequence[HistoryEntry]:
        """As ShardHistory.list_history."""
        return await self._history.list_history(before, limit, shard_id, deadline)

    # --- parts ------------------------------------------------------------------------------------

    async def _check_no_root_member(self, shard_id: str) -> None:
        roots = self._fleet.roots
        for ring in (roots.current, roots.pending):
            if ring is not None and ring.is_root_member(shard_id):
                raise ShardStillUsed(
                    shard_id,
                    "REGISTERS",
                    f"it homes registers by root ring {ring.root_version}; drain it and wait until another "
                    "root ring is in force",
                )

    async def _decide(self, shard_id: str, attempt: int) -> ShardMapSnapshot:
        """The map's change is the removal. The mark on the server is for those who do not know the map."""

        async def decided(driver: ShardDriver) -> ShardMapSnapshot:
            removed = await self._fleet.change_map(lambda known: _removed(known, shard_id, attempt))
            try:
                await removal.mark_removed(driver, Deadline.after(UNDO_S_MAX))
            except GraphgateError as error:
                _LOG.warning("shard %s is removed and its marker does not say so: %s", shard_id, error)
            return removed

        return await self._fleet.on_shard(shard_id, Deadline.after(CALL_S_MAX), decided, writes=True)

    async def _undo(self, shard_id: str, attempt: int, reopening: RegisterGate | None) -> None:
        """The map first: an attempt that is not in the map any more cannot end with the removal."""

        def given_up(known: ShardMapSnapshot) -> ShardMapSnapshot:
            info = _known(known, shard_id)
            if info.state is ShardState.REMOVED or info.removing != attempt:
                raise MapChanged(attempt, known.version)
            return known.with_shard(replace(info, removing=0))

        try:
            await self._fleet.change_map(given_up)
            if reopening is not None:
                await removal.raise_gate(self._fleet, shard_id, reopening)
        except GraphgateError as error:
            _LOG.warning("shard %s stays sealed until its removal is tried again: %s", shard_id, error)

    async def _note(self, action: str, shard_id: str, detail: str, operator: Operator) -> None:
        entry = HistoryEntry(
            at_us=self._clock.wall_us(),
            who=operator.who,
            action=action,
            shard_id=shard_id,
            detail=detail,
            request_id=operator.request_id,
        )
        _LOG.info("shard %s: %s by %s %s", shard_id, action, operator.who, detail)
        try:
            await self._history.append_history(entry, Deadline.after(HISTORY_S_MAX))
        except CatalogUnavailable as error:
            # What was done is done, and the log has it.
            _LOG.warning("the history lacks %s of shard %s: %s", action, shard_id, error)


@asynccontextmanager
async def _opened(driver: ShardDriver) -> AsyncGenerator[ShardDriver]:
    await driver.open()
    try:
        yield driver
    finally:
        await driver.close()


def _known(known: ShardMapSnapshot, shard_id: str) -> ShardInfo:
    info = known.get(shard_id)
    if info is None:
        raise ShardUnknown(shard_id)
    if info.state is ShardState.REMOVED:
        raise ShardStateRefused(shard_id, info.state, "nothing can be done with it any more")
    return info


def _check_free(known: ShardMapSnapshot, wanted: ShardInfo) -> None:
    """Raises ShardExists, except for the very same shard."""
    there = known.get(wanted.shard_id)
    if there is None:
        return
    same = (there.engine, there.endpoint) == (wanted.engine, wanted.endpoint)
    if there.state is ShardState.REMOVED or not same:
        raise ShardExists(wanted.shard_id, there.state)


def _changed(before: ShardInfo, change: ShardChange) -> ShardInfo:
    """Raises ShardStateRefused."""
    state = before.state
    if change.cordoned is True:
        if state is ShardState.DRAINING:
            raise ShardStateRefused(
                before.shard_id, state, "it takes no groups as it is; uncordon ends the drain"
            )
        state = ShardState.CORDONED
    elif change.cordoned is False:
        if before.removing:
            raise ShardStateRefused(before.shard_id, state, "it is being removed; wait for the end of that")
        state = ShardState.ACTIVE
    return replace(
        before,
        state=state,
        weight=before.weight if change.weight is None else change.weight,
        zone=before.zone if change.zone is None else change.zone,
    )


def _removed(known: ShardMapSnapshot, shard_id: str, attempt: int) -> ShardMapSnapshot:
    info = _known(known, shard_id)
    if info.removing != attempt:
        raise MapChanged(attempt, known.version)
    return known.with_shard(replace(info, state=ShardState.REMOVED, removing=0))


def _differences(before: ShardInfo, after: ShardInfo) -> list[str]:
    found: list[str] = []
    if before.state is not after.state:
        found.append(f"state {before.state} -> {after.state}")
    if before.weight != after.weight:
        found.append(f"weight {before.weight:g} -> {after.weight:g}")
    if before.zone != after.zone:
        found.append(f"zone {before.zone or '-'} -> {after.zone or '-'}")
    return found
