"""The generator: what it does waits for no answer, and all that it costs is told."""

from __future__ import annotations

import asyncio
import itertools
import sys

import pytest

from bench.machine import CpuWatch, cpu_seconds
from bench.open_loop import keep_coming, percentile

pytestmark = pytest.mark.anyio

ARRIVALS = 20


async def test_arrivals_come_although_none_was_answered() -> None:
    until: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    dues: list[float] = []

    async def one(due: float) -> None:
        dues.append(due)
        if len(dues) == ARRIVALS:
            until.set_result(None)
        await until

    await asyncio.wait_for(keep_coming(one, 2000.0, until), 60)
    assert len(dues) >= ARRIVALS
    assert all(earlier < later for earlier, later in itertools.pairwise(dues))


async def test_an_arrival_that_fails_ends_the_measurement() -> None:
    async def one(_: float) -> None:
        raise RuntimeError("refused")

    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(keep_coming(one, 1000.0, never), 60)


def test_the_percentile_of_nothing_meets_no_bar() -> None:
    assert percentile([], 0.99) == float("inf")
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 100.0


async def test_the_generators_share_counts_its_helpers() -> None:
    work = "import sys\nsum(range(10_000_000))\nprint('done', flush=True)\nsys.stdin.read()"
    helper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", work, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert helper.stdin is not None
    assert helper.stdout is not None
    try:
        alone, watch = CpuWatch(), CpuWatch(helper.pid)
        await helper.stdout.readline()
        shares = alone.read()[1], watch.read()[1]
        assert cpu_seconds(helper.pid) > 0.05
        assert shares[1] > 2 * shares[0]
    finally:
        helper.stdin.close()
        await helper.wait()
