"""The queue's connection to Redis and the names of its keys, which gateway/ingest/queue/queue.py explains."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from drivers.deadline import Deadline
from gateway.ingest.errors import QueueUnavailable
from gateway.ingest.queue.settings import QueueSettings

WORKERS = "workers"
"""The consumer group of the streams of turns."""
CALLS_PER_ROUND_TRIP_MAX = 200


def partition_of(group_id: str, partitions: int) -> int:
    return int.from_bytes(hashlib.blake2b(group_id.encode(), digest_size=8).digest()) % partitions


class QueueStore:
    """Safe for concurrent use. Every call ends by its deadline or call_timeout_s; raises QueueUnavailable."""

    def __init__(self, url: str, settings: QueueSettings | None = None) -> None:
        self.settings = settings or QueueSettings()
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=self.settings.connections_max,
            timeout=self.settings.call_timeout_s,
            socket_connect_timeout=self.settings.call_timeout_s,
            # A command that was sent may have been carried out: whether to send it again is decided here.
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self.redis: Redis = Redis.from_pool(pool)
        self._prefix = f"{self.settings.prefix}:ingest:"

    @property
    def channel(self) -> str:
        return self._key("changed")

    async def close(self) -> None:
        await self.redis.aclose()

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _op(self, group_id: str, op_id: str) -> str:
        return self._key(f"op:{group_id}/{op_id}")

    def _ready(self, partition: int) -> str:
        return self._key(f"ready:{partition}")

    def _later(self, partition: int) -> str:
        return self._key(f"later:{partition}")

    def _partition(self, group_id: str) -> int:
        return partition_of(group_id, self.settings.partitions)

    @asynccontextmanager
    async def _call(self, deadline: Deadline, timeout_s: float | None = None) -> AsyncGenerator[None]:
        """Bounded in time, every failure as QueueUnavailable, without addresses."""
        limit_s = self.settings.call_timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(min(deadline.remaining_s(), limit_s)):
                yield
        except TimeoutError as error:
            raise QueueUnavailable("no answer in time") from error
        except ResponseError as error:
            raise QueueUnavailable(_why(error)) from error
        except (RedisError, OSError) as error:
            raise QueueUnavailable("no connection") from error


def _why(error: ResponseError) -> str:
    """The first word is Redis's own code; what follows may hold content."""
    return f"it answered {str(error).split(' ', 1)[0][:20]}"
