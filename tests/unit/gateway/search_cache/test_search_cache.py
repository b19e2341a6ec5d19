"""When a kept answer may be given: over the real router and shards that are models."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from drivers.fence import Fence, KindStats
from drivers.graph_model import Fact, Kind
from gateway.search_cache.answer import Answer, CacheUse, Source
from gateway.search_cache.group_pattern import GroupPattern
from gateway.search_cache.question import Question
from gateway.search_cache.search_cache import SearchCache, SearchCacheSettings
from gateway.search_cache.validity import FACTS_MAX
from graphgate.v1 import search_service_pb2 as pb
from shard_router.placement import Placement
from tests.contract.rows import fact
from tests.eventually import eventually
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly
from tests.unit.shard_router.manual_clock import ManualClock
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.router_gateway import Gateway

NOW_US = 1_000_000


class World:
    """A fleet with groups, a cache, and a search that tells the groups' versions."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.clock = ManualClock()
        self.cache = self.cache_of(1_000_000)
        self.placed: dict[str, Placement] = {}
        self.searches = 0
        self.hold: asyncio.Event | None = None
        """The search waits for it after it has begun."""
        self.is_whole = True
        self.before_versions: Callable[[], None] = lambda: None
        """Done after the first rows of a search were read, before the version that it tells is."""

    def cache_of(self, bytes_max: int) -> SearchCache:
        return SearchCache(self.gateway.router, SearchCacheSettings(bytes_max, ttl_s=300), self.clock)

    async def make(self, group_id: str, *facts: Fact) -> None:
        self.placed[group_id] = await self.gateway.router.place(group_id, soon())
        self.write(group_id, *facts)

    def fence(self, group_id: str) -> Fence:
        fence = self._state(group_id).fence
        assert fence is not None
        return fence

    def put(self, group_id: str, fence: Fence) -> None:
        self._state(group_id).fence = fence

    def write(self, group_id: str, *facts: Fact) -> None:
        state, fence = self._state(group_id), self.fence(group_id)
        state.rows.update({(Kind.FACT, row.uuid): row for row in facts})
        stats = dict.fromkeys(Kind, KindStats()) | {Kind.FACT: KindStats(len(state.rows))}
        self.put(
            group_id,
            replace(fence, version=fence.version + 1, last_created_at=fence.version + 1, stats=stats),
        )

    def _state(self, group_id: str):
        return self.gateway.drivers[self.placed[group_id].shard_id].groups["", group_id]

    async def search(self, group_ids: tuple[str, ...]) -> Answer:
        self.searches += 1
        text = f"search {self.searches}"
        if self.hold is not None:
            await self.hold.wait()
        self.before_versions()
        versions = {
            group_id: self.fence(group_id).version for group_id in group_ids if group_id in self.placed
        }
        return Answer(pb.SearchResponse(unknown_groups=[text]), versions, is_whole=self.is_whole)

    async def ask(
        self,
        *group_ids: str,
        use: CacheUse = CacheUse.AUTOMATIC,
        now_us: int | None = NOW_US,
        deadline: Deadline | None = None,
        cache: SearchCache | None = None,
        can_be_shared: bool = True,
    ) -> tuple[str, Source]:
        """Which search the answer is of, and what it says of itself."""
        question = Question("+".join(group_ids).encode(), group_ids, now_us, can_be_shared)
        answer = await (cache or self.cache).answer(
            question, use, lambda _: self.search(group_ids), deadline or soon()
        )
        (text,) = answer.message.unknown_groups
        answer.message.ClearField("unknown_groups")
        return text, Source(answer.message.cache.reason)


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    drivers, catalog = founded("a", "b", "c"), MemoryCatalog()
    async with running(unevenly(drivers), catalog) as fleet:
        gateway = Gateway(drivers, fleet, catalog)
        made = World(gateway)
        for group_id in ("g", "h", "i", "j"):
            await made.make(group_id)
        assert len({placement.shard_id for placement in made.placed.values()}) > 1
        yield made
        await made.cache.close()
        await gateway.router.close()


