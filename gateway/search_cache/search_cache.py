"""Answers a search with a kept answer if that is what the search would find, else by the search."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from google.protobuf.duration_pb2 import Duration

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.graph_model import OPEN_END, OPEN_START
from gateway.search_cache.answer import Answer, CacheUse, RunSearch, Source, told
from gateway.search_cache.group_marks import GroupMarks, Mark, read_marks
from gateway.search_cache.group_pattern import GroupPattern
from gateway.search_cache.kept_answers import KeptAnswer, KeptAnswers
from gateway.search_cache.question import Question
from gateway.search_cache.shared_searches import SharedSearches
from gateway.search_cache.validity import ValidityChanges
from graphgate.v1 import search_service_pb2 as pb
from shard_router.clock import Clock, SystemClock
from shard_router.router import Router

MARKS_S_MAX = 0.25
MARKS_SHARE = 0.25
"""Of the caller's time: what the marks may take of both. A shard that is away must not cost the search its
time."""
VALIDITY_WAIT_S_MAX = 0.01
"""After the search is done: then its answer goes out, and is not kept."""
VALIDITY_S_MAX = 5.0
"""Of a look at the times of a group's facts, which goes on behind the answer: the next search of the same
version has what it found."""
LATE_LOOKS_MAX = 16
"""Of those, at once; further ones are given up."""
GROUPS_AT_ONCE = 2_000
"""Groups that are held against a pattern before other calls get their turn: 1 ms."""


@dataclass(frozen=True, slots=True)
class SearchCacheSettings:
    bytes_max: int
    """0 keeps nothing."""
    ttl_s: float


@dataclass(frozen=True, slots=True)
class _Made:
    answer: Answer
    kept: KeptAnswer | None
    """None: it cannot be given to another caller."""
    is_kept: bool


class SearchCache:
    """Safe for concurrent use on one event loop."""

    def __init__(self, router: Router, settings: SearchCacheSettings, clock: Clock | None = None) -> None:
        self._router = router
        self._settings = settings
        self._clock = clock or SystemClock()
        self._kept = KeptAnswers(settings.bytes_max)
        self._shared = SharedSearches[tuple[bytes, tuple[Mark | None, ...]], _Made]()
        self._validity = ValidityChanges(router)
        self._late_looks: dict[tuple[Mark | None, ...], asyncio.Task[int | None]] = {}
        self._invalidations = 0
        self.counts: dict[Source, int] = dict.fromkeys(Source, 0)
        """Answers by where they came from."""

    @property
    def kept(self) -> KeptAnswers:
        return self._kept

    async def close(self) -> None:
        """Ends the searches that still run for their callers, and what runs behind answers."""
        await self._shared.close()
        looks = list(self._late_looks.values())
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    async def answer(self, question: Question, use: CacheUse, run: RunSearch, deadline: Deadline) -> Answer:
        """`run` does the search: its answer has no cache report yet, and its message is not used elsewhere.
        Raises what `run` raises, and DeadlinePassed."""
        began_s = self._clock.monotonic_s()
        passing = self._passing(question, use)
        if passing is not None:
            return self._counted(await run(deadline), passing)
        source, kept = Source.NOT_KEPT, self._kept.get(question.key)
        if use is CacheUse.REFRESH:
            source = Source.REFRESH
        elif kept is not None:
            marks = await self._marks(question, deadline, settled=False)
            if marks is None:
                return self._counted(await run(deadline), Source.UNCONFIRMED)
            source = self._judge(question, marks, kept)
            if source is Source.KEPT:
                return self._given(kept, source, began_s)
        # Neo4j shows a fence of a commit whose rows it does not show yet: an answer without them would be
        # kept for that version.
        marks = await self._marks(question, deadline, settled=True)
        if marks is None:
            return self._counted(await run(deadline), Source.UNCONFIRMED)
        make = partial(self._make, question, marks, run)
        if use is CacheUse.REFRESH or not question.can_be_shared:
            return self._made(await make(deadline), source)
        made, is_first = await self._shared.run((question.key, marks.marks), make, deadline)
        if is_first:
            return self._made(made, source)
        if made.kept is None or (question.asked_us or OPEN_START) >= made.kept.until_us:
            return self._made(await make(deadline), source)
        return self._given(made.kept, Source.SHARED, began_s)

    async def drop(self, scope: Iterable[str] | GroupPattern | None) -> int:
        """Drops the answers with one of these groups in their scope (None: all) and returns how many; keeps
        none of the searches that run."""
        self._invalidations += 1
        if not isinstance(scope, GroupPattern) and scope is not None:
            return self._kept.drop_groups(scope)
        dropped, group_ids = 0, self._kept.groups()
        for start in range(0, len(group_ids), GROUPS_AT_ONCE):
            some = group_ids[start : start + GROUPS_AT_ONCE]
            dropped += self._kept.drop_groups(g for g in some if scope is None or scope.matches(g))
            await asyncio.sleep(0)
        return dropped

    # --- whether ----------------------------------------------------------------------------------

    def _passing(self, question: Question, use: CacheUse) -> Source | None:
        """Why the search has nothing to do with the cache."""
        if use is CacheUse.BYPASS:
            return Source.REQUESTED
        if not self._settings.bytes_max:
            return Source.DISABLED
        if question.group_ids is None:
            # Which groups there are could only be told by reading all fences, as the search does itself.
            return Source.ALL_GROUPS
        return Source.EXPLAIN if question.explain else None

    async def _marks(self, question: Question, deadline: Deadline, *, settled: bool) -> GroupMarks | None:
        soon = deadline.within(min(MARKS_S_MAX, MARKS_SHARE * deadline.remaining_s()))
        try:
            async with asyncio.timeout(soon.remaining_s()):
                return await read_marks(self._router, question.group_ids or (), soon, settled=settled)
        except (GraphgateError, TimeoutError):
            # What is wrong, the search finds and tells.
            return None

    def _judge(self, question: Question, marks: GroupMarks, kept: KeptAnswer) -> Source:
        in_time = self._clock.monotonic_s() - kept.made_s < self._settings.ttl_s
        asked_us = question.asked_us
        if not in_time or not (asked_us is None or kept.asked_us <= asked_us < kept.until_us):
            return Source.EXPIRED
        return Source.KEPT if kept.marks == marks.marks else Source.GROUP_CHANGED

    # --- the search -------------------------------------------------------------------------------

    async def _make(self, question: Question, marks: GroupMarks, run: RunSearch, deadline: Deadline) -> _Made:
        invalidations, until_us = self._invalidations, None
        if marks.marks in self._late_looks:
            answer = await run(deadline)
        else:
            look = asyncio.create_task(self._until_us(question, marks))
            try:
                answer = await run(deadline)
                await asyncio.wait({look}, timeout=VALIDITY_WAIT_S_MAX if answer.is_whole else 0)
                until_us = look.result() if look.done() else None
            finally:
                self._let_go(marks, look)
        kept = self._keepable(question, marks, answer, until_us)
        is_kept = (
            kept is not None and invalidations == self._invalidations and self._kept.put(question.key, kept)
        )
        return _Made(answer, kept, is_kept)

    def _let_go(self, marks: GroupMarks, look: asyncio.Task[int | None]) -> None:
        """It goes on by itself, if there are not too many."""
        if look.done():
            return
        if len(self._late_looks) >= LATE_LOOKS_MAX:
            look.cancel()
            return
        self._late_looks[marks.marks] = look
        look.add_done_callback(lambda _: self._late_looks.pop(marks.marks, None))

    async def _until_us(self, question: Question, marks: GroupMarks) -> int | None:
        """The first time for which the answer does not count; None: unknown."""
        if question.asked_us is None:
            return OPEN_END
        try:
            return await self._validity.first_after(
                question.group_ids or (), marks, question.asked_us, Deadline.after(VALIDITY_S_MAX)
            )
        except GraphgateError:
            # The shard that failed here may fail the search, too, and that is told.
            return None

    def _keepable(
        self, question: Question, marks: GroupMarks, answer: Answer, until_us: int | None
    ) -> KeptAnswer | None:
        group_ids = question.group_ids or ()
        versions = {
            group_id: mark.version
            for group_id, mark in zip(group_ids, marks.marks, strict=True)
            if mark is not None
        }
        # Other versions: a group was written meanwhile, and the marks will not come again.
        if not answer.is_whole or until_us is None or answer.versions != versions:
            return None
        return KeptAnswer(
            body=answer.message.SerializeToString(),
            group_ids=group_ids,
            marks=marks.marks,
            made_s=self._clock.monotonic_s(),
            asked_us=OPEN_START if question.asked_us is None else question.asked_us,
            until_us=until_us,
        )

    # --- answers ----------------------------------------------------------------------------------

    def _made(self, made: _Made, source: Source) -> Answer:
        return self._counted(made.answer, source, kept=made.is_kept)

    def _given(self, kept: KeptAnswer, source: Source, began_s: float) -> Answer:
        message = pb.SearchResponse.FromString(kept.body)
        now_s = self._clock.monotonic_s()
        spent = Duration()
        spent.FromNanoseconds(int((now_s - began_s) * 1e9))
        message.ClearField("timings")
        message.timings.add(stage="cache", duration=spent)
        versions = {
            group_id: mark.version
            for group_id, mark in zip(kept.group_ids, kept.marks, strict=True)
            if mark is not None
        }
        return self._counted(
            Answer(message, versions), source, age_s=now_s - kept.made_s, kept=source is Source.KEPT
        )

    def _counted(self, answer: Answer, source: Source, *, age_s: float = 0.0, kept: bool = False) -> Answer:
        self.counts[source] += 1
        return told(answer, source, age_s=age_s, kept=kept)
