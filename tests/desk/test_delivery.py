"""Deliveries over a channel whose answers are a script."""

from __future__ import annotations

import asyncio

import pytest

from parley.channels.contract import (
    AccountBroken,
    Limits,
    RecipientGone,
    Rejected,
    Temporary,
    Uncertain,
    Unsupported,
)
from parley.desk.delivery import MAX_TEMPORARY, settle_broken
from parley.desk.delivery_store import DELIVERIES
from parley.infra.work import LeaseLost
from parley.kit.ids import parse_id
from tests.desk.scene import Desk, Json

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (Uncertain("No answer."), "unknown", "uncertain"),
        (RecipientGone("Blocked."), "failed", "recipient_gone"),
        (Rejected("No.", provider_code="400"), "failed", "rejected:400"),
        (Unsupported("Stickers."), "failed", "unsupported"),
        (AccountBroken("Revoked."), "failed", "account_broken"),
    ],
)
async def test_the_error_alone_decides(desk: Desk, error: Exception, state: str, code: str) -> None:
    message, following = await desk.send("one"), await desk.send("two")
    desk.channel.script.append(error)
    await desk.deliver()
    status = await desk.status(message)
    assert (status["state"], status["error"]["code"]) == (state, code)
    assert await desk.state(following) == "sent"
    assert desk.channel.performed == ["send two"]
    conversation = await desk.conversation()
    assert conversation["contact"]["is_reachable"] is (code != "recipient_gone")
    inbox = await desk.ask(desk.olga, "GET", f"/v1/inboxes/{desk.public_inbox}")
    broken = ("broken", "Revoked.") if code == "account_broken" else ("connected", None)
    assert (inbox["state"], inbox["state_reason"]) == broken


async def test_temporary_trouble_is_tried_again_and_keeps_the_order(desk: Desk) -> None:
    first, second = await desk.send("one"), await desk.send("two")
    desk.channel.script.extend([Temporary("Busy.", retry_after_seconds=0.3), Temporary("Busy.")])
    async with desk.working():
        for _ in range(1000):
            if await desk.state(second) == "sent":
                break
            assert await desk.state(first) in ("queued", "sending", "sent")
            await asyncio.sleep(0.03)
    assert await desk.state(first) == await desk.state(second) == "sent"
    assert desk.channel.performed == ["send one", "send two"]


async def test_trouble_that_does_not_end_fails_the_message(desk: Desk) -> None:
    message = await desk.send("one")
    desk.channel.script.extend([Temporary("Busy.", retry_after_seconds=0.0)] * MAX_TEMPORARY)
    await desk.deliver()
    assert await desk.status(message) == {"state": "failed", "error": {"code": "temporary", "text": "Busy."}}
    await desk.act(message, "retry")
    await desk.deliver()
    assert await desk.state(message) == "sent"


async def test_a_long_wait_for_the_limit_gives_the_lane_back_and_is_no_try(desk: Desk) -> None:
    desk.channel.limits = Limits(chat_per_second=0.1, chat_burst=1, inbox_per_second=9, inbox_burst=9)
    first, second = await desk.send("one"), await desk.send("two")
    elsewhere = await desk.send("three", chat="88")
    delivery = desk.delivery()
    for _ in range(4):
        for claim in await desk.claim(DELIVERIES):
            await delivery.handle(claim)
    assert [await desk.state(message) for message in (first, second, elsewhere)] == ["sent", "queued", "sent"]
    [row] = await desk.house.sql(
        "SELECT attempts, work, due_at - now() > interval '5 seconds' AS is_later FROM delivery WHERE state = 'queued'"
    )
    assert tuple(row) == (0, "ready", True)


async def test_parts_that_were_sent_are_not_sent_again(desk: Desk) -> None:
    message = await desk.send("one\ntwo\nthree")
    desk.channel.script.extend([None, Uncertain("No answer.")])
    await desk.deliver()
    assert (await desk.state(message), desk.channel.performed) == ("unknown", ["send one"])
    await desk.act(message, "send_again")
    desk.channel.script.append(Temporary("Busy.", retry_after_seconds=0.0))
    await desk.deliver()
    assert await desk.state(message) == "sent"
    assert desk.channel.performed == ["send one", "send two", "send three"]


async def test_a_worker_that_fell_silent_leaves_unknown_only_what_it_had_begun(desk: Desk) -> None:
    begun, waiting = await desk.send("one"), await desk.send("two", chat="88")
    first, second = sorted(await desk.claim(DELIVERIES), key=lambda claim: claim.seq)
    delivery = desk.delivery()
    plan = await delivery._prepare(desk.place.id, first)
    assert plan is not None
    await delivery._begin_part(desk.place.id, first, 0)
    for claim in (first, second):
        async with desk.house.db.transaction(desk.place.id) as tx:
            await settle_broken(tx, claim, "lease_expired")
    assert await desk.status(begun) == {
        "state": "unknown",
        "error": {"code": "interrupted", "text": "The server stopped while the provider was being asked."},
    }
    assert await desk.state(waiting) == "queued"
    await desk.house.sql("UPDATE delivery SET due_at = now()")
    await desk.deliver()
    assert await desk.state(waiting) == "sent"
    assert desk.channel.performed == ["send two"]