async def test_an_answer_is_given_again_while_nothing_changes(world: World) -> None:
    """One search for any number of calls; each caller's message is its own."""
    assert await world.ask("g", "h") == ("search 1", Source.NOT_KEPT)
    world.clock.advance(299)
    for _ in range(3):
        assert await world.ask("g", "h") == ("search 1", Source.KEPT)
    world.clock.advance(1)
    assert await world.ask("g", "h") == ("search 2", Source.EXPIRED)
    assert {source: n for source, n in world.cache.counts.items() if n} == {
        Source.NOT_KEPT: 1,
        Source.KEPT: 3,
        Source.EXPIRED: 1,
    }


@pytest.mark.parametrize("changed", ["version", "epoch", "created_at", "last_created_at"])
async def test_a_change_of_any_group_is_seen(world: World, changed: str) -> None:
    """A write, a move, a group made anew, a group put back to an older copy and written again to the same
    version: each is told by its fence."""
    await world.ask("g", "h")
    fence = world.fence("h")
    world.put("h", replace(fence, **{changed: getattr(fence, changed) + 1}))
    assert (await world.ask("g", "h"))[1] is Source.GROUP_CHANGED
    assert (await world.ask("g", "h"))[1] is Source.KEPT


async def test_a_group_that_has_moved_is_read_where_it_is(world: World) -> None:
    """While the placement that this gateway knows is old, nothing is given and nothing is kept."""
    await world.ask("g")
    old = world.placed["g"].shard_id
    world.gateway.move("g", old, world.gateway.elsewhere(old))
    assert (await world.ask("g"))[1] is Source.UNCONFIRMED


async def test_a_write_between_the_reads_of_a_search_is_not_hidden(world: World) -> None:
    """A search that reads rows, then is overtaken by a write, then reads the version: that is the version of
    rows that it does not have, and keeping its answer under it would hide the write for good."""
    world.before_versions = lambda: world.write("g")
    await world.ask("g")
    world.before_versions = lambda: None
    assert await world.ask("g") == ("search 2", Source.NOT_KEPT)
    assert await world.ask("g") == ("search 2", Source.KEPT)


async def test_an_unknown_group_is_unknown_until_it_is_made(world: World) -> None:
    """An answer that says that a group does not exist is given until it exists."""
    assert (await world.ask("g", "new"))[1] is Source.NOT_KEPT
    assert (await world.ask("g", "new"))[1] is Source.KEPT
    await world.make("new")
    assert (await world.ask("g", "new"))[1] is Source.GROUP_CHANGED


async def test_an_answer_lasts_until_another_fact_holds(world: World) -> None:
    """Where the time of the search is now: up to the microsecond at which a fact begins or ends."""
    ends, begins = NOW_US + 5, NOW_US + 9
    world.write("g", fact("x", "y", invalid_at=ends), fact("x", "y", valid_at=begins))
    await world.ask("g")
    assert (await world.ask("g", now_us=ends - 1))[1] is Source.KEPT
    assert await world.ask("g", now_us=ends) == ("search 2", Source.EXPIRED)
    assert (await world.ask("g", now_us=begins - 1))[1] is Source.KEPT
    assert (await world.ask("g", now_us=begins))[1] is Source.EXPIRED
    assert (await world.ask("g", now_us=begins + 10**12))[1] is Source.KEPT
    # A clock that was put back.
    assert (await world.ask("g", now_us=NOW_US))[1] is Source.EXPIRED


async def test_a_search_that_names_its_time_does_not_look_for_changes(world: World) -> None:
    """Its answer stays, whichever facts begin or end."""
    world.write("g", fact("x", "y", invalid_at=NOW_US + 5))
    await world.ask("g", now_us=None)
    assert (await world.ask("g", now_us=None))[1] is Source.KEPT
    assert _calls(world, "next_validity_change") == 0


async def test_changes_of_validity_are_looked_for_once_for_each_version(world: World) -> None:
    """Different searches of a group that is not written share what was found; a group without facts is not
    looked at."""
    world.write("g", fact("x", "y"))
    for group_ids in (("g",), ("g", "h"), ("h",)):
        await world.ask(*group_ids)
    assert _calls(world, "next_validity_change") == 1
    world.write("g")
    await world.ask("g")
    assert _calls(world, "next_validity_change") == 2


