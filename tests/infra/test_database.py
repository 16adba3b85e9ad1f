"""The tests' own database fixture."""

import asyncpg
import pytest

from parley.infra.migrate import HEAD, current_revision

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_a_migrated_database_of_its_own(database_url: str, turn: int) -> None:
    assert await current_revision(database_url) == HEAD
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM workspace") == 0
    await connection.execute("CREATE TABLE only_here ()")
    await connection.close()
