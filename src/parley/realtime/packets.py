"""Socket.IO's server, holding strangers to what our clients do.

The library takes as many binary attachments as a packet announces, keeps connections that never enter a namespace for
as long as they answer pings, and drops packets that it cannot read while it goes on reading the next. Here such a
connection is closed: nothing a peer sends is kept beyond the longest command, and nobody stays without a session.
Leans on the inside of python-socketio 5.18.1 (`_handle_eio_connect`, `_handle_eio_message`, `_handle_eio_disconnect`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import socketio
import structlog
from socketio import packet as socketio_packet

from parley.infra.failures import describe_failure
from parley.realtime.frames import COMMAND_LIMIT_BYTES
from parley.realtime.rawframes import Engine, wire_of
from parley.realtime.wire import CLOSE_POLICY, Budget

ATTACHMENTS_LIMIT = 8
"""Binary attachments of one packet; our commands have none, and other clients' events are ignored."""
PACKET_BURST = 512
PACKETS_A_SECOND = 20.0
"""Socket.IO packets of a connection, whatever its transport; commands are limited much lower."""
ENTER_SECONDS = 10.0
"""How long a connection may take to enter the namespace; then the session's own time for a hello begins."""

log = structlog.get_logger()


class BoundedPacket(socketio_packet.Packet):  # type: ignore[misc]  # untyped library
    """A packet whose attachments are bounded, in number and together."""

    def decode(self, encoded_packet: Any) -> int:
        """Parse a packet; return how many attachments follow. Raises: ValueError when they are too many."""
        count: int = super().decode(encoded_packet)
        if count > ATTACHMENTS_LIMIT:
            raise ValueError("too many attachments")
        return count

    def add_attachment(self, attachment: Any) -> bool:
        """Take an attachment; True when it was the last. Raises: ValueError for one that is none, or too large."""
        if not isinstance(attachment, bytes):
            raise ValueError("an attachment is binary")  # noqa: TRY004 - what the library raises too
        if sum(map(len, self.attachments)) + len(attachment) > COMMAND_LIMIT_BYTES:
            raise ValueError("attachments are too large")
        is_complete: bool = super().add_attachment(attachment)
        return is_complete


class Server(socketio.AsyncServer):  # type: ignore[misc]  # untyped library
    """Socket.IO's server over our `Engine`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, serializer=BoundedPacket, **kwargs)
        self._budgets: dict[str, Budget] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: Any) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self._budgets[eio_sid] = Budget(PACKET_BURST, PACKETS_A_SECOND)
        self._timers[eio_sid] = asyncio.get_running_loop().call_later(
            ENTER_SECONDS, self._require_entered, eio_sid
        )

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        budget = self._budgets.get(eio_sid)
        if budget is None or budget.is_spent:
            return
        if not budget.spend(1):
            log.info("realtime.peer_refused", error="too many packets")
            self._give_up(eio_sid)
            return
        try:
            await super()._handle_eio_message(eio_sid, data)
        except Exception as error:  # noqa: BLE001 - whatever a peer's packet breaks, it is that connection alone
            log.info("realtime.peer_refused", error=describe_failure(error))
            self._give_up(eio_sid)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._budgets.pop(eio_sid, None)
        self._binary_packet.pop(eio_sid, None)
        timer = self._timers.pop(eio_sid, None)
        if timer is not None:
            timer.cancel()
        await super()._handle_eio_disconnect(eio_sid, reason)

    def _require_entered(self, eio_sid: str) -> None:
        if self.manager.sid_from_eio_sid(eio_sid, "/") is None:
            self._give_up(eio_sid)

    def _give_up(self, eio_sid: str) -> None:
        """Close the connection, beside what it is doing now."""
        socket = self.eio.sockets.get(eio_sid)
        wire = None if socket is None else wire_of(socket)
        if wire is not None:
            wire.close(CLOSE_POLICY, "packets")
        elif socket is not None:
            task = asyncio.get_running_loop().create_task(self.eio.disconnect(eio_sid))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
