"""Answers of models, kept on disk in one SQLite file that is bounded in bytes and survives restarts.

It is a cache: a file that cannot be read is made anew, and no failure of it is a failure of a request.
Several processes may share the file. Answers are written behind, many in one transaction.
"""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import structlog

log = structlog.get_logger("graphgate.llm")

WRITE_BEHIND_S = 0.05
WAITING_MAX = 1_000
"""Answers that wait to be written; further ones are not kept."""
KEPT_SHARE = 0.8
"""Of the bytes, after an eviction."""
ROW_OVERHEAD_BYTES = 96
BUSY_S = 1.0
_TURN_S = 0.01
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, used INTEGER NOT NULL, bytes INTEGER NOT NULL,
    content TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_used ON answers (used, bytes);
"""
_RECOUNTED_EVERY = 256
"""Transactions: other processes add answers too."""


def answer_key(parts: Sequence[object]) -> bytes:
    """Of whatever decides about an answer, in its order: model, messages, schema, parameters."""
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=20).digest()


class AnswerCache:
    """Least recently used out first. Used on one event loop; the file is touched on a thread of its own."""

    def __init__(self, file: Path | None, bytes_max: int) -> None:
        """`file` None or `bytes_max` 0 keeps nothing."""
        self._file = file
        self._bytes_max = bytes_max
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answer-cache")
        self._connection: sqlite3.Connection | None = None
        self._waiting: dict[bytes, str] = {}
        self._touched: dict[bytes, int] = {}
        self._writer: asyncio.Task[None] | None = None
        self._transactions = 0
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self.not_kept = 0
        """Answers that came while too many waited, or that failed to be written."""

    async def open(self) -> None:
        """Idempotent. A file that is no database is made anew; without a writable place nothing is kept."""
        if self._file is not None and self._bytes_max and self._connection is None:
            await self._run(self._open)

    async def get(self, key: bytes) -> str | None:
        """The answer, now the most recently used; counts a hit or a miss."""
        content = self._waiting.get(key)
        if content is None and self._connection is not None:
            content = await self._run(lambda: self._read(key))
            if content is not None:
                self._touched[key] = time.time_ns()
                self._wake()
        if content is None:
            self.misses += 1
        else:
            self.hits += 1
        return content

    def put(self, key: bytes, content: str) -> None:
        """Returns at once."""
        if self._connection is None or len(content) + ROW_OVERHEAD_BYTES > self._bytes_max * KEPT_SHARE:
            return
        if len(self._waiting) >= WAITING_MAX:
            self.not_kept += 1
            return
        self._waiting[key] = content
        self._wake()

    async def flush(self) -> None:
        """Returns when all that was put is on disk."""
        while self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)

    async def close(self) -> None:
        """Writes what waits. Idempotent."""
        await self.flush()
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        self._thread.shutdown(wait=False)

    def _wake(self) -> None:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_behind())

    async def _write_behind(self) -> None:
        try:
            while self._waiting or self._touched:
                await asyncio.sleep(WRITE_BEHIND_S)
                waiting, touched = dict(self._waiting), self._touched
                self._touched = {}
                if await self._run(lambda w=waiting, t=touched: self._write(w, t)) is None:
                    self.not_kept += len(waiting)
                for key, content in waiting.items():
                    if self._waiting.get(key) is content:
                        del self._waiting[key]
        finally:
            self._writer = None

    async def _run[T](self, work: Callable[[], T]) -> T | None:
        """None: it failed, and the log says so."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            log.warning("answer_cache_failed", error=type(error).__name__, detail=str(error)[:200])
            return None

    def _open(self) -> None:
        assert self._file is not None
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._connected_in_turn(self._file)
        except sqlite3.DatabaseError as error:
            if _is_busy(error):
                # Another gateway's: no reason to take it away.
                raise
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
            self._connection = self._connected_in_turn(self._file)
        self.bytes = self._total(self._connection)

    def _connected_in_turn(self, file: Path) -> sqlite3.Connection:
        """The change to WAL does not wait for its turn as everything else does."""
        until_s = time.monotonic() + BUSY_S
        while True:
            try:
                return self._connected(file)
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > until_s:
                    raise
            time.sleep(_TURN_S)

    @staticmethod
    def _connected(file: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(file, timeout=BUSY_S, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # A crash of the machine may cost the newest answers, never the file.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_SCHEMA)
            connection.execute("SELECT key, used, bytes, content FROM answers LIMIT 1").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _read(self, key: bytes) -> str | None:
        assert self._connection is not None
        row = self._connection.execute("SELECT content FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _write(self, answers: dict[bytes, str], touched: dict[bytes, int]) -> bool:
        connection = self._connection
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "UPDATE answers SET used = ? WHERE key = ?", [(used, key) for key, used in touched.items()]
            )
            rows = list(_rows(answers, time.time_ns()))
            connection.executemany(
                "INSERT OR REPLACE INTO answers (key, used, bytes, content) VALUES (?, ?, ?, ?)", rows
            )
            self._evict(connection, self.bytes + sum(size for _, _, size, _ in rows))
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        return True

    def _evict(self, connection: sqlite3.Connection, total: int) -> None:
        self._transactions += 1
        if total > self._bytes_max or self._transactions % _RECOUNTED_EVERY == 0:
            total = self._total(connection)
        if total > self._bytes_max:
            surplus = total - int(self._bytes_max * KEPT_SHARE)
            victims: list[tuple[bytes]] = []
            for key, size in connection.execute("SELECT key, bytes FROM answers ORDER BY used"):
                if surplus <= 0:
                    break
                victims.append((key,))
                surplus -= size
                total -= size
            connection.executemany("DELETE FROM answers WHERE key = ?", victims)
        self.bytes = total

    @staticmethod
    def _total(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT coalesce(sum(bytes), 0) FROM answers").fetchone()[0])


def _is_busy(error: sqlite3.Error) -> bool:
    """Of an extended code the lowest byte is the primary one."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _rows(answers: dict[bytes, str], now: int) -> Iterable[tuple[bytes, int, int, str]]:
    for position, (key, content) in enumerate(answers.items()):
        yield key, now + position, len(content.encode()) + ROW_OVERHEAD_BYTES, content
