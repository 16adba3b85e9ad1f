"""A place, and people in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.compat.chatapp.place import Place, User, open_place, serve

ANNA, BORIS, CARLA = "79990000001", "79990000002", "79990000003"


@pytest.fixture
async def place(database_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """A process that speaks the dialect."""
    async with open_place(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def anna(place: Place) -> User:
    return await place.enter(ANNA, "Anna")


@pytest.fixture
async def boris(place: Place) -> User:
    return await place.enter(BORIS, "Boris")


@pytest.fixture
async def carla(place: Place) -> User:
    """Somebody who is in nobody's dialog."""
    return await place.enter(CARLA, "Carla")


@pytest.fixture
async def url(place: Place) -> AsyncIterator[str]:
    """Where the place is served."""
    async with serve(place) as address:
        yield address
