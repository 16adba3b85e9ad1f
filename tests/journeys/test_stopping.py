"""Ctrl-C under load: nothing is lost, nothing becomes uncertain, windows come back to where they were."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.journeys.windows import PlainWindow
from tests.programs import Json, Site, open_site

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_under_load_loses_nothing_and_leaves_nothing_uncertain(
    tmp_path: Path, database_url: str, signal_number: int
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        places = await site.open_conversations(6)
        window = PlainWindow(site.server, site.server.token)
        await window.open()
        for _, place in places:
            await window.show(place)
        await site.provider.fault("slow", method="sendMessage", seconds=0.3, times=None)
        acknowledged: list[Json] = []
        is_over = False

        async def client(number: int) -> None:
            n = 0
            while not is_over:
                place = places[number % len(places)][1]
                kind = "text" if n == 0 else "note"
                answer = await site.server.send_until_taken(
                    place, f"{number}/{n}", f"{number}/{n}", kind=kind
                )
                acknowledged.append(answer.json())
                n += 1

        async with asyncio.TaskGroup() as tasks:
            for number in range(12):
                tasks.create_task(client(number))
            await asyncio.sleep(0.5)
            began = time.monotonic()
            assert await site.server.stop(signal_number) == 0
            assert time.monotonic() - began < 20
            await window.close()
            await site.server.start()
            await asyncio.sleep(0.2)
            is_over = True
        await _require_everything(site, [place for _, place in places], acknowledged, database_url)
        await window.open()
        for _, place in places:
            await window.require_fresh(place)
        await window.close()
        assert await site.server.stop() == 0


async def _require_everything(site: Site, places: list[str], acknowledged: list[Json], dsn: str) -> None:
    stored = {}
    for place in places:
        states = await site.until_settled(place)
        assert set(states.values()) == {"sent"}, states
        stored |= {message["id"]: message for message in await site.require_dense(dsn, place)}
    for answer in acknowledged:
        assert stored[answer["id"]]["position"] == answer["position"]
    sent = [message["text"] for message in await site.bot.accepted()]
    assert sorted(sent) == sorted(f"{number}/0" for number in range(12))
