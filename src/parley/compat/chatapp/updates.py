"""Updates: what this dialect's clients are told when something changes, made of our events and signals.

An update is made once for each event and process, however many clients get it; each gets it under its own user id.
Nothing is stored: who was away reads anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from parley.compat.chatapp import store
from parley.compat.chatapp.dialogs import MEMBERS_SHOWN, named_members
from parley.compat.chatapp.people import Person, UserIds, find_people
from parley.compat.chatapp.shapes import Reader, status_list
from parley.conversations import history
from parley.conversations.chat3 import Json, as_deleted, dialog_json, dialog_names, iso, message_json
from parley.infra.db import Database, Tx
from parley.kit.ids import parse_id, public_id
from parley.realtime.frames import EventFrame, SignalFrame

REMEMBERED = 1000
"""Updates made last, for the clients that come to them later."""
READ_AT_ONCE = 50
"""Messages of which it is told that somebody has read them, when several are read at once: the last."""

_MESSAGE_EVENTS = {
    "message.created": "message.create",
    "message.updated": "message.update",
    "message.deleted": "message.delete",
    "reaction.added": "message.reaction.add",
    "reaction.removed": "message.reaction.remove",
}
_DIALOG_EVENTS = {
    "member.joined": "dialog.member.add",
    "member.left": "dialog.member.remove",
    "member.changed": "dialog.update",
    "conversation.changed": "dialog.update",
    "conversation.fields_changed": "dialog.update",
}


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One update, but for whose it is.

    ``hidden_from``: who deleted its message for themselves. ``names``: what a dialog is called by some of its members,
    where that is not what the data says.
    """

    event_type: str
    event_id: str
    dialog_id: str
    entity_id: str
    tenant_id: str
    at: str
    data: Json
    hidden_from: frozenset[UUID] = frozenset()
    names: Mapping[UUID, str] = {}

    def as_type(self, event_type: str) -> Update:
        """Return it under another event's name."""
        return msgspec.structs.replace(self, event_type=event_type)

    def told_to(self, actor_id: UUID, user_id: str) -> Json:
        """Return it as a client of this actor gets it."""
        name = self.names.get(actor_id)
        data = self.data if name is None else {**self.data, "name": name, "dialogName": name}
        return {
            "_id": f"{self.event_id}.{user_id}",
            "tenantId": self.tenant_id,
            "userId": user_id,
            "dialogId": self.dialog_id,
            "entityId": self.entity_id,
            "eventId": self.event_id,
            "eventType": self.event_type,
            "data": data,
            "published": True,
            "publishedAt": self.at,
            "createdAt": self.at,
        }


