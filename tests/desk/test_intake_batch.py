"""Plain messages share a transaction: what is stored is what each would have made by itself, whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
import structlog

from parley.channels.contract import (
    Account,
    Entity,
    Ignored,
    IncomingAttachment,
    IncomingEdit,
    IncomingMessage,
    IncomingReach,
    JournalPart,
    Parsed,
    Person,
    Quote,
)
from parley.desk import intake_batch, intake_store
from parley.desk.errors import AlreadyOpen
from parley.desk.intake import Intake
from parley.desk.intake_batch import BATCH_LIMIT, IntakeBatches
from parley.desk.intake_store import JOURNAL
from parley.infra.db import Tx
from parley.infra.work import Claim, LeaseLost
from parley.infra.worker import Limits, Worker
from parley.kit.errors import ParleyError
from tests.desk.fake_channel import FakeChannel, encode
from tests.desk.scene import Desk, Json
from tests.house import read_numbers, require_dense

pytestmark = pytest.mark.anyio

NEWS = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Chats(FakeChannel):
    """The fake channel with a lane for each chat, and one text that its parser stumbles over."""

    def split(self, body: bytes) -> list[JournalPart]:
        return [
            JournalPart(lane=str(item.get("chat", item.get("lane", ""))), body=msgspec.json.encode([item]))
            for item in msgspec.json.decode(body)
        ]

    def parse(self, account: Account, body: bytes) -> list[Parsed]:
        if b"stumble" in body:
            raise ZeroDivisionError("division by zero")
        return super().parse(account, body)


@pytest.fixture
def chats(desk: Desk) -> Desk:
    """The desk with lanes of its own for each chat."""
    return dataclasses.replace(desk, channel=Chats())


async def hear_first(desk: Desk, *names: str) -> None:
    """Have these customers known, each with an open conversation."""
    await desk.hear(*(desk.message(f"first {name}", f"first of {name}", chat=name) for name in names))


async def handle_together(intake: Intake, claims: Sequence[Claim]) -> list[BaseException | None]:
    """Handle claims as if they had come while other batches were under way: all of them in one."""
    return await asyncio.gather(*(intake.handle(claim) for claim in claims), return_exceptions=True)


async def take_together(batches: IntakeBatches, claims: Sequence[Claim]) -> list[bool]:
    """Offer claims to one batch; return which were taken."""
    return await asyncio.gather(*(batches.take(claim) for claim in claims))


async def outcomes(desk: Desk) -> dict[str, int]:
    rows = await desk.house.sql("SELECT coalesce(outcome, work) AS outcome FROM journal")
    return dict(Counter(row["outcome"] for row in rows))


async def texts(desk: Desk, chat: str) -> list[str]:
    rows = await desk.house.sql(
        """SELECT m.text FROM message m JOIN identity i ON i.contact_id = m.sender_id
        WHERE i.inbox_id = $1 AND i.address = $2 ORDER BY m.conversation_id, m.position""",
        desk.inbox, chat,
    )  # fmt: skip
    return [row["text"] for row in rows]


async def require_dense_streams(desk: Desk) -> None:
    for row in await desk.house.sql("SELECT id, head FROM conversation"):
        numbers = await read_numbers(desk.house, row["id"])
        require_dense(numbers)
        assert len(numbers) == row["head"]


# ---------------------------------------------------------------- the same as alone

_STORED = {
    "journal": "SELECT lane, body, work, attempts, last_error, outcome FROM journal WHERE inbox_id = $1 ORDER BY seq",
    "identities": """SELECT i.address, i.name, i.username, i.is_reachable, a.name AS actor, a.locale, a.fields
        FROM identity i JOIN actor a ON a.id = i.contact_id WHERE inbox_id = $1 ORDER BY address""",
    "desk": """SELECT i.address, d.status, d.snoozed_until IS NULL AS awake, c.head, c.last_number, l.text AS last,
            m.role, m.read_number, m.own_since
        FROM desk_conversation d
        JOIN identity i ON i.id = d.identity_id JOIN conversation c ON c.id = d.conversation_id
        LEFT JOIN message l ON l.conversation_id = c.id AND l.id = c.last_message_id
        LEFT JOIN member m ON m.conversation_id = c.id AND m.actor_id = d.contact_id
        WHERE d.inbox_id = $1 ORDER BY i.address, d.conversation_id""",
    "messages": """SELECT i.address, m.position, m.number, m.kind, m.text, m.entities, m.quote, m.group_key, m.extra,
            m.status, m.version, r.text AS replied, (SELECT count(*) FROM attachment a
                WHERE a.conversation_id = m.conversation_id AND a.message_id = m.id) AS files
        FROM message m JOIN desk_conversation d USING (conversation_id) JOIN identity i ON i.id = d.identity_id
        LEFT JOIN message r ON r.conversation_id = m.conversation_id AND r.id = m.reply_to_id
        WHERE d.inbox_id = $1 ORDER BY i.address, m.conversation_id, m.position""",
    "events": """SELECT i.address, e.number, e.kind, e.audience, e.data, e.actor_id = d.contact_id AS by_contact,
            e.transaction = c.feed_transaction AS fed
        FROM event e JOIN desk_conversation d USING (conversation_id) JOIN identity i ON i.id = d.identity_id
        JOIN conversation c ON c.id = d.conversation_id
        WHERE d.inbox_id = $1 ORDER BY i.address, e.conversation_id, e.number""",
    "sources": """SELECT s.chat, s.provider_id, s.revision, s.direction, m.text FROM message_source s
        JOIN message m ON m.conversation_id = s.conversation_id AND m.id = s.message_id
        WHERE s.inbox_id = $1 ORDER BY s.chat, s.provider_id, s.revision""",
    "jobs": """SELECT count(*) FROM job j JOIN inbox i USING (workspace_id) WHERE i.id = $1""",
    "deliveries": """SELECT count(*) FROM delivery WHERE inbox_id = $1""",
}
_MINE = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|\b[a-z]{3}_[0-9a-z]{26}|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)"
)


async def read_stored(desk: Desk) -> Json:
    """Return all that an inbox's rows say, without ids and times."""
    found = {}
    for name, sql in _STORED.items():
        rows = [repr(sorted(dict(row).items())) for row in await desk.house.sql(sql, desk.inbox)]
        found[name] = [_MINE.sub("*", row) for row in rows]
    return found


