"""What the fences of one group say, taken together. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from drivers.fence import POOLED, Engine, Fence, FenceState
from shard_router.catalog_check.findings import Finding, FindingKind
from shard_router.moves.adoption import is_copy, is_source
from shard_router.moves.record import record_id
from shard_router.placement import Placement
from shard_router.root_register import FIRST_EPOCH, HOPS_MAX, POINTER_EPOCH


@dataclass(frozen=True, slots=True)
class FleetView:
    """The shards as the check sees them."""

    engines: Mapping[str, Engine]
    """By shard_id, of every shard that has not been removed."""
    away: Collection[str]
    """Of these, those that do not answer: what they have is not known."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One fence and where it lies."""

    shard_id: str
    fence: Fence

    @property
    def text(self) -> str:
        space = f"/{self.fence.space}" if self.fence.space else ""
        return f"{self.shard_id}{space} {self.fence.state} epoch {self.fence.epoch}"


@dataclass(frozen=True, slots=True)
class Judgement:
    owner: Placement | None
    """The one owner; None: there is none, or more than one."""
    findings: tuple[Finding, ...]


def judge(group_id: str, seen: Collection[Seen], home: str, view: FleetView) -> Judgement:
    """`seen`: all fences of the group."""
    owners = [one for one in seen if one.fence.owns]
    findings: list[Finding] = []
    if len(owners) > 1:
        told = ", ".join(one.text for one in owners)
        findings.append(
            _finding(
                FindingKind.TWO_OWNERS, group_id, owners, f"{told}: restore the older one from its backup"
            )
        )
    findings += _follow(group_id, seen, owners, home, view)
    owner = None
    if len(owners) == 1:
        fence = owners[0].fence
        owner = Placement(group_id, owners[0].shard_id, fence.space, fence.epoch)
    return Judgement(owner, tuple(findings))


def compare(owner: Placement | None, record: Placement | None, group_id: str) -> Finding | None:
    """The record against the owner's fence."""
    if owner is None:
        return None
    if record is None:
        return Finding(
            FindingKind.RECORD_MISSING, group_id, (owner.shard_id,), "the catalog has no record; rebuild it"
        )
    if record == owner:
        return None
    told = f"the record says {record.shard_id} epoch {record.epoch}, the fence {owner.shard_id} {owner.epoch}"
    if record.epoch > owner.epoch:
        return Finding(
            FindingKind.RECORD_AHEAD,
            group_id,
            (record.shard_id, owner.shard_id),
            f"{told}: the fence is of an older copy of the data; restore the newest one",
        )
    return Finding(FindingKind.RECORD_DIFFERS, group_id, (record.shard_id, owner.shard_id), told)


def _finding(kind: FindingKind, group_id: str, seen: Collection[Seen], detail: str) -> Finding:
    return Finding(kind, group_id, tuple(dict.fromkeys(one.shard_id for one in seen)), detail)


def _follow(
    group_id: str, seen: Collection[Seen], owners: list[Seen], home: str, view: FleetView
) -> list[Finding]:
    """From the entry at the home to the owner."""
    by_place = {(one.shard_id, _space(one.shard_id, one.fence.space, view)): one for one in seen}
    place = (home, POOLED)
    before: Seen | None = None
    visited: dict[tuple[str, str], None] = {}
    while True:
        at = by_place.get(place)
        if at is None:
            return _ended(group_id, seen, owners, place[0], before, view)
        if place in visited:
            told = " -> ".join(f"{shard_id}/{space}" if space else shard_id for shard_id, space in visited)
            return [
                _finding(FindingKind.REGISTER_CIRCLE, group_id, seen, f"its fences lead in a circle: {told}")
            ]
        visited[place] = None
        fence = at.fence
        if fence.owns:
            return []
        if fence.state is FenceState.READY and before is not None and before.fence.moved_epoch == fence.epoch:
            detail = f"{at.text}: the move is committed, the next use of the group opens it"
            return [_finding(FindingKind.READY_NOT_OPENED, group_id, [at], detail)]
        if not fence.moved_to:
            detail = f"{at.text} leads nowhere; restore that shard's newest copy"
            return [_finding(FindingKind.REGISTER_BROKEN, group_id, [at, *owners], detail)]
        if len(visited) > HOPS_MAX:
            detail = f"more than {HOPS_MAX} fences lead from its home to its owner; move it once more"
            return [_finding(FindingKind.REGISTER_BROKEN, group_id, seen, detail)]
        before = at
        place = (fence.moved_to, _space(fence.moved_to, fence.moved_space, view))


def _space(shard_id: str, space: str, view: FleetView) -> str:
    """Neo4j has one, whatever a fence calls it."""
    return POOLED if view.engines.get(shard_id) is Engine.NEO4J else space


def _ended(
    group_id: str,
    seen: Collection[Seen],
    owners: list[Seen],
    shard_id: str,
    before: Seen | None,
    view: FleetView,
) -> list[Finding]:
    """There is no fence where the register leads."""
    if shard_id in view.away:
        return []
    if before is None:
        told = ", ".join(one.text for one in seen)
        detail = f"no entry at its home {shard_id}, but {told}; restore that shard's newest copy"
        return [Finding(FindingKind.REGISTER_MISSING, group_id, (shard_id,), detail)]
    pointer = before.fence
    gone = "" if shard_id in view.engines else ", which is no shard of the fleet"
    if owners:
        detail = f"its register ends at {shard_id}{gone}, but {', '.join(one.text for one in owners)}"
        return [_finding(FindingKind.REGISTER_BROKEN, group_id, [before, *owners], detail)]
    if (pointer.epoch, pointer.moved_epoch) == (POINTER_EPOCH, FIRST_EPOCH):
        detail = f"placed at {shard_id}{gone}, where it was never made; the next write makes it"
        return [_finding(FindingKind.UNFINISHED_CREATION, group_id, [before], detail)]
    detail = f"{before.text} leads to {shard_id}{gone}, where it is not; restore that shard's newest copy"
    return [_finding(FindingKind.NO_OWNER, group_id, [before], detail)]


def moves_of(seen: Collection[Seen]) -> dict[str, Seen]:
    """By the id of their record: moves that are not finished, as the fences tell. Of each the fence of its
    source; that of its copy if the source does not know it any more."""
    found = {record_id(one.fence.move_id): one for one in seen if is_copy(one.fence)}
    return found | {record_id(one.fence.move_id): one for one in seen if is_source(one.fence)}
