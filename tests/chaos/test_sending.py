"""The server is killed while clients send: what was acknowledged stands, once, in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.journeys.windows import PlainWindow
from tests.programs import Json, Site, open_site

pytestmark = pytest.mark.anyio

CLIENTS = 16


async def test_no_acknowledged_message_is_missing_or_doubled_when_the_server_is_killed(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        await _send_through_kills(site, database_url, kills=3)


@pytest.mark.long
async def test_no_acknowledged_message_is_missing_after_many_kills(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        figures(**await _send_through_kills(site, database_url, kills=40))


async def _send_through_kills(site: Site, dsn: str, *, kills: int) -> Json:
    """Kill ``kills`` times, each time between a commit and its answer: then a retry is a repeat."""
    places = [conversation for _, conversation in await site.open_conversations(4)]
    journal: list[list[Json]] = [[] for _ in range(CLIENTS)]
    repeats = 0
    is_over = False
    windows = [PlainWindow(site.server, site.server.token) for _ in range(2)]
    for window in windows:
        await window.open()
        for place in places:
            await window.show(place)
        await window.close()
    watching = [asyncio.create_task(window.stay_open()) for window in windows]

    async def client(number: int) -> None:
        nonlocal repeats
        while not is_over:
            text = f"{number}/{len(journal[number])}"
            # a note goes to no provider, so that nothing but the sends is at work
            answer = await site.server.send_until_taken(places[number % 4], text, f"c{text}", kind="note")
            repeats += answer.status_code == 200
            journal[number].append(answer.json())

    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(client(number))
        for _ in range(kills):
            await asyncio.sleep(random.uniform(0.1, 0.4))
            await _stop_between_commit_and_answer(site, dsn, journal)
            await site.server.restart()
        is_over = True

    assert repeats >= kills
    for window in windows:
        for place in places:
            await window.require_fresh(place)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    for window in windows:
        await window.close()
    for number_of_place, conversation_id in enumerate(places):
        stored = await site.require_dense(dsn, conversation_id)
        by_id = {message["id"]: message for message in stored}
        keys = [message["client_id"] for message in stored if message["client_id"]]
        assert len(keys) == len(set(keys))
        assert len(keys) == sum(len(journal[number]) for number in range(number_of_place, CLIENTS, 4))
        for number in range(number_of_place, CLIENTS, 4):
            positions = [answer["position"] for answer in journal[number]]
            assert positions == sorted(positions)
            for n, answer in enumerate(journal[number]):
                kept = by_id[answer["id"]]
                assert (kept["text"], kept["position"]) == (f"{number}/{n}", answer["position"])
    acknowledged = sum(map(len, journal))
    return {
        "sent": acknowledged + repeats,
        "acknowledged": acknowledged,
        "seen": sum(len(shown) for window in windows for shown in window.messages.values()),
        "lost": 0,
        "doubled": 0,
        "disordered": 0,
        "faults": f"{kills} x kill -9 of the server between commit and answer, {repeats} sends repeated",
    }


async def _stop_between_commit_and_answer(site: Site, dsn: str, journal: list[list[Json]]) -> None:
    """Stop the server where the database holds a message whose answer nobody got."""
    connection = await asyncpg.connect(dsn)
    try:
        for _ in range(500):
            os.kill(site.server.pid, signal.SIGSTOP)
            await asyncio.sleep(0.05)  # what it wrote before arrives, and a commit under way ends
            stored = await connection.fetchval("SELECT count(*) FROM message WHERE client_id IS NOT NULL")
            if stored > sum(map(len, journal)):
                for _ in range(10):  # what it answered before may be read late on a busy machine
                    await asyncio.sleep(0.03)
                if stored > sum(map(len, journal)):
                    return
            os.kill(site.server.pid, signal.SIGCONT)
            await asyncio.sleep(random.uniform(0.005, 0.03))
    finally:
        await connection.close()
    raise AssertionError("no moment between a commit and its answer was found")


async def test_fifty_equal_sends_at_once_are_one_message(tmp_path: Path, database_url: str) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        [(chat, conversation_id)] = await site.open_conversations(1)
        answers = await asyncio.gather(
            *(site.server.send(conversation_id, "hello", "the same") for _ in range(50))
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        told = [{k: v for k, v in answer.json().items() if k != "status"} for answer in answers]
        assert all(message == told[0] for message in told)
        stored = await site.server.messages(conversation_id)
        assert [message["text"] for message in stored] == [f"hello of {chat.customer_id}", "hello"]
        await site.until_settled(conversation_id)
        assert await chat.accepted() == ["hello"]