def picture(reference: str) -> IncomingAttachment:
    return IncomingAttachment(kind="image", reference={"id": reference}, name="a.png")


async def prepare(desk: Desk) -> None:
    """Make customers in every state in which a message can find them."""
    names = (
        "plain",
        "edited",
        "twice",
        "renamed",
        "blocked",
        "resolved",
        "snoozed",
        "pending",
        "replying",
        "gone",
    )
    await hear_first(desk, *names, "album", "bare", "lost reply")
    await desk.hear(
        desk.message("a1", chat="album", group_id="g", attachments=[picture("1")]),
        IncomingReach(**desk.start("blocked"), is_reachable=False),
    )
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    for chat, change in (
        ("resolved", {"status": "resolved"}),
        ("snoozed", {"status": "snoozed", "snoozed_until": tomorrow}),
        ("pending", {"status": "pending"}),
    ):
        row = await desk.conversation(chat)
        await desk.ask(desk.olga, "PATCH", f"/v1/desk/conversations/{row['id']}", change)


def everything(desk: Desk) -> list[Any]:
    """Return one item for each lane: every kind of thing that can come, in every state of who says it."""
    bold = Entity(kind="bold", offset=0, length=2)
    renamed = Person(address="renamed", name="Another Name", username="other")
    message = desk.message
    return [
        message(
            "1", "plain words", chat="plain", entities=[bold], forwarded_from="a friend", extra={"a": [1]}
        ),
        message("1", "first of all", chat="new"),
        message("a2", "caption", chat="album", group_id="g", attachments=[picture("2")]),
        message("b1", chat="new album", group_id="g", attachments=[picture("3")]),
        IncomingEdit(**desk.start("edited"), provider_id="first edited", revision="1", text="edited"),
        IncomingEdit(**desk.start("never"), provider_id="none", revision="1", text="of nothing"),
        message("first twice", "again", chat="twice"),
        {"type": "message", "lane": "broken"},
        {"type": "pigeon", "lane": "stranger"},
        IncomingMessage(chat="renamed", person=renamed, at=NEWS, provider_id="1", text="it is me"),
        message("1", "back again", chat="blocked"),
        message("1", "one more thing", chat="resolved"),
        message("1", "wake up", chat="snoozed"),
        message("1", "still waiting", chat="pending"),
        message("1", "to that", chat="replying", reply_to=Quote("first replying", text="first")),
        message("1", "to what?", chat="lost reply", reply_to=Quote("nothing", text="quoted")),
        message("1", "\x07\x0b", chat="bare"),
        message("2", "n\x00ul\r\n", chat="gone"),
        message("1", "", chat="silent"),
        Ignored(reason="a poll"),
    ]


