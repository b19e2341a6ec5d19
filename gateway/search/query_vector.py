"""The query's vector, and with which groups' vectors it may be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.deadline import Deadline
from drivers.fence import EmbeddingSpec, Fence
from drivers.graph_model import Kind, Vector
from gateway.embedding.port import Embedder
from gateway.search.errors import QueryVectorUnfit
from gateway.search.request import Mmr, ResultSpec, Search, VectorMode, default_weights
from gateway.search.result import SemanticSkip, VectorPath, VectorPathReason
from shard_router.fusion import Method


@dataclass(frozen=True, slots=True)
class QueryVector:
    values: Vector
    model: str
    """Empty: unknown, then only the dimension has to fit."""

    def fits(self, stored: EmbeddingSpec) -> bool:
        return stored.dimension == len(self.values) and self.model in ("", stored.model)


async def query_vector(search: Search, embedder: Embedder, deadline: Deadline) -> QueryVector | None:
    """The caller's, else made of the text. None: semantic search finds nothing, because there is neither a
    vector nor a text, or this gateway has no embedder and nobody named what needs one.

    Raises EmbeddingError.
    """
    if search.vector is not None:
        return QueryVector(search.vector, search.vector_model)
    wanted = any(_compares(spec) for spec in search.results) or (search.walks and not search.origins)
    if not wanted or not search.text.strip():
        return None
    if embedder.model is None and not any(_insists(spec) for spec in search.results):
        return None
    (values,) = await embedder.embed([search.text], deadline=deadline.at_s)
    assert embedder.model is not None, "an embedder without a model makes no vectors"
    return QueryVector(values, embedder.model.name)


def _compares(spec: ResultSpec) -> bool:
    return bool(spec.weights.get(Method.SEMANTIC)) or isinstance(spec.reranker, Mmr)


def _insists(spec: ResultSpec) -> bool:
    """Whether the request names what cannot be done without a vector; the default methods name nothing."""
    named = spec.weights is not default_weights(spec.kind) and bool(spec.weights.get(Method.SEMANTIC))
    return named or isinstance(spec.reranker, Mmr)


@dataclass(frozen=True, slots=True)
class Fit:
    """Which groups' vectors the query's may be compared with."""

    stored: Mapping[Kind, Sequence[EmbeddingSpec]]
    """Of every kind that was compared."""
    skips: Sequence[SemanticSkip] = ()
    """By group_id."""
    _skipped: frozenset[tuple[Kind, str]] = field(default_factory=frozenset[tuple[Kind, str]])

    def comparable(self, kind: Kind, group_id: str) -> bool:
        return (kind, group_id) not in self._skipped

    def look_alike(self, kind: Kind, dimension: int) -> bool:
        """Whether vectors of another model have the query's dimension, so that a scan takes them in."""
        return any(skip.kind is kind and skip.stored.dimension == dimension for skip in self.skips)

    def path(
        self, spec: ResultSpec, vector: QueryVector | None, mode: VectorMode, by_index: int
    ) -> VectorPath | None:
        """How vectors of the kind were compared, those of `by_index` groups by an index; None: they were not
        to be."""
        if not spec.weights.get(Method.SEMANTIC):
            return None
        if vector is None:
            return VectorPath(None, VectorPathReason.NO_QUERY_VECTOR)
        if not self.stored.get(spec.kind):
            return VectorPath(None, VectorPathReason.NO_FITTING_GROUP)
        if by_index:
            asked = mode is VectorMode.APPROXIMATE
            reason = VectorPathReason.REQUESTED if asked else VectorPathReason.LARGE_GROUPS
            return VectorPath(VectorMode.APPROXIMATE, reason, by_index)
        asked = mode is VectorMode.EXACT
        return VectorPath(
            VectorMode.EXACT, VectorPathReason.REQUESTED if asked else VectorPathReason.NO_VECTOR_INDEX
        )


def fit_of(
    search: Search,
    vector: QueryVector | None,
    kinds: Sequence[Kind],
    fences: Mapping[str, Fence],
    *,
    whole: bool = True,
) -> Fit:
    """`kinds` were compared; `whole`: no group is missing among the `fences`.

    Raises QueryVectorUnfit where the vector was all there is to search by and fits nowhere: cosines between
    models mean nothing, and empty lists would say that there is nothing to find.
    """
    if vector is None:
        return Fit({})
    stored: dict[Kind, list[EmbeddingSpec]] = {kind: [] for kind in kinds}
    skips: list[SemanticSkip] = []
    for group_id, fence in sorted(fences.items()):
        for kind in kinds:
            spec = fence.embeddings.get(kind)
            if spec is None:
                continue
            if vector.fits(spec):
                stored[kind].append(spec)
            else:
                skips.append(SemanticSkip(group_id, kind, spec))
    asked = {spec.kind for spec in search.results if spec.weights.get(Method.SEMANTIC)}
    misfit = next((skip for skip in skips if skip.kind in asked), None)
    if misfit is not None and whole and not any(stored.values()) and _by_vector_alone(search):
        raise QueryVectorUnfit(misfit.kind, misfit.stored, vector.model or "the caller", len(vector.values))
    return Fit(stored, skips, frozenset((skip.kind, skip.group_id) for skip in skips))


def _by_vector_alone(search: Search) -> bool:
    """Whether every method of every result needs a vector: words and given origins can do without."""
    has_words = bool(search.text.strip())
    without = {Method.KEYWORD: has_words, Method.GRAPH: has_words or bool(search.origins)}
    return not any(
        weight and without.get(method, False)
        for spec in search.results
        for method, weight in spec.weights.items()
    )
