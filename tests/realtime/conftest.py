"""A served gateway over a real database, with people, conversations and clients to try it with."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.infra.runtime import Runtime, open_runtime
from parley.infra.settings import Settings
from tests.realtime.harness import FaultyBus, House, Served, furnish, serve


@pytest.fixture
async def runtime(database_url: str, tmp_path: Path) -> AsyncIterator[Runtime]:
    """What a process has open, with a bus that can be told to lose hints."""
    async with open_runtime(Settings(data_dir=tmp_path), database_url) as opened:
        bus = FaultyBus()
        opened.db.bus = bus
        yield dataclasses.replace(opened, bus=bus)


@pytest.fixture
async def house(runtime: Runtime, database_url: str) -> House:
    """A workspace with people, a group and a desk conversation."""
    return await furnish(runtime, database_url)


@pytest.fixture
async def served(runtime: Runtime, house: House) -> AsyncIterator[Served]:
    """The gateway on a free port."""
    async with serve(runtime, house) as running:
        yield running
    # what is left of closed connections is collected within the test that made it
    with contextlib.suppress(TimeoutError):
        await asyncio.sleep(0)
