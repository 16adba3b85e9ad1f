"""From an event of ours to what is published: names and shapes of Chat3 as of November 2025; pure.

An event goes to `parley.events` under ``{entity}.{verb}.{workspace}``; an update, which is the event made out to one
member, to `parley.updates` under ``user.{actor}.messageupdate`` or ``.dialogupdate``. Ids follow from stream, number and
tag, so that a consumer knows a repeat whenever it comes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any
from uuid import UUID

import msgspec

from parley.kit.events import Event
from parley.kit.ids import public_id

EVENTS_EXCHANGE = "parley.events"
UPDATES_EXCHANGE = "parley.updates"
ROUTING_KEY_LIMIT_BYTES = 255
"""A short string of AMQP 0-9-1."""

_NAMES: dict[str, tuple[str, str]] = {
    "message.created": ("message", "message.create"),
    "message.updated": ("message", "message.update"),
    "message.deleted": ("message", "message.delete"),
    "message.status_changed": ("messageStatus", "message.status.update"),
    "reaction.added": ("messageReaction", "message.reaction.add"),
    "reaction.removed": ("messageReaction", "message.reaction.remove"),
    "member.joined": ("dialogMember", "dialog.member.add"),
    "member.left": ("dialogMember", "dialog.member.remove"),
    "member.changed": ("dialogMember", "dialog.member.update"),
    "read.moved": ("messageStatus", "message.status.update"),
}
"""Entity and event type of ours by kind; kinds not named here change the message or the dialog as a whole."""
_PICTURES = ("image", "sticker", "animation")


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message for the broker."""

    exchange: str
    routing_key: str
    message_id: str
    kind: str
    at: dt.datetime
    body: bytes
    headers: dict[str, Any]


class EventBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened, as Chat3 tells it."""

    event_id: str
    tenant_id: str
    event_type: str
    entity_type: str
    entity_id: str
    dialog_id: str
    actor_id: str | None
    actor_type: str
    data: msgspec.Raw
    created_at: dt.datetime


class UpdateBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The same, made out to one receiver."""

    update_id: str = msgspec.field(name="_id")
    tenant_id: str
    user_id: str
    external_id: str | None
    dialog_id: str
    entity_id: str
    event_id: str
    event_type: str
    data: msgspec.Raw
    created_at: dt.datetime


class Shaped(msgspec.Struct, frozen=True, kw_only=True):
    """An event in Chat3's words, ready to be made out to any number of receivers: its data is encoded once."""

    event: Event
    body: EventBody

    def to_event(self) -> Outgoing:
        """Return it as published to the events exchange."""
        verb = self.body.event_type.rpartition(".")[2]
        return Outgoing(
            exchange=EVENTS_EXCHANGE,
            routing_key=f"{self.body.entity_type}.{verb}.{self.body.tenant_id}",
            message_id=self.body.event_id,
            kind=self.body.event_type,
            at=self.event.at,
            body=msgspec.json.encode(self.body),
            headers=self._headers() | {"x-parley-audience": _audience(self.event)},
        )

    def to_update(self, actor_id: UUID, external_id: str | None) -> Outgoing:
        """Return it as published for one receiver; under their external id as well, within their workspace."""
        body, user_id = self.body, public_id("act", actor_id)
        ending = "messageupdate" if body.event_type.startswith("message.") else "dialogupdate"
        update = UpdateBody(
            update_id=f"upd_{_digest(body.event_id, user_id)}",
            tenant_id=body.tenant_id,
            user_id=user_id,
            external_id=external_id,
            dialog_id=body.dialog_id,
            entity_id=body.entity_id,
            event_id=body.event_id,
            event_type=body.event_type,
            data=body.data,
            created_at=body.created_at,
        )
        headers = self._headers() | {"userId": user_id, "entityId": body.entity_id}
        if external_id is not None:
            # RabbitMQ delivers to the bindings of these keys too, once to a queue that is bound by both
            known = f"workspace.{body.tenant_id}.user.{external_id.replace('.', '%2E')}.{ending}"
            headers |= {"CC": [known]} if len(known) <= ROUTING_KEY_LIMIT_BYTES else {}
        return Outgoing(
            exchange=UPDATES_EXCHANGE,
            routing_key=f"user.{user_id}.{ending}",
            message_id=update.update_id,
            kind=body.event_type,
            at=self.event.at,
            body=msgspec.json.encode(update),
            headers=headers,
        )

    def _headers(self) -> dict[str, Any]:
        return {
            "eventType": self.body.event_type,
            "entityType": self.body.entity_type,
            "tenantId": self.body.tenant_id,
            "x-parley-stream": public_id(_prefix(self.event), self.event.stream_id),
            "x-parley-number": self.event.number,
            "x-parley-tag": self.event.tag,
            "x-parley-kind": self.event.kind,
        }


