"""The server that publishes is killed under load: another program misses nothing, knows repeats, and has all in order."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from parley.brokers.shapes import EVENTS_EXCHANGE
from parley.kit.ids import public_id
from tests.brokers.conftest import Heard, Listener, is_following, listening
from tests.programs import Json, Server, eventually, running
from tests.rabbitmq import RabbitMq
from tests.report import compare

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("rabbitmq")]

CLIENTS = 8
AWAY_SECONDS = 150.0
AWAY_PAUSE_SECONDS = 0.1
"""Between two messages of a client while the broker is away for long: what matters then is the time."""


async def test_nothing_is_missing_for_other_programs_when_the_server_is_killed(
    tmp_path: Path, database_url: str, rabbit: RabbitMq
) -> None:
    await _publish_through_kills(tmp_path, database_url, rabbit, kills=3)


@pytest.mark.long
async def test_nothing_is_missing_for_other_programs_after_many_kills_and_minutes_without_broker(
    tmp_path: Path, database_url: str, rabbit: RabbitMq, figures: Callable[..., None]
) -> None:
    figures(
        **await _publish_through_kills(tmp_path, database_url, rabbit, kills=20, away_seconds=AWAY_SECONDS)
    )


async def _publish_through_kills(
    folder: Path, dsn: str, rabbit: RabbitMq, *, kills: int, away_seconds: float = 0
) -> Json:
    server = Server(folder, DATABASE_URL=dsn, AMQP_URL=rabbit.url)
    async with running(server):
        await server.start()
        await server.set_up()
        await eventually(lambda: is_following(dsn))
        async with listening(rabbit, EVENTS_EXCHANGE, "message.create.#") as events:
            groups = [await _open(server) for _ in range(4)]
            sent = await _send_through_kills(server, groups, rabbit, kills=kills, away_seconds=away_seconds)
            await events.until(sent, 90)
            counted = await _require_all(events, dsn)
            repeats = len(events.heard) - counted["seen"]
        assert rabbit.url not in server.log()
        await server.require_well()
    away = f", the broker killed and away for {away_seconds:.0f} s" if away_seconds else ""
    done = f"{kills} x kill -9 of the server that publishes{away}; {repeats} repeats told as such"
    return {"acknowledged": sent, **counted, "faults": done}


async def _open(server: Server) -> str:
    opened: Json = await server.call("POST", "/v1/conversations", {"kind": "group", "members": []})
    name: str = opened["id"]
    return name


async def _send_through_kills(
    server: Server, groups: list[str], rabbit: RabbitMq, *, kills: int, away_seconds: float
) -> int:
    """Return how many messages were acknowledged."""
    count, pause, is_over = 0, 0.0, False

    async def client(number: int) -> None:
        nonlocal count
        mine = 0
        while not is_over:
            answer = await server.send_until_taken(
                groups[number % 4], f"{number}/{mine}", f"c{number}/{mine}"
            )
            assert answer.status_code in (200, 201)
            mine += 1
            count += 1
            await asyncio.sleep(pause)

    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(client(number))
        for _ in range(kills):
            await asyncio.sleep(random.uniform(0.3, 0.8))
            await server.restart()
        if away_seconds:
            pause = AWAY_PAUSE_SECONDS
            await asyncio.to_thread(rabbit.kill)
            await asyncio.sleep(away_seconds)
            await asyncio.to_thread(rabbit.start)
            pause = 0.0
        await asyncio.sleep(0.5)
        is_over = True
    return count


async def _require_all(events: Listener, dsn: str) -> Json:
    """What was heard is what is stored: everything, in order once repeats are taken out, and repeats are the same.

    Returns what was counted, repeats taken out.
    """
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        """SELECT conversation_id, number, tag FROM event WHERE kind = 'message.created'
        ORDER BY conversation_id, number"""
    )
    await connection.close()
    stored = {(public_id("cnv", row["conversation_id"]), row["number"]): row["tag"] for row in rows}
    bodies: dict[str, Json] = {}
    numbers: dict[str, list[int]] = defaultdict(list)
    for one in events.heard:
        if one.id in bodies:
            assert one.body == bodies[one.id], "a repeat differs"
            continue
        bodies[one.id] = one.body
        numbers[one.body["dialogId"]].append(_number(one, stored))
    wrong: Counter[str] = Counter(lost=0, doubled=0, disordered=0)
    for group in {place for place, _ in stored}:
        expected = [str(number) for place, number in stored if place == group]
        wrong.update(compare(expected, [str(number) for number in numbers[group]]))
    assert not any(wrong.values()), dict(wrong)
    assert len(bodies) == len(rows)
    return {"seen": len(bodies), **wrong}


def _number(one: Heard, stored: dict[tuple[str, int], int]) -> int:
    number: int = one.headers["x-parley-number"]
    assert stored[one.body["dialogId"], number] == one.headers["x-parley-tag"]
    return number
