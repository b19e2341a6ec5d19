"""Conversations of which episodes are removed: what they ended is as if they had never been, what others tell
as well stays; and no group touches another."""

import asyncio
from collections.abc import Callable

import pytest

from tests.integration.ingest.conversation import (
    Conversation,
    Episode,
    check,
    knowledge,
    lives,
    remove,
    tell,
    works,
)
from tests.integration.ingest.world import World

BERLIN = lives("berlin", "Berlin", "2018-03-01")
MUNICH = lives("munich", "Munich", "2020-06-01", supersedes=["berlin"])
PARIS = lives("paris", "Paris", "2022-01-01", supersedes=["munich"])
PARIS_AFTER_BOTH = lives("paris", "Paris", "2022-01-01", supersedes=["berlin", "munich"])
CHAIN = [Episode("2018-03-02", [BERLIN]), Episode("2020-06-02", [MUNICH]), Episode("2022-01-02", [PARIS])]
FULL_CHAIN = [*CHAIN[:2], Episode("2022-01-02", [PARIS_AFTER_BOTH])]
ACME = works("acme", "Acme", "2015-01-01")
BOLT = works("bolt", "Bolt", "2020-06-01", supersedes=["acme"])
LEFT = works("acme, left", "Acme", "2015-01-01", "2018-12-31", repeats=["acme"])

CHAINS = [
    Conversation(
        "of a chain, the first",
        FULL_CHAIN,
        {"munich": ("2020-06-01", "2022-01-01"), "paris": ("2022-01-01", None)},
        {"2019-01-01": set(), "2021-01-01": {"munich"}},
        removed_in_order=[0],
    ),
    Conversation(
        "of a chain whose last one contradicts only the one before, the middle one",
        CHAIN,
        {"berlin": ("2018-03-01", None), "paris": ("2022-01-01", None)},
        {"2021-01-01": {"berlin"}, "2023-01-01": {"berlin", "paris"}},
        removed_in_order=[1],
    ),
    Conversation(
        "of a chain, the last",
        FULL_CHAIN,
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)},
        {"2023-01-01": {"munich"}},
        removed_in_order=[2],
    ),
    Conversation(
        "of a chain, the middle one and the last",
        FULL_CHAIN,
        {"berlin": ("2018-03-01", None)},
        {"2023-01-01": {"berlin"}},
        removed_in_order=[1, 2],
    ),
    Conversation(
        "of a chain, the last and the middle one",
        FULL_CHAIN,
        {"berlin": ("2018-03-01", None)},
        {"2023-01-01": {"berlin"}},
        removed_in_order=[2, 1],
    ),
    Conversation(
        "the later one that had kept a late one ended",
        [Episode("2020-06-02", [lives("munich", "Munich", "2020-06-01")]),
         Episode("2021-01-01", [lives("berlin", "Berlin", "2018-03-01", supersedes=["munich"])])],
        {"berlin": ("2018-03-01", None)},
        removed_in_order=[0],
    ),
    Conversation(
        "the nearer of two that had ended a late one",
        [Episode("2020-06-02", [lives("munich", "Munich", "2020-06-01")]),
         Episode("2022-01-02", [PARIS]),
         Episode("2022-02-01", [lives("berlin", "Berlin", "2018-03-01", supersedes=["munich", "paris"])])],
        {"berlin": ("2018-03-01", "2022-01-01"), "paris": ("2022-01-01", None)},
        removed_in_order=[0],
    ),
    Conversation(
        "the one that had made it so again",
        [*CHAIN[:2], Episode("2021-03-02", [lives("back", "Berlin", "2021-03-01", repeats=["berlin"],
                                                  supersedes=["munich"])])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)},
        removed_in_order=[2],
    ),
    Conversation(
        "a plan that is given up",
        [CHAIN[0], Episode("2024-01-01", [lives("rome", "Rome", "2090-01-01", supersedes=["berlin"])])],
        {"berlin": ("2018-03-01", None)},
        {"2091-01-01": {"berlin"}},
        removed_in_order=[1],
    ),
    Conversation(
        "an answer about the same day",
        [Episode("2020-01-01", [lives("oslo", "Oslo", "2019-01-01")]),
         Episode("2020-02-01", [lives("bergen", "Bergen", "2019-01-01", supersedes=["oslo"])])],
        {"oslo": ("2019-01-01", None)},
        removed_in_order=[1],
    ),
    Conversation(
        "the middle one of three without dates",
        [Episode("2019-01-01", [lives("oslo", "Oslo")]),
         Episode("2020-01-01", [lives("bergen", "Bergen", supersedes=["oslo"])]),
         Episode("2021-01-01", [lives("voss", "Voss", supersedes=["oslo", "bergen"])])],
        {"oslo": (None, "2021-01-01"), "voss": (None, None)},
        removed_in_order=[1],
    ),
]  # fmt: skip

