"""The ceiling for writes: pgbench committing the same rows to the same server, one statement a transaction.

It does less than Parley: no HTTP, no JSON, no check of who may write, no row-level security. Nothing that keeps
the same promises on this database can be faster a row than its best client count without sharing commits.
"""

from __future__ import annotations

import asyncio
import os
import re

from bench.machine import SERVER_CORE
from bench.stage import CONVERSATIONS, SENDER, WORKSPACE, Stage

SWEEP = (1, 2, 4, 8, 16, 32)
TEXT = (
    "Good afternoon! Could you tell me where my order is? It was to come on Tuesday, the number is 15-2204."
)

# What Parley writes for a text message: counters of the conversation, the message, its event with the message as
# clients get it (about 700 bytes), the sender's read position.
_SCRIPT = f"""
\\set n random(1, {CONVERSATIONS})
WITH stream AS (
    UPDATE conversation SET head = head + 1, tag = 12345678, last_number = last_number + 1,
        last_message_id = uuidv7(), last_message_at = now()
    WHERE id = ('00000000-0000-7000-8001-' || lpad(to_hex(:n::integer), 12, '0'))::uuid
    RETURNING id, head, last_number, last_message_id
), written_message AS (
    INSERT INTO message (workspace_id, conversation_id, id, position, number, kind, sender_id, text, client_id,
        created_at)
    SELECT '{WORKSPACE}', id, last_message_id, head, last_number, 'text', '{SENDER}', '{TEXT}',
        last_message_id::text, now() FROM stream
), written_event AS (
    INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, actor_id, data, at)
    SELECT '{WORKSPACE}', id, head, 12345678, 'message.created', 'all', '{SENDER}',
        '{{"message": {{"text": "{TEXT}", "filler": "{"x" * 560}"}}}}'::jsonb, now() FROM stream
)
UPDATE member SET read_number = last_number, own_since = 0 FROM stream
WHERE conversation_id = stream.id AND actor_id = '{SENDER}';
"""


class Yardstick:
    """pgbench on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._script = stage.folder / "send.sql"
        self._script.write_text(_SCRIPT)
        self.clients = 0

    async def sweep(self, seconds: int = 3) -> dict[int, float]:
        """Try every client count and keep the best for `run`."""
        found = {clients: await self._measure(clients, seconds) for clients in SWEEP}
        self.clients = max(found, key=lambda clients: found[clients])
        return found

    async def run(self, seconds: int) -> float:
        """Return transactions a second with the best client count."""
        return await self._measure(self.clients, seconds)

    async def _measure(self, clients: int, seconds: int) -> float:
        await self._stage.pin_database()
        process = await asyncio.create_subprocess_exec(
            str(self._stage.binaries.tool("pgbench")),
            *(
                "-n",
                "-M",
                "prepared",
                "-f",
                str(self._script),
                "-c",
                str(clients),
                "-j",
                "1",
                "-T",
                str(seconds),
            ),
            self._stage.dsn,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
        pinning = asyncio.create_task(self._pin_backends())
        output, _ = await process.communicate()
        pinning.cancel()
        match = re.search(r"tps = ([\d.]+)", output.decode())
        if not match:
            raise RuntimeError(output.decode())
        return float(match[1])

    async def _pin_backends(self) -> None:
        await asyncio.sleep(0.2)
        await self._stage.pin_database()
