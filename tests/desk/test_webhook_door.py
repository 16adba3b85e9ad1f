"""The door for webhooks: what is plain is journalled together and in order, everything else is handed on whole."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.desk.webhook_door import WebhookDoor
from parley.infra.doors import read_body
from parley.kit.ids import public_id
from tests.desk.fake_channel import encode
from tests.desk.scene import Desk

pytestmark = pytest.mark.anyio


async def knock(door: WebhookDoor, path: str, body: bytes, headers: dict[bytes, bytes]) -> int:
    """Send one request; return its status."""
    statuses: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": list(headers.items()),
    }
    await door(scope, receive, send)
    return statuses[0]


async def test_requests_at_once_are_journalled_in_the_order_they_came(desk: Desk) -> None:
    handed_on: list[bytes] = []

    async def behind(_: Any, receive: Any, send: Any) -> None:
        handed_on.append((await read_body(receive, 10**6))[1] or b"")
        await send({"type": "http.response.start", "status": 401})

    door = WebhookDoor(desk.house.db, desk.channels, behind)
    path = f"/webhooks/telegram/{public_id('inb', desk.inbox)}"
    bodies = [encode(desk.message(f"{n}")) for n in range(20)]
    good = {b"x-secret": b"s"}
    assert await asyncio.gather(*(knock(door, path, body, good) for body in bodies)) == [200] * 20
    async with desk.house.db.system() as tx:
        rows = await tx.fetch("SELECT body FROM journal ORDER BY seq")
    assert [row["body"] for row in rows] == bodies
    # a stranger, an inbox that is not there, a body that cannot be split: handed on as they came
    assert await knock(door, path, bodies[0], {}) == 401
    assert await knock(door, f"/webhooks/telegram/{public_id('inb', desk.place.id)}", bodies[1], good) == 401
    assert await knock(door, path, b"no JSON", good) == 401
    assert handed_on == [bodies[0], bodies[1], b"no JSON"]
