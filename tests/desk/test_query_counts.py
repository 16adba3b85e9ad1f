"""How many statements the hot paths take, so that none creeps in unseen. BEGIN and COMMIT count."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator

import pytest
from asyncpg.connection import Connection

from parley.channels.contract import IncomingEdit
from parley.conversations.sending import post_messages
from parley.desk.delivery_store import DELIVERIES
from parley.desk.intake import Intake
from parley.desk.intake_batch import IntakeBatches
from parley.desk.intake_store import JOURNAL
from parley.desk.webhook_door import WebhookDoor
from tests.desk.fake_channel import encode
from tests.desk.scene import Desk
from tests.desk.test_intake_batch import Chats, hear_first, take_together
from tests.desk.test_webhook_door import knock

pytestmark = pytest.mark.anyio

PLAIN = 9
"""Begin, inboxes, lock and look, the core's look and write, touch, sources, verdicts, commit: whatever the batch."""


@contextlib.contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the statements of this process."""
    statements: list[str] = []
    plain, prepared = Connection.execute, Connection._execute

    async def execute(self: Connection, query: str, *args: object, **more: object) -> str:  # type: ignore[type-arg]
        if not args:
            statements.append(query)
        return await plain(self, query, *args, **more)  # type: ignore[arg-type]

    async def _execute(self: Connection, query: str, *args: object, **more: object) -> object:  # type: ignore[type-arg]
        statements.append(query)
        return await prepared(self, query, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "execute", execute)
        patch.setattr(Connection, "_execute", _execute)
        yield statements


def show(statements: list[str]) -> str:
    return "\n".join(" ".join(statement.split())[:100] for statement in statements)


async def test_statements_of_a_send(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.send("warm up")
    conversation = await desk.conversation()
    drafts = [
        desk.place.draft(desk.room_of(conversation), desk.olga, f"{n}", client_id=f"{n}") for n in range(20)
    ]
    with counted(monkeypatch) as statements:
        await desk.house.collector.post(drafts[0])
    # begin, lock and look, write, delivery, touch, commit
    assert len(statements) == 6, show(statements)
    with counted(monkeypatch) as statements:
        async with desk.house.db.transaction(desk.place.id) as tx:
            await post_messages(tx, drafts[1:])
    assert len(statements) == 6, show(statements)


async def test_statements_of_an_incoming_message(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.hear(desk.message("1"))
    with counted(monkeypatch) as statements:
        await desk.journal(encode(*(desk.message(f"{n}") for n in range(2, 10))))
    assert len(statements) == 3, show(statements)  # begin, insert, commit: whatever the batch
    [claim] = await desk.claim(JOURNAL)
    with counted(monkeypatch) as statements:
        await Intake(desk.house.db, desk.channels).handle(claim)
    assert len(statements) == PLAIN, show(statements)


async def test_statements_of_plain_messages_are_the_same_for_one_and_for_many(
    desk: Desk, foreign: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks = [dataclasses.replace(one, channel=Chats()) for one in (desk, foreign)]
    for one in desks:
        await hear_first(one, *(f"{n}" for n in range(20)))
    for one in desks:
        await one.journal(encode(*(one.message("1", chat=f"{n}") for n in range(20))))
    claims = await desk.claim(JOURNAL)
    with counted(monkeypatch) as statements:
        taken = await take_together(IntakeBatches(desk.house.db, desks[0].channels), claims)
    assert taken == [True] * 40
    assert len(statements) == PLAIN, show(statements)


async def test_statements_of_what_is_no_plain_message(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.hear(desk.message("1"))
    edit = IncomingEdit(**desk.start(), provider_id="1", revision="1", text="edited")
    wanted = ((edit, 3 + 15), (desk.message("1"), 4 + 5), (desk.message("1", chat="new"), 4 + 17))
    for item, limit in wanted:  # a look at the batch's cost, then a transaction of its own
        await desk.journal(encode(item))
        [claim] = await desk.claim(JOURNAL)
        with counted(monkeypatch) as statements:
            await Intake(desk.house.db, desk.channels).handle(claim)
        assert len(statements) == limit, show(statements)


async def test_statements_of_webhooks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def behind(*_: object) -> None:
        raise AssertionError("handed on")

    door = WebhookDoor(desk.house.db, desk.channels, behind)
    path = f"/webhooks/telegram/{desk.public_inbox}"
    how = {"path": path, "headers": [(b"x-secret", b"s")]}
    assert await knock(door, encode(desk.message("1")), how) == 200
    with counted(monkeypatch) as statements:
        for count in (1, 30):
            bodies = [encode(desk.message(f"{n}")) for n in range(count)]
            assert await asyncio.gather(*(knock(door, body, how) for body in bodies)) == [200] * count
    # one for the first, one for the others together
    assert len(statements) == 2, show([one[:60] for one in statements])


async def test_statements_of_a_delivery(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.send("hi")
    [claim] = await desk.claim(DELIVERIES)
    with counted(monkeypatch) as statements:
        await desk.delivery().handle(claim)
    assert len(statements) <= 33, show(statements)


async def test_statements_of_the_list_do_not_grow_with_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.ask(desk.anna, "GET", "/v1/desk/counts")  # the token is known from now on
    counts = []
    for n in range(2):
        for chat in range(1 + 9 * n):
            await desk.hear(desk.message(f"{n}", chat=f"{chat}"))
        with counted(monkeypatch) as statements:
            await desk.ask(desk.anna, "GET", "/v1/desk/conversations")
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 8, show(statements)
