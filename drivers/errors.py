"""Everything a driver can fail with, as types that know whether a retry may help.

    GraphgateError
     +- DeadlinePassed            the caller's time is up; nothing was sent for this step
     +- ShardError                has shard_id
         +- ShardUnavailable      retryable: refused, reset, loading, garbage
         |   +- ShardImpaired     it answers and cannot do this: read-only, out of memory or disk, locks
         +- ShardTimeout          the engine did not answer in time; a read had no effect
         +- OutcomeUnknown        retryable: a sent write lost its answer; it may have been applied
         |   +- OutcomeUnknownAtDeadline  the answer was not lost but late
         +- ShardOverloaded       retryable: the connection pool or the engine's queue is full
         +- SchemaNotReady        retryable: an index is missing or still being built
         +- ShardIdentityError    not the shard that this address should be
         |   +- WrongShard        marker of another shard or fleet
         |   +- WipedShard        no marker where the catalog knows one
         |   +- NewerSchema       written by a newer graphgate
         |   +- OlderCopy         an older copy of the disk: acknowledged writes are missing
         +- RegisterClosed        retryable: the shard takes no new groups by the caller's root ring
         +- RowLimitExceeded      one write or read touches more rows than it may
         +- WriteTooHeavy         one write would hold the shard too long
         +- VectorDimensionMismatch  a query vector does not fit the stored vectors
         +- EngineRefused         the engine rejected a statement: a bug of this driver

`reason` is stable and part of the public error model; gateway/errors.py maps it to a status code.
Texts never hold addresses, Cypher, passwords or row content: they may reach the caller.
"""

from typing import ClassVar


class GraphgateError(Exception):
    """Root of all typed errors below the gateway's edge."""

    reason: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def metadata(self) -> dict[str, str]:
        """Values that the text names, for programs."""
        return {}


class DeadlinePassed(GraphgateError):
    reason = "DEADLINE_EXCEEDED"

    def __init__(self, what: str) -> None:
        super().__init__(f"the deadline passed before {what}; call again with a longer deadline")


class ShardError(GraphgateError):
    reason = "SHARD_ERROR"

    def __init__(self, shard_id: str, message: str) -> None:
        super().__init__(message)
        self.shard_id = shard_id

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id}


class ShardUnavailable(ShardError):
    reason = "SHARD_UNAVAILABLE"
    retryable = True

    def __init__(self, shard_id: str, why: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(shard_id, f"shard {shard_id} is not available ({why}); retry after a short wait")
        self.why = why
        self.retry_after_s = retry_after_s
        """Before that a retry is in vain; None: nothing is known."""


class ShardImpaired(ShardUnavailable):
    """The engine answered that it cannot do this at present: the connection and what lies behind it are not
    in doubt, and other calls may well succeed."""

    reason = "SHARD_IMPAIRED"


class ShardTimeout(ShardError):
    reason = "SHARD_TIMEOUT"

    def __init__(self, shard_id: str, what: str) -> None:
        super().__init__(
            shard_id, f"shard {shard_id} did not finish {what} in time; retry with a longer deadline"
        )


class OutcomeUnknown(ShardError):
    reason = "OUTCOME_UNKNOWN"
    retryable = True
    """Under the same request_id, which makes it the same write."""

    def __init__(self, shard_id: str, op_id: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} may have applied the write {op_id}; retry it with this request_id",
        )
        self.op_id = op_id

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "op_id": self.op_id, "outcome_unknown": "true"}


class OutcomeUnknownAtDeadline(OutcomeUnknown):
    """The caller's time was up while the write ran."""

    reason = "OUTCOME_UNKNOWN_AT_DEADLINE"


class ShardOverloaded(ShardError):
    reason = "SHARD_OVERLOADED"
    retryable = True

    def __init__(self, shard_id: str, limit_name: str, limit: int) -> None:
        """`limit` 0: the engine's own, which it does not tell."""
        super().__init__(
            shard_id,
            f"shard {shard_id} has no free slot ({limit_name}{f' = {limit}' if limit else ''}); "
            "retry after a short wait",
        )
        self.limit_name = limit_name
        self.limit = limit

    def metadata(self) -> dict[str, str]:
        told = {"limit": str(self.limit)} if self.limit else {}
        return {"shard": self.shard_id, "limit_name": self.limit_name, **told}


