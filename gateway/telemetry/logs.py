"""Structured logs on standard error, one event a line. Texts of episodes and keys never belong there.

Fields that hold for a whole call are bound once (structlog.contextvars.bind_contextvars) and appear in
every event below it: request_id, group, shard, epoch.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.settings.section import SECRET_SHOWN, without_secrets
from gateway.settings.service import LoggingSettings

_SECRET_NAMES = ("password", "passwd", "secret", "api_key", "apikey", "authorization", "credential")
_OUR_LAYERS = ("gateway", "shard_router", "drivers")
"""Those below the gateway log through the standard library; others are heard from warnings on."""
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(settings: LoggingSettings, stream: TextIO | None = None) -> None:
    """For the whole process; libraries' warnings come out in the same form. Default: standard error."""
    output = sys.stderr if stream is None else stream
    level = _LEVELS[settings.level]
    enrich: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # As one text: tracebacks with local variables would show what the variables hold.
        *([structlog.processors.format_exc_info] if settings.format == "json" else []),
        hide_secrets,
    ]
    render = _renderer(settings, colors=output.isatty())
    structlog.configure(
        processors=[*enrich, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *enrich],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    for layer in _OUR_LAYERS:
        logging.getLogger(layer).setLevel(level)


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hides values under names of secrets, and passwords in URLs. A last line of defence, not a licence."""
    for name, value in event.items():
        if any(secret in name.lower() for secret in _SECRET_NAMES):
            event[name] = SECRET_SHOWN
        elif isinstance(value, str) and "://" in value and "@" in value:
            event[name] = " ".join(without_secrets(word) for word in value.split(" "))
    return event


def _renderer(settings: LoggingSettings, *, colors: bool) -> Processor:
    if settings.format == "json":
        return structlog.processors.JSONRenderer(serializer=_json)
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def _json(event: Mapping[str, Any], default: Callable[[Any], Any]) -> str:
    return orjson.dumps(event, default=default).decode()