async def journal_everything(desk: Desk) -> None:
    for item in everything(desk):
        await desk.journal(encode(item) if not isinstance(item, dict) else msgspec.json.encode([item]))


async def test_what_goes_in_a_batch_ends_exactly_as_alone(chats: Desk, foreign: Desk) -> None:
    stored = []
    for number in range(2):
        place = await chats.house.workspace()
        olga = await place.user("Olga", "owner")
        desks = [
            dataclasses.replace(chats, place=place, olga=olga, inbox=await place.inbox(olga)),
            dataclasses.replace(chats, place=foreign.place, olga=foreign.olga, inbox=await foreign.place.inbox(foreign.olga)),
        ]  # fmt: skip
        await prepare(desks[0])
        await hear_first(desks[1], "plain", "other")
        quiet = dataclasses.replace(desks[0], inbox=await place.inbox(olga))
        await hear_first(quiet, "in the other inbox")
        await journal_everything(desks[0])
        await desks[1].journal(
            encode(*(desks[1].message("1", "here too", chat=c) for c in ("plain", "other")))
        )
        await quiet.journal(encode(quiet.message("1", "and here", chat="in the other inbox")))
        claims = await chats.claim(JOURNAL)
        assert len(claims) == 23
        intake = Intake(chats.house.db, chats.channels)
        if number == 0:
            assert await handle_together(intake, claims) == [None] * len(claims)
        else:
            for claim in claims:
                assert claim.workspace_id is not None
                await intake._handle_alone(claim, claim.workspace_id)
        assert [claim.verdict for claim in claims].count("failed") == 2
        stored.append([await read_stored(one) for one in (*desks, quiet)])
    assert stored[0] == stored[1]
    assert len(stored[0][0]["messages"]) > 20
    await require_dense_streams(chats)


async def test_which_go_together_and_which_by_themselves(chats: Desk) -> None:
    await prepare(chats)
    await journal_everything(chats)
    claims = await chats.claim(JOURNAL)
    taken = await take_together(IntakeBatches(chats.house.db, chats.channels), claims)
    lanes = {
        (claim.lane or "").split(":", 1)[1] for claim, is_taken in zip(claims, taken, strict=True) if is_taken
    }
    assert lanes == {"plain", "pending", "replying", "lost reply", "gone"}


# ---------------------------------------------------------------- order


@contextlib.asynccontextmanager
async def two_workers(desk: Desk, lease_seconds: float = 60.0) -> AsyncIterator[None]:
    """Two processes' worth of intake."""
    limits = Limits(concurrency=96, poll_seconds=0.05, lease_seconds=lease_seconds)
    workers = [
        Worker(JOURNAL, desk.house.db, Intake(desk.house.db, desk.channels).handle, limits=limits)
        for _ in range(2)
    ]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)


async def wait_until_done(desk: Desk, seconds: float = 60) -> None:
    """Wait until no item of the journal is left to do."""
    end = time.monotonic() + seconds
    while await desk.house.sql("SELECT FROM journal WHERE work IN ('ready', 'leased') LIMIT 1"):
        assert time.monotonic() < end, "intake stands still"
        await asyncio.sleep(0.03)


