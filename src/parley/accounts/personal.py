"""Writing to an actor's personal stream."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from parley.accounts import personal_store
from parley.infra.db import Tx
from parley.kit.errors import NotFound
from parley.kit.events import PERSONAL_KINDS, Event


async def record_personal(
    tx: Tx, workspace_id: UUID, actor_id: UUID, kind: str, data: dict[str, Any]
) -> Event:
    """Append an event to the personal stream of an actor and record it; only that actor may see it.

    Locks the actor's row: where several actors are told in one transaction, go in order of their ids.
    Raises: NotFound without such an actor in the workspace.
    """
    assert kind in PERSONAL_KINDS, f"{kind} is not in the table of events"
    tag = _new_tag()
    number = await personal_store.append_personal(tx, workspace_id, actor_id, tag=tag, kind=kind, data=data)
    if number is None:
        raise NotFound
    event = _event(tx, workspace_id, actor_id, number, tag, kind, data)
    await tx.record([event])
    return event


async def record_personal_to_many(
    tx: Tx, workspace_id: UUID, actor_ids: Sequence[UUID], kind: str, data: dict[str, Any]
) -> None:
    """Append the same event to the personal streams of several actors, in two statements however many they are.

    Locks the actors' rows, in order of their ids. Raises: NotFound when one is not in the workspace.
    """
    assert kind in PERSONAL_KINDS, f"{kind} is not in the table of events"
    tags = {actor_id: _new_tag() for actor_id in actor_ids}
    numbers = await personal_store.append_personal_to_many(
        tx, workspace_id, list(tags), tags=list(tags.values()), kind=kind, data=data
    )
    if len(numbers) < len(tags):
        raise NotFound
    await tx.record(
        [_event(tx, workspace_id, key, numbers[key], tag, kind, data) for key, tag in sorted(tags.items())]
    )


async def lock_personal(tx: Tx, actor_ids: Collection[UUID]) -> None:
    """Lock several personal streams at once, in order of their ids, before different events go to them."""
    if len(actor_ids) > 1:
        await personal_store.lock_actors(tx, list(actor_ids))


def _new_tag() -> int:
    return int.from_bytes(os.urandom(4), signed=True)


def _event(
    tx: Tx, workspace_id: UUID, actor_id: UUID, number: int, tag: int, kind: str, data: dict[str, Any]
) -> Event:
    return Event(
        workspace_id=workspace_id,
        stream="personal",
        stream_id=actor_id,
        number=number,
        tag=tag,
        kind=kind,
        at=tx.now,
        audience=str(actor_id),
        data=data,
    )