async def test_a_worker_whose_lease_is_gone_does_not_ask_the_provider(desk: Desk) -> None:
    await desk.send("one")
    [claim] = await desk.claim(DELIVERIES)
    await desk.house.sql("UPDATE delivery SET lease_until = now()")
    async with desk.house.db.system() as tx:
        [taken] = await DELIVERIES.take_expired(tx, lease_seconds=60)
    with pytest.raises(LeaseLost):
        await desk.delivery().handle(claim)
    assert desk.channel.performed == []
    await desk.delivery().handle(taken)
    assert desk.channel.performed == ["send one"]


async def test_edits_and_deletions_follow_the_message(desk: Desk) -> None:
    message = await desk.send("one")
    path = f"/v1/conversations/{message['conversation_id']}/messages/{message['id']}"
    await desk.ask(desk.olga, "PATCH", path, {"text": "uno"})
    await desk.deliver()
    # the edit came before the send, which carried the new text already; the edit does no harm
    await desk.ask(desk.olga, "PATCH", path, {"text": "eins"})
    await desk.deliver()
    await desk.ask(desk.olga, "DELETE", path)
    await desk.deliver()
    assert desk.channel.performed == ["send uno", "edit p1: uno", "edit p1: eins", "delete p1"]
    assert await desk.state(message) == "sent"


async def test_a_message_deleted_before_it_went_out_never_goes_out(desk: Desk) -> None:
    message = await desk.send("one")
    path = f"/v1/conversations/{message['conversation_id']}/messages/{message['id']}"
    await desk.ask(desk.olga, "DELETE", path)
    await desk.deliver()
    assert desk.channel.performed == []


async def test_a_cancelled_message_never_goes_out(desk: Desk) -> None:
    message = await desk.send("one")
    await desk.act(message, "cancel")
    await desk.deliver()
    assert (await desk.state(message), desk.channel.performed) == ("cancelled", [])


async def test_a_bug_of_ours_is_tried_again_and_shown_in_the_end(desk: Desk) -> None:
    message = await desk.send("one")
    key = parse_id("msg", message["id"])
    [claim] = await desk.claim(DELIVERIES)
    claim.attempts = DELIVERIES.max_attempts
    async with desk.house.db.transaction(desk.place.id) as tx:
        await settle_broken(tx, claim, "KeyError: 'x'")
    assert await desk.status(message) == {
        "state": "failed",
        "error": {"code": "bug", "text": "KeyError: 'x'"},
    }
    [row] = await desk.house.sql("SELECT work, last_error FROM delivery WHERE message_id = $1", key)
    assert (row["work"], row["last_error"]) == ("failed", "KeyError: 'x'")
    await desk.act(message, "retry")
    await desk.deliver()
    assert await desk.state(message) == "sent"


async def test_a_disconnected_inbox_sends_nothing_and_says_why(desk: Desk) -> None:
    message = await desk.send("one")
    await desk.ask(desk.olga, "DELETE", f"/v1/inboxes/{desk.public_inbox}")
    await desk.deliver()
    status: Json = await desk.status(message)
    assert (status["state"], status["error"]["code"]) == ("failed", "account_broken")
    assert desk.channel.performed == []
    await desk.ask(desk.olga, "GET", f"/v1/inboxes/{desk.public_inbox}", status=404)


async def test_a_verdict_that_the_database_threw_back_is_written_again(desk: Desk) -> None:
    for statement in (
        "CREATE SEQUENCE tries",
        """CREATE FUNCTION throw_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
            IF nextval('tries') <= 2 THEN RAISE 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END IF;
            RETURN NEW;
        END $$""",
        """CREATE TRIGGER throw_back BEFORE UPDATE ON delivery_part
        FOR EACH ROW WHEN (NEW.state IN ('sent', 'failed')) EXECUTE FUNCTION throw_back()""",
    ):
        await desk.house.sql(statement)
    sent, refused = await desk.send("one"), await desk.send("two")
    desk.channel.script.extend([None, Rejected("No.", provider_code="400")])
    async with desk.working():
        for _ in range(100):
            if await desk.state(refused) not in ("queued", "sending"):
                break
            await asyncio.sleep(0.05)
    assert (await desk.state(sent), desk.channel.performed) == ("sent", ["send one"])
    assert (await desk.status(refused))["error"]["code"] == "rejected:400"
    [row] = await desk.house.sql("SELECT last_value FROM tries")
    assert row["last_value"] > 2