@pytest.mark.parametrize("limit", [1, 5, BATCH_LIMIT])
async def test_each_lane_keeps_its_order_over_batches_of_any_size(
    chats: Desk, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(intake_batch, "BATCH_LIMIT", limit)
    dice = random.Random(16)
    lanes = [f"{n}" for n in range(12)]
    await hear_first(chats, *lanes[:9])
    written: dict[str, list[str]] = {lane: [f"first of {lane}"] if int(lane) < 9 else [] for lane in lanes}
    async with two_workers(chats):
        for _ in range(12):
            items = []
            for lane in dice.choices(lanes, k=dice.randint(1, 25)):
                text = f"{len(written[lane])} in {lane}"
                written[lane].append(text)
                items.append(chats.message(text, text, chat=lane))
            await chats.journal(encode(*items))
            await asyncio.sleep(dice.choice([0, 0.01]))
        await wait_until_done(chats)
    assert {lane: await texts(chats, lane) for lane in lanes} == written
    await require_dense_streams(chats)


# ---------------------------------------------------------------- undone

_TRIP = """
CREATE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.provider_id = 'trip' THEN RAISE EXCEPTION 'tripped'; END IF; RETURN NEW; END $$;
CREATE TRIGGER trip BEFORE INSERT ON message_source FOR EACH ROW EXECUTE FUNCTION trip();
"""


async def count_all(desk: Desk) -> Json:
    tables = ("message", "event", "message_source", "delivery", "job")
    sql = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in tables)
    [row] = await desk.house.sql(
        f"SELECT {sql}, (SELECT sum(head) FROM conversation) AS heads,"
        " (SELECT count(*) FROM journal WHERE work = 'done') AS done"
    )
    return dict(row)


async def test_a_batch_that_breaks_leaves_nothing_and_each_goes_by_itself(chats: Desk) -> None:
    await hear_first(chats, "a", "b", "c")
    connection = await asyncpg.connect(chats.house.dsn)
    await connection.execute(_TRIP)
    await connection.close()
    before = await count_all(chats)
    await chats.journal(
        encode(
            chats.message("1", "fine", chat="a"),
            chats.message("trip", "not fine", chat="b"),
            chats.message("1", "fine too", chat="c"),
        )
    )
    claims = await chats.claim(JOURNAL)
    assert await take_together(IntakeBatches(chats.house.db, chats.channels), claims) == [False] * 3
    assert await count_all(chats) == before
    broken = [
        error for error in await handle_together(Intake(chats.house.db, chats.channels), claims) if error
    ]
    assert [str(error) for error in broken] == ["tripped"]
    assert await texts(chats, "a") == ["first of a", "fine"]
    assert await texts(chats, "b") == ["first of b"]
    assert await texts(chats, "c") == ["first of c", "fine too"]
    await require_dense_streams(chats)


async def test_a_message_that_another_stores_at_this_very_moment_is_not_stored_twice(chats: Desk) -> None:
    await hear_first(chats, "a", "b")
    await chats.journal(encode(*(chats.message("1", "x", chat=chat) for chat in ("a", "b"))))
    claims = await chats.claim(JOURNAL)
    [source] = await chats.house.sql("SELECT * FROM message_source WHERE chat = 'a'")
    async with chats.house.db.transaction(chats.place.id) as tx:
        await intake_store.insert_sources(
            tx, [(chats.place.id, chats.inbox, "a", "1", source["conversation_id"], source["message_id"])]
        )
        handling = asyncio.create_task(handle_together(Intake(chats.house.db, chats.channels), claims))
        await asyncio.sleep(0.2)
        assert not handling.done()
    assert await handling == [None, None]
    assert await texts(chats, "a") == ["first of a"]
    assert await texts(chats, "b") == ["first of b", "x"]
    assert (await outcomes(chats))["duplicate"] == 1
    await require_dense_streams(chats)


