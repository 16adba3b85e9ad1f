"""Who comes in waits for a place; a crowd leaves the places some rest."""

from __future__ import annotations

import asyncio
import time

import pytest

from parley.realtime import entrance
from parley.realtime.entrance import CALM, PLACES, Entrance

pytestmark = pytest.mark.anyio


async def pass_all(gate: Entrance, count: int, seconds: float) -> tuple[list[int], int, float]:
    """Have so many come in at once; return their order, how many were inside at the most, and how long all took."""
    order: list[int] = []
    inside = most = 0

    async def come_in(number: int) -> None:
        nonlocal inside, most
        async with gate.turn():
            order.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(seconds)
            inside -= 1

    started = time.monotonic()
    await asyncio.gather(*(come_in(number) for number in range(count)))
    return order, most, time.monotonic() - started


async def test_few_are_inside_at_a_time_first_come_first_served() -> None:
    order, most, _ = await pass_all(Entrance(), 60, 0.001)
    assert order == list(range(60))
    assert most == PLACES


async def test_places_rest_while_a_crowd_waits_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    gate = Entrance()
    loop = asyncio.get_running_loop()
    plain = loop.call_later

    def note(delay: float, *arguments: object, **more: object) -> object:
        rests.append(delay)
        return plain(delay, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(entrance.asyncio.get_running_loop(), "call_later", note, raising=False)
    await pass_all(gate, CALM, 0)
    assert rests == []
    await pass_all(gate, CALM + 30, 0)
    assert 0 < len(rests) <= 30


async def test_whoever_gives_up_or_fails_gives_the_place_back() -> None:
    gate = Entrance()
    is_open = asyncio.Event()

    async def stay() -> None:
        async with gate.turn():
            await is_open.wait()

    async def fail() -> None:
        async with gate.turn():
            raise RuntimeError

    staying = [asyncio.create_task(stay()) for _ in range(PLACES * 2)]
    await asyncio.sleep(0)
    for task in staying:
        task.cancel()
    await asyncio.gather(*staying, return_exceptions=True)
    await asyncio.gather(*(fail() for _ in range(PLACES * 2)), return_exceptions=True)
    assert (await pass_all(gate, PLACES, 0))[1] == PLACES
