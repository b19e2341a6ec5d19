"""Why a search cannot be answered.

GraphgateError
 +- QueryVectorUnfit   the query's vector is comparable with no vector of the scope
"""

from drivers.errors import GraphgateError
from drivers.fence import EmbeddingSpec
from drivers.graph_model import Kind


class QueryVectorUnfit(GraphgateError):
    reason = "QUERY_VECTOR_UNFIT"

    def __init__(self, kind: Kind, stored: EmbeddingSpec, model: str, dimension: int) -> None:
        super().__init__(
            f"the query's vector is of {model} with dimension {dimension}, vectors of {kind} in this scope "
            f"are of {stored.model!r} with {stored.dimension}; send a query_vector of that model"
        )
        self._metadata = {
            "kind": str(kind),
            "stored_model": stored.model,
            "stored_dimension": str(stored.dimension),
            "dimension": str(dimension),
        }

    def metadata(self) -> dict[str, str]:
        return self._metadata
