"""Fixtures: the accounts' server over a fresh database, a workspace in it, its owner's client."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from argon2 import PasswordHasher

from parley.accounts import Founded, create_workspace, passwords
from parley.infra.bus import Bus
from parley.infra.crypto import Keys
from parley.infra.db import Database, open_pool
from parley.infra.runtime import Runtime
from parley.infra.settings import Settings
from parley.kit.ids import public_id
from tests.accounts.phones import Phones
from tests.accounts.place import EMAIL, PASSWORD, Place, StillClock
from tests.house import House, open_house


@pytest.fixture(autouse=True)
def quick_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed at a fraction of the cost, but where that is what is looked at (`real_hashes`)."""
    if "real_hashes" not in request.fixturenames:
        monkeypatch.setattr(
            passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=2048, parallelism=1)
        )


@pytest.fixture
def real_hashes() -> None:
    """Passwords are hashed as they are."""


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    """The server over an empty database."""
    clock, bus = StillClock(), Bus()
    pool = await open_pool(database_url, size=12)
    runtime = Runtime(
        settings=Settings(),
        db=Database(pool, bus, clock),
        bus=bus,
        keys=Keys(b"a key for tests"),
        blobs=cast("Any", None),
        http=cast("Any", None),
        watch=cast("Any", None),
        clock=clock,
    )
    yield Place(runtime, clock)
    await pool.close()


@pytest.fixture
async def founded(place: Place) -> Founded:
    """A workspace and its owner."""
    return await create_workspace(
        place.db, name="Acme", owner_name="Olga Owner", email=EMAIL, password=PASSWORD
    )


@pytest.fixture
async def owner(place: Place, founded: Founded) -> AsyncIterator[httpx2.AsyncClient]:
    """The owner's client."""
    async with await place.signed_in() as client:
        yield client


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """All of REST over an empty database."""
    async with open_house(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def phones(place: Place, founded: Founded, tmp_path: Path) -> AsyncIterator[Phones]:
    """Phones, and the workspace that numbers which nobody has may join."""
    settings = dataclasses.replace(
        place.runtime.settings, phone_workspace=public_id("ws", founded.workspace_id)
    )
    place.use(settings)
    phones = Phones(place, tmp_path)
    yield phones
    await phones.close()
