"""Reading episodes ahead: the extraction of the next ones runs while those before them are written.

A unit takes as many episodes as one write takes. What was read of the others is kept for the next unit of
their group; it is lost with the worker, and read again then.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from drivers.errors import GraphgateError
from gateway.ingest.extraction import Extraction
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.extracting import extract_episode
from gateway.ingest.pipeline.previous import Told
from gateway.ingest.pipeline.write_room import WriteRoom
from gateway.ingest.prompts.material import Budget
from gateway.llm.errors import ModelError

AHEAD_MAX = 1_000
"""Episodes that are being read or were read and wait for their unit, of all groups; past it those that were
begun first are given up, save those that a unit waits for."""

type EpisodeKey = tuple[str, str]
"""(group_id, op_id)"""


@dataclass(frozen=True, slots=True)
class Read:
    found: Extraction | GraphgateError
    """An error about this very episode is its result."""
    account: Account


@dataclass(frozen=True, slots=True)
class _Ahead:
    job: EpisodeJob
    asker: Asker
    """Of the unit that began it."""
    task: asyncio.Task[Read]


class Reading:
    """Shared by all units of a worker. close() once."""

    def __init__(self, running_max: int, budget: Budget) -> None:
        """`running_max`: extractions at once, of a unit and of all."""
        self._running_max = running_max
        self._budget = budget
        self._slots = asyncio.Semaphore(running_max)
        self._ahead: dict[EpisodeKey, _Ahead] = {}
        self._wanted: Counter[EpisodeKey] = Counter()
        """Those that units wait for, with how many do; no unit waits for more than `running_max`."""

    async def close(self) -> None:
        """What is being read is given up."""
        tasks = [one.task for one in self._ahead.values()]
        self._ahead.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def first(
        self, jobs: Sequence[EpisodeJob], previous: Sequence[tuple[Told, ...]], asker: Asker, room: WriteRoom
    ) -> Sequence[Read]:
        """Of the first jobs, as many as there is room for, at least one; those behind them are read ahead.
        Raises ModelError unless it is about one episode."""
        taken: list[Read] = []
        wanted: set[EpisodeKey] = set()
        try:
            for at, job in enumerate(jobs):
                # No more than a unit's share waits for the slots, which are given in the order of asking: a
                # unit of one must not wait for all of a unit of a thousand.
                for near in range(at, min(at + self._running_max, len(jobs))):
                    self._want(wanted, _key(jobs[near]))
                    self._begin(jobs[near], previous[near], asker)
                read = await self._ended(job, previous[at], asker)
                if isinstance(read.found, Extraction) and not room.takes(job, read.found):
                    break
                taken.append(read)
                self._leave(wanted, _key(job))
            return taken
        finally:
            for key in list(wanted):
                self._leave(wanted, key)

    def forget(self, jobs: Sequence[EpisodeJob]) -> None:
        """They have ended."""
        for job in jobs:
            if _key(job) in self._ahead:
                self._give_up(_key(job))

    def _want(self, wanted: set[EpisodeKey], key: EpisodeKey) -> None:
        if key not in wanted:
            wanted.add(key)
            self._wanted[key] += 1

    def _leave(self, wanted: set[EpisodeKey], key: EpisodeKey) -> None:
        wanted.remove(key)
        self._wanted[key] -= 1
        if not self._wanted[key]:
            del self._wanted[key]

    async def _ended(self, job: EpisodeJob, previous: tuple[Told, ...], asker: Asker) -> Read:
        """Raises what reading it for this unit raises. What another one began has that one's deadline: if it
        came to nothing it is begun anew, as is what was given up."""
        while True:
            self._begin(job, previous, asker)
            ahead = self._ahead[_key(job)]
            # It goes on when this unit is cancelled.
            await asyncio.wait((ahead.task,))
            given_up = ahead.task.cancelled()
            if not given_up and (ahead.asker is asker or ahead.task.exception() is None):
                return ahead.task.result()
            asker.deadline.check(f"an episode of group {job.group_id} was read anew")

    def _begin(self, job: EpisodeJob, previous: tuple[Told, ...], asker: Asker) -> None:
        """Unless it is begun already."""
        key = _key(job)
        if key in self._ahead:
            if self._ahead[key].job == job:
                return
            self._give_up(key)
        task = asyncio.create_task(self._read(job, previous, asker))
        self._ahead[key] = _Ahead(job, asker, task)
        task.add_done_callback(lambda ended: self._drop_failed(key, ended))
        surplus = max(0, len(self._ahead) - AHEAD_MAX)
        unwanted = (one for one in self._ahead if one not in self._wanted)
        for one in list(islice(unwanted, surplus)):
            self._give_up(one)

    def _drop_failed(self, key: EpisodeKey, task: asyncio.Task[Read]) -> None:
        """What failed is read anew by whoever wants it next."""
        failed = task.cancelled() or task.exception() is not None
        known = self._ahead.get(key)
        if failed and known is not None and known.task is task:
            del self._ahead[key]

    def _give_up(self, key: EpisodeKey) -> None:
        self._ahead.pop(key).task.cancel()

    async def _read(self, job: EpisodeJob, previous: tuple[Told, ...], asker: Asker) -> Read:
        account = Account()
        async with self._slots:
            try:
                return Read(await extract_episode(job, previous, asker, account, self._budget), account)
            except ModelError as error:
                if not error.about_request:
                    raise
                return Read(error, account)


def _key(job: EpisodeJob) -> EpisodeKey:
    return job.group_id, job.op_id
