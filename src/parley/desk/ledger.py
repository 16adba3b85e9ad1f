"""The ledger of deliveries: their states, and the only moves between them."""

from __future__ import annotations

from typing import Any

import msgspec

from parley.conversations import editing
from parley.conversations.schemas import Status, StatusError
from parley.desk import delivery_store
from parley.desk.errors import MoveRefused
from parley.infra.db import Tx

MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"sending", "failed", "cancelled"}),
    "sending": frozenset({"sent", "failed", "queued", "unknown"}),
    "unknown": frozenset({"sent", "delivered", "read", "queued"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "failed": frozenset({"queued", "delivered", "read"}),
    "read": frozenset(),
    "cancelled": frozenset(),
}
"""What a state may become. ``queued -> failed``: refused by our own formatting, before anything was sent."""

ACTIONS: dict[str, tuple[str, str]] = {
    "retry": ("failed", "queued"),
    "send_again": ("unknown", "queued"),
    "mark_sent": ("unknown", "sent"),
    "cancel": ("queued", "cancelled"),
}
"""What an agent may do: from which state to which."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict to record: the state to go to, and why if it went wrong."""

    to: str
    error_code: str | None = None
    error_text: str | None = None

    def as_status(self) -> Status:
        """Return the move as a message's outward face."""
        error = StatusError(self.error_code, self.error_text or "") if self.error_code else None
        return Status(state=self.to, error=error)  # type: ignore[arg-type]  # states of MOVES


def check_move(from_state: str, to_state: str) -> None:
    """Raises: MoveRefused unless the ledger knows this move."""
    if to_state not in MOVES[from_state]:
        raise MoveRefused(state=from_state, wanted=to_state)


async def record_move(tx: Tx, delivery: Any, move: Move) -> None:
    """Write a move and show it on the message. The conversation's row is locked. Raises: MoveRefused."""
    check_move(delivery["state"], move.to)
    await delivery_store.set_state(tx, delivery["id"], move.to, move.error_code, move.error_text)
    if delivery["action"] == "send":
        await editing.set_status(
            tx,
            workspace_id=delivery["workspace_id"],
            conversation_id=delivery["conversation_id"],
            message_id=delivery["message_id"],
            status=move.as_status(),
            inbox_id=delivery["inbox_id"],
        )
