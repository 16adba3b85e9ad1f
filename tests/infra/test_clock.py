"""A process whose clock is wrong goes by the database's; small differences are left alone."""

from __future__ import annotations

import datetime as dt

import pytest

from parley.infra.bus import Bus
from parley.infra.db import Database, open_pool
from parley.kit.clock import utc_now

pytestmark = pytest.mark.anyio

TOLERANCE = dt.timedelta(seconds=0.3)
"""How far off the comparison of two clocks may be, and less than what is told apart here."""


@pytest.mark.parametrize(("wrong", "corrected"), [(3600, True), (-3600, True), (0.5, False), (0, False)])
async def test_the_moment_of_a_transaction_is_the_databases_when_ours_is_plainly_wrong(
    database_url: str, wrong: float, corrected: bool
) -> None:
    pool = await open_pool(database_url, size=1)
    db = Database(pool, Bus(), lambda: utc_now() + dt.timedelta(seconds=wrong))
    try:
        async with db.system() as tx:
            await db.compare_clock(tx)
        expected = dt.timedelta(seconds=0 if corrected else wrong)
        before = await pool.fetchval("SELECT clock_timestamp()") - TOLERANCE
        async with db.system() as tx:
            moment = tx.now
        after = await pool.fetchval("SELECT clock_timestamp()") + TOLERANCE
        assert before <= moment - expected <= after
    finally:
        await pool.close()
