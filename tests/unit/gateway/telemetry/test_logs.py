"""What a log line holds, and what it must not."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from gateway.settings.service import LoggingSettings
from gateway.telemetry.logs import configure_logging

SECRET = "geheim-7f3a"


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Logging is of the whole process: what a test configures ends with it."""
    root = logging.getLogger()
    handlers, level = root.handlers.copy(), root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(
    form: Literal["console", "json"], level: Literal["debug", "info", "warning", "error"] = "info"
) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(LoggingSettings(format=form, level=level), stream)
    return stream


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_the_context_of_the_call() -> None:
    """request_id, group, shard and epoch are bound once and stand in every event below."""
    stream = configured("json")
    with structlog.contextvars.bound_contextvars(request_id="r1", group="g", shard="a", epoch=3):
        structlog.get_logger("graphgate.rpc").info("rpc_failed", code="ABORTED")
    structlog.get_logger().info("later")
    first, second = events(stream)
    timestamp = first.pop("timestamp")
    assert timestamp.endswith("Z")
    assert first == {
        "event": "rpc_failed",
        "level": "info",
        "code": "ABORTED",
        "request_id": "r1",
        "group": "g",
        "shard": "a",
        "epoch": 3,
    }
    assert "request_id" not in second


def test_the_level_filters() -> None:
    """Below the level nothing is written."""
    stream = configured("json", "warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [event["event"] for event in events(stream)] == ["loud"]


def test_libraries_write_the_same_form() -> None:
    """Libraries' warnings and our lower layers' events look like all others; chatter is left out."""
    stream = configured("json")
    logging.getLogger("neo4j").info("chatter")
    logging.getLogger("neo4j").warning("pool of %s is full", "a")
    logging.getLogger("shard_router.fleet").info("shard joined")
    found = [(event["event"], event["level"], event["logger"]) for event in events(stream)]
    assert found == [
        ("pool of a is full", "warning", "neo4j"),
        ("shard joined", "info", "shard_router.fleet"),
    ]


@pytest.mark.parametrize("form", ["console", "json"])
def test_secrets_do_not_reach_the_log(form: Literal["console", "json"]) -> None:
    """Neither by the name of a field, nor inside a URL, nor as a local variable of a traceback."""
    stream = configured(form)
    log = structlog.get_logger()
    log.info("a", password=SECRET, api_key=SECRET, url=f"redis://u:{SECRET}@h/0")
    log.info("cannot reach redis://u:%s@h/0 now" % SECRET)  # noqa: G002, UP031
    logging.getLogger("redis").error("failed: %s", f"redis://u:{SECRET}@h/0")
    try:
        _fails_with(SECRET)
    except ValueError:
        log.exception("failed")
        logging.getLogger("redis").exception("failed")
    assert SECRET not in stream.getvalue()
    assert "_fails_with" in stream.getvalue()
    assert "********" in stream.getvalue()


def _fails_with(hidden: str) -> None:
    copy = hidden
    raise ValueError(f"{len(copy)} characters")


def test_values_that_are_no_json_are_logged_all_the_same() -> None:
    """A log call never fails because of what it was given."""
    stream = configured("json")
    structlog.get_logger().info("odd", value=object(), pair={"a": {1, 2}})
    assert events(stream)[0]["event"] == "odd"
