"""Whatever several clients do at once, and however often their connections break: each ends up equal to the database."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crowd import Turmoil, open_crowd

pytestmark = pytest.mark.anyio

CASES = 500
STEPS = 40
STEADY_SEED = 20261121
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
"""Of a long run; printed with a failure, and given back to repeat it."""


async def test_every_client_ends_up_equal_to_the_database(tmp_path: Path, database_url: str) -> None:
    async with open_crowd(tmp_path, database_url) as crowd:
        places = await crowd.open_places()
        turmoil = Turmoil(crowd, places, STEADY_SEED)
        await turmoil.run(250)
        await crowd.require_equal(places)
        assert sum(one.connections for one in crowd.replicas.values()) > len(crowd.replicas)


@pytest.mark.long
async def test_every_client_ends_up_equal_to_the_database_many_times(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_crowd(tmp_path, database_url) as crowd:
        for case in range(CASES):
            places = await crowd.open_places()
            await Turmoil(crowd, places, SEED + case).run(STEPS)
            await crowd.require_equal(places)
            for one in crowd.replicas.values():
                await one.forget_all()
        connections = sum(one.connections for one in crowd.replicas.values())
        figures(
            seen=sum(len(one.journal) for one in crowd.replicas.values()),
            lost=0,
            doubled=0,
            disordered=0,
            faults=f"{CASES} cases of {STEPS} random steps, seed {SEED}; {connections} connections of "
            f"{len(crowd.replicas)} clients; each case: all equal to a fresh snapshot and to the database",
        )
