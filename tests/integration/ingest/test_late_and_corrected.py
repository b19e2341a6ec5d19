"""Conversations in which old news comes late, dates and statements are corrected, and times are unknown,
unusual or wrong."""

from itertools import permutations

import pytest

from tests.integration.ingest.conversation import (
    Conversation,
    Episode,
    Says,
    check,
    lives,
    remove,
    tell,
    works,
)
from tests.integration.ingest.world import World

BERLIN = Episode("2018-03-02", [lives("berlin", "Berlin", "2018-03-01", supersedes=["munich", "paris"])])
MUNICH = Episode("2020-06-02", [lives("munich", "Munich", "2020-06-01", supersedes=["berlin", "paris"])])
PARIS = Episode("2022-01-02", [lives("paris", "Paris", "2022-01-01", supersedes=["berlin", "munich"])])
SEPTEMBER = Episode("2020-10-01", [lives("september", "Munich", "2020-09-01", corrects=["munich"])])
APRIL = Episode("2020-11-01", [lives("april", "Munich", "2020-04-01", corrects=["munich", "september"])])

LATE = [
    *(
        Conversation(
            f"three homes, told {' '.join(one.says[0].key for one in order)}",
            order,
            {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", "2022-01-01"),
             "paris": ("2022-01-01", None)},
            {"2018-02-28": set(), "2020-05-31": {"berlin"}, "2021-12-31": {"munich"},
             "2030-01-01": {"paris"}},
        )
        for order in permutations([BERLIN, MUNICH, PARIS])
    ),
    Conversation(
        "a stay that was over before",
        [BERLIN, Episode("2020-01-01", [lives("rome", "Rome", "2010", "2012", supersedes=["berlin"])])],
        {"berlin": ("2018-03-01", None), "rome": ("2010-01-01", "2012-01-01")},
        {"2011-01-01": {"rome"}, "2015-01-01": set(), "2019-01-01": {"berlin"}},
    ),
    Conversation(
        "a stay that was told too long",
        [BERLIN, Episode("2020-01-01", [lives("rome", "Rome", "2015", "2019", supersedes=["berlin"])])],
        {"berlin": ("2018-03-01", None), "rome": ("2015-01-01", "2018-03-01")},
        {"2018-06-01": {"berlin"}},
    ),
    Conversation(
        "over when it was told, since nobody knows when",
        [BERLIN, Episode("2020-01-01", [lives("rome", "Rome", None, "2012", supersedes=["berlin"])])],
        {"berlin": ("2018-03-01", None), "rome": (None, "2012-01-01")},
        {"2000-01-01": {"rome"}, "2013-01-01": set(), "2021-01-01": {"berlin"}},
    ),
    Conversation(
        "an old letter without dates",
        [Episode("2021-01-01", [lives("bergen", "Bergen")]),
         Episode("2019-01-01", [lives("oslo", "Oslo", supersedes=["bergen"])])],
        {"bergen": (None, None), "oslo": (None, "2021-01-01")},
        {"2022-01-01": {"bergen"}},
    ),
    Conversation(
        "old news contradicts one of two",
        [BERLIN, MUNICH, Episode("2021-01-01", [lives("rome", "Rome", "2015", supersedes=["munich"])])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None),
         "rome": ("2015-01-01", "2020-06-01")},
        {"2019-01-01": {"berlin", "rome"}, "2021-01-01": {"munich"}},
    ),
    Conversation(
        "an old statement of the same comes late",
        [BERLIN, MUNICH,
         Episode("2019-01-01", [lives("still berlin", "Berlin", "2019-01-01", repeats=["berlin"])])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)},
        {"2019-06-01": {"berlin"}, "2021-01-01": {"munich"}},
    ),
    Conversation(
        "an earlier start comes late and ends the one before earlier",
        [BERLIN, MUNICH,
         Episode("2021-01-01", [lives("munich 2019", "Munich", "2019-06-01", repeats=["munich"],
                                      supersedes=["berlin"])])],
        {"berlin": ("2018-03-01", "2019-06-01"), "munich": ("2019-06-01", None)},
        {"2019-05-31": {"berlin"}, "2019-06-01": {"munich"}},
    ),
]  # fmt: skip

