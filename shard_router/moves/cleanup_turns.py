"""Whose turn it is to delete at a shard: one cleanup at a time, over all gateways, or their shares add up."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from drivers.deadline import Deadline
from shard_router.errors import CatalogUnavailable
from shard_router.moves.settings import MoveSettings
from shard_router.moves.store_port import MoveStore

_LOG = logging.getLogger(__name__)

_MARGIN_S: Final = 5.0
"""A turn outlasts what it is needed for by so much."""


def lease_name(shard_id: str) -> str:
    return f"clean:{shard_id}"


class CleanupTurns:
    """Of one gateway. Losing the catalog can let two clean up at once until the end of a pause."""

    def __init__(
        self,
        store: MoveStore,
        holder: str,
        settings: MoveSettings,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`holder`: the gateway. `on_change` is called when a turn begins or ends here."""
        self._store = store
        self._holder = holder
        self._settings = settings
        self._on_change = on_change
        self._held: set[str] = set()

    def is_free(self, shard_id: str) -> bool:
        """As far as this gateway knows."""
        return shard_id not in self._held and len(self._held) < self._settings.cleanups_max

    async def take(self, shard_id: str) -> bool:
        """Whether it is this caller's turn. Raises CatalogUnavailable."""
        if not self.is_free(shard_id):
            return False
        self._held.add(shard_id)
        is_taken = False
        try:
            is_taken = await self._lease(shard_id, 0.0)
        finally:
            if not is_taken:
                self._held.discard(shard_id)
            self._on_change()
        return is_taken

    async def keep(self, shard_id: str, pause_s: float) -> bool:
        """Whether it still is, for a pause and one call more. Without the catalog it is: nobody else can take
        it either."""
        try:
            return await self._lease(shard_id, pause_s)
        except CatalogUnavailable as error:
            _LOG.debug("the cleanup of shard %s goes on without a lease: %s", shard_id, error)
            return True

    async def give_back(self, shard_id: str) -> None:
        self._held.discard(shard_id)
        self._on_change()
        try:
            await asyncio.shield(self._store.release(lease_name(shard_id), self._holder, self._soon()))
        except CatalogUnavailable as error:
            # It expires.
            _LOG.debug("the turn at shard %s was not given back: %s", shard_id, error)

    async def _lease(self, shard_id: str, pause_s: float) -> bool:
        seconds = pause_s + self._settings.call_s_max + _MARGIN_S
        return await self._store.lease(lease_name(shard_id), self._holder, seconds, self._soon())

    def _soon(self) -> Deadline:
        return Deadline.after(self._settings.catalog_s_max)
