"""Messages and dialogs as applications know them that were written for the engine Chat3. Pure.

What the dialect of the chat application sends to browsers, and what the broker publishes for such applications. Ids of
dialogs and messages are ours, given as ``_id`` as well as ``dialogId`` or ``messageId``; people are named by their
external ids; times are RFC 3339.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from parley.conversations.fields import MESSAGE_KEY
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


def iso(moment: dt.datetime | None) -> str | None:
    """Return a moment as its clients read it."""
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message_json(message: Json, user_ids: UserIds, tenant_id: str) -> Json:
    """Return a message, of its JSON in our own shape: the same for every member."""
    kept = _kept(message)
    is_deleted = message["deleted_at"] is not None
    is_original = message["version"] == 1 and kept.content is not None
    attachments = message["attachments"]
    sender_id = user_ids.get(message["sender"]["id"], "")
    kind = kept.type if kept.type != "text" or not attachments else attached_type(attachments)
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


def as_deleted(message: Json, at: dt.datetime) -> Json:
    """Return a message as it is to who deleted it for themselves: like one deleted for all. JSON in our own shape."""
    gone: Json = {
        "text": "",
        "entities": [],
        "attachments": [],
        "reactions": [],
        "reply_to": None,
        "extra": {},
    }
    return {**message, **gone, "forwarded_from": None, "deleted_at": msgspec.to_builtins(at)}


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


def dialog_names(members: Sequence[tuple[UUID, str]]) -> tuple[str, dict[UUID, str]]:
    """Return what a dialog without a title is called, and what by these, its first members: by the name of another.

    ``members`` with their names, in the order of their ids.
    """
    called = {
        actor_id: next((name for other, name in members if other != actor_id), "") for actor_id, _ in members
    }
    return members[0][1] if members else "", called


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


def attached_type(attachments: Sequence[Json]) -> str:
    """Return the type of a message by its first attachment."""
    kinds: dict[str, str] = {"image": "image", "video": "video", "audio": "audio", "voice": "audio"}
    return kinds.get(attachments[0]["kind"], "file")
