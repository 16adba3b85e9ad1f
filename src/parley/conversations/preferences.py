"""What a member keeps for itself of a conversation: muted, archived, pinned. Nobody else learns of it."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from msgspec import UNSET

from parley.accounts import Caller, record_personal
from parley.conversations import members_store, store
from parley.conversations.chats import get_conversation
from parley.conversations.group_schemas import PreferencesRequest
from parley.conversations.schemas import Conversation
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.errors import Forbidden, Malformed
from parley.kit.ids import public_id

LAST_YEAR = 9998
"""Of a time to come, so that it can be told in every zone."""


async def set_preferences(
    tx: Tx, caller: Caller, conversation_id: UUID, change: PreferencesRequest
) -> Conversation:
    """Mute, archive or pin a conversation for the caller; what is left out stays. Repeat: harmless.

    The caller's other devices learn it by the personal stream.
    Raises: ConversationNotFound, Malformed, Forbidden at the desk.
    """
    conversation = await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    await require_view(tx, caller, conversation_id)
    member = await members_store.find_member(tx, conversation_id, caller.actor_id)
    if conversation is None or conversation["kind"] == "desk" or member is None:
        raise Forbidden("Conversations of the desk are muted, archived and pinned by nobody.")
    before = {key: member[key] for key in ("muted_until", "is_archived", "is_pinned")}
    given = {
        "muted_until": require_moment(change.muted_until, "muted_until") if change.muted_until else None,
        "is_archived": change.is_archived,
        "is_pinned": change.is_pinned,
    }
    after = before | {key: value for key, value in given.items() if getattr(change, key) is not UNSET}
    if after != before:
        await members_store.set_preferences(
            tx,
            conversation_id,
            caller.actor_id,
            muted_until=after["muted_until"],
            is_archived=after["is_archived"],
            is_pinned=after["is_pinned"],
        )
        moment = after["muted_until"]
        data = {
            "conversation_id": public_id("cnv", conversation_id),
            **after,
            "muted_until": format_moment(moment) if moment else None,
        }
        await record_personal(
            tx, caller.workspace_id, caller.actor_id, "conversation.preferences_changed", data
        )
    return await get_conversation(tx, caller, conversation_id)


def require_moment(moment: dt.datetime, field: str) -> dt.datetime:
    """Return a time in UTC. Raises: Malformed without a zone, or at the end of time."""
    if moment.tzinfo is None or not 1 < moment.year <= LAST_YEAR:
        raise Malformed("A time needs its zone, and a year that calendars have.", **{field: ""})
    return moment.astimezone(dt.UTC)


def format_moment(moment: dt.datetime) -> str:
    """Return a time as answers have it."""
    return moment.isoformat().replace("+00:00", "Z")
