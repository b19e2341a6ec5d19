"""Every statement that this package sends, with what its plan must use: one list for the tests of plans and
for operators."""

from collections.abc import Iterator, Mapping
from itertools import product

from drivers.example_group import ExampleGroup, example_plan
from drivers.fence import EmbeddingSpec
from drivers.fence_codec import ROOT_COLUMNS, encode_fence
from drivers.filter_parameters import FilterValue, far_parameters, filter_parameters
from drivers.filters import NO_FILTER
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, INT64_MAX, OPEN_END, TEXT_KINDS, Kind
from drivers.group_key import group_key
from drivers.neo4j import (
    parameters,
    queries_fences,
    queries_read,
    queries_search,
    queries_slots,
    queries_write,
)
from drivers.neo4j.fences import MARKER_KEY
from drivers.neo4j.index_names import FENCE, GATE, MARKER, OPERATION, SLOT, TOMBSTONE, unique
from drivers.neo4j.move_shapes import IN_ORDER_OF_THE_TEXT, LIMIT, move_shapes
from drivers.neo4j.records import slot_of
from drivers.neo4j.schema_rules import FULLTEXT_NAME
from drivers.neo4j.slots import index_of
from drivers.query_plan import QueryShape, narrowed_kinds, narrowings, shape_name
from drivers.reads import ListOrder
from drivers.row_codec import pk
from drivers.search_reads import EXPANDED_KINDS, KEYWORD_CHARS_MAX, MATCHING_TOKENS_MAX, far_kind
from drivers.vector_slots import VectorSlot
from drivers.write_plan import ROWS_PER_WRITE_MAX