def shape_event(event: Event, *, message_id: UUID | None = None) -> Shaped:
    """Return an event in Chat3's words. ``message_id``: the last message read, of a `read.moved`."""
    entity, name = _NAMES.get(event.kind) or (
        ("message", "message.update") if event.kind.startswith("message.") else ("dialog", "dialog.update")
    )
    data = _data(event, message_id)
    return _shape(event, entity, name, data)


def shape_creation(event: Event, kind: str, title: str | None) -> Shaped:
    """Return what the first event of a stream means besides: that the conversation is there now."""
    dialog = {"dialogId": _dialog(event), "name": title, "type": kind, "createdAt": event.at}
    return _shape(event, "dialog", "dialog.create", dialog)


def shape_unreadable(event: Event) -> Shaped:
    """Return an event whose data could not be told: consumers learn that it was, and read the rest by REST."""
    entity, name = _NAMES.get(event.kind, ("dialog", "dialog.update"))
    return _shape(event, entity, name, {"dialogId": _dialog(event), "unreadable": True})


def _shape(event: Event, entity: str, name: str, data: dict[str, Any]) -> Shaped:
    stream = public_id(_prefix(event), event.stream_id)
    dialog_id = _dialog(event)
    by = event.actor_id if event.stream == "conversation" else event.stream_id
    return Shaped(
        event=event,
        body=EventBody(
            event_id=f"evt_{_digest(stream, event.number, event.tag, name)}",
            tenant_id=public_id("ws", event.workspace_id),
            event_type=name,
            entity_type=entity,
            entity_id=str(data.get("messageId") or data.get("userId") or dialog_id),
            dialog_id=dialog_id,
            actor_id=public_id("act", by) if by else None,
            actor_type="user" if by else "system",
            data=msgspec.Raw(msgspec.json.encode(data)),
            created_at=event.at,
        ),
    )


def _data(event: Event, message_id: UUID | None) -> dict[str, Any]:
    told, dialog_id = event.data, _dialog(event)
    if message := told.get("message"):
        return _message(message, event)
    if event.kind == "read.moved":
        return {
            "dialogId": dialog_id,
            "messageId": public_id("msg", message_id) if message_id else None,
            "userId": public_id("act", event.stream_id),
            "status": "read",
            "readNumber": told["read_number"],
        }
    if event.kind == "message.status_changed":
        status = told["status"]
        return {"dialogId": dialog_id, "messageId": told["message_id"], "status": status["state"]}
    if event.kind in ("reaction.added", "reaction.removed"):
        return {
            "dialogId": dialog_id,
            "messageId": told["message_id"],
            "userId": told["actor_id"],
            "reaction": told["emoji"],
        }
    if member := told.get("member"):
        actor = member["actor"]
        return {
            "dialogId": dialog_id,
            "userId": actor["id"],
            "name": actor["name"],
            "type": actor["kind"],
            "role": member["role"],
            "isActive": event.kind != "member.left",
            "joinedAt": member["joined_at"],
        }
    known = {"messageId": told["message_id"]} if "message_id" in told else {}
    return {**told, **known, "dialogId": dialog_id, "kind": event.kind}


def _message(message: dict[str, Any], event: Event) -> dict[str, Any]:
    """A message in Chat3's words: all of its text, not the first 4096 characters."""
    reply, attachments = message["reply_to"], message["attachments"]
    return {
        "_id": message["id"],
        "messageId": message["id"],
        "tenantId": public_id("ws", event.workspace_id),
        "dialogId": message["conversation_id"],
        "senderId": message["sender"]["id"],
        "senderName": message["sender"]["name"],
        "content": message["text"],
        "type": _message_type(message),
        "meta": message["extra"].get("fields", {}),
        "reactionCounts": {one["emoji"]: len(one["actor_ids"]) for one in message["reactions"]},
        "quotedMessage": reply and {"messageId": reply["id"], "content": reply["quote"] or reply["text"]},
        "attachments": attachments,
        "number": message["number"],
        "clientId": message["client_id"],
        "isDeleted": message["deleted_at"] is not None,
        "createdAt": message["created_at"],
        "updatedAt": message["deleted_at"] or message["edited_at"] or message["created_at"],
    }


def _message_type(message: dict[str, Any]) -> str:
    if message["kind"] != "text":
        return str(message["kind"])
    if not message["attachments"]:
        return "text"
    kind = message["attachments"][0]["kind"]
    return "image" if kind in _PICTURES else kind if kind in ("audio", "voice", "video") else "file"


def _dialog(event: Event) -> str:
    if event.stream == "personal":
        return str(event.data["conversation_id"])
    return public_id("cnv", event.stream_id)


def _prefix(event: Event) -> str:
    return "act" if event.stream == "personal" else "cnv"


def _audience(event: Event) -> str:
    return event.audience if event.audience in ("all", "staff") else "one"


def _digest(*parts: object) -> str:
    return hashlib.blake2b("\n".join(map(str, parts)).encode(), digest_size=16).hexdigest()
