"""The hot route says exactly what the ordinary one says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx2
import pytest

from parley.conversations import SendingDoor
from parley.kit.ids import public_id as public
from tests.conversations.conftest import Scene
from tests.house import read_numbers

pytestmark = pytest.mark.anyio


class Counted:
    """The ordinary application, counting what comes to it."""

    def __init__(self, rest: Any) -> None:
        self.rest = rest
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.count += 1
        await self.rest(scope, receive, send)


def ordinary_and_door(scene: Scene) -> tuple[Counted, httpx2.AsyncClient]:
    ordinary = Counted(scene.house.rest)
    door = SendingDoor(scene.house.db, scene.house.collector, ordinary)
    transport = httpx2.ASGITransport(app=cast("Any", door), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {scene.anna.token}"}
    return ordinary, httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


async def test_a_plain_send_is_answered_by_the_door_alone(scene: Scene) -> None:
    ordinary, client = ordinary_and_door(scene)
    async with client, scene.house.client(scene.anna) as direct:
        path = f"/v1/conversations/{public('cnv', scene.group)}/messages"
        body = {
            "client_id": "one",
            "text": "**Ёлка**",
            "entities": [{"kind": "bold", "offset": 2, "length": 4}],
        }
        first = await client.post(path, json=body)
        again = await client.post(path, json={**body, "text": "another text"})
        assert (first.status_code, again.status_code, ordinary.count) == (201, 200, 0)
        assert again.json() == first.json()
        page = (await direct.get(path)).json()["items"]
        assert page[-1] == first.json()
        assert (await direct.post(path, json=body)).json() == first.json()


async def test_whatever_else_goes_the_ordinary_way_as_it_came(scene: Scene) -> None:
    ordinary, client = ordinary_and_door(scene)
    before = await read_numbers(scene.house, scene.group)
    mine = f"/v1/conversations/{public('cnv', scene.group)}/messages"
    nowhere = f"/v1/conversations/{public('cnv', scene.place.id)}/messages"

    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"client_id": "parts",'
        yield b' "text": "in parts"}'

    cases: list[tuple[int, str, dict[str, Any]]] = [
        (422, mine, {"content": b"{", "headers": {"content-type": "application/json"}}),
        (422, mine, {"content": b"\xff\xfe", "headers": {"content-type": "application/json"}}),
        (422, mine, {"json": {"client_id": "1", "text": "x", "surprise": 1}}),
        (422, mine, {"json": {"client_id": "1", "text": " "}}),
        (422, mine, {"json": {"client_id": "1", "text": "x", "reply_to": "cnv_1"}}),
        (422, mine, {"content": b"[" * 5000, "headers": {"content-type": "application/json"}}),
        (404, nowhere, {"json": {"client_id": "1", "text": "x"}}),
        (401, mine, {"json": {"client_id": "1", "text": "x"}, "headers": {"Authorization": "Bearer at_no"}}),
        (401, mine, {"json": {"client_id": "1", "text": "x"}, "headers": {"Authorization": "Basic at_no"}}),
        (413, mine, {"json": {"client_id": "1", "text": "x" * 300_000}}),
        (201, mine, {"content": chunks(), "headers": {"content-type": "application/json"}}),
    ]
    async with client, scene.house.client(scene.anna) as direct:
        for number, (status, path, request) in enumerate(cases, 1):
            answer = await client.post(path, **request)
            assert (answer.status_code, ordinary.count) == (status, number), (request, answer.text)
            if status >= 400:
                assert answer.json() == (await direct.post(path, **request)).json()
                assert set(answer.json()["error"]) == {"code", "message", "fields"}
        assert (await client.get(mine)).status_code == 200
    assert len(await read_numbers(scene.house, scene.group)) == len(before) + 1
