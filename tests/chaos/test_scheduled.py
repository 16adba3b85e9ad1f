"""The server is killed while scheduled messages are being posted: each is posted once, and told once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
from pathlib import Path

import asyncpg
import pytest

from tests.programs import eventually, open_site

pytestmark = pytest.mark.anyio

MESSAGES = 60
KILLS = 3


async def test_every_scheduled_message_is_posted_once_when_the_server_is_killed(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        server = site.server
        group = await server.call("POST", "/v1/conversations", {"kind": "group", "title": "T", "members": []})
        path = f"/v1/conversations/{group['id']}"
        begin = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
        for n in range(MESSAGES):
            # all along the kills, several at the same moment
            send_at = begin + dt.timedelta(seconds=n // 4 * 0.2)
            body = {"client_id": f"s{n}", "text": str(n), "send_at": send_at.isoformat()}
            await server.call("POST", f"{path}/scheduled", body)
        for _ in range(KILLS):
            await _wait_until_some_are_posted(database_url)
            await asyncio.sleep(random.uniform(0, 0.2))
            await server.restart()
        await eventually(lambda: _is_done(database_url), 60)
        connection = await asyncpg.connect(database_url)
        try:
            keys = [row["client_id"] for row in await connection.fetch("SELECT client_id FROM message")]
            told = await connection.fetch(
                "SELECT data FROM personal_event WHERE kind = 'scheduled.changed' ORDER BY number"
            )
        finally:
            await connection.close()
        assert sorted(keys) == sorted(f"s{n}" for n in range(MESSAGES))
        posted = [
            one["client_id"]
            for row in told
            if (one := json.loads(row["data"])["scheduled"])["state"] == "posted"
        ]
        assert sorted(posted) == sorted(keys)
        assert (await server.call("GET", "/v1/scheduled"))["items"] == []


async def _count(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM message")
        return count
    finally:
        await connection.close()


async def _wait_until_some_are_posted(dsn: str) -> None:
    before = await _count(dsn)

    async def has_more() -> bool:
        return await _count(dsn) > before

    await eventually(has_more, 30)


async def _is_done(dsn: str) -> bool:
    return await _count(dsn) >= MESSAGES
