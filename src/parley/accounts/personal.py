"""Writing to an actor's personal stream."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

from parley.accounts import store
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
    tag = int.from_bytes(os.urandom(4), signed=True)
    number = await store.append_personal(tx, workspace_id, actor_id, tag=tag, kind=kind, data=data)
    if number is None:
        raise NotFound
    event = Event(
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
    await tx.record([event])
    return event
