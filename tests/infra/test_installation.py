"""A database that comes from another cluster is noticed once."""

from __future__ import annotations

import pytest

from parley.infra.bus import Bus
from parley.infra.db import Database, open_pool
from parley.infra.installation import accept_cluster, is_foreign_cluster

pytestmark = pytest.mark.anyio


async def test_a_cluster_is_known_after_the_first_look_and_foreign_when_its_identity_changed(
    database_url: str,
) -> None:
    pool = await open_pool(database_url, size=4)
    db = Database(pool, Bus())
    try:
        async with db.system() as tx:
            assert not await is_foreign_cluster(tx)
            assert not await is_foreign_cluster(tx)
            await tx.execute("UPDATE installation SET system_identifier = '1'")
            assert await is_foreign_cluster(tx)
            await accept_cluster(tx)
            assert not await is_foreign_cluster(tx)
    finally:
        await pool.close()
