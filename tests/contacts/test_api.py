"""Contacts over REST: found by any part of what is known, changed with a trace, seen by whom they wrote to."""

from __future__ import annotations

from uuid import UUID

import pytest

from parley.contacts import store
from parley.kit.ids import public_id
from tests.contacts.conftest import Desk

pytestmark = pytest.mark.anyio


async def names(desk: Desk, query: str = "", **params: str) -> list[str]:
    async with desk.house.client(desk.agent) as client:
        answer = await client.get("/v1/contacts", params={"query": query, **params})
    assert answer.status_code == 200, answer.text
    return [contact["name"] for contact in answer.json()["items"]]


async def test_contacts_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    for n in range(7):
        await desk.place.room(desk.inbox, f"C{n}")
    async with desk.house.client(desk.agent) as client:
        seen, cursor = [], None
        while True:
            params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/v1/contacts", params=params)).json()
            seen += [contact["name"] for contact in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert seen == [f"C{n}" for n in reversed(range(7))]


async def test_a_contact_is_found_by_part_of_name_mail_or_phone(desk: Desk) -> None:
    room = await desk.place.room(desk.inbox, "Carla Jones")
    await desk.place.room(desk.inbox, "100% Dora_x")
    async with desk.house.client(desk.agent) as client:
        change = {"email": "cj@example.org", "phone": "+44 20"}
        await client.patch(f"/v1/contacts/{public_id('act', room.contact_id)}", json=change)
    for query in ("carla", "JONES", "cj@", "+44", "la jo"):
        assert await names(desk, query) == ["Carla Jones"], query
    # signs of patterns are signs
    for query in ("%", "_", "100%", "Dora_"):
        assert await names(desk, query) == ["100% Dora_x"], query
    for query in ("a%s", "\\", "nobody", "'"):
        assert await names(desk, query) == []


async def test_an_agent_sees_the_contacts_of_their_inboxes(desk: Desk) -> None:
    hidden = await desk.place.room(await desk.place.inbox(), "Hidden")
    await desk.place.room(desk.inbox, "Shown")
    assert await names(desk) == ["Shown"]
    async with desk.house.client(desk.agent) as agent, desk.house.client(desk.owner) as owner:
        url = f"/v1/contacts/{public_id('act', hidden.contact_id)}"
        assert (await agent.get(url)).status_code == 404
        assert (await agent.patch(url, json={"name": "x"})).status_code == 404
        assert (await owner.get(url)).json()["name"] == "Hidden"
        # users are no contacts
        assert (await owner.get(f"/v1/contacts/{desk.agent.public}")).status_code == 404


async def test_a_change_is_partial_and_leaves_a_trace_without_personal_data(desk: Desk) -> None:
    room = await desk.place.room(desk.inbox, "Carla")
    url = f"/v1/contacts/{public_id('act', room.contact_id)}"
    async with desk.house.client(desk.agent) as client:
        await client.patch(url, json={"email": " cj@example.org ", "note": "likes\x00 tea"})
        changed = (await client.patch(url, json={"phone": "1", "email": None})).json()
        unchanged = (await client.patch(url, json={})).json()
    assert (changed["name"], changed["email"], changed["phone"], changed["note"]) == (
        "Carla",
        None,
        "1",
        "likes tea",
    )
    assert unchanged == changed
    rows = await desk.house.sql(
        "SELECT before::text || after::text AS told FROM audit_entry WHERE action = 'contact.changed'"
    )
    assert rows
    assert not any("cj@" in row["told"] or "tea" in row["told"] for row in rows)


@pytest.mark.parametrize(
    "body",
    [{"name": ""}, {"name": None}, {"email": "x" * 321}, {"phone": 1}, {"note": None}, {"surprise": 1}],
)
async def test_a_change_of_another_shape_is_malformed(desk: Desk, body: dict[str, object]) -> None:
    room = await desk.place.room(desk.inbox, "Carla")
    async with desk.house.client(desk.agent) as client:
        answer = await client.patch(f"/v1/contacts/{public_id('act', room.contact_id)}", json=body)
    assert answer.status_code == 422
    assert await names(desk) == ["Carla"]


@pytest.mark.parametrize("name", ["\x00", "\u202e", " \n "])
async def test_a_name_of_nothing_visible_is_refused(desk: Desk, name: str) -> None:
    room = await desk.place.room(desk.inbox, "Carla")
    async with desk.house.client(desk.agent) as client:
        answer = await client.patch(f"/v1/contacts/{public_id('act', room.contact_id)}", json={"name": name})
    assert answer.status_code == 422
    assert await names(desk) == ["Carla"]


async def test_the_contacts_of_an_agent_are_found_without_reading_those_of_other_inboxes(desk: Desk) -> None:
    other = await desk.place.inbox()
    await desk.place.room(desk.inbox, "Shown")
    await desk.house.sql(
        """WITH made AS (
            INSERT INTO actor (workspace_id, id, kind, name)
            SELECT $1, gen_random_uuid(), 'contact', 'Other' FROM generate_series(1, 5000) RETURNING id
        ), known AS (INSERT INTO contact (workspace_id, actor_id) SELECT $1, id FROM made)
        INSERT INTO identity (workspace_id, id, inbox_id, contact_id, address)
        SELECT $1, gen_random_uuid(), $2, id, id FROM made""",
        desk.place.id,
        other,
    )
    for table in ("actor", "contact", "identity"):
        await desk.house.sql(f"ANALYZE {table}")
    for query, found in (("", ["Shown"]), ("show", ["Shown"]), ("nobody", [])):
        async with desk.house.db.transaction(desk.place.id) as tx:
            rows = await store.list_contacts(tx, desk.place.id, [desk.inbox], query, UUID(int=2**128 - 1), 51)
            read = await tx.fetchval(
                """SELECT sum(seq_tup_read + idx_tup_fetch)::integer FROM pg_stat_xact_user_tables
                WHERE relname IN ('actor', 'contact', 'identity')"""
            )
        assert [row["name"] for row in rows] == found
        assert read < 100, query
