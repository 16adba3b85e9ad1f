"""Two servers on one database: they share the work, and one takes over when the other dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import Server, eventually, open_site, running

pytestmark = pytest.mark.anyio


async def test_one_server_takes_over_the_polling_and_the_work_of_the_other(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        first = site.server
        second = Server(tmp_path, DATABASE_URL=database_url, PARLEY_TELEGRAM_API_URL=site.provider.api_url)
        async with running(second):
            await second.start()
            second.sign(first.token)
            [(chat, place)] = await site.open_conversations(1)
            said = [f"hello of {chat.customer_id}"]
            for server, dying in ((first, None), (second, first)):
                if dying is not None:
                    await dying.kill()
                answer = await server.send(place, f"answer of {server.name}", "1" + server.name)
                assert answer.status_code == 201
                said.append(f"answer of {server.name}")
                for n in range(5):
                    said.append(f"{server.name} {n}")
                    await chat.write(said[-1])

                async def all_heard(count: int = len(said)) -> bool:
                    return len(await second.messages(place)) == count

                await eventually(all_heard)
            site.server = second
            assert [message["text"] for message in await site.require_dense(database_url, place)] == said
            assert set((await site.until_settled(place)).values()) == {"sent"}
            assert len(await chat.accepted()) == 2
            assert len(await second.conversations()) == 1
            await second.require_well()
            assert await second.stop() == 0
