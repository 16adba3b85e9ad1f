"""Pins: who may, how many, what a deletion does to them."""

from __future__ import annotations

from uuid import UUID

import pytest

from parley.conversations import pins
from parley.kit.ids import public_id
from tests.conversations.conftest import Scene
from tests.conversations.test_editing import send, url_of
from tests.house import Person

pytestmark = pytest.mark.anyio


def url(place: UUID, *more: str) -> str:
    return "/".join(["/v1/conversations", public_id("cnv", place), "pins", *more])


async def pinned(scene: Scene, who: Person, place: UUID) -> list[str]:
    async with scene.house.client(who) as client:
        return [one["message"]["text"] for one in (await client.get(url(place))).json()["items"]]


async def test_what_is_pinned_is_listed_newest_first_and_goes_when_it_is_deleted(scene: Scene) -> None:
    async with scene.house.client(scene.olga) as client:
        first, second = [await send(client, scene.group, text) for text in ("first", "second")]
        for made in (first, second, first):
            assert (await client.put(url(scene.group, made["id"]))).status_code == 204
        page = (await client.get(url(scene.group))).json()["items"]
        assert [one["message"]["text"] for one in page] == ["second", "first"]
        assert page[0]["pinned_by"]["id"] == scene.olga.public
        await client.delete(url_of(scene.group, second["id"]))
        assert await pinned(scene, scene.anna, scene.group) == ["first"]
        again = await client.put(url(scene.group, second["id"]))
        assert (again.status_code, again.json()["error"]["code"]) == (409, "message_deleted")
        for _ in range(2):
            assert (await client.delete(url(scene.group, first["id"]))).status_code == 204
    assert await pinned(scene, scene.anna, scene.group) == []
    kinds = await scene.house.sql(
        "SELECT kind FROM event WHERE conversation_id = $1 AND kind LIKE 'message.%pinned' ORDER BY number",
        scene.group,
    )
    assert [row["kind"] for row in kinds] == ["message.pinned", "message.pinned", "message.unpinned"]


async def test_owners_and_moderators_pin_in_a_group_and_both_of_a_pair(scene: Scene) -> None:
    made = await scene.place.say(scene.group, scene.anna, "mine")
    pair = await scene.place.open(scene.anna, scene.boris, kind="direct", title=None)
    said = await scene.place.say(pair, scene.anna, "between us")
    async with scene.house.client(scene.anna) as anna, scene.house.client(scene.boris) as boris:
        for method in (anna.put, anna.delete):
            answer = await method(url(scene.group, made.message.id))
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "may_not_write")
        assert (await boris.put(url(pair, said.message.id))).status_code == 204
        assert (await anna.delete(url(pair, said.message.id))).status_code == 204


async def test_at_the_desk_staff_pin_and_a_pinned_note_is_theirs(scene: Scene) -> None:
    note = await scene.place.say(scene.room.id, scene.anna, "a bore", kind="note")
    said = await scene.place.say(scene.room.id, scene.anna, "good morning")
    async with scene.house.client(scene.boris) as client, scene.house.client(scene.guest) as guest:
        for one in (note, said):
            assert (await client.put(url(scene.room.id, one.message.id))).status_code == 204
        assert (await guest.put(url(scene.room.id, note.message.id))).status_code == 404
        assert (await guest.delete(url(scene.room.id, said.message.id))).status_code == 403
        page = (await guest.get(url(scene.room.id))).json()["items"]
    assert [one["message"]["text"] for one in page] == ["good morning"]
    assert page[0]["message"]["status"] is None
    assert sorted(await pinned(scene, scene.anna, scene.room.id)) == ["a bore", "good morning"]


async def test_so_many_are_pinned_and_no_more(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "PIN_LIMIT", 2)
    async with scene.house.client(scene.olga) as client:
        codes = [
            (await client.put(url(scene.group, (await send(client, scene.group, text))["id"]))).status_code
            for text in "abc"
        ]
    assert codes == [204, 204, 409]
    assert await pinned(scene, scene.olga, scene.group) == ["b", "a"]