class Updates:
    """The updates of a process."""

    def __init__(self, db: Database, user_ids: UserIds) -> None:
        self._db = db
        self._user_ids = user_ids
        self._made: dict[tuple[Any, ...], asyncio.Task[list[Update]]] = {}
        self._read: dict[tuple[str, str], int] = {}

    async def of_event(self, workspace_id: UUID, frame: EventFrame) -> list[Update]:
        """Return what an event of a conversation is to this dialect: mostly one update, or none."""

        async def make() -> list[Update]:
            if frame.kind in _MESSAGE_EVENTS:
                return await self._of_message(workspace_id, frame)
            if frame.kind in _DIALOG_EVENTS:
                return await self._of_dialog(workspace_id, frame)
            return []

        return await self._once(
            (frame.stream, frame.number, frame.tag, frame.data.get("member") is None), make
        )

    async def of_reading(
        self, workspace_id: UUID, dialog_id: str, actor_id: str, number: int
    ) -> list[Update]:
        """Return what it is that somebody has read up to a number: an update for each message read by that."""

        async def make() -> list[Update]:
            return await self._of_reading(workspace_id, dialog_id, actor_id, number)

        return await self._once((dialog_id, actor_id, number), make)

    async def of_dialog(
        self, workspace_id: UUID, dialog_id: str, event_type: str, *, event_id: str
    ) -> list[Update]:
        """Return an update that carries a dialog as it is now; nothing when it is none of this dialect."""
        key = parse_id("cnv", dialog_id)
        async with self._db.transaction(workspace_id) as tx:
            found = await _show_dialog(tx, workspace_id, key)
            now = iso(tx.now) or ""
        if found is None:
            return []
        shown, names = found
        return [
            Update(
                event_type=event_type,
                event_id=event_id,
                dialog_id=dialog_id,
                entity_id=dialog_id,
                tenant_id=public_id("ws", workspace_id),
                at=now,
                data=shown,
                names=names,
            )
        ]

    async def of_hiding(self, workspace_id: UUID, frame: EventFrame) -> list[Update]:
        """Return what it is that somebody deleted a message for themselves: to them it is deleted."""
        message_id, dialog_id = frame.data["message_id"], frame.data["conversation_id"]
        key = parse_id("msg", message_id)
        async with self._db.transaction(workspace_id) as tx:
            found = await history.get_messages(tx, [(parse_id("cnv", dialog_id), key)])
        if key not in found:
            return []
        message = as_deleted(msgspec.to_builtins(found[key]), frame.at)
        user_ids = await self._user_ids.get(workspace_id, [parse_id("act", message["sender"]["id"])])
        tenant_id = public_id("ws", workspace_id)
        return [
            Update(
                event_type="message.delete",
                event_id=_event_id(frame),
                dialog_id=dialog_id,
                entity_id=message_id,
                tenant_id=tenant_id,
                at=iso(frame.at) or "",
                data=message_json(message, user_ids, tenant_id),
            )
        ]

    async def people(self, workspace_id: UUID, actor_ids: Sequence[str]) -> list[Person]:
        """Return who they are, by our public ids; in their order, without those that do not exist."""
        keys = [parse_id("act", actor_id) for actor_id in actor_ids]
        async with self._db.transaction(workspace_id) as tx:
            found = await find_people(tx, workspace_id, keys)
        return [found[key] for key in keys if key in found]

    def close(self) -> None:
        """End what is being made."""
        for task in self._made.values():
            task.cancel()

    # ------------------------------------------------------------ private

    async def _once(self, key: tuple[Any, ...], make: Callable[[], Awaitable[list[Update]]]) -> list[Update]:
        task = self._made.get(key)
        if task is None:
            task = self._made[key] = asyncio.ensure_future(make())
            if len(self._made) > REMEMBERED:
                del self._made[next(iter(self._made))]
        try:
            return await asyncio.shield(task)
        except Exception:
            self._made.pop(key, None)
            raise

    async def _of_message(self, workspace_id: UUID, frame: EventFrame) -> list[Update]:
        message, hidden_from = await self._read_message(workspace_id, frame)
        if message is None:
            return []
        user_ids = await self._user_ids.get(workspace_id, [parse_id("act", message["sender"]["id"])])
        tenant_id = public_id("ws", workspace_id)
        data = message_json(message, user_ids, tenant_id)
        if frame.kind.startswith("reaction."):
            actors = await self._user_ids.get(workspace_id, [parse_id("act", frame.data["actor_id"])])
            data["reaction"] = {
                "userId": actors.get(frame.data["actor_id"], ""), "reaction": frame.data["emoji"],
            }  # fmt: skip
        return [
            Update(
                event_type=_MESSAGE_EVENTS[frame.kind],
                event_id=_event_id(frame),
                dialog_id=frame.stream,
                entity_id=message["id"],
                tenant_id=tenant_id,
                at=iso(frame.at) or "",
                data=data,
                hidden_from=hidden_from,
            )
        ]

    async def _read_message(
        self, workspace_id: UUID, frame: EventFrame
    ) -> tuple[Json | None, frozenset[UUID]]:
        """Return the message of an event, and who deleted it for themselves; of a new one nobody did."""
        told: Json | None = frame.data.get("message")
        if told is not None and frame.kind == "message.created":
            return told, frozenset()
        dialog_id, key = (
            parse_id("cnv", frame.stream),
            parse_id("msg", frame.data.get("message_id") or (told or {})["id"]),
        )
        async with self._db.transaction(workspace_id) as tx:
            hidden = await store.list_hidden(tx, dialog_id, [key])
            if told is None:
                found = await history.get_messages(tx, [(dialog_id, key)])
                told = msgspec.to_builtins(found[key]) if found else None
        return told, hidden.get(key, frozenset())

    async def _of_dialog(self, workspace_id: UUID, frame: EventFrame) -> list[Update]:
        member = frame.data.get("member")
        # who reads a broadcast is not told to its readers: to them the dialog is another, by its count
        is_concealed = frame.kind.startswith("member.") and member is None
        event_type = "dialog.update" if is_concealed else _DIALOG_EVENTS[frame.kind]
        updates = await self.of_dialog(workspace_id, frame.stream, event_type, event_id=_event_id(frame))
        if member is None:
            return updates
        actor_id = member["actor"]["id"]
        user_ids = await self._user_ids.get(workspace_id, [parse_id("act", actor_id)])
        told = {"userId": user_ids.get(actor_id, ""), "name": member["actor"]["name"], "role": member["role"]}
        return [msgspec.structs.replace(one, data={**one.data, "member": told}) for one in updates]

    async def _of_reading(
        self, workspace_id: UUID, dialog_id: str, actor_id: str, number: int
    ) -> list[Update]:
        before = self._read.pop((dialog_id, actor_id), 0)
        self._read[(dialog_id, actor_id)] = max(number, before)
        if len(self._read) > REMEMBERED:
            del self._read[next(iter(self._read))]
        conversation_id, reader_id = parse_id("cnv", dialog_id), parse_id("act", actor_id)
        async with self._db.transaction(workspace_id) as tx:
            ids = await store.list_numbered(
                tx, conversation_id, above=before, up_to=number, but_of=reader_id, limit=READ_AT_ONCE
            )
            found = await history.get_messages(tx, [(conversation_id, key) for key in ids])
            hidden = await store.list_hidden(tx, conversation_id, ids) if ids else {}
            rows = (await named_members(tx, workspace_id, [conversation_id], None)).get(conversation_id, [])
            now = iso(tx.now) or ""
        readers = [Reader(row["external_id"], row["read_number"]) for row in rows]
        actors = [parse_id("act", found[key].sender.id) for key in ids]
        user_ids = await self._user_ids.get(workspace_id, {*actors, reader_id})
        tenant_id = public_id("ws", workspace_id)
        updates = []
        for key in ids:
            data = message_json(msgspec.to_builtins(found[key]), user_ids, tenant_id)
            if len(readers) < MEMBERS_SHOWN:
                data["statuses"] = status_list(data, found[key].number, readers)
            data |= {"userId": user_ids.get(actor_id, ""), "status": "read"}
            updates.append(
                Update(
                    event_type="message.status.update",
                    event_id=f"{found[key].id}.{actor_id}.read",
                    dialog_id=dialog_id,
                    entity_id=found[key].id,
                    tenant_id=tenant_id,
                    at=now,
                    data=data,
                    hidden_from=hidden.get(key, frozenset()),
                )
            )
        return updates


def reader_of(frame: SignalFrame) -> tuple[str, int] | None:
    """Return who read up to which number, when that is what a signal says."""
    number = frame.data.get("read_number")
    return (frame.actor_id, number) if frame.kind == "member.read" and frame.actor_id and number else None


async def _show_dialog(tx: Tx, workspace_id: UUID, key: UUID) -> tuple[Json, dict[UUID, str]] | None:
    """Return a dialog, and what its members call it when it is a direct one: by the name of the other."""
    rows = await store.list_dialogs(tx, workspace_id, [key], key)  # of nobody in particular
    if not rows:
        return None
    row = rows[0]
    maker = row["created_by"]
    people: dict[UUID, Person] = await find_people(tx, workspace_id, [maker]) if maker else {}
    created_by = people[maker].user_id if maker in people else ""
    name: str = row["title"] or ""
    names: dict[UUID, str] = {}
    if not name:
        members = await store.list_members(tx, workspace_id, [key], 2, viewer=None)
        name, names = dialog_names([(one["actor_id"], one["name"]) for one in members])
    return dialog_json(row, name, created_by, public_id("ws", workspace_id)), names


def _event_id(frame: EventFrame) -> str:
    return f"{frame.stream}.{frame.number}"
