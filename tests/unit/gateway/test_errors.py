"""The error table: complete, shown in the README, and free of what callers must not see."""

import string

import grpc
from google.rpc import error_details_pb2

from drivers.errors import GraphgateError
from drivers.fence import EmbeddingSpec
from drivers.graph_model import Kind
from gateway import errors
from gateway.rerank.errors import CrossEncoderFailed
from gateway.rpc.validation import InvalidRequest
from gateway.writes.errors import EmbeddingMismatch, EndpointsMissing
from shard_router.errors import ShardUnknown, StalePlacement
from tests.bootstrap.generate_errors import README, updated
from tests.unit.gateway.raised_classes import PACKAGES, made_classes

HANDLED_INSIDE: dict[type[BaseException], str] = {
    StalePlacement: "the router catches it and looks the placement up again",
    CrossEncoderFailed: "search catches it and answers in fused order",
}

NO_CALLER: dict[str, str] = {
    "gateway.cli": "commands: told to people on standard error",
    "gateway.corpus": "reads and writes the data of demo and evaluation, a client of the service",
    "gateway.demo": "a command of its own, a client of the service",
    "gateway.eval": "a command of its own, a client of the service",
    "gateway.bench": "a command of its own, a client of the service or of a driver",
    "gateway.explain": "a command of its own, asks the engines of shards",
    "gateway.loopback": "starts and calls gateways from outside",
    "gateway.embedded": "engines as child processes: before the service starts or after it has ended",
    "gateway.settings": "wrong settings end the start",
}
"""Packages of which no call is served."""

NOT_TYPED: dict[str, str] = {
    "builtins.AssertionError": "a bug: INTERNAL with an id",
    "builtins.ValueError": "a wrong argument of our own, a bug: INTERNAL with an id",
    "builtins.KeyError": "what the reflection library expects of a pool of descriptors, and catches",
    "gateway.assembly.ListenFailed": "ends the start",
    "gateway.telemetry.http_endpoint.EndpointUnavailable": "ends the start",
    "drivers.falkordb.connection.ConnectionBroken": "FalkorDB's client catches it and raises a ShardError",
    "drivers.falkordb.connection.ReplyRefused": "FalkorDB's client catches it and raises a ShardError",
    "drivers.neo4j.errors.GarbledAnswer": "Neo4j's client catches it and raises a ShardError",
    "shard_router.moves.copying.CopyInconsistentError": "the move's coordinator catches it and ends the move",
    "shard_router.moves.digest.ComparisonStoppedError": "the move's verification catches it",
    "shard_router.moves.copy_steps.VerifyFailedError": "the move's coordinator catches it and ends the move",
}
"""Made where calls are served, and still no GraphgateError."""


def test_every_error_that_can_reach_a_caller_is_in_the_table() -> None:
    """An error outside the table would be INTERNAL: whoever raises a new class gives it a row of its own."""
    strangers: list[str] = []
    for kind, modules in made_classes().items():
        serving = sorted(module for module in modules if not module.startswith(tuple(NO_CALLER)))
        name = f"{kind.__module__}.{kind.__qualname__}"
        # A private class serves the module that defines it, which catches it.
        if kind.__name__.startswith("_") and modules == {kind.__module__}:
            continue
        if serving and kind not in errors.TABLE and kind not in HANDLED_INSIDE and name not in NOT_TYPED:
            strangers.append(f"{name}, made in {', '.join(serving)}")
    assert strangers == []


def test_every_class_of_an_error_is_in_the_table() -> None:
    """Also one that is only made through a variable, from a table of engine codes for instance."""
    made_classes()
    strangers = [
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in _subclasses(GraphgateError)
        if kind.__module__.startswith(PACKAGES)
        and not kind.__module__.startswith(tuple(NO_CALLER))
        and not kind.__name__.startswith("_")
        and not any(issubclass(other, kind) for other in errors.TABLE if other is not kind)
        and kind not in errors.TABLE
        and kind not in HANDLED_INSIDE
    ]
    assert strangers == []


def _subclasses(kind: type[GraphgateError]) -> list[type[GraphgateError]]:
    return [found for child in kind.__subclasses__() for found in (child, *_subclasses(child))]


def test_no_allowance_is_left_over() -> None:
    """A class that nobody makes any more is neither a row of the table nor an exception from it."""
    made = made_classes()
    assert [kind.__name__ for kind in errors.TABLE if kind not in made] == []
    assert [kind.__name__ for kind in HANDLED_INSIDE if kind not in made] == []
    assert set(NOT_TYPED) <= {f"{kind.__module__}.{kind.__qualname__}" for kind in made}


def test_every_row_of_the_table_tells_programs_and_people_what_to_do() -> None:
    """A reason stands for one error, has the form that AIP-193 asks for, and every error has an action."""
    reasons = [kind.reason for kind in errors.TABLE]
    assert len(set(reasons)) == len(reasons)
    allowed = set(string.ascii_uppercase + string.digits + "_")
    for kind, entry in errors.TABLE.items():
        assert issubclass(kind, GraphgateError)
        assert set(kind.reason) <= allowed, kind
        assert len(kind.reason) <= 63, kind
        assert entry.action.strip(), kind
        assert entry.code is not grpc.StatusCode.UNKNOWN, kind
    assert "INTERNAL" not in reasons


def test_the_readme_shows_the_table() -> None:
    """What callers read is what the gateway does; mended by `make errors`."""
    readme = README.read_text(encoding="utf-8")
    assert updated(readme) == readme


def test_bad_request_lists_every_field() -> None:
    """One answer names all bad fields, in ErrorInfo's company."""
    status = errors.status_of(InvalidRequest([("a", "is bad"), ("b", "is worse")]))
    assert status is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert info.reason == "INVALID_FIELDS"
    assert info.domain == "graphgate"
    assert [violation.field for violation in bad.field_violations] == ["a", "b"]


def test_an_error_fits_into_trailers_whatever_a_caller_named() -> None:
    """Above 8 KiB of trailers the caller's library would drop the answer and name another error."""
    smile, uuid = "\U0001f642", "00000000-0000-4000-8000-000000000000"
    found: list[GraphgateError] = [
        InvalidRequest([(smile * 120, f"must be something, got {smile * 40}")] * 50),
        InvalidRequest([("f" * 30, "is bad")] * 1_000_000),
        ShardUnknown(smile * 100_000),
        ShardUnknown("%" * 100_000),
        EndpointsMissing({kind: [uuid] * 4_000 for kind in Kind}),
        EmbeddingMismatch(Kind.ENTITY, EmbeddingSpec(smile * 128, 4, "r"), smile * 128, 5),
    ]
    for error in found:
        status = errors.status_of(error)
        assert status is not None
        text = sum(
            1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
            for character in status.message
        )
        details = len(status.SerializeToString()) * 4 / 3
        assert text + details < 7_800, type(error).__name__