CORRECTED = [
    Conversation(
        "later than was told",
        [BERLIN, MUNICH, SEPTEMBER],
        {"berlin": ("2018-03-01", "2020-09-01"), "munich": ("2020-06-01", "2020-06-01"),
         "september": ("2020-09-01", None)},
        {"2020-07-01": {"berlin"}, "2020-09-01": {"september"}},
    ),
    Conversation(
        "earlier than was told",
        [BERLIN, MUNICH, APRIL],
        {"berlin": ("2018-03-01", "2020-04-01"), "munich": ("2020-06-01", "2020-06-01"),
         "april": ("2020-04-01", None)},
        {"2020-03-31": {"berlin"}, "2020-05-01": {"april"}},
    ),
    Conversation(
        "corrected twice",
        [BERLIN, MUNICH, SEPTEMBER, APRIL],
        {"berlin": ("2018-03-01", "2020-04-01"), "munich": ("2020-06-01", "2020-06-01"),
         "september": ("2020-09-01", "2020-09-01"), "april": ("2020-04-01", None)},
        {"2020-03-31": {"berlin"}, "2020-12-01": {"april"}},
    ),
    Conversation(
        "the corrected date is taken back",
        [BERLIN, MUNICH, Episode("2020-10-01", SEPTEMBER.says, removed=True)],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)},
        {"2020-05-31": {"berlin"}, "2020-07-01": {"munich"}},
    ),
    Conversation(
        "the wrong date is removed after its correction",
        [BERLIN, Episode("2020-06-02", MUNICH.says, removed=True), SEPTEMBER],
        {"berlin": ("2018-03-01", "2020-09-01"), "september": ("2020-09-01", None)},
        {"2020-07-01": {"berlin"}},
    ),
    Conversation(
        "the wrong date and its correction are removed",
        [BERLIN, Episode("2020-06-02", MUNICH.says, removed=True),
         Episode("2020-10-01", SEPTEMBER.says, removed=True)],
        {"berlin": ("2018-03-01", None)},
        {"2023-01-01": {"berlin"}},
    ),
    Conversation(
        "a mistake without dates",
        [Episode("2019-01-01", [lives("rome", "Rome")]),
         Episode("2020-01-01", [lives("milan", "Milan", corrects=["rome"])])],
        {"rome": (None, "0001-01-01"), "milan": (None, None)},
        {"0001-01-01": {"milan"}, "2019-06-01": {"milan"}, "2021-01-01": {"milan"}},
    ),
    Conversation(
        "a mistake without dates, taken back",
        [Episode("2019-01-01", [lives("rome", "Rome")]),
         Episode("2020-01-01", [lives("milan", "Milan", corrects=["rome"])], removed=True)],
        {"rome": (None, None)},
        {"2019-06-01": {"rome"}},
    ),
    Conversation(
        "an end is told, then an earlier one",
        [Episode("2019-01-01", [works("acme", "Acme", "2015-01-01", "2018-12-31")]),
         Episode("2019-02-01", [works("acme, left", "Acme", "2015-01-01", "2017-06-30", repeats=["acme"])])],
        {"acme": ("2015-01-01", "2017-06-30")},
        {"2017-06-29": {"acme"}, "2018-01-01": set()},
    ),
    Conversation(
        "a corrected fact contradicts nothing any more",
        [Episode("2020-01-01", [lives("rome", "Rome", "2019-05-01")]),
         Episode("2020-01-02", [lives("milan", "Milan", "2019-05-01", corrects=["rome"])]),
         Episode("2020-01-03", [lives("turin", "Turin", "2018-01-01", supersedes=["rome"])])],
        {"rome": ("2019-05-01", "2019-05-01"), "milan": ("2019-05-01", None), "turin": ("2018-01-01", None)},
        {"2018-06-01": {"turin"}, "2020-01-01": {"milan", "turin"}},
    ),
]  # fmt: skip

GYM = [
    works("member", "Gym", "2019-01-01"),
    works("cancelled", "Gym", "2019-06-01", supersedes=["member"]),
    works("member 2", "Gym", "2020-01-01", repeats=["member"], supersedes=["cancelled"]),
    works("cancelled 2", "Gym", "2020-07-01", repeats=["cancelled"], supersedes=["member", "member 2"]),
]
CHRISTMAS = [
    Episode(f"{year}-12-27", [Says("home", "Ada", "VISITED", "Bonn", f"{year}-12-24", f"{year}-12-27")])
    for year in (2019, 2020, 2021)
]

AGAIN = [
    Conversation(
        "the same words every year",
        CHRISTMAS,
        {"home": [(f"{year}-12-24", f"{year}-12-27") for year in (2019, 2020, 2021)]},
        {"2020-12-25": {"home"}, "2020-12-27": set(), "2021-06-01": set()},
    ),
    Conversation(
        "the same words every year, the last one first",
        [CHRISTMAS[2], CHRISTMAS[0], CHRISTMAS[1]],
        {"home": [(f"{year}-12-24", f"{year}-12-27") for year in (2019, 2020, 2021)]},
        {"2019-12-24": {"home"}, "2020-06-01": set()},
    ),
    Conversation(
        "on and off and on and off",
        [Episode(str(one.begins), [one]) for one in GYM],
        {"member": ("2019-01-01", "2019-06-01"), "cancelled": ("2019-06-01", "2020-01-01"),
         "member 2": ("2020-01-01", "2020-07-01"), "cancelled 2": ("2020-07-01", None)},
        {"2019-03-01": {"member"}, "2019-09-01": {"cancelled"}, "2020-03-01": {"member 2"},
         "2021-01-01": {"cancelled 2"}},
    ),
    Conversation(
        "so again, in the same words and without a date",
        [Episode("2018-03-02", [lives("berlin", "Berlin")]),
         Episode("2020-06-02", [lives("munich", "Munich", "2020-06-01", supersedes=["berlin"])]),
         Episode("2021-03-02", [lives("berlin", "Berlin")])],
        {"berlin": [(None, "2020-06-01"), ("2021-03-02", None)], "munich": ("2020-06-01", None)},
        {"2020-12-01": {"munich"}, "2021-03-01": {"munich"}},
    ),
]  # fmt: skip

