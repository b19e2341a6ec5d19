"""Watches over model shards: every change once and in order, whatever happens to the group meanwhile."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
import pytest

from drivers.errors import ShardUnavailable
from drivers.fence import EmbeddingSpec, Fence, FenceState
from drivers.graph_model import Entity, Kind, Membership, NextEpisode, SagaEpisode
from gateway.rpc import watch_service
from gateway.rpc.errors import ChangesPruned, TooManyWatches, VersionAhead
from gateway.rpc.validation import InvalidRequest
from gateway.rpc.watch_service import Watches, WatchLimits
from graphgate.v1 import graph_pb2
from graphgate.v1 import graph_service_pb2 as pb
from shard_router.errors import GroupNotFound
from tests.eventually import eventually
from tests.integration.gateway.calls import new_uuid
from tests.model_group import GroupState
from tests.unit.shard_router.fleet_of import founded, running, unevenly
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.router_gateway import Gateway

LIMITS = WatchLimits(pause_s_min=0.001, pause_s_max=0.01)
HOUR_S = 3_600.0


@pytest.fixture
async def gateway() -> AsyncGenerator[Gateway]:
    drivers, catalog = founded("a", "b"), MemoryCatalog()
    async with running(unevenly(drivers), catalog) as fleet:
        made = Gateway(drivers, fleet, catalog)
        await made.use()
        yield made
        await made.router.close()


def state_of(gateway: Gateway) -> tuple[str, GroupState, Fence]:
    """Shard that owns the group, what it has, its fence."""
    for shard_id, driver in gateway.drivers.items():
        group = driver.groups.get(("", "g"))
        if group is not None and group.fence is not None and group.fence.owns:
            return shard_id, group, group.fence
    raise AssertionError("nobody owns the group")


def write(gateway: Gateway, *names: str, deleted: tuple[str, ...] = ()) -> int:
    """Entities of these names as one write; the version."""
    _, group, fence = state_of(gateway)
    version = fence.version + 1
    for name in names:
        uuid = uuid_of(name)
        group.rows[Kind.ENTITY, uuid] = Entity(uuid=uuid, name=name, version=version)
    for name in deleted:
        del group.rows[Kind.ENTITY, uuid_of(name)]
        group.tombstones[Kind.ENTITY, uuid_of(name)] = version
    group.fence = replace(fence, version=version)
    return version


def uuid_of(name: str) -> str:
    return f"00000000-0000-4000-8000-{int.from_bytes(name.encode()):012x}"


def move(gateway: Gateway) -> None:
    """To the other shard, with all that the group has, as a commit leaves it."""
    source, group, fence = state_of(gateway)
    target = gateway.elsewhere(source)
    epoch = fence.epoch + (1 if fence.state is FenceState.FROZEN else 2)
    gateway.drivers[target].groups["", "g"] = GroupState(
        replace(fence, epoch=epoch, state=FenceState.OPEN),
        dict(group.rows),
        dict(group.vectors),
        dict(group.tombstones),
    )
    group.fence = replace(fence, epoch=epoch - 1, state=FenceState.MOVED, moved_to=target, moved_epoch=epoch)


def count_looks(gateway: Gateway, on_look: Callable[[], object] = lambda: None) -> list[int]:
    """Grows with every look at the group where it is now; `on_look` is called when its rows have been read.
    What it changes is in the fence, which is read last."""
    looks: list[int] = []
    shard_id, _, _ = state_of(gateway)
    driver = gateway.drivers[shard_id]
    changes = driver.changes

    async def counted(*arguments: object) -> object:
        looks.append(len(looks))
        found = await changes(*arguments)  # type: ignore[arg-type]
        on_look()
        return replace(found, fence=state_of(gateway)[2])

    driver.changes = counted  # type: ignore[method-assign,assignment]
    return looks


@dataclass(slots=True)
class Replica:
    """What a client holds that applies each answer of a watch."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    """By uuid."""
    seen: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """(uuid, version) of every row and deletion, in the order of the stream."""
    position: int = 0

    def take(self, answer: pb.WatchResponse) -> None:
        assert answer.position >= self.position
        for row in answer.entities:
            self.names[row.uuid] = row.name
            self.seen.append((row.uuid, row.version))
        for gone in answer.deleted:
            latest = max((version for uuid, version in self.seen if uuid == gone.uuid), default=0)
            if gone.version > latest:
                self.names.pop(gone.uuid, None)
            self.seen.append((gone.uuid, gone.version))
        self.position = answer.position


async def caught_up(answers: AsyncGenerator[pb.WatchResponse], replica: Replica, version: int) -> None:
    while replica.position < version:
        replica.take(await anext(answers))


async def test_what_changed_comes_first_and_then_what_changes(gateway: Gateway) -> None:
    """From a version on: later rows and deletions only, each with its version; then every further write."""
    write(gateway, "old")
    after = write(gateway, "ada", "bob")
    write(gateway, "cid")
    write(gateway, "ada2", deleted=("bob",))
    watches = Watches(gateway.router, LIMITS)
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g", after_version=after))) as answers:
        first = await anext(answers)
        assert [row.name for row in first.entities] == ["cid", "ada2"]
        assert [(row.kind, row.uuid, row.version) for row in first.deleted] == [
            (graph_pb2.ROW_KIND_ENTITY, uuid_of("bob"), 4)
        ]
        assert (first.position, first.group_version) == (4, 4)
        write(gateway, "dan")
        second = await anext(answers)
        assert [row.name for row in second.entities] == ["dan"]
        assert second.position == 5


async def test_a_watch_that_has_nothing_to_say_says_so(gateway: Gateway) -> None:
    """The first answer comes at once, further ones without rows show that the stream lives."""
    version = write(gateway, "ada")
    watches = Watches(gateway.router, replace(LIMITS, heartbeat_s=0.01))
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g", after_version=version))) as answers:
        for _ in range(3):
            answer = await anext(answers)
            assert (list(answer.entities), answer.position, answer.group_version) == ([], version, version)


async def test_a_large_write_comes_in_pieces_and_only_its_last_one_advances(gateway: Gateway) -> None:
    """Whoever goes on from the position of any piece gets what it lacks: nothing is missing."""
    write(gateway, "first")
    version = write(gateway, *(f"n{i}" for i in range(40)))
    watches = Watches(gateway.router, replace(LIMITS, message_bytes_max=500))
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        pieces: list[pb.WatchResponse] = []
        while not pieces or pieces[-1].position < version:
            pieces.append(await anext(answers))
    assert len(pieces) > 4
    assert all(piece.ByteSize() < 550 for piece in pieces)
    assert [piece.position for piece in pieces] == [1] * (len(pieces) - 1) + [2]
    names = [row.name for piece in pieces for row in piece.entities]
    assert len(names) == len(set(names)) == 41
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g", after_version=1))) as answers:
        again = Replica()
        await caught_up(answers, again, version)
    assert len(again.names) == 40


async def test_every_kind_of_row_has_its_list(gateway: Gateway) -> None:
    """Edges that no other method returns come too, with their ends."""
    _, group, fence = state_of(gateway)
    left, right, saga = new_uuid(), new_uuid(), new_uuid()
    for kind, row in (
        (Kind.MEMBERSHIP, Membership(uuid=new_uuid(), version=1, source_uuid=left, target_uuid=right)),
        (Kind.SAGA_EPISODE, SagaEpisode(uuid=new_uuid(), version=1, source_uuid=left, target_uuid=right)),
        (
            Kind.NEXT_EPISODE,
            NextEpisode(uuid=new_uuid(), version=1, saga_uuid=saga, source_uuid=left, target_uuid=right),
        ),
    ):
        group.rows[kind, row.uuid] = row
    group.fence = replace(fence, version=1)
    async with aclosing(Watches(gateway.router, LIMITS).watch(pb.WatchRequest(group_id="g"))) as answers:
        answer = await anext(answers)
    (member,), (place,), (link,) = answer.memberships, answer.saga_places, answer.episode_links
    assert (member.community_uuid, member.entity_uuid) == (left, right)
    assert (place.saga_uuid, place.episode_uuid) == (left, right)
    assert (link.episode_uuid, link.next_episode_uuid, link.saga_uuid) == (left, right, saga)


@pytest.mark.parametrize("wanted", [False, True])
async def test_embeddings_come_when_they_are_asked_for(gateway: Gateway, wanted: bool) -> None:
    """As in every read."""
    write(gateway, "ada")
    _, group, fence = state_of(gateway)
    group.fence = replace(fence, embeddings={Kind.ENTITY: EmbeddingSpec("m", 2)})
    group.vectors[Kind.ENTITY, uuid_of("ada"), "vector"] = np.array([1, 0], dtype=np.float32)
    request = pb.WatchRequest(group_id="g", with_embedding=wanted)
    async with aclosing(Watches(gateway.router, LIMITS).watch(request)) as answers:
        assert list((await anext(answers)).entities[0].embedding) == ([1.0, 0.0] if wanted else [])


async def test_moves_leave_no_gap_and_repeat_nothing(gateway: Gateway) -> None:
    """Random writes, deletions, freezes, thaws and moves: the watcher ends with the group's rows, and no
    version came twice."""
    seed = 20
    rng = Random(seed)
    watches = Watches(gateway.router, LIMITS)
    replica = Replica()
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        for step in range(200):
            _, group, fence = state_of(gateway)
            present = [row.name for row in group.rows.values() if isinstance(row, Entity)]
            match rng.randrange(6):
                case 0:
                    move(gateway)
                case 1 if fence.state is FenceState.OPEN:
                    group.fence = replace(fence, state=FenceState.FROZEN, epoch=fence.epoch + 1)
                case 2 if fence.state is FenceState.FROZEN:
                    group.fence = replace(fence, state=FenceState.OPEN, epoch=fence.epoch + 2)
                case 3 if present and fence.state is FenceState.OPEN:
                    write(gateway, deleted=(rng.choice(present),))
                case _ if fence.state is FenceState.OPEN:
                    write(gateway, f"e{rng.randrange(8)}", f"f{step}")
                case _:
                    pass
            if rng.random() < 0.4:
                await caught_up(answers, replica, state_of(gateway)[2].version)
        await caught_up(answers, replica, state_of(gateway)[2].version)
    _, group, _ = state_of(gateway)
    present = {uuid: row.name for (_, uuid), row in group.rows.items() if isinstance(row, Entity)}
    assert replica.names == present, f"seed {seed}"
    assert len(replica.seen) == len(set(replica.seen)), f"seed {seed}"


async def test_what_an_owner_was_asked_before_the_group_left_it_is_not_believed(gateway: Gateway) -> None:
    """The scan began, the group went away, was written and came back: the rows that it found are old."""
    write(gateway, "ada")
    watches = Watches(gateway.router, LIMITS)
    source, _, _ = state_of(gateway)
    driver = gateway.drivers[source]
    replica = Replica()
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        await caught_up(answers, replica, 1)
        changes = driver.changes

        async def torn(*arguments: object) -> object:
            """The rows of before the move with the fence of after it."""
            driver.changes = changes
            old = await changes(*arguments)  # type: ignore[arg-type]
            move(gateway)
            write(gateway, "bob")
            move(gateway)
            assert state_of(gateway)[0] == source
            return replace(old, bound=2, fence=driver.groups["", "g"].fence)

        driver.changes = torn  # type: ignore[method-assign,assignment]
        await caught_up(answers, replica, 2)
    assert set(replica.names.values()) == {"ada", "bob"}


async def test_forgotten_deletions_end_a_watch_that_needs_them(gateway: Gateway) -> None:
    """OUT_OF_RANGE with the floor, instead of rows that live on at the client for ever; from 0 it goes."""
    for name in ("ada", "bob", "cid"):
        write(gateway, name)
    write(gateway, deleted=("bob",))
    _, group, fence = state_of(gateway)
    group.tombstones.clear()
    group.fence = replace(fence, prune_floor=4)
    watches = Watches(gateway.router, replace(LIMITS, rows_max=1))
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g", after_version=3))) as answers:
        with pytest.raises(ChangesPruned) as caught:
            await anext(answers)
    assert caught.value.metadata() == {"group_id": "g", "position": "3", "prune_floor": "4"}
    replica = Replica()
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        await caught_up(answers, replica, 4)
        assert set(replica.names.values()) == {"ada", "cid"}
        # Still in order: a floor at the position hides nothing.
        write(gateway, "dan")
        await caught_up(answers, replica, 5)


async def test_a_first_reading_is_not_whole_when_deletions_are_forgotten_meanwhile(gateway: Gateway) -> None:
    """A row that was sent may have been deleted since, and nothing is left that says so."""
    for name in ("ada", "bob", "cid"):
        write(gateway, name)
    watches = Watches(gateway.router, replace(LIMITS, rows_max=1))
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        assert (await anext(answers)).entities[0].name == "ada"
        version = write(gateway, deleted=("ada",))
        _, group, fence = state_of(gateway)
        group.tombstones.clear()
        group.fence = replace(fence, prune_floor=version)
        with pytest.raises(ChangesPruned):
            await caught_up(answers, Replica(), version)


async def test_a_version_that_was_never_given_is_refused(gateway: Gateway) -> None:
    """A client that has seen more than the shard: an older copy, which must not look like no news."""
    write(gateway, "ada")
    async with aclosing(
        Watches(gateway.router, LIMITS).watch(pb.WatchRequest(group_id="g", after_version=2))
    ) as answers:
        with pytest.raises(VersionAhead) as caught:
            await anext(answers)
    assert caught.value.metadata() == {"group_id": "g", "after_version": "2", "version": "1"}


async def test_bad_requests_name_every_field(gateway: Gateway) -> None:
    """Before anything is asked."""
    watch = Watches(gateway.router, LIMITS).watch(pb.WatchRequest(group_id="a b", after_version=-1))
    with pytest.raises(InvalidRequest) as caught:
        await anext(watch)
    assert [field for field, _ in caught.value.violations] == ["group_id", "after_version"]
    with pytest.raises(GroupNotFound):
        await anext(Watches(gateway.router, LIMITS).watch(pb.WatchRequest(group_id="nobody")))


async def test_watches_are_bounded_and_give_their_places_back(gateway: Gateway) -> None:
    """RESOURCE_EXHAUSTED past the limit; a watch that has ended makes room."""
    watches = Watches(gateway.router, replace(LIMITS, watches_max=2))
    running = [watches.watch(pb.WatchRequest(group_id="g")) for _ in range(2)]
    for watch in running:
        await anext(watch)
    with pytest.raises(TooManyWatches):
        await anext(watches.watch(pb.WatchRequest(group_id="g")))
    await running[0].aclose()
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        await anext(answers)
    await running[1].aclose()
    assert not watches._resting


async def test_a_write_at_this_gateway_wakes_its_watches(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that rests for longer than its least pause looks at once."""
    monkeypatch.setattr(watch_service, "_PAUSE_GROWTH", 1e9)
    watches = Watches(gateway.router, replace(LIMITS, pause_s_max=HOUR_S))
    looks = count_looks(gateway)
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        await anext(answers)
        following = asyncio.create_task(anext(answers))
        await eventually(lambda: len(looks) == 2)
        write(gateway, "ada")
        watches.wake("g")
        async with asyncio.timeout(20):
            assert [row.name for row in (await following).entities] == ["ada"]


