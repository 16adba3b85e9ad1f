"""What a restart keeps, and the door for another process."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from parley.sandbox import create_bot
from tests.ports import free_port
from tests.sandbox.conftest import aiogram_bot, standing

pytestmark = pytest.mark.anyio


async def test_numbers_continue_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sandbox.sqlite"
    async with standing(path) as stand, aiogram_bot(stand) as bot:
        await stand.write("one")
        (update,) = await bot.get_updates()
        await bot.get_updates(offset=update.update_id + 1)
        sent = await bot.send_message(stand.customer_id, "answer")
        customer_id = stand.customer_id
    async with standing(path) as stand, aiogram_bot(stand) as bot:
        assert stand.customer_id == customer_id
        again = await bot.send_message(stand.customer_id, "another")
        assert again.message_id == sent.message_id + 1
        await stand.write("two")
        (later,) = await bot.get_updates()
        assert later.update_id == update.update_id + 1
        assert later.message
        assert later.message.message_id == again.message_id + 1
        assert [one["text"] for one in await stand.accepted()] == ["answer", "another"]


async def test_unconfirmed_updates_and_files_outlive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    async with standing(path) as stand:
        url = f"/control/bots/{stand.bot_id}/chats/{stand.customer_id}/media"
        await stand.control.post(
            url, data={"kind": "document"}, files={"files": ("a.txt", b"hello", "text/plain")}
        )
    async with standing(path) as stand, aiogram_bot(stand) as bot:
        (update,) = await bot.get_updates()
        assert update.message
        assert update.message.document
        data = await bot.download(update.message.document)
        assert data
        assert data.read() == b"hello"


async def test_a_bot_may_be_made_beside_a_running_sandbox(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    async with standing(path) as stand:
        made = create_bot(path, "Second desk")
        answer = await stand.control.get(f"/telegram/bot{made.token}/getMe")
        assert answer.json()["result"]["first_name"] == "Second desk"
        assert made.id != stand.bot_id


async def test_it_runs_alone_and_survives_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "sandbox.sqlite"
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    numbers = []
    for end in (signal.SIGKILL, signal.SIGTERM):
        command = (sys.executable, "-m", "parley.sandbox", "--port", str(port), "--state", str(state))
        environment = {**os.environ, "PYTHONPATH": "src"}
        program = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, env=environment
        )
        assert program.stdout
        assert b"/telegram" in await program.stdout.readline()
        async with httpx2.AsyncClient(base_url=origin, trust_env=False) as client:
            for _ in range(200):
                try:
                    numbers.append(
                        (await client.post("/control/customers", json={"first_name": "A"})).json()["id"]
                    )
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.05)
            async with client.stream("GET", "/control/events") as events:
                assert events.status_code == 200
                program.send_signal(end)
                await asyncio.wait_for(program.wait(), 30)
    assert numbers[1] == numbers[0] + 1
