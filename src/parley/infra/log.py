"""Structured logs. No secrets and no message text: keys that name them are blanked before anything is written."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from parley.infra.settings import Settings, is_terminal

_SECRET = (
    "token",
    "secret",
    "password",
    "authorization",
    "cookie",
    "api_key",
    "refresh",
    "text",
    "body",
    "caption",
)
# without local variables: they hold tokens and people's words
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_SAFE = frozenset({"lease_token", "body_bytes", "text_length"})


def _blank_secrets(_: Any, __: str, entry: dict[str, Any]) -> dict[str, Any]:
    for key in entry:
        if key not in _SAFE and any(word in key.lower() for word in _SECRET):
            entry[key] = "***"
    return entry


def set_up_logging(settings: Settings) -> None:
    """Set the process's logging. Repeat: the last call counts."""
    level = getattr(logging, settings.log_level.upper())
    as_console = settings.log_format == "console" or (settings.log_format == "auto" and is_terminal())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _blank_secrets,
    ]
    if as_console:
        last: list[Any] = [
            structlog.dev.ConsoleRenderer(
                colors=is_terminal(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    else:
        last = [_TRACEBACKS, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # libraries speak through the standard module; theirs are warnings and above, their URLs may hold tokens
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, force=True, format="%(levelname)s %(name)s %(message)s"
    )
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "engineio", "socketio", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
