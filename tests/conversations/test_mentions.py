"""Mentions: who is called, counted exactly, told once, and cheap for however many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.conversations import post_messages
from parley.conversations.mentions import NAMED_LIMIT
from parley.conversations.sizes import SMALL_GROUP
from parley.kit.ids import public_id, uuid7
from tests.conversations.conftest import Scene
from tests.conversations.test_editing import send, url_of
from tests.conversations.test_history import counted
from tests.house import Json, Person

pytestmark = pytest.mark.anyio

ALL: Json = {"kind": "mention_all", "offset": 0, "length": 1}


def name(*people: Person) -> list[Json]:
    return [{"kind": "mention", "offset": 0, "length": 1, "actor_id": one.public} for one in people]


async def count(scene: Scene, person: Person) -> int:
    async with scene.house.client(person) as client:
        [listed] = [
            one
            for one in (await client.get("/v1/conversations")).json()["items"]
            if one["id"] == public_id("cnv", scene.group)
        ]
        alone = (await client.get(f"/v1/conversations/{public_id('cnv', scene.group)}")).json()
    assert listed["mentions"] == alone["mentions"]
    return int(alone["mentions"])


async def told(scene: Scene, person: Person) -> list[Any]:
    rows = await scene.house.sql(
        "SELECT data FROM personal_event WHERE actor_id = $1 AND kind = 'mention.created' ORDER BY number",
        person.id,
    )
    return [row["data"] for row in rows]


async def read(scene: Scene, person: Person, number: int) -> Json:
    async with scene.house.client(person) as client:
        url = f"/v1/conversations/{public_id('cnv', scene.group)}/read"
        state: Json = (await client.put(url, json={"number": number})).json()
        return state


async def test_mentions_are_counted_until_they_are_read(scene: Scene) -> None:
    async with scene.house.client(scene.olga) as client:
        await send(client, scene.group, "a", entities=name(scene.anna, scene.anna))
        await send(client, scene.group, "b", entities=[*name(scene.anna), ALL])
        await send(client, scene.group, "c")
        await send(client, scene.group, "d", entities=name(scene.olga, scene.boris))
    assert [await count(scene, who) for who in (scene.olga, scene.anna, scene.boris)] == [0, 2, 2]
    assert len(await told(scene, scene.anna)) == 2
    assert not await told(scene, scene.olga)
    assert (await read(scene, scene.anna, 1))["mentions"] == 1
    assert await count(scene, scene.anna) == 1
    assert (await read(scene, scene.anna, 4))["mentions"] == 0
    assert [await count(scene, who) for who in (scene.anna, scene.boris)] == [0, 2]


async def test_an_edit_calls_only_those_it_adds_and_a_deletion_calls_nobody(scene: Scene) -> None:
    async with scene.house.client(scene.olga) as client:
        made = await send(client, scene.group, "a", entities=name(scene.anna))
        url = url_of(scene.group, made["id"])
        await client.patch(url, json={"text": "ab", "entities": name(scene.anna, scene.boris)})
        assert [await count(scene, who) for who in (scene.anna, scene.boris)] == [1, 1]
        await client.patch(url, json={"text": "abc", "entities": name(scene.boris)})
        assert [await count(scene, who) for who in (scene.anna, scene.boris)] == [0, 1]
        assert [len(await told(scene, who)) for who in (scene.anna, scene.boris)] == [1, 1]
        await client.delete(url)
    assert await count(scene, scene.boris) == 0
    assert not await scene.house.sql("SELECT FROM mention")


async def test_a_stranger_is_not_called(scene: Scene) -> None:
    stranger = await scene.place.user("Stan")
    elsewhere = await (await scene.house.workspace("Other")).user("Else")
    async with scene.house.client(scene.olga) as client:
        await send(client, scene.group, "a", entities=name(stranger, elsewhere))
        refused = await client.post(
            url_of(scene.group),
            json={
                "client_id": "x",
                "text": "a",
                "entities": [{**ALL, "kind": "mention", "actor_id": "act_1"}],
            },
        )
    assert refused.status_code == 422
    assert not await told(scene, stranger)
    assert not await told(scene, elsewhere)
    assert not await scene.house.sql("SELECT FROM mention")


async def test_everybody_is_called_by_moderators_alone_where_the_group_is_large(scene: Scene) -> None:
    async with scene.house.client(scene.anna) as client:
        await send(client, scene.group, "a", entities=[ALL])
        await scene.house.sql(
            """WITH made AS (INSERT INTO actor (workspace_id, id, kind, name)
                SELECT $1, gen_random_uuid(), 'bot', 'b' FROM generate_series(1, $3::int) RETURNING id)
            INSERT INTO member (workspace_id, conversation_id, actor_id, role) SELECT $1, $2, id, 'member' FROM made""",
            scene.place.id, scene.group, SMALL_GROUP,
        )  # fmt: skip
        body = {"client_id": "b", "text": "b", "entities": [ALL]}
        refused = await client.post(url_of(scene.group), json=body)
        made = await send(client, scene.group, "c")
        edited = await client.patch(url_of(scene.group, made["id"]), json={"text": "d", "entities": [ALL]})
    for answer in (refused, edited):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "may_not_mention_all")
    async with scene.house.client(scene.olga) as client:
        await send(client, scene.group, "e", entities=[ALL])
    # however many they are, one row each; nobody's personal stream was touched
    assert len(await scene.house.sql("SELECT FROM mention")) == 2
    assert not await told(scene, scene.boris)
    assert await count(scene, scene.boris) == 2


async def test_a_message_calls_so_many_by_name_and_no_more(scene: Scene) -> None:
    entities = [
        {"kind": "mention", "offset": 0, "length": 1, "actor_id": public_id("act", uuid7())}
        for _ in range(NAMED_LIMIT + 1)
    ]
    async with scene.house.client(scene.olga) as client:
        answer = await client.post(
            url_of(scene.group), json={"client_id": "x", "text": "a", "entities": entities}
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many_mentions")


async def test_a_repeat_calls_nobody_twice(scene: Scene) -> None:
    async with scene.house.client(scene.olga) as client:
        body = {"client_id": "once", "text": "a", "entities": name(scene.anna)}
        answers = await asyncio.gather(*(client.post(url_of(scene.group), json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len(await told(scene, scene.anna)) == await count(scene, scene.anna) == 1


async def test_people_who_call_one_another_at_once_wait_for_nobody_for_ever(scene: Scene) -> None:
    """Personal counters are locked in one order, whoever calls whom."""
    other = await scene.place.open(scene.anna, scene.olga, scene.boris)
    people = (scene.olga, scene.anna, scene.boris)
    async with asyncio.timeout(60):
        for n in range(6):
            await asyncio.gather(
                *(
                    scene.place.say(
                        place, who, f"{n}", entities=to_entities([one for one in order if one is not who])
                    )
                    for place, order in ((scene.group, people), (other, people[::-1]))
                    for who in people
                )
            )
    assert [await count(scene, who) for who in people] == [12, 12, 12]


def to_entities(people: list[Person]) -> Any:
    import msgspec

    from parley.conversations.schemas import EntityJson

    return msgspec.convert(name(*people), list[EntityJson])


async def test_a_note_calls_colleagues_and_counts_for_nobody(scene: Scene) -> None:
    mia = await scene.place.user("Mia")
    url = f"/v1/conversations/{scene.room.public}/messages"
    async with scene.house.client(scene.anna) as client:
        note = {
            "client_id": "1", "text": "look", "kind": "note",
            "entities": name(scene.boris, scene.olga, mia, scene.guest),
        }  # fmt: skip
        assert (await client.post(url, json=note)).status_code == 201
    assert [len(await told(scene, who)) for who in (scene.boris, scene.olga, mia, scene.guest)] == [
        1,
        1,
        0,
        0,
    ]
    assert not await scene.house.sql("SELECT FROM mention")


async def test_a_message_that_calls_nobody_asks_nothing_more(scene: Scene) -> None:
    plain = scene.place.draft(scene.group, scene.anna, "a", client_id="1")
    async with counted(scene.house) as asked, scene.house.db.transaction(scene.place.id) as tx:
        await post_messages(tx, [plain])
    assert len(asked) == 2