async def test_too_many_facts_are_not_looked_through(world: World) -> None:
    """The pass over the facts is bounded; then an answer that depends on it is not kept."""
    fence = world.fence("g")
    world.put("g", replace(fence, stats={Kind.FACT: KindStats(FACTS_MAX + 1)}))
    for _ in range(2):
        assert (await world.ask("g"))[1] is Source.NOT_KEPT
    assert _calls(world, "next_validity_change") == 0


async def test_a_shard_that_is_away_is_the_searches_to_tell(world: World) -> None:
    """Then the search is done as if there were no cache, and its answer is not kept; once the shard is back,
    what was kept before counts again."""
    await world.ask("g")
    driver = world.gateway.drivers[world.placed["g"].shard_id]
    driver.faults["read_fences"] = ShardUnavailable(driver.shard_id, "down")
    assert await world.ask("g") == ("search 2", Source.UNCONFIRMED)
    driver.faults.clear()
    assert await world.ask("g") == ("search 1", Source.KEPT)


async def test_a_shard_that_hangs_costs_a_part_of_the_callers_time(world: World) -> None:
    """The search still has the rest of it."""
    driver = world.gateway.drivers[world.placed["g"].shard_id]
    driver.held["read_fences"] = asyncio.Event()
    deadline = Deadline.after(0.4)
    assert await world.ask("g", deadline=deadline) == ("search 1", Source.UNCONFIRMED)
    assert deadline.remaining_s() > 0.1
    driver.held.clear()


async def test_changes_of_validity_that_come_late_cost_the_keeping_alone(world: World) -> None:
    """The answer of a search that is done does not wait for them. The look goes on, once for all searches of
    this version, and the next answer is kept by what it found."""
    world.write("g", fact("x", "y"))
    driver = world.gateway.drivers[world.placed["g"].shard_id]
    held = driver.held["next_validity_change"] = asyncio.Event()
    for number in (1, 2):
        assert await world.ask("g") == (f"search {number}", Source.NOT_KEPT)
    driver.held.clear()
    held.set()
    await eventually(lambda: not world.cache._late_looks)
    assert await world.ask("g") == ("search 3", Source.NOT_KEPT)
    assert await world.ask("g") == ("search 3", Source.KEPT)
    assert _calls(world, "next_validity_change") == 1


async def test_what_lacks_a_part_is_not_kept(world: World) -> None:
    """A partial answer, or one whose reranker did not answer, is not what the next search would find."""
    world.is_whole = False
    for _ in range(2):
        assert (await world.ask("g"))[1] is Source.NOT_KEPT
    assert len(world.cache.kept) == 0


async def test_refresh_and_bypass(world: World) -> None:
    """A refresh replaces what is kept, a bypass neither reads nor writes it."""
    await world.ask("g")
    assert await world.ask("g", use=CacheUse.REFRESH) == ("search 2", Source.REFRESH)
    assert await world.ask("g", use=CacheUse.BYPASS) == ("search 3", Source.REQUESTED)
    assert await world.ask("g") == ("search 2", Source.KEPT)


async def test_what_cannot_be_kept_says_why(world: World) -> None:
    """All groups, explanations, and a gateway that keeps nothing; no shard is asked for a fence then."""
    before = _calls(world, "read_fences")
    assert (await world.ask("g", cache=world.cache_of(0)))[1] is Source.DISABLED
    for question, source in (
        (Question(b"all", None, None, can_be_shared=True), Source.ALL_GROUPS),
        (Question(b"explained", ("g",), None, can_be_shared=True, explain=True), Source.EXPLAIN),
    ):
        for _ in range(2):
            answer = await world.cache.answer(
                question, CacheUse.AUTOMATIC, lambda _: world.search(("g",)), soon()
            )
            assert (answer.message.cache.reason, answer.message.cache.kept) == (source, False)
    assert _calls(world, "read_fences") == before


async def test_an_answer_that_is_larger_than_the_room_is_not_kept(world: World) -> None:
    """It is given, and says that it is not kept."""
    small = world.cache_of(100)
    for _ in range(2):
        assert (await world.ask("g", cache=small))[1] is Source.NOT_KEPT
    assert small.kept.bytes == 0


