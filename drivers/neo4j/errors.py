"""The errors of the Neo4j driver and server as types of drivers/errors.py, told apart by class and code.

What a failure says about a write that was sent:

- An error of a statement (syntax, argument, constraint), a deadlock, a lock or transaction timeout come
  before the commit: the transaction was rolled back. Of 248 timeouts that raced a commit none was there.
- Everything else is open. A clean stop lets running transactions commit and then answers
  Neo.TransientError.General.DatabaseUnavailable; a lost connection says nothing at all. The driver calls
  both retryable, which is right for reads only.
- A write that does not fit on the disk is answered with Neo.DatabaseError.Transaction.TransactionLogError,
  which is open too: how much of it reached the log is not said. From then on the server begins no
  transaction, no reading one either (TransactionStartFailed), until it is restarted, disk or no disk.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from neo4j.exceptions import (
    AuthError,
    ConnectionAcquisitionTimeoutError,
    Neo4jError,
    ServiceUnavailable,
)

from drivers.errors import (
    EngineRefused,
    GraphgateError,
    OutcomeUnknown,
    OutcomeUnknownAtDeadline,
    SchemaNotReady,
    ShardImpaired,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
)

NOT_CONNECTED = "Couldn't connect to"
"""How the driver's text begins when no connection came about: it has no class of its own for that. If the
text changes, such a write is taken for one with unknown outcome, which is the safe side."""

SCHEMA_EXISTS = frozenset(
    {
        "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists",
        "Neo.ClientError.Schema.ConstraintAlreadyExists",
        "Neo.ClientError.Schema.IndexAlreadyExists",
    }
)
"""IF NOT EXISTS still raises them when two gateways create the same rule at the same time."""

_ROLLED_BACK_AND_FREE_TO_REPEAT = frozenset(
    {
        "Neo.TransientError.Transaction.DeadlockDetected",
        "Neo.TransientError.Transaction.LockAcquisitionTimeout",
        "Neo.TransientError.Transaction.LockClientStopped",
        "Neo.TransientError.Transaction.Outdated",
        "Neo.TransientError.Transaction.ConstraintsChanged",
        "Neo.TransientError.Schema.SchemaModifiedConcurrently",
    }
)
_TIMED_OUT = frozenset(
    {
        "Neo.ClientError.Transaction.TransactionTimedOut",
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
        "Neo.ClientError.Transaction.LockClientStopped",
        "Neo.ClientError.Transaction.Terminated",
        "Neo.TransientError.Transaction.Terminated",
    }
)
_FULL: Mapping[str, str] = {
    "Neo.TransientError.Request.NoThreadsAvailable": "server.bolt.thread_pool_max_size",
    "Neo.TransientError.Transaction.MaximumTransactionLimitReached": "db.transaction.concurrent.maximum",
}
"""By code: the server's setting that says how many there may be."""
_NO_INDEX = frozenset(
    {
        "Neo.ClientError.Schema.IndexNotFound",
        "Neo.DatabaseError.Schema.IndexNotFound",
    }
)
_MEMORY = "a transaction needs more memory than it may"
_CREDENTIALS = "it refuses the credentials; correct user and password"
_FAILED_DATABASE = "its database begins no transaction; free its disk, look at its log and restart it"
_NOT_DONE: tuple[tuple[str, type[ShardUnavailable], str], ...] = (
    ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", ShardImpaired, _MEMORY),
    ("Neo.ClientError.Cluster.NotALeader", ShardImpaired, "it is a replica"),
    ("Neo.ClientError.General.ForbiddenOnReadOnlyDatabase", ShardImpaired, "it is read-only"),
    ("Neo.ClientError.General.WriteOnReadOnlyAccessDatabase", ShardImpaired, "it is read-only"),
    ("Neo.DatabaseError.Transaction.TransactionStartFailed", ShardUnavailable, _FAILED_DATABASE),
    ("Neo.ClientError.Security.", ShardUnavailable, _CREDENTIALS),
    ("Neo.ClientError.Database.DatabaseNotFound", ShardUnavailable, "it has no such database"),
)
"""Codes, or how they begin, with what the shard cannot do at present."""

