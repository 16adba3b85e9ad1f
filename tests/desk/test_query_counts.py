"""How many statements the hot paths take, so that none creeps in unseen. BEGIN and COMMIT count."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from asyncpg.connection import Connection

from parley.conversations.sending import post_messages
from parley.desk.delivery_store import DELIVERIES
from parley.desk.intake import Intake
from parley.desk.intake_store import JOURNAL
from tests.desk.fake_channel import encode
from tests.desk.scene import Desk

pytestmark = pytest.mark.anyio


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
    claims = await desk.claim(JOURNAL)
    with counted(monkeypatch) as statements:
        await Intake(desk.house.db, desk.channels).handle(claims[0])
    assert len(statements) <= 13, show(statements)


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
