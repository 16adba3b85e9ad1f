"""History, page by page: right at the edges, by index alone, in a fixed number of questions to the database."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from parley.conversations import editing, post_messages, store
from parley.conversations.history import PAGE_LIMIT, read_page
from parley.conversations.schemas import MessagePage
from parley.infra.db import Tx
from parley.kit.ids import parse_id, public_id
from tests.conversations.conftest import Scene
from tests.house import House, Json, Person

pytestmark = pytest.mark.anyio


async def page(scene: Scene, who: Person, place: Any, **where: int) -> MessagePage:
    async with scene.house.db.transaction(scene.place.id) as tx:
        return await read_page(tx, who.caller, place, **where)


@pytest.fixture
async def long_room(scene: Scene) -> Scene:
    """Messages at positions 1-12 of the desk conversation; 3, 6, 9 and 12 are notes; 13 and 14 are reactions."""
    texts = [
        scene.place.draft(scene.room.id, scene.anna, f"m{n}", kind="note" if n % 3 == 0 else "text")
        for n in range(1, 13)
    ]
    async with scene.house.db.transaction(scene.place.id) as tx:
        posted = await post_messages(tx, texts)
    last = parse_id("msg", posted[-1].message.id)  # type: ignore[union-attr]
    for emoji in "+-":
        async with scene.house.db.transaction(scene.place.id) as tx:
            await editing.add_reaction(tx, scene.boris.caller, scene.room.id, last, emoji)
    return scene


async def test_pages_say_truly_whether_there_is_more(long_room: Scene) -> None:
    """Every page of every size at every place, against a plain list."""
    scene = long_room
    everything = {"staff": list(range(1, 13)), "all": [n for n in range(1, 13) if n % 3]}
    for who, view in ((scene.anna, "staff"), (scene.guest, "all")):
        seen = everything[view]
        for limit in (1, 2, 5, 8, 12, 13):
            for at in range(17):
                older, newer = [n for n in seen if n < at], [n for n in seen if n > at]
                found = await page(scene, who, scene.room.id, before=at, limit=limit)
                assert [message.position for message in found.items] == older[-limit:]
                assert found.has_before == (len(older) > limit)
                assert found.has_after == any(n >= at for n in seen)
                found = await page(scene, who, scene.room.id, after=at, limit=limit)
                assert [message.position for message in found.items] == newer[:limit]
                assert found.has_after == (len(newer) > limit)
                assert found.has_before == any(n <= at for n in seen)


async def test_a_page_around_a_position_has_it_in_the_middle_and_never_more_than_asked(
    long_room: Scene,
) -> None:
    scene = long_room
    seen = list(range(1, 13))
    for limit in (1, 2, 3, 6, 20):
        for at in range(16):
            found = await page(scene, scene.anna, scene.room.id, around=at, limit=limit)
            positions = [message.position for message in found.items]
            assert len(positions) <= limit
            assert positions == sorted(positions)
            if at in seen:
                assert at in positions
            if positions:
                assert positions == list(range(positions[0], positions[-1] + 1))
                assert found.has_before == (positions[0] > 1)
                assert found.has_after == (positions[-1] < 12)


async def test_the_newest_page_follows_into_the_stream(long_room: Scene) -> None:
    scene = long_room
    found = await page(scene, scene.anna, scene.room.id, limit=5)
    assert [message.position for message in found.items] == [8, 9, 10, 11, 12]
    assert (found.has_before, found.has_after, found.head.number) == (True, False, 14)
    await scene.place.say(scene.room.id, scene.room.contact_id, "and then")
    async with scene.house.db.transaction(scene.place.id) as tx:
        following = await store.list_events(tx, scene.room.id, found.head.number, 10)
    assert [event.kind for event in following] == ["message.created"]


async def test_paging_back_gives_every_message_once(long_room: Scene) -> None:
    scene, positions, before = long_room, [], None
    async with scene.house.client(scene.anna) as client:
        while True:
            params = {"limit": 5} | ({"before": before} if before is not None else {})
            found = (
                await client.get(f"/v1/conversations/{scene.room.public}/messages", params=params)
            ).json()
            positions = [message["position"] for message in found["items"]] + positions
            if not found["has_before"]:
                break
            before = found["items"][0]["position"]
    assert positions == list(range(1, 13))


async def test_an_empty_conversation_has_an_empty_page(scene: Scene) -> None:
    found = await page(scene, scene.anna, scene.room.id)
    assert (found.items, found.has_before, found.has_after) == ([], False, False)


# ---------------------------------------------------------------- how it is read


async def fill(house: House, workspace: Any, conversation: Any, sender: Any, count: int) -> None:
    """Put many messages and their events into a conversation, at once and without a send."""
    await house.sql("DELETE FROM event WHERE conversation_id = $1", conversation)
    await house.sql(
        """INSERT INTO message (workspace_id, conversation_id, id, position, number, kind, sender_id, text, created_at)
        SELECT $1, $2, gen_random_uuid(), n, n, 'text', $3, 'text', now() FROM generate_series(1, $4::int) AS n""",
        workspace, conversation, sender, count,
    )  # fmt: skip
    await house.sql(
        """INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, data, at)
        SELECT $1, $2, n, 0, 'message.created', 'all', '{}', now() FROM generate_series(1, $3::int) AS n""",
        workspace, conversation, count,
    )  # fmt: skip
    await house.sql("UPDATE conversation SET head = $2, last_number = $2 WHERE id = $1", conversation, count)
    await house.sql("ANALYZE message")
    await house.sql("ANALYZE event")


class Asked(Tx):
    """A transaction that keeps the statements it was asked."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx.connection, tx._database, tx._clock)
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        self.asked.append((sql, args))
        return await super().fetch(sql, *args)


