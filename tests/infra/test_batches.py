"""Batches: what shares a commit, and in which order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from parley.infra.batches import Batches

pytestmark = pytest.mark.anyio

Item = tuple[str, int]


class Ledger:
    """Commits batches, each for some turns of the loop, and notes what it saw."""

    def __init__(self, seed: int = 1) -> None:
        self.sizes: list[int] = []
        self.written: list[Item] = []
        self.running: list[set[str]] = []
        self.most = 0
        self._dice = random.Random(seed)

    async def commit(self, items: Sequence[Item]) -> list[int]:
        keys = {key for key, _ in items}
        assert all(keys.isdisjoint(other) for other in self.running), "a key is in two batches"
        self.running.append(keys)
        self.most = max(self.most, len(self.running))
        self.sizes.append(len(items))
        for _ in range(self._dice.randint(1, 6)):
            await asyncio.sleep(0)
        self.written += items
        self.running.remove(keys)
        return [number for _, number in items]


def keys_of(item: Item) -> set[str]:
    return {item[0]}


async def test_what_comes_in_one_turn_goes_in_one_batch() -> None:
    ledger = Ledger()
    batches = Batches(ledger.commit, limit=64, parallel=2)
    assert await asyncio.gather(*(batches.take((f"{n}", n)) for n in range(30))) == list(range(30))
    assert ledger.sizes == [30]


async def test_keys_keep_their_order_and_are_never_in_two_batches() -> None:
    ledger = Ledger()
    batches = Batches(ledger.commit, limit=5, parallel=3, keys=keys_of)
    dice = random.Random(3)
    tasks = []
    for number in range(600):
        tasks.append(asyncio.create_task(batches.take((dice.choice("abcdefgh"), number))))
        if dice.random() < 0.2:
            await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == list(range(600))
    for key in "abcdefgh":
        numbers = [number for name, number in ledger.written if name == key]
        assert numbers == sorted(numbers)
    assert max(ledger.sizes) == 5
    assert ledger.most == 3


async def test_a_batch_that_fails_fails_for_its_own_alone() -> None:
    async def commit(items: Sequence[int]) -> list[int]:
        if 1 in items:
            raise ConnectionError("gone")
        return list(items)

    batches = Batches(commit, limit=2, parallel=1)
    answers = await asyncio.gather(*(batches.take(n) for n in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers[:2]] == [ConnectionError, ConnectionError]
    assert answers[2:] == [2, 3]
    assert batches.waiting == 0


async def test_who_waits_no_longer_is_left_out_and_holds_nobody_up() -> None:
    ledger = Ledger()
    batches = Batches(ledger.commit, limit=2, parallel=1, keys=keys_of)
    tasks = [asyncio.create_task(batches.take(("a", n))) for n in range(6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [number for _, number in ledger.written] == [0, 1, 2, 4, 5]
    assert isinstance(answers[3], asyncio.CancelledError)
    assert await batches.take(("a", 9)) == 9


async def test_those_that_wait_may_be_answered_at_once() -> None:
    is_open = asyncio.Event()

    async def commit(items: Sequence[int]) -> list[str]:
        await is_open.wait()
        return ["committed" for _ in items]

    batches = Batches(commit, limit=1, parallel=1)
    tasks = [asyncio.create_task(batches.take(n)) for n in range(4)]
    await asyncio.sleep(0.01)
    assert batches.waiting == 3
    batches.answer_waiting("given up")
    is_open.set()
    assert await asyncio.gather(*tasks) == ["committed", *["given up"] * 3]


async def test_what_waits_for_its_key_is_not_looked_at_again_and_again() -> None:
    looked, release = 0, asyncio.Event()

    async def commit(items: Sequence[Item]) -> list[int]:
        await release.wait()
        return [number for _, number in items]

    def key_of(item: Item) -> set[str]:
        nonlocal looked
        looked += 1
        return keys_of(item)

    batches = Batches(commit, limit=64, parallel=4, keys=key_of)
    tasks = [asyncio.create_task(batches.take(("a", 0)))]
    for _ in range(5):
        await asyncio.sleep(0)
    tasks += [asyncio.create_task(batches.take(("a", number))) for number in range(1, 50)]
    for _ in range(500):
        await asyncio.sleep(0)
    assert looked <= 1 + 4 * 49
    release.set()
    assert await asyncio.gather(*tasks) == list(range(50))
