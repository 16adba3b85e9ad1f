"""Structured logs. No secrets and no message text: keys that name them are blanked before anything is written."""

from __future__ import annotations

import io
import logging
import re
import sys
from typing import Any, TextIO

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
_SAFE = frozenset({"lease_token", "body_bytes", "text_length"})
_DETAIL = re.compile(r"(?ms)^DETAIL:.*?(?=^HINT:|^Traceback |^The above |^During handling |\Z)")


def _blank_secrets(_: Any, __: str, entry: dict[str, Any]) -> dict[str, Any]:
    for key, value in entry.items():
        entry[key] = _blank(key, value)
    return entry


def _blank(key: Any, value: Any) -> Any:
    """Return a value without secrets, at any depth."""
    if isinstance(key, str) and key not in _SAFE and any(word in key.lower() for word in _SECRET):
        return "***"
    if isinstance(value, dict):
        return {inner: _blank(inner, part) for inner, part in value.items()}
    if isinstance(value, list | tuple):
        return [_blank(None, part) for part in value]
    return value


def _without_rows(text: str) -> str:
    """Return what PostgreSQL says without its DETAIL, which quotes rows."""
    return _DETAIL.sub("", text)


class _Traceback(structlog.tracebacks.ExceptionDictTransformer):
    """Tracebacks as data, without local variables: they hold tokens and people's words. And without rows."""

    def __init__(self) -> None:
        super().__init__(show_locals=False)

    def __call__(self, exc_info: Any) -> list[dict[str, Any]]:
        stacks = super().__call__(exc_info)
        for stack in stacks:
            stack["exc_value"] = _without_rows(stack["exc_value"])
        return stacks


def _print_traceback(out: TextIO, exc_info: Any) -> None:
    written = io.StringIO()
    structlog.dev.plain_traceback(written, exc_info)
    out.write(_without_rows(written.getvalue()))


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
            structlog.dev.ConsoleRenderer(colors=is_terminal(), exception_formatter=_print_traceback)
        ]
    else:
        last = [structlog.processors.ExceptionRenderer(_Traceback()), structlog.processors.JSONRenderer()]
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