def nodes(plan: Json) -> list[Json]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def explain(tx: Tx, sql: str, args: tuple[Any, ...]) -> list[Json]:
    text = await tx.connection.fetchval(f"EXPLAIN (FORMAT JSON, ANALYZE) {sql}", *args)
    plan: Json = (text if isinstance(text, list) else __import__("json").loads(text))[0]["Plan"]
    return nodes(plan)


@pytest.mark.parametrize(
    "where",
    [{}, {"before": 15_000}, {"after": 15_000}, {"around": 10_000}, {"before": 51}],
    ids=["newest", "before", "after", "around", "deepest"],
)
async def test_history_of_twenty_thousand_messages_is_read_by_index(
    scene: Scene, where: dict[str, int]
) -> None:
    await fill(scene.house, scene.place.id, scene.group, scene.anna.id, 20_000)
    async with scene.house.db.transaction(scene.place.id) as plain:
        tx = Asked(plain)
        found = await read_page(tx, scene.anna.caller, scene.group, limit=50, **where)
        assert len(found.items) == 50
        asked = [(sql, args) for sql, args in tx.asked if "FROM message m" in sql]
        assert asked
        for sql, args in asked:
            assert "OFFSET" not in sql.upper()
            for node in await explain(plain, sql, args):
                # of a message's own files or reactions at the most, never of the history
                assert "Sort" not in node["Node Type"] or node["Actual Rows"] <= 10, node
                if node.get("Relation Name") == "message":
                    assert node["Node Type"] in ("Index Scan", "Index Only Scan"), node
                    assert node["Actual Rows"] * node["Actual Loops"] <= PAGE_LIMIT + 1, node
                    assert node.get("Rows Removed by Filter", 0) == 0, node


async def test_missed_events_and_unread_are_read_by_index(scene: Scene) -> None:
    await fill(scene.house, scene.place.id, scene.group, scene.anna.id, 20_000)
    async with scene.house.db.transaction(scene.place.id) as plain:
        tx = Asked(plain)
        await store.list_events(tx, scene.group, 19_500, 100)
        [(sql, args)] = tx.asked
        for node in await explain(plain, sql, args):
            if node.get("Relation Name") == "event":
                assert (node["Node Type"], node["Index Name"]) == ("Index Scan", "event_pkey")
                assert node["Actual Rows"] <= 100


# ---------------------------------------------------------------- how often it is asked


@contextlib.asynccontextmanager
async def counted(house: House) -> AsyncIterator[list[str]]:
    """Collect every statement of the process's pool, but for BEGIN and COMMIT."""
    asked: list[str] = []

    def log(record: Any) -> None:
        # the driver asks what types there are, once
        is_drivers = "pg_catalog" in record.query or "current_setting('jit')" in record.query
        if not is_drivers and not record.query.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            asked.append(record.query)

    async def listen(connection: Any) -> None:
        connection.add_query_logger(log)

    pool = house.db.pool
    held = [await pool.acquire() for _ in range(pool.get_size())]
    for connection in held:
        await listen(connection)
    for connection in held:
        await pool.release(connection)
    yield asked
    for connection in held:
        with contextlib.suppress(asyncpg.InterfaceError):
            connection.remove_query_logger(log)


async def test_each_endpoint_asks_a_fixed_number_of_questions(scene: Scene) -> None:
    """The same number for few and for fifty: nothing is asked per row."""
    place, anna = scene.place, scene.anna
    media = [await place.media(anna) for _ in range(3)]

    async def furnish(count: int) -> None:
        for n in range(count):
            group = await place.open(anna, scene.boris)
            await place.say(group, anna, f"hello {n}", media_ids=[media[n % 3]])
            room = await place.room(scene.inbox, f"Customer {n}")
            await place.say(room.id, room.contact_id, "hello")
            await place.say(scene.group, anna, "more", media_ids=[media[n % 3]])
            target = await place.say(scene.group, scene.boris, "and more")
            await place.say(scene.group, anna, "ok", reply_to_id=parse_id("msg", target.message.id))

    group = public_id("cnv", scene.group)
    limits = {
        "/v1/conversations?limit=100": 4,
        f"/v1/conversations/{group}": 4,
        f"/v1/conversations/{group}/messages?limit=100": 6,
        f"/v1/conversations/{group}/messages?limit=100&after=1": 6,
        f"/v1/conversations/{group}/members": 2,
        f"/v1/conversations/{group}/events?after=0&tag=0": 4,
        "/v1/desk/conversations?limit=100": 4,
        "/v1/desk/counts": 2,
        "/v1/contacts?limit=100": 2,
        "/v1/inboxes": 1,
    }
    counts: list[dict[str, int]] = []
    for more in (2, 48):
        await furnish(more)
        async with scene.house.client(anna) as client:
            await client.get("/v1/me")  # the token is known from here on
            counts.append({})
            for url in limits:
                async with counted(scene.house) as asked:
                    answer = await client.get(url)
                assert answer.status_code == 200, answer.text
                counts[-1][url] = len(asked)
    assert counts[0] == counts[1]
    for url, limit in limits.items():
        assert counts[1][url] <= limit, (url, counts[1][url])


async def test_a_send_is_two_statements_and_a_batch_too(scene: Scene) -> None:
    drafts = [scene.place.draft(scene.group, scene.anna, str(n), client_id=str(n)) for n in range(30)]
    for some in (drafts[:1], drafts[1:]):
        async with counted(scene.house) as asked, scene.house.db.transaction(scene.place.id) as tx:
            await post_messages(tx, some)
        assert len(asked) == 2
