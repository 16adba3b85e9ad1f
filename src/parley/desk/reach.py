"""Whether a contact can be written to, and the lists that show who they are."""

from __future__ import annotations

from uuid import UUID

from parley.contacts import Identity, set_reachable
from parley.conversations.store import lock_conversations
from parley.desk import list_store
from parley.infra.db import Tx
from parley.kit.events import Touch


async def note_reach(tx: Tx, identity: Identity, *, is_reachable: bool) -> None:
    """Note that a contact blocked or unblocked us, and touch their conversations. Repeat: nothing happens."""
    if await set_reachable(tx, identity, is_reachable=is_reachable):
        await touch_contact(tx, identity.workspace_id, identity.contact_id)


async def touch_contact(tx: Tx, workspace_id: UUID, contact_id: UUID) -> None:
    """Touch the conversations with a contact, in every inbox: they look different now.

    Locks all of them, so a caller that locks one of them by itself does it later.
    """
    rows = await list_store.list_of_contact(tx, workspace_id, contact_id)
    if not rows:
        return
    await lock_conversations(tx, workspace_id, [conversation_id for conversation_id, _ in rows])
    transaction = await list_store.touch(tx, [conversation_id for conversation_id, _ in rows], [])
    tx.hints.extend(
        Touch(
            workspace_id=workspace_id,
            inbox_id=inbox_id,
            conversation_id=conversation_id,
            transaction=transaction,
        )
        for conversation_id, inbox_id in rows
    )
