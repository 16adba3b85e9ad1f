"""python-socketio's client as the tests use it: it does not come again by itself, and waits long for a busy machine."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import socketio

WAIT_SECONDS = 60
"""The library's own are 1 s to enter a namespace and 5 s for a request."""


class SocketIoClient(socketio.AsyncClient):
    """A client for one connection."""

    def __init__(self) -> None:
        super().__init__(reconnection=False, request_timeout=WAIT_SECONDS)

    async def connect(self, url: str, **options: Any) -> None:
        """Connect and enter the namespace. Raises: socketio.exceptions.ConnectionError when that is refused."""
        await super().connect(url, wait_timeout=WAIT_SECONDS, **options)


@pytest.fixture(autouse=True, scope="module")
def nothing_left_to_collect() -> Iterator[None]:
    """What the library leaves to the garbage collector is collected before another file's tests, which it would fail."""
    yield
    gc.collect()
