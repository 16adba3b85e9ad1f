"""Which conversation a customer's message goes to."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from parley.desk.schemas import DeskChange
from parley.desk.statuses import change_conversation, wake_snoozed
from parley.kit.ids import parse_id
from tests.desk.scene import Desk, Json

pytestmark = pytest.mark.anyio

HOUR = dt.timedelta(hours=1)


async def set_status(desk: Desk, conversation: Json, status: str) -> None:
    change: Json = {"status": status}
    if status == "snoozed":
        change["snoozed_until"] = (dt.datetime.now(dt.UTC) + HOUR).isoformat()
    await desk.ask(desk.anna, "PATCH", f"/v1/desk/conversations/{conversation['id']}", change)


@pytest.mark.parametrize(
    ("rule", "within_hours", "status", "hours_ago", "is_same", "becomes"),
    [
        ("reopen", None, "open", 0, True, "open"),
        ("reopen", None, "pending", 0, True, "pending"),
        ("reopen", None, "snoozed", 0, True, "open"),
        ("reopen", None, "resolved", 9999, True, "open"),
        ("reopen", 24, "resolved", 23, True, "open"),
        ("reopen", 24, "resolved", 25, False, "open"),
        ("new", None, "resolved", 0, False, "open"),
        ("new", None, "open", 0, True, "open"),
        ("new", None, "pending", 0, True, "pending"),
        ("new", None, "snoozed", 0, True, "open"),
    ],
)
async def test_the_rule_of_the_inbox_decides_where_a_message_goes(
    desk: Desk, rule: str, within_hours: int | None, status: str, hours_ago: int, is_same: bool, becomes: str
) -> None:
    await desk.ask(
        desk.olga, "PATCH", f"/v1/inboxes/{desk.public_inbox}", {"reopen": rule, "reopen_within_hours": within_hours}
    )  # fmt: skip
    await desk.hear(desk.message("1", "first"))
    before = await desk.conversation()
    await set_status(desk, before, status)
    await desk.house.sql(
        "UPDATE desk_conversation SET resolved_at = resolved_at - $1::interval", hours_ago * HOUR
    )
    await desk.hear(desk.message("2", "second"))
    after = await desk.conversation()
    assert (after["id"] == before["id"]) is is_same
    assert after["status"] == becomes
    assert after["snoozed_until"] is None
    assert after["last_message"]["text"] == "second"
    if not is_same:
        old = await desk.ask(desk.anna, "GET", f"/v1/desk/conversations/{before['id']}")
        assert (old["status"], old["last_message"]["text"]) == ("resolved", "first")
    assert after["contact"]["id"] == before["contact"]["id"]


async def test_a_message_never_slips_into_a_conversation_that_is_being_resolved(desk: Desk) -> None:
    await desk.hear(desk.message("1"))
    conversation = await desk.conversation()
    key = parse_id("cnv", conversation["id"])
    async with desk.house.db.transaction(desk.place.id) as tx:
        await change_conversation(tx, desk.anna.caller, key, DeskChange(status="resolved"))
        hearing = asyncio.create_task(desk.hear(desk.message("2", "one more thing")))
        await asyncio.sleep(0.2)
        assert not hearing.done()
    await hearing
    after = await desk.conversation()
    assert (after["id"], after["status"]) == (conversation["id"], "open")
    assert after["last_message"]["text"] == "one more thing"


async def test_a_snooze_that_is_over_opens_the_conversation_once(desk: Desk) -> None:
    await desk.hear(desk.message("1"))
    conversation = await desk.conversation()
    await set_status(desk, conversation, "snoozed")
    assert await wake_snoozed(desk.house.db) == 0
    await desk.house.sql("UPDATE desk_conversation SET snoozed_until = now() - $1::interval", HOUR)
    await asyncio.gather(*(wake_snoozed(desk.house.db) for _ in range(3)))
    after = await desk.conversation()
    assert (after["status"], after["snoozed_until"]) == ("open", None)
    events = await desk.house.sql(
        "SELECT data->>'status' AS s FROM event WHERE kind = 'conversation.status_changed'"
    )
    assert [event["s"] for event in events] == ["snoozed", "open"]


async def test_all_snoozes_that_are_over_end_together_however_many(desk: Desk) -> None:
    for chat in ("1", "2", "3", "4", "5"):
        await desk.hear(desk.message("1", chat=chat))
        await set_status(desk, await desk.conversation(chat), "snoozed")
    await desk.house.sql("UPDATE desk_conversation SET snoozed_until = now() - $1::interval", HOUR)
    assert await wake_snoozed(desk.house.db, limit=2) == 5
    rows = await desk.house.sql("SELECT DISTINCT status FROM desk_conversation")
    assert [row["status"] for row in rows] == ["open"]


async def test_an_old_conversation_cannot_be_opened_beside_another(desk: Desk) -> None:
    await desk.ask(desk.olga, "PATCH", f"/v1/inboxes/{desk.public_inbox}", {"reopen": "new"})
    await desk.hear(desk.message("1"))
    old = await desk.conversation()
    await set_status(desk, old, "resolved")
    await desk.hear(desk.message("2"))
    answer = await desk.ask(
        desk.anna, "PATCH", f"/v1/desk/conversations/{old['id']}", {"status": "open"}, status=409
    )
    assert answer["error"]["code"] == "already_open"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "snoozed"},
        {"status": "open", "snoozed_until": "2099-01-01T00:00:00Z"},
        {"status": "snoozed", "snoozed_until": "2000-01-01T00:00:00Z"},
        {"status": "snoozed", "snoozed_until": "2999-01-01T00:00:00Z"},
        {"status": "snoozed", "snoozed_until": "2026-12-01T00:00:00"},
        {"status": "closed"},
        {"colour": "red"},
        {"assignee_id": "nobody"},
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(desk: Desk, change: Json) -> None:
    await desk.hear(desk.message("1"))
    conversation = await desk.conversation()
    answer = await desk.ask(
        desk.anna, "PATCH", f"/v1/desk/conversations/{conversation['id']}", change, status=422
    )
    assert set(answer["error"]) == {"code", "message", "fields"}
    after = await desk.conversation()
    assert (after["status"], after["head"]) == ("open", conversation["head"])


@pytest.mark.parametrize("text", ["", " \n", "\x00"])
async def test_an_item_with_nothing_to_show_opens_no_conversation_and_none_again(
    desk: Desk, text: str
) -> None:
    await desk.hear(desk.message("1", text))
    assert await desk.conversation() is None
    await desk.hear(desk.message("2"))
    path = f"/v1/desk/conversations/{(await desk.conversation())['id']}"
    await desk.ask(desk.olga, "PATCH", path, {"status": "resolved"})
    await desk.hear(desk.message("3", text))
    assert (await desk.ask(desk.olga, "GET", path))["status"] == "resolved"
    outcomes = await desk.house.sql("SELECT outcome FROM journal ORDER BY seq")
    assert [row["outcome"] for row in outcomes] == [
        "ignored: nothing to show",
        "message",
        "ignored: nothing to show",
    ]