async def test_a_busy_group_is_not_looked_at_without_a_pause(gateway: Gateway) -> None:
    """Neither what is written during a look nor what this gateway writes after it cuts the least pause."""
    watches = Watches(gateway.router, replace(LIMITS, pause_s_min=HOUR_S, pause_s_max=HOUR_S))
    looks = count_looks(gateway, on_look=lambda: write(gateway, "ada"))
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        first = await anext(answers)
        assert first.position < first.group_version, "it was written during the look"
        following = asyncio.create_task(anext(answers))
        watches.wake("g")
        await asyncio.wait({following}, timeout=0.2)
        assert len(looks) == 1
        following.cancel()
        await asyncio.wait({following})


async def test_a_look_that_was_cut_is_followed_by_the_next_one_at_once(gateway: Gateway) -> None:
    """Whoever is far behind does not wait between two pages."""
    for name in ("ada", "bob", "cid"):
        write(gateway, name)
    limits = replace(LIMITS, rows_max=1, pause_s_min=HOUR_S, pause_s_max=HOUR_S)
    async with aclosing(Watches(gateway.router, limits).watch(pb.WatchRequest(group_id="g"))) as answers:
        async with asyncio.timeout(20):
            replica = Replica()
            await caught_up(answers, replica, 3)
    assert set(replica.names.values()) == {"ada", "bob", "cid"}


