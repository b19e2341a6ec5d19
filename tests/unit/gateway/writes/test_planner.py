"""The planner: what a write becomes, given what is there."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.fence import EmbeddingSpec, Fence, FenceState, KindStats
from drivers.graph_model import OPEN_END, AnyRow, Closure, Entity, Episode, Fact, Kind, Mention
from drivers.row_codec import kind_of
from drivers.write_plan import Images, IncidentEdge, RowDrop, VectorChange
from gateway.search.analyzer import RowTerms
from gateway.writes import planner
from gateway.writes.errors import (
    EmbeddingMismatch,
    EndpointsMissing,
    FactFull,
    RowsExist,
    RowsMissing,
    RowVersionMismatch,
    TimeRangeInverted,
    VectorWouldBeLost,
)
from gateway.writes.intent import AT_WRITE, RowChange, RowCondition, WriteIntent, WriteMode

A, B, C, F, M = (f"{n:08d}-0000-4000-8000-000000000000" for n in range(5))
FENCE = Fence("g", 3, FenceState.OPEN, version=7)
MODELS = planner.VectorModels(given=planner.VectorModel("m"), made=planner.VectorModel("own"))


def unit(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def row_terms(text: str) -> RowTerms:
    words = text.lower().split()
    return RowTerms(" ".join(words), len(words))


def entity(uuid: str = A, name: str = "Ada", **fields: object) -> Entity:
    return Entity(uuid=uuid, name=name, **fields)  # pyright: ignore[reportArgumentType]


def fact(**fields: object) -> Fact:
    given = {"uuid": F, "source_uuid": A, "target_uuid": B, "name": "KNOWS", "fact": "Ada knows Bob"} | fields
    return Fact(**given)  # pyright: ignore[reportArgumentType]


def images(*rows: AnyRow, endpoints: dict[Kind, set[str]] | None = None, **fields: object) -> Images:
    given = {
        "fence": FENCE,
        "operation": None,
        "rows": {(kind_of(row), row.uuid): row for row in rows},
        "endpoints": {kind: frozenset(uuids) for kind, uuids in (endpoints or {}).items()},
        "incident": (),
    } | fields
    return Images(**given)  # pyright: ignore[reportArgumentType]


def intent(*rows: AnyRow, **fields: object) -> WriteIntent:
    given = {
        "group_id": "g",
        "op_id": "op",
        "content_hash": "h",
        "changes": tuple(RowChange(row) for row in rows),
    } | fields
    return WriteIntent(**given)  # pyright: ignore[reportArgumentType]


def plan(asked: WriteIntent, seen: Images, *, embeds: bool = False, **vectors: np.ndarray):
    drafted = planner.draft(asked, seen, row_terms, embeds=embeds, models=MODELS)
    return planner.finish(drafted, vectors, FENCE.epoch, 1_000, "{}")


ENDS = {Kind.ENTITY: {A, B}}


@pytest.mark.parametrize(
    "asked",
    [
        intent(entity(), entity(name="Bob")),
        intent(entity(), deletions=((Kind.ENTITY, A),)),
        intent(deletions=((Kind.ENTITY, A), (Kind.ENTITY, A))),
    ],
    ids=["changed-twice", "changed-and-deleted", "deleted-twice"],
)
def test_a_row_that_is_named_twice_is_refused(asked: WriteIntent) -> None:
    """Of two changes one engine would keep the first and another the last, and the statistics both; the same
    uuid of another kind is another row."""
    with pytest.raises(ValueError, match=f"{Kind.ENTITY} {A} more than once"):
        plan(asked, images(entity()))
    assert len(plan(intent(entity(A), Episode(uuid=A, name="", content="Ada")), images()).puts) == 2


def test_new_row_counts_and_gets_terms() -> None:
    """Statistics of the corpus are kept by deltas: a new row adds itself and its terms."""
    made = plan(intent(entity(summary="wrote notes")), images())
    assert made.stats == {Kind.ENTITY: KindStats(1, 3)}
    assert made.existing == {}
    (put,) = made.puts
    assert isinstance(put.row, Entity)
    assert put.row.terms == "ada wrote notes"
    assert put.row.term_count == 3


def test_replacement_counts_the_difference_and_is_guarded() -> None:
    """A replaced row changes the sum of terms by the difference and the guard expects it to be there."""
    before = entity(summary="wrote many notes", term_count=4, version=5)
    made = plan(intent(entity()), images(before))
    assert made.stats == {Kind.ENTITY: KindStats(0, 1 - 4)}
    assert made.existing == {Kind.ENTITY: 1}
    assert made.seen_version == FENCE.version


def test_create_refuses_rows_that_exist_and_names_them() -> None:
    """CREATE never replaces."""
    with pytest.raises(RowsExist, match=A):
        plan(intent(entity(), mode=WriteMode.CREATE), images(entity()))


def test_patch_refuses_rows_that_do_not_exist() -> None:
    """PATCH never creates."""
    with pytest.raises(RowsMissing, match=A):
        plan(
            intent(entity(), mode=WriteMode.PATCH, masks={Kind.ENTITY: frozenset({"name"})}),
            images(),
        )


def test_patch_changes_only_the_masked_fields() -> None:
    """Fields outside the mask keep their stored values, whatever the request has in them."""
    before = entity(name="Ada", summary="kept", labels=("Person",))
    given = entity(name="Ada L.", summary="ignored")
    made = plan(intent(given, mode=WriteMode.PATCH, masks={Kind.ENTITY: frozenset({"name"})}), images(before))
    (put,) = made.puts
    assert isinstance(put.row, Entity)
    assert (put.row.name, put.row.summary, put.row.labels) == ("Ada L.", "kept", ("Person",))


def test_missing_endpoint_refuses_the_batch() -> None:
    """A fact without its entities is an error that names them, never dropped."""
    with pytest.raises(EndpointsMissing, match=B):
        plan(intent(fact()), images(endpoints={Kind.ENTITY: {A}}))


def test_missing_endpoints_of_every_kind_are_named_at_once() -> None:
    """One answer is enough to mend a batch."""
    with pytest.raises(EndpointsMissing) as caught:
        plan(intent(fact(), Mention(uuid=M, source_uuid=C, target_uuid=A)), images())
    assert caught.value.missing == {Kind.ENTITY: [A, B], Kind.EPISODE: [C]}
    assert caught.value.metadata() == {"kind": "ENTITY,EPISODE", "uuids": f"{A},{B},{C}"}


def test_endpoint_in_the_batch_needs_no_stored_one() -> None:
    """Entities and their facts can come in one batch."""
    made = plan(intent(entity(A), entity(B, "Bob"), fact()), images())
    assert made.endpoints == {}
    assert made.stats[Kind.FACT].rows == 1


def test_row_condition_is_checked() -> None:
    """A condition on a row's version refuses the batch when the row is at another one."""
    asked = intent(entity(), conditions=(RowCondition(Kind.ENTITY, A, 4),))
    with pytest.raises(RowVersionMismatch):
        plan(asked, images(entity(version=5)))
    plan(asked, images(entity(version=4)))


