"""A search as the cache sees it: what it is known by, and what its answer depends on."""

import hashlib
import json
from dataclasses import dataclass

from drivers.graph_model import Kind
from gateway.embedding.port import EmbeddingModel
from gateway.search.request import CrossEncoding, NodeDistance, Search
from graphgate.v1 import search_service_pb2 as pb
from shard_router.fusion import Method


@dataclass(frozen=True, slots=True)
class Question:
    key: bytes
    """Equal for requests with the same answer."""
    group_ids: tuple[str, ...] | None
    """Sorted. None: all groups."""
    asked_us: int | None
    """The present time, where the answer depends on it."""
    can_be_shared: bool
    """False: what comes out depends on how much time the caller has."""
    explain: bool = False


def question_of(request: pb.SearchRequest, search: Search, model: EmbeddingModel | None) -> Question:
    """`request` with its recipe merged in, `search` what was read of it; `model` makes the query's vector."""
    group_ids = None if search.group_ids is None else tuple(sorted(search.group_ids))
    return Question(
        key=request_key(request, model),
        group_ids=group_ids,
        asked_us=search.walked.as_of if _depends_on_now(request, search) else None,
        can_be_shared=search.partial is None
        and not any(isinstance(spec.reranker, CrossEncoding) for spec in search.results),
        explain=request.explain,
    )


def request_key(request: pb.SearchRequest, model: EmbeddingModel | None) -> bytes:
    """A digest of all that the answer depends on: so of every field that is not known to be none of it, also
    of those that the contract gets later."""
    asked = pb.SearchRequest()
    asked.CopyFrom(request)
    # Checked against each answer, kept or not.
    asked.ClearField("min_versions")
    asked.ClearField("cache")
    # Merged in.
    asked.ClearField("recipe")
    scope = asked.WhichOneof("scope")
    if scope != "all_groups":
        group_ids = [asked.group_id] if scope == "group_id" else asked.groups.group_ids
        asked.groups.CopyFrom(pb.GroupList(group_ids=sorted(set(group_ids))))
    if asked.HasField("read_mask"):
        paths = sorted(set(asked.read_mask.paths))
        asked.read_mask.paths[:] = paths
    asked.DiscardUnknownFields()
    made_by = [] if model is None else [model.name, model.dimension, model.revision]
    digest = hashlib.blake2b(json.dumps(made_by).encode(), digest_size=32)
    digest.update(b"\0")
    digest.update(asked.SerializeToString(deterministic=True))
    return digest.digest()


def _depends_on_now(request: pb.SearchRequest, search: Search) -> bool:
    """Whether a fact that begins or ceases to hold can change the answer."""
    if request.all_times or request.HasField("as_of") or request.HasField("known_at"):
        return False
    return any(
        spec.kind is Kind.FACT or Method.GRAPH in spec.weights or isinstance(spec.reranker, NodeDistance)
        for spec in search.results
    )
