"""Sends statements to one server, each as an auto-commit transaction, within the caller's deadline.

Auto-commit costs one round trip; BEGIN and COMMIT around it cost another 0.5 ms of 1.1 (measured on
loopback) and would only tell more of a write whose connection breaks. No bookmarks: a single server shows
every commit that it has acknowledged.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, LiteralString, cast

from neo4j import (
    READ_ACCESS,
    WRITE_ACCESS,
    Address,
    AsyncDriver,
    AsyncGraphDatabase,
    Query,
    ResultSummary,
    TrustAll,
    TrustCustomCAs,
    TrustSystemCAs,
)
from neo4j.auth_management import AsyncClientCertificateProviders, ClientCertificate
from neo4j.exceptions import DriverError, Neo4jError

from drivers.deadline import Deadline
from drivers.errors import (
    EngineRefused,
    GraphgateError,
    OutcomeUnknownAtDeadline,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
)
from drivers.marker_proof import REPLACED
from drivers.neo4j.compilations import Compilations
from drivers.neo4j.errors import SCHEMA_EXISTS, GarbledAnswer, Repeat, classify, is_garbled
from drivers.neo4j.settings import Neo4jSettings

_LOG = logging.getLogger(__name__)

type Record = list[Any]

_ATTEMPTS_MAX = {Repeat.NO: 1, Repeat.READ: 2, Repeat.ANY: 3}
_SCHEMA_ATTEMPTS_MAX = _ATTEMPTS_MAX | {Repeat.ANY: 10}
"""Gateways that found a shard together send the same commands; a deadlock may let only one of them pass."""
_COMPILATION_S_MAX = 60.0
_OF_THE_STATEMENT = ("Neo.ClientError.Statement.", "Neo.ClientError.Procedure.")
"""Codes of a run that came as far as to look at the parameters."""
_PAUSE_S = 0.01
"""Before the second attempt; twice as long before the third."""
_SHARE_FOR_CONNECTING = 0.9
"""Of the time left. What runs out of it has certainly sent nothing, and the driver says so; only then does
the whole deadline tell that a write was sent."""
_CLOSE_S_MAX = 1.0
"""Of taking leave of a server that may not listen any more."""
_TIMEOUT_S_MIN = 0.001
"""The protocol counts milliseconds, and 0 means no limit."""


_may_connect: ContextVar[bool] = ContextVar("may_connect", default=False)
"""Whether what runs here may be sent on a connection that has yet to be made."""


@contextmanager
def to_any_server() -> Generator[None]:
    """Statements inside may go to whatever server is there: they ask who it is."""
    token = _may_connect.set(True)
    try:
        yield
    finally:
        _may_connect.reset(token)


class _NewConnection(Exception):
    """Nothing was sent: a connection would have to be made first, behind which may be another server."""


class _Unprinted(dict[str, Any]):
    """Parameters that have no text. The Bolt client formats them for a debug log before it knows whether
    anybody reads it: 220 us for each row with a vector, two thirds of what a write costs the gateway. And
    no log should hold rows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "{...}"


