"""Fixtures: two furnished workspaces in one house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.house import House, open_house
from tests.isolation.furnished import Furnished, furnish


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """One process over a fresh database, the sandbox off."""
    async with open_house(
        database_url, tmp_path, sandbox=False, telegram_api_url="http://127.0.0.1:9"
    ) as opened:
        yield opened


@pytest.fixture
async def ours(house: House) -> Furnished:
    """The workspace that is tried upon."""
    return await furnish(house, "Quokka")


@pytest.fixture
async def theirs(house: House) -> Furnished:
    """The workspace of the intruder."""
    return await furnish(house, "Numbat")
