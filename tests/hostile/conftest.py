"""One program for each file of hostile tests, furnished with an owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hostile.wire import end_all
from tests.programs import Server


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A whole Parley, its owner signed in."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    program = Server(folder, PARLEY_SANDBOX="false")
    try:
        await program.start()
        await program.set_up()
        yield program
    finally:
        program.show()
        await program.end()


@pytest.fixture(autouse=True)
async def no_connection_left_open(anyio_backend: str) -> AsyncIterator[None]:
    """Every raw connection ends with its test."""
    yield
    await end_all()