def test_changed_end_of_a_fact_is_recorded_as_closure() -> None:
    """Every change of invalid_at is recorded with the end before it and the episode that caused it."""
    before = fact(invalid_at=OPEN_END)
    made = plan(intent(fact(invalid_at=500), episode_uuid=C), images(before, endpoints=ENDS))
    (put,) = made.puts
    assert (put.closed_by, put.previous_end, put.expires) == (C, OPEN_END, True)


def test_reopened_fact_keeps_its_closures_and_is_no_longer_expired() -> None:
    """Reopening is a closure too: the history of what was known stays whole."""
    history = (Closure(100, OPEN_END, C),)
    before = fact(invalid_at=500, expired_at=100, closures=history)
    made = plan(intent(fact()), images(before, endpoints=ENDS))
    (put,) = made.puts
    assert isinstance(put.row, Fact)
    assert (put.closed_by, put.previous_end, put.expires) == ("", 500, False)
    assert put.row.closures == history
    assert put.row.expired_at == OPEN_END


def test_unchanged_end_records_nothing() -> None:
    """Writing a fact again with the same end is no closure."""
    before = fact(invalid_at=500, expired_at=100)
    made = plan(intent(fact(invalid_at=500)), images(before, endpoints=ENDS))
    (put,) = made.puts
    assert isinstance(put.row, Fact)
    assert put.closed_by is None
    assert not put.expires
    assert put.row.expired_at == 100


