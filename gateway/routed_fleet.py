"""The shards of the settings with the ways to them: what every process that reads and writes groups has."""

from functools import partial

import structlog

from drivers.errors import ShardUnavailable
from gateway.assembly import (
    added_shard_driver,
    catalog_settings,
    catalog_url,
    configured_shard,
    fleet_settings,
    router_settings,
    slot_policy,
)
from gateway.settings.tree import Settings
from gateway.telemetry.telemetry import Telemetry
from shard_router.catalog import Catalog
from shard_router.fleet import Fleet
from shard_router.router import Router
from shard_router.slot_keeper import SlotKeeper

log = structlog.get_logger("graphgate.fleet")


class RoutedFleet:
    """start() once, close() once."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        """`settings` name a fleet."""
        shards = [configured_shard(shard, telemetry) for shard in settings.shards]
        engines = {shard.info.shard_id: shard.info.engine for shard in shards}
        self.make_driver = partial(added_shard_driver, settings, telemetry)
        self.catalog = Catalog(catalog_url(settings.catalog), catalog_settings(settings.catalog))
        self.fleet = Fleet(shards, self.catalog, fleet_settings(settings), make_driver=self.make_driver)
        self.router = Router(self.fleet, self.catalog, router_settings(settings))
        self.slots = SlotKeeper(self.fleet, engines, slot_policy(settings))
        self.fleet.watch_shards(self.slots)

    async def start(self) -> None:
        """Returns when the shards were met; those that do not answer are no obstacle."""
        await self.fleet.start()
        self.slots.start()
        try:
            await self.fleet.met()
        except ShardUnavailable as error:
            log.warning("shard_away_at_start", shard=error.shard_id, detail=str(error))

    async def close(self) -> None:
        await self.slots.close()
        await self.router.close()
        await self.fleet.close()
        await self.catalog.close()
