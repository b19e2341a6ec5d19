"""What a driver does for the move of a group, on the plain dictionaries of one group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from drivers.fence import Fence, FenceState, GroupRef
from drivers.fence_changes import FenceChange, Value
from drivers.fence_codec import FENCE_COLUMNS, decode_fence, encode_fence
from drivers.graph_model import (
    EDGE_KINDS,
    NODE_KINDS,
    AnyRow,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    SagaEpisode,
)
from drivers.moving import (
    Changed,
    CopyCursor,
    GroupChanges,
    GroupPage,
    Intake,
    Other,
    PageAhead,
    Settlement,
    after_page,
    check_intake,
    newest_rows,
    sections_from,
)
from drivers.reads import Tombstone
from drivers.row_codec import kind_of
from drivers.write_plan import OpRecord
from tests.model_group import (
    DEFAULT_SLOT,
    GroupState,
    KindAndUuid,
    ends,
    every_kind,
    incident,
    read,
)

# --- the fence ------------------------------------------------------------------------------------


def changed(
    group: GroupState,
    ref: GroupRef,
    change: FenceChange,
    given: Mapping[str, Value],
    settlement: Settlement | None,
) -> bool:
    """Whether the change was allowed and is done."""
    there = None if group.fence is None else encode_fence(group.fence)
    if not change.allowed(there, given):
        return False
    before = there if there is not None else encode_fence(Fence(ref.group_id, 0, FenceState.WIPING))
    after = change.after(before, given)
    group.fence = decode_fence([after[name] for name in FENCE_COLUMNS])
    if settlement is not None:
        group.fence = replace(group.fence, stats=every_kind(settlement.stats))
    return True


# --- reading a group out --------------------------------------------------------------------------


KEYS_AHEAD = 5


def page(group: GroupState, cursor: CopyCursor, rows_max: int, ahead: PageAhead | None = None) -> GroupPage:
    if ahead is not None and cursor.after and isinstance(cursor.section, Kind):
        return _page_by_keys(group, cursor.section, cursor.after, rows_max, ahead)
    found = [_page(group, place, rows_max) for place in sections_from(cursor)]
    return next((part for part in found if part.rows or part.tombstones or part.operations), found[-1])


def _page_by_keys(group: GroupState, kind: Kind, after: str, rows_max: int, ahead: PageAhead) -> GroupPage:
    """With keys as stale as they may be on an engine that reads them ahead."""
    while (keys := ahead.behind(kind, after, rows_max)) is None:
        of_kind = sorted(uuid for found, uuid in group.rows if found == kind and uuid > after)
        ahead.learn(kind, after, of_kind[:KEYS_AHEAD], whole=len(of_kind) < KEYS_AHEAD)
    rows = tuple(read(group, kind, uuid, True) for uuid in keys if (kind, uuid) in group.rows)
    ends = not keys or ahead.ends_with(keys[-1])
    following = after_page(kind, (), rows_max) if ends else CopyCursor(kind, keys[-1])
    return GroupPage(rows, (), (), following, group.fence)


def _page(group: GroupState, cursor: CopyCursor, rows_max: int) -> GroupPage:
    rows: list[AnyRow] = []
    tombstones: list[Tombstone] = []
    operations: list[OpRecord] = []
    match cursor.section:
        case Kind() as kind:
            of_kind = sorted(uuid for found, uuid in group.rows if found == kind and uuid > cursor.after)
            keys = of_kind[:rows_max]
            rows = [read(group, kind, uuid, True) for uuid in keys]
        case Other.TOMBSTONE:
            gone = {
                f"{kind}/{uuid}": Tombstone(kind, uuid, v) for (kind, uuid), v in group.tombstones.items()
            }
            keys = sorted(key for key in gone if key > cursor.after)[:rows_max]
            tombstones = [gone[key] for key in keys]
        case Other.OPERATION:
            keys = sorted(op_id for op_id in group.operations if op_id > cursor.after)[:rows_max]
            operations = [group.operations[key] for key in keys]
    following = after_page(cursor.section, keys, rows_max)
    return GroupPage(tuple(rows), tuple(tombstones), tuple(operations), following, group.fence)


def changes(group: GroupState, after_version: int, rows_max: int) -> GroupChanges:
    if group.fence is None:
        return GroupChanges((), (), (), after_version, None)
    rows = sorted((r.version, k, u) for (k, u), r in group.rows.items() if r.version > after_version)
    tombs = sorted((v, k, u) for (k, u), v in group.tombstones.items() if v > after_version)
    operations = sorted((o.version, o.op_id) for o in group.operations.values() if o.version > after_version)
    bound = cut([item[0] for item in (*rows, *tombs, *operations)], rows_max, group.fence.version)
    return GroupChanges(
        rows=tuple(read(group, kind, uuid, True) for version, kind, uuid in rows if version <= bound),
        tombstones=tuple(Tombstone(kind, uuid, v) for v, kind, uuid in tombs if v <= bound),
        operations=tuple(group.operations[op_id] for version, op_id in operations if version <= bound),
        bound=bound,
        fence=group.fence,
    )


def cut(versions: Sequence[int], limit: int, newest: int) -> int:
    """The last version up to which there are at most `limit`, at least the first; `newest` if all are."""
    ascending = sorted(versions)
    if len(ascending) <= limit:
        return newest
    whole = [version for version in ascending[:limit] if version < ascending[limit]]
    return whole[-1] if whole else ascending[0]


# --- taking it in ---------------------------------------------------------------------------------


def take_in(group: GroupState, ref: GroupRef, intake: Intake, shard_id: str, weight_max: int) -> Changed:
    check_intake(intake, shard_id, weight_max)
    if not changed(group, ref, intake.change, intake.given, None):
        return Changed(False, group.fence)
    for tombstone in intake.tombstones:
        _bury(group, tombstone)
    homeless: list[tuple[Kind, str]] = []
    rows = newest_rows(intake.rows)
    for kind in (*NODE_KINDS, *EDGE_KINDS):
        for row in rows.get(kind, {}).values():
            if not _is_newer(group, row):
                continue
            if isinstance(row, Fact | Mention | Membership | SagaEpisode | NextEpisode) and not all(
                end in group.rows for end in ends(row)
            ):
                homeless.append((kind, row.uuid))
                continue
            _drop(group, (kind, row.uuid))
            _put(group, row)
    for record in intake.operations:
        group.operations.setdefault(record.op_id, record)
    return Changed(True, group.fence, tuple(homeless))


def _is_newer(group: GroupState, row: AnyRow) -> bool:
    key = (kind_of(row), row.uuid)
    there = group.rows.get(key)
    return row.version > max(there.version if there else -1, group.tombstones.get(key, -1))


def _put(group: GroupState, row: AnyRow) -> None:
    key = (kind_of(row), row.uuid)
    embedding = getattr(row, "embedding", None)
    if embedding is not None:
        group.vectors[*key, DEFAULT_SLOT] = embedding.copy()
        row = replace(row, embedding=None)
    group.rows[key] = row


def _bury(group: GroupState, tombstone: Tombstone) -> None:
    key = (tombstone.kind, tombstone.uuid)
    there = group.rows.get(key)
    if there is not None and there.version < tombstone.version:
        if tombstone.kind in NODE_KINDS:
            for edge in list(incident(group, {key})):
                _drop(group, (kind_of(edge), edge.uuid))
        _drop(group, key)
    group.tombstones[key] = max(tombstone.version, group.tombstones.get(key, 0))


def _drop(group: GroupState, key: KindAndUuid) -> None:
    group.rows.pop(key, None)
    for named in [named for named in group.vectors if named[:2] == key]:
        del group.vectors[named]


# --- taking it away -------------------------------------------------------------------------------


def wipe(group: GroupState, token: int, move_id: str, rows_max: int) -> int | None:
    if not _may_wipe(group.fence, token, move_id):
        return None
    doomed = list(_contents(group))[:rows_max]
    for section, key in doomed:
        match section:
            case Kind():
                _drop(group, (section, key))
            case Other.TOMBSTONE:
                kind, _, uuid = key.partition("/")
                del group.tombstones[Kind(kind), uuid]
            case Other.OPERATION:
                del group.operations[key]
    return len(doomed)


def _may_wipe(fence: Fence | None, token: int, move_id: str) -> bool:
    match fence:
        case Fence(state=FenceState.TOMB):
            return True
        case Fence(state=FenceState.WIPING):
            return (fence.token, fence.move_id) == (token, move_id)
        case _:
            return False


def _contents(group: GroupState) -> Iterator[tuple[Kind | Other, str]]:
    """Edges before nodes, so that no edge is ever without its ends."""
    for section in (*EDGE_KINDS, *NODE_KINDS, Other.TOMBSTONE, Other.OPERATION):
        match section:
            case Kind():
                yield from ((section, uuid) for kind, uuid in group.rows if kind == section)
            case Other.TOMBSTONE:
                yield from ((section, f"{kind}/{uuid}") for kind, uuid in group.tombstones)
            case Other.OPERATION:
                yield from ((section, op_id) for op_id in group.operations)


def is_left_over(groups: Sequence[GroupState]) -> bool:
    """Whether nothing is there but TOMB fences."""
    return all(
        (group.fence is None or group.fence.state is FenceState.TOMB)
        and not (group.rows or group.tombstones or group.operations)
        for group in groups
    )
