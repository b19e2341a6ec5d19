"""The states that every row of a group went through, from the versions of the writes that were applied."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.robustness.model.history import Effect, RowSeen, Write, WriteHistory


@dataclass(frozen=True, slots=True)
class Step:
    """A write that touched the row, and the row after it."""

    version: int
    history: WriteHistory
    row: RowSeen | None


@dataclass(frozen=True, slots=True)
class Replay:
    steps: Mapping[str, Sequence[Step]]
    """By uuid, in the order of the versions."""
    counts: Mapping[str, tuple[int, ...]]
    """What each write must have answered, by operation id."""
    impossible: tuple[WriteHistory, ...]
    """Patches of rows and facts of entities that did not exist."""

    def row(self, uuid: str) -> RowSeen | None:
        """At the end."""
        steps = self.steps.get(uuid)
        return steps[-1].row if steps else None

    def step_at(self, uuid: str, version: int) -> int:
        """Index of the last step with at most that version, -1 before the first."""
        return bisect_right(self.steps.get(uuid, ()), version, key=lambda step: step.version) - 1


def replay(applied: Sequence[tuple[int, WriteHistory]]) -> Replay:
    """`applied`: writes of one group with the versions that they were given, in their order."""
    steps: dict[str, list[Step]] = {}
    counts: dict[str, tuple[int, ...]] = {}
    impossible: list[WriteHistory] = []
    facts_of: dict[str, list[str]] = {}
    """Every fact that ever hung on an entity."""

    def present(uuid: str) -> RowSeen | None:
        return steps[uuid][-1].row if uuid in steps else None

    for version, history in applied:
        write = history.write
        told: list[int] = []
        puts = write.effect in (Effect.CREATE, Effect.UPSERT)
        if write.ends is not None and puts and any(present(end) is None for end in write.ends):
            impossible.append(history)
        for uuid in write.uuids:
            before = present(uuid)
            if before is None and write.effect is Effect.PATCH:
                impossible.append(history)
            if uuid not in steps:
                for end in set(write.ends or ()):
                    facts_of.setdefault(end, []).append(uuid)
            steps.setdefault(uuid, []).append(Step(version, history, _after(write, before, version)))
            if write.effect is not Effect.DELETE:
                told.append(int(before is None))
                continue
            told.append(int(before is not None))
            for fact in facts_of.get(uuid, ()):
                if present(fact) is not None:
                    steps[fact].append(Step(version, history, None))
                    told.append(1)
        counts[write.op_id] = (sum(told),) if write.effect is Effect.DELETE else tuple(told)
    return Replay(steps, counts, tuple(impossible))


def _after(write: Write, before: RowSeen | None, version: int) -> RowSeen | None:
    match write.effect:
        case Effect.DELETE:
            return None
        case Effect.PATCH:
            return None if before is None else RowSeen(before.name, write.token, version)
        case Effect.CREATE | Effect.UPSERT:
            return RowSeen(write.token, write.token, version)