_REFUSED = ("Neo.ClientError.", "Neo.DatabaseError.Statement.", "Neo.DatabaseError.Schema.")
_NO_FULLTEXT_INDEX = "There is no such fulltext schema index"
_STILL_POPULATING = "Index is still populating"


_UNREADABLE = (ValueError, AttributeError, LookupError, struct.error)
"""What the driver lets out when it cannot read an answer."""


class GarbledAnswer(Exception):
    """What came is no Bolt; the connection is of no use any more."""


def is_garbled(error: Exception) -> bool:
    """Whether the error came from reading an answer, and not from writing parameters, which is a bug here."""
    return isinstance(error, _UNREADABLE) and not (
        isinstance(error, UnicodeEncodeError) or str(error).startswith("Values of type")
    )


class Repeat(StrEnum):
    """Whether the statement may be sent once more."""

    NO = "NO"
    READ = "READ"
    """The connection was lost: only what may run twice."""
    ANY = "ANY"
    """The transaction was rolled back and met a conflict that passes."""


@dataclass(frozen=True, slots=True)
class Failure:
    error: GraphgateError
    repeat: Repeat = Repeat.NO
    connection_lost: bool = False
    """The server may be another process when it answers again."""


def classify(error: Exception, shard_id: str, what: str, op_id: str | None) -> Failure:
    """What to raise for `error`, and whether to try again first.

    `what` names the statement; `op_id` is that of a write which must not run twice, None for a statement
    that may. A TimeoutError is the client's own: the deadline passed after the statement was sent.
    """
    match error:
        case Neo4jError():
            return _server(error, shard_id, what, op_id)
        case ConnectionAcquisitionTimeoutError():
            return Failure(ShardUnavailable(shard_id, "no connection in time"))
        case ServiceUnavailable() if str(error).startswith(NOT_CONNECTED):
            return Failure(ShardUnavailable(shard_id, "no connection"), connection_lost=True)
        case TimeoutError():
            if op_id is None:
                return Failure(ShardTimeout(shard_id, what))
            return Failure(OutcomeUnknownAtDeadline(shard_id, op_id))
        case GarbledAnswer():
            return _lost(shard_id, op_id, "the answer is no Bolt")
        case _:
            return _lost(shard_id, op_id, "the connection was lost")


def _server(error: Neo4jError, shard_id: str, what: str, op_id: str | None) -> Failure:
    code, text = error.code or "", f"{error.code}: {error.message}"
    if isinstance(error, AuthError):
        return Failure(ShardUnavailable(shard_id, _CREDENTIALS))
    for prefix, error_type, why in _NOT_DONE:
        if code.startswith(prefix):
            return Failure(error_type(shard_id, why))
    if code in _TIMED_OUT:
        return Failure(ShardTimeout(shard_id, f"{what}, which was rolled back"))
    if code in _ROLLED_BACK_AND_FREE_TO_REPEAT:
        return Failure(ShardImpaired(shard_id, f"{what} met locks of others"), Repeat.ANY)
    if code in _FULL:
        return Failure(ShardOverloaded(shard_id, _FULL[code], 0))
    if code in _NO_INDEX or _NO_FULLTEXT_INDEX in text or _STILL_POPULATING in text:
        return Failure(SchemaNotReady(shard_id, f"an index for {what}"))
    if code.startswith(_REFUSED):
        return Failure(EngineRefused(shard_id, text))
    return _lost(shard_id, op_id, "it is stopping or failing")


def _lost(shard_id: str, op_id: str | None, why: str) -> Failure:
    if op_id is not None:
        return Failure(OutcomeUnknown(shard_id, op_id), connection_lost=True)
    return Failure(ShardUnavailable(shard_id, why), Repeat.READ, connection_lost=True)
