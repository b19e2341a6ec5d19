"""Every query text that this package sends, with what its plan must use: one list for the tests of plans and
for operators."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from drivers.example_group import ExampleGroup, example_plan
from drivers.falkordb import queries, queries_read, queries_search, queries_slots, queries_write
from drivers.falkordb.move_shapes import move_shapes
from drivers.falkordb.parameters import Parameter
from drivers.falkordb.search import fitting_spec, groups_clause, matching_clause, terms_clause
from drivers.falkordb.write import DEFAULT_SLOT, compose, operation_parameters, slot_of
from drivers.fence import EmbeddingSpec
from drivers.fence_codec import MARKER_COLUMNS, ROOT_COLUMNS, encode_fence
from drivers.filter_parameters import far_parameters, filter_parameters
from drivers.filters import NO_FILTER
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, INT64_MAX, NODE_KINDS, OPEN_END, TEXT_KINDS, Kind
from drivers.group_key import group_key
from drivers.query_plan import QueryShape, narrowed_kinds, narrowings, shape_name
from drivers.reads import ListOrder
from drivers.row_codec import pk
from drivers.search_reads import EXPANDED_KINDS, KEYWORD_CHARS_MAX, MATCHING_TOKENS_MAX, far_kind
from drivers.vector_slots import VectorSlot
from drivers.write_plan import ROWS_PER_WRITE_MAX

FENCE = "range:_Fence(group_id)"
OPERATION = "range:_Op(key)"
MARKER = "range:_Marker(key)"
GATE = "range:_Gate(key)"
_LIMIT = 100

LEFT_OUT: Mapping[str, str] = {
    "queries.PING": "reads nothing",
    "queries.INDEX_MARKER": "a schema command",
    "schema._DESCRIBE": "lists the indexes themselves",
    "queries_moving.WHAT_IS_LEFT": "looks at all that a graph holds",
    "queries_slots.fill_text": "needs a slot; falkordb_specific/test_slot_index.py plans it",
    "bare_loop._SET": "of the benchmarks' floor, no gateway sends it",
    "bare_loop._ENTITIES": "of the benchmarks' floor, no gateway sends it",
    "bare_loop._FACTS": "of the benchmarks' floor, no gateway sends it",
}
"""Texts, and builders of texts, that are in no shape, each with the reason."""


def query_shapes(example: ExampleGroup) -> tuple[QueryShape, ...]:
    return tuple(
        shape
        for shapes in (
            _shard,
            _writes,
            _fetches,
            _lists,
            _changes,
            _searches,
            _matching,
            _expansions,
            _slots,
            move_shapes,
        )
        for shape in shapes(example)
    )


def _range(kind: Kind | str, name: str) -> str:
    return f"range:{kind}({name})"


def _shard(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for name, text, parameters in (
        ("read-fence", queries.FENCE_OF_GROUP, {"group": group_id}),
        ("read-fences", queries.FENCES_OF_GROUPS, {"groups": [group_id]}),
    ):
        yield QueryShape(name=name, text=text, parameters=parameters, indexes=(FENCE,))
    yield QueryShape(
        # A range over an indexed string is wrong: see queries.py.
        name="list-fences",
        text=queries.LIST_FENCES,
        parameters={"after": "", "limit": _LIMIT},
        indexes=(),
        scanned=("_Fence",),
    )
    yield QueryShape(
        name="create-fence",
        text=queries.CREATE_FENCE,
        parameters={"group": group_id, "properties": encode_fence(example.fence), "roots": []},
        indexes=(FENCE, GATE),
        writes=True,
    )
    yield QueryShape(
        name="list-all-fences",
        text=queries.LIST_ALL_FENCES,
        parameters={"after": "", "limit": _LIMIT},
        indexes=(),
        scanned=("_Fence",),
    )
    yield QueryShape(name="read-gate", text=queries.READ_GATE, parameters={}, indexes=(GATE,))
    yield QueryShape(
        name="raise-gate",
        text=queries.RAISE_GATE,
        parameters={"root": 0, "seal": 0},
        indexes=(GATE,),
        writes=True,
    )
    yield QueryShape(
        name="read-marker", text=queries.READ_MARKER, parameters={}, indexes=(MARKER,), of_marker=True
    )
    for name, text, parameters in (
        ("create-marker", queries.CREATE_MARKER, {"properties": dict.fromkeys(MARKER_COLUMNS, "")}),
        ("advance-beat", queries.ADVANCE_BEAT, {"seen": 0, "beat": 0}),
        (
            "change-marker",
            queries.CHANGE_MARKER,
            {"seen": dict.fromkeys(ROOT_COLUMNS, ""), "after": dict.fromkeys(ROOT_COLUMNS, "")},
        ),
    ):
        yield QueryShape(
            name=name, text=text, parameters=parameters, indexes=(MARKER,), writes=True, of_marker=True
        )


def _writes(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    keys = {kind: [pk(group_id, uuid) for uuid in example.uuids(kind)] for kind in Kind}
    shape = queries_write.ImageShape(tuple(Kind), NODE_KINDS, NODE_KINDS)
    yield QueryShape(
        name="images",
        text=queries_write.images_text(shape),
        parameters={
            "group": group_id,
            **operation_parameters(group_id, "explain"),
            "incident_max": ROWS_PER_WRITE_MAX + 1,
            **{f"rows_{kind}": keys[kind] for kind in shape.rows},
            **{f"endpoints_{kind}": keys[kind] for kind in shape.endpoints},
            **{f"cascades_{kind}": keys[kind] for kind in shape.cascades},
        },
        indexes=(FENCE, OPERATION, *(_range(kind, "pk") for kind in Kind)),
    )
    for name, kinds, drops in (
        ("write-rows", (Kind.ENTITY, Kind.FACT), False),
        ("write-full", tuple(Kind), True),
    ):
        write_shape, parameters = compose(group_id, example_plan(example, kinds, drops=drops))
        tombstones = ("range:_Tombstone(pk)",) if drops else ()
        yield QueryShape(
            name=name,
            text=queries_write.write_text(write_shape),
            parameters=parameters,
            indexes=(FENCE, OPERATION, *(_range(kind, "pk") for kind in kinds), *tombstones),
            writes=True,
        )


def _fetches(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for kind, vectors in product(Kind, (False, True)):
        if kind not in TEXT_KINDS and vectors:
            continue
        yield QueryShape(
            name=shape_name("fetch", kind, "vectors" if vectors else ""),
            text=queries_read.fetch_text(kind, slot_of(example.fence.embeddings, kind) if vectors else None),
            parameters={
                "groups": [group_id],
                "keys": [pk(group_id, uuid) for uuid in example.uuids(kind)],
            },
            indexes=(_range(kind, "pk"), FENCE),
        )


def _lists(example: ExampleGroup) -> Iterator[QueryShape]:
    places: list[tuple[Kind, Kind | None, str]] = [(kind, None, "") for kind in Kind]
    places += [(kind, end, "") for kind in EDGE_KINDS for end in dict.fromkeys(ENDPOINT_KINDS[kind])]
    places += [(Kind.FACT, Kind.EPISODE, ""), (Kind.FACT, Kind.EPISODE, "closed")]
    places += [(Kind.FACT, Kind.ENTITY, "between")]
    for (kind, anchor, only), order, continues in product(places, ListOrder, (False, True)):
        hangs = anchor is not None and (kind, anchor) != (Kind.FACT, Kind.EPISODE)
        anchor_uuid = example.uuids(anchor)[0] if anchor else ""
        yield QueryShape(
            name=shape_name("list", kind, anchor and f"at-{anchor}", only, order, "more" * continues),
            text=queries_read.list_text(
                kind,
                anchor,
                order,
                continues=continues,
                slot=None,
                between=only == "between",
                closed=only == "closed",
            ),
            parameters={
                "group": example.ref.group_id,
                "limit": _LIMIT,
                "anchor": pk(example.ref.group_id, anchor_uuid),
                "anchor_uuid": anchor_uuid,
                "other_uuid": example.uuids(Kind.ENTITY)[-1],
                "closed_by_facts": [example.uuids(Kind.FACT)[0]],
                "after_uuid": "",
                "after_created_at": INT64_MAX,
            },
            indexes=(_range(anchor, "pk") if hangs and anchor else _range(kind, "group_id"), FENCE),
        )
    for kind, continues in product(Kind, (False, True)):
        yield QueryShape(
            name=shape_name("list", "versions", kind, "more" * continues),
            text=queries_read.list_text(
                kind, None, ListOrder.UUID, continues=continues, slot=None, bounded=True, versions=True
            ),
            parameters={
                "group": example.ref.group_id,
                "limit": _LIMIT,
                "after_uuid": "",
                "up_to_version": INT64_MAX,
            },
            indexes=(_range(kind, "group_id"), _range(kind, "version"), FENCE),
        )


def _changes(example: ExampleGroup) -> Iterator[QueryShape]:
    slots = tuple((kind, slot_of(example.fence.embeddings, kind)) for kind in TEXT_KINDS)
    for name, with_operations in product(("changed-versions", "changes", "few-changes"), (False, True)):
        owners = (*Kind, "_Tombstone", *(["_Op"] if with_operations else []))
        used = product(owners, ("group_id", "version"))
        yield QueryShape(
            name=shape_name(name, "operations" * with_operations),
            text=queries_read.changed_versions_text(with_operations=with_operations)
            if name == "changed-versions"
            else queries_read.changes_text(
                slots, with_operations=with_operations, bounded=name == "few-changes"
            ),
            parameters={
                "group": example.ref.group_id,
                "after": 0,
                "until": example.fence.version,
                "rows_max": _LIMIT,
            },
            indexes=(*(f"range:{owner}({column})" for owner, column in used), FENCE),
        )


def _filter(kind: Kind, filtered: bool) -> Mapping[str, Parameter]:
    return filter_parameters(kind, NO_FILTER) if filtered else {}


def _searches(example: ExampleGroup) -> Iterator[QueryShape]:
    groups = [example.ref.group_id]
    for kind, (part, narrowing, narrowed) in narrowed_kinds():
        spec = example.fence.embeddings.get(kind)
        slot = DEFAULT_SLOT if spec is None else slot_of(example.fence.embeddings, kind)
        vector = example.vector(kind)
        yield QueryShape(
            name=shape_name("semantic", kind, part),
            text=queries_search.semantic_text(kind, slot, narrowing),
            parameters={
                "groups": groups,
                "fits": fitting_spec(kind, vector.shape[0], slot),
                "vector": vector,
                "limit": _LIMIT,
                "score_min": -1.0,
                **narrowed,
            },
            indexes=(FENCE, _range(kind, "group_id")),
        )
    for kind in TEXT_KINDS:
        slot = slot_of(example.fence.embeddings, kind)
        vector = example.vector(kind)
        yield QueryShape(
            name=shape_name("nearest", kind),
            text=queries_search.nearest_text(kind, slot),
            parameters={
                "group": example.ref.group_id,
                "fits": fitting_spec(kind, vector.shape[0], slot),
                "vectors": [vector, vector],
                "limit": _LIMIT,
                "score_min": -1.0,
            },
            indexes=(FENCE, _range(kind, "group_id")),
        )
    yield QueryShape(
        name="next-validity-change",
        text=queries_search.NEXT_VALIDITY_CHANGE,
        parameters={"groups": groups, "after": 0, "never": OPEN_END},
        indexes=(FENCE, _range(Kind.FACT, "group_id")),
    )
    for kind, filtered, counted in product(TEXT_KINDS, (False, True), (False, True)):
        terms = example.terms(kind)
        yield QueryShape(
            name=shape_name("keyword", kind, "counted" * counted, "filtered" * filtered),
            text=queries_search.keyword_text(kind, filtered=filtered, counted=counted),
            parameters={
                "groups": groups,
                "chunks": [{"keys": groups_clause(groups), "groups": groups}],
                "wanted": terms_clause(terms),
                "limit": _LIMIT,
                "chars_max": KEYWORD_CHARS_MAX,
                "terms": [{"term": term, "clause": terms_clause((term,))} for term in terms],
                **_filter(kind, filtered),
            },
            indexes=(FENCE, f"fulltext:{kind}(terms,group_key)"),
        )


def _matching(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for (kind, (part, narrowing, narrowed)), several in product(narrowed_kinds(), (False, True)):
        yield QueryShape(
            name=shape_name("matching", kind, "several" * several, part),
            text=queries_search.matching_text(kind, narrowing, several=several),
            parameters={
                "groups": [group_id],
                "chunks": [[{"group": group_id, "key": f'"{group_key(group_id)}"'}]],
                "wanted": matching_clause(example.terms(kind)),
                "rows_max": _LIMIT,
                "tokens_max": MATCHING_TOKENS_MAX,
                **narrowed,
            },
            indexes=(FENCE, f"fulltext:{kind}(terms,group_key)"),
        )


def _expansions(example: ExampleGroup) -> Iterable[QueryShape]:
    group_id = example.ref.group_id
    for along, far_filtered in product(EXPANDED_KINDS, (False, True)):
        origins = dict.fromkeys(ENDPOINT_KINDS[along])
        for origin, (part, narrowing, narrowed) in product(origins, narrowings(along)):
            far = far_parameters(far_kind(along, origin), NO_FILTER) if far_filtered else {}
            frontier: Mapping[str, Parameter] = {
                "group": group_id,
                "keys": [pk(group_id, uuid) for uuid in example.uuids(origin)],
                "edges_max": _LIMIT,
                "all_max": _LIMIT,
            }
            yield QueryShape(
                name=shape_name("expand", along, f"from-{origin}", part, "far-filtered" * far_filtered),
                text=queries_search.expand_text(along, origin, narrowing, far_filtered=far_filtered),
                parameters={"groups": [group_id], "frontier": [frontier], **narrowed, **far},
                indexes=(FENCE, _range(origin, "pk")),
            )


def _slots(example: ExampleGroup) -> Iterator[QueryShape]:
    """The nodes that say which slots there are have no index on their key: a graph has few."""
    group_id = example.ref.group_id
    few = ("_Slot",)
    advanced = {"from_version": 0, "from_uuid": "", "version": 0, "uuid": "", "caught_up": False}
    yield QueryShape(name="list-slots", text=queries_slots.LIST_SLOTS, parameters={}, indexes=(), scanned=few)
    for name, text, given in (
        ("create-slot", queries_slots.CREATE_SLOT, {"properties": {}}),
        ("advance-slot", queries_slots.ADVANCE_SLOT, advanced),
        ("mark-slot-dropped", queries_slots.MARK_DROPPED, {}),
        ("drop-slot", queries_slots.DROP_SLOT, {}),
    ):
        yield QueryShape(
            name=name,
            text=text,
            parameters={"key": group_id, "serial": "", **given},
            indexes=() if text is queries_slots.CREATE_SLOT else ("range:_Slot(serial)",),
            scanned=few if text is queries_slots.CREATE_SLOT else (),
            writes=True,
        )
    for kind in TEXT_KINDS:
        slot = VectorSlot(example.ref, kind, EmbeddingSpec("", example.vector(kind).size))
        owners = (kind, "_Tombstone")
        changed = tuple(_range(owner, name) for owner, name in product(owners, ("group_id", "version")))
        yield QueryShape(
            name=shape_name("slot-backlog", kind),
            text=queries_slots.backlog_text(kind),
            parameters={"group": group_id, "kind": kind, "version": 0, "uuid": "", "limit": _LIMIT},
            indexes=(*changed, FENCE),
        )
        yield QueryShape(
            name=shape_name("slot-empty", kind),
            text=queries_slots.empty_text(slot.label),
            parameters={"limit": _LIMIT},
            indexes=(),
            scanned=(slot.label,),
            writes=True,
            of_slot=True,
        )
        for part, narrowing, narrowed in narrowings(kind):
            yield QueryShape(
                name=shape_name("semantic-in-slot", kind, part),
                text=queries_slots.search_text(kind, slot.spec.slot, narrowing),
                parameters={
                    "group": group_id,
                    "kind": kind,
                    "key": slot.key,
                    "serial": slot.serial,
                    "label": slot.label,
                    "k": _LIMIT,
                    "vector": example.vector(kind),
                    "since": 0,
                    "tail_max": _LIMIT,
                    **narrowed,
                },
                indexes=(*changed, FENCE, *((_range(kind, "pk"),) if narrowed else ())),
                scanned=few,
                of_slot=True,
            )
