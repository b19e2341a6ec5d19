"""Failures of the driver and of the server, as they were recorded, become the right typed errors."""

import pytest
from neo4j.exceptions import (
    ConnectionAcquisitionTimeoutError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from drivers.errors import (
    EngineRefused,
    OutcomeUnknown,
    OutcomeUnknownAtDeadline,
    SchemaNotReady,
    ShardError,
    ShardImpaired,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
)
from drivers.neo4j.errors import GarbledAnswer, Repeat, classify, is_garbled

OP_ID = "op-1"


def _server(code: str, message: str = "a message") -> Neo4jError:
    return Neo4jError._hydrate_neo4j(code=code, message=message)


NOT_SENT = [
    ServiceUnavailable("Couldn't connect to 127.0.0.1:1 (resolved to ('127.0.0.1:1',)):\nrefused"),
    ConnectionAcquisitionTimeoutError("failed to obtain a connection from the pool within 0.9s (timeout)"),
]
LOST = [
    ServiceUnavailable("Failed to read from defunct connection IPv4Address(('localhost', 7687))"),
    SessionExpired("Failed to write data to connection"),
    ConnectionResetError(104, "reset"),
    GarbledAnswer(),
    _server("Neo.TransientError.General.DatabaseUnavailable"),
    _server("Neo.DatabaseError.Transaction.TransactionCommitFailed"),
    _server("Neo.DatabaseError.Transaction.TransactionLogError"),
    _server("Neo.DatabaseError.General.UnknownError"),
    _server("Neo.TransientError.General.OutOfMemoryError"),
    _server("Neo.TransientError.Unheard.Of"),
]
ROLLED_BACK: list[tuple[str, str, type[ShardError], Repeat]] = [
    ("Neo.TransientError.Transaction.DeadlockDetected", "", ShardImpaired, Repeat.ANY),
    ("Neo.TransientError.Transaction.LockAcquisitionTimeout", "", ShardImpaired, Repeat.ANY),
    ("Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration", "", ShardTimeout, Repeat.NO),
    ("Neo.ClientError.Transaction.LockClientStopped", "", ShardTimeout, Repeat.NO),
    ("Neo.ClientError.Transaction.Terminated", "", ShardTimeout, Repeat.NO),
    ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", "", ShardImpaired, Repeat.NO),
    ("Neo.ClientError.General.WriteOnReadOnlyAccessDatabase", "", ShardImpaired, Repeat.NO),
    ("Neo.TransientError.Request.NoThreadsAvailable", "", ShardOverloaded, Repeat.NO),
    ("Neo.DatabaseError.Transaction.TransactionStartFailed", "", ShardUnavailable, Repeat.NO),
    ("Neo.ClientError.Security.Unauthorized", "", ShardUnavailable, Repeat.NO),
    ("Neo.ClientError.Security.CredentialsExpired", "", ShardUnavailable, Repeat.NO),
    ("Neo.ClientError.Security.AuthenticationRateLimit", "", ShardUnavailable, Repeat.NO),
    ("Neo.ClientError.Database.DatabaseNotFound", "", ShardUnavailable, Repeat.NO),
    ("Neo.ClientError.Statement.SyntaxError", "", EngineRefused, Repeat.NO),
    ("Neo.ClientError.Statement.ArithmeticError", "/ by zero", EngineRefused, Repeat.NO),
    ("Neo.ClientError.Schema.ConstraintValidationFailed", "", EngineRefused, Repeat.NO),
    (
        "Neo.DatabaseError.Statement.ExecutionFailed",
        "Property value is too large to index",
        EngineRefused,
        Repeat.NO,
    ),
    (
        "Neo.ClientError.Procedure.ProcedureCallFailed",
        "Failed to invoke procedure: Caused by: There is no such fulltext schema index: nope",
        SchemaNotReady,
        Repeat.NO,
    ),
    (
        "Neo.ClientError.Procedure.ProcedureCallFailed",
        "Failed to invoke procedure: Caused by: org.apache.lucene.queryparser.classic.ParseException",
        EngineRefused,
        Repeat.NO,
    ),
]


@pytest.mark.parametrize("error", NOT_SENT, ids=str)
@pytest.mark.parametrize("op_id", [OP_ID, None])
def test_what_was_not_sent_is_known_not_to_have_happened(error: Exception, op_id: str | None) -> None:
    """Without a connection even a write is plainly unavailable, and not tried again on the spot."""
    failure = classify(error, "s", "a write", op_id)
    assert isinstance(failure.error, ShardUnavailable)
    assert failure.repeat is Repeat.NO


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_a_lost_answer_leaves_a_write_open_and_lets_a_read_be_repeated(error: Exception) -> None:
    """A commit may be durable although the server answered with an error or not at all."""
    write = classify(error, "s", "a write", OP_ID)
    assert isinstance(write.error, OutcomeUnknown)
    assert write.error.op_id == OP_ID
    assert write.repeat is Repeat.NO
    read = classify(error, "s", "a read", None)
    assert isinstance(read.error, ShardUnavailable)
    assert read.repeat is Repeat.READ


@pytest.mark.parametrize(("code", "message", "expected", "repeat"), ROLLED_BACK)
@pytest.mark.parametrize("op_id", [OP_ID, None])
def test_an_error_before_the_commit_is_certain(
    code: str, message: str, expected: type[ShardError], repeat: Repeat, op_id: str | None
) -> None:
    """These come before a commit: a write is known to have been rolled back, and conflicts of locks are
    tried again."""
    failure = classify(_server(code, message), "s", "a write", op_id)
    assert type(failure.error) is expected
    assert failure.repeat is repeat


def test_the_deadline_of_the_client_leaves_a_write_open() -> None:
    """The client's own timeout says nothing of what the server has done meanwhile."""
    assert isinstance(classify(TimeoutError(), "s", "a write", OP_ID).error, OutcomeUnknownAtDeadline)
    assert isinstance(classify(TimeoutError(), "s", "a read", None).error, ShardTimeout)


def test_no_text_of_the_engine_reaches_the_caller() -> None:
    """Engine texts hold row content and statements: they are kept for the log only."""
    error = classify(
        _server("Neo.ClientError.Schema.ConstraintValidationFailed", "secret name"), "s", "a write", None
    ).error
    assert isinstance(error, EngineRefused)
    assert "secret" not in str(error)
    assert "secret name" in error.engine_text


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Expected structure, found marker FF"),
        AttributeError("'int' object has no attribute 'get'"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        KeyError("server"),
    ],
    ids=repr,
)
def test_an_answer_that_cannot_be_read_is_garbled(error: Exception) -> None:
    """The client library has no type of its own for it."""
    assert is_garbled(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Values of type <class 'object'> are not supported"),
        OverflowError("Python int too large to convert to C long"),
        TypeError("Map keys must be strings, not <class 'int'>"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        ServiceUnavailable("x"),
    ],
    ids=repr,
)
def test_parameters_that_cannot_be_sent_are_no_fault_of_the_server(error: Exception) -> None:
    """A bug here stays a bug: retries would not help."""
    assert not is_garbled(error)