async def test_a_lease_that_was_lost_writes_nothing_twice(chats: Desk) -> None:
    await hear_first(chats, "a", "b", "c")
    await chats.journal(encode(*(chats.message("1", "once", chat=chat) for chat in ("a", "b", "c"))))
    claims = await chats.claim(JOURNAL)
    async with chats.house.db.system() as tx:
        await JOURNAL.expire_now(tx, claims[:1])
        assert await JOURNAL.return_expired(tx) == ["ready"]
    others = await chats.claim(JOURNAL)
    before = await count_all(chats)
    intake = Intake(chats.house.db, chats.channels)
    assert await take_together(intake._batches, claims) == [False] * 3
    assert await count_all(chats) == before
    # the one who lost it and the one who has it now, at the same time
    results = await handle_together(intake, [*claims, *others])
    assert [type(result) for result in results].count(LeaseLost) == 1
    assert {chat: await texts(chats, chat) for chat in "abc"} == {c: [f"first of {c}", "once"] for c in "abc"}
    assert [claim.verdict for claim in (*claims, *others)].count("done") == 3
    await require_dense_streams(chats)


async def test_the_same_update_five_times_at_once_is_one_message(chats: Desk) -> None:
    await hear_first(chats, "known")
    async with chats.house.db.transaction(chats.place.id) as tx:
        for chat in ("known", "unknown"):
            rows = [
                (
                    chats.place.id,
                    chats.inbox,
                    uuid4(),
                    f"{chat} {n}",
                    encode(chats.message("1", "once", chat=chat)),
                )
                for n in range(5)
            ]
            await intake_store.insert_items(tx, rows)
    async with two_workers(chats):
        await wait_until_done(chats)
    assert await texts(chats, "known") == ["first of known", "once"]
    assert await texts(chats, "unknown") == ["once"]
    assert await outcomes(chats) == {"message": 3, "duplicate": 8}
    await require_dense_streams(chats)


async def test_one_that_cannot_even_be_read_spoils_no_batch(chats: Desk) -> None:
    await hear_first(chats, "a", "b")
    lost = dataclasses.replace(chats, inbox=await chats.place.inbox(chats.olga))
    await chats.house.sql("UPDATE inbox SET secrets = '\\x00' WHERE id = $1", lost.inbox)
    await chats.journal(encode(chats.message("1", "stumble", chat="a"), chats.message("1", "fine", chat="b")))
    await lost.journal(encode(lost.message("1", "nobody can open this", chat="c")))
    claims = await chats.claim(JOURNAL)
    taken = await take_together(IntakeBatches(chats.house.db, chats.channels), claims)
    assert {claim.lane: is_taken for claim, is_taken in zip(claims, taken, strict=True)} == {
        f"{chats.inbox.hex}:a": False, f"{chats.inbox.hex}:b": True, f"{lost.inbox.hex}:c": False,
    }  # fmt: skip
    intake = Intake(chats.house.db, chats.channels)
    kinds = [
        type(result) for result in await handle_together(intake, [c for c in claims if c.verdict is None])
    ]
    assert ZeroDivisionError in kinds
    assert any(issubclass(kind, ParleyError) for kind in kinds)


# ---------------------------------------------------------------- others at the same rows


async def test_a_conversation_that_somebody_holds_keeps_nobody_else_waiting(chats: Desk) -> None:
    lanes = [f"{n}" for n in range(30)]
    await hear_first(chats, *lanes)
    held = chats.room_of(await chats.conversation("7"))
    async with two_workers(chats):
        async with chats.house.db.transaction(chats.place.id) as tx:
            await tx.execute("SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE", held)
            for n in range(3):
                await chats.journal(encode(*(chats.message(f"{n}", f"{n}", chat=lane) for lane in lanes)))
            end = time.monotonic() + 20
            while await count_done(chats) < 30 + 29 * 3:
                assert time.monotonic() < end, "one conversation holds up all the others"
                await asyncio.sleep(0.03)
            assert await texts(chats, "7") == ["first of 7"]
        await wait_until_done(chats)
    assert {tuple(await texts(chats, lane))[1:] for lane in lanes} == {("0", "1", "2")}


async def count_done(desk: Desk) -> int:
    [row] = await desk.house.sql("SELECT count(*) FROM journal WHERE work = 'done'")
    return int(row[0])