class SchemaNotReady(ShardError):
    reason = "SCHEMA_NOT_READY"
    retryable = True

    def __init__(self, shard_id: str, what: str) -> None:
        super().__init__(shard_id, f"shard {shard_id} is still building {what}; retry after a short wait")


class ShardIdentityError(ShardError):
    reason = "SHARD_IDENTITY"


class WrongShard(ShardIdentityError):
    reason = "WRONG_SHARD"

    def __init__(self, shard_id: str, field: str, expected: str, found: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} answers as {field} {found!r}, expected {expected!r}; correct its address",
        )


class WipedShard(ShardIdentityError):
    reason = "SHARD_WIPED"

    def __init__(self, shard_id: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} has lost its marker: its data is gone; restore it or remove the shard",
        )


class NewerSchema(ShardIdentityError):
    reason = "SHARD_SCHEMA_NEWER"

    def __init__(self, shard_id: str, found: int, supported: int) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} has schema {found}, this gateway knows up to {supported}; upgrade the gateway",
        )


class OlderCopy(ShardIdentityError):
    reason = "SHARD_OLDER_COPY"

    def __init__(self, shard_id: str, beat: int, known: int) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} serves an older copy of its data (beat {beat}, {known} is known); "
            "restore the newest copy",
        )


class RegisterClosed(ShardError):
    """Nothing was made. Whoever reads the marker anew knows what to do."""

    reason = "REGISTER_CLOSED"
    retryable = True

    def __init__(self, shard_id: str, group_id: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} takes no new group {group_id} at present: the root ring changes or the shard "
            "is being removed; retry after a short wait",
        )
        self.group_id = group_id

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "group_id": self.group_id}


class RowLimitExceeded(ShardError):
    reason = "ROW_LIMIT_EXCEEDED"

    def __init__(self, shard_id: str, what: str, limit: int) -> None:
        super().__init__(
            shard_id,
            f"{what} is more than {limit} rows; name fewer rows at a time, "
            "and delete the edges of a large node before the node",
        )
        self.limit = limit

    def metadata(self) -> dict[str, str]:
        return {"limit": str(self.limit)}


class WriteTooHeavy(ShardError):
    """Applied at once, the write would make the other callers of the shard wait too long."""

    reason = "WRITE_TOO_HEAVY"

    def __init__(self, shard_id: str, weight: int, weight_max: int, cascade: int = 0) -> None:
        """`cascade`: edges that the write deletes along with their nodes."""
        super().__init__(
            shard_id,
            f"the write weighs {weight} (its rows and what is in them), shard {shard_id} takes "
            f"{weight_max} at once (write_weight_max); "
            + (
                f"{cascade} of it are facts and other edges that go with the nodes to be deleted: delete "
                "these first, in several calls, then the nodes"
                if cascade
                else "split it"
            ),
        )
        self.weight = weight
        self.weight_max = weight_max
        self.cascade = cascade

    def metadata(self) -> dict[str, str]:
        return {
            "shard": self.shard_id,
            "weight": str(self.weight),
            "limit_name": "write_weight_max",
            "limit": str(self.weight_max),
            "cascade": str(self.cascade),
        }


class VectorDimensionMismatch(ShardError):
    reason = "VECTOR_DIMENSION_MISMATCH"

    def __init__(self, shard_id: str, given: int) -> None:
        super().__init__(
            shard_id,
            f"a vector of dimension {given} does not fit the stored vectors; use the group's embedding model",
        )


class EngineRefused(ShardError):
    """The text of the engine is kept for the log as `engine_text` and never shown to the caller."""

    reason = "ENGINE_REFUSED"

    def __init__(self, shard_id: str, engine_text: str) -> None:
        super().__init__(shard_id, f"shard {shard_id} could not run a statement; report the request id")
        self.engine_text = engine_text
