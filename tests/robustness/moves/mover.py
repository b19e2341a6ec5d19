"""One mover: a group after the other, each followed to its end or to what its plan has for it."""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from random import Random

from gateway.embedded import CATALOG_ID
from graphgate.v1 import move_pb2
from tests.robustness.faults.injector import Injector
from tests.robustness.model.moves import END_PHASES
from tests.robustness.moves.calls import MoveCalls, phase_of
from tests.robustness.moves.desk import MoveDesk
from tests.robustness.moves.plan import (
    BEFORE_COMMIT,
    LEAD_S_MAX,
    LEADING_TO,
    PHASES,
    ROLES,
    Aim,
    Course,
    MovePlan,
    Place,
    is_over,
    later_aim,
    pairs_of,
    plan_move,
    target_of,
)
from tests.robustness.moves.shot import Shot
from tests.robustness.timeline import Clock

AIMING_S = 0.004
"""Between two looks at a move that something is to happen to in a phase of it."""
FOLLOWING_S = 0.1
_REST_S = (0.05, 0.5)
"""Between two moves of one mover."""
_DOWN_S_MAX = 1.5
_STUCK_S = 45.0
"""A move that has not ended after so long is left to the end of the run."""

type PartOf = Callable[[str], str | None]
"""The gateway process that calls itself so, by the name of its part."""


class Mover:
    def __init__(
        self, desk: MoveDesk, calls: MoveCalls, injector: Injector, part_of: PartOf, clock: Clock, rng: Random
    ) -> None:
        self._desk = desk
        self._calls = calls
        self._injector = injector
        self._part_of = part_of
        self._clock = clock
        self._rng = rng

    async def run(self, until_s: float) -> None:
        while self._clock.now_s() < until_s:
            await self._one_move(until_s)
            await asyncio.sleep(self._rng.uniform(*_REST_S))

    async def _one_move(self, until_s: float) -> None:
        group_id, target = await self._pick()
        if target is None:
            return
        has_slots = group_id in self._desk.bulk
        plan = plan_move(target, self._desk.killed_in(), self._rng, aims=True, has_slots=has_slots)
        self._desk.busy.add(group_id)
        try:
            reply = await self._calls.begin(
                group_id,
                plan.to_shard,
                plan.to_space,
                plan.reverse_window_s,
                str(uuid.UUID(int=self._rng.getrandbits(128))),
            )
            if reply.answer is None:
                self._desk.refused[reply.refusal or "NO_ANSWER"] += 1
                self._desk.places.pop(group_id, None)
                return
            await self._follow(reply.answer, plan, until_s)
        finally:
            self._desk.busy.discard(group_id)

    async def _pick(self) -> tuple[str, tuple[str, str] | None]:
        """A group for the pair that was moved least, or for the next one that there is a group for."""
        candidates = self._desk.candidates(self._rng)
        places = {group_id: await self._place(group_id) for group_id in candidates}
        pairs = sorted(
            pairs_of(self._desk.shards), key=lambda pair: (self._desk.begun[pair], self._rng.random())
        )
        for pair in pairs:
            for group_id in self._in_order(places, pair):
                place = places[group_id]
                if group_id in self._desk.busy or place is None:
                    continue
                target = target_of(pair, place, self._desk.shards, self._rng)
                if target is not None:
                    self._desk.begun[pair] += 1
                    return group_id, target
        return "", None

    def _in_order(self, group_ids: Iterable[str], pair: str) -> list[str]:
        """Large ones first where their move would build indexes and nothing was killed in that phase yet."""
        prefers = pair.endswith("->neo4j") and not self._desk.killed_in()["INDEXING"]
        return sorted(group_ids, key=lambda group_id: prefers and group_id not in self._desk.bulk)

    async def _place(self, group_id: str) -> Place | None:
        known = self._desk.places.get(group_id)
        if known is None:
            known = await self._calls.place_of(group_id)
            if known is not None:
                self._desk.places[group_id] = known
        return known

    async def _follow(self, progress: move_pb2.MoveProgress, plan: MovePlan, until_s: float) -> None:
        """To its end, or until the run or the patience is over."""
        aim, cancelled, gives_up_s = plan.aim, False, self._clock.now_s() + _STUCK_S
        course = plan.course
        while True:
            self._desk.see(progress)
            phase, struck = phase_of(progress), False
            if aim is not None and phase in (aim.phase, *LEADING_TO.get(aim.phase, ())):
                if phase != aim.phase:
                    await asyncio.sleep(self._rng.uniform(0, LEAD_S_MAX))
                # Not twice: where nothing can be killed now, the phase has been missed.
                struck = await self._strike(aim, progress)
                aim = None if struck else self._later_aim(aim, aim.phase, plan)
            elif aim is not None and is_over(aim.phase, phase):
                aim = self._later_aim(aim, phase, plan)
            if course is Course.CANCEL and not cancelled and _reached(plan.cancel_in, phase):
                cancelled = await self._calls.cancel(progress.move_id)
            if phase == "REVERSIBLE" and course is Course.FINISH and aim is None:
                await self._calls.finish(progress.move_id)
            if phase == "REVERSIBLE" and course is Course.REVERSE and aim is None:
                back = await self._calls.reverse(progress.move_id)
                if back.answer is not None:
                    course, progress = Course.FINISH, back.answer
                    continue
                self._desk.refused[f"REVERSE_{back.refusal or 'NO_ANSWER'}"] += 1
                course = Course.FINISH
            now_s = self._clock.now_s()
            if phase in END_PHASES or now_s > min(until_s, gives_up_s):
                return
            # Also right after a kill: the record tells in which phase it was.
            waits = struck or aim is not None or (course is Course.CANCEL and not cancelled)
            await asyncio.sleep(AIMING_S if waits else FOLLOWING_S)
            reply = await self._calls.get(progress.move_id)
            if reply.refusal:
                # An older copy of the catalog's data.
                self._desk.forget(progress.move_id)
                return
            progress = reply.answer or progress

    async def _strike(self, aim: Aim, progress: move_pb2.MoveProgress) -> bool:
        """Kills what has the role or, while that rests, what has another one; whether anything was."""
        others = [role for role in ROLES if role != aim.role]
        roles = [aim.role, *self._rng.sample(others, len(others))]
        strikable = (
            (role, part)
            for role in roles
            if (part := self._part(role, progress)) is not None and self._injector.may_strike(part)
        )
        role, part = next(strikable, (aim.role, None))
        if part is None:
            return False
        struck_us = await self._injector.strike(part, self._rng.uniform(0, _DOWN_S_MAX))
        recorded_us = progress.updated_at.ToMicroseconds()
        shot = Shot(progress.move_id, role, part, struck_us, phase_of(progress), recorded_us)
        self._desk.shots.append(shot)
        return True

    def _later_aim(self, aim: Aim, now: str, plan: MovePlan) -> Aim | None:
        return later_aim(aim, now, plan.phases, self._desk.killed_in(), self._rng)

    def _part(self, role: str, progress: move_pb2.MoveProgress) -> str | None:
        match role:
            case "SOURCE":
                return progress.source_shard
            case "TARGET":
                return progress.target_shard
            case "CATALOG":
                return CATALOG_ID
            case _:
                return self._part_of(progress.coordinator)


def _reached(cancel_in: str, phase: str) -> bool:
    return phase in BEFORE_COMMIT and PHASES.index(phase) >= PHASES.index(cancel_in)
