"""Mentions: a person or everybody is called by a message, counted exactly and told once.

Who is named gets `mention.created` in their personal stream. Everybody at once costs one row whatever the size of the
group: it is told by the message itself, and counted from that row by each member's read position.
Notes at the desk call colleagues; they carry no number, so they are told and not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import lock_personal, record_personal_to_many
from parley.conversations import mentions_store
from parley.conversations.errors import MayNotMentionAll, TooManyMentions
from parley.conversations.schemas import EntityJson
from parley.conversations.sizes import is_small
from parley.infra.db import Tx
from parley.kit.errors import ParleyError
from parley.kit.ids import parse_id, public_id

NAMED_LIMIT = 50
"""People one message may call by name: each gets a row and an event."""


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """What one message calls."""

    workspace_id: UUID
    conversation_id: UUID
    message_id: UUID
    number: int | None
    sender_id: UUID
    kind: str
    named: list[UUID]
    is_all: bool
    heard: frozenset[UUID] = frozenset()
    """Those who were called by it before: they are not told again."""


def list_named(entities: Iterable[EntityJson]) -> list[UUID]:
    """Return whom a text calls by name, each once, in their order."""
    return list(
        dict.fromkeys(
            parse_id("act", one.actor_id) for one in entities if one.kind == "mention" and one.actor_id
        )
    )


def has_all(entities: Iterable[EntityJson]) -> bool:
    """Whether a text calls everybody."""
    return any(one.kind == "mention_all" for one in entities)


def without_calls(entities: Iterable[EntityJson]) -> list[EntityJson]:
    """Return the formatting of a text alone: repeating the words calls nobody again."""
    return [
        one for one in entities if one.kind != "mention_all" and not (one.kind == "mention" and one.actor_id)
    ]


async def find_objection(
    tx: Tx, conversation_id: UUID, kind: str, role: str | None, entities: Sequence[EntityJson]
) -> ParleyError | None:
    """Return why somebody with this role may not call whom a text calls; None when they may."""
    if len(list_named(entities)) > NAMED_LIMIT:
        return TooManyMentions(limit=NAMED_LIMIT)
    if not has_all(entities) or kind == "direct" or role in ("owner", "moderator"):
        return None
    if kind == "group" and await is_small(tx, conversation_id):
        return None
    return MayNotMentionAll()


class Mentions:
    """What the messages of a batch call, written at its end: personal counters come last, by id."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._calls: list[_Call] = []

    def take(self, draft: Any, kind: str, message_id: UUID, number: int | None) -> None:
        """Take note of a numbered draft with entities; ``kind`` is the conversation's."""
        named, is_all = list_named(draft.entities), has_all(draft.entities)
        if named or is_all:
            self._calls.append(
                _Call(
                    workspace_id=draft.workspace_id,
                    conversation_id=draft.conversation_id,
                    message_id=message_id,
                    number=number,
                    sender_id=draft.sender_id,
                    kind=kind,
                    named=named,
                    is_all=is_all,
                )
            )

    async def write(self) -> None:
        """Write the rows and tell who is named. Nothing taken: nothing done."""
        if self._calls:
            await _write(self._tx, self._calls)


async def replace_mentions(
    tx: Tx,
    conversation: asyncpg.Record,
    message: asyncpg.Record,
    before: Sequence[EntityJson],
    after: Sequence[EntityJson],
) -> None:
    """After an edit: count whom the new text calls, and tell those who were not called before."""
    if not (list_named(before) or has_all(before) or list_named(after) or has_all(after)):
        return
    await mentions_store.delete_mentions(tx, message["conversation_id"], message["id"])
    call = _Call(
        workspace_id=message["workspace_id"],
        conversation_id=message["conversation_id"],
        message_id=message["id"],
        number=message["number"],
        sender_id=message["sender_id"],
        kind=conversation["kind"],
        named=list_named(after),
        is_all=has_all(after),
        heard=frozenset(list_named(before)),
    )
    await _write(tx, [call])


async def _write(tx: Tx, calls: Sequence[_Call]) -> None:
    pairs = [(call.conversation_id, actor_id) for call in calls for actor_id in call.named]
    hearers: set[tuple[UUID, UUID]] = set()
    if pairs:
        hearers = await mentions_store.list_hearers(
            tx, [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        )
    told = [
        (
            call,
            [
                actor
                for actor in call.named
                if actor != call.sender_id and (call.conversation_id, actor) in hearers
            ],
        )
        for call in calls
    ]
    await mentions_store.insert_mentions(tx, [row for call, named in told for row in _rows(call, named)])
    fresh = [(call, [actor for actor in named if actor not in call.heard]) for call, named in told]
    await lock_personal(tx, {actor for _, named in fresh for actor in named})
    for call, named in fresh:
        if named:
            await record_personal_to_many(tx, call.workspace_id, named, "mention.created", _told(call))


def _rows(call: _Call, named: Iterable[UUID]) -> list[tuple[UUID, UUID, UUID, int, UUID, UUID | None]]:
    if call.number is None or call.kind == "desk":
        return []
    actors: list[UUID | None] = [None] if call.is_all else list(named)
    return [
        (call.workspace_id, call.conversation_id, call.message_id, call.number, call.sender_id, actor)
        for actor in actors
    ]


def _told(call: _Call) -> dict[str, Any]:
    return {
        "conversation_id": public_id("cnv", call.conversation_id),
        "message_id": public_id("msg", call.message_id),
        "number": call.number,
        "sender_id": public_id("act", call.sender_id),
    }
