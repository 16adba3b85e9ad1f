"""Requests that are malformed or too large get the one error shape, never a 500."""

from __future__ import annotations

import pytest

from tests.desk.scene import Desk, Json

pytestmark = pytest.mark.anyio

LONG = "x" * 300_000


async def test_hostile_requests_get_the_one_error_shape(desk: Desk) -> None:
    message = await desk.send("hi")
    conversation = message["conversation_id"]
    talk = f"/v1/conversations/{conversation}/messages"
    row = f"/v1/desk/conversations/{conversation}"
    requests: list[tuple[str, str, bytes]] = [
        ("POST", talk, b""),
        ("POST", talk, b"{"),
        ("POST", talk, b"[]"),
        ("POST", talk, b"\xff"),
        ("POST", talk, b'{"client_id": "a"}'),
        ("POST", talk, b'{"client_id": "", "text": "x"}'),
        ("POST", talk, b'{"client_id": "a", "text": 5}'),
        ("POST", talk, b'{"client_id": "a", "text": "x", "kind": "system"}'),
        ("POST", talk, b'{"client_id": "a", "text": "x", "more": 1}'),
        ("POST", talk, b'{"client_id": "a", "text": "x", "reply_to": "msg_!"}'),
        ("POST", talk, b'{"client_id": "a", "media_ids": ["med_0000000000000000000000"]}'),
        ("POST", talk, b'{"client_id": "a", "text": "' + LONG.encode() + b'"}'),
        ("POST", talk, b'{"client_id": "a", "text": "x", "entities": [{"kind": "bold", "offset": -1, "length": 1}]}'),
        ("POST", talk, b"[" * 100_000),
        ("GET", f"{talk}?limit=0", b""),
        ("GET", f"{talk}?limit=100000", b""),
        ("GET", f"{talk}?before=-1", b""),
        ("GET", f"{talk}?after=99999999999999999999", b""),
        ("PATCH", row, b'{"status": null}'),
        ("PATCH", row, b'{"snoozed_until": "tomorrow"}'),
        ("PATCH", "/v1/desk/conversations/cnv_", b'{"status": "open"}'),
        ("PATCH", "/v1/desk/conversations/msg_1", b'{"status": "open"}'),
        ("GET", "/v1/desk/conversations?status=lost", b""),
        ("GET", "/v1/desk/conversations?cursor=abc", b""),
        ("GET", "/v1/desk/conversations?cursor=WyJhIiwiYiJd", b""),
        ("GET", "/v1/desk/conversations?assignee=somebody", b""),
        ("GET", "/v1/desk/conversations?inbox_id=x", b""),
        ("GET", "/v1/desk/conversations/changes", b""),
        ("GET", "/v1/desk/journal?state=lost", b""),
        ("GET", "/v1/desk/journal?cursor=WzFd_", b""),
        ("POST", "/v1/desk/journal/itm_x/replay", b""),
        ("POST", "/v1/inboxes", b'{"channel": "pigeon", "secrets": {}}'),
        ("POST", "/v1/inboxes", b'{"channel": "telegram", "secrets": {"token": 1}}'),
        ("PATCH", f"/v1/inboxes/{desk.public_inbox}", b'{"reopen_within_hours": 0}'),
        ("PATCH", f"/v1/inboxes/{desk.public_inbox}", b'{"name": ""}'),
        ("PATCH", f"/v1/inboxes/{desk.public_inbox}", b'{"reopen": null}'),
        ("POST", f"{talk}/{message['id']}/delivery", b'{"action": "explode"}'),
        ("PUT", f"{talk}/{message['id']}/reactions/" + "x" * 200, b""),
    ]  # fmt: skip
    async with desk.client(desk.olga) as client:
        for method, path, body in requests:
            answer = await client.request(
                method, path, content=body, headers={"content-type": "application/json"}
            )
            shown = f"{method} {path[:90]} {body[:90]!r}: {answer.status_code} {answer.text[:200]}"
            assert 400 <= answer.status_code < 500, shown
            assert_shape(answer.json(), shown)
    assert len(await desk.messages({"id": conversation})) == 2


def assert_shape(body: Json, shown: str) -> None:
    assert set(body) == {"error"}, shown
    assert set(body["error"]) == {"code", "message", "fields"}, shown
    assert body["error"]["message"], shown


async def test_nobody_without_a_token_gets_anything(desk: Desk) -> None:
    async with desk.client(None) as client:
        for path in ("/v1/inboxes", "/v1/desk/conversations", "/v1/desk/counts", "/v1/desk/journal"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert_shape(answer.json(), path)


async def test_control_characters_and_lone_surrogates_are_cleaned_not_stored(desk: Desk) -> None:
    await desk.hear(desk.message("1", "a\x00b\x07c"))
    [message] = await desk.messages(await desk.conversation())
    assert "\x00" not in message["text"]
    async with desk.client(desk.olga) as client:
        path = f"/v1/conversations/{message['conversation_id']}/messages"
        body = b'{"client_id": "a", "text": "x\\u0000y\\ud800z"}'
        answer = await client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (201, 422), answer.text