def test_patch_that_inverts_a_time_range_is_refused() -> None:
    """invalid_at is never before valid_at, also when each came in a write of its own."""
    with pytest.raises(TimeRangeInverted):
        plan(
            intent(fact(invalid_at=5), mode=WriteMode.PATCH, masks={Kind.FACT: frozenset({"invalid_at"})}),
            images(fact(valid_at=10)),
        )


def test_fact_with_other_ends_is_dropped_and_put_anew_without_tombstone() -> None:
    """An edge cannot change its ends in place; its uuid stays and nothing is recorded as deleted."""
    before = fact(target_uuid=C, term_count=4)
    made = plan(intent(fact(embedding=unit(1, 0))), images(before, endpoints=ENDS))
    (drop,) = made.drops
    assert (drop.target_uuid, drop.tombstone) == (C, False)
    assert not made.puts[0].existed
    assert made.stats == {Kind.FACT: KindStats(0, 0)}
    assert made.existing == {Kind.FACT: 1}


def test_deleted_entity_takes_its_edges_along_once() -> None:
    """A cascade drops every incident edge once, edges before nodes, and subtracts their terms."""
    edges = (
        IncidentEdge(Kind.FACT, F, A, B, 3),
        IncidentEdge(Kind.MENTION, M, C, A, 0),
    )
    made = plan(
        intent(deletions=((Kind.ENTITY, A), (Kind.FACT, F))),
        images(entity(term_count=1), fact(term_count=3), incident=edges),
    )
    assert [(drop.kind, drop.uuid) for drop in made.drops] == [
        (Kind.FACT, F),
        (Kind.MENTION, M),
        (Kind.ENTITY, A),
    ]
    assert made.stats[Kind.FACT] == KindStats(-1, -3)
    assert made.existing == {Kind.FACT: 1, Kind.MENTION: 1, Kind.ENTITY: 1}
    assert made.incident_edges == 2


def test_deletion_of_a_missing_row() -> None:
    """It is an error unless the caller allows it."""
    asked = intent(deletions=((Kind.ENTITY, A),))
    with pytest.raises(RowsMissing):
        plan(asked, images())
    allowed = plan(replace(asked, allow_missing=True), images())
    assert allowed.drops == (RowDrop(Kind.ENTITY, asked.deletions[0][1], tombstone=False),)
    assert (allowed.existing, allowed.stats) == ({}, {})


def test_vector_is_made_only_when_the_text_changed() -> None:
    """An embedding that is not given is kept while the text stays, made anew when it changes."""
    before = entity()
    drafted = planner.draft(intent(entity()), images(before), row_terms, embeds=True, models=MODELS)
    assert drafted.texts() == []
    assert drafted.rows[0].put.vector is VectorChange.KEEP
    drafted = planner.draft(intent(entity(name="Bea")), images(before), row_terms, embeds=True, models=MODELS)
    assert drafted.texts() == ["Bea"]


def test_without_embedder_a_changed_text_loses_its_old_vector() -> None:
    """A vector never stands for a text that it was not made from."""
    drafted = planner.draft(
        intent(entity(name="Bea")), images(entity()), row_terms, embeds=False, models=MODELS
    )
    assert drafted.rows[0].put.vector is VectorChange.REMOVE


def test_first_vector_fixes_the_groups_model_and_another_is_refused() -> None:
    """Vectors of one kind in a group are of one model and dimension."""
    made = plan(intent(entity(embedding=unit(1, 0))), images())
    assert made.embeddings == {Kind.ENTITY: EmbeddingSpec("m", 2)}
    fence = replace(FENCE, embeddings={Kind.ENTITY: EmbeddingSpec("m", 3)})
    with pytest.raises(EmbeddingMismatch):
        plan(intent(entity(embedding=unit(1, 0))), images(fence=fence))


def test_episodes_of_a_fact_are_joined_when_asked() -> None:
    """Provenance given with a later episode adds to what is stored."""
    before = fact(episodes=(A,))
    asked = intent(changes=(RowChange(fact(episodes=(B, A)), merge_episodes=True),))
    made = plan(asked, images(before, endpoints=ENDS))
    (put,) = made.puts
    assert isinstance(put.row, Fact)
    assert put.row.episodes == (A, B)


def test_mention_needs_both_ends() -> None:
    """Endpoints are looked up by their own kinds."""
    mention = Mention(uuid=M, source_uuid=C, target_uuid=A)
    request = planner.image_request(intent(mention))
    assert request.endpoints == {Kind.EPISODE: (C,), Kind.ENTITY: (A,)}