class Neo4jClient:
    """Safe for concurrent use; at most pool_size_max statements run at once, more wait for a place."""

    def __init__(self, shard_id: str, settings: Neo4jSettings) -> None:
        self.shard_id = shard_id
        self._settings = settings
        self._driver: AsyncDriver | None = None
        self._place_count = min(settings.pool_size_max, settings.concurrent_queries_max)
        # A place is taken before a session is opened, so that the driver's own pool is never waited for
        # and waiting is known to have sent nothing.
        self._places = asyncio.Semaphore(self._place_count)
        self._compilations = Compilations(shard_id, self._compile)
        self._proof: Callable[[Deadline], Awaitable[bool]] | None = None

    def open(self) -> None:
        """Sends nothing. OSError when a certificate file cannot be read or used."""
        settings = self._settings
        address = settings.address()
        assert self._driver is None, "the driver is open already"
        self._driver = AsyncGraphDatabase.driver(
            address.plain_url,
            auth=(settings.user, settings.password) if settings.user else None,
            max_connection_pool_size=settings.pool_size_max,
            max_connection_lifetime=settings.connection_lifetime_s,
            connection_acquisition_timeout=settings.acquire_timeout_s,
            connection_timeout=settings.connect_timeout_s,
            liveness_check_timeout=settings.idle_check_s,
            keep_alive=True,
            telemetry_disabled=True,
            notifications_min_severity="OFF",
            user_agent="graphgate",
            resolver=self._resolve,
            **(_tls_options(settings) if address.tls else {}),
        )

    async def reopen(self) -> None:
        """Ends every connection that there is. The driver would keep one whose server talks nonsense."""
        driver, self._driver = self._driver, None
        if driver is not None:
            self.open()
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S_MAX):
                    await driver.close()

    async def close(self) -> None:
        await self._compilations.close()
        driver, self._driver = self._driver, None
        if driver is not None:
            await driver.close()

    def use_proof(self, proof: Callable[[Deadline], Awaitable[bool]] | None) -> None:
        """`proof` tells whether the server that answers now is the shard that was admitted. It is asked
        before each new connection that is made for another statement than those in to_any_server()."""
        self._proof = proof

    def _resolve(self, address: Address) -> Iterable[Address]:
        """The driver's pool opens connections unseen, in the middle of sending a statement; this is what it
        calls just before."""
        if self._proof is not None and not _may_connect.get():
            raise _NewConnection
        return [address]

    async def _prove(self, deadline: Deadline) -> None:
        """Raises ShardUnavailable. A process that is replaced takes longer to come up than the connection
        that is opened right after this."""
        if self._proof is not None and not await self._proof(deadline):
            raise ShardUnavailable(self.shard_id, REPLACED)

    async def read(
        self, text: str, parameters: Mapping[str, Any], what: str, deadline: Deadline
    ) -> list[Record]:
        """The records of a statement that writes nothing."""
        return await self._attempt(text, parameters, what, None, READ_ACCESS, deadline)

    async def repeatable(
        self, text: str, parameters: Mapping[str, Any], what: str, deadline: Deadline
    ) -> list[Record]:
        """The records of a statement that takes locks or writes, and may run twice without harm."""
        return await self._attempt(text, parameters, what, None, WRITE_ACCESS, deadline)

    async def write(
        self,
        text: str,
        parameters: Mapping[str, Any],
        what: str,
        op_id: str,
        deadline: Deadline,
        engine_limit_s: float = 0.0,
    ) -> list[Record]:
        """The records of a statement that must not run twice; OutcomeUnknown names `op_id`."""
        return await self._attempt(text, parameters, what, op_id, WRITE_ACCESS, deadline, engine_limit_s)

    async def prepare(self, text: str, deadline: Deadline) -> None:
        """Has the server compile a statement that writes or takes locks before its first use. Raises
        ShardTimeout and ShardUnavailable."""
        await self._compilations.done(text, WRITE_ACCESS, deadline)

    async def define(self, text: str, deadline: Deadline) -> None:
        """Runs a schema command, which may take as long as the deadline allows; that another gateway has just
        done the same is success. The server forgets all that it has compiled."""
        try:
            await self._attempt(
                text,
                {},
                "a schema command",
                None,
                WRITE_ACCESS,
                deadline,
                math.inf,
                _SCHEMA_ATTEMPTS_MAX,
                is_schema=True,
            )
        except EngineRefused as refused:
            cause = refused.__cause__
            if not isinstance(cause, Neo4jError) or cause.code not in SCHEMA_EXISTS:
                raise
        finally:
            self._compilations.forget()

    async def plan(
        self, text: str, parameters: Mapping[str, Any], deadline: Deadline, *, profile: bool, writes: bool
    ) -> Mapping[str, Any]:
        """The server's plan of a statement, as the Bolt client hands it out. With `profile` the statement
        runs in a transaction that is rolled back; the server refuses one that writes unless `writes`."""
        deadline.check("a plan")
        limit_s = min(deadline.remaining_s(), self._settings.query_timeout_s_max)
        query, access = (
            f"{'PROFILE' if profile else 'EXPLAIN'} {text}",
            WRITE_ACCESS if writes else READ_ACCESS,
        )
        try:
            told = await self._rolled_back(query, parameters, access, deadline, limit_s)
        except (Neo4jError, DriverError, OSError) as error:
            raise classify(error, self.shard_id, "a plan", None).error from error
        plan = told.profile if profile else told.plan
        assert plan is not None, "the server has told no plan"
        return plan

    async def _attempt(
        self,
        text: str,
        parameters: Mapping[str, Any],
        what: str,
        op_id: str | None,
        access: str,
        deadline: Deadline,
        engine_limit_s: float = 0.0,
        attempts_max: Mapping[Repeat, int] = _ATTEMPTS_MAX,
        *,
        is_schema: bool = False,
    ) -> list[Record]:
        """`engine_limit_s` 0: query_timeout_s_max."""
        engine_limit_s = engine_limit_s or self._settings.query_timeout_s_max
        if not is_schema and not _may_connect.get():
            await self._compilations.done(text, access, deadline)
        attempt, proven = 0, False
        while True:
            deadline.check(what)
            attempt += 1
            try:
                with to_any_server() if proven else nullcontext():
                    return await self._run(text, parameters, access, deadline, engine_limit_s)
            except _NewConnection:
                await self._prove(deadline)
                attempt, proven = attempt - 1, True
                continue
            except (Neo4jError, DriverError, OSError, GarbledAnswer) as error:
                if isinstance(error, GarbledAnswer):
                    await self.reopen()
                failure = classify(error, self.shard_id, what, op_id)
                if failure.connection_lost:
                    proven = False
                    self._compilations.forget()
                elif isinstance(failure.error, ShardTimeout | OutcomeUnknownAtDeadline):
                    self._compilations.doubt(text)
                if attempt >= attempts_max[failure.repeat]:
                    raise failure.error from error
            await asyncio.sleep(min(_PAUSE_S * attempt, deadline.remaining_s()))

    async def _compile(self, text: str, access: str, sent: Callable[[], None]) -> bool:
        """Whether the server has planned the text; what it says of the parameters does not matter."""
        deadline = Deadline.after(_COMPILATION_S_MAX)

        async def run() -> None:
            # All parameters are null, so that it finds no rows.
            await self._rolled_back(text, {}, access, deadline, _COMPILATION_S_MAX, sent)

        try:
            try:
                await run()
            except _NewConnection:
                await self._prove(deadline)
                with to_any_server():
                    await run()
        except Neo4jError as error:
            return (error.code or "").startswith(_OF_THE_STATEMENT)
        except (GraphgateError, DriverError, OSError) as error:
            # The statement's own use is about to tell the same.
            _LOG.debug("shard %s: a compilation has failed: %s", self.shard_id, error)
            return False
        except Exception as error:
            if not is_garbled(error):
                raise
            return False
        return True

    async def _rolled_back(
        self,
        text: str,
        parameters: Mapping[str, Any],
        access: str,
        deadline: Deadline,
        limit_s: float,
        sent: Callable[[], None] = lambda: None,
    ) -> ResultSummary:
        """What the server tells of a run without effect. `sent` is called when there is a connection."""
        driver = self._driver
        if driver is None:
            raise ShardUnavailable(self.shard_id, "the driver is not open")
        async with (
            self._place(deadline),
            asyncio.timeout(deadline.remaining_s()),
            driver.session(database=self._settings.database, default_access_mode=access) as session,
            await session.begin_transaction(timeout=limit_s) as transaction,
        ):
            sent()
            result = await transaction.run(cast("LiteralString", text), {"p": _Unprinted(parameters)})
            told = await result.consume()
            await transaction.rollback()
        return told

    async def _run(
        self,
        text: str,
        parameters: Mapping[str, Any],
        access: str,
        deadline: Deadline,
        engine_limit_s: float,
    ) -> list[Record]:
        driver = self._driver
        if driver is None:
            raise ShardUnavailable(self.shard_id, "the driver is not open")
        settings = self._settings
        async with self._place(deadline):
            left_s = max(deadline.remaining_s(), _TIMEOUT_S_MIN)
            query = Query(cast("LiteralString", text), timeout=min(left_s, engine_limit_s))
            async with (
                asyncio.timeout(left_s),
                driver.session(
                    database=settings.database,
                    default_access_mode=access,
                    fetch_size=settings.fetch_size,
                    connection_acquisition_timeout=left_s * _SHARE_FOR_CONNECTING,
                    disable_auto_commit_retries=True,
                ) as session,
            ):
                # A task that is cancelled here leaves the session with CancelledError, upon which the
                # driver closes the connection instead of returning it with an answer unread.
                try:
                    result = await session.run(query, {"p": _Unprinted(parameters)})
                    return await result.values()
                except Exception as error:
                    if not is_garbled(error):
                        raise
                    raise GarbledAnswer from error

    @asynccontextmanager
    async def _place(self, deadline: Deadline) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(min(deadline.remaining_s(), self._settings.acquire_timeout_s)):
                await self._places.acquire()
        except TimeoutError:
            raise ShardOverloaded(self.shard_id, "pool_size_max", self._place_count) from None
        try:
            yield
        finally:
            self._places.release()


def _tls_options(settings: Neo4jSettings) -> dict[str, Any]:
    # The driver reads the files when it first connects, where a bad one would look like a shard that is down.
    context = ssl.create_default_context(cafile=settings.tls_ca_file or None)
    options: dict[str, Any] = {"encrypted": True, "trusted_certificates": TrustSystemCAs()}
    if not settings.tls_verify:
        options["trusted_certificates"] = TrustAll()
    elif settings.tls_ca_file:
        options["trusted_certificates"] = TrustCustomCAs(settings.tls_ca_file)
    if settings.tls_cert_file:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file or None)
        certificate = ClientCertificate(settings.tls_cert_file, settings.tls_key_file or None)
        options["client_certificate"] = AsyncClientCertificateProviders.static(certificate)
    return options
