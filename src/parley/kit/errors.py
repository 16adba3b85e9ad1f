"""The one shape of everything that can go wrong on purpose.

Domain code raises a :class:`ParleyError` subclass and knows *kinds*, never HTTP numbers; `parley.infra.http`
maps kinds for REST, sockets and jobs alike to ``{"error": {"code", "message", "fields"}}``.
"""

from __future__ import annotations

import enum
import inspect
from typing import Any, ClassVar


class Kind(enum.Enum):
    """What a caller can do about an error; the value is the HTTP status of the kind."""

    MALFORMED = 422
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    GONE = 410
    TOO_LARGE = 413
    TOO_MANY = 429
    BUG = 500
    UNAVAILABLE = 503


class ParleyError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    kind: ClassVar[Kind] = Kind.BUG

    def __init__(self, message: str | None = None, **fields: Any) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0].replace(
            "\n", " "
        )
        self.fields = fields
        super().__init__(self.message)

    def as_dict(self) -> dict[str, Any]:
        """Return the public shape, without the outer ``error`` key."""
        return {"code": self.code, "message": self.message, "fields": self.fields}


class Malformed(ParleyError):
    """The request does not have the shape it must have."""

    code = "malformed"
    kind = Kind.MALFORMED


class Unauthenticated(ParleyError):
    """Sign in first: the credentials are missing, wrong or expired."""

    code = "unauthenticated"
    kind = Kind.UNAUTHENTICATED


class Forbidden(ParleyError):
    """You may not do this."""

    code = "forbidden"
    kind = Kind.FORBIDDEN


class NotFound(ParleyError):
    """There is no such thing, or you may not see it."""

    code = "not_found"
    kind = Kind.NOT_FOUND


class Conflict(ParleyError):
    """The state of things does not allow this now."""

    code = "conflict"
    kind = Kind.CONFLICT


class TooLarge(ParleyError):
    """The request is larger than this door takes."""

    code = "too_large"
    kind = Kind.TOO_LARGE


class TooMany(ParleyError):
    """Too many requests; wait for ``retry_after_seconds``."""

    code = "too_many"
    kind = Kind.TOO_MANY


class Unavailable(ParleyError):
    """A part this needs is not available right now; try again."""

    code = "unavailable"
    kind = Kind.UNAVAILABLE