async def test_a_client_that_was_slow_keeps_its_grace(gateway: Gateway) -> None:
    """The time in which it took nothing is not time in which the shard was away."""
    watches = Watches(gateway.router, replace(LIMITS, away_s_max=0.05))
    source, _, _ = state_of(gateway)
    driver = gateway.drivers[source]
    write(gateway, "ada")
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        await anext(answers)
        taken_s = time.monotonic()
        await eventually(lambda: time.monotonic() - taken_s > 0.1)
        write(gateway, "bob")
        changes = driver.changes

        async def away_once(*arguments: object) -> object:
            driver.changes = changes
            raise ShardUnavailable(source, "connection refused")

        driver.changes = away_once  # type: ignore[method-assign,assignment]
        assert [row.name for row in (await anext(answers)).entities] == ["bob"]


async def test_a_shard_that_is_away_for_a_while_ends_no_watch(gateway: Gateway) -> None:
    """The stream goes on when it is back; when it stays away the caller is told."""
    watches = Watches(gateway.router, replace(LIMITS, heartbeat_s=0.01))
    source, _, _ = state_of(gateway)
    driver = gateway.drivers[source]
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        await anext(answers)
        driver.faults["changes"] = ShardUnavailable(source, "connection refused")
        for _ in range(3):
            assert not (await anext(answers)).entities
        write(gateway, "ada")
        driver.faults.clear()
        replica = Replica()
        await caught_up(answers, replica, 1)
        assert list(replica.names.values()) == ["ada"]
    watches = Watches(gateway.router, replace(LIMITS, away_s_max=0.05))
    async with aclosing(watches.watch(pb.WatchRequest(group_id="g"))) as answers:
        await anext(answers)
        driver.faults["changes"] = ShardUnavailable(source, "connection refused")
        with pytest.raises(ShardUnavailable):
            await anext(answers)
