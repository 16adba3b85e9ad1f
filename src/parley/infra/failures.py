"""What is kept of an exception: enough for an operator, nothing that is a secret or somebody's words."""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath

import asyncpg

from parley.kit.errors import ParleyError, Unavailable

LIMIT = 500
"""Characters kept of a message."""

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
# a run of 20 or more of what tokens are made of, with a digit in it: keys, tokens, hashes
_TOKEN = re.compile(r"(?=[A-Za-z0-9_:+/=-]*\d)[A-Za-z0-9_:+/=-]{20,}")
_TRANSIENT = (
    Unavailable,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
)


def describe_failure(error: BaseException) -> str:
    """Return ``code: message`` of an error made on purpose, else class, message without URLs and tokens, and place."""
    if isinstance(error, ParleyError):
        return f"{error.code}: {error.message}"[:LIMIT]
    message = _TOKEN.sub("***", _URL.sub("<url>", str(error)))[:LIMIT]
    place = _place(error)
    return f"{type(error).__name__}: {message}" + (f" ({place})" if place else "")


def is_transient(error: BaseException) -> bool:
    """Whether the database was away or undid the transaction: the same work may well succeed a moment later."""
    # a value the driver cannot encode is an InterfaceError too, and stays wrong
    return isinstance(error, _TRANSIENT) and not isinstance(error, ValueError)


def _place(error: BaseException) -> str:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "parley" in PurePath(frame.filename).parts and not frame.filename.endswith(("worker.py", "db.py"))
    ]
    if not frames:
        return ""
    parts = PurePath(frames[-1].filename).parts
    return "/".join(parts[len(parts) - parts[::-1].index("parley") - 1 :]) + f":{frames[-1].lineno}"