async def test_agents_at_work_on_the_same_conversations_lose_and_block_nothing(
    chats: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    retried: list[type[Exception]] = []
    retry = Intake._retry

    async def note_retry(self: Intake, workspace_id: UUID, claim: Claim, error: Exception) -> None:
        retried.append(type(error))
        await retry(self, workspace_id, claim, error)

    monkeypatch.setattr(Intake, "_retry", note_retry)
    lanes = [f"{n}" for n in range(8)]
    await hear_first(chats, *lanes)
    written = {lane: [f"first of {lane}"] for lane in lanes}
    is_over = asyncio.Event()

    async def speak() -> None:
        for n in range(60):
            items = []
            for lane in lanes:
                written[lane].append(f"{n} in {lane}")
                items.append(chats.message(f"{n}", f"{n} in {lane}", chat=lane))
            await chats.journal(encode(*items))
            await asyncio.sleep(0.03)
        await wait_until_done(chats)
        is_over.set()

    async def act(seed: int) -> Counter[int]:
        dice, statuses = random.Random(seed), Counter[int]()
        tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
        changes: list[Json] = [
            {"status": "resolved"},
            {"status": "open"},
            {"status": "pending"},
            {"status": "snoozed", "snoozed_until": tomorrow},
            {"assignee_id": chats.anna.public},
            {"assignee_id": None},
        ]
        async with chats.client(chats.olga) as client:
            while not is_over.is_set():
                row = rows[dice.choice(lanes)]
                talk = f"/v1/conversations/{row}/messages"
                if dice.random() < 0.6:
                    answer = await client.patch(f"/v1/desk/conversations/{row}", json=dice.choice(changes))
                elif dice.random() < 0.5:
                    answer = await client.post(talk, json={"client_id": uuid4().hex, "text": "answer"})
                else:
                    mine = (await client.post(talk, json={"client_id": uuid4().hex, "text": "oops"})).json()
                    answer = await client.delete(f"{talk}/{mine['id']}")
                statuses[answer.status_code] += 1
        return statuses

    rows = {lane: (await chats.conversation(lane))["id"] for lane in lanes}
    with structlog.testing.capture_logs() as logs:
        async with two_workers(chats):
            *agents, _ = await asyncio.gather(act(1), act(2), speak())
    assert [entry for entry in logs if entry["event"] == "intake.batch_undone"] == []  # a deadlock, say
    assert {lane: await texts(chats, lane) for lane in lanes} == written
    statuses: Counter[int] = sum(agents, Counter())
    assert set(statuses) <= {200, 201, 204}, statuses
    assert sum(statuses.values()) > 20
    # opened by an agent while it was being opened by the message: run again, by itself
    assert set(retried) <= {asyncpg.UniqueViolationError, AlreadyOpen}, retried
    assert set(await outcomes(chats)) == {"message"}
    await require_dense_streams(chats)


async def test_who_waits_no_longer_disturbs_nobody(chats: Desk) -> None:
    names = ["a", "b", "c", "d"]
    await hear_first(chats, *names)
    await chats.journal(encode(*(chats.message("1", "x", chat=name) for name in names)))
    claims = await chats.claim(JOURNAL)
    batches = IntakeBatches(chats.house.db, chats.channels)
    tasks = [asyncio.create_task(batches.take(claim)) for claim in claims]
    asyncio.get_running_loop().call_soon(tasks[0].cancel)  # before its batch begins
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[1].cancel()  # in the middle of it
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[2:] == [True, True]
    assert all(isinstance(result, asyncio.CancelledError) for result in results[:2])
    [row] = await chats.house.sql("SELECT array_agg(lane ORDER BY lane) FROM journal WHERE work = 'leased'")
    assert [lane.split(":")[1] for lane in row[0]] == ["a"]
    # nobody left in the queue: the next are taken as ever
    async with chats.house.db.system() as tx:
        await JOURNAL.release_many(tx, [claims[0]])
    [again] = await chats.claim(JOURNAL)
    assert await batches.take(again)


# ---------------------------------------------------------------- plans

_FILL = """
INSERT INTO actor (workspace_id, id, kind, name) SELECT '{w}', md5('a' || n)::uuid, 'contact', 'Customer ' || n
    FROM generate_series(1, {n}) n;
INSERT INTO identity (workspace_id, id, inbox_id, contact_id, address, name)
    SELECT '{w}', md5('i' || n)::uuid, '{i}', md5('a' || n)::uuid, n, 'Customer ' || n FROM generate_series(1, {n}) n;
INSERT INTO conversation (workspace_id, id, kind, inbox_id, head, last_number)
    SELECT '{w}', md5('c' || n)::uuid, 'desk', '{i}', 1, 1 FROM generate_series(1, {n}) n;
INSERT INTO desk_conversation (workspace_id, conversation_id, inbox_id, contact_id, identity_id, active_at)
    SELECT '{w}', md5('c' || n)::uuid, '{i}', md5('a' || n)::uuid, md5('i' || n)::uuid, now()
    FROM generate_series(1, {n}) n;
INSERT INTO member (workspace_id, conversation_id, actor_id, role)
    SELECT '{w}', md5('c' || n)::uuid, md5('a' || n)::uuid, 'member' FROM generate_series(1, {n}) n;
INSERT INTO message (workspace_id, conversation_id, id, position, number, kind, sender_id, text, created_at)
    SELECT '{w}', md5('c' || n)::uuid, md5('m' || n)::uuid, 1, 1, 'text', md5('a' || n)::uuid, 'first', now()
    FROM generate_series(1, {n}) n;
INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, data, at)
    SELECT '{w}', md5('c' || n)::uuid, 1, 0, 'message.created', 'all', '{{}}', now() FROM generate_series(1, {n}) n;
INSERT INTO message_source (workspace_id, inbox_id, chat, provider_id, conversation_id, message_id, direction)
    SELECT '{w}', '{i}', n, '0', md5('c' || n)::uuid, md5('m' || n)::uuid, 'in' FROM generate_series(1, {n}) n;
INSERT INTO journal (workspace_id, inbox_id, id, lane, body, work, finished_at)
    SELECT '{w}', '{i}', md5('j' || n)::uuid, n, '', 'done', now() FROM generate_series(1, {n}) n;
"""
_LARGE = {
    "actor",
    "identity",
    "conversation",
    "desk_conversation",
    "member",
    "message",
    "message_source",
    "journal",
}


async def explain(tx: Tx, sql: str, *args: Any) -> list[Json]:
    """Return the steps of a statement that is not kept."""
    await tx.execute("SAVEPOINT explained")
    plan = await tx.connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *args)
    await tx.execute("ROLLBACK TO SAVEPOINT explained")
    return list(walk((msgspec.json.decode(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def walk(plan: Json) -> Iterator[Json]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from walk(child)


@pytest.mark.parametrize("is_analyzed", [False, True])
async def test_a_batch_finds_its_rows_among_very_many_by_index(
    chats: Desk, monkeypatch: pytest.MonkeyPatch, is_analyzed: bool
) -> None:
    connection = await asyncpg.connect(chats.house.dsn)
    await connection.execute("SET session_replication_role = replica")  # without looking up every foreign key
    await connection.execute(_FILL.format(w=chats.place.id, i=chats.inbox, n=5000))
    if is_analyzed:
        await connection.execute("ANALYZE")
    await connection.close()
    await chats.journal(encode(*(chats.message("1", chat=f"{n}") for n in range(1000, 1050))))
    claims = await chats.claim(JOURNAL)
    steps: list[Json] = []
    fetch, execute = Tx.fetch, Tx.execute

    async def fetch_explained(tx: Tx, sql: str, *args: Any) -> list[Any]:
        steps.extend(await explain(tx, sql, *args))
        return await fetch(tx, sql, *args)

    async def execute_explained(tx: Tx, sql: str, *args: Any) -> int:
        steps.extend(await explain(tx, sql, *args) if args else [])
        return await execute(tx, sql, *args)

    monkeypatch.setattr(Tx, "fetch", fetch_explained)
    monkeypatch.setattr(Tx, "execute", execute_explained)
    assert await take_together(IntakeBatches(chats.house.db, chats.channels), claims) == [True] * 50
    read = [step for step in steps if step.get("Relation Name") in _LARGE and "Scan" in step["Node Type"]]
    assert {step["Relation Name"] for step in read} == _LARGE
    assert [step for step in read if step["Node Type"] == "Seq Scan"] == []
    assert max(step.get("Rows Removed by Filter", 0) for step in read) <= 1