TIMES = [
    Conversation(
        "two answers about one day",
        [Episode("2020-01-01", [lives("oslo", "Oslo", "2019-01-01")]),
         Episode("2020-02-01", [lives("bergen", "Bergen", "2019-01-01", supersedes=["oslo"])])],
        {"oslo": ("2019-01-01", "2019-01-01"), "bergen": ("2019-01-01", None)},
        {"2019-01-01": {"bergen"}},
    ),
    Conversation(
        "two answers about one day, the older one comes late",
        [Episode("2020-02-01", [lives("bergen", "Bergen", "2019-01-01")]),
         Episode("2020-01-01", [lives("oslo", "Oslo", "2019-01-01", supersedes=["bergen"])])],
        {"oslo": ("2019-01-01", "2019-01-01"), "bergen": ("2019-01-01", None)},
        {"2019-01-01": {"bergen"}},
    ),
    Conversation(
        "three answers about one day at one time",
        [Episode("2020-01-01", [lives("oslo", "Oslo", "2019-01-01")]),
         Episode("2020-01-01", [lives("bergen", "Bergen", "2019-01-01", supersedes=["oslo"])]),
         Episode("2020-01-01", [lives("voss", "Voss", "2019-01-01", supersedes=["oslo", "bergen"])])],
        {"oslo": ("2019-01-01", "2019-01-01"), "bergen": ("2019-01-01", "2019-01-01"),
         "voss": ("2019-01-01", None)},
        {"2020-01-01": {"voss"}},
    ),
    Conversation(
        "no dates, told at one time",
        [Episode("2020-01-01", [lives("oslo", "Oslo")]),
         Episode("2020-01-01", [lives("bergen", "Bergen", supersedes=["oslo"])])],
        {"oslo": (None, "2020-01-01"), "bergen": (None, None)},
        {"2020-01-01": {"bergen"}},
    ),
    Conversation(
        "since before it is known since when",
        [Episode("2020-01-01", [lives("oslo", "Oslo")]),
         Episode("2021-01-01", [lives("bergen", "Bergen", "2015-01-01", supersedes=["oslo"])])],
        {"oslo": (None, None), "bergen": ("2015-01-01", "2020-01-01")},
        {"2021-01-01": {"oslo"}},
    ),
    Conversation(
        "three without dates",
        [Episode("2019-01-01", [lives("oslo", "Oslo")]),
         Episode("2020-01-01", [lives("bergen", "Bergen", supersedes=["oslo"])]),
         Episode("2021-01-01", [lives("voss", "Voss", supersedes=["oslo", "bergen"])])],
        {"oslo": (None, "2020-01-01"), "bergen": (None, "2021-01-01"), "voss": (None, None)},
        {"2022-01-01": {"voss"}},
    ),
    Conversation(
        "a date for what had none",
        [Episode("2020-01-01", [lives("oslo", "Oslo")]),
         Episode("2021-01-01", [lives("oslo since", "Oslo", "2017-05-01", repeats=["oslo"])])],
        {"oslo": ("2017-05-01", None)},
        {"2017-04-30": set(), "2017-05-01": {"oslo"}},
    ),
    Conversation(
        "a plan for the future",
        [BERLIN, Episode("2024-01-01", [lives("rome", "Rome", "2090-01-01", supersedes=["berlin"])])],
        {"berlin": ("2018-03-01", "2090-01-01"), "rome": ("2090-01-01", None)},
        {"2025-01-01": {"berlin"}, "2091-01-01": {"rome"}},
    ),
    Conversation(
        "a contract until the future, left before",
        [Episode("2020-01-01", [works("acme", "Acme", "2020-01-01", "2090-01-01")]),
         Episode("2024-01-01", [works("bolt", "Bolt", "2024-01-01", supersedes=["acme"])])],
        {"acme": ("2020-01-01", "2024-01-01"), "bolt": ("2024-01-01", None)},
        {"2023-12-31": {"acme"}, "2025-01-01": {"bolt"}},
    ),
    Conversation(
        "a contract that ends before the next one",
        [Episode("2020-01-01", [works("acme", "Acme", "2020-01-01", "2022-01-01")]),
         Episode("2024-01-01", [works("bolt", "Bolt", "2024-01-01", supersedes=["acme"])])],
        {"acme": ("2020-01-01", "2022-01-01"), "bolt": ("2024-01-01", None)},
        {"2023-01-01": set()},
    ),
    Conversation(
        "an end before the start is no end",
        [Episode("2020-01-01", [works("acme", "Acme", "2019-01-01", "2018-01-01")]),
         Episode("2021-01-01", [works("bolt", "Bolt", "2021-01-01", supersedes=["acme"])])],
        {"acme": ("2019-01-01", "2021-01-01"), "bolt": ("2021-01-01", None)},
        {"2018-06-01": set(), "2020-01-01": {"acme"}},
        problems=frozenset({"BAD_TIME"}),
    ),
    Conversation(
        "dates that are none",
        [Episode("2020-01-01", [works("acme", "Acme", "last spring", "2019-02-30")]),
         Episode("2021-01-01", [works("bolt", "Bolt", "2021-01-01", supersedes=["acme"])])],
        {"acme": (None, "2021-01-01"), "bolt": ("2021-01-01", None)},
        problems=frozenset({"BAD_TIME"}),
    ),
    Conversation(
        "for no time at all",
        [Episode("2020-01-01", [works("acme", "Acme", "2019-01-01", "2019-01-01")]),
         Episode("2021-01-01", [works("bolt", "Bolt", "2018-01-01", supersedes=["acme"])])],
        {"acme": ("2019-01-01", "2019-01-01"), "bolt": ("2018-01-01", None)},
        {"2019-01-01": {"bolt"}},
    ),
    Conversation(
        "in other time zones",
        [Episode("2018-03-02", [lives("berlin", "Berlin", "2018-03-01T00:00:00+02:00")]),
         Episode("2020-06-02", [lives("boston", "Boston", "2020-06-01T00:00:00-05:00",
                                      supersedes=["berlin"])])],
        {"berlin": ("2018-02-28T22:00:00", "2020-06-01T05:00:00"), "boston": ("2020-06-01T05:00:00", None)},
        {"2018-02-28T21:59:59": set(), "2020-06-01T04:59:59": {"berlin"}, "2020-06-01T05:00:00": {"boston"}},
    ),
    Conversation(
        "one moment in two time zones",
        [Episode("2020-01-01", [lives("oslo", "Oslo", "2019-01-01T02:00:00+02:00")]),
         Episode("2020-02-01", [lives("bergen", "Bergen", "2018-12-31T19:00:00-05:00",
                                      supersedes=["oslo"])])],
        {"oslo": ("2019-01-01", "2019-01-01"), "bergen": ("2019-01-01", None)},
    ),
    Conversation(
        "a year, a month, half a second",
        [Episode("2018-03-02", [lives("berlin", "Berlin", "2018")]),
         Episode("2020-06-02", [lives("munich", "Munich", "2020-06", supersedes=["berlin"])]),
         Episode("2022-01-15", [lives("paris", "Paris", "2022-01-15T12:30:00.500000Z",
                                      supersedes=["munich"])])],
        {"berlin": ("2018-01-01", "2020-06-01"), "munich": ("2020-06-01", "2022-01-15T12:30:00.500000"),
         "paris": ("2022-01-15T12:30:00.500000", None)},
        {"2022-01-15T12:30:00": {"munich"}, "2022-01-15T12:30:01": {"paris"}},
    ),
    Conversation(
        "two things about the same two",
        [Episode("2020-01-01", [works("works", "Acme", "2019-01-01")]),
         Episode("2021-01-01", [Says("owns", "Ada", "OWNS", "Acme", "2021-01-01")])],
        {"works": ("2019-01-01", None), "owns": ("2021-01-01", None)},
        {"2022-01-01": {"works", "owns"}},
    ),
    Conversation(
        "there and back between the same two",
        [Episode("2020-01-01", [Says("ada to bob", "Ada", "OWES", "Bob", "2020-01-01")]),
         Episode("2021-01-01", [Says("bob to ada", "Bob", "OWES", "Ada", "2021-01-01")])],
        {"ada to bob": ("2020-01-01", None), "bob to ada": ("2021-01-01", None)},
    ),
]  # fmt: skip


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "as one unit"])
@pytest.mark.parametrize("conversation", [*LATE, *CORRECTED, *AGAIN, *TIMES], ids=str)
async def test_what_holds_when(world: World, group: str, conversation: Conversation, together: bool) -> None:
    """The same, whether the episodes come one after the other or wait together."""
    statuses = await tell(world, group, conversation, together=together)
    assert {one.kind for status in statuses for one in status.problems} == conversation.problems
    await remove(world, group, conversation, statuses)
    await check(world, group, conversation)
