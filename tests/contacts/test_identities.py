"""Identities: a person at a provider is one contact here, whatever they call themselves."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from parley.channels.contract import Person
from parley.contacts import Identity, ensure_identity, find_identity, set_reachable
from parley.kit.ids import public_id
from tests.contacts.conftest import Desk

pytestmark = pytest.mark.anyio


async def see(desk: Desk, name: str, address: str = "100", **more: str) -> Identity:
    """Take a person in as intake does: again when somebody else did at the same moment."""
    for _ in range(5):
        try:
            async with desk.house.db.transaction(desk.place.id) as tx:
                return await ensure_identity(
                    tx, desk.place.id, desk.inbox, Person(address=address, name=name, **more)
                )
        except asyncpg.UniqueViolationError:
            continue
    raise AssertionError("never found")


async def name_of(desk: Desk, identity: Identity) -> str:
    [row] = await desk.house.sql("SELECT name FROM actor WHERE id = $1", identity.contact_id)
    return str(row["name"])


async def test_a_person_is_made_once(desk: Desk) -> None:
    first = await see(desk, "Carla", username="carla")
    again = await see(desk, "Carla", username="carla")
    assert first == again
    assert first.is_reachable
    assert len(await desk.house.sql("SELECT FROM contact")) == 1


async def test_twenty_first_sights_at_once_are_one_contact(desk: Desk) -> None:
    seen = await asyncio.gather(*(see(desk, "Carla") for _ in range(20)))
    assert len({(identity.id, identity.contact_id) for identity in seen}) == 1
    assert len(await desk.house.sql("SELECT FROM actor WHERE kind = 'contact'")) == 1


async def test_the_same_address_in_two_inboxes_is_two_contacts(desk: Desk) -> None:
    other = await desk.place.inbox()
    first = await see(desk, "Carla")
    async with desk.house.db.transaction(desk.place.id) as tx:
        second = await ensure_identity(tx, desk.place.id, other, Person(address="100", name="Carla"))
    assert first.contact_id != second.contact_id


async def test_a_new_name_at_the_provider_is_taken_over_until_somebody_here_gave_one(desk: Desk) -> None:
    identity = await see(desk, "Carla")
    await see(desk, "Carla Jones")
    assert await name_of(desk, identity) == "Carla Jones"
    async with desk.house.client(desk.agent) as client:
        url = f"/v1/contacts/{public_id('act', identity.contact_id)}"
        assert (await client.patch(url, json={"name": "Ms Jones"})).json()["name"] == "Ms Jones"
    await see(desk, "CJ")
    assert await name_of(desk, identity) == "Ms Jones"


@pytest.mark.parametrize("name", ["", "\x00", "\u202e", "  \n "])
async def test_a_person_without_a_name_goes_by_the_address(desk: Desk, name: str) -> None:
    assert await name_of(desk, await see(desk, name)) == "100"


async def test_a_hostile_name_is_one_short_line(desk: Desk) -> None:
    identity = await see(desk, "a\x00\u202eb\nc" + "x" * 5000)
    name = await name_of(desk, identity)
    assert name.startswith("ab c")
    assert len(name) <= 200


async def test_reach_changes_once(desk: Desk) -> None:
    identity = await see(desk, "Carla")
    async with desk.house.db.transaction(desk.place.id) as tx:
        assert await set_reachable(tx, identity, is_reachable=False)
        assert not await set_reachable(tx, identity, is_reachable=False)
        found = await find_identity(tx, desk.place.id, identity.id)
    assert found is not None
    assert not found.is_reachable
