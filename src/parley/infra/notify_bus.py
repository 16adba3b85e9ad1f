"""PostgreSQL's NOTIFY between processes: for several of them where no Redis is.

Sent by connections of their own, in batches, and never from inside a transaction that writes: a NOTIFY there takes a
lock of the whole cluster at the commit (measured: 39 to 61 % fewer sends). Connections go past a pooler, behind which
nobody can LISTEN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

CHANNEL = "parley_bus"
CALLERS_CHANNEL = "parley_callers"
"""Channels belong to the database, so that installations in one cluster do not meet."""
PING_SECONDS = 2.0
ANSWER_SECONDS = 4.0
_SEND = "SELECT count(pg_notify(channel, packet)) FROM unnest($1::text[], $2::text[]) AS p (channel, packet)"


class NotifyEngine:
    """See `parley.infra.relay.Engine`. ``dsn`` goes to the server itself."""

    name = "notify"
    packet_limit_bytes = 7900
    """PostgreSQL takes payloads below 8000 bytes."""
    callers_channel = CALLERS_CHANNEL

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._out: Any = None

    def channel_of(self, stream_id: UUID | None) -> str:
        """See `Engine`."""
        return CHANNEL

    async def send(self, packets: Sequence[tuple[str, bytes]]) -> None:
        """See `Engine`."""
        if self._out is None or self._out.is_closed():
            self._out = await self._connect()
        try:
            channels = [channel for channel, _ in packets]
            await self._out.fetchval(_SEND, channels, [packet.decode() for _, packet in packets])
        except BaseException:
            self._out.terminate()
            raise

    async def listen(
        self, take: Callable[[bytes], None], is_listening: Callable[[], None], *, is_all: bool
    ) -> None:
        """See `Engine`."""
        connection = await self._connect()
        try:
            for channel in (CALLERS_CHANNEL, *((CHANNEL,) if is_all else ())):
                await connection.add_listener(channel, lambda *said: take(str(said[3]).encode()))
            is_listening()
            while True:
                await asyncio.sleep(PING_SECONDS)
                await connection.fetchval("SELECT 1", timeout=ANSWER_SECONDS)
        finally:
            connection.terminate()

    async def close(self) -> None:
        """See `Engine`."""
        if self._out is not None:
            self._out.terminate()

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            self._dsn, timeout=ANSWER_SECONDS, server_settings={"application_name": "parley bus"}
        )
