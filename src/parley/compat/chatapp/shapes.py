"""The JSON of this dialect's answers. Pure: what `parley.conversations.chat3` shows, and what is the asker's own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
from asyncpg import Record

from parley.compat.chatapp.people import Person
from parley.conversations.chat3 import Json, UserIds, attached_type, iso
from parley.conversations.schemas import Conversation, Message


class Reader(msgspec.Struct, frozen=True):
    """A member as statuses need it."""

    user_id: str
    read_number: int


class Viewer(msgspec.Struct, frozen=True):
    """For whom an answer is: our public id and the user id."""

    actor_id: str
    user_id: str


def user_json(person: Person, *, phone: str = "", created_at: dt.datetime | None = None) -> Json:
    """Return a user. The phone number is one's own or empty: nobody else's is told."""
    return {"userId": person.user_id, "phone": phone, "name": person.name, "createdAt": iso(created_at)}


# ---------------------------------------------------------------- messages


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


# ---------------------------------------------------------------- dialogs


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
            else attached_type([{"kind": snippet.attachment_kind}]),
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
