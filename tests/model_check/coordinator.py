"""A coordinator of a move, step by step: what it has read, what it sends, and what it does when refused.

take -> prepare -> wipe -> bound -> wiped -> copy, load -> rounds, scan, apply -> ready -> off
            `----- judge: the target was READY when this coordinator took over
any of these, its move given up by ABANDON -> discard -> off
"""

from typing import Final, cast

from tests.model_check.model import Model, deliver, seen_version, under_way
from tests.model_check.movers import NONE, begin, may_be_late, spent, with_movers
from tests.model_check.state import (
    END,
    FROZEN,
    INCOMING,
    KEYS,
    MOVED,
    NO_ROW,
    OPEN,
    OPERATIONS,
    READY,
    TOMB,
    TOMBSTONES,
    WIPING,
    Fence,
    Message,
    Mover,
    Row,
    Step,
    World,
)

OFF: Final = None


def coordinators(model: Model, world: World, out: list[Step]) -> None:
    if world.left.takes:
        for source, target in model.config.routes:
            begin(model, world, source, target, out)
    for mover in world.movers:
        _Steps(model, world, mover, out).all()


class _Steps:
    """Of one coordinator in one state."""

    def __init__(self, model: Model, world: World, mover: Mover, out: list[Step]) -> None:
        self._model = model
        self._world = world
        self._mover = mover
        self._out = out
        self._rest = tuple(other for other in world.movers if other is not mover)
        source, target = world.shards[mover.source].fence, world.shards[mover.target].fence
        assert source is not None
        self._source: Fence = source
        self._target: Fence = target or NONE

    def all(self) -> None:
        match self._mover.at:
            case "take":
                self._take()
                return
            case "prepare":
                self._prepare()
            case "wipe":
                self._send("wipe", self._to, (self._mover.token, self._mover.move_id), at="bound")
            case "bound":
                self._bound()
            case "wiped":
                self._send_rule("WIPED", *self._mover.held, at="copy", held=())
            case "copy":
                self._copy()
            case "load":
                self._load()
            case "rounds":
                self._rounds()
            case "scan":
                self._scan()
            case "apply":
                self._apply()
            case "ready":
                self._commit()
            case "discard":
                self._send_rule("DISCARD", self._source.epoch, ends=True)
            case _:
                self._judge()
        self._give_up()

    # --- going on -----------------------------------------------------------------------------------

    @property
    def _to(self) -> int:
        return self._mover.target

    def _go(self, label: str, world: World, mover: Mover | None) -> None:
        movers = self._rest if mover is None else (*self._rest, mover)
        label = f"coordinator {self._mover.token} {label}"
        self._out.append((label, with_movers(self._model, world, movers)))

    def _step(self, label: str, **changes: object) -> None:
        self._go(label, self._world, self._mover._replace(**changes))

    def _send_rule(
        self,
        rule: str,
        *more: object,
        load: tuple[object, ...] = (),
        ends: bool = False,
        left: str = "",
        **changes: object,
    ) -> None:
        """To the target, of the rules that are given the token and the move id."""
        given = (self._mover.token, self._mover.move_id, *cast("tuple[int, ...]", more))
        self._send(rule, self._to, given, load, ends=ends, left=left, **changes)

    def _send(
        self,
        rule: str,
        shard: int,
        given: tuple[int, ...],
        load: tuple[object, ...] = (),
        *,
        ends: bool = False,
        left: str = "",
        **changes: object,
    ) -> None:
        """The answer comes, or the message is late. Refused, it looks at the fences."""
        world, message = self._world, Message(rule, shard, given, load)
        if left:
            world = spent(world, left)
        after = deliver(self._model, world, message)
        if after is not None:
            self._go(f"{rule}{_text(given)}", after, OFF if ends else self._mover._replace(**changes))
        elif not self._world.transactions[shard]:
            self._orient(rule)
        if may_be_late(self._model, world, message):
            late = under_way(world, message)
            self._go(f"{rule}{_text(given)}: no answer, under way", late, self._mover)

    def _orient(self, refused: str) -> None:
        mover, target = self._mover, self._target
        lost = self._source.token != mover.token or (refused == "TAKE" and mover.at == "take")
        if lost or self._source.state in (MOVED, TOMB):
            self._go(f"{refused} refused, is done", self._world, OFF)
        elif self._source.move_id != mover.move_id:
            at = OFF if mover.at == "discard" else mover._replace(at="discard", held=(), frozen=())
            self._go(f"{refused} refused, was given up", self._world, at)
        elif (target.token, target.move_id) == (mover.token, mover.move_id):
            at = _after(target)
            if (at, mover.held, mover.frozen) != (mover.at, (), ()):
                self._step(f"{refused} refused, looks", at=at, held=(), frozen=())

    # --- the steps ----------------------------------------------------------------------------------

    def _take(self) -> None:
        mover = self._mover
        (seen_move_id,) = cast("tuple[int]", mover.held)
        given = (mover.token, seen_move_id, mover.move_id, mover.target + 1)
        self._send("TAKE", mover.source, given, at="prepare", held=())

    def _prepare(self) -> None:
        mover, target = self._mover, self._target
        if target.move_id == mover.move_id and target.state in (WIPING, INCOMING, READY):
            self._send_rule("RESUME", at=_after(target))
            return
        back = mover.source + 1
        if target.state == MOVED or (target.state == TOMB and "delta onto wiped rows" in self._model.flags):
            floor = self._source.prune_floor
            given = (mover.token, mover.move_id, back, floor, END)
            self._send("PREPARE_DELTA", self._to, given, at="rounds")
        self._send("PREPARE", self._to, (mover.token, mover.move_id, back), at="wipe")

    def _bound(self) -> None:
        version = seen_version(self._model, self._world, self._mover.source)
        if version is not None:
            self._step(f"notes v{version}", at="wiped", held=(version,))

    def _copy(self) -> None:
        section, shard = self._target.cursor, self._world.shards[self._mover.source]
        if section == END:
            if "applied set after the copy" in self._model.flags and self._target.state == INCOMING:
                late = self._target._replace(applied=max(self._target.applied, self._source.version))
                shards = list(self._world.shards)
                shards[self._to] = shards[self._to]._replace(fence=late)
                self._go(
                    "applied", self._world._replace(shards=tuple(shards)), self._mover._replace(at="rounds")
                )
                return
            self._step("copy done", at="rounds")
            return
        found: object = shard.operations
        if section < TOMBSTONES:
            found = shard.rows[section]
        elif section < OPERATIONS:
            found = shard.tombstones
        self._step(f"reads section {section}", at="load", held=(section, found, self._source.prune_floor))

    def _load(self) -> None:
        section, found, floor = cast("tuple[int, object, int]", self._mover.held)
        self._send_rule("LOAD", section, section + 1, floor, load=(section, found), at="copy", held=())

    def _rounds(self) -> None:
        mover, source, applied = self._mover, self._source, self._target.applied
        mine = source.token == mover.token
        if not mover.frozen and mine and source.state == FROZEN:
            self._step("sees it frozen", frozen=(source.epoch, source.version))
        elif not mover.frozen and source.state == OPEN:
            self._send(
                "FREEZE",
                mover.source,
                (mover.token, mover.move_id),
                frozen=(source.epoch + self._epochs_of_freeze(), source.version),
            )
        bound = mover.frozen[1] if mover.frozen else seen_version(self._model, self._world, mover.source)
        if bound is not None and applied < bound:
            self._step(f"round ({applied}, {bound}]", at="scan", held=(applied, bound, ()))
        if mover.frozen and (applied == bound or "READY as it is" in self._model.flags):
            epoch, version = mover.frozen
            self._send_rule("READY", version, epoch + 1, at="ready")

    def _epochs_of_freeze(self) -> int:
        probe = Fence(OPEN, token=1, move_id=1)
        frozen = self._model.rules.by_name["FREEZE"].after(probe, (1, 1))
        assert frozen is not None
        return frozen.epoch

    def _scan(self) -> None:
        """Row by row: not a snapshot. Tombstones, records and the floor come last."""
        flags = self._model.flags
        applied, bound, rows = cast("tuple[int, int, tuple[Row, ...]]", self._mover.held)
        shard = self._world.shards[self._mover.source]
        if len(rows) < KEYS:
            row = shard.rows[len(rows)]
            rows = (*rows, row if row[0] > applied else NO_ROW)
            self._step(f"scans {'ab'[len(rows) - 1]}", held=(applied, bound, rows))
            return
        if self._source.prune_floor > applied and "floor not looked at" not in flags:
            self._anew()
            return
        tombstones = _newer(shard.tombstones, applied)
        operations = _newer(shard.operations, applied)
        if "bound read after the scan" in flags:
            bound = self._source.version
        floor = self._source.prune_floor
        self._step("scan done", at="apply", held=(applied, bound, floor, rows, tombstones, operations))
        if not self._model.config.cut_batches:
            return
        versions = {version for version in (*(row[0] for row in rows), *tombstones) if 0 < version < bound}
        for cut in sorted(versions):
            part = tuple(row if row[0] <= cut else NO_ROW for row in rows)
            unsent = "cut batch without tombstones" in flags
            gone = tuple(0 if unsent or version > cut else version for version in tombstones)
            known = tuple(version if version <= cut else 0 for version in operations)
            self._step(f"scan cut at v{cut}", at="apply", held=(applied, cut, floor, part, gone, known))

    def _anew(self) -> None:
        """Tombstones that the target lacks are gone: everything again, as another move."""
        mover, source, target = self._mover, self._source, self._target
        if "copied anew with the same token" in self._model.flags:
            if (target.token, target.state) == (mover.token, INCOMING):
                shards = list(self._world.shards)
                shards[self._to] = shards[self._to]._replace(fence=target._replace(state=WIPING, cursor=0))
                world = self._world._replace(shards=tuple(shards))
                self._go("begins anew", world, mover._replace(at="wipe", held=(), frozen=()))
            return
        token = max(source.token, target.token) + 1
        given = (token, mover.move_id, token, mover.target + 1)
        after = deliver(self._model, self._world, Message("TAKE", mover.source, given))
        if after is not None and source.token == mover.token:
            again = Mover(token, token, mover.source, mover.target, "prepare")
            self._go(f"begins anew with token {token}", after, again)
        elif not self._world.transactions[mover.source]:
            self._orient("TAKE")

    def _apply(self) -> None:
        applied, bound, floor, *load = cast("tuple[int, int, int, object, object, object]", self._mover.held)
        self._send_rule("APPLY", applied, bound, floor, load=tuple(load), at="rounds", held=())

    def _commit(self) -> None:
        mover = self._mover
        given = (mover.token, mover.frozen[0], mover.target + 1)
        self._send("COMMIT", mover.source, given, ends=True)

    def _judge(self) -> None:
        """The target is READY: for this freeze, or for one that is over?"""
        mover, source, target = self._mover, self._source, self._target
        fits = (target.epoch, target.version) == (source.epoch + 1, source.version)
        mine = source.state == FROZEN and source.token == mover.token
        if mine and target.state == READY and (fits or "READY taken as it is" in self._model.flags):
            self._step("finds it ready", at="ready", frozen=(source.epoch, source.version))
            return
        self._send_rule("UNREADY", target.epoch, at="rounds", frozen=())

    def _give_up(self) -> None:
        mover, source = self._mover, self._source
        if source.token != mover.token:
            return
        if self._world.left.thaws and mover.frozen and mover.at in ("rounds", "ready"):
            if source.state == FROZEN:
                at = "judge" if mover.at == "ready" else "rounds"
                self._send("THAW", mover.source, (mover.token,), left="thaws", at=at, frozen=())
            if "UNREADY before THAW" in self._model.flags and mover.at == "ready":
                self._send_rule("UNREADY", self._target.epoch, left="thaws", at="rounds", frozen=())
        if self._world.left.aborts and source.move_id == mover.move_id and source.state in (OPEN, FROZEN):
            if "DISCARD before ABANDON" in self._model.flags:
                self._send_rule("DISCARD", source.epoch, left="aborts", ends=True)
            rule = "ABANDON" if source.state == OPEN else "ABANDON_FROZEN"
            given = (mover.token, mover.move_id)
            self._send(rule, mover.source, given, left="aborts", at="discard", held=(), frozen=())


def _after(target: Fence) -> str:
    """Where to go on, by the target's fence."""
    if target.state == WIPING:
        return "wipe"
    if target.state == READY:
        return "judge"
    return "rounds" if target.cursor == END else "copy"


def _newer(versions: tuple[int, ...], than: int) -> tuple[int, ...]:
    return tuple(version if version > than else 0 for version in versions)


def _text(given: tuple[int, ...]) -> str:
    return "".join(f" {value}" for value in given)
