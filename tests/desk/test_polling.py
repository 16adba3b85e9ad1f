"""Polling: who asks the provider for updates, and what it outlives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.channels.contract import JournalPart
from parley.desk import polling
from parley.desk.polling import Poller
from tests.desk.fake_channel import encode
from tests.desk.scene import Desk

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("trouble", ["claim_polling", "renew_polling"])
async def test_polling_outlives_whatever_the_database_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    polls = 0

    async def poll(*_: Any) -> tuple[list[JournalPart], str]:
        nonlocal polls
        polls += 1
        await asyncio.sleep(0.1)
        return [JournalPart(lane="77", body=encode(desk.message(str(polls))))], str(polls)

    work = getattr(polling.inbox_store, trouble)
    tries = 0

    async def fail_at_first(*args: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise TimeoutError  # what the driver says of a statement that took too long
        return await work(*args)

    monkeypatch.setattr(polling.inbox_store, trouble, fail_at_first)
    monkeypatch.setattr(polling, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(desk.channel, "poll", poll)
    poller = asyncio.create_task(Poller(desk.house.db, desk.channels, lease_seconds=0.6).run())
    for _ in range(600):
        if polls > 5 or poller.done():
            break
        await asyncio.sleep(0.05)
    assert not poller.done()
    assert polls > 5
    poller.cancel()
    await asyncio.gather(poller, return_exceptions=True)
    [row] = await desk.house.sql("SELECT count(*) AS n FROM journal")
    assert row["n"] >= 5


async def test_a_lease_that_could_not_be_renewed_once_is_kept_by_the_next_beat(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def poll_long(*_: Any) -> tuple[list[JournalPart], None]:
        asked.append("poll")
        await asyncio.sleep(60)
        return [], None

    renew = polling.inbox_store.renew_polling

    async def fail_once(*args: Any) -> Any:
        asked.append("renew")
        if asked.count("renew") == 2:  # the first one is the poll's own, the second a beat
            raise TimeoutError
        return await renew(*args)

    monkeypatch.setattr(polling.inbox_store, "renew_polling", fail_once)
    monkeypatch.setattr(polling, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(desk.channel, "poll", poll_long)
    pollers = [Poller(desk.house.db, desk.channels, lease_seconds=1.8) for _ in range(2)]
    tasks = [asyncio.create_task(poller.run()) for poller in pollers]
    async with asyncio.timeout(60):
        while asked.count("renew") < 6:  # the lease of the first has been over for long
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert asked.count("poll") == 1
