"""Hints never fail, and a dead catalog costs one timeout per pause, not one per request."""

from drivers.deadline import Deadline
from shard_router.placement import Placement
from shard_router.placement_hints import HintSettings, PlacementHints
from tests.unit.shard_router.fleet_of import soon
from tests.unit.shard_router.manual_clock import ManualClock
from tests.unit.shard_router.memory_catalog import MemoryCatalog

G = Placement("g", "a", "", 1)
H = Placement("h", "b", "own", 4)


def hints_of(catalog: MemoryCatalog | None, clock: ManualClock | None = None) -> PlacementHints:
    return PlacementHints(catalog, HintSettings(catalog_pause_s=2.0), clock or ManualClock())


async def test_cache_then_one_look_at_the_catalog() -> None:
    """Known groups cost nothing; all others cost one call together."""
    catalog = MemoryCatalog()
    catalog.placements = {"g": G, "h": H}
    hints = hints_of(catalog)

    assert await hints.get(["g", "h", "x"], soon()) == {"g": G, "h": H}
    assert await hints.get(["g", "h"], soon()) == {"g": G, "h": H}
    assert catalog.calls == ["get_placements"]


async def test_what_is_learned_is_told() -> None:
    """Other gateways find the record."""
    catalog = MemoryCatalog()
    hints = hints_of(catalog)
    await hints.learn([G], soon())

    assert hints.cached("g") == G
    assert catalog.placements == {"g": G}


async def test_a_dead_catalog_is_left_alone_for_a_while() -> None:
    """The first failure opens a pause; after it the catalog is tried again."""
    clock, catalog = ManualClock(), MemoryCatalog()
    catalog.down = True
    hints = hints_of(catalog, clock)
    for n in range(20):
        assert await hints.get([str(n)], soon()) == {}
        await hints.learn([G], soon())
    assert catalog.calls == ["get_placements"]
    assert hints.catalog_problem is not None

    catalog.down = False
    clock.advance(2.0)
    await hints.learn([H], soon())
    assert catalog.placements == {"h": H}
    assert hints.catalog_problem is None


async def test_the_catalog_gets_a_part_of_the_deadline_at_most() -> None:
    """A hint must not use up the time that the real answer needs."""
    deadlines: list[Deadline] = []

    class Recording(MemoryCatalog):
        async def get_placements(self, group_ids: object, deadline: Deadline) -> dict[str, Placement]:
            deadlines.append(deadline)
            return {}

    await hints_of(Recording()).get(["g"], Deadline.after(600))

    assert deadlines[0].remaining_s() <= 0.5


async def test_without_a_catalog_there_is_the_cache() -> None:
    """A fleet without Redis works."""
    hints = hints_of(None)
    assert await hints.get(["g"], soon()) == {}
    await hints.learn([G], soon())

    assert await hints.get(["g"], soon()) == {"g": G}