async def test_equal_calls_at_the_same_time_are_one_search(world: World) -> None:
    """A stampede costs one search, each caller waits within its own deadline, and one that leaves takes
    nobody with it."""
    world.hold = asyncio.Event()
    calls = [asyncio.create_task(world.ask("g")) for _ in range(10)]
    hurried = asyncio.create_task(world.ask("g", deadline=Deadline.after(0.3)))
    await eventually(lambda: _callers(world) == 11)
    calls[0].cancel()
    assert "DeadlinePassed" in repr((await asyncio.gather(hurried, return_exceptions=True))[0])
    world.hold.set()
    answers = await asyncio.gather(*calls[1:])
    assert {text for text, _ in answers} == {"search 1"}
    assert world.searches == 1
    assert await world.ask("g") == ("search 1", Source.KEPT)


async def test_a_search_that_began_before_a_write_is_not_shared_after_it(world: World) -> None:
    """The second caller's write was acknowledged before it asks: a search that may have read before that must
    not answer it."""
    world.hold = asyncio.Event()
    early = asyncio.create_task(world.ask("g"))
    await eventually(lambda: _callers(world) == 1)
    world.write("g")
    late = asyncio.create_task(world.ask("g"))
    await eventually(lambda: world.searches == 2)
    world.hold.set()
    assert [text for text, _ in await asyncio.gather(early, late)] == ["search 1", "search 2"]
    assert await world.ask("g") == ("search 2", Source.KEPT)


async def test_a_search_is_not_shared_past_a_change_of_validity(world: World) -> None:
    """Nor by a caller whose present is past the end of a fact that held when the search began."""
    world.write("g", fact("x", "y", invalid_at=NOW_US + 5))
    world.hold = asyncio.Event()
    calls = [asyncio.create_task(world.ask("g", now_us=NOW_US + late_us)) for late_us in (0, 4, 5)]
    await eventually(lambda: _callers(world) == 3)
    world.hold.set()
    assert [text for text, _ in await asyncio.gather(*calls)] == ["search 1", "search 1", "search 2"]


async def test_a_search_that_depends_on_its_callers_time_is_done_for_each(world: World) -> None:
    """A partial answer is cut by the deadline of its caller."""
    world.hold = asyncio.Event()
    calls = [asyncio.create_task(world.ask("g", can_be_shared=False)) for _ in range(2)]
    await eventually(lambda: world.searches == 2)
    world.hold.set()
    assert {text for text, _ in await asyncio.gather(*calls)} == {"search 1", "search 2"}


async def test_answers_are_dropped_by_group_by_pattern_and_all(world: World) -> None:
    """Whatever groups they have beside; unknown groups count too."""
    scopes = (("g",), ("h", "i"), ("i", "unknown"), ("j",))
    for dropped, left in (
        (["i"], {"g", "j"}),
        (["unknown", "nowhere"], {"g", "h", "j"}),
        (GroupPattern("?"), set[str]()),
        (GroupPattern("un*n"), {"g", "h", "j"}),
        (GroupPattern("z*"), {"g", "h", "i", "j"}),
        (None, set[str]()),
    ):
        for scope in scopes:
            await world.ask(*scope)
        assert await world.cache.drop(dropped) == len(scopes) - len(left)
        kept = {scope[0] for scope in scopes if (await world.ask(*scope))[1] is Source.KEPT}
        assert kept == left


async def test_a_search_under_way_is_not_kept_after_a_drop(world: World) -> None:
    """What was dropped does not come back by a search that began before."""
    world.hold = asyncio.Event()
    call = asyncio.create_task(world.ask("g"))
    await eventually(lambda: _callers(world) == 1)
    await world.cache.drop(["g"])
    world.hold.set()
    await call
    assert len(world.cache.kept) == 0


def _calls(world: World, name: str) -> int:
    return sum(driver.calls[name] for driver in world.gateway.drivers.values())


def _callers(world: World) -> int:
    return sum(search.callers for search in world.cache._shared._running.values())
