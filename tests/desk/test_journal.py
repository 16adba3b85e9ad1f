"""What cannot be handled stays with its reason, blocks nothing, and is replayed after a fix."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from parley.channels.contract import IncomingEdit, IncomingReach, Quote
from parley.desk.intake import RETRY_SECONDS, Intake
from parley.desk.intake_store import JOURNAL
from parley.desk.journal import replay_failed
from tests.desk.fake_channel import encode
from tests.desk.scene import Desk, Json

pytestmark = pytest.mark.anyio


async def failed(desk: Desk) -> list[Json]:
    page = await desk.ask(desk.olga, "GET", "/v1/desk/journal?state=failed")
    items: list[Json] = page["items"]
    return items


async def texts(desk: Desk) -> list[str]:
    return [message["text"] for message in await desk.messages(await desk.conversation())]


async def test_a_body_that_is_no_update_is_kept_and_answered_with_200(desk: Desk) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"null", b'"words"'):
        async with desk.client(None) as client:
            answer = await client.post(
                f"/webhooks/telegram/{desk.public_inbox}", content=body, headers={"x-secret": "s"}
            )
        assert answer.status_code == 200
    await desk.hear(desk.message("1", "after all that"))
    assert await texts(desk) == ["after all that"]
    items = await failed(desk)
    assert len(items) == 5
    assert all(item["error"].startswith("bad_update") for item in items)
    await desk.ask(desk.olga, "POST", f"/v1/desk/journal/{items[0]['id']}/replay", status=422)
    assert await replay_failed(desk.house.db, desk.channels, None) == 0
    assert len(await failed(desk)) == 5


async def test_an_item_without_sense_fails_alone(desk: Desk) -> None:
    await desk.journal(b'[{"type": "message"}]')
    await desk.hear(desk.message("1", "next"))
    [item] = await failed(desk)
    assert "bad_update" in item["error"]
    assert item["body"] == '[{"type": "message"}]'
    assert await texts(desk) == ["next"]


async def test_a_bug_fails_the_item_and_a_fix_lets_it_run_again(desk: Desk) -> None:
    desk.channel.bug = ZeroDivisionError("division by zero")
    async with desk.working():
        await desk.journal(encode(desk.message("1", "lost?")))
        for _ in range(1000):
            if await failed(desk):
                break
            await asyncio.sleep(0.03)
        [item] = await failed(desk)
        assert "ZeroDivisionError" in item["error"]
        desk.channel.bug = None
        await desk.journal(encode(desk.message("2", "the next")))
        for _ in range(1000):
            if await desk.conversation():
                break
            await asyncio.sleep(0.03)
        assert await texts(desk) == ["the next"]
        await desk.ask(desk.olga, "POST", f"/v1/desk/journal/{item['id']}/replay", status=204)
        for _ in range(1000):
            if len(await texts(desk)) == 2:
                break
            await asyncio.sleep(0.03)
    assert await texts(desk) == ["the next", "lost?"]
    assert await failed(desk) == []
    refused = await desk.ask(desk.olga, "POST", f"/v1/desk/journal/{item['id']}/replay", status=409)
    assert refused["error"]["code"] == "not_failed"
    await desk.ask(desk.anna, "POST", f"/v1/desk/journal/{item['id']}/replay", status=403)
    await desk.ask(desk.anna, "GET", "/v1/desk/journal", status=403)


async def test_all_failed_items_are_replayed_in_their_order(desk: Desk) -> None:
    desk.channel.bug = ZeroDivisionError("division by zero")
    async with desk.working():
        await desk.journal(encode(*(desk.message(str(n), f"{n}") for n in range(5))))
        for _ in range(1000):
            if len(await failed(desk)) == 5:
                break
            await asyncio.sleep(0.03)
    desk.channel.bug = None
    assert await replay_failed(desk.house.db, desk.channels, desk.place.id) == 5
    await desk.hear(desk.message("9", "9"))
    assert await texts(desk) == ["0", "1", "2", "3", "4", "9"]


async def test_a_transaction_that_lost_a_race_is_run_again_and_given_up_at_last(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = Intake(desk.house.db, desk.channels)
    desk.channel.bug = asyncpg.DeadlockDetectedError("deadlock detected")
    await desk.journal(encode(desk.message("1")))
    for _ in range(len(RETRY_SECONDS) + 1):
        await desk.house.sql("UPDATE journal SET due_at = now() WHERE work = 'ready'")
        [claim] = await desk.claim(JOURNAL)
        await intake.handle(claim)
    [item] = await failed(desk)
    assert item["error"] == "DeadlockDetectedError: deadlock detected"


async def test_first_sights_of_a_customer_at_the_same_moment_make_one_contact(desk: Desk) -> None:
    intake = Intake(desk.house.db, desk.channels)
    await desk.journal(encode(*(desk.message(str(n % 4), f"{n % 4}") for n in range(8))))
    # lanes apart, so that nothing but the database keeps them from each other
    await desk.house.sql("UPDATE journal SET lane = lane || seq")
    for _ in range(5):
        await desk.house.sql("UPDATE journal SET due_at = now() WHERE work = 'ready'")
        await asyncio.gather(*(intake.handle(claim) for claim in await desk.claim(JOURNAL)))
    assert await failed(desk) == []
    assert sorted(await texts(desk)) == ["0", "1", "2", "3"]
    for table in ("contact", "identity", "desk_conversation"):
        [count] = await desk.house.sql(f"SELECT count(*) FROM {table}")
        assert count["count"] == 1
    outcomes = await desk.house.sql("SELECT outcome, count(*) FROM journal GROUP BY outcome ORDER BY outcome")
    assert [tuple(row) for row in outcomes] == [("duplicate", 4), ("message", 4)]


async def test_edits_replies_and_reach_do_what_they_say_once(desk: Desk) -> None:
    edit = IncomingEdit(**desk.start(), provider_id="1", revision="5", text="first, better")
    await desk.hear(
        desk.message("1", "first"), edit, edit,
        desk.message("2", "second", reply_to=Quote(provider_id="1", text="first")),
        IncomingEdit(**desk.start(), provider_id="99", revision="1", text="of what?"),
        IncomingReach(**desk.start(), is_reachable=False),
    )  # fmt: skip
    first, second = await desk.messages(await desk.conversation())
    assert (first["text"], first["version"]) == ("first, better", 2)
    assert second["reply_to"] == {
        "id": first["id"], "sender_name": "Customer 77", "text": "first, better", "quote": "first"
    }  # fmt: skip
    assert (await desk.conversation())["contact"]["is_reachable"] is False
    await desk.hear(desk.message("3", "back again"))
    assert (await desk.conversation())["contact"]["is_reachable"] is True


async def test_an_album_grows_one_message_also_into_the_next_conversation(desk: Desk) -> None:
    await desk.hear(
        desk.message("1", "", group_id="g", extra={"a": 1}), desk.message("2", "words", group_id="g")
    )
    assert await texts(desk) == ["words"]


async def test_a_webhook_is_taken_only_with_the_secret_of_a_connected_inbox(
    desk: Desk, foreign: Desk
) -> None:
    body = encode(desk.message("1"))
    path = f"/webhooks/telegram/{desk.public_inbox}"
    async with desk.client(None) as client:
        for address, headers, status in (
            (path, {}, 401),
            (path, {"x-secret": "wrong"}, 401),
            (f"/webhooks/whatsapp/{desk.public_inbox}", {"x-secret": "s"}, 404),
            ("/webhooks/telegram/inb_nonsense", {"x-secret": "s"}, 422),
            (path, {"x-secret": "s"}, 200),
        ):
            answer = await client.post(address, content=body, headers=headers)
            assert answer.status_code == status, answer.text
            assert status == 200 or set(answer.json()["error"]) == {"code", "message", "fields"}
        answer = await client.post(path, content=b"[" + b" " * 2**20, headers={"x-secret": "s"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        await desk.ask(desk.olga, "DELETE", f"/v1/inboxes/{desk.public_inbox}")
        answer = await client.post(path, content=body, headers={"x-secret": "s"})
        assert answer.status_code == 404
    [count] = await desk.house.sql("SELECT count(*) FROM journal")
    assert count["count"] == 1


async def test_an_edit_whose_message_failed_waits_for_it_and_both_are_replayed_in_order(desk: Desk) -> None:
    edit = IncomingEdit(**desk.start(), provider_id="1", revision="2", text="as it should read")
    desk.channel.bug = ZeroDivisionError("division by zero")
    async with desk.working():
        await desk.journal(encode(desk.message("1", "as it was")))
        for _ in range(1000):
            if await failed(desk):
                break
            await asyncio.sleep(0.03)
    desk.channel.bug = None
    await desk.hear(edit)
    assert [item["error"].split(":")[0] for item in await failed(desk)] == [
        "edit_before_message",
        "ZeroDivisionError",
    ]
    assert await replay_failed(desk.house.db, desk.channels, desk.place.id) == 2
    await desk.hear(desk.message("9", "9"))
    assert await texts(desk) == ["as it should read", "9"]
    assert await failed(desk) == []


async def test_an_edit_of_a_message_from_before_our_time_is_let_go(desk: Desk) -> None:
    await desk.hear(IncomingEdit(**desk.start(), provider_id="1", revision="2", text="old"))
    assert await failed(desk) == []
