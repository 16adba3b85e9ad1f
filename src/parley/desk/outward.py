"""What an agent may do about an outward message: retry, send again, mark as sent, cancel."""

from __future__ import annotations

from uuid import UUID

import structlog

from parley.accounts import Caller
from parley.conversations import require_view
from parley.conversations.history import get_message
from parley.conversations.schemas import Message
from parley.conversations.store import lock_access, lock_conversation
from parley.desk import delivery_store, restore_store
from parley.desk.delivery_store import DELIVERIES
from parley.desk.errors import MoveRefused, NoDelivery
from parley.desk.ledger import ACTIONS, Move, record_move
from parley.infra.db import Database, Tx
from parley.infra.feed import forget_transactions
from parley.infra.installation import Restore

log = structlog.get_logger()


async def act_on_delivery(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID, action: str
) -> Message:
    """Apply an action of `ACTIONS` to the delivery of a message.

    Repeat: MoveRefused, unless it is in the wanted state already. Parts that were sent are not sent again.
    Raises: ConversationNotFound, NoDelivery, MoveRefused (it is under way, or in another state).
    """
    await lock_access(tx, conversation_id, caller.actor_id)
    if await require_view(tx, caller, conversation_id) != "staff":
        raise NoDelivery
    await lock_conversation(tx, caller.workspace_id, conversation_id)
    delivery = await delivery_store.lock_send_of(tx, conversation_id, message_id)
    if delivery is None:
        raise NoDelivery
    before, after = ACTIONS[action]
    if delivery["state"] != before:
        raise MoveRefused(state=delivery["state"], wanted=after)
    if after == "queued":
        if not await delivery_store.queue_again(tx, delivery["id"]):
            raise MoveRefused(state=delivery["state"], wanted=after)
        await delivery_store.reset_parts(tx, delivery["id"])
        tx.wake(DELIVERIES.name)
    elif after == "cancelled" and not await delivery_store.close_queued(tx, delivery["id"]):
        raise MoveRefused(state="sending", wanted=after)
    await record_move(tx, delivery, Move(to=after))
    return await get_message(tx, conversation_id, message_id)


async def release_held(db: Database) -> int:
    """Queue all held deliveries again, for operators; returns how many."""
    async with db.system() as tx:
        return len(await DELIVERIES.rerun(tx, await delivery_store.list_held(tx)))


async def hold_waiting(db: Database) -> int:
    """Hold every delivery that was not begun, for operators; returns how many."""
    async with db.system() as tx:
        return await delivery_store.hold_unfinished(tx)


async def hold_after_restore(tx: Tx, restore: Restore) -> None:
    """Hold what was not begun when this state of the database was saved, and begin its feed anew in another cluster.

    In the transaction that notes the restore. Released by `release_held`.
    """
    count = await delivery_store.hold_unfinished(tx)
    if restore.is_other_cluster:
        await forget_transactions(tx)
        await restore_store.forget_touches(tx)

    def tell() -> None:
        log.warning(
            "desk.deliveries_held",
            reason=restore.reason,
            count=count,
            release_with="parley admin release-deliveries",
        )

    tx.after_commit.append(tell)
