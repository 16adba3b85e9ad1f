"""Who finds what: search shows a message to those who may read it, and to nobody else."""

from __future__ import annotations

from uuid import UUID

import pytest

from parley.conversations import editing, search_store
from parley.conversations.search import search_messages
from parley.kit.ids import parse_id, public_id
from tests.conversations.conftest import Scene
from tests.house import House, Person, index_all

pytestmark = pytest.mark.anyio

WORD = "treasure"


async def found(house: House, who: Person, query: str = WORD, **params: str) -> list[str]:
    await index_all(house)
    async with house.client(who) as client:
        answer = await client.get("/v1/search/messages", params={"query": query, **params})
    assert answer.status_code == 200, answer.text
    return sorted(item["message"]["text"] for item in answer.json()["items"])


@pytest.fixture
async def hidden(scene: Scene) -> Scene:
    """A word said in the group, to the contact, by the contact, and in a note."""
    await scene.place.say(scene.group, scene.anna, "group treasure")
    await scene.place.say(scene.room.id, scene.anna, "reply treasure")
    await scene.place.say(scene.room.id, scene.room.contact_id, "contact treasure")
    await scene.place.say(scene.room.id, scene.anna, "note treasure", kind="note")
    return scene


async def test_everybody_finds_what_they_see_and_nothing_else(hidden: Scene) -> None:
    scene, place = hidden, hidden.place
    desk = ["contact treasure", "note treasure", "reply treasure"]
    another = await place.inbox(name="Other")
    outsider = await place.user("Otto", "agent")
    async with scene.house.db.system() as tx:
        await tx.execute(
            "INSERT INTO inbox_member (workspace_id, inbox_id, actor_id) VALUES ($1, $2, $3)",
            place.id, another, outsider.id,
        )  # fmt: skip
    demoted = await place.user("Dora", "member")
    async with scene.house.db.system() as tx:
        for actor in (demoted.id, outsider.id):  # a reader's row at the desk gives no right
            await tx.execute(
                "INSERT INTO member (workspace_id, conversation_id, actor_id, role) VALUES ($1, $2, $3, 'member')",
                place.id, scene.room.id, actor,
            )  # fmt: skip
        await tx.execute(
            "INSERT INTO inbox_member (workspace_id, inbox_id, actor_id) VALUES ($1, $2, $3)",
            place.id, scene.inbox, demoted.id,
        )  # fmt: skip
    for who, expected in (
        (scene.anna, [*desk, "group treasure"]),
        (scene.boris, [*desk, "group treasure"]),
        (scene.olga, [*desk, "group treasure"]),
        (await place.user("Ada", "admin"), desk),
        (await place.user("Mia", "member"), []),
        (await place.user("Ivo", "agent"), []),
        (outsider, []),
        (demoted, []),
        (scene.guest, ["contact treasure", "reply treasure"]),
        (await place.bot("Chatter", "chat"), []),
        (await place.bot("Desk", "desk"), desk),
        (await place.bot("Admin", "admin"), desk),
    ):
        assert await found(scene.house, who) == sorted(expected), who.caller.name
        assert await found(scene.house, who, "", has="link") == []


async def test_other_workspaces_find_nothing(hidden: Scene) -> None:
    house = hidden.house
    elsewhere = await house.workspace("Elsewhere")
    for who in (await elsewhere.user("Eve", "owner"), await elsewhere.bot("Robot", "admin", "desk", "chat")):
        assert await found(house, who) == []
        assert await found(house, who, "", **{"from": hidden.anna.public}) == []
        async with house.client(who) as client:
            answer = await client.get(
                "/v1/search/messages",
                params={"query": WORD, "conversation_id": public_id("cnv", hidden.group)},
            )
            assert answer.status_code == 404


async def test_the_database_holds_search_to_the_workspaces_of_the_transaction(hidden: Scene) -> None:
    """Whatever the application says it is: named, another workspace has nothing for it."""
    house = hidden.house
    await index_all(house)
    elsewhere = await house.workspace("Elsewhere")
    ask = """SELECT * FROM search_messages($1, $2, true, 'every', search_query('{}', 'treasure'), '{}', NULL,
        '-infinity', 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 10)"""
    async with house.db.transaction(elsewhere.id) as tx:
        assert await tx.fetch(ask, hidden.place.id, hidden.anna.id) == []
    async with house.db.transaction() as tx:
        assert await tx.fetch(ask, hidden.place.id, hidden.anna.id) == []
    async with house.db.transaction(hidden.place.id) as tx:
        assert len(await tx.fetch(ask, hidden.place.id, hidden.anna.id)) == 4