SUPPORTED = [
    Conversation(
        "the first to tell what another tells too",
        [*CHAIN[:2],
         Episode("2021-01-01", [lives("still munich", "Munich", "2020-06-01", repeats=["munich"])])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)},
        {"2021-01-01": {"munich"}},
        removed_in_order=[1],
    ),
    Conversation(
        "both who told it",
        [*CHAIN[:2],
         Episode("2021-01-01", [lives("still munich", "Munich", "2020-06-01", repeats=["munich"])])],
        {"berlin": ("2018-03-01", None)},
        {"2021-01-01": {"berlin"}},
        removed_in_order=[1, 2],
    ),
    Conversation(
        "the first to tell, without a date, what another tells later",
        [Episode("2019-01-01", [lives("oslo", "Oslo")]),
         Episode("2020-01-01", [lives("bergen", "Bergen", supersedes=["oslo"])]),
         Episode("2022-01-01", [lives("still bergen", "Bergen", repeats=["bergen"])])],
        {"oslo": (None, "2022-01-01"), "bergen": (None, None)},
        removed_in_order=[1],
    ),
    Conversation(
        "the first to tell, without a date, what another contradicts later",
        [Episode("2020-01-01", [lives("bergen", "Bergen")]),
         Episode("2019-01-01", [lives("oslo", "Oslo")]),
         Episode("2022-01-01", [lives("still bergen", "Bergen", repeats=["bergen"], supersedes=["oslo"])])],
        {"oslo": (None, "2022-01-01"), "bergen": (None, None)},
        removed_in_order=[0],
    ),
    Conversation(
        "the first of two who told a start each",
        [*CHAIN[:2],
         Episode("2021-01-01", [lives("munich 2019", "Munich", "2019-06-01", repeats=["munich"])])],
        {"berlin": ("2018-03-01", "2019-06-01"), "munich": ("2019-06-01", None)},
        {"2019-05-31": {"berlin"}, "2019-06-01": {"munich"}},
        removed_in_order=[1],
    ),
    Conversation(
        "one who told two things of one day, of which another tells one",
        [CHAIN[0], Episode("2018-03-03", [ACME]), Episode("2020-06-02", [MUNICH, BOLT]),
         Episode("2020-06-03", [works("bolt too", "Bolt", "2020-06-01", repeats=["bolt"])])],
        {"berlin": ("2018-03-01", None), "acme": ("2015-01-01", "2020-06-01"), "bolt": ("2020-06-01", None)},
        {"2021-01-01": {"berlin", "bolt"}},
        removed_in_order=[2],
    ),
    Conversation(
        "the only one who told an end",
        [Episode("2016-01-01", [ACME]), Episode("2019-01-01", [LEFT])],
        {"acme": ("2015-01-01", None)},
        {"2020-01-01": {"acme"}},
        removed_in_order=[1],
    ),
    Conversation(
        "one of two who told an end",
        [Episode("2016-01-01", [ACME]), Episode("2019-01-01", [LEFT]),
         Episode("2019-02-01", [works("acme, over", "Acme", "2015-01-01", "2018-12-31", repeats=["acme"])])],
        {"acme": ("2015-01-01", "2018-12-31")},
        {"2018-12-30": {"acme"}, "2018-12-31": set()},
        removed_in_order=[1],
    ),
    Conversation(
        "one who told an end that another contradiction makes earlier",
        [Episode("2016-01-01", [ACME]), Episode("2019-01-01", [LEFT]),
         Episode("2019-02-01", [works("bolt", "Bolt", "2018-01-01", supersedes=["acme"])])],
        {"acme": ("2015-01-01", "2018-12-31")},
        removed_in_order=[2],
    ),
]  # fmt: skip


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "as one unit"])
@pytest.mark.parametrize("conversation", [*CHAINS, *SUPPORTED], ids=str)
async def test_what_is_left(world: World, group: str, conversation: Conversation, together: bool) -> None:
    """The same, whether the episodes have come one after the other or waited together."""
    statuses = await tell(world, group, conversation, together=together)
    await remove(world, group, conversation, statuses)
    await check(world, group, conversation)


async def test_groups_contradict_and_lose_nothing_of_each_other(
    world: World, new_group: Callable[[], str]
) -> None:
    """Two that tell of the same people at the same time; episodes are removed in one of them."""
    kept = Conversation(
        "kept",
        FULL_CHAIN,
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", "2022-01-01"),
         "paris": ("2022-01-01", None)},
    )  # fmt: skip
    cut = Conversation("cut", FULL_CHAIN, {"berlin": ("2018-03-01", None)}, removed_in_order=[1, 2])
    one, other = new_group(), new_group()
    _, statuses = await asyncio.gather(
        tell(world, one, kept, together=True), tell(world, other, cut, together=False)
    )
    await remove(world, other, cut, statuses)
    await check(world, one, kept)
    await check(world, other, cut)


async def test_a_removed_episode_can_be_told_again(world: World, group: str) -> None:
    """It ends again what it had ended."""
    first = Conversation("first", CHAIN[:2], {"berlin": ("2018-03-01", None)}, removed_in_order=[1])
    statuses = await tell(world, group, first, together=False)
    await remove(world, group, first, statuses)
    await check(world, group, first)
    again = Conversation(
        "again", [], {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)}
    )
    content = f"Again, {group}."
    world.server.knowledge.learn(content, knowledge(group, CHAIN[1]))
    await world.tell(group, content, "2020-06-02T00:00:00")
    await check(world, group, again)
