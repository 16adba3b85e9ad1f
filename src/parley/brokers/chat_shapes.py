"""Updates as an application written for Chat3 expects them: under its own ids of people, in their shapes to the last key.

Published beside those of `parley.brokers.shapes` for people of one workspace, under ``user.{externalId}.messageupdate``
or ``.dialogupdate``; the same objects that the dialect of the chat application sends over Socket.IO. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from parley.brokers.facts import Facts, Told, find_message
from parley.brokers.shapes import (
    ROUTING_KEY_LIMIT_BYTES,
    UPDATES_EXCHANGE,
    Outgoing,
    Shaped,
    key_part,
    update_id,
)
from parley.conversations.chat3 import Json, dialog_json, dialog_names, iso, message_json
from parley.kit.ids import public_id

NAMED_HEADER = "x-parley-ids"
"""Says ``external`` on these updates, for who is bound to the others as well."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An event ready to be made out to receivers by their external ids. ``names``: what a dialog is called by some of them."""

    shaped: Shaped
    published_at: str
    entity_id: str
    data: Json
    names: Mapping[UUID, str] = {}

    def may_name(self, external_id: str) -> bool:
        """Whether a key of this id is that person's alone: our own ids are other keys', and keys have a length."""
        is_long = len(self._key(external_id).encode()) > ROUTING_KEY_LIMIT_BYTES
        return not external_id.startswith("act_") and not is_long

    def to_update(self, actor_id: UUID, external_id: str) -> Outgoing:
        """Return it as published for one receiver."""
        body, name = self.shaped.body, self.names.get(actor_id)
        key = update_id(body.event_id, f"external {external_id}")
        update = {
            "_id": key,
            "tenantId": body.tenant_id,
            "userId": external_id,
            "dialogId": body.dialog_id,
            "entityId": self.entity_id,
            "eventId": body.event_id,
            "eventType": body.event_type,
            "data": self.data if name is None else {**self.data, "name": name, "dialogName": name},
            "published": True,
            "publishedAt": self.published_at,
            "createdAt": iso(body.created_at),
        }
        headers = {"userId": external_id, "entityId": self.entity_id, NAMED_HEADER: "external"}
        return Outgoing(
            exchange=UPDATES_EXCHANGE,
            routing_key=self._key(external_id),
            message_id=key,
            kind=body.event_type,
            at=self.shaped.event.at,
            body=msgspec.json.encode(update),
            headers=self.shaped.headers() | headers,
        )

    def _key(self, external_id: str) -> str:
        return f"user.{key_part(external_id)}.{self.shaped.ending}"


def shape_known(told: Told, shaped: Shaped, facts: Facts) -> Known | None:
    """Return an event for those who know people by external ids; None where nobody does.

    What could not be told in our own words is not told in these either.
    """
    if told.event.workspace_id != facts.known_by_id:
        return None
    is_message = shaped.body.event_type.startswith("message.")
    names: Mapping[UUID, str] = {}
    if not shaped.is_readable:
        data = msgspec.json.decode(shaped.body.data, type=dict[str, Any])
    elif is_message:
        data = _message(told, facts)
    else:
        data, names = _dialog(told, shaped, facts)
    return Known(
        shaped=shaped,
        published_at=iso(facts.published_at) or "",
        entity_id=str(data.get("messageId") or shaped.body.dialog_id),
        data=data,
        names=names,
    )


def _message(told: Told, facts: Facts) -> Json:
    event, message = told.event, find_message(told, facts)
    data: Json = {}
    if message:
        data = message_json(message, facts.external_ids, public_id("ws", event.workspace_id))
    if event.kind.startswith("reaction."):
        by = facts.external_ids.get(event.data["actor_id"], "")
        return {**data, "reaction": {"userId": by, "reaction": event.data["emoji"]}}
    if event.kind == "read.moved":
        by = facts.external_ids.get(public_id("act", event.stream_id), "")
        return {**data, "userId": by, "status": "read"}
    return data


def _dialog(told: Told, shaped: Shaped, facts: Facts) -> tuple[Json, Mapping[UUID, str]]:
    event = told.event
    row = facts.dialogs.get(event.stream_id)
    if row is None:
        dialog_id = public_id("cnv", event.stream_id)
        return {"_id": dialog_id, "dialogId": dialog_id}, {}
    name: str = row["title"] or ""
    names: Mapping[UUID, str] = {}
    if not name:
        name, names = dialog_names([(UUID(key), called) for key, called in row["first_members"] or ()])
    made_by = facts.external_ids.get(public_id("act", row["created_by"]), "") if row["created_by"] else ""
    data = dialog_json(row, name, made_by, public_id("ws", event.workspace_id))
    member = event.data.get("member")
    if member and shaped.body.event_type != "dialog.create":
        actor = member["actor"]
        told_of = {
            "userId": facts.external_ids.get(actor["id"], ""),
            "name": actor["name"],
            "role": member["role"],
        }
        data["member"] = told_of
    return data, names
