"""The JSON of this dialect. Pure: from our messages and rows to the values its clients know.

Ids of dialogs and messages are ours, given as ``_id`` as well as ``dialogId`` or ``messageId``; times are RFC 3339.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from asyncpg import Record

from parley.compat.chatapp.people import Person
from parley.conversations.fields import MESSAGE_KEY
from parley.conversations.schemas import Conversation, Message
from parley.kit.ids import public_id

EXTRA = "chatapp"
"""Under which a message's ``extra`` keeps what only this dialect knows; its ``meta`` are the message's fields."""

Json = dict[str, Any]
UserIds = Mapping[str, str]
"""User ids by our public ids of actors."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What only this dialect knows of a message. ``content`` where the text stored is another."""

    type: str = "text"
    content: str | None = None


class Reader(msgspec.Struct, frozen=True):
    """A member as statuses need it."""

    user_id: str
    read_number: int


class Viewer(msgspec.Struct, frozen=True):
    """For whom an answer is: our public id and the user id."""

    actor_id: str
    user_id: str


def iso(moment: dt.datetime | None) -> str | None:
    """Return a moment as its clients read it."""
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user_json(person: Person, *, phone: str = "", created_at: dt.datetime | None = None) -> Json:
    """Return a user. The phone number is one's own or empty: nobody else's is told."""
    return {"userId": person.user_id, "phone": phone, "name": person.name, "createdAt": iso(created_at)}


# ---------------------------------------------------------------- messages


def message_json(message: Json, user_ids: UserIds, tenant_id: str) -> Json:
    """Return a message, of its JSON in our own shape: the same for every member."""
    kept = _kept(message)
    is_deleted = message["deleted_at"] is not None
    is_original = message["version"] == 1 and kept.content is not None
    attachments = message["attachments"]
    sender_id = user_ids.get(message["sender"]["id"], "")
    kind = kept.type if kept.type != "text" or not attachments else _attached(attachments)
    shown: Json = {
        "_id": message["id"],
        "messageId": message["id"],
        "tenantId": tenant_id,
        "dialogId": message["conversation_id"],
        "senderId": sender_id,
        "sender": {"userId": sender_id, "name": message["sender"]["name"]},
        "content": "" if is_deleted else kept.content if is_original else message["text"],
        "type": kind,
        "meta": {} if is_deleted else _meta(message),
        "reactionCounts": {one["emoji"]: len(one["actor_ids"]) for one in message["reactions"]},
        "createdAt": message["created_at"],
        "updatedAt": message["deleted_at"] or message["edited_at"] or message["created_at"],
    }
    return {**shown, "isDeleted": True} if is_deleted else shown


def personal_json(shown: Json, message: Message, viewer: Viewer, readers: Sequence[Reader] | None) -> Json:
    """Add to a message who has read it, and what it is to the viewer."""
    is_mine = message.sender.id == viewer.actor_id
    statuses = status_list(shown, message.number, readers) if readers is not None else []
    mine = next((one["status"] for one in statuses if one["userId"] == viewer.user_id), "unread")
    reaction = next((one.emoji for one in message.reactions if viewer.actor_id in one.actor_ids), None)
    context = {
        "userId": viewer.user_id,
        "isMine": is_mine,
        "myStatus": "read" if is_mine else mine,
        "myReaction": reaction,
    }
    return {**shown, "statuses": statuses, "context": context}


def status_list(shown: Json, number: int | None, readers: Sequence[Reader]) -> list[Json]:
    """Return who has read a message and who has not, but for its sender."""
    return [
        {"userId": reader.user_id, "status": "read" if (number or 0) <= reader.read_number else "unread"}
        for reader in readers
        if reader.user_id != shown["senderId"]
    ]


def reactions_json(message: Message, user_ids: UserIds) -> Json:
    """Return a message's reactions one by one, and counted."""
    each = [
        {"messageId": message.id, "reaction": one.emoji, "userId": user_ids.get(actor_id, "")}
        for one in message.reactions
        for actor_id in one.actor_ids
    ]
    return {"reactions": each, "counts": {one.emoji: len(one.actor_ids) for one in message.reactions}}


def _kept(message: Json) -> Kept:
    found = (message["extra"] or {}).get(EXTRA)
    return msgspec.convert(found, Kept) if isinstance(found, dict) else Kept()


def _meta(message: Json) -> Json:
    found = (message["extra"] or {}).get(MESSAGE_KEY)
    meta: Json = found if isinstance(found, dict) else {}
    if not message["attachments"]:
        return meta
    files = [
        {
            "mediaId": one["media_id"],
            "name": one["name"],
            "contentType": one["content_type"],
            "size": one["size_bytes"],
        }
        for one in message["attachments"]
    ]
    return {**meta, "attachments": files}


def _attached(attachments: Sequence[Json]) -> str:
    kinds: dict[str, str] = {"image": "image", "video": "video", "audio": "audio", "voice": "audio"}
    return kinds.get(attachments[0]["kind"], "file")


# ---------------------------------------------------------------- dialogs


def dialog_json(row: Record, name: str, created_by: str, tenant_id: str) -> Json:
    """Return a dialog as updates carry it: the same for every member. A row of `store.list_dialogs`."""
    dialog_id = public_id("cnv", row["id"])
    return {
        "_id": dialog_id,
        "dialogId": dialog_id,
        "tenantId": tenant_id,
        "name": name,
        "dialogName": name,
        "createdBy": created_by,
        "meta": {"type": "p2p" if row["kind"] == "direct" else "group", **(row["fields"] or {})},
        "memberCount": row["member_count"],
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["last_message_at"] or row["created_at"]),
    }


def own_dialog_json(
    shown: Json, row: Record, conversation: Conversation, members: Sequence[Json], user_ids: UserIds, *, last: bool
) -> Json:  # fmt: skip
    """Add what a dialog is to the one who asks: unread, when they came, and the last message when asked for."""
    spoken_at = iso(row["last_message_at"])
    found = {
        **shown,
        "members": list(members),
        "unreadCount": conversation.unread,
        "lastSeenAt": None,
        "lastMessageAt": spoken_at,
        "lastInteractionAt": spoken_at or shown["createdAt"],
        "joinedAt": iso(row["joined_at"]),
        "isActive": True,
    }
    snippet = conversation.last_message
    if last and snippet is not None:
        found["lastMessage"] = {
            "messageId": snippet.id,
            "content": "" if snippet.is_deleted else snippet.text,
            "senderId": user_ids.get(snippet.sender.id, ""),
            "type": "text"
            if snippet.attachment_kind is None
            else _attached([{"kind": snippet.attachment_kind}]),
            "createdAt": iso(snippet.created_at),
        }
    return found


def member_json(row: Record) -> Json:
    """Return a member. A row of `store.list_members` whose actor has a user id."""
    return {
        "userId": row["external_id"],
        "name": row["name"],
        "role": row["role"],
        "joinedAt": iso(row["joined_at"]),
    }


def pagination(page: int, limit: int, total: int) -> Json:
    """Return what stands beside a page."""
    return {"page": page, "limit": limit, "total": total, "pages": -(-total // limit)}
