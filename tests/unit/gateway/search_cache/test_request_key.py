"""What a kept answer is known by."""

from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from gateway.embedding.port import EmbeddingModel
from gateway.rpc.search_reading import search_of
from gateway.rpc.search_recipes import RECIPES, with_recipe
from gateway.rpc.validation import Violations
from gateway.search_cache.question import Question, question_of, request_key
from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as pb

MODEL = EmbeddingModel("m", 3, "r")
FACT, ENTITY, EPISODE = graph_pb2.ROW_KIND_FACT, graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_EPISODE
KEYWORD, GRAPH = pb.SEARCH_METHOD_KEYWORD, pb.SEARCH_METHOD_GRAPH


def whole(**given: object) -> pb.SearchRequest:
    return pb.SearchRequest(
        groups=pb.GroupList(group_ids=["a", "b"]),
        query="amber",
        results=[pb.ResultSpec(kind=FACT, limit=3)],
        read_mask=FieldMask(paths=["fact.name", "entity"]),
        **given,  # pyright: ignore[reportArgumentType]
    )


def question(request: pb.SearchRequest) -> Question:
    v = Violations()
    merged = with_recipe(v, request)
    search = search_of(v, merged, with_vectors=False)
    v.raise_if_any()
    return question_of(merged, search, MODEL)


@given(
    st.permutations(["a", "b", "c"]),
    st.lists(st.sampled_from("abc"), max_size=5),
    st.permutations(["fact.name", "entity", "episode.content"]),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
    st.sampled_from(list(pb.SearchCacheUse.values())),
    st.binary(min_size=1, max_size=8),
)
def test_what_does_not_change_the_answer_does_not_change_the_key(
    groups: Sequence[str],
    repeated: Sequence[str],
    paths: Sequence[str],
    min_versions: dict[str, int],
    use: pb.SearchCacheUse,
    unknown: bytes,
) -> None:
    """Order and repeats of groups and mask, versions that are checked on the answer, the use of the cache,
    fields of later contracts that this gateway does not know."""
    plain = pb.SearchRequest(query="q", read_mask=FieldMask(paths=sorted(paths)))
    plain.groups.group_ids.extend("abc")
    other = pb.SearchRequest(query="q", read_mask=FieldMask(paths=[*paths, *paths]), cache=use)
    other.groups.group_ids.extend([*groups, *repeated])
    for group_id, version in min_versions.items():
        other.min_versions[group_id] = version
    # Field 1,000, length-delimited.
    other.MergeFromString(b"\xc2\x3e" + bytes([len(unknown)]) + unknown)
    assert request_key(other, MODEL) == request_key(plain, MODEL)


def test_one_group_is_a_list_of_one() -> None:
    """The two ways to name one group share an answer."""
    named = pb.SearchRequest(group_id="a", query="q")
    listed = pb.SearchRequest(groups=pb.GroupList(group_ids=["a"]), query="q")
    assert request_key(named, MODEL) == request_key(listed, MODEL)


def test_a_recipe_is_the_request_that_it_stands_for() -> None:
    """By name or written out: one answer."""
    by_name = pb.SearchRequest(group_id="a", query="q", recipe="facts_mmr")
    written = pb.SearchRequest()
    written.CopyFrom(RECIPES["facts_mmr"].request)
    written.MergeFrom(pb.SearchRequest(group_id="a", query="q"))
    assert question(by_name).key == question(written).key
    assert question(by_name).key != question(pb.SearchRequest(group_id="a", query="q")).key


