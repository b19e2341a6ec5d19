"""The record of a move in the hands of its coordinator: changed often, written seldom."""

import logging
from dataclasses import replace
from typing import Any

from drivers.deadline import Deadline
from shard_router.clock import Clock
from shard_router.errors import CatalogUnavailable
from shard_router.moves.record import MovePhase, MoveRecord
from shard_router.moves.settings import MoveSettings
from shard_router.moves.store_port import MoveStore

_LOG = logging.getLogger(__name__)

WRITES_MAX = 8
"""Attempts against others who change the record."""


class Journal:
    def __init__(self, record: MoveRecord, store: MoveStore, settings: MoveSettings, clock: Clock) -> None:
        self.record = record
        self._store = store
        self._settings = settings
        self._clock = clock
        self._written_s = clock.monotonic_s()
        self._copying_since_s: float | None = None
        self._copied_before = 0

    def set(self, **values: Any) -> None:
        """In memory; values are fields of MoveRecord."""
        self.record = replace(self.record, **values)

    def enter(self, phase: MovePhase) -> None:
        self.record = replace(self.record, phase=phase)

    def copied(self, rows: int, size_bytes: int) -> None:
        record, now_s = self.record, self._clock.monotonic_s()
        if self._copying_since_s is None:
            self._copying_since_s, self._copied_before = now_s, record.rows_copied
        rows_copied = record.rows_copied + rows
        elapsed_s = now_s - self._copying_since_s
        self.set(
            rows_copied=rows_copied,
            bytes_copied=record.bytes_copied + size_bytes,
            rows_remaining=max(0, record.rows_remaining - rows),
            rate_rows_per_s=(rows_copied - self._copied_before) / elapsed_s if elapsed_s > 0 else 0.0,
        )

    async def write_soon(self) -> None:
        """Writes the record if that was not done for persist_s. A failure is the next one's to repair."""
        if self._clock.monotonic_s() - self._written_s >= self._settings.persist_s:
            await self.try_to_write()

    async def try_to_write(self) -> None:
        """A failure is the next one's to repair."""
        try:
            await self.write()
        except CatalogUnavailable as error:
            _LOG.info("move %s: its record was not written: %s", self.record.move_id, error)

    async def write(self) -> None:
        """Raises CatalogUnavailable."""
        self._written_s = self._clock.monotonic_s()
        for _ in range(WRITES_MAX):
            mine = replace(self.record, updated_us=self._clock.wall_us())
            stored = await self._store.update(mine, self.soon())
            if stored == replace(mine, revision=mine.revision + 1):
                # What has changed in memory meanwhile stays.
                self.set(revision=stored.revision)
                return
            self.record = self.record.merged(stored)
        raise CatalogUnavailable(f"the record of move {self.record.move_id} keeps changing")

    async def read_again(self) -> None:
        """Takes over what others have asked for. Raises CatalogUnavailable."""
        stored = await self._store.get(self.record.move_id, self.soon())
        if stored is not None:
            self.record = self.record.merged(stored)

    def soon(self) -> Deadline:
        return Deadline.after(self._settings.catalog_s_max)
