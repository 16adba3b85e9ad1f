"""Receipts: what a provider says later of a message it took.

A status may come before the answer that tells us the message's id; it is parked then and applied when the id is
learnt. A message of several calls is delivered or read when its last one is, and failed when any of them is.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

import msgspec

from parley.conversations.store import lock_conversation
from parley.desk import delivery_store, intake_store, receipt_store
from parley.desk.ledger import MOVES, Move, record_move
from parley.infra.db import Tx

State = Literal["sent", "delivered", "read", "failed"]
Outcome = Literal["applied", "parked", "ignored"]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of one message of its own."""

    provider_id: str
    state: State
    at: dt.datetime
    error_code: str | None = None
    error_text: str | None = None


_ORDER = ("failed", "sent", "delivered", "read")
_UNDER_WAY = ("queued", "sending")


async def record_receipt(
    tx: Tx,
    *,
    workspace_id: UUID,
    inbox_id: UUID,
    chat: str,
    receipt: Receipt,
) -> Outcome:
    """Apply a provider's status to the message with its id, or park it while the id is not known yet.

    Repeat, and a status that says less than is known: ignored. Locks nothing before the chat and the conversation.
    """
    await receipt_store.lock_chat(tx, inbox_id, chat)
    source = await intake_store.find_source(tx, inbox_id, chat, receipt.provider_id)
    delivery: Any = None
    if source is not None:
        await lock_conversation(tx, workspace_id, source["conversation_id"])
        delivery = await delivery_store.lock_send_of(tx, source["conversation_id"], source["message_id"])
        if delivery is None:
            return "ignored"  # the contact's own message, or one that was never for the outside
    if delivery is None or delivery["state"] in _UNDER_WAY:
        await receipt_store.park(
            tx,
            workspace_id=workspace_id,
            inbox_id=inbox_id,
            chat=chat,
            provider_id=receipt.provider_id,
            state=receipt.state,
            error_code=receipt.error_code,
            error_text=receipt.error_text,
            at=receipt.at,
        )
        return "parked"
    return "applied" if await _apply(tx, delivery, receipt) else "ignored"


async def apply_parked(tx: Tx, delivery: Any, chat: str) -> None:
    """Apply what came for a delivery while it was under way, now that its ids are known.

    The chat (`lock_chat`) and the conversation are locked.
    """
    parts = await delivery_store.list_parts(tx, delivery["id"])
    ids = [provider_id for part in parts for provider_id in part["provider_ids"]]
    parked = await receipt_store.take_parked(tx, delivery["inbox_id"], chat, ids)
    for row in sorted(parked, key=lambda row: _ORDER.index(row["state"])):
        current = await delivery_store.lock_delivery(tx, delivery["id"])
        receipt = Receipt(**{field: row[field] for field in Receipt.__struct_fields__})
        if current is not None:
            await _apply(tx, current, receipt)


async def _apply(tx: Tx, delivery: Any, receipt: Receipt) -> bool:
    """Move the delivery as far as this status says; returns whether it moved."""
    parts = await delivery_store.list_parts(tx, delivery["id"])
    part = next((part for part in parts if receipt.provider_id in part["provider_ids"]), None)
    if part is None or receipt.state not in MOVES[delivery["state"]]:
        return False
    if receipt.state == "failed":
        code = receipt.error_code or "failed"
        await delivery_store.set_part(tx, delivery["id"], part["ordinal"], "failed", code=code)
        await record_move(tx, delivery, Move(to="failed", error_code=code, error_text=receipt.error_text))
        return True
    is_last = parts[-1]["provider_ids"][-1:] == [receipt.provider_id]
    if not is_last or any(one["state"] == "failed" for one in parts if one is not part):
        return False
    if part["state"] == "failed":
        await delivery_store.set_part(tx, delivery["id"], part["ordinal"], "sent")
    await record_move(tx, delivery, Move(to=receipt.state))
    return True
