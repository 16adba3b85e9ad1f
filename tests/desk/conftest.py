"""Fixtures: a desk over the fake channel, and the same beside another workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.desk.fake_channel import FakeChannel
from tests.desk.scene import Desk
from tests.house import House, open_house


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """One process over a fresh database."""
    async with open_house(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def desk(house: House) -> Desk:
    """A workspace with an inbox."""
    return await furnish(house)


@pytest.fixture
async def foreign(house: House) -> Desk:
    """Another workspace in the same house."""
    return await furnish(house)


async def furnish(house: House) -> Desk:
    place = await house.workspace()
    olga = await place.user("Olga", "owner")
    anna, boris = await place.user("Anna", "agent"), await place.user("Boris", "agent")
    return Desk(house, place, olga, anna, boris, await place.inbox(anna), FakeChannel())
