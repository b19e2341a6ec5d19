"""The connection of this gateway to one shard: checked before it is used, and again after every doubt.

    CONNECTING --admitted--> READY --a call or a check fails--> CONNECTING
        |  |                   |
        |  +--no answer--> UNREACHABLE --tried again, ever more slowly--> READY
        +--wrong shard--> REFUSED ------tried again, ever more slowly--> READY

A lost connection is a doubt: the next call waits until the shard has been admitted anew. A call whose time
ran out only brings the next check forward, for a shard is not to be taken from all because one caller was in
a hurry. A shard that answers that it cannot (out of memory, read-only) stays READY, with its problem noted.

One task per shard connects, checks and beats, so that a shard that comes back meets one connection
attempt per gateway and not one per waiting call. A lost connection is tried anew at once, and calls wait for
that attempt. While the shard is UNREACHABLE a call waits for the attempt that runs or is due, so that a short
outage costs time and no errors; it waits for no attempt that has gone on for long and for none that is far
away, so that a shard that is away for long costs nobody his time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import (
    GraphgateError,
    OutcomeUnknown,
    OutcomeUnknownAtDeadline,
    ShardIdentityError,
    ShardImpaired,
    ShardTimeout,
    ShardUnavailable,
)
from shard_router.charter import PING_S_MAX, Charter
from shard_router.clock import Clock
from shard_router.gate import BEFORE_THIS_ONE, ShardGate
from shard_router.reconnecting import Attempts, ReconnectSettings

_LOG = logging.getLogger(__name__)


class LinkState(StrEnum):
    CONNECTING = "CONNECTING"
    READY = "READY"
    UNREACHABLE = "UNREACHABLE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class LinkSettings:
    connect_timeout_s: float = 20.0
    """Of one attempt to be admitted: a database that has just started compiles its first queries."""
    check_timeout_s: float = 5.0
    schema_timeout_s: float = 60.0
    """Of making the indexes of a new shard."""
    check_interval_s: float = 5.0
    """Between checks of a shard in use. Interval and timeout together stay within the 10 s in which
    a shard that is written to must beat."""
    early_check_s_min: float = 1.0
    """Between the last check and one that a call without an answer brings forward."""
    reconnect: ReconnectSettings = field(default_factory=ReconnectSettings)


class ShardLink:
    def __init__(
        self,
        driver: ShardDriver,
        charter: Charter,
        gate: ShardGate,
        settings: LinkSettings,
        clock: Clock,
        rng: Random,
        on_ready: Callable[[], None],
    ) -> None:
        self.gate = gate
        self._driver = driver
        self._charter = charter
        self._settings = settings
        self._clock = clock
        self._on_ready = on_ready
        self._state = LinkState.CONNECTING
        self._problem: GraphgateError | None = None
        self._generation = 0
        """Counts admissions: a call that began under an earlier one says nothing about this one."""
        self._decided = asyncio.Event()
        """Set while the state is not CONNECTING."""
        self._answered = asyncio.Event()
        """Set while the state is READY or REFUSED: the shard has said what it is."""
        self._doubt = asyncio.Event()
        """The connection was lost: connect anew."""
        self._suspicion = asyncio.Event()
        """A call was not answered in time, or there is a doubt: look at the shard early."""
        self._attempts = Attempts(settings.reconnect, clock, rng)
        self._wrote = False

    @property
    def shard_id(self) -> str:
        return self._driver.shard_id

    @property
    def write_weight_max(self) -> int:
        """As of the driver; known before the shard is reached."""
        return self._driver.write_weight_max

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def problem(self) -> GraphgateError | None:
        """Why the shard is UNREACHABLE or REFUSED, or READY and not well."""
        return self._problem

    async def decided(self, deadline: Deadline) -> None:
        """Returns when the attempt that runs has ended, or raises ShardUnavailable at the deadline."""
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await self._decided.wait()
        except TimeoutError as error:
            raise ShardUnavailable(self.shard_id, "still connecting") from error

    async def answered(self, deadline: Deadline) -> None:
        """Returns when the shard is READY or REFUSED, or raises ShardUnavailable at the deadline."""
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await self._answered.wait()
        except TimeoutError as error:
            raise ShardUnavailable(self.shard_id, "no answer yet") from error

    async def run[T](
        self, call: Callable[[ShardDriver], Awaitable[T]], deadline: Deadline, *, writes: bool
    ) -> T:
        """Runs the call on the checked shard. `writes` keeps the shard's beat going.

        Raises ShardGateFull, ShardTimeout, ShardUnavailable or ShardIdentityError without calling, else
        what the call raises. ShardUnavailable of a shard that is not connected tells when the next attempt
        begins.
        """
        async with self.gate.slot(deadline):
            if not deadline.remaining_s():
                raise ShardTimeout(self.shard_id, BEFORE_THIS_ONE)
            if self._state is LinkState.UNREACHABLE:
                await self._attempts.ended(deadline)
            if self._state is LinkState.CONNECTING:
                await self.decided(deadline)
            self._check_ready()
            generation = self._generation
            self._wrote |= writes
            try:
                return await call(self._driver)
            except ShardImpaired:
                raise
            except (ShardTimeout, OutcomeUnknownAtDeadline):
                self._suspicion.set()
                raise
            except (ShardUnavailable, OutcomeUnknown):
                if generation == self._generation and self._state is LinkState.READY:
                    self._enter(LinkState.CONNECTING, None)
                    self._doubt.set()
                    self._suspicion.set()
                raise

    def _check_ready(self) -> None:
        match self._state:
            case LinkState.READY:
                return
            case LinkState.REFUSED if self._problem is not None:
                raise self._problem.with_traceback(None)
            case _:
                raise ShardUnavailable(
                    self.shard_id, _why(self._problem), retry_after_s=self._attempts.begins_in_s
                ) from self._problem

    # --- the one task of the shard ----------------------------------------------------------------

    async def keep_connected(self) -> None:
        """Runs until it is cancelled."""
        while True:
            problem = await self._attempt(self._connect)
            if problem is None:
                self._attempts.succeeded()
                problem = await self._stay()
            if problem is not None:
                refused = isinstance(problem, ShardIdentityError)
                self._enter(LinkState.REFUSED if refused else LinkState.UNREACHABLE, problem)
                await self._clock.sleep(self._attempts.failed())

    async def _connect(self) -> None:
        # One that was never reached may be starting, which takes longer than coming back.
        ping_s_max = min(PING_S_MAX, self._attempts.ping_s_max) if self._generation else PING_S_MAX
        deadline = Deadline.after(self._settings.connect_timeout_s)
        marker = await self._charter.admit(self.shard_id, deadline, ping_s_max=ping_s_max)
        self._driver.use_marker(marker)
        comes_back = self._generation > 0
        if not comes_back:
            await self._ensure_schema()
        self._doubt.clear()
        self._suspicion.clear()
        self._generation += 1
        self._enter(LinkState.READY, None)
        self._on_ready()
        if comes_back:
            # It had its schema when it went: nobody has to wait until a cold server has listed it.
            await self._ensure_schema()

    async def _ensure_schema(self) -> None:
        await self._driver.ensure_schema(Deadline.after(self._settings.schema_timeout_s))

    async def _stay(self) -> GraphgateError | None:
        """Until there is a doubt (None: connect anew at once) or a certainty that it is refused."""
        while not await self._doubt_until_the_next_check():
            problem = await self._attempt(self._check)
            if isinstance(problem, ShardIdentityError):
                return problem
            if self._doubt.is_set():
                break
            if problem is not None and not isinstance(problem, ShardImpaired):
                self._enter(LinkState.CONNECTING, None)
                return None
            self._enter(LinkState.READY, problem)
        return None

    async def _doubt_until_the_next_check(self) -> bool:
        """Whether there is a doubt; False when a check is due."""
        settings, began_s = self._settings, self._clock.monotonic_s()
        if await self._clock.wait(self._suspicion, settings.check_interval_s) and not self._doubt.is_set():
            early_s = began_s + settings.early_check_s_min - self._clock.monotonic_s()
            if early_s > 0:
                await self._clock.wait(self._doubt, early_s)
        self._suspicion.clear()
        return self._doubt.is_set()

    async def _check(self) -> None:
        wrote, self._wrote = self._wrote, False
        try:
            deadline = Deadline.after(self._settings.check_timeout_s)
            marker = await self._charter.recheck(self.shard_id, wrote, deadline)
        except BaseException:
            self._wrote |= wrote
            raise
        self._driver.use_marker(marker)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> GraphgateError | None:
        try:
            await step()
        except GraphgateError as error:
            return error
        except Exception:
            # The task must live: a bug on the way to one shard is reported and tried again.
            _LOG.exception("shard %s: unexpected failure", self.shard_id)
            return ShardUnavailable(self.shard_id, "internal error")
        return None

    def _enter(self, state: LinkState, problem: GraphgateError | None) -> None:
        if (state, str(problem)) != (self._state, str(self._problem)):
            _LOG.log(
                logging.INFO if problem is None else logging.WARNING,
                "shard %s: %s -> %s%s",
                self.shard_id,
                self._state,
                state,
                "" if problem is None else f": {problem}",
            )
        self._state = state
        self._problem = problem
        if state is LinkState.CONNECTING:
            self._decided.clear()
        else:
            self._decided.set()
        if state in (LinkState.READY, LinkState.REFUSED):
            self._answered.set()
        else:
            self._answered.clear()


def _why(problem: GraphgateError | None) -> str:
    match problem:
        case None:
            return "not connected"
        case ShardUnavailable():
            return f"not connected, {problem.why}"
        case _:
            return f"not connected, {problem.reason}"
