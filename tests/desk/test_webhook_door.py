"""The door for webhooks: what is plain is journalled together and in order, everything else is handed on whole."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from parley.channels.contract import Account, JournalPart
from parley.desk import intake_store, webhook_door
from parley.desk.intake_store import JOURNAL
from parley.desk.webhook_door import BATCH_LIMIT, BODY_LIMIT_BYTES, INBOX_SECONDS, WebhookDoor
from parley.infra import db as database
from parley.infra.doors import read_body
from parley.kit.ids import public_id
from tests.desk.fake_channel import FakeChannel, encode
from tests.desk.scene import Desk

pytestmark = pytest.mark.anyio

GOOD = {b"x-secret": b"s"}


class Stumbling(FakeChannel):
    """The fake channel with code that raises for some requests."""

    def is_authentic(self, account: Account, headers: Mapping[str, str], body: bytes) -> bool:
        if "x-odd" in headers:
            raise TypeError("comparing strings with non-ASCII characters is not supported")
        return super().is_authentic(account, headers, body)

    def split(self, body: bytes) -> list[JournalPart]:
        if b"stumble" in body:
            raise RecursionError
        return super().split(body)


@dataclasses.dataclass
class Gate:
    """A door, who stands behind it and how it is knocked at."""

    desk: Desk
    door: WebhookDoor
    handed_on: list[bytes]

    async def knock(
        self, body: bytes, headers: Mapping[bytes, bytes] = GOOD, inbox: UUID | None = None, **scope: Any
    ) -> int:
        """Send one request; return its status."""
        path = f"/webhooks/telegram/{public_id('inb', inbox or self.desk.inbox)}"
        return await knock(self.door, body, {"path": path, "headers": list(headers.items()), **scope})

    async def bodies(self) -> list[bytes]:
        """Return what the journal has, in order."""
        async with self.desk.house.db.system() as tx:
            return [row["body"] for row in await tx.fetch("SELECT body FROM journal ORDER BY seq")]

    def body(self, text: str) -> bytes:
        return encode(self.desk.message(text))


async def knock(door: WebhookDoor, body: bytes, how: dict[str, Any]) -> int:
    """Send one request; return its status."""
    statuses: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    await door({"type": "http", "method": "POST", "query_string": b""} | how, receive, send)
    return statuses[0]


@pytest.fixture
def gate(desk: Desk) -> Gate:
    """A door behind which everything is refused with 401."""
    desk = dataclasses.replace(desk, channel=Stumbling())
    handed_on: list[bytes] = []

    async def behind(_: Any, receive: Any, send: Any) -> None:
        handed_on.append((await read_body(receive, 10**6))[1] or b"")
        await send({"type": "http.response.start", "status": 401})

    return Gate(desk, WebhookDoor(desk.house.db, desk.channels, behind), handed_on)


@pytest.fixture
def real(gate: Gate) -> Gate:
    """A door with the REST application behind it."""
    gate.door = WebhookDoor(gate.desk.house.db, gate.desk.channels, gate.desk.rest)
    return gate


async def test_requests_at_once_are_journalled_in_the_order_they_came(gate: Gate) -> None:
    bodies = [gate.body(f"{n}") for n in range(200)]
    assert await asyncio.gather(*(gate.knock(body) for body in bodies)) == [200] * 200
    assert await gate.bodies() == bodies
    assert gate.handed_on == []


async def test_what_is_not_for_the_door_is_handed_on_as_it_came(gate: Gate) -> None:
    big = gate.body("x" * BODY_LIMIT_BYTES)
    strange: list[tuple[bytes, dict[str, Any]]] = [
        (gate.body("a stranger"), {"headers": {}}),
        (gate.body("another's secret"), {"headers": {b"x-secret": b"t"}}),
        (gate.body("no such inbox"), {"inbox": gate.desk.place.id}),
        (b"no JSON", {}),
        (big, {}),
        (gate.body("a question"), {"query_string": b"a=1"}),
        (gate.body("read"), {"method": "GET"}),
        (gate.body("another channel"), {"path": f"/webhooks/max/{gate.desk.public_inbox}"}),
        (gate.body("no id"), {"path": "/webhooks/telegram/inb_uuuuuuuuuuuuuuuuuuuuuuuuuu"}),
        (gate.body("below"), {"path": f"/webhooks/telegram/{gate.desk.public_inbox}/x"}),
    ]
    for body, how in strange:
        assert await gate.knock(body, **how) == 401, body[:90]
    assert gate.handed_on == [body for body, _ in strange]
    assert await gate.bodies() == []


async def test_one_bad_request_or_inbox_does_not_take_the_others_out_of_the_door(gate: Gate) -> None:
    lost = await gate.desk.place.inbox(gate.desk.olga)
    await gate.desk.house.sql("UPDATE inbox SET secrets = '\\x00' WHERE id = $1", lost)
    good = [gate.body(f"{n}") for n in range(20)]
    bad = [gate.body("stumble"), gate.body("odd"), gate.body("lost")]
    answers = await asyncio.gather(
        *(gate.knock(body) for body in good[:10]),
        gate.knock(bad[0]),
        gate.knock(bad[1], {**GOOD, b"x-odd": b"\xff"}),
        gate.knock(bad[2], inbox=lost),
        *(gate.knock(body) for body in good[10:]),
    )
    assert Counter(answers) == {200: 20, 401: 3}
    assert sorted(gate.handed_on) == sorted(bad)
    assert await gate.bodies() == good


@pytest.mark.parametrize("change", ["disconnected", "secret"])
async def test_what_changes_at_an_inbox_is_known_within_a_second(gate: Gate, change: str) -> None:
    desk = gate.desk
    assert await gate.knock(gate.body("before")) == 200
    started = time.monotonic()
    if change == "disconnected":
        await desk.house.sql("UPDATE inbox SET state = 'disconnected' WHERE id = $1", desk.inbox)
    else:
        sealed = desk.house.runtime.keys.encrypt({"webhook_secret": "new"}, bound_to=desk.inbox.bytes)
        await desk.house.sql("UPDATE inbox SET secrets = $2 WHERE id = $1", desk.inbox, sealed)
    # knocking all the time does not keep the old knowledge alive
    knocked = time.monotonic()
    while await gate.knock(gate.body("meanwhile")) == 200:
        assert knocked - started < INBOX_SECONDS
        await asyncio.sleep(0.05)
        knocked = time.monotonic()
    assert await gate.knock(gate.body("after")) == 401
    expected = 401 if change == "disconnected" else 200
    assert await gate.knock(gate.body("new"), {b"x-secret": b"new"}) == expected


async def test_more_than_may_wait_go_the_ordinary_way(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_door, "QUEUE_LIMIT", BATCH_LIMIT)
    bodies = [gate.body(f"{n}") for n in range(BATCH_LIMIT * 2)]
    answers = await asyncio.gather(*(gate.knock(body) for body in bodies))
    taken = answers.count(200)  # those that may wait, and the one that did not need to
    assert BATCH_LIMIT <= taken <= BATCH_LIMIT + 1
    assert answers == [200] * taken + [401] * (len(bodies) - taken)
    assert await gate.bodies() == bodies[:taken]
    assert gate.handed_on == bodies[taken:]


async def test_what_cannot_be_journalled_is_never_answered_with_200(
    real: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = real.desk.house
    assert await real.knock(real.body("0")) == 200
    # the insert is blocked, then its connection killed: the next of its kind goes the ordinary way and is stored once
    async with house.db.system() as tx:
        await tx.execute("RESET ROLE")
        await tx.execute("LOCK TABLE journal IN ACCESS EXCLUSIVE MODE")
        knocking = [asyncio.create_task(real.knock(real.body(f"{n}"))) for n in (1, 2, 3)]
        killed: list[Any] = []
        async with asyncio.timeout(30):
            while not killed:
                await asyncio.sleep(0.02)
                killed = await house.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND query LIKE '%INTO journal%' AND datname = current_database()"
                )
        assert len(killed) == 1
        assert not any(task.done() for task in knocking)
    assert await asyncio.gather(*knocking) == [200] * 3
    assert sorted(await real.bodies()) == [real.body(f"{n}") for n in range(4)]

    async def commit_not(*_: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(intake_store, "insert_items_at_once", commit_not)
    monkeypatch.setattr(intake_store, "insert_items", commit_not)
    assert await real.knock(real.body("5")) >= 500
    assert len(await real.bodies()) == 4


async def test_without_a_database_everybody_soon_hears_503(
    real: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await real.knock(real.body("0")) == 200
    pool = real.desk.house.db.pool
    batches: list[int] = []
    insert = intake_store.insert_items_at_once

    async def note_batch(db: Any, rows: Any, now: Any) -> None:
        batches.append(len(rows))
        await insert(db, rows, now)

    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        monkeypatch.setattr(database, "ACQUIRE_TIMEOUT_SECONDS", 0.3)
        monkeypatch.setattr(intake_store, "insert_items_at_once", note_batch)
        answers = await asyncio.gather(*(real.knock(real.body("x")) for _ in range(BATCH_LIMIT * 6)))
    finally:
        for connection in held:
            await pool.release(connection)
    assert set(answers) == {503}
    assert len(batches) < 6, "those that wait hear it one batch after another"
    assert await real.bodies() == [real.body("0")]
    assert await real.knock(real.body("1")) == 200


async def test_who_hangs_up_disturbs_nobody(gate: Gate) -> None:
    bodies = [gate.body(f"{n}") for n in range(40)]
    tasks = [asyncio.create_task(gate.knock(body)) for body in bodies]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [200] * 26
    stored = await gate.bodies()
    assert [body for n, body in enumerate(bodies) if n % 3] == [
        body for body in stored if body in bodies[1::3] + bodies[2::3]
    ]
    assert await gate.knock(gate.body("next")) == 200


async def test_inboxes_of_several_workspaces_go_together(gate: Gate, foreign: Desk) -> None:
    other = await gate.desk.place.inbox(gate.desk.olga)
    inboxes = [gate.desk.inbox, foreign.inbox, other] * 10
    answers = await asyncio.gather(*(gate.knock(gate.body(f"{n}"), inbox=i) for n, i in enumerate(inboxes)))
    assert answers == [200] * 30
    async with gate.desk.house.db.system() as tx:
        rows = await tx.fetch("SELECT workspace_id, inbox_id, body, lane FROM journal ORDER BY seq")
        claims = await JOURNAL.claim(tx, limit=50, lease_seconds=60)
    assert [row["inbox_id"] for row in rows] == inboxes
    assert [row["workspace_id"] == foreign.place.id for row in rows] == [i == foreign.inbox for i in inboxes]
    assert {claim.lane for claim in claims} == {f"{i.hex}:chat" for i in inboxes}
    # more inboxes than are remembered: those forgotten are handed on, none is lost
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhook_door, "KNOWN_LIMIT", 1)
        gate.door._inboxes.clear()
        gate.door._workspaces.clear()
        answers = await asyncio.gather(*(gate.knock(gate.body(f"again {i}"), inbox=i) for i in inboxes))
    assert len(await gate.bodies()) == 30 + answers.count(200)
    assert len(gate.handed_on) == answers.count(401) == 30 - answers.count(200)
