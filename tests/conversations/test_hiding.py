"""Deleting for oneself: gone from everything that one reads, there for everybody else."""

from __future__ import annotations

import asyncio

import pytest

from parley.kit.ids import public_id
from tests.conversations.conftest import Scene
from tests.conversations.test_editing import send, url_of
from tests.conversations.test_search import texts
from tests.house import Person

pytestmark = pytest.mark.anyio


async def hide(scene: Scene, who: Person, message_id: str) -> int:
    async with scene.house.client(who) as client:
        return (await client.delete(url_of(scene.group, message_id), params={"for": "me"})).status_code


async def test_it_is_in_nothing_that_its_reader_asks_for_and_in_all_that_others_do(scene: Scene) -> None:
    media = public_id("med", await scene.place.media(scene.olga, "swordfish.txt"))
    async with scene.house.client(scene.olga) as client:
        await send(client, scene.group, "before")
        made = await send(client, scene.group, "swordfish", media_ids=[media])
        await client.patch(url_of(scene.group, made["id"]), json={"text": "swordfish again"})
        await client.put(f"/v1/conversations/{public_id('cnv', scene.group)}/pins/{made['id']}")
    assert [await hide(scene, scene.anna, made["id"]) for _ in range(2)] == [200, 200]
    key = public_id("cnv", scene.group)
    url = f"/v1/conversations/{key}"
    paths = [
        "/v1/conversations", url, f"{url}/messages", f"{url}/messages?after=0", f"{url}/messages?around=5",
        f"{url}/messages?before=100", f"{url}/events?after=0&tag=0", f"{url}/pins",
    ]  # fmt: skip
    for who, sees in ((scene.anna, False), (scene.boris, True)):
        async with scene.house.client(who) as client:
            answers = [await client.get(path) for path in paths]
            asked = {"conversations": {key: {"number": 0, "tag": 0}}}
            answers.append(await client.post("/v1/sync", json=asked))
            for answer in answers:
                assert answer.status_code == 200
                assert ("swordfish" in answer.text) is sees, (who.caller.name, answer.request.url)
            listed = (await client.get(url)).json()
            events = answers[-1].json()["streams"][0]
        assert listed["last_message"]["text"] == ("swordfish again" if sees else "before")
        assert events["head"]["number"] == listed["head"]["number"]
    async with scene.house.client(scene.anna) as client:
        page = (await client.get(url_of(scene.group), params={"limit": 1})).json()
        assert ([one["text"] for one in page["items"]], page["has_before"], page["has_after"]) == (
            ["before"], False, False,
        )  # fmt: skip
    personal = await scene.house.sql(
        "SELECT data FROM personal_event WHERE actor_id = $1 AND kind = 'message.hidden'", scene.anna.id
    )
    assert len(personal) == 1


async def test_replies_to_it_are_told_what_became_of_it(scene: Scene) -> None:
    async with scene.house.client(scene.olga) as client:
        made = [await send(client, scene.group, text) for text in ("swordfish", "tuna")]
        reply = await send(client, scene.group, "what?", reply_to=made[0]["id"])
        for one in made:
            await hide(scene, scene.anna, one["id"])
            await client.patch(url_of(scene.group, one["id"]), json={"text": f"{one['text']} again"})
    key = public_id("cnv", scene.group)
    async with scene.house.client(scene.anna) as client:
        shown = (await client.get(url_of(scene.group))).json()["items"]
        sync = await client.post("/v1/sync", json={"conversations": {key: {"number": 0, "tag": 0}}})
    assert [(one["id"], one["reply_to"]["text"]) for one in shown] == [(reply["id"], "swordfish again")]
    told = [
        (event["kind"], event["data"]["message"]["text"])
        for event in sync.json()["streams"][0]["events"]
        if "message" in event.get("data", {})
    ]
    assert told == [("message.created", "what?"), ("message.updated", "swordfish again")]


async def test_what_is_hidden_unread_is_unread_no_more_and_calls_no_more(scene: Scene) -> None:
    all_of_them = [{"kind": "mention_all", "offset": 0, "length": 1}]
    async with scene.house.client(scene.olga) as client:
        made = [await send(client, scene.group, text, entities=all_of_them) for text in "abcd"]
    url = f"/v1/conversations/{public_id('cnv', scene.group)}"
    async with scene.house.client(scene.anna) as client:
        own = await send(client, scene.group, "mine")

        async def counts() -> tuple[int, int]:
            state = (await client.get(url)).json()
            return state["unread"], state["mentions"]

        assert await counts() == (4, 4)
        for one in (made[1], made[3], own):
            await hide(scene, scene.anna, one["id"])
        assert await counts() == (2, 2)
        await client.put(f"{url}/read", json={"number": 2})
        assert await counts() == (1, 1)
        await hide(scene, scene.anna, made[0]["id"])  # read already
        assert await counts() == (1, 1)
        await client.put(f"{url}/read", json={"number": 3})
        assert await counts() == (0, 0)
        # nothing unread: the next send moves the read position on
        await send(client, scene.group, "mine again")
        assert (await client.get(url)).json()["read_number"] == 6


async def test_hiding_and_reading_at_once_count_right(scene: Scene) -> None:
    said = [await scene.place.say(scene.group, scene.olga, str(n)) for n in range(12)]
    url = f"/v1/conversations/{public_id('cnv', scene.group)}"
    async with scene.house.client(scene.anna) as client:
        await asyncio.gather(
            *(hide(scene, scene.anna, one.message.id) for one in said[::2]),
            *(hide(scene, scene.anna, one.message.id) for one in said[::2]),
            *(client.put(f"{url}/read", json={"number": n}) for n in (2, 5, 7)),
            scene.place.say(scene.group, scene.anna, "mine"),
        )
        state = (await client.get(url)).json()
    # of 8 to 12 the even ones are left: what was hidden are 1, 3, 5 ...
    assert state["unread"] == 3


async def test_the_desk_keeps_its_record_and_a_stranger_hides_nothing(scene: Scene) -> None:
    note = await scene.place.say(scene.room.id, scene.anna, "a note", kind="note")
    said = await scene.place.say(scene.group, scene.anna, "hi")
    stranger = await scene.place.user("Stan")
    async with scene.house.client(scene.anna) as client:
        answer = await client.delete(url_of(scene.room.id, note.message.id), params={"for": "me"})
        assert answer.status_code == 403
        wrong = await client.delete(url_of(scene.group, said.message.id), params={"for": "nobody"})
        assert wrong.status_code == 422
        none = await client.delete(url_of(scene.group, note.message.id), params={"for": "me"})
        assert none.status_code == 404
    assert await hide(scene, stranger, said.message.id) == 404


async def test_what_one_hid_is_not_found_by_them_and_a_page_is_full_all_the_same(scene: Scene) -> None:
    said = [await scene.place.say(scene.group, scene.olga, f"swordfish {n}") for n in range(6)]
    for one in said[3:]:
        assert await hide(scene, scene.anna, one.message.id) == 200
    assert await texts(scene, scene.anna, "swordfish ", limit=2) == ["swordfish 2", "swordfish 1"]
    assert len(await texts(scene, scene.boris, "swordfish ")) == 6
