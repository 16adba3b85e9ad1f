"""One's own chats: their order, what is unread, what one keeps of each, and that a long list costs no more than a short."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any
from uuid import UUID

import httpx2
import pytest

from parley.conversations.chats import list_chats
from parley.infra.db import Tx
from parley.kit.ids import parse_id, public_id
from tests.conversations.conftest import Scene
from tests.house import Json

pytestmark = pytest.mark.anyio


def url_of(place: UUID, *more: str) -> str:
    return "/".join(["/v1/conversations", public_id("cnv", place), *more])


async def read_all(client: httpx2.AsyncClient, limit: int, archived: str = "false") -> list[Json]:
    items: list[Json] = []
    cursor = ""
    while True:
        answer = await client.get(f"/v1/chats?limit={limit}&archived={archived}{cursor}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"


async def test_chats_come_pinned_first_then_by_their_last_word_and_archived_ones_apart(scene: Scene) -> None:
    """Many chats, random words and preferences: every page size tells the one order, computed here anew."""
    chance = random.Random(7)
    places = [await scene.place.open(scene.boris, scene.anna, title=str(n)) for n in range(12)]
    async with scene.house.client(scene.boris) as boris:
        kept: dict[UUID, Json] = {place: {"is_pinned": False, "is_archived": False} for place in places}
        spoken = list(places)
        for _ in range(30):
            place = chance.choice(places)
            if chance.random() < 0.5:
                await scene.place.say(place, scene.anna, "hi")
                spoken.remove(place)
                spoken.append(place)
            else:
                change = {chance.choice(["is_pinned", "is_archived"]): chance.random() < 0.5}
                answer = await boris.put(url_of(place, "preferences"), json=change)
                kept[place] |= change
                assert {key: answer.json()["my"][key] for key in kept[place]} == kept[place]
        await scene.place.say(scene.group, scene.anna, "last")
        for archived in ("true", "false"):
            chosen = [place for place in spoken if kept[place]["is_archived"] == (archived == "true")]
            expected = [place for place in chosen if kept[place]["is_pinned"]][::-1]
            rest = [place for place in chosen if not kept[place]["is_pinned"]]
            expected += [*rest, *([scene.group] if archived == "false" else [])][::-1]
            for limit in (1, 5, 100):
                items = await read_all(boris, limit, archived)
                assert [item["id"] for item in items] == [public_id("cnv", place) for place in expected]


async def test_a_chat_says_who_it_is_with_and_what_is_unread(scene: Scene) -> None:
    direct = await scene.place.open(scene.anna, scene.boris, kind="direct", title=None)
    for text in ("one", "two", "three"):
        await scene.place.say(direct, scene.anna, text)
    await scene.place.say(direct, scene.boris, "mine")
    async with scene.house.client(scene.boris) as boris, scene.house.client(scene.anna) as anna:
        await boris.put(url_of(direct, "read"), json={"number": 1})
        mine = (await read_all(boris, 10))[0]
        assert mine["peer"] == {"id": scene.anna.public, "kind": "user", "name": "Anna"}
        assert (mine["kind"], mine["title"], mine["member_count"]) == ("direct", None, 2)
        assert mine["last_message"]["text"] == "mine"
        assert mine["my"] == {
            "role": "member", "read_number": 1, "unread": 2, "mentions": 0,
            "muted_until": None, "is_archived": False, "is_pinned": False,
        }  # fmt: skip
        theirs = (await read_all(anna, 10))[0]
        assert (theirs["peer"]["name"], theirs["my"]["unread"]) == ("Boris", 1)


async def test_conversations_of_the_desk_are_no_chats(scene: Scene) -> None:
    await scene.place.say(scene.room.id, scene.room.contact_id, "hello")
    await scene.place.say(scene.room.id, scene.anna, "good morning")
    async with scene.house.client(scene.anna) as anna, scene.house.client(scene.guest) as guest:
        assert [item["kind"] for item in await read_all(anna, 10)] == ["group"]
        assert await read_all(guest, 10) == []
        refused = await anna.put(url_of(scene.room.id, "preferences"), json={"is_pinned": True})
        assert refused.status_code == 403


async def test_a_thousand_chats_cost_as_many_statements_as_two(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        direct = await scene.place.open(
            scene.olga, await scene.place.user(f"P{n}"), kind="direct", title=None
        )
        await scene.place.say(direct, scene.olga, "hi")
    asked: list[str] = []
    for name in ("fetchval", "execute", "fetch", "fetchrow"):
        monkeypatch.setattr(Tx, name, _noting(getattr(Tx, name), asked))
    counts = []
    for more in (0, 1000):
        await _fill(scene, more)
        asked.clear()
        async with scene.house.db.transaction(scene.place.id) as tx:
            page = await list_chats(tx, scene.olga.caller, is_archived=False, cursor=None, limit=100)
        counts.append(len(asked))
    assert len(page.items) == 100
    assert counts[0] == counts[1] <= 4
    async with scene.house.db.transaction(scene.place.id) as tx:
        plan = await tx.fetch(f"EXPLAIN {asked[0]}", scene.place.id, scene.olga.id, False, *_LAST, 51)
    told = "\n".join(row[0] for row in plan)
    assert "member_chats" in told


async def _fill(scene: Scene, count: int) -> None:
    await scene.house.sql(
        """WITH made AS (
            INSERT INTO conversation (workspace_id, id, kind, title, created_at, member_count)
            SELECT $1, gen_random_uuid(), 'group', 'More', now() - interval '1 hour' * n, 1
            FROM generate_series(1, $3) n RETURNING id
        ) INSERT INTO member (workspace_id, conversation_id, actor_id, role, is_chat)
        SELECT $1, id, $2, 'owner', true FROM made""",
        scene.place.id,
        scene.olga.id,
        count,
    )
    # of others, so that the tables are worth an index
    await scene.house.sql(
        """WITH made AS (
            INSERT INTO conversation (workspace_id, id, kind, title, member_count)
            SELECT $1, gen_random_uuid(), 'group', 'Others', 1 FROM generate_series(1, $3) n RETURNING id
        ) INSERT INTO member (workspace_id, conversation_id, actor_id, role, is_chat)
        SELECT $1, id, $2, 'owner', true FROM made""",
        scene.place.id,
        scene.boris.id,
        count * 10,
    )
    await scene.house.sql("ANALYZE member, conversation")


_LAST = (True, dt.datetime.max.replace(tzinfo=dt.UTC), UUID(int=2**128 - 1))


def _noting(call: Any, asked: list[str]) -> Any:
    async def noted(self: Tx, sql: str, *args: Any) -> Any:
        asked.append(sql)
        return await call(self, sql, *args)

    return noted


async def test_preferences_are_personal_and_told_once_to_ones_own_devices(scene: Scene) -> None:
    until = "2031-01-02T03:04:05+03:00"
    async with scene.house.client(scene.boris) as boris, scene.house.client(scene.anna) as anna:
        for _ in range(2):
            done = await boris.put(url_of(scene.group, "preferences"), json={"muted_until": until})
            assert done.json()["my"]["muted_until"] == "2031-01-02T00:04:05Z"
        assert (await anna.get(url_of(scene.group))).json()["my"]["muted_until"] is None
    told = await scene.house.sql(
        "SELECT actor_id, data FROM personal_event WHERE kind = 'conversation.preferences_changed'"
    )
    assert [row["actor_id"] for row in told] == [scene.boris.id]
    events = await scene.house.sql("SELECT kind FROM event WHERE conversation_id = $1", scene.group)
    assert {row["kind"] for row in events} == {"member.joined"}


@pytest.mark.parametrize(
    "body",
    [
        {"muted_until": "2031-01-02T03:04:05"}, {"muted_until": "9999-12-31T23:59:59-12:00"},
        {"muted_until": "0001-01-01T00:00:00+12:00"}, {"muted_until": "tomorrow"}, {"is_pinned": None}, {"is_pinned": "yes"},
        {"other": 1},
    ],
)  # fmt: skip
async def test_preferences_that_are_none_are_refused(scene: Scene, body: Json) -> None:
    async with scene.house.client(scene.boris) as boris:
        answer = await boris.put(url_of(scene.group, "preferences"), json=body)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsMiwzXQ", "WyJhIiwgImIiXQ"])
@pytest.mark.parametrize("path", ["/v1/chats", "/v1/people"])
async def test_a_cursor_that_is_none_is_refused(scene: Scene, path: str, cursor: str) -> None:
    async with scene.house.client(scene.boris) as boris:
        answer = await boris.get(f"{path}?cursor={cursor}")
    assert answer.status_code == 422, answer.text


async def test_who_comes_back_begins_without_the_preferences_of_before(scene: Scene) -> None:
    async with scene.house.client(scene.boris) as boris, scene.house.client(scene.olga) as olga:
        await boris.put(url_of(scene.group, "preferences"), json={"is_pinned": True, "is_archived": True})
        assert (await boris.post(url_of(scene.group, "leave"))).status_code == 204
        assert await read_all(boris, 10, "true") == []
        await olga.post(url_of(scene.group, "members"), json={"actor_id": scene.boris.public})
        [back] = await read_all(boris, 10)
        assert (back["my"]["is_pinned"], back["my"]["is_archived"], back["my"]["unread"]) == (False, False, 0)


async def test_a_chat_opened_by_rest_is_in_the_lists_of_both(scene: Scene) -> None:
    nina = await scene.place.user("Nina")
    async with scene.house.client(scene.olga) as olga, scene.house.client(nina) as client:
        made = await olga.post("/v1/conversations", json={"kind": "direct", "members": [nina.public]})
        key = parse_id("cnv", made.json()["id"])
        assert [item["id"] for item in await read_all(client, 10)] == [public_id("cnv", key)]
