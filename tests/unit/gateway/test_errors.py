"""The error table: complete, and free of what callers must not see."""

import importlib
import pkgutil
from collections.abc import Iterator

from google.rpc import error_details_pb2

import drivers
import gateway
import shard_router
from drivers.errors import GraphgateError, ShardError
from gateway import errors
from gateway.rpc.validation import InvalidRequest
from shard_router.errors import StalePlacement

ABSTRACT = {"GraphgateError", "WriteRefused", "ShardError"}
"""Bases that are never raised themselves."""

NEVER_LEAVES: set[type[GraphgateError]] = {StalePlacement}
"""Handled inside: the router catches it."""


def _import_all() -> None:
    for package in (drivers, shard_router, gateway):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".cli" not in module.name and "__main__" not in module.name:
                importlib.import_module(module.name)


def _subclasses(root: type[GraphgateError]) -> Iterator[type[GraphgateError]]:
    for child in root.__subclasses__():
        yield child
        yield from _subclasses(child)


def test_every_error_that_can_reach_a_caller_is_in_the_table() -> None:
    """An error outside the table would be INTERNAL: a new class needs a row."""
    _import_all()
    missing = [
        cls.__qualname__
        for cls in _subclasses(GraphgateError)
        if cls.__module__.partition(".")[0] in ("drivers", "shard_router", "gateway")
        and cls.__name__ not in ABSTRACT
        and not cls.__name__.startswith("_")
        and cls not in NEVER_LEAVES
        and not cls.__module__.startswith(
            ("gateway.embedded", "gateway.settings", "gateway.bench", "gateway.demo")
        )
        and not any(base in errors.TABLE for base in cls.__mro__)
    ]
    assert missing == []


def test_every_row_of_the_table_has_its_own_reason() -> None:
    """A reason tells two errors apart: no class keeps the root's."""
    reasons = [cls.reason for cls in errors.TABLE if cls.reason != ShardError.reason]
    assert GraphgateError.reason not in reasons
    assert len(set(reasons)) == len(reasons)


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
