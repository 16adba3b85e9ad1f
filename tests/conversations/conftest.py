"""Fixtures: a house, and in it a workspace with three people and a group of them."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.house import House, Person, Room, Workspace, open_house


@dataclasses.dataclass(frozen=True)
class Scene:
    """Who and what most tests need."""

    house: House
    place: Workspace
    olga: Person
    anna: Person
    boris: Person
    inbox: UUID
    room: Room
    group: UUID
    guest: Person


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """One process over a fresh database."""
    async with open_house(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def scene(house: House) -> Scene:
    """Olga owns the workspace and the group; Anna and Boris are agents of the inbox and in the group.

    The guest is a bot without rights at the desk that is a member of the desk conversation: it sees what the
    contact sees.
    """
    place = await house.workspace()
    olga = await place.user("Olga", "owner")
    anna, boris = await place.user("Anna", "agent"), await place.user("Boris", "agent")
    guest = await place.bot("Guest", "chat")
    inbox = await place.inbox(anna, boris)
    room = await place.room(inbox)
    group = await place.open(olga, anna, boris)
    async with house.db.system() as tx:
        await tx.execute(
            "INSERT INTO member (workspace_id, conversation_id, actor_id, role) VALUES ($1, $2, $3, 'member')",
            place.id, room.id, guest.id,
        )  # fmt: skip
    return Scene(house, place, olga, anna, boris, inbox, room, group, guest)
