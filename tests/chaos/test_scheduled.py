"""The server is killed while scheduled messages are being posted: each is posted once, and told once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
from pathlib import Path

import asyncpg
import pytest

from parley.conversations.scheduling import POST_KIND
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
        send_at = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
        for n in range(MESSAGES):
            body = {"client_id": f"s{n}", "text": str(n), "send_at": send_at}
            await server.call("POST", f"{path}/scheduled", body)
        for kill in range(KILLS):
            await _let_time_come(database_url, MESSAGES // KILLS)
            await _wait_until_more_are_posted(database_url, kill * MESSAGES // KILLS)
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


async def _let_time_come(dsn: str, count: int) -> None:
    """Have some more be due one after another, four each at the same moment."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            """UPDATE job SET due_at = now() + (place - 1) / 4 * interval '0.2 s'
            FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM job
                WHERE kind = $1 AND due_at > now() + interval '10 minutes' ORDER BY id LIMIT $2) AS next
            WHERE job.id = next.id""",
            POST_KIND, count,
        )  # fmt: skip
    finally:
        await connection.close()


async def _wait_until_more_are_posted(dsn: str, count: int) -> None:
    async def has_more() -> bool:
        return await _count(dsn) > count

    await eventually(has_more)


async def _is_done(dsn: str) -> bool:
    return await _count(dsn) >= MESSAGES
