"""Fixtures: a house with an inbox, its agent and an owner."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.house import House, Person, Workspace, open_house


@dataclasses.dataclass(frozen=True)
class Desk:
    """Who and where."""

    house: House
    place: Workspace
    owner: Person
    agent: Person
    inbox: UUID


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """An inbox with one agent in it."""
    async with open_house(database_url, tmp_path) as house:
        place = await house.workspace()
        owner, agent = await place.user("Olga", "owner"), await place.user("Anna", "agent")
        yield Desk(house, place, owner, agent, await place.inbox(agent))
