"""However gateways with equal, nested or overlapping settings found, one shard serves one founded fleet."""

from collections.abc import Awaitable, Callable

import pytest

from drivers.deadline import Deadline
from shard_router.fleet_identity import FleetIdentity
from shard_router.founding import Founding
from tests.unit.shard_router.founding_world import World, explore


def judge(completing: str) -> Callable[[World], Awaitable[str | None]]:
    """`completing`: shards with which a late gateway must always get a fleet; empty: none must."""

    async def wrong_with(world: World) -> str | None:
        wrong = _wrong_now(world)
        if wrong is None and completing:
            outcome = await world.establish_afresh(completing)
            wrong = _wrong_now(world)
            if wrong is None and not isinstance(outcome, FleetIdentity):
                return f"a late gateway gets no fleet: {outcome!r}"
        return wrong

    return wrong_with


def _wrong_now(world: World) -> str | None:
    founded = world.founded()
    members = [member.shard_id for identity in founded for member in identity.root_members]
    if len(set(members)) < len(members):
        return f"two founded fleets share a root member: {founded}"
    for identity in founded:
        for member in identity.root_members:
            marker = world.markers[member.shard_id]
            if marker is None or FleetIdentity.of(marker) != identity:
                return f"founded, but root member {member.shard_id} has the marker {marker}"
    for gateway in world.gateways.values():
        if isinstance(gateway.outcome, FleetIdentity) and gateway.outcome not in founded:
            return f"a gateway uses a fleet that is not founded: {gateway.outcome}"
    return None


@pytest.mark.parametrize(
    ("configurations", "crashes", "completing"),
    [
        (("AB", "AB"), 2, "AB"),
        (("ABC", "AB"), 1, "ABC"),
        (("BC", "ABC"), 1, ""),
        (("AB", "BC"), 2, ""),
    ],
)
async def test_one_founded_fleet_per_shard(
    configurations: tuple[str, ...], crashes: int, completing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 3: the root ring is fixed once. Founding races, subset settings and crashes after any
    step never let two fleets use one shard; equal and nested settings can always be completed."""
    result = await explore(lambda: World(configurations, crashes), judge(completing), monkeypatch)

    assert (result.violation, result.path) == (None, ())
    assert result.states > 200, "the explorer saw hardly any interleaving"


class _EndsAtTheDecision(Founding):
    """Founded as soon as it is decided, before the copies are made."""

    async def _finish(self, identity: FleetIdentity, known: frozenset[str], deadline: Deadline) -> None:
        await self._shards[identity.founder].driver.advance_beat(0, 1, deadline)
        await super()._finish(identity, known, deadline)


class _OverlooksForeignMarkers(Founding):
    """Takes any marker of a root member for the copy of its own decision."""

    async def _copy(
        self, shard_id: str, identity: FleetIdentity, known: frozenset[str], deadline: Deadline
    ) -> None:
        if await self._shards[shard_id].driver.read_marker(deadline) is None:
            await self.create_marker(shard_id, identity, deadline)


@pytest.mark.parametrize("mutation", [_EndsAtTheDecision, _OverlooksForeignMarkers])
async def test_a_founding_without_its_rule_is_caught(
    mutation: type[Founding], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search above has teeth."""
    result = await explore(lambda: World(("AB", "BC"), 1, mutation), judge(""), monkeypatch)

    assert result.violation is not None
