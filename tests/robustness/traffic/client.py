"""One client: a call after the other, with a pause between."""

import asyncio
from collections.abc import Sequence
from functools import partial
from random import Random

from gateway.loopback.client import GatewayClient
from tests.robustness.model.history import Answer, Effect, Read, Write
from tests.robustness.timeline import Clock
from tests.robustness.traffic.board import Board, GroupBook, RowName, WriteBook
from tests.robustness.traffic.caller import CALL_S_MAX, Caller, CallLog, Reply
from tests.robustness.traffic.mix import ABANDONED, OVERWRITE_FIRST, ROWS_PER_CREATE_MAX, Step, next_step
from tests.robustness.traffic.requests import send_read, send_write

CLIENTS = 60
PAUSE_S_MIN, PAUSE_S_MAX = 0.3, 1.1
"""Between two calls of one client. Many slow clients, so that a call that hangs keeps few others from being
made: availability counts calls."""
SETTLE_S_MAX = 30.0
"""For one write of unknown outcome when everything runs again."""

_EFFECTS = {Step.OVERWRITE: Effect.UPSERT, Step.PATCH: Effect.PATCH, Step.DELETE: Effect.DELETE}


class TrafficClient:
    def __init__(self, board: Board, caller: Caller, clock: Clock, rng: Random) -> None:
        self._board = board
        self._caller = caller
        self._clock = clock
        self._rng = rng

    async def run(self, until_s: float) -> None:
        await asyncio.sleep(self._rng.uniform(0, PAUSE_S_MAX))
        while self._clock.now_s() < until_s:
            await self._step(next_step(self._rng))
            await asyncio.sleep(self._rng.uniform(PAUSE_S_MIN, PAUSE_S_MAX))

    async def settle(self, book: WriteBook) -> None:
        await self._attempt(book, "settle", call_s_max=SETTLE_S_MAX)

    async def _step(self, step: Step) -> None:
        group = self._board.any_group(self._rng)
        if step is Step.NEW_GROUP or group is None:
            await self._new_group()
        elif step is Step.SETTLE:
            await self._settle_one()
        elif step is Step.REPEAT:
            if self._board.repeatable:
                await self._attempt(self._rng.choice(self._board.repeatable), step)
        elif step is Step.CREATE:
            uuids = self._board.new_uuids(self._rng.randint(1, ROWS_PER_CREATE_MAX))
            await self._write(self._board.new_write(group.group_id, Effect.CREATE, uuids), step)
        elif step is Step.LINK:
            ends = (self._rng.choice(group.entities).uuid, self._rng.choice(group.entities).uuid)
            uuids = self._board.new_uuids(self._rng.randint(1, ROWS_PER_CREATE_MAX))
            await self._write(self._board.new_write(group.group_id, Effect.CREATE, uuids, ends), step)
        elif step is Step.READ:
            await self._read(group, group.any_row(self._rng))
        else:
            # Any row that was ever written, so that clients meet each other's rows, deleted ones too.
            row = group.any_row(self._rng)
            effect = _EFFECTS[step]
            write = self._board.new_write(group.group_id, effect, (row.uuid,), row.ends)
            await self._write(write, step)

    async def _new_group(self) -> None:
        write = self._board.new_write(self._board.new_group_id(), Effect.CREATE, self._board.new_uuids(1))
        await self._write(write, Step.NEW_GROUP)

    async def _write(self, write: Write, what: str) -> None:
        await self._attempt(self._board.begin(write, self._clock.now_s()), what)

    async def _attempt(self, book: WriteBook, what: str, call_s_max: float = CALL_S_MAX) -> None:
        write = book.write
        reply = await self._caller.call(
            write.group_id,
            what,
            partial(send_write, write),
            creates_group=self._board.group(write.group_id) is None,
            call_s_max=call_s_max,
        )
        book.doubtful |= reply.doubtful
        if reply.refusal:
            book.refusals.append(reply.refusal)
            if reply.refusal == "ROW_NOT_FOUND":
                self._note_absence(write, reply)
        elif reply.answer is not None:
            self._board.acknowledged(book, reply.answer, reply.ended_s)
        elif book.answered_s is None and self._rng.random() >= ABANDONED:
            self._board.unsettled.append(book)

    async def _settle_one(self) -> None:
        if not self._board.unsettled:
            return
        book = self._board.unsettled.popleft()
        # Only once a CREATE is acknowledged does anybody else name its rows.
        if book.write.effect is not Effect.CREATE and self._rng.random() < OVERWRITE_FIRST:
            effect = self._rng.choice((Effect.UPSERT, Effect.DELETE))
            write = book.write
            between = self._board.new_write(write.group_id, effect, write.uuids, write.ends)
            await self._write(between, Step.OVERWRITE)
        await self._attempt(book, Step.SETTLE)

    async def _read(self, group: GroupBook, named: RowName) -> None:
        min_version = group.version if self._rng.random() < 0.8 else 0
        send = partial(send_read, group.group_id, named, min_version)
        reply = await self._caller.call(group.group_id, Step.READ, send)
        if reply.answer is None and not reply.refusal:
            return
        row, version = reply.answer or (None, None)
        too_old = reply.refusal == "VERSION_NOT_REACHED"
        self._board.reads.append(
            Read(group.group_id, named.uuid, min_version, reply.sent_s, reply.ended_s, row, version, too_old)
        )

    def _note_absence(self, write: Write, reply: Reply[Answer]) -> None:
        """A patch that finds no row is a read, too."""
        self._board.reads.append(
            Read(write.group_id, write.uuids[0], 0, reply.sent_s, reply.ended_s, row=None, group_version=None)
        )


def make_clients(
    board: Board, gateways: Sequence[GatewayClient], clock: Clock, log: CallLog, seed: int
) -> list[TrafficClient]:
    clients: list[TrafficClient] = []
    for number in range(CLIENTS):
        rng = Random(f"client {seed} {number}")
        clients.append(TrafficClient(board, Caller(gateways, clock, log, rng), clock, rng))
    return clients
