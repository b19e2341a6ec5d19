"""Reading episodes ahead: the extraction of the next ones runs while those before them are written.

A unit takes as many episodes as one write takes. What was read of the others is kept for the next unit of
their group; it is lost with the worker, and read again then.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

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
begun first are given up."""

type EpisodeKey = tuple[str, str]
"""(group_id, op_id)"""


@dataclass(frozen=True, slots=True)
class Read:
    found: Extraction | GraphgateError
    """An error about this very episode is its result."""
    account: Account


class Reading:
    """Shared by all units of a worker. close() once."""

    def __init__(self, running_max: int, budget: Budget) -> None:
        """`running_max`: extractions at once, of a unit and of all."""
        self._running_max = running_max
        self._budget = budget
        self._slots = asyncio.Semaphore(running_max)
        self._ahead: dict[EpisodeKey, tuple[EpisodeJob, asyncio.Task[Read]]] = {}

    async def close(self) -> None:
        """What is being read is given up."""
        tasks = [task for _, task in self._ahead.values()]
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
        for at, job in enumerate(jobs):
            # No more than a unit's share waits for the slots, which are given in the order of asking: a unit
            # of one must not wait for all of a unit of a thousand.
            for near in range(at, min(at + self._running_max, len(jobs))):
                self._begin(jobs[near], previous[near], asker)
            read = await self._ended(_key(job))
            if isinstance(read.found, Extraction) and not room.takes(job, read.found):
                break
            taken.append(read)
        return taken

    def forget(self, jobs: Sequence[EpisodeJob]) -> None:
        """They have ended."""
        for job in jobs:
            if _key(job) in self._ahead:
                self._give_up(_key(job))

    async def _ended(self, key: EpisodeKey) -> Read:
        """Raises CancelledError for one that was given up to make room."""
        _, task = self._ahead[key]
        # It goes on when this unit is cancelled.
        await asyncio.wait((task,))
        return task.result()

    def _begin(self, job: EpisodeJob, previous: tuple[Told, ...], asker: Asker) -> None:
        key = _key(job)
        if key in self._ahead:
            known, _ = self._ahead[key]
            if known == job:
                return
            self._give_up(key)
        task = asyncio.create_task(self._read(job, previous, asker))
        self._ahead[key] = job, task
        task.add_done_callback(lambda ended: self._drop_failed(key, ended))
        while len(self._ahead) > AHEAD_MAX:
            self._give_up(next(iter(self._ahead)))

    def _drop_failed(self, key: EpisodeKey, task: asyncio.Task[Read]) -> None:
        """What failed is read anew by whoever wants it next."""
        failed = task.cancelled() or task.exception() is not None
        known = self._ahead.get(key)
        if failed and known is not None and known[1] is task:
            del self._ahead[key]

    def _give_up(self, key: EpisodeKey) -> None:
        _, task = self._ahead.pop(key)
        task.cancel()

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