def test_given_and_made_vectors_keep_their_own_models() -> None:
    """A caller's model name never covers vectors that the gateway made."""
    asked = intent(entity(A, embedding=unit(1, 0)), entity(B, "Bob"))
    drafted = planner.draft(asked, images(), row_terms, embeds=True, models=MODELS)
    with pytest.raises(EmbeddingMismatch):
        planner.finish(drafted, {"Bob": unit(0, 1)}, FENCE.epoch, 1_000, "{}")


def test_moving_a_fact_without_embedder_needs_its_vector() -> None:
    """Changing the ends makes a new edge: without an embedder the caller sends the vector along."""
    fence = replace(FENCE, embeddings={Kind.FACT: EmbeddingSpec("m", 2)})
    with pytest.raises(VectorWouldBeLost):
        plan(intent(fact()), images(fact(target_uuid=C), endpoints=ENDS, fence=fence))
    made = plan(intent(fact(embedding=unit(1, 0))), images(fact(target_uuid=C), endpoints=ENDS))
    assert made.puts[0].vector is VectorChange.SET


def test_a_fact_has_bounded_closures_and_episodes() -> None:
    """What every write of a fact carries along has a limit."""
    closures = tuple(Closure(at, at, "") for at in range(planner.CLOSURES_MAX))
    with pytest.raises(FactFull):
        plan(intent(fact(invalid_at=5)), images(fact(closures=closures), endpoints=ENDS))
    many = tuple(f"{n:08d}-0000-4000-8000-000000000000" for n in range(planner.FACT_EPISODES_MAX + 1))
    with pytest.raises(FactFull):
        plan(intent(fact(episodes=many)), images(endpoints=ENDS))


def test_an_edge_can_move_off_a_node_that_the_same_write_deletes() -> None:
    """The edge is moved, not deleted; one that stays on the deleted node refuses the write."""
    before = fact(target_uuid=C)
    asked = intent(fact(), deletions=((Kind.ENTITY, C),))
    seen = images(
        before,
        entity(C),
        endpoints=ENDS,
        incident=(IncidentEdge(Kind.FACT, F, A, C, 0),),
    )
    made = plan(asked, seen)
    assert [(drop.kind, drop.tombstone) for drop in made.drops] == [(Kind.FACT, False), (Kind.ENTITY, True)]
    assert made.stats[Kind.FACT].rows == 0
    with pytest.raises(EndpointsMissing):
        plan(intent(fact(target_uuid=C), deletions=((Kind.ENTITY, C),)), seen)


def test_given_closures_are_written_as_they_are_with_the_time_of_the_write() -> None:
    """Ingestion knows more than one cause of an end: of a new fact too, which is stored closed."""
    closures = (Closure(5, 900, "e1"), Closure(AT_WRITE, 800, "e2"))
    row = fact(valid_at=100, invalid_at=700, expired_at=AT_WRITE)
    asked = intent(row, changes=(RowChange(row, closures=closures),))
    (put,) = plan(asked, images(endpoints=ENDS)).puts
    assert isinstance(put.row, Fact)
    assert put.row.closures == (Closure(5, 900, "e1"), Closure(1_000, 800, "e2"))
    assert put.row.expired_at == 1_000
    assert (put.closed_by, put.expires) == (None, False)
    ahead = images(endpoints=ENDS, fence=replace(FENCE, last_created_at=5_000))
    (put,) = plan(asked, ahead).puts
    assert isinstance(put.row, Fact)
    assert (put.row.closures[-1].closed_at, put.row.expired_at) == (5_001, 5_001)


def test_given_closures_may_open_a_fact_again() -> None:
    """What an episode had closed holds as before once the episode is gone."""
    stored = fact(version=3, invalid_at=700, expired_at=50, closures=(Closure(50, OPEN_END, "e1"),))
    row = fact(invalid_at=OPEN_END, expired_at=OPEN_END)
    asked = intent(row, changes=(RowChange(row, closures=()),))
    (put,) = plan(asked, images(stored, endpoints=ENDS)).puts
    assert isinstance(put.row, Fact)
    assert (put.row.closures, put.row.expired_at, put.existed) == ((), OPEN_END, True)
    assert put.vector is VectorChange.KEEP
