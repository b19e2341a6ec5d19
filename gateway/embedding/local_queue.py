"""Which request computes next: a small one never waits behind a bulk, and a bulk never starves."""

import asyncio
from collections.abc import Sequence

import numpy as np

from gateway.embedding.port import Matrix, Vector


class Job:
    """The texts of one request, batch by batch, shortest first so that a batch has little padding."""

    def __init__(self, texts: Sequence[str], *, deadline: float, done: asyncio.Future[None]) -> None:
        self._order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        self._texts = [texts[position] for position in self._order]
        self._rows: list[Matrix] = []
        self._next = 0
        self.deadline = deadline
        self.done = done

    @property
    def remaining(self) -> int:
        return len(self._texts) - self._next

    def following(self, count: int) -> list[str]:
        """The next `count` texts or fewer."""
        return self._texts[self._next : self._next + count]

    def accept(self, rows: Matrix) -> None:
        """Takes the vectors of the next len(rows) texts; after the last one the job is done."""
        self._rows.append(rows)
        self._next += len(rows)

    def vectors(self) -> list[Vector]:
        """One for each text, in the order that the request gave; only when nothing remains."""
        ordered: list[Vector] = [np.empty(0, np.float32)] * len(self._texts)
        rows = (row for block in self._rows for row in block)
        for position, row in zip(self._order, rows, strict=True):
            ordered[position] = row
        return ordered


class JobQueue:
    """Turns alternate between the smallest job and the oldest.

    So a single text waits for the batch that runs and little more, and the oldest job gets every second batch
    however many small ones arrive.
    """

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._smallest_next = True

    @property
    def texts(self) -> int:
        """Texts that still wait, over all jobs."""
        return sum(job.remaining for job in self._jobs)

    def add(self, job: Job) -> None:
        self._jobs.append(job)

    def remove(self, job: Job) -> None:
        """No error if it is not there (any more)."""
        if job in self._jobs:
            self._jobs.remove(job)

    def turn(self) -> Job | None:
        """The job whose batch runs next; None if there is none."""
        if not self._jobs:
            return None
        oldest = self._jobs[0]
        job = min(self._jobs, key=lambda job: job.remaining) if self._smallest_next else oldest
        self._smallest_next = job is oldest
        return job

    def drain(self) -> list[Job]:
        """Takes all jobs out."""
        jobs, self._jobs = self._jobs, []
        return jobs
