"""Who works in an inbox sees its conversations; nobody else does, and from the next moment on."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import msgspec
import pytest

from parley.accounts import record_personal
from parley.channels.contract import AccountInfo
from parley.desk.inbox_store import remove_member
from parley.desk.list_store import may_work
from parley.kit.events import Event
from parley.kit.ids import public_id
from tests.desk.scene import Desk, Json

pytestmark = pytest.mark.anyio


def routes(conversation: Json, message: Json) -> list[tuple[str, str, Json]]:
    """Return everything one may ask about a conversation of the desk."""
    place = f"/v1/conversations/{conversation['id']}"
    one = f"{place}/messages/{message['id']}"
    return [
        ("GET", f"/v1/desk/conversations/{conversation['id']}", None),
        ("PATCH", f"/v1/desk/conversations/{conversation['id']}", {"status": "resolved"}),
        ("GET", place, None),
        ("GET", f"{place}/messages", None),
        ("GET", f"{place}/members", None),
        ("GET", f"{place}/events?after=0&tag=0", None),
        ("POST", f"{place}/messages", {"client_id": "x", "text": "x"}),
        ("POST", f"{place}/messages", {"client_id": "y", "text": "x", "kind": "note"}),
        ("PATCH", one, {"text": "x"}),
        ("DELETE", one, None),
        ("GET", f"{one}/versions", None),
        ("PUT", f"{one}/reactions/👍", None),
        ("POST", f"{one}/delivery", {"action": "cancel"}),
        ("PUT", f"{place}/read", {"number": 1}),
    ]


async def require_hidden(desk: Desk, person: Json, conversation: Json, message: Json) -> None:
    before = await desk.house.sql("SELECT head FROM conversation ORDER BY id")
    async with desk.client(person) as client:
        for method, path, body in routes(conversation, message):
            answer = await client.request(method, path, json=body)
            assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text}"
            assert set(answer.json()["error"]) == {"code", "message", "fields"}
    assert await desk.house.sql("SELECT head FROM conversation ORDER BY id") == before


async def test_an_agent_sees_only_their_own_inboxes(desk: Desk) -> None:
    message = await desk.send("hi")
    conversation = await desk.conversation()
    await require_hidden(desk, desk.boris, conversation, message)
    for path in (
        "/v1/desk/conversations?status=all",
        "/v1/desk/conversations/changes?since=0",
        "/v1/inboxes",
    ):
        assert (await desk.ask(desk.boris, "GET", path))["items"] == []
        assert len((await desk.ask(desk.anna, "GET", path))["items"]) == 1
        assert len((await desk.ask(desk.olga, "GET", path))["items"]) == 1
    assert (await desk.ask(desk.boris, "GET", "/v1/desk/counts"))["open"] == 0
    await desk.ask(desk.boris, "GET", f"/v1/inboxes/{desk.public_inbox}", status=404)
    await desk.ask(desk.boris, "GET", f"/v1/inboxes/{desk.public_inbox}/members", status=404)


async def test_an_inbox_taken_away_is_gone_at_once_and_comes_back(desk: Desk) -> None:
    message = await desk.send("hi")
    conversation = await desk.conversation()
    path = f"/v1/inboxes/{desk.public_inbox}/members/{desk.anna.public}"
    await desk.ask(desk.anna, "GET", f"/v1/desk/conversations/{conversation['id']}")
    hints: list[Event] = []
    desk.house.runtime.bus.subscribe(lambda batch: hints.extend(h for h in batch if isinstance(h, Event)))
    await desk.ask(desk.olga, "DELETE", path, status=204)
    await asyncio.sleep(0.01)  # hints are told two turns of the loop after the commit
    assert [(h.kind, h.stream, h.stream_id) for h in hints] == [("rights.changed", "personal", desk.anna.id)]
    await require_hidden(desk, desk.anna, conversation, message)
    await desk.ask(desk.olga, "DELETE", path, status=204)
    await asyncio.sleep(0.01)
    assert len(hints) == 1
    await desk.ask(desk.olga, "PUT", path, status=204)
    await asyncio.sleep(0.01)
    assert len(hints) == 2
    await desk.ask(desk.anna, "GET", f"/v1/desk/conversations/{conversation['id']}")
    await desk.ask(desk.anna, "PUT", path, status=403)


async def test_taking_somebody_out_of_an_inbox_and_assigning_to_them_lock_in_one_order(desk: Desk) -> None:
    db, workspace = desk.house.db, desk.place.id

    async def look() -> bool:
        async with db.transaction(workspace) as tx:
            return await may_work(tx, desk.inbox, desk.anna.id)

    async with db.transaction(workspace) as tx:
        assert await remove_member(tx, desk.inbox, desk.anna.id)
        looking = asyncio.create_task(look())
        await asyncio.sleep(0.1)
        assert not looking.done()
        await record_personal(tx, workspace, desk.anna.id, "rights.changed", {})
    assert not await looking


async def test_a_conversation_is_assigned_only_to_somebody_who_sees_it(desk: Desk, foreign: Desk) -> None:
    await desk.hear(desk.message("1"))
    conversation = await desk.conversation()
    path = f"/v1/desk/conversations/{conversation['id']}"
    member, gone = await desk.place.user("Mia", "member"), await desk.place.user("Gone", "admin")
    left, lowered = await desk.place.user("Left", "agent"), await desk.place.user("Lowered", "agent")
    for person in (left, lowered):
        await desk.ask(desk.olga, "PUT", f"/v1/inboxes/{desk.public_inbox}/members/{person.public}")
    await desk.house.sql("UPDATE actor SET deactivated_at = now() WHERE id = ANY ($1)", [gone.id, left.id])
    await desk.house.sql("UPDATE actor SET role = 'member' WHERE id = $1", lowered.id)
    contact = conversation["contact"]["id"]
    for stranger in (desk.boris.public, member.public, gone.public, left.public, lowered.public,
                     foreign.olga.public, contact, public_id("act", uuid.uuid4())):  # fmt: skip
        answer = await desk.ask(desk.anna, "PATCH", path, {"assignee_id": stranger}, status=404)
        assert answer["error"]["code"] == "not_found"
    for assignee in (desk.anna, desk.olga):
        changed = await desk.ask(desk.anna, "PATCH", path, {"assignee_id": assignee.public})
        assert changed["assignee"]["id"] == assignee.public
    changed = await desk.ask(desk.anna, "PATCH", path, {"assignee_id": None, "status": "pending"})
    assert (changed["assignee"], changed["status"]) == (None, "pending")
    again = await desk.ask(desk.anna, "PATCH", path, {"assignee_id": None, "status": "pending"})
    assert again["head"] == changed["head"]
    kinds = await desk.house.sql(
        "SELECT kind, audience FROM event WHERE kind LIKE 'conversation.%' ORDER BY number"
    )
    assert [tuple(row) for row in kinds] == [("conversation.assigned", "staff")] * 2 + [
        ("conversation.status_changed", "staff"), ("conversation.assigned", "staff")
    ]  # fmt: skip


async def test_another_workspace_finds_nothing_of_ours(desk: Desk, foreign: Desk) -> None:
    message = await desk.send("hi")
    conversation = await desk.conversation()
    desk.channel.bug = None
    await desk.journal(b"{")
    [item] = (await desk.ask(desk.olga, "GET", "/v1/desk/journal?state=failed"))["items"]
    for stranger in (foreign.olga, await foreign.place.bot("Key", "admin", "desk", "chat")):
        await require_hidden(desk, stranger, conversation, message)
        async with desk.client(stranger) as client:
            for method, path, body in (
                ("GET", f"/v1/inboxes/{desk.public_inbox}", None),
                ("PATCH", f"/v1/inboxes/{desk.public_inbox}", {"name": "Mine"}),
                ("DELETE", f"/v1/inboxes/{desk.public_inbox}", None),
                ("POST", f"/v1/inboxes/{desk.public_inbox}/reconnect", {}),
                ("GET", f"/v1/inboxes/{desk.public_inbox}/members", None),
                ("PUT", f"/v1/inboxes/{desk.public_inbox}/members/{foreign.olga.public}", None),
                ("DELETE", f"/v1/inboxes/{desk.public_inbox}/members/{desk.anna.public}", None),
                ("POST", f"/v1/desk/journal/{item['id']}/replay", None),
                ("GET", f"/v1/contacts/{conversation['contact']['id']}", None),
                ("PATCH", f"/v1/contacts/{conversation['contact']['id']}", {"name": "Mine"}),
            ):
                answer = await client.request(method, path, json=body)
                assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text}"
            for path in ("/v1/desk/conversations?status=all", "/v1/desk/journal", "/v1/contacts",
                         f"/v1/desk/conversations?inbox_id={desk.public_inbox}"):  # fmt: skip
                answer = await client.get(path)
                assert answer.json()["items"] == []
    # somebody of ours cannot be put into their inbox, nor theirs into ours
    for method, inbox, actor in (("PUT", desk, foreign.anna), ("PUT", foreign, desk.anna)):
        path = f"/v1/inboxes/{inbox.public_inbox}/members/{actor.public}"
        await desk.ask(desk.olga, method, path, status=404)


async def test_an_inbox_disconnected_while_it_is_reconnected_stays_disconnected(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = desk.channel.connect
    path = f"/v1/inboxes/{desk.public_inbox}"

    async def disconnect_meanwhile(secrets: dict[str, str], config: dict[str, Any]) -> AccountInfo:
        await desk.ask(desk.olga, "DELETE", path)
        return msgspec.structs.replace(await connect(secrets, config), address=str(desk.inbox))

    monkeypatch.setattr(desk.channel, "connect", disconnect_meanwhile)
    await desk.ask(desk.olga, "POST", f"{path}/reconnect", {}, status=404)
    [row] = await desk.house.sql("SELECT state FROM inbox WHERE id = $1", desk.inbox)
    assert row["state"] == "disconnected"
