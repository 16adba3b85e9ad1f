"""What a group or broadcast shows of itself: title, description, picture."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import UNSET

from parley.accounts import Caller
from parley.conversations import profile_store, streams
from parley.conversations.chats import format_avatar, get_conversation
from parley.conversations.errors import BadAvatar
from parley.conversations.group_schemas import ConversationChange
from parley.conversations.members import lock_group
from parley.conversations.schemas import Conversation
from parley.infra.db import Tx
from parley.kit.errors import Malformed
from parley.kit.ids import parse_id
from parley.kit.text import clean_name, clean_text
from parley.media import get_media


async def change_conversation(
    tx: Tx, caller: Caller, conversation_id: UUID, change: ConversationChange
) -> Conversation:
    """Change title, description or picture of a group or broadcast; what is left out stays. Repeat: harmless.

    Raises: ConversationNotFound, Forbidden, Malformed, BadAvatar.
    """
    conversation, _ = await lock_group(tx, caller, conversation_id, "change")
    before = (conversation["title"], conversation["description"], conversation["avatar_media_id"])
    title, description, avatar_id = before
    if change.title is not UNSET:
        title = clean_name(change.title)
        if not title:
            raise Malformed("A title needs at least one visible character.", title="")
    if change.description is not UNSET:
        description = clean_text(change.description or "").strip() or None
    if change.avatar_media_id is not UNSET:
        avatar_id = parse_id("med", change.avatar_media_id) if change.avatar_media_id else None
        if avatar_id not in (None, before[2]):
            await _require_picture(tx, caller, avatar_id)
    if (title, description, avatar_id) != before:
        await profile_store.set_profile(
            tx, conversation_id, title=title, description=description, avatar_id=avatar_id
        )
        media = await get_media(tx, [avatar_id]) if avatar_id else {}
        avatar = format_avatar(avatar_id, media)
        await streams.append(
            tx,
            workspace_id=caller.workspace_id,
            conversation_id=conversation_id,
            kind="conversation.changed",
            data={"title": title, "description": description, "avatar": msgspec.to_builtins(avatar)},
            actor_id=caller.actor_id,
        )
    return await get_conversation(tx, caller, conversation_id)


async def _require_picture(tx: Tx, caller: Caller, media_id: UUID | None) -> None:
    if media_id is None or not await profile_store.hold_picture(tx, media_id, caller.actor_id):
        raise BadAvatar
