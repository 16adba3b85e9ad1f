"""What the provider says later of a message, in whatever order it comes."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from parley.channels.contract import Temporary
from parley.desk.delivery_store import DELIVERIES
from parley.desk.receipt_store import delete_parked_before
from parley.desk.receipts import Receipt, record_receipt
from tests.desk.scene import Desk

pytestmark = pytest.mark.anyio

AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


async def hear_of(desk: Desk, provider_id: str, state: Any, **error: str) -> str:
    async with desk.house.db.transaction(desk.place.id) as tx:
        return await record_receipt(
            tx,
            workspace_id=desk.place.id,
            inbox_id=desk.inbox,
            chat="77",
            receipt=Receipt(provider_id=provider_id, state=state, at=AT, **error),
        )


async def test_receipts_move_a_message_on_and_never_back(desk: Desk) -> None:
    message = await desk.send("hi")
    await desk.deliver()
    assert await desk.state(message) == "sent"
    assert await hear_of(desk, "p1", "sent") == "ignored"
    assert await hear_of(desk, "p1", "delivered") == "applied"
    assert await desk.state(message) == "delivered"
    assert await hear_of(desk, "p1", "delivered") == "ignored"
    assert await hear_of(desk, "p1", "read") == "applied"
    assert await hear_of(desk, "p1", "delivered") == "ignored"
    assert await hear_of(desk, "p1", "failed") == "ignored"
    assert await desk.state(message) == "read"


async def test_a_later_failure_shows_its_reason_and_can_be_retried(desk: Desk) -> None:
    message = await desk.send("hi")
    await desk.deliver()
    assert await hear_of(desk, "p1", "failed", error_code="131047", error_text="Too late") == "applied"
    assert await desk.status(message) == {"state": "failed", "error": {"code": "131047", "text": "Too late"}}
    await desk.act(message, "retry")
    await desk.deliver()
    assert await desk.state(message) == "sent"
    assert desk.channel.performed == ["send hi", "send hi"]


async def test_a_failed_message_that_was_read_after_all_is_read(desk: Desk) -> None:
    message = await desk.send("hi")
    await desk.deliver()
    await hear_of(desk, "p1", "failed")
    assert await hear_of(desk, "p1", "read") == "applied"
    assert await desk.status(message) == {"state": "read", "error": None}


async def test_a_status_that_comes_before_the_answer_waits_for_it(desk: Desk) -> None:
    message = await desk.send("hi")
    assert await hear_of(desk, "p1", "read") == "parked"
    assert await hear_of(desk, "p1", "delivered") == "parked"
    assert await hear_of(desk, "p1", "delivered") == "parked"
    assert await desk.state(message) == "queued"
    await desk.deliver()
    assert await desk.state(message) == "read"
    assert await desk.house.sql("SELECT * FROM parked_status") == []


async def test_a_message_of_several_calls_is_delivered_when_its_last_one_is(desk: Desk) -> None:
    message = await desk.send("one\ntwo")
    await desk.deliver()
    assert await hear_of(desk, "p1", "delivered") == "ignored"
    assert await desk.state(message) == "sent"
    assert await hear_of(desk, "p2", "delivered") == "applied"
    assert await desk.state(message) == "delivered"


async def test_a_message_whose_first_half_failed_is_failed_and_only_that_half_is_sent_again(
    desk: Desk,
) -> None:
    message = await desk.send("one\ntwo")
    await desk.deliver()
    assert await hear_of(desk, "p1", "failed") == "applied"
    assert await hear_of(desk, "p2", "delivered") == "ignored"
    assert await desk.state(message) == "failed"
    await desk.act(message, "retry")
    await desk.deliver()
    assert await desk.state(message) == "sent"
    assert desk.channel.performed == ["send one", "send two", "send one"]


async def test_a_status_of_the_first_half_waits_while_the_second_is_under_way(desk: Desk) -> None:
    message = await desk.send("one\ntwo")
    desk.channel.script.extend([None, Temporary("Later.", retry_after_seconds=0)])
    [claim] = await desk.claim(DELIVERIES)
    await desk.delivery().handle(claim)
    assert desk.channel.performed == ["send one"]
    assert await hear_of(desk, "p1", "failed") == "parked"
    assert await hear_of(desk, "p2", "delivered") == "parked"
    await desk.deliver()
    assert await desk.state(message) == "failed"


async def test_a_status_of_the_contacts_own_message_is_ignored(desk: Desk) -> None:
    await desk.hear(desk.message("in 1"))
    assert await hear_of(desk, "in 1", "read") == "ignored"


async def test_receipts_that_race_with_the_answer_are_never_lost(desk: Desk) -> None:
    for n in range(1, 16):
        message = await desk.send(f"message {n}")
        await asyncio.gather(
            desk.deliver(), hear_of(desk, f"p{n}", "delivered"), hear_of(desk, f"p{n}", "read")
        )
        assert await desk.state(message) == "read"
    assert await desk.house.sql("SELECT * FROM parked_status") == []


async def test_statuses_of_messages_that_never_became_known_are_forgotten(desk: Desk) -> None:
    assert await hear_of(desk, "nobody's", "read") == "parked"
    async with desk.house.db.system() as tx:
        assert await delete_parked_before(tx, AT) == 0
        assert await delete_parked_before(tx, AT + dt.timedelta(seconds=1)) == 1
