"""Finding people: everybody in the workspace may, by name and external id, and learns no more than that."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from parley.kit.ids import public_id
from tests.conversations.conftest import Scene
from tests.house import Person

pytestmark = pytest.mark.anyio


async def names(scene: Scene, query: str = "", limit: int = 100) -> list[str]:
    """What a plain member finds, page by page."""
    found: list[str] = []
    cursor: str | None = ""
    async with scene.house.client(await scene.place.user("Zoe")) as client:
        while cursor is not None:
            params = {"query": query, "limit": str(limit)} | ({"cursor": cursor} if cursor else {})
            answer = await client.get("/v1/people", params=params)
            assert answer.status_code == 200, answer.text
            found += [person["name"] for person in answer.json()["items"]]
            cursor = answer.json()["next"]
    return found


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_people_come_by_name_users_and_bots_and_no_customers(scene: Scene, limit: int) -> None:
    await scene.place.user("anna")
    assert await names(scene, limit=limit) == ["Anna", "anna", "Boris", "Guest", "Olga", "Zoe"]


async def test_a_part_of_the_name_or_the_external_id_is_enough(scene: Scene) -> None:
    await scene.place.user("Жанна Ёлкина")
    await scene.house.sql("UPDATE actor SET external_id = 'ERP-17' WHERE id = $1", scene.boris.id)
    assert await names(scene, "ann") == ["Anna"]
    assert await names(scene, "ЖАНН") == ["Жанна Ёлкина"]
    assert await names(scene, "ёлк") == ["Жанна Ёлкина"]
    assert await names(scene, "erp-1") == ["Boris"]
    for nothing in ("%", "_", "carla", "@example.org", "' OR 1=1"):
        assert await names(scene, nothing) == []


async def test_those_of_a_role_are_found_among_many_others(scene: Scene) -> None:
    for name in ("Aaron", "Adam", "Zed"):
        await scene.place.user(name)
    await scene.place.user("Mia", "agent")
    async with scene.house.client(scene.anna) as anna:
        params = {"role": ["agent", "admin"], "limit": "1", "query": "mi"}
        page = (await anna.get("/v1/people", params=params)).json()
        assert [(one["name"], one["role"]) for one in page["items"]] == [("Mia", "agent")]
        everybody = (await anna.get("/v1/people")).json()["items"]
        staff = (await anna.get("/v1/people", params={"role": ["agent", "admin", "owner"]})).json()["items"]
        assert staff == [one for one in everybody if one["role"] in ("agent", "admin", "owner")]
        assert len(staff) < len(everybody)
        assert (await anna.get("/v1/people", params={"role": "boss"})).status_code == 422


async def test_who_was_let_go_is_found_no_more_and_nobody_of_elsewhere(scene: Scene) -> None:
    await (await scene.house.workspace("Elsewhere")).user("Anna Elsewhere")
    await scene.house.sql("UPDATE actor SET deactivated_at = now() WHERE id = $1", scene.boris.id)
    assert await names(scene) == ["Anna", "Guest", "Olga", "Zoe"]


async def test_a_person_is_shown_without_address(scene: Scene) -> None:
    async with (
        scene.house.client(scene.anna) as anna,
        scene.house.client(await scene.place.bot("B", "desk")) as bot,
    ):
        [person] = (await anna.get("/v1/people?query=olga")).json()["items"]
        assert set(person) == {"id", "kind", "name", "role", "last_seen_at", "is_online"}
        assert (await bot.get("/v1/people")).status_code == 403


async def test_those_of_known_ids_are_told_also_when_they_were_let_go(scene: Scene) -> None:
    stranger = await (await scene.house.workspace("Elsewhere")).user("Stranger")
    await scene.house.sql("UPDATE actor SET deactivated_at = now() WHERE id = $1", scene.boris.id)
    asked = [scene.boris.public, scene.guest.public, stranger.public, public_id("act", scene.room.contact_id)]
    async with (
        scene.house.client(scene.anna) as anna,
        scene.house.client(await scene.place.bot("B", "desk")) as bot,
    ):
        answer = await anna.get("/v1/people", params={"id": asked})
        assert {person["name"] for person in answer.json()["items"]} == {"Boris", "Guest"}
        assert answer.json()["next"] is None
        assert (await anna.get("/v1/people", params={"id": asked * 30})).status_code == 422
        assert (await anna.get("/v1/people", params={"id": "nobody"})).status_code == 422
        assert (await bot.get("/v1/people", params={"id": asked})).status_code == 403


async def presence_of(scene: Scene, viewer: Person) -> dict[str, tuple[Any, Any]]:
    """What somebody finds of everybody's presence, by name."""
    async with scene.house.client(viewer) as client:
        items = (await client.get("/v1/people")).json()["items"]
    return {person["name"]: (person["is_online"], person["last_seen_at"]) for person in items}


async def test_presence_is_told_to_those_who_share_a_conversation_and_of_those_who_show_it(
    scene: Scene,
) -> None:
    zoe = await scene.place.user("Zoe")
    everybody = [(scene.place.id, person.id) for person in (scene.anna, scene.boris, zoe)]
    await scene.house.runtime.presence.hold(uuid4(), everybody)
    await scene.house.sql(
        "INSERT INTO last_seen (workspace_id, actor_id, at) VALUES ($1, $2, '2026-01-01T00:00:00Z')",
        scene.place.id,
        scene.boris.id,
    )
    seen = await presence_of(scene, scene.anna)
    assert seen["Boris"] == (True, "2026-01-01T00:00:00Z")
    assert seen["Anna"][0] is True
    assert seen["Zoe"] == seen["Guest"] == (None, None)
    assert (await presence_of(scene, zoe))["Boris"] == (None, None)
    await scene.house.sql("UPDATE actor SET shows_last_seen = false WHERE id = $1", scene.boris.id)
    assert (await presence_of(scene, scene.anna))["Boris"] == (None, None)
    assert (await presence_of(scene, scene.boris))["Boris"][0] is True
