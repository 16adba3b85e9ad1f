"""What a door before the framework needs: read a small request whole, and give it on as it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]


async def read_body(receive: Any, limit_bytes: int) -> tuple[deque[Any], bytes | None]:
    """Read a request's body; return the parts as they came, and their bytes unless it is too long or broke off."""
    parts: deque[Any] = deque()
    size = 0
    while True:
        part = await receive()
        parts.append(part)
        size += len(part.get("body", b""))
        if part["type"] != "http.request" or size > limit_bytes:
            return parts, None
        if not part.get("more_body"):
            return parts, b"".join(one.get("body", b"") for one in parts)


def replay(parts: deque[Any], receive: Any) -> Any:
    """A receive channel that gives the parts already taken again, then goes on."""

    async def replayed() -> Any:
        return parts.popleft() if parts else await receive()

    return replayed
