"""Conversations as one reader sees them: one by one, and one's own lists of them.

A list costs the same few statements whatever its length: rows, last messages and their files, pictures, peers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from parley.accounts import Actor, Caller, find_actors
from parley.conversations import history, members_store, mentions_store
from parley.conversations.schemas import ActorRef, Avatar, Conversation, Cursor, MyPart, Snippet, Thumbnail
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.ids import public_id
from parley.kit.pages import Page, decode_cursor, encode_cursor
from parley.media import Media, get_media

_LAST = UUID(int=2**128 - 1)
_LAST_MOMENT = dt.datetime.max.replace(tzinfo=dt.UTC)


async def get_conversation(tx: Tx, caller: Caller, conversation_id: UUID) -> Conversation:
    """Return one conversation as the caller sees it. Raises: ConversationNotFound."""
    view = await require_view(tx, caller, conversation_id)
    rows = await members_store.get_conversations(tx, [conversation_id], caller.actor_id)
    return (await to_conversations(tx, caller, rows, is_staff=view == "staff"))[0]


async def list_chats(
    tx: Tx, caller: Caller, *, is_archived: bool, cursor: str | None, limit: int
) -> Page[Conversation]:
    """Return the caller's direct conversations, groups and broadcasts: pinned first, then most lately spoken in."""
    if not caller.may_chat:
        return Page([])
    before = (True, _LAST_MOMENT, _LAST)
    if cursor:
        is_pinned, moment, last = decode_cursor(cursor, bool, dt.datetime, UUID)
        before = (is_pinned, moment, last)
    rows = await members_store.list_chats(
        tx, caller.workspace_id, caller.actor_id, is_archived=is_archived, before=before, limit=limit + 1
    )
    items = await to_conversations(tx, caller, rows[:limit], is_staff=False)
    following = None
    if len(rows) > limit:
        row = rows[limit - 1]
        following = encode_cursor(row["is_pinned"], _active_at(row), row["id"])
    return Page(items, following)


async def list_conversations(tx: Tx, caller: Caller, cursor: str | None, limit: int) -> Page[Conversation]:
    """Return the caller's own conversations, most lately spoken in first; desk conversations have their own list."""
    if not caller.may_chat:
        return Page([])
    before = (_LAST_MOMENT, _LAST)
    if cursor:
        moment, last = decode_cursor(cursor, dt.datetime, UUID)
        before = (moment, last)
    rows = await members_store.list_own_conversations(
        tx, caller.workspace_id, caller.actor_id, before, limit + 1
    )
    items = await to_conversations(tx, caller, rows[:limit], is_staff=False)
    following = None
    if len(rows) > limit:
        following = encode_cursor(_active_at(rows[limit - 1]), rows[limit - 1]["id"])
    return Page(items, following)


async def to_conversations(
    tx: Tx, caller: Caller, rows: Sequence[asyncpg.Record], *, is_staff: bool
) -> list[Conversation]:
    """Turn rows of `members_store` into conversations, in the same order."""
    last = {row["id"]: row["last_message_id"] for row in rows}
    seen = await mentions_store.list_seen(tx, caller.actor_id, last)
    keys = [(key, own.last_message_id) for key, own in seen.items() if own.last_message_id]
    messages = await history.get_messages(tx, keys)
    snippets: dict[UUID | None, Snippet] = {
        key: history.to_snippet(message if is_staff else history.without_status(message))
        for key, message in messages.items()
    }
    pictures = {row["avatar_media_id"] for row in rows if row["avatar_media_id"]}
    media = await get_media(tx, list(pictures)) if pictures else {}
    peers = {row["id"]: _peer_id(row["direct_key"], caller.actor_id) for row in rows if row["direct_key"]}
    actors = await find_actors(tx, set(peers.values()))
    return [
        _format(
            row,
            seen[row["id"]].mentions,
            snippets.get(seen[row["id"]].last_message_id),
            format_avatar(row["avatar_media_id"], media),
            actors.get(peers.get(row["id"], _LAST)),
            is_staff=is_staff,
        )
        for row in rows
    ]


def format_avatar(media_id: UUID | None, media: Mapping[UUID, Media]) -> Avatar | None:
    """Return a conversation's picture as clients see it; none while its file is not known."""
    if media_id is None or media_id not in media:
        return None
    one = media[media_id]
    has_thumbnail = one.thumbnail_width is not None and one.thumbnail_height is not None
    return Avatar(
        public_id("med", media_id),
        Thumbnail(one.thumbnail_width or 0, one.thumbnail_height or 0) if has_thumbnail else None,
    )


def _peer_id(direct_key: str, reader_id: UUID) -> UUID:
    """Return the other one of a pair."""
    one, other = (UUID(part) for part in direct_key.split(":"))
    return other if one == reader_id else one


def _active_at(row: asyncpg.Record) -> dt.datetime:
    moment: dt.datetime = row["last_message_at"] or row["created_at"]
    return moment


def _format(
    row: asyncpg.Record,
    mentions: int,
    last_message: Snippet | None,
    avatar: Avatar | None,
    peer: Actor | None,
    *,
    is_staff: bool,
) -> Conversation:
    unread = max(0, row["last_number"] - row["read_number"] - row["own_since"])
    return Conversation(
        id=public_id("cnv", row["id"]),
        kind=row["kind"],
        title=row["title"],
        description=row["description"],
        avatar=avatar,
        peer=ActorRef(peer.id, peer.kind, peer.name) if peer else None,
        member_count=None if row["kind"] == "desk" else row["member_count"],
        inbox_id=public_id("inb", row["inbox_id"]) if row["inbox_id"] and is_staff else None,
        head=Cursor(row["head"], row["tag"]),
        last_number=row["last_number"],
        read_number=row["read_number"],
        own_since=row["own_since"],
        unread=unread,
        mentions=mentions,
        role=row["role"],
        my=MyPart(
            role=row["role"],
            read_number=row["read_number"],
            unread=unread,
            mentions=mentions,
            muted_until=row["muted_until"],
            is_archived=row["is_archived"],
            is_pinned=row["is_pinned"],
        ),
        created_at=row["created_at"],
        last_message=last_message,
    )
