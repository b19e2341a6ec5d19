"""The connection of this gateway to one shard: checked before it is used, and again after every doubt.

    CONNECTING --admitted--> READY --a call or a check fails--> CONNECTING
        |  |                   |
        |  +--no answer--> UNREACHABLE --tried again, ever more slowly--> READY
        +--wrong shard--> REFUSED ------tried again, ever more slowly--> READY

A lost connection is a doubt: the next call waits until the shard has been admitted anew. A call whose time
ran out only brings the next check forward, for a shard is not to be taken from all because one caller was in
a hurry. A shard that answers that it cannot (out of memory, read-only) stays READY, with its problem noted.

One task per shard connects, checks and beats, so that a shard that comes back meets one connection
attempt per gateway and not one per waiting call.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
from shard_router.backoff import Backoff
from shard_router.charter import Charter
from shard_router.clock import Clock
from shard_router.gate import BEFORE_THIS_ONE, ShardGate

_LOG = logging.getLogger(__name__)

_RECONNECT = Backoff(first_s=0.2, pause_s_max=2.0)


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
    reconnect: Backoff = _RECONNECT


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
        self._rng = rng
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
        self._wrote = False

    @property
    def shard_id(self) -> str:
        return self._driver.shard_id

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
        what the call raises.
        """
        async with self.gate.slot(deadline):
            if not deadline.remaining_s():
                raise ShardTimeout(self.shard_id, BEFORE_THIS_ONE)
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
                raise ShardUnavailable(self.shard_id, _why(self._problem)) from self._problem

    # --- the one task of the shard ----------------------------------------------------------------

    async def keep_connected(self) -> None:
        """Runs until it is cancelled."""
        failures = 0
        while True:
            problem = await self._attempt(self._connect)
            if problem is None:
                failures = 0
                problem = await self._stay()
            if problem is not None:
                failures += 1
                refused = isinstance(problem, ShardIdentityError)
                self._enter(LinkState.REFUSED if refused else LinkState.UNREACHABLE, problem)
                await self._clock.sleep(self._settings.reconnect.pause_s(failures, self._rng))

    async def _connect(self) -> None:
        marker = await self._charter.admit(self.shard_id, Deadline.after(self._settings.connect_timeout_s))
        self._driver.use_marker(marker)
        await self._driver.ensure_schema(Deadline.after(self._settings.schema_timeout_s))
        self._doubt.clear()
        self._suspicion.clear()
        self._generation += 1
        self._enter(LinkState.READY, None)
        self._on_ready()

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
