"""What holds at which time, whatever order things are told in and however they come: moves, jobs, what is
told twice, what comes again."""

import pytest

from tests.integration.ingest.conversation import (
    Conversation,
    Episode,
    Says,
    Span,
    check,
    lives,
    remove,
    tell,
    works,
)
from tests.integration.ingest.world import World


def fair(year: int) -> Episode:
    held = Says(f"fair {year}", "Ada", "VISITED", "Book Fair", f"{year}-05-01", f"{year}-05-02")
    return Episode(f"{year}-05-02", [held])


BERLIN = lives("berlin", "Berlin", "2018-03-01")
MUNICH = lives("munich", "Munich", "2020-06-01", supersedes=["berlin", "paris"])
BACK_IN_BERLIN = lives("berlin 2", "Berlin", "2021-03-01", supersedes=["munich"], repeats=["berlin"])
PARIS = lives("paris", "Paris", "2022-01-01", supersedes=["berlin", "munich"])

MOVED_TWICE: dict[str, Span] = {
    "berlin": ("2018-03-01", "2020-06-01"),
    "munich": ("2020-06-01", "2022-01-01"),
    "paris": ("2022-01-01", None),
}

CONVERSATIONS = [
    Conversation(
        "moved house",
        [Episode("2018-03-02", [BERLIN]), Episode("2020-06-02", [MUNICH])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)},
        {"2017-01-01": set(), "2019-01-01": {"berlin"}, "2020-06-01": {"munich"}, "2023-01-01": {"munich"}},
    ),
    Conversation(
        "moved twice",
        [Episode("2018-03-02", [BERLIN]), Episode("2020-06-02", [MUNICH]), Episode("2022-01-02", [PARIS])],
        MOVED_TWICE,
        {"2019-01-01": {"berlin"}, "2021-01-01": {"munich"}, "2023-01-01": {"paris"}},
    ),
    Conversation(
        "old fact arrives late",
        [Episode("2020-06-02", [lives("munich", "Munich", "2020-06-01")]),
         Episode("2021-01-01", [lives("berlin", "Berlin", "2018-03-01", supersedes=["munich"])])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None)},
        {"2019-01-01": {"berlin"}, "2021-01-01": {"munich"}},
    ),
    Conversation(
        "middle fact arrives last",
        [Episode("2018-03-02", [BERLIN]), Episode("2022-01-02", [PARIS]),
         Episode("2022-02-01", [MUNICH])],
        MOVED_TWICE,
        {"2019-01-01": {"berlin"}, "2021-01-01": {"munich"}, "2023-01-01": {"paris"}},
    ),
    Conversation(
        "changed job with a told end",
        [Episode("2019-01-01", [Says("acme", "Ada", "WORKS_AT", "Acme", "2015-01-01", "2018-12-31")]),
         Episode("2019-01-02", [works("bolt", "Bolt", "2019-01-01", supersedes=["acme"])])],
        {"acme": ("2015-01-01", "2018-12-31"), "bolt": ("2019-01-01", None)},
        {"2016-01-01": {"acme"}, "2018-12-31": set(), "2020-01-01": {"bolt"}},
    ),
    Conversation(
        "two jobs at once",
        [Episode("2019-01-01", [works("acme", "Acme", "2018-01-01")]),
         Episode("2019-02-01", [works("bolt", "Bolt", "2019-01-01")])],
        {"acme": ("2018-01-01", None), "bolt": ("2019-01-01", None)},
        {"2018-06-01": {"acme"}, "2020-01-01": {"acme", "bolt"}},
    ),
    Conversation(
        "corrected: it was never so",
        [Episode("2020-01-01", [lives("rome", "Rome", "2019-05-01")]),
         Episode("2020-01-02", [lives("milan", "Milan", "2019-05-01", corrects=["rome"])])],
        {"rome": ("2019-05-01", "2019-05-01"), "milan": ("2019-05-01", None)},
        {"2019-06-01": {"milan"}, "2021-01-01": {"milan"}},
    ),
    Conversation(
        "told twice",
        [Episode("2018-03-02", [BERLIN]),
         Episode("2019-01-01", [lives("berlin again", "Berlin", "2018-03-01", repeats=["berlin"])])],
        {"berlin": ("2018-03-01", None)},
        {"2018-06-01": {"berlin"}, "2020-01-01": {"berlin"}},
    ),
    Conversation(
        "a repetition tells an earlier start",
        [Episode("2018-03-02", [BERLIN]),
         Episode("2019-01-01", [lives("berlin again", "Berlin", "2017-01-01", repeats=["berlin"])])],
        {"berlin": ("2017-01-01", None)},
        {"2017-06-01": {"berlin"}, "2020-01-01": {"berlin"}},
    ),
    Conversation(
        "moved away and back",
        [Episode("2018-03-02", [BERLIN]), Episode("2020-06-02", [MUNICH]),
         Episode("2021-03-01", [BACK_IN_BERLIN])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", "2021-03-01"),
         "berlin 2": ("2021-03-01", None)},
        {"2019-01-01": {"berlin"}, "2020-12-01": {"munich"}, "2022-01-01": {"berlin 2"}},
    ),
    Conversation(
        "the contradiction is removed",
        [Episode("2018-03-02", [BERLIN]), Episode("2020-06-02", [MUNICH], removed=True)],
        {"berlin": ("2018-03-01", None)},
        {"2019-01-01": {"berlin"}, "2023-01-01": {"berlin"}},
    ),
    Conversation(
        "the middle one is removed",
        [Episode("2018-03-02", [BERLIN]), Episode("2020-06-02", [MUNICH], removed=True),
         Episode("2022-01-02", [PARIS])],
        {"berlin": ("2018-03-01", "2022-01-01"), "paris": ("2022-01-01", None)},
        {"2019-01-01": {"berlin"}, "2021-01-01": {"berlin"}, "2023-01-01": {"paris"}},
    ),
    Conversation(
        "the correction is removed",
        [Episode("2020-01-01", [lives("rome", "Rome", "2019-05-01")]),
         Episode("2020-01-02", [lives("milan", "Milan", "2019-05-01", corrects=["rome"])], removed=True)],
        {"rome": ("2019-05-01", None)},
        {"2019-06-01": {"rome"}, "2021-01-01": {"rome"}},
    ),
    Conversation(
        "a recurring event contradicts nothing",
        [fair(year) for year in (2019, 2020, 2021)],
        {f"fair {year}": (f"{year}-05-01", f"{year}-05-02") for year in (2019, 2020, 2021)},
        {"2019-05-01T12:00:00": {"fair 2019"}, "2020-05-01T12:00:00": {"fair 2020"}, "2020-12-01": set()},
    ),
    Conversation(
        "no dates: the later statement counts",
        [Episode("2020-01-01", [lives("oslo", "Oslo")]),
         Episode("2021-01-01", [lives("bergen", "Bergen", supersedes=["oslo"])])],
        {"oslo": (None, "2021-01-01"), "bergen": (None, None)},
        {"2020-06-01": {"oslo", "bergen"}, "2022-01-01": {"bergen"}},
    ),
    Conversation(
        "one episode ends two facts",
        [Episode("2018-03-02", [BERLIN]), Episode("2019-01-01", [works("acme", "Acme", "2018-01-01")]),
         Episode("2020-06-02", [MUNICH, works("bolt", "Bolt", "2020-06-01", supersedes=["acme"])])],
        {"berlin": ("2018-03-01", "2020-06-01"), "munich": ("2020-06-01", None),
         "acme": ("2018-01-01", "2020-06-01"), "bolt": ("2020-06-01", None)},
        {"2019-06-01": {"berlin", "acme"}, "2021-01-01": {"munich", "bolt"}},
    ),
]  # fmt: skip


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "as one unit"])
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=str)
async def test_what_holds_when(world: World, group: str, conversation: Conversation, together: bool) -> None:
    """The same, whether the episodes come one after the other or wait together."""
    statuses = await tell(world, group, conversation, together=together)
    await remove(world, group, conversation, statuses)
    await check(world, group, conversation)
