"""Who reads a broadcast: known to those who write in it, and to nobody who reads it."""

from __future__ import annotations

from uuid import UUID

import pytest

from parley.brokers import store as broker_store
from parley.compat.chatapp import store as chatapp_store
from parley.conversations import members
from parley.conversations.rights import IS_BROADCASTER, RIGHTS
from parley.kit.ids import public_id
from tests.conversations.conftest import Scene
from tests.house import Json, Person

pytestmark = pytest.mark.anyio


async def open_channel(scene: Scene) -> tuple[UUID, Person]:
    """A broadcast of Olga's: Mia moderates, Anna and Boris read."""
    mia = await scene.place.user("Mia")
    channel = await scene.place.open(scene.olga, scene.anna, scene.boris, kind="broadcast")
    await set_role(scene, channel, mia, "moderator")
    return channel, mia


async def set_role(scene: Scene, channel: UUID, who: Person, role: str | None) -> None:
    async with scene.house.db.transaction(scene.place.id) as tx:
        await members.add_member(tx, scene.olga.caller, channel, who.id, role)


async def list_names(scene: Scene, who: Person, channel: UUID) -> list[str]:
    url: str | None = f"/v1/conversations/{public_id('cnv', channel)}/members?limit=1"
    found: list[str] = []
    async with scene.house.client(who) as client:
        while url:
            page = (await client.get(url)).json()
            found += [one["actor"]["name"] for one in page["items"]]
            url = page["next"] and f"{url.partition('&')[0]}&cursor={page['next']}"
    return sorted(found)


async def missed(scene: Scene, who: Person, channel: UUID) -> list[Json]:
    """All events of the channel as somebody gets them by both doors, which give the same."""
    name = public_id("cnv", channel)
    async with scene.house.client(who) as client:
        page = (await client.get(f"/v1/conversations/{name}/events?after=0&tag=0")).json()
        body = {"conversations": {name: {"number": 1, "tag": page["events"][0]["tag"]}}}
        synced = (await client.post("/v1/sync", json=body)).json()["streams"][0]
    events: list[Json] = page["events"]
    assert synced["events"] == events[1:]
    return events


def told_of(events: list[Json]) -> list[str | None]:
    return [one["data"]["member"] and one["data"]["member"]["actor"]["name"] for one in events]


async def test_readers_see_who_writes_and_themselves_and_how_many_there_are(scene: Scene) -> None:
    channel, mia = await open_channel(scene)
    assert await list_names(scene, scene.anna, channel) == ["Anna", "Mia", "Olga"]
    for writer in (scene.olga, mia):
        assert await list_names(scene, writer, channel) == ["Anna", "Boris", "Mia", "Olga"]
    async with scene.house.client(scene.anna) as client:
        seen = (await client.get(f"/v1/conversations/{public_id('cnv', channel)}")).json()
    assert seen["member_count"] == 4
    # a member writes as little there as a reader, and knows as much
    await set_role(scene, channel, scene.boris, "member")
    assert await list_names(scene, scene.boris, channel) == ["Boris", "Mia", "Olga"]


async def test_readers_of_a_group_see_everybody(scene: Scene) -> None:
    async with scene.house.db.transaction(scene.place.id) as tx:
        await members.change_role(tx, scene.olga.caller, scene.group, scene.anna.id, "reader")
    assert await list_names(scene, scene.anna, scene.group) == ["Anna", "Boris", "Olga"]


async def test_events_do_not_tell_readers_of_one_another(scene: Scene) -> None:
    channel, mia = await open_channel(scene)
    async with scene.house.db.transaction(scene.place.id) as tx:
        await members.remove_member(tx, scene.boris.caller, channel, scene.boris.id)
    events = await missed(scene, scene.anna, channel)
    assert [one["number"] for one in events] == list(range(1, len(events) + 1))
    assert set(told_of(events)) == {"Olga", "Anna", "Mia", None}
    assert scene.boris.public not in str(events)  # nor who caused it
    assert events[-1]["data"] == {"member": None, "member_count": 3}
    assert set(told_of(await missed(scene, mia, channel))) == {"Olga", "Anna", "Boris", "Mia"}


async def test_who_begins_or_ceases_to_write_is_told_to_all(scene: Scene) -> None:
    channel, _ = await open_channel(scene)
    before = len(await missed(scene, scene.anna, channel))
    for role in ("moderator", "reader", "member"):
        await set_role(scene, channel, scene.boris, role)
    changes = [one["data"] for one in (await missed(scene, scene.anna, channel))[before:]]
    assert [one["former_role"] for one in changes] == ["reader", "moderator", "reader"]
    assert [one["member"] and one["member"]["role"] for one in changes] == ["moderator", "reader", None]
    assert await list_names(scene, scene.anna, channel) == ["Anna", "Mia", "Olga"]


def test_the_condition_of_the_index_names_those_who_may_write() -> None:
    writers = [role for role, rights in RIGHTS["broadcast"].items() if "write" in rights]
    assert f"role IN {tuple(writers)}" == IS_BROADCASTER


async def test_who_writes_is_found_without_looking_through_the_readers(scene: Scene) -> None:
    channel, mia = await open_channel(scene)
    await scene.house.sql(
        """WITH many AS (INSERT INTO actor (workspace_id, id, kind, name)
            SELECT $1, gen_random_uuid(), 'bot', 'Reader' FROM generate_series(1, 3000) RETURNING id)
        INSERT INTO member (workspace_id, conversation_id, actor_id, role) SELECT $1, $2, id, 'reader' FROM many""",
        scene.place.id,
        channel,
    )
    await scene.house.sql("ANALYZE member")
    read = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'member'"
    async with scene.house.db.transaction(scene.place.id) as tx:
        writers = await broker_store.list_broadcasters(tx, [channel])
        assert writers == {channel: {scene.olga.id, mia.id}}
        seen = await chatapp_store.list_members(tx, scene.place.id, [channel], 100, viewer=scene.anna.id)
        assert {row["name"] for row in seen} == {"Anna", "Mia", "Olga"}
        page = await members.list_members(tx, scene.anna.caller, channel, None, 100)
        assert {one.actor.name for one in page.items} == {"Anna", "Mia", "Olga"}
        await members.remove_member(tx, mia.caller, channel, mia.id)
        assert await tx.fetchval(read) < 100
