"""Who read what when: exact in small groups, a count elsewhere, and nobody's but the members' to know."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import pytest

from parley.apps.work import sweep_old
from parley.conversations import members, readers_store, reading
from tests.conversations.conftest import Scene
from tests.conversations.test_editing import url_of
from tests.house import Json, Person

pytestmark = pytest.mark.anyio


async def read(scene: Scene, who: Person, number: int, place: UUID | None = None) -> dt.datetime:
    async with scene.house.db.transaction(scene.place.id) as tx:
        await reading.mark_read(tx, who.caller, place or scene.group, number)
        return tx.now


async def ask(scene: Scene, who: Person, message_id: str, place: UUID | None = None) -> Json:
    async with scene.house.client(who) as client:
        answer = await client.get(url_of(place or scene.group, message_id, "readers"))
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def names(told: Json) -> list[tuple[str, bool]]:
    return [(one["actor"]["name"], one["read_at"] is not None) for one in told["readers"]]


async def test_each_reader_has_the_moment_in_which_they_came_past_the_message(scene: Scene) -> None:
    said = [(await scene.place.say(scene.group, scene.olga, str(n))).message for n in range(1, 5)]
    first = await read(scene, scene.boris, 2)
    second = await read(scene, scene.anna, 1)
    third = await read(scene, scene.anna, 4)
    for message, expected in (
        (said[0], [("Boris", first), ("Anna", second)]),
        (said[1], [("Boris", first), ("Anna", third)]),
        (said[3], [("Anna", third)]),
    ):
        told = await ask(scene, scene.boris, message.id)
        found = [(one["actor"]["name"], dt.datetime.fromisoformat(one["read_at"])) for one in told["readers"]]
        assert (found, told["count"]) == (expected, len(expected))
    # whoever says something has read it, and is no reader of their own
    assert names(await ask(scene, scene.olga, said[0].id)) == [("Boris", True), ("Anna", True)]


async def test_who_came_later_has_not_read_what_was_said_before(scene: Scene) -> None:
    message = (await scene.place.say(scene.group, scene.olga, "before")).message
    mia = await scene.place.user("Mia")
    async with scene.house.db.transaction(scene.place.id) as tx:
        await members.add_member(tx, scene.olga.caller, scene.group, mia.id, "member")
    assert await ask(scene, mia, message.id) == {"count": 0, "reached": [], "readers": []}
    async with scene.house.db.transaction(scene.place.id) as tx:
        await members.remove_member(tx, scene.olga.caller, scene.group, mia.id)
    async with scene.house.client(mia) as client:
        assert (await client.get(url_of(scene.group, message.id, "readers"))).status_code == 404


async def test_when_is_kept_for_a_time_and_never_told_wrong(scene: Scene) -> None:
    said = [(await scene.place.say(scene.group, scene.olga, str(n))).message for n in range(2)]
    await read(scene, scene.anna, 1)
    await scene.house.sql("UPDATE read_step SET at = now() - interval '1 year'")
    await sweep_old(scene.house.runtime)
    await read(scene, scene.anna, 2)
    assert names(await ask(scene, scene.olga, said[0].id)) == [("Anna", False)]
    assert names(await ask(scene, scene.olga, said[1].id)) == [("Anna", True)]


async def test_in_large_groups_and_broadcasts_readers_are_counted_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await scene.place.open(scene.olga, scene.anna, scene.boris, kind="broadcast")
    told = (await scene.place.say(channel, scene.olga, "news")).message
    await read(scene, scene.anna, 1, channel)
    assert await ask(scene, scene.boris, told.id, channel) == {"count": 1, "reached": [], "readers": None}
    monkeypatch.setattr(readers_store, "SMALL_GROUP", 2)
    monkeypatch.setattr("parley.conversations.sizes.SMALL_GROUP", 2)
    message = (await scene.place.say(scene.group, scene.olga, "hi")).message
    await read(scene, scene.anna, 1)
    assert await ask(scene, scene.boris, message.id) == {"count": 1, "reached": [], "readers": None}
    # and nothing is kept for each of them
    assert not await scene.house.sql("SELECT FROM read_step")


async def reached(scene: Scene, message_id: str) -> list[tuple[int, str]]:
    """How far others have read a message of Olga's and what she said before, and since when that is so."""
    told = await ask(scene, scene.olga, message_id)
    return [(one["read_number"], one["joined_at"]) for one in told["reached"]]


@pytest.mark.parametrize("small", [100, 2])
async def test_how_far_others_have_read_is_told_to_who_said_it_but_not_of_who_came_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr("parley.conversations.sizes.SMALL_GROUP", small)
    said = [(await scene.place.say(scene.group, scene.olga, str(n))).message for n in range(4)]
    mia = await scene.place.user("Mia")
    async with scene.house.db.transaction(scene.place.id) as tx:
        await members.add_member(tx, scene.olga.caller, scene.group, mia.id, "member")
    assert [(await ask(scene, scene.olga, one.id))["count"] for one in said] == [0] * 4
    await read(scene, scene.anna, 2)
    await read(scene, scene.boris, 1)
    assert [(await ask(scene, scene.olga, one.id))["count"] for one in said] == [2, 1, 0, 0]
    came = {
        row["actor_id"]: row["joined_at"].isoformat().replace("+00:00", "Z")
        for row in await scene.house.sql(
            "SELECT actor_id, joined_at FROM member WHERE conversation_id = $1", scene.group
        )
    }
    # those who came together are one step, and Mia none: she was not there
    assert [await reached(scene, one.id) for one in said] == [[(2, came[scene.anna.id])]] * 4
    # what is said now Mia was there for; that she began behind the others reads nothing of them
    last = (await scene.place.say(scene.group, scene.olga, "now")).message
    assert await reached(scene, last.id) == [(4, came[mia.id]), (2, came[scene.anna.id])]
    assert came[scene.anna.id] < came[mia.id]
    await read(scene, scene.boris, 5)
    assert await reached(scene, last.id) == [(5, came[scene.boris.id])]
    # it is of one's own words alone
    assert (await ask(scene, mia, last.id))["reached"] == []


async def test_the_customer_does_not_learn_who_reads_at_the_desk(scene: Scene) -> None:
    said = (await scene.place.say(scene.room.id, scene.room.contact_id, "hello?")).message
    await read(scene, scene.anna, 1, scene.room.id)
    assert await ask(scene, scene.boris, said.id, scene.room.id) == {
        "count": 1,
        "reached": [],
        "readers": None,
    }
    async with scene.house.client(scene.guest) as client:
        assert (await client.get(url_of(scene.room.id, said.id, "readers"))).status_code == 403
