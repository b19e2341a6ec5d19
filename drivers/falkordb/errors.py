"""The errors of FalkorDB as types of drivers/errors.py, told apart by their texts: it has no codes of its
own. A text may carry one of Redis's codes (LOADING, OOM, ..) or the meaningless ERR in front."""

from drivers.errors import (
    EngineRefused,
    SchemaNotReady,
    ShardError,
    ShardImpaired,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
    VectorDimensionMismatch,
)

NO_SUCH_GRAPH = "Invalid graph operation on empty key"
"""The answer of GRAPH.RO_QUERY when the key is not there. GRAPH.QUERY would make an empty graph."""

ALREADY_INDEXED = "is already indexed"
NO_SUCH_INDEX = "no such index"

_UNAVAILABLE: tuple[tuple[str, str], ...] = (
    ("LOADING", "it is loading its data"),
    ("NOAUTH", "it asks for credentials; correct user and password"),
    ("HELLO must be called with the client already authenticated", "it asks for credentials"),
    ("WRONGPASS", "it refuses the credentials; correct user and password"),
    ("max number of clients reached", "it has no place for another connection"),
    ("unknown command", "it has no FalkorDB module; correct the address"),
)
_IMPAIRED: tuple[tuple[str, str], ...] = (
    ("BUSY ", "a script blocks it"),
    ("READONLY", "it is a replica"),
    ("MASTERDOWN", "it is a replica without its primary"),
    ("CLUSTERDOWN", "its cluster is down"),
    ("OOM ", "it is out of memory"),
    ("MISCONF", "it cannot persist writes"),
    ("NOREPLICAS", "it has too few replicas"),
    ("NOPERM", "it denies the user a command; give the user all GRAPH commands"),
    ("Query's mem consumption exceeded capacity", "a query needs more memory than QUERY_MEM_CAPACITY"),
)
NOT_PRIMARY = ("READONLY", "MASTERDOWN")
"""How the answers begin after which another server may be the primary."""


def classify(shard_id: str, text: str, what: str) -> ShardError:
    """The typed error for an error reply to `what`. None of these has changed anything."""
    text = text.removeprefix("ERR ")
    for prefix, why in _UNAVAILABLE:
        if text.startswith(prefix):
            return ShardUnavailable(shard_id, why)
    for prefix, why in _IMPAIRED:
        if text.startswith(prefix):
            return ShardImpaired(shard_id, why)
    if text.startswith("Query timed out"):
        return ShardTimeout(shard_id, what)
    if text.startswith("Max pending queries exceeded"):
        return ShardOverloaded(shard_id, "MAX_QUEUED_QUERIES", 0)
    if text.startswith(("Invalid arguments for procedure", "Attempted to access undefined attribute")):
        return SchemaNotReady(shard_id, "the index of a search")
    if text.startswith("Vector dimension mismatch"):
        return VectorDimensionMismatch(shard_id, _given_dimension(text))
    return EngineRefused(shard_id, text)


def _given_dimension(text: str) -> int:
    """Of `.. expected 384 but got 3`; 0 when the text has another form."""
    number = text.rpartition(" ")[2]
    return int(number) if number.isdigit() else 0
