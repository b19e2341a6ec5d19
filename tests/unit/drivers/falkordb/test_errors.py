"""Recorded messages of FalkorDB 4.22.1 in Redis 8.10 and the errors that they mean."""

import pytest

from drivers.errors import (
    EngineRefused,
    SchemaNotReady,
    ShardImpaired,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
    VectorDimensionMismatch,
)
from drivers.falkordb.errors import classify

RECORDED = [
    ("Query timed out", ShardTimeout),
    ("Max pending queries exceeded", ShardOverloaded),
    ("ERR Max pending queries exceeded", ShardOverloaded),
    ("Query's mem consumption exceeded capacity", ShardImpaired),
    ("OOM command not allowed when used memory > 'maxmemory'.", ShardImpaired),
    ("LOADING Redis is loading the dataset in memory", ShardUnavailable),
    ("READONLY You can't write against a read only replica.", ShardImpaired),
    ("MISCONF Redis is configured to save RDB snapshots, but ..", ShardImpaired),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", ShardImpaired),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL.", ShardImpaired),
    ("NOAUTH Authentication required.", ShardUnavailable),
    ("NOAUTH HELLO must be called with the client already authenticated, otherwise ..", ShardUnavailable),
    ("WRONGPASS invalid username-password pair or user is disabled.", ShardUnavailable),
    ("NOPERM User u has no permissions to run the 'graph.QUERY' command", ShardImpaired),
    ("ERR max number of clients reached", ShardUnavailable),
    ("ERR unknown command 'GRAPH.QUERY', with args beginning with: 's' ", ShardUnavailable),
    ("Invalid arguments for procedure 'db.idx.vector.queryNodes'", SchemaNotReady),
    ("Attempted to access undefined attribute", SchemaNotReady),
    ("Vector dimension mismatch, expected 384 but got 3", VectorDimensionMismatch),
    ("errMsg: Invalid input ' ': expected RETURN line: 1, column: 6", EngineRefused),
    ("Missing parameters", EngineRefused),
    ("Failed to parse query parameter 'p' value", EngineRefused),
    ("graph.RO_QUERY is to be executed only on read-only queries", EngineRefused),
    ("RediSearch: Syntax error at offset 8 near a", EngineRefused),
    ("Type mismatch: expected Null or Vectorf32 but was List", EngineRefused),
    ("The query TIMEOUT parameter value cannot exceed the TIMEOUT_MAX ..", EngineRefused),
    ("Attribute 'pk' is already indexed", EngineRefused),
    ("Unable to drop index on :Entity(zzz): no such index.", EngineRefused),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", EngineRefused),
    ("Division by zero", EngineRefused),
    ("", EngineRefused),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error"), RECORDED)
def test_each_message_is_its_error(text: str, error: type[Exception]) -> None:
    """A message means one typed error, with ERR before it or not."""
    assert type(classify("s1", text, "a read")) is error
    assert type(classify("s1", f"ERR {text.removeprefix('ERR ')}", "a read")) is error


def test_no_text_of_the_engine_reaches_the_caller() -> None:
    """Statements may hold row content; the engine's words about them are for the log."""
    error = classify("s1", "errMsg: Invalid input 'secret'", "a read")
    assert isinstance(error, EngineRefused)
    assert "secret" not in str(error)
    assert "secret" in error.engine_text


def test_a_dimension_is_read_from_the_message() -> None:
    """The dimension that was given is named where the engine names it."""
    assert "dimension 3 " in str(
        classify("s1", "Vector dimension mismatch, expected 384 but got 3", "a search")
    )
