"""What the desk does in the same transaction as an event: queue a delivery, touch the list, tell the screens,
have the assignments looked through of somebody whose rights changed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parley.desk import delivery_store, list_store
from parley.desk.assignment import react_to_rights
from parley.desk.delivery_store import DELIVERIES
from parley.infra.db import Tx
from parley.kit.events import Event, Touch
from parley.kit.ids import uuid7


async def react(tx: Tx, events: Sequence[Event]) -> None:
    """Registered by apps as a reaction of every transaction. Events of other conversations cost nothing."""
    await react_to_rights(tx, events)
    desk = [event for event in events if event.context.get("conversation_kind") == "desk"]
    if not desk:
        return
    await _queue_deliveries(tx, desk)
    await _touch(tx, desk)


async def _queue_deliveries(tx: Tx, events: Sequence[Event]) -> None:
    wanted: list[tuple[Event, str]] = []
    for event in events:
        if not event.context.get("is_outward"):
            continue
        if event.kind == "message.created":
            wanted.append((event, "send"))
        elif event.kind == "message.updated" and event.context.get("change") == "text":
            wanted.append((event, "edit"))
        elif event.kind == "message.deleted":
            wanted.append((event, "delete"))
    if not wanted:
        return
    await delivery_store.insert_deliveries(
        tx,
        workspaces=[event.workspace_id for event, _ in wanted],
        ids=[uuid7() for _ in wanted],
        conversations=[event.stream_id for event, _ in wanted],
        messages=[event.context["message_id"] for event, _ in wanted],
        inboxes=[event.context["inbox_id"] for event, _ in wanted],
        actions=[action for _, action in wanted],
        versions=[event.context.get("version", 1) for event, _ in wanted],
    )
    tx.wake(DELIVERIES.name)


async def _touch(tx: Tx, events: Sequence[Event]) -> None:
    inboxes: dict[UUID, UUID] = {event.stream_id: event.context["inbox_id"] for event in events}
    active = [
        event.stream_id
        for event in events
        if event.kind == "message.created" and event.context.get("message_kind") == "text"
    ]
    transaction = await list_store.touch(tx, list(inboxes), active)
    workspaces = {event.stream_id: event.workspace_id for event in events}
    tx.hints.extend(
        Touch(
            workspace_id=workspaces[conversation_id],
            inbox_id=inbox_id,
            conversation_id=conversation_id,
            transaction=transaction,
        )
        for conversation_id, inbox_id in inboxes.items()
    )
