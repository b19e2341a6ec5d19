"""Groups with one move each, and the way of each move to the point at which it stands."""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from drivers.errors import DeadlinePassed, GraphgateError
from shard_router.moves.moves import Moves
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest, ToSpace
from tests.integration.moves.history import GroupWriter, soon
from tests.integration.moves.points import COURSES, Course, Stand
from tests.integration.moves.progress import while_going
from tests.integration.moves.world import INDEXED_ROWS, SETTINGS, Gateway, ended, engine_of

WINDOW_S = 600.0
"""Longer than a test: it is ended by hand."""
ASK_PAUSE_S = 0.05


@dataclass(slots=True)
class Case:
    """A group, its writer, and its move that stands at a point."""

    kind: str
    stand: Stand
    writer: GroupWriter
    target: str
    move_id: str = ""
    asking: asyncio.Task[MoveRecord] | None = None
    """The call that begins the move, which may stand at the point itself."""
    _request: MoveRequest | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.stand.point}"

    @property
    def group_id(self) -> str:
        return self.stand.group_id

    @property
    def course(self) -> Course:
        return COURSES[self.kind]

    def ask(self, gateways: Sequence[Gateway]) -> None:
        """For its move, without waiting for the answer. Again: the caller has given up the call before."""
        if self.asking is not None:
            self.asking.cancel()
        self._request = request = self._request or MoveRequest(
            self.group_id,
            self.target,
            to_space=ToSpace.OWN if self.kind == "to its own space" else ToSpace.POOLED,
            reverse_window_s=0 if self.course.ends is MovePhase.DONE else WINDOW_S,
            request_id=secrets.token_hex(8),
        )
        self.move_id = request.move_id
        self.asking = asyncio.create_task(asked(gateways, lambda moves: moves.begin(request, soon())))


async def cases_of(first: Gateway, second: Gateway, shards: tuple[str, str], seed: int) -> list[Case]:
    """One for each point that a move between these shards can come to. Their groups will be made at the
    source."""
    source, target = shards
    cases: list[Case] = []
    for kind, course in COURSES.items():
        for point in course.points if course.fits(engine_of(source), engine_of(target)) else ():
            group_id = await _new_group_at(source, first, kind.replace(" ", "-"))
            writer = GroupWriter(
                group_id,
                (first.writer, second.writer),
                Random(f"{seed} {kind} {point}"),
                vectors=INDEXED_ROWS if kind == "indexed" else 0,
            )
            cases.append(Case(kind, Stand(group_id, point), writer, target))
    return cases


async def _new_group_at(shard: str, gateway: Gateway, prefix: str) -> str:
    while True:
        group_id = f"{prefix}-{secrets.token_hex(6)}"
        if await gateway.router.shard_for_new(group_id, soon()) == shard:
            return group_id


async def write_groups(source: str, gateway: Gateway, cases: Sequence[Case]) -> None:
    """With their first rows, in their own space where they are to leave one."""

    async def make(case: Case) -> None:
        await case.writer.begin()
        assert (await gateway.router.describe_group(case.group_id, soon()))[0] == source
        if case.kind == "out of its own space":
            request = MoveRequest(
                case.group_id,
                source,
                to_space=ToSpace.OWN,
                reverse_window_s=0,
                request_id=secrets.token_hex(8),
            )
            there = await asked((gateway,), lambda moves: moves.begin(request, soon()))
            record = await ended(gateway, there.move_id)
            assert record.phase == MovePhase.DONE, record

    async with asyncio.TaskGroup() as tasks:
        for case in cases:
            tasks.create_task(make(case))


async def until_all_stand(cases: Sequence[Case], gateways: Sequence[Gateway]) -> None:
    """`gateways`: the first one does the moves, any is asked for them."""
    await _resume([case for case in cases if case.kind == "resumed"], gateways)
    # Whoever stands in a deletion keeps all other groups of the shard from theirs.
    for last in (False, True):
        async with asyncio.TaskGroup() as tasks:
            for case in cases:
                if case.kind != "resumed" and (case.kind == "wiped") is last:
                    tasks.create_task(_until_it_stands(case, gateways))


async def _resume(cases: Sequence[Case], gateways: Sequence[Gateway]) -> None:
    """The moves of the first gateway end and go on in another process, in which these stand."""
    first = gateways[0]
    for case in cases:
        held = Stand(case.group_id, case.course.held_at)
        first.points.arm(held)
        case.ask(gateways)
        await _reached(held, first, case)
    await first.close_moves()
    first.renew_moves()
    for case in cases:
        first.points.arm(case.stand)
    await first.moves.start()
    for case in cases:
        await _reached(case.stand, first, case)


async def _until_it_stands(case: Case, gateways: Sequence[Gateway]) -> None:
    gateway = gateways[0]
    held = _held_before(case)
    if held is not None:
        gateway.points.arm(held)
        case.ask(gateways)
        await _reached(held, gateway, case)
    if case.kind == "reverse":
        case.ask(gateways)
        await ended(gateway, case.move_id)
        there = case.move_id
        gateway.points.arm(case.stand)
        case.move_id = (await asked(gateways, lambda moves: moves.reverse(there, soon()))).move_id
    else:
        gateway.points.arm(case.stand)
    if held is not None:
        await _before_it_goes_on(case, gateways)
        held.goes.set()
    elif case.asking is None:
        case.ask(gateways)
    await _reached(case.stand, gateway, case)


async def _before_it_goes_on(case: Case, gateways: Sequence[Gateway]) -> None:
    """What its course does to it where it is held."""
    if case.course.ends is MovePhase.CANCELLED:
        await asked(gateways, lambda moves: moves.cancel(case.move_id, soon()))
    elif case.kind == "thawed":
        await asyncio.sleep(SETTINGS.drain_s_max)
    elif case.kind == "move":
        # Something that the copy's rounds have to bring.
        acked = case.writer.acked

        async def written() -> tuple[bool, object]:
            return case.writer.acked > acked, case.writer.attempts

        await while_going(written)


def _held_before(case: Case) -> Stand | None:
    """Where the move waits for something to happen on its way to the point."""
    held_at = case.course.held_at or ("after WIPED" if "APPLY" in case.stand.point else "")
    return Stand(case.group_id, held_at) if held_at else None


async def _reached(stand: Stand, gateway: Gateway, case: Case) -> None:
    """As long as moves get on there, this one may only be late."""

    async def look() -> tuple[bool, object]:
        return stand.reached.is_set(), (gateway.points.changes, case.name, stand.point)

    await while_going(look)


async def asked(gateways: Sequence[Gateway], ask: Callable[[Moves], Awaitable[MoveRecord]]) -> MoveRecord:
    """As a caller does: again under the same request_id, with one gateway after the other, for as long as the
    test may take."""
    for gateway in itertools.cycle(gateways):
        try:
            return await ask(gateway.moves)
        except GraphgateError as error:
            if not (error.retryable or isinstance(error, DeadlinePassed)):
                raise
        await asyncio.sleep(ASK_PAUSE_S)
    raise AssertionError("no gateway to ask")
