"""Logging for every service: readable on a terminal, JSON in production. Secrets never get here.

One canonical line per unit of work, written where the unit ends; ids are bound as context variables
(`structlog.contextvars`), so that every line in between carries them.
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from typing import Any, Final

import structlog

TELL_TALES: Final = ("httpx", "httpcore", "pymongo", "asyncio")
"""Libraries that log what they are given: addresses with their query, headers, commands with their
documents, tasks with their arguments. Only their warnings are wanted, at every level."""


class LogFormat(StrEnum):
    """How lines look (`HIVE_LOG_FORMAT`)."""

    CONSOLE = "console"
    JSON = "json"


def configure_logging(
    service: str, *, form: LogFormat = LogFormat.CONSOLE, level: str = "INFO"
) -> None:
    """Send every log line of this process to standard error, once, at its start.

    `level` is a name that the standard library knows. Lines of libraries that use the standard
    library's logging go the same way.
    """
    renderer = _renderer(form)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_shared(service), _hand_over],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(service),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in TELL_TALES:
        logging.getLogger(name).setLevel(logging.WARNING)


_hand_over = structlog.stdlib.ProcessorFormatter.wrap_for_formatter


def _shared(service: str) -> list[structlog.typing.Processor]:
    def name_service(_logger: Any, _method: str, event: Any) -> Any:
        event.setdefault("service", service)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _renderer(form: LogFormat) -> list[structlog.typing.Processor]:
    if form is LogFormat.JSON:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # The renderer's own choice prints local variables with a traceback, and secrets with them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
