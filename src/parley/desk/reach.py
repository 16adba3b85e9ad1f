"""Whether a contact can be written to, and the lists that show it."""

from __future__ import annotations

from parley.contacts import Identity, set_reachable
from parley.desk import list_store
from parley.infra.db import Tx
from parley.kit.events import Touch


async def note_reach(tx: Tx, identity: Identity, *, is_reachable: bool) -> None:
    """Note that a contact blocked or unblocked us, and touch their conversations. Repeat: nothing happens."""
    if not await set_reachable(tx, identity, is_reachable=is_reachable):
        return
    conversations = await list_store.list_of_identity(tx, identity.workspace_id, identity.id)
    await list_store.touch(tx, conversations, [])
    tx.hints.extend(
        Touch(workspace_id=identity.workspace_id, inbox_id=identity.inbox_id, conversation_id=conversation_id)
        for conversation_id in conversations
    )