LEFT_OUT: Mapping[str, str] = {
    "queries_fences.PING": "reads nothing",
    "queries_fences.CLOCK": "reads nothing",
    "schema._SHOW_INDEXES": "lists the indexes themselves",
    "schema._COMPONENTS": "asks for the server's version",
    "queries_slots.AWAIT_INDEX": "waits for an index",
    "queries_slots.index_text": "a schema command",
    "queries_slots.drop_text": "a schema command",
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


def _shard(example: ExampleGroup) -> Iterator[QueryShape]:
    groups = [{"group_id": example.ref.group_id}]
    for name, text, given in (
        ("read-fences", queries_fences.READ_FENCES, {"groups": groups}),
        ("list-fences", queries_fences.LIST_FENCES, {"after": "", "limit": LIMIT}),
        ("list-all-fences", queries_fences.LIST_ALL_FENCES, {"after": "", "limit": LIMIT}),
    ):
        yield QueryShape(name=name, text=text, parameters=given, indexes=(FENCE,))
    yield QueryShape(
        name="locked-fences",
        text=queries_fences.LOCKED_FENCES,
        parameters={"groups": groups},
        indexes=(FENCE,),
        writes=True,
    )
    yield QueryShape(
        name="create-fence",
        text=queries_fences.CREATE_FENCE,
        parameters={"fence": encode_fence(example.fence), "roots": [], "stripe": 0},
        indexes=(FENCE, GATE),
        writes=True,
    )
    yield QueryShape(
        name="read-gate", text=queries_fences.READ_GATE, parameters={"stripes": [0, 1]}, indexes=(GATE,)
    )
    yield QueryShape(
        name="raise-gate",
        text=queries_fences.RAISE_GATE,
        parameters={"stripes": [0, 1], "root": 0, "seal": 0},
        indexes=(GATE,),
        writes=True,
    )
    yield QueryShape(
        name="read-marker",
        text=queries_fences.READ_MARKER,
        parameters={"key": MARKER_KEY},
        indexes=(MARKER,),
        of_marker=True,
    )
    for name, text, given in (
        ("create-marker", queries_fences.CREATE_MARKER, {"marker": {}}),
        ("advance-beat", queries_fences.ADVANCE_BEAT, {"seen": 0, "beat": 0}),
        (
            "change-marker",
            queries_fences.CHANGE_MARKER,
            {"seen": dict.fromkeys(ROOT_COLUMNS, ""), "after": {}},
        ),
    ):
        yield QueryShape(
            name=name,
            text=text,
            parameters={"key": MARKER_KEY, **given},
            indexes=(MARKER,),
            writes=True,
            of_marker=True,
        )


def _writes(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    keys = {kind: [pk(group_id, uuid) for uuid in example.uuids(kind)] for kind in Kind}
    for name, shape in (
        ("rows", queries_write.ROWS),
        ("core", queries_write.CORE),
        ("full", queries_write.FULL),
    ):
        nodes = queries_write.node_kinds(shape)
        yield QueryShape(
            name=f"images-{name}",
            text=queries_write.images_statement(shape),
            parameters={
                "group_id": group_id,
                "operation_pk": pk(group_id, "explain"),
                "rows": {kind: keys[kind] for kind in shape.kinds},
                "endpoints": {kind: keys[kind] for kind in nodes},
                "cascades": {kind: keys[kind] for kind in nodes if shape.drops},
                "incident_max": ROWS_PER_WRITE_MAX + 1,
            },
            indexes=(FENCE, OPERATION, *map(unique, shape.kinds)),
            never=IN_ORDER_OF_THE_TEXT,
            writes=True,
        )
        plan = example_plan(example, shape.kinds, drops=shape.drops)
        tombstones = (TOMBSTONE,) if shape.drops else ()
        yield QueryShape(
            name=f"write-{name}",
            text=queries_write.write_statement(shape),
            parameters={"writes": [parameters.write(group_id, plan)]},
            indexes=(FENCE, OPERATION, *map(unique, shape.kinds), *tombstones),
            writes=True,
        )


def _fetches(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for kind, vectors in product(Kind, (False, True)):
        keys = [pk(group_id, uuid) for uuid in example.uuids(kind)]
        yield QueryShape(
            name=shape_name("fetch", kind, "vectors" * vectors),
            text=queries_read.rows_text(kind, vectors),
            parameters={"groups": [{"group_id": group_id, "pks": keys}]},
            indexes=(unique(kind), FENCE),
        )


def _lists(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    places: list[tuple[Kind, Kind | None, str]] = [(kind, None, "") for kind in Kind]
    places += [(kind, end, "") for kind in EDGE_KINDS for end in dict.fromkeys(ENDPOINT_KINDS[kind])]
    places += [(Kind.FACT, Kind.EPISODE, ""), (Kind.FACT, Kind.EPISODE, "closed")]
    places += [(Kind.FACT, Kind.ENTITY, "between")]
    for (kind, anchor, only), order, vectors in product(places, ListOrder, (False, True)):
        if vectors and (anchor is not None or kind not in TEXT_KINDS):
            # The vectors are one property more to return, wherever the rows come from.
            continue
        hangs = anchor is not None and (kind, anchor) != (Kind.FACT, Kind.EPISODE)
        anchor_uuid = example.uuids(anchor)[0] if anchor else ""
        in_order = f"range:{kind}(group_id,created_at)" if order is ListOrder.NEWEST else unique(kind)
        # The rows of a group come in the order of the index and are cut before they are read.
        newest = order is ListOrder.NEWEST and not hangs
        yield QueryShape(
            name=shape_name("list", kind, anchor and f"at-{anchor}", only, order, "vectors" * vectors),
            text=queries_read.list_text(
                kind, order, anchor, vectors, between=only == "between", closed=only == "closed"
            ),
            parameters={
                "group_id": group_id,
                "limit": LIMIT,
                "anchor_pk": pk(group_id, anchor_uuid),
                "anchor_uuid": anchor_uuid,
                "other_uuid": example.uuids(Kind.ENTITY)[-1],
                "closed_by_facts": [example.uuids(Kind.FACT)[0]],
                "after_pk": group_id + queries_read.FIRST_PK_SUFFIX,
                "end_pk": group_id + queries_read.END_PK_SUFFIX,
                "created_at": INT64_MAX,
                "uuid": "",
            },
            indexes=(unique(anchor) if hangs and anchor else in_order, FENCE),
            needs=("PartialTop",) if newest else (),
            never=() if hangs or newest else ("Sort", "Top"),
        )
    for kind in Kind:
        yield QueryShape(
            name=shape_name("list", "versions", kind),
            text=queries_read.list_text(kind, ListOrder.UUID, None, False, bounded=True, versions=True),
            parameters={
                "group_id": group_id,
                "limit": LIMIT,
                "after_pk": group_id + queries_read.FIRST_PK_SUFFIX,
                "end_pk": group_id + queries_read.END_PK_SUFFIX,
                "up_to_version": INT64_MAX,
            },
            indexes=(unique(kind), FENCE),
            never=("Sort", "Top"),
        )


def _changes(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    yield QueryShape(
        name="locked-version",
        text=queries_write.LOCKED_VERSION,
        parameters={"group_id": group_id},
        indexes=(FENCE,),
        writes=True,
    )
    owners = (*Kind, "_Tombstone")
    for name, statement, more in (
        ("changes", queries_read.CHANGES, ()),
        ("changes-and-operations", queries_read.CHANGES_AND_OPERATIONS, ("_Op",)),
    ):
        yield QueryShape(
            name=name,
            text=statement,
            parameters={"group_id": group_id, "after": 0, "bound": example.fence.version, "limit": LIMIT},
            indexes=(*(f"range:{owner}(group_id,version)" for owner in (*owners, *more)), FENCE),
            # Each kind's versions come in the order of its index and are cut there; one Top merges them.
            needs=("Top",),
            never=("Sort", "PartialSort"),
        )


def _filter(kind: Kind, filtered: bool) -> Mapping[str, FilterValue]:
    return filter_parameters(kind, NO_FILTER) if filtered else {}


def _searches(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for kind, (part, narrowing, narrowed) in narrowed_kinds():
        vector = example.vector(kind).tolist()
        group = {
            "group_id": group_id,
            "prefix": group_id + queries_read.FIRST_PK_SUFFIX,
            "slot": slot_of(example.fence.embeddings, kind),
        }
        yield QueryShape(
            name=shape_name("semantic", kind, part),
            text=queries_search.semantic_text(kind, narrowing),
            parameters={
                "groups": [group],
                "vector": vector,
                "dimension": len(vector),
                "limit": LIMIT,
                **narrowed,
            },
            indexes=(unique(kind), FENCE),
            never=IN_ORDER_OF_THE_TEXT,
        )
    prefix = group_id + queries_read.FIRST_PK_SUFFIX
    for kind in TEXT_KINDS:
        vector = example.vector(kind).tolist()
        yield QueryShape(
            name=shape_name("nearest", kind),
            text=queries_search.nearest_text(kind),
            parameters={
                "groups": [{"group_id": group_id}],
                "prefix": prefix,
                "slot": slot_of(example.fence.embeddings, kind),
                "vectors": [vector, vector],
                "dimension": len(vector),
                "limit": LIMIT,
                "similarity_min": 0.0,
            },
            indexes=(unique(kind), FENCE),
            never=IN_ORDER_OF_THE_TEXT,
        )
    yield QueryShape(
        name="next-validity-change",
        text=queries_search.NEXT_VALIDITY_CHANGE,
        parameters={
            "groups": [{"group_id": group_id, "prefix": prefix}],
            "after": 0,
            "never": OPEN_END,
        },
        indexes=(unique(Kind.FACT), FENCE),
        never=IN_ORDER_OF_THE_TEXT,
    )
    scope = f"(group_key:{group_key(group_id)})^0"
    for kind, filtered in product(TEXT_KINDS, (False, True)):
        terms = [f'terms:"{term}"' for term in example.terms(kind)]
        yield QueryShape(
            name=shape_name("keyword", kind, "filtered" * filtered),
            text=queries_search.keyword_text(kind, filtered=filtered),
            parameters={
                "index": FULLTEXT_NAME[kind],
                "query": f"{scope} AND ({' OR '.join(terms)})",
                # As many as there are rows that match: then the engine counts, too.
                "limit": 1,
                "chars_max": KEYWORD_CHARS_MAX,
                "group_ids": [group_id],
                "terms": [{"query": f"{scope} AND {term}"} for term in terms],
                "groups": [{"group_id": group_id}],
                **_filter(kind, filtered),
            },
            indexes=(f"fulltext:{kind}(terms,group_key)", FENCE),
            never=IN_ORDER_OF_THE_TEXT,
        )


def _matching(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for (kind, (part, narrowing, narrowed)), several in product(narrowed_kinds(), (False, True)):
        wanted = " OR ".join(f'terms:"{term}"' for term in example.terms(kind))
        yield QueryShape(
            name=shape_name("matching", kind, "several" * several, part),
            text=queries_search.matching_text(kind, narrowing, several=several),
            parameters={
                "index": FULLTEXT_NAME[kind],
                "query": f"(group_key:{group_key(group_id)})^0 AND ({wanted})",
                "rows_max": LIMIT,
                "tokens_max": MATCHING_TOKENS_MAX,
                "groups": [{"group_id": group_id}],
                **narrowed,
            },
            indexes=(f"fulltext:{kind}(terms,group_key)", FENCE),
            never=IN_ORDER_OF_THE_TEXT,
        )


def _expansions(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for along, far_filtered in product(EXPANDED_KINDS, (False, True)):
        origins = dict.fromkeys(ENDPOINT_KINDS[along])
        for origin, (part, narrowing, narrowed) in product(origins, narrowings(along)):
            far = far_parameters(far_kind(along, origin), NO_FILTER) if far_filtered else {}
            keys = [pk(group_id, uuid) for uuid in example.uuids(origin)]
            yield QueryShape(
                name=shape_name("expand", along, f"from-{origin}", part, "far-filtered" * far_filtered),
                text=queries_search.expand_text(along, origin, narrowing, far_filtered=far_filtered),
                parameters={
                    "groups": [{"group_id": group_id, "pks": keys}],
                    "limit": LIMIT,
                    "rows_max": LIMIT,
                    **narrowed,
                    **far,
                },
                indexes=(unique(origin), FENCE),
            )


def _slots(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    for name, text, given, writes in (
        ("create-slot", queries_slots.CREATE_SLOT, {"properties": {}}, True),
        (
            "advance-slot",
            queries_slots.ADVANCE_SLOT,
            {"from_version": 0, "from_uuid": "", "version": 0, "uuid": "", "caught_up": False},
            True,
        ),
        ("mark-slot-dropped", queries_slots.MARK_DROPPED, {}, True),
        ("drop-slot", queries_slots.DROP_SLOT, {}, True),
    ):
        yield QueryShape(
            name=name,
            text=text,
            parameters={"key": group_id, "serial": "", **given},
            indexes=(SLOT,),
            writes=writes,
        )
    yield QueryShape(
        # A shard has few.
        name="list-slots",
        text=queries_slots.LIST_SLOTS,
        parameters={},
        indexes=(),
        scanned=("_Slot",),
    )
    for kind in TEXT_KINDS:
        slot = VectorSlot(example.ref, kind, EmbeddingSpec("", example.vector(kind).size))
        changed = (f"range:{kind}(group_id,version)", "range:_Tombstone(group_id,version)")
        after = {"group_id": group_id, "kind": kind, "version": 0, "uuid": ""}
        yield QueryShape(
            name=shape_name("slot-backlog", kind),
            text=queries_slots.backlog_text(kind),
            parameters={**after, "bound": example.fence.version, "limit": LIMIT},
            indexes=changed,
        )
        rows = [{"pk": pk(group_id, uuid), "slot_pk": uuid, "uuid": uuid} for uuid in example.uuids(kind)]
        yield QueryShape(
            name=shape_name("slot-fill", kind),
            text=queries_slots.fill_text(kind),
            parameters={
                "group_id": group_id,
                "key": slot.key,
                "serial": slot.serial,
                "label": slot.label,
                "column": slot.spec.slot,
                "rows": rows,
            },
            indexes=(unique(kind), FENCE, SLOT, "unique:_Vector(pk)"),
            writes=True,
            of_slot=True,
        )
        yield QueryShape(
            name=shape_name("slot-empty", kind),
            text=queries_slots.empty_text(slot.label),
            parameters={"limit": LIMIT},
            indexes=(),
            scanned=(slot.label,),
            writes=True,
            of_slot=True,
        )
        for part, narrowing, narrowed in narrowings(kind):
            yield QueryShape(
                name=shape_name("semantic-in-slot", kind, part),
                text=queries_slots.search_text(kind, narrowing),
                parameters={
                    **after,
                    "key": slot.key,
                    "serial": slot.serial,
                    "index": index_of(slot),
                    "column": slot.spec.slot,
                    "k": LIMIT,
                    "vector": example.vector(kind).tolist(),
                    "dimension": slot.spec.dimension,
                    "since": 0,
                    "tail_max": LIMIT,
                    **narrowed,
                },
                indexes=(*changed, SLOT, FENCE, *((unique(kind),) if narrowed else ())),
                of_slot=True,
            )
