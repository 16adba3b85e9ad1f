"""Workers killed without warning, again and again: nothing is lost, doubled or out of order."""

import asyncio
import os
import sys
from collections import defaultdict
from pathlib import Path

import asyncpg
import pytest

from tests.infra.claimed import add_rows, count_work, eventually, open_database

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]


async def start_worker(dsn: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.infra.killed_worker", dsn,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def test_killed_workers_lose_and_double_nothing(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "CREATE TABLE effect (number bigserial, job_id uuid, lane text, seq bigint, pid integer);"
        "GRANT ALL ON effect, effect_number_seq TO parley_system"
    )

    async def count_effects() -> int:
        return int(await owner.fetchval("SELECT count(*) FROM effect"))

    async with open_database(database_url) as db:
        await add_rows(db, *(None if n % 9 == 0 else f"lane {n % 9}" for n in range(900)))

        async def is_over() -> bool:
            return await count_work(db) == {"done": 900}

        for _ in range(3):
            worker = await start_worker(database_url)
            before = await count_effects()

            async def has_done_some(before: int = before) -> bool:
                return await count_effects() >= before + 50

            await eventually(has_done_some)
            worker.kill()
            await worker.wait()
        assert await count_effects() < 900
        workers = [await start_worker(database_url) for _ in range(2)]
        await eventually(is_over, 60)
        for worker in workers:
            worker.terminate()
            assert await worker.wait() == 0
    effects = await owner.fetch("SELECT * FROM effect ORDER BY number")
    await owner.close()
    assert len(effects) == len({effect["job_id"] for effect in effects}) == 900
    assert len({effect["pid"] for effect in effects}) > 3
    lanes = defaultdict(list)
    for effect in effects:
        lanes[effect["lane"]].append(effect["seq"])
    for lane, seqs in lanes.items():
        assert lane is None or seqs == sorted(seqs)
