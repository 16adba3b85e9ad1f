"""Streams: numbered events without gaps, and how a reader that was away continues.

Every change but a send goes through `append`; sends number themselves in batches (`sending`). A cursor is
(number, tag): when the tag does not match the stored event, numbers were reused after a restore, and the
reader is told to start anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from parley.conversations import store
from parley.conversations.errors import StreamReset
from parley.conversations.rights import may
from parley.conversations.schemas import Cursor
from parley.infra.db import Tx
from parley.kit.events import ALL, CONVERSATION_KINDS, NOT_READERS, STAFF, Event
from parley.kit.ids import parse_id, public_id

RESUME_LIMIT = 1000
"""Events a reader may have missed in one stream before it gets a reset; docs/adr/0003."""


def new_tag() -> int:
    """Return 32 random bits, signed as PostgreSQL's integer."""
    return secrets.randbits(32) - 2**31


async def append(
    tx: Tx,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    kind: str,
    data: dict[str, Any],
    actor_id: UUID | None,
    audience: str = ALL,
    context: dict[str, Any] | None = None,
) -> Event:
    """Write one event at the conversation's next number and run its reactions.

    Locks the conversation's row. On return the event is numbered, not yet committed.
    """
    assert kind in CONVERSATION_KINDS, f"{kind} is not in the table of events"
    tag = new_tag()
    number = await store.append_event(
        tx, workspace_id, conversation_id, tag=tag, kind=kind, audience=audience, actor_id=actor_id, data=data
    )
    event = Event(
        workspace_id=workspace_id,
        stream="conversation",
        stream_id=conversation_id,
        number=number,
        tag=tag,
        kind=kind,
        at=tx.now,
        audience=audience,
        actor_id=actor_id,
        data=data,
        context=context or {},
    )
    await tx.record([event])
    return event


async def append_many(
    tx: Tx,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    kind: str,
    data: Sequence[dict[str, Any]],
    actor_id: UUID | None,
) -> None:
    """As `append` for several events of a kind to everyone, in their order: one statement, one run of the reactions."""
    assert kind in CONVERSATION_KINDS, f"{kind} is not in the table of events"
    tags = [new_tag() for _ in data]
    head = await store.append_events(
        tx, workspace_id, conversation_id, tags=tags, kind=kind, actor_id=actor_id, data=data
    )
    await tx.record(
        [
            Event(
                workspace_id=workspace_id,
                stream="conversation",
                stream_id=conversation_id,
                number=number,
                tag=tag,
                kind=kind,
                at=tx.now,
                actor_id=actor_id,
                data=one,
            )
            for number, tag, one in zip(range(head - len(tags) + 1, head + 1), tags, data, strict=True)
        ]
    )


def is_for(audience: str, view: str, actor_id: UUID) -> bool:
    """Whether what has this audience is for a reader with this view (`parley.conversations.visibility.View`)."""
    if audience == ALL:
        return True
    if audience == NOT_READERS:
        return view != "reader"
    return view == STAFF if audience == STAFF else audience == str(actor_id)


def event_for(event: Event, view: str, actor_id: UUID | None) -> Event:
    """Return an event as an actor with this view gets it; ``actor_id`` None: any whom it does not name.

    What became of a message at the provider is the staff's; who else reads a broadcast is not its readers' to know.
    The very same object where there is nothing to leave out, so that it need not be encoded twice.
    """
    if view == STAFF:
        return event
    if view == "reader" and find_named_reader(event) not in (None, actor_id):
        return msgspec.structs.replace(event, actor_id=None, data={**event.data, "member": None})
    message = event.data.get("message")
    if not message or message.get("status") is None:
        return event
    return msgspec.structs.replace(event, data={**event.data, "message": {**message, "status": None}})


def find_named_reader(event: Event) -> UUID | None:
    """Return who reads a broadcast, as its event says; of those who write, or did until now, everybody may know."""
    member = event.data.get("member")
    if event.stream != "conversation" or not member:
        return None
    roles = (member["role"], event.data.get("former_role"))
    is_writer = any(may("broadcast", role, "write") for role in roles)
    return None if is_writer else parse_id("act", member["actor"]["id"])


async def read_head(tx: Tx, conversation_id: UUID) -> Cursor:
    """Return the cursor of the stream's last event; number 0 when it has none."""
    return await store.get_head(tx, conversation_id)


async def read_events(tx: Tx, conversation_id: UUID, *, after: int, limit: int) -> list[Event]:
    """Return events with numbers above ``after``, ascending, all audiences."""
    return await store.list_events(tx, conversation_id, after, limit)


async def resume(tx: Tx, conversation_id: UUID, cursor: Cursor) -> list[Event]:
    """Return all events after the cursor, ascending, at most `RESUME_LIMIT`.

    Raises: StreamReset when the tag is another, too much was missed, or the events are kept no more.
    """
    head = await store.get_head(tx, conversation_id)
    events = await store.list_events(tx, conversation_id, max(0, cursor.number - 1), RESUME_LIMIT + 2)
    return continue_from(cursor, head, events, public_id("cnv", conversation_id))


async def read_personal_head(tx: Tx, actor_id: UUID) -> Cursor:
    """Return the cursor of the last event of someone's personal stream."""
    return await store.get_personal_head(tx, actor_id)


async def read_personal_events(tx: Tx, actor_id: UUID, *, after: int, limit: int) -> list[Event]:
    """Return personal events with numbers above ``after``, ascending."""
    return await store.list_personal_events(tx, actor_id, after, limit)


async def resume_personal(tx: Tx, actor_id: UUID, cursor: Cursor) -> list[Event]:
    """As `resume`, of a personal stream."""
    head = await store.get_personal_head(tx, actor_id)
    events = await store.list_personal_events(tx, actor_id, max(0, cursor.number - 1), RESUME_LIMIT + 2)
    return continue_from(cursor, head, events, public_id("act", actor_id))


def event_json(event: Event, stream: str, view: str, actor_id: UUID) -> dict[str, Any]:
    """Return the frame of an event as REST gives it to an actor with this view; see docs/reference/realtime.md."""
    event = event_for(event, view, actor_id)
    return {
        "type": "event",
        "stream": stream,
        "number": event.number,
        "tag": event.tag,
        "kind": event.kind,
        "at": event.at.isoformat(),
        "actor_id": public_id("act", event.actor_id) if event.actor_id else None,
        "data": event.data,
    }


def continue_from(cursor: Cursor, head: Cursor, events: list[Event], stream: str) -> list[Event]:
    """Return those of ``events``, read from the cursor's own number on, that come after it. Raises: StreamReset."""

    def reset() -> StreamReset:
        return StreamReset(stream=stream, head={"number": head.number, "tag": head.tag})

    if cursor.number > head.number or cursor.number < 0:
        raise reset()
    if cursor.number == head.number:
        if cursor.number and cursor.tag != head.tag:
            raise reset()
        return []
    if cursor.number:
        if not events or events[0].number != cursor.number or events[0].tag != cursor.tag:
            raise reset()
        events = events[1:]
    if len(events) > RESUME_LIMIT or not events:
        raise reset()
    if events[0].number != cursor.number + 1 or events[-1].number != cursor.number + len(events):
        raise reset()  # some are kept no more, the first ones or, while old events are being deleted, any
    return events