async def test_who_left_or_lost_the_inbox_finds_nothing_any_more(hidden: Scene) -> None:
    house, group = hidden.house, public_id("cnv", hidden.group)
    async with house.client(hidden.olga) as owner:
        gone = await owner.delete(f"/v1/conversations/{group}/members/{hidden.boris.public}")
        assert gone.is_success
        assert "group treasure" not in await found(house, hidden.boris)
        gone = await owner.delete(
            f"/v1/inboxes/{public_id('inb', hidden.inbox)}/members/{hidden.boris.public}"
        )
        assert gone.is_success
    assert await found(house, hidden.boris) == []
    async with house.client(hidden.boris) as client:
        for room in (group, hidden.room.public):
            params = {"query": WORD, "conversation_id": room}
            assert (await client.get("/v1/search/messages", params=params)).status_code == 404


async def test_who_joins_finds_what_was_said_before_as_history_shows_it(hidden: Scene) -> None:
    newcomer = await hidden.place.user("Nina", "member")
    async with hidden.house.client(hidden.olga) as owner:
        url = f"/v1/conversations/{public_id('cnv', hidden.group)}/members"
        assert (await owner.post(url, json={"actor_id": newcomer.public})).is_success
    assert await found(hidden.house, newcomer) == ["group treasure"]


async def test_a_search_in_one_conversation_stays_in_it(hidden: Scene) -> None:
    scene = hidden
    assert await found(scene.house, scene.anna, conversation_id=public_id("cnv", scene.group)) == [
        "group treasure"
    ]
    assert await found(scene.house, scene.guest, conversation_id=scene.room.public) == [
        "contact treasure",
        "reply treasure",
    ]
    async with scene.house.client(scene.guest) as client:
        params = {"query": WORD, "conversation_id": public_id("cnv", scene.group)}
        assert (await client.get("/v1/search/messages", params=params)).status_code == 404


async def test_system_notices_and_deleted_messages_are_not_found(hidden: Scene) -> None:
    scene = hidden
    sent = await scene.place.say(scene.group, scene.anna, "deleted treasure")
    await scene.place.say(scene.group, scene.anna, "system treasure", kind="system")
    async with scene.house.db.transaction(scene.place.id) as tx:
        message = parse_id("msg", sent.message.id)
        await editing.delete_message(tx, scene.anna.caller, scene.group, message)
    everything = await found(scene.house, scene.anna)
    assert not {"deleted treasure", "system treasure"} & set(everything)


async def test_the_last_word_is_visibilitys_whatever_the_index_says(
    hidden: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rule in the database answering for somebody else, the page is still empty."""
    await index_all(hidden.house)
    real = search_store.find_messages

    async def as_anna(tx: object, **asked: object) -> object:
        return await real(tx, **{**asked, "actor_id": hidden.anna.id, "may_chat": True, "desk": "every"})  # type: ignore[arg-type]

    stranger = await hidden.place.user("Stan", "member")
    monkeypatch.setattr(search_store, "find_messages", as_anna)
    async with hidden.house.db.transaction(hidden.place.id) as tx:
        assert len((await search_messages(tx, hidden.anna.caller, query=WORD)).items) == 4
        assert (await search_messages(tx, stranger.caller, query=WORD)).items == []
        shown = (await search_messages(tx, hidden.guest.caller, query=WORD)).items
    assert sorted(item.message.text for item in shown) == ["contact treasure", "reply treasure"]
    assert all(item.message.status is None for item in shown)


@pytest.mark.parametrize("role", ["parley_app"])
async def test_requests_cannot_read_the_index_itself(hidden: Scene, role: str) -> None:
    rows = await hidden.house.sql(
        """SELECT t, p FROM unnest('{message_search,search_rebuild}'::text[]) t,
            unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p WHERE has_table_privilege($1, t, p)""",
        role,
    )
    assert rows == []


def test_ids_are_marked_by_what_differs_in_them() -> None:
    """Marks hold the end of an id, which is random: the beginning of a UUIDv7 is its time."""
    assert len({str(UUID(int=(7 << 76) | n))[-12:] for n in range(100)}) == 100