def test_every_other_field_changes_the_key() -> None:
    """A request with any field set otherwise has another answer; so has one whose vector another model makes.
    Each field of the contract is tried: one that is added later must be in the key or in this test."""
    changed: dict[str, pb.SearchRequest] = {
        "group_id": pb.SearchRequest(group_id="a"),
        "groups": pb.SearchRequest(groups=pb.GroupList(group_ids=["a", "c"])),
        "all_groups": pb.SearchRequest(all_groups=pb.AllGroups()),
        "query": pb.SearchRequest(query="birch"),
        "query_vector": pb.SearchRequest(query_vector=[1, 2]),
        "results": pb.SearchRequest(results=[pb.ResultSpec(kind=EPISODE)]),
        "rrf_k": pb.SearchRequest(rrf_k=7),
        "with_placement": pb.SearchRequest(with_placement=True),
        "with_embedding": pb.SearchRequest(with_embedding=True),
        "as_of": pb.SearchRequest(as_of=Timestamp(seconds=1)),
        "known_at": pb.SearchRequest(known_at=Timestamp(seconds=1)),
        "all_times": pb.SearchRequest(all_times=True),
        "vectors": pb.SearchRequest(vectors=pb.VECTOR_SEARCH_EXACT),
        "query_model": pb.SearchRequest(query_model="m"),
        "center": pb.SearchRequest(center=pb.EntityRef(uuid="u")),
        "origins": pb.SearchRequest(origins=[pb.EntityRef(uuid="u")]),
        "graph_hops": pb.SearchRequest(graph_hops=2),
        "read_mask": pb.SearchRequest(read_mask=FieldMask(paths=["fact.uuid"])),
        "partial": pb.SearchRequest(partial=pb.PartialPolicy()),
        "explain": pb.SearchRequest(explain=True),
    }
    not_part_of_it = {"min_versions", "cache", "recipe"}
    assert changed.keys() | not_part_of_it == {field.name for field in pb.SearchRequest.DESCRIPTOR.fields}
    keys = {
        request_key(whole(), MODEL),
        request_key(whole(), None),
        request_key(whole(), EmbeddingModel("m", 4)),
    }
    for change in changed.values():
        request = whole()
        request.MergeFrom(change)
        keys.add(request_key(request, MODEL))
    assert len(keys) == len(changed) + 3


def test_the_present_time_counts_where_facts_are_looked_at() -> None:
    """Facts, the graph method and distances depend on which facts hold now; a request that names its time,
    or has all of them, does not."""

    def asks(spec: pb.ResultSpec, **given: object) -> bool:
        request = pb.SearchRequest(group_id="a", query="q", results=[spec], **given)  # pyright: ignore[reportArgumentType]
        return question(request).asked_us is not None

    by_word = pb.ResultSpec(kind=EPISODE, methods=[pb.MethodWeight(method=KEYWORD, weight=1)])
    by_graph = pb.ResultSpec(kind=EPISODE, methods=[pb.MethodWeight(method=GRAPH, weight=1)])
    near = pb.ResultSpec(
        kind=ENTITY,
        methods=[pb.MethodWeight(method=KEYWORD, weight=1)],
        reranker=pb.Reranker(node_distance=pb.NodeDistanceReranker()),
    )
    facts = pb.ResultSpec(kind=FACT, methods=[pb.MethodWeight(method=KEYWORD, weight=1)])
    center = pb.EntityRef(uuid="0" * 8 + "-0000-0000-0000-" + "0" * 12)
    assert not asks(by_word)
    assert asks(by_graph)
    assert asks(near, center=center)
    assert asks(facts)
    assert not asks(facts, all_times=True)
    assert not asks(facts, as_of=Timestamp(seconds=1))
    assert not asks(facts, known_at=Timestamp(seconds=1))


def test_a_search_that_depends_on_its_callers_time_is_not_shared() -> None:
    """What a partial answer or a cross-encoder leaves out depends on the caller's deadline."""
    plain = pb.SearchRequest(group_id="a", query="q")
    partial = pb.SearchRequest(group_id="a", query="q", partial=pb.PartialPolicy())
    judged = pb.SearchRequest(group_id="a", query="q", recipe="facts_cross_encoder")
    assert [question(one).can_be_shared for one in (plain, partial, judged)] == [True, False, False]
