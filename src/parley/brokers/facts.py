"""What the database has to say of events that are to be published, read for a batch of them at once.

Events name things; what is told of them is whole. So it is as of publishing: a reaction that is published a week late
comes with the message as it reads then, and without words that were deleted since.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record

from parley.accounts.user_ids import give_user_ids, new_user_id
from parley.brokers import store
from parley.conversations import history
from parley.conversations.chat3 import as_deleted
from parley.infra.db import Tx
from parley.kit.errors import Malformed
from parley.kit.events import Event
from parley.kit.ids import parse_id, public_id

HIDDEN = "message.hidden"
"""The personal event of somebody's deleting a message for themselves."""

_ABOUT_MESSAGES = ("message.", "reaction.", "read.")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event, whom it concerns, and what else is known of it already.

    ``is_first``: of a conversation, which is there now. ``message_id``: the last message read, of a `read.moved`.
    """

    event: Event
    members: frozenset[UUID]
    is_first: bool = False
    message_id: UUID | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the things that a batch names.

    ``external_ids`` by our public ids, ``receivers`` those whose updates are published, ``hidden`` pairs of actor and
    message; ``known_by_id`` is the workspace whose people are told of by their external ids as well.
    """

    published_at: dt.datetime
    messages: dict[UUID, dict[str, Any]]
    dialogs: dict[UUID, Record]
    external_ids: dict[str, str]
    receivers: frozenset[UUID]
    hidden: frozenset[tuple[UUID, UUID]]
    known_by_id: UUID | None = None


async def gather_facts(tx: Tx, told: Sequence[Told], *, is_everyone: bool, known_by_id: UUID | None) -> Facts:
    """Read it. In the workspace of ``known_by_id`` everybody named gets a user id who has no external id yet."""
    keys = [
        (key, found) for one in told if (key := conversation_of(one.event)) and (found := message_of(one))
    ]
    needed = [
        (key, found)
        for one in told
        if "message" not in one.event.data
        and (key := conversation_of(one.event))
        and (found := message_of(one))
    ]
    messages = await history.get_messages(tx, list(dict.fromkeys(needed)))
    rooms = {
        key
        for one in told
        if (one.is_first or not one.event.kind.startswith(_ABOUT_MESSAGES))
        and (key := conversation_of(one.event))
    }
    dialogs = {row["id"]: row for row in await store.list_dialogs(tx, rooms)} if rooms else {}
    everybody = frozenset[UUID]().union(*{one.members for one in told})
    receivers = await store.list_receivers(tx, everybody, is_everyone=is_everyone)
    named = {actor for one in told for actor in _persons(one.event)}
    named.update(row["created_by"] for row in dialogs.values() if row["created_by"])
    named.update(parse_id("act", message.sender.id) for message in messages.values())
    return Facts(
        published_at=tx.now,
        messages={key: msgspec.to_builtins(message) for key, message in messages.items()},
        dialogs=dialogs,
        external_ids=await _find_external_ids(tx, named | receivers, known_by_id),
        receivers=receivers,
        hidden=frozenset(await store.list_hidden(tx, keys) if keys else ()),
        known_by_id=known_by_id,
    )


async def _find_external_ids(tx: Tx, actors: Collection[UUID], known_by_id: UUID | None) -> dict[str, str]:
    rows = await store.list_external_ids(tx, actors)
    found = {row["id"]: row["external_id"] for row in rows if row["external_id"] is not None}
    nameless = {
        row["id"]: new_user_id()
        for row in rows
        if row["workspace_id"] == known_by_id and row["id"] not in found and row["kind"] != "contact"
    }
    if nameless and known_by_id is not None:
        await give_user_ids(tx, known_by_id, nameless)
        rows = await store.list_external_ids(tx, nameless)
        found |= {row["id"]: row["external_id"] for row in rows}
    return {public_id("act", key): external_id for key, external_id in found.items()}


def conversation_of(event: Event) -> UUID | None:
    """Return the conversation that an event is about."""
    return (
        event.stream_id
        if event.stream == "conversation"
        else _parse("cnv", event.data.get("conversation_id"))
    )


def message_of(told: Told) -> UUID | None:
    """Return the message that an event is about."""
    data = told.event.data
    message = data.get("message")
    named = message.get("id") if isinstance(message, dict) else data.get("message_id")
    return told.message_id or _parse("msg", named)


def find_message(told: Told, facts: Facts) -> dict[str, Any] | None:
    """Return the message that an event is about as its receivers are told of it; None when it is there no more."""
    message_id = message_of(told)
    found = told.event.data.get("message") or (facts.messages.get(message_id) if message_id else None)
    return as_deleted(found, told.event.at) if found and told.event.kind == HIDDEN else found


def _persons(event: Event) -> Iterable[UUID]:
    """Return who is named by an event itself; nobody by what cannot be read."""
    data = event.data
    if event.actor_id is not None:
        yield event.actor_id
    if event.stream == "personal":
        yield event.stream_id
    sender = (data.get("message") or {}).get("sender") or {}
    member = (data.get("member") or {}).get("actor") or {}
    for public in (sender.get("id"), member.get("id"), data.get("actor_id")):
        actor_id = _parse("act", public)
        if actor_id is not None:
            yield actor_id


def _parse(prefix: str, public: object) -> UUID | None:
    try:
        return parse_id(prefix, public) if isinstance(public, str) else None
    except Malformed:
        return None
