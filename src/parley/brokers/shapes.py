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

from parley.brokers.facts import HIDDEN, Facts, Told, find_message, message_of
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
    HIDDEN: ("message", "message.delete"),
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
    actor_external_id: str | None
    actor_type: str
    data: msgspec.Raw
    created_at: dt.datetime


class UpdateBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The same, made out to one receiver. ``published`` is always true: what is not published is nowhere."""

    update_id: str = msgspec.field(name="_id")
    tenant_id: str
    user_id: str
    external_id: str | None
    dialog_id: str
    entity_id: str
    event_id: str
    event_type: str
    data: msgspec.Raw
    published: bool = True
    published_at: dt.datetime
    created_at: dt.datetime


class Shaped(msgspec.Struct, frozen=True, kw_only=True):
    """An event in Chat3's words, ready to be made out to any number of receivers: its data is encoded once."""

    event: Event
    body: EventBody
    is_readable: bool = True

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
            headers=self.headers() | {"x-parley-audience": _audience(self.event)},
        )

    def to_update(self, actor_id: UUID, external_id: str | None, at: dt.datetime) -> Outgoing:
        """Return it as published for one receiver; under their external id as well, within their workspace."""
        body, user_id = self.body, public_id("act", actor_id)
        update = UpdateBody(
            update_id=update_id(body.event_id, user_id),
            tenant_id=body.tenant_id,
            user_id=user_id,
            external_id=external_id,
            dialog_id=body.dialog_id,
            entity_id=body.entity_id,
            event_id=body.event_id,
            event_type=body.event_type,
            data=body.data,
            published_at=at,
            created_at=body.created_at,
        )
        headers = self.headers() | {"userId": user_id, "entityId": body.entity_id}
        if external_id is not None:
            # RabbitMQ delivers to the bindings of these keys too, once to a queue that is bound by both
            known = f"workspace.{body.tenant_id}.user.{key_part(external_id)}.{self.ending}"
            headers |= {"CC": [known]} if len(known.encode()) <= ROUTING_KEY_LIMIT_BYTES else {}
        return Outgoing(
            exchange=UPDATES_EXCHANGE,
            routing_key=f"user.{user_id}.{self.ending}",
            message_id=update.update_id,
            kind=body.event_type,
            at=self.event.at,
            body=msgspec.json.encode(update),
            headers=headers,
        )

    @property
    def ending(self) -> str:
        """How the routing keys of its updates end."""
        return "messageupdate" if self.body.event_type.startswith("message.") else "dialogupdate"

    def headers(self) -> dict[str, Any]:
        """Return what tells of it without its body being read."""
        return {
            "eventType": self.body.event_type,
            "entityType": self.body.entity_type,
            "tenantId": self.body.tenant_id,
            "x-parley-stream": public_id(_prefix(self.event), self.event.stream_id),
            "x-parley-number": self.event.number,
            "x-parley-tag": self.event.tag,
            "x-parley-kind": self.event.kind,
        }


def shape_event(told: Told, facts: Facts) -> Shaped:
    """Return an event in Chat3's words."""
    event = told.event
    entity, name = _NAMES.get(event.kind) or (
        ("message", "message.update") if event.kind.startswith("message.") else ("dialog", "dialog.update")
    )
    return _shape(event, entity, name, _data(told, facts), facts)


def shape_creation(told: Told, facts: Facts) -> Shaped:
    """Return what the first event of a stream means besides: that the conversation is there now."""
    dialog = {**_dialog_data(told.event, facts), "dialogId": _dialog(told.event), "createdAt": told.event.at}
    return _shape(told.event, "dialog", "dialog.create", dialog, facts)


def shape_unreadable(event: Event) -> Shaped:
    """Return an event whose data could not be told: consumers learn that it was, and read the rest by REST."""
    entity, name = _NAMES.get(event.kind, ("dialog", "dialog.update"))
    shaped = _shape(event, entity, name, {"dialogId": _dialog(event), "unreadable": True})
    return msgspec.structs.replace(shaped, is_readable=False)


def update_id(event_id: str, receiver: str) -> str:
    """Return the id of an update, the same whenever it is made."""
    return f"upd_{_digest(event_id, receiver)}"


def key_part(external_id: str) -> str:
    """Return an external id as a word of a routing key."""
    return external_id.replace(".", "%2E")


