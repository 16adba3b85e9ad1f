"""REST's edge: one error shape for whatever goes wrong, and request ids.

Every failure leaves as ``{"error": {"code", "message", "fields"}}`` with the status of its kind; what nobody
foresaw is logged with its request id and leaves as ``bug`` without a word of its inside.
"""

from __future__ import annotations

import math
from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.types import ExceptionHandlersMap

from parley.infra.failures import is_transient
from parley.kit.errors import Kind, ParleyError, Unavailable

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 1
"""What is unavailable is asked for again so much later: a lost race passes at once, a restart of PostgreSQL soon."""

_CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many",
    503: "unavailable",
}


def error_body(code: str, message: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the one error shape."""
    return {"error": {"code": code, "message": message, "fields": fields or {}}}


def _answer(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> Response[dict[str, Any]]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)


def _parley_error(_: Request[Any, Any, Any], error: ParleyError) -> Response[dict[str, Any]]:
    headers = {}
    retry = error.fields.get("retry_after_seconds")
    if error.kind is Kind.UNAVAILABLE and retry is None:
        retry = RETRY_AFTER_SECONDS
    if error.kind in (Kind.TOO_MANY, Kind.UNAVAILABLE) and retry is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry)))
    if error.kind is Kind.BUG:
        log.error("http.error", code=error.code, exc_info=error)
    return _answer(error.kind.value, {"error": error.as_dict()}, headers)


def _validation_error(_: Request[Any, Any, Any], error: ValidationException) -> Response[dict[str, Any]]:
    fields: dict[str, Any] = {}
    if isinstance(error.extra, list):
        for item in error.extra:
            if isinstance(item, dict):
                fields[str(item.get("key") or "body")] = str(item.get("message", ""))
    message = "The request does not have the shape it must have."
    return _answer(422, error_body("malformed", message, fields))


def _client_error(_: Request[Any, Any, Any], error: ClientException) -> Response[dict[str, Any]]:
    if isinstance(error.__cause__, SerializationException) or error.status_code == 400:
        return _answer(422, error_body("malformed", "The request's body cannot be read."))
    return _http_error(_, error)


def _http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    code = _CODES.get(error.status_code, "error")
    allowed = [value for name, value in (error.headers or {}).items() if name.lower() == "allow"]
    headers = {"Allow": allowed[0]} if allowed else None
    return _answer(error.status_code, error_body(code, _sentence(error)), headers)


def _sentence(error: HTTPException) -> str:
    if isinstance(error, NotFoundException):
        return "There is nothing here."
    if isinstance(error, MethodNotAllowedException):
        return "This method is not served here."
    return error.detail if error.status_code < 500 else "Something went wrong."


def _recursion(request: Request[Any, Any, Any], error: RecursionError) -> Response[dict[str, Any]]:
    if "deserializing" in str(error):  # msgspec's words: a body nested too deep to be read
        return _answer(422, error_body("malformed", "The request's body is nested too deep."))
    return _bug(request, error)


def _not_utf8(request: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[dict[str, Any]]:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and trace.tb_frame.f_globals["__name__"].startswith("litestar."):
        return _answer(422, error_body("malformed", "The request is not in UTF-8."))
    return _bug(request, error)


def _unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """The database undid the transaction or took too long: nothing happened, and a repeat may well succeed."""
    if not (is_transient(error) or isinstance(error, TimeoutError)):
        return _bug(request, error)
    log.warning(
        "http.unavailable", method=request.method, route=request.scope.get("path_template"), exc_info=error
    )
    return _parley_error(request, Unavailable(retry_after_seconds=RETRY_AFTER_SECONDS))


def _bug(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    log.error("http.bug", method=request.method, route=request.scope.get("path_template"), exc_info=error)
    return _answer(500, error_body("bug", "Something went wrong on our side. It has been logged."))


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    ParleyError: _parley_error,
    ValidationException: _validation_error,
    SerializationException: _client_error,
    ClientException: _client_error,
    HTTPException: _http_error,
    RecursionError: _recursion,
    UnicodeDecodeError: _not_utf8,
    Exception: _unforeseen,
}
