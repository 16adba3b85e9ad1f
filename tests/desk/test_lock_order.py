"""Two ways to the same rows at the same moment: nobody waits for somebody who waits for them."""

from __future__ import annotations

import asyncio

import pytest

from parley.channels.contract import RecipientGone
from parley.contacts import ensure_identity, set_reachable
from parley.conversations import post_message
from parley.conversations.store import lock_conversation
from parley.desk.errors import AlreadyOpen
from parley.desk.list_store import lock_desk_row
from parley.desk.reach import note_reach, touch_contact
from parley.desk.schemas import DeskChange
from parley.desk.statuses import change_conversation
from parley.kit.ids import parse_id
from tests.desk.scene import Desk

pytestmark = pytest.mark.anyio

A_MOMENT = 0.3
"""Long enough for the other side to come to its lock, and shorter than PostgreSQL's look for deadlocks (1 s)."""


async def test_a_refusal_and_the_news_that_we_are_blocked_do_not_wait_for_each_other(desk: Desk) -> None:
    message = await desk.send("one")
    desk.channel.script.append(RecipientGone("Blocked."))
    person = desk.start()["person"]
    async with desk.house.db.transaction(desk.place.id) as tx:
        identity = await ensure_identity(tx, desk.place.id, desk.inbox, person)
        await set_reachable(tx, identity, is_reachable=False)
        refusing = asyncio.create_task(desk.deliver())
        await asyncio.sleep(A_MOMENT)
        await touch_contact(tx, desk.place.id, identity.contact_id)
    await refusing
    assert (await desk.status(message))["error"]["code"] == "recipient_gone"
    assert (await desk.conversation())["contact"]["is_reachable"] is False


async def test_a_customer_who_comes_back_and_an_agent_who_writes_do_not_wait_for_each_other(
    desk: Desk,
) -> None:
    await desk.hear(desk.message("1"))
    room = desk.room_of(await desk.conversation())
    async with desk.house.db.transaction(desk.place.id) as tx:
        identity = await ensure_identity(tx, desk.place.id, desk.inbox, desk.start()["person"])
        await note_reach(tx, identity, is_reachable=False)
    async with desk.house.db.transaction(desk.place.id) as tx:
        await lock_conversation(tx, desk.place.id, room)
        hearing = asyncio.create_task(desk.hear(desk.message("2", "I am back")))
        await asyncio.sleep(A_MOMENT)
        await post_message(tx, desk.place.draft(room, desk.olga, "Are you there?"))
    await hearing
    [row] = await desk.house.sql("SELECT attempts, work FROM journal ORDER BY seq DESC LIMIT 1")
    assert tuple(row) == (1, "done")
    conversation = await desk.conversation()
    assert conversation["contact"]["is_reachable"] is True
    assert conversation["last_message"]["text"] == "I am back"


async def test_a_contact_that_changes_and_a_conversation_that_is_opened_again_do_not_wait_for_each_other(
    desk: Desk,
) -> None:
    await desk.ask(desk.olga, "PATCH", f"/v1/inboxes/{desk.public_inbox}", {"reopen": "new"})
    rooms = []
    for number in ("1", "2"):
        await desk.hear(desk.message(number))
        rooms.append(await desk.conversation())
        await desk.ask(
            desk.anna, "PATCH", f"/v1/desk/conversations/{rooms[-1]['id']}", {"status": "resolved"}
        )
    older, newer = rooms
    await desk.ask(desk.anna, "PATCH", f"/v1/desk/conversations/{older['id']}", {"status": "open"})
    contact = parse_id("act", newer["contact"]["id"])

    async def touch() -> None:
        async with desk.house.db.transaction(desk.place.id) as tx:
            await touch_contact(tx, desk.place.id, contact)

    async def open_again() -> None:
        async with desk.house.db.transaction(desk.place.id) as tx:
            await lock_conversation(tx, desk.place.id, desk.room_of(newer))
            await lock_desk_row(tx, desk.room_of(newer))
            await asyncio.sleep(A_MOMENT)
            await change_conversation(tx, desk.anna.caller, desk.room_of(newer), DeskChange(status="open"))

    opening = asyncio.create_task(open_again())
    await asyncio.sleep(A_MOMENT / 2)
    await touch()
    with pytest.raises(AlreadyOpen):
        await opening