def _shape(event: Event, entity: str, name: str, data: dict[str, Any], facts: Facts | None = None) -> Shaped:
    stream = public_id(_prefix(event), event.stream_id)
    dialog_id = _dialog(event)
    by = event.actor_id if event.stream == "conversation" else event.stream_id
    actor_id = public_id("act", by) if by else None
    return Shaped(
        event=event,
        body=EventBody(
            event_id=f"evt_{_digest(stream, event.number, event.tag, name)}",
            tenant_id=public_id("ws", event.workspace_id),
            event_type=name,
            entity_type=entity,
            entity_id=str(data.get("messageId") or data.get("userId") or dialog_id),
            dialog_id=dialog_id,
            actor_id=actor_id,
            actor_external_id=facts.external_ids.get(actor_id) if facts and actor_id else None,
            actor_type="user" if by else "system",
            data=msgspec.Raw(msgspec.json.encode(data)),
            created_at=event.at,
        ),
    )


def _data(told: Told, facts: Facts) -> dict[str, Any]:
    event, data, dialog_id = told.event, told.event.data, _dialog(told.event)
    if message := data.get("message"):
        return _message(message, event, facts)
    if event.kind.startswith(("message.", "reaction.", "read.")):
        return _about_message(told, facts)
    if member := data.get("member"):
        actor = member["actor"]
        return {
            "dialogId": dialog_id,
            **_person(actor["id"], facts),
            "name": actor["name"],
            "type": actor["kind"],
            "role": member["role"],
            "isActive": event.kind != "member.left",
            "joinedAt": member["joined_at"],
            "dialog": _dialog_data(event, facts),
        }
    return {**_dialog_data(event, facts), **data, "dialogId": dialog_id, "kind": event.kind}


def _about_message(told: Told, facts: Facts) -> dict[str, Any]:
    """Return the whole message that an event is about, and what became of it."""
    event, data, message_id = told.event, told.event.data, message_of(told)
    found = find_message(told, facts)
    known = {
        **(_message(found, event, facts) if found else {}),
        "dialogId": _dialog(event),
        "messageId": public_id("msg", message_id) if message_id else None,
    }
    if event.kind == "read.moved":
        reader = _person(public_id("act", event.stream_id), facts)
        return {**known, **reader, "status": "read", "readNumber": data["read_number"]}
    if event.kind == HIDDEN:
        return known
    if event.kind == "message.status_changed":
        return {**known, "status": data["status"]["state"]}
    if event.kind in ("reaction.added", "reaction.removed"):
        return {**known, **_person(data["actor_id"], facts), "reaction": data["emoji"]}
    return {**known, **data, "dialogId": known["dialogId"], "kind": event.kind}


def _person(actor_id: str, facts: Facts) -> dict[str, Any]:
    return {"userId": actor_id, "externalId": facts.external_ids.get(actor_id)}


def _dialog_data(event: Event, facts: Facts) -> dict[str, Any]:
    """A dialog in Chat3's words, as it is now; by its id alone when it is there no more."""
    dialog_id = _dialog(event)
    row = facts.dialogs.get(event.stream_id)
    if row is None:
        return {"_id": dialog_id, "dialogId": dialog_id}
    made_by = public_id("act", row["created_by"]) if row["created_by"] else None
    return {
        "_id": dialog_id,
        "dialogId": dialog_id,
        "tenantId": public_id("ws", event.workspace_id),
        "name": row["title"],
        "type": row["kind"],
        "createdBy": made_by,
        "createdByExternalId": facts.external_ids.get(made_by) if made_by else None,
        "meta": row["fields"] or {},
        "memberCount": row["member_count"],
        "createdAt": row["created_at"],
        "updatedAt": row["last_message_at"] or row["created_at"],
    }


def _message(message: dict[str, Any], event: Event, facts: Facts) -> dict[str, Any]:
    """A message in Chat3's words: all of its text, not the first 4096 characters."""
    reply, attachments = message["reply_to"], message["attachments"]
    return {
        "_id": message["id"],
        "messageId": message["id"],
        "tenantId": public_id("ws", event.workspace_id),
        "dialogId": message["conversation_id"],
        "senderId": message["sender"]["id"],
        "senderExternalId": facts.external_ids.get(message["sender"]["id"]),
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
