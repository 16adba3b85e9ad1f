"""Who answers a conversation of the desk: somebody who works in its inbox, or nobody.

Whoever lost the right to work there (deactivated, made a plain member, taken out of the inbox) is released from the
unfinished conversations by a job, so that these are seen among those of nobody. Resolved ones keep the name of who
answered, until they are opened again.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller, find_actors
from parley.conversations import streams
from parley.conversations.schemas import ActorRef
from parley.conversations.store import lock_conversation
from parley.desk import list_store
from parley.infra.db import Database, Tx
from parley.infra.jobs import Job, enqueue
from parley.kit.errors import NotFound
from parley.kit.events import STAFF, Event
from parley.kit.ids import parse_id

RELEASE_KIND = "desk.release_assignments"


async def assign(tx: Tx, caller: Caller, row: asyncpg.Record, assignee: str | None) -> None:
    """Set who answers; the desk's row is locked. Repeat: nothing happens.

    Raises: NotFound when the user does not work in this inbox.
    """
    assignee_id = parse_id("act", assignee) if assignee else None
    if assignee_id == row["assignee_id"]:
        return
    ref = None
    if assignee_id is not None:
        actor = (await find_actors(tx, [assignee_id])).get(assignee_id)
        may_work = await list_store.may_work(tx, row["inbox_id"], assignee_id)
        if actor is None or actor.kind != "user" or not may_work:
            raise NotFound("This user does not work in this inbox.")
        ref = ActorRef(actor.id, actor.kind, actor.name)
    await _set_assignee(tx, row, assignee_id, ref, caller.actor_id)


async def release(tx: Tx, row: asyncpg.Record) -> None:
    """Leave a conversation to nobody if its assignee works in the inbox no more; the desk's row is locked."""
    if row["assignee_id"] and not await list_store.may_work(tx, row["inbox_id"], row["assignee_id"]):
        await _set_assignee(tx, row, None, None, None)


async def react_to_rights(tx: Tx, events: Sequence[Event]) -> None:
    """Have the conversations of those whose rights changed looked through. After the commit: theirs are locked by it."""
    for event in events:
        if event.kind == "rights.changed":
            await enqueue(
                tx, RELEASE_KIND, {"actor_id": str(event.stream_id)}, workspace_id=event.workspace_id
            )


async def release_assignments(db: Database, job: Job, limit: int = 200) -> None:
    """Release an actor from the unfinished conversations of inboxes they work in no more.

    These are looked for ``limit`` at a time, each released in a transaction of its own. Repeat: goes on.
    """
    workspace_id, actor_id = job.workspace_id, UUID(job.payload["actor_id"])
    if workspace_id is None:
        raise ValueError("an assignee without a workspace")
    while True:
        async with db.transaction(workspace_id) as tx:
            found = await list_store.list_unworkable(tx, workspace_id, actor_id, limit)
        for conversation_id in found:
            async with db.transaction(workspace_id) as tx:
                await lock_conversation(tx, workspace_id, conversation_id)
                row = await list_store.lock_desk_row(tx, conversation_id)
                if row is not None and row["assignee_id"] == actor_id and row["status"] != "resolved":
                    await release(tx, row)
        if len(found) < limit:
            return


async def _set_assignee(
    tx: Tx, row: asyncpg.Record, assignee_id: UUID | None, ref: ActorRef | None, by: UUID | None
) -> None:
    await list_store.set_assignee(tx, row["conversation_id"], assignee_id)
    await streams.append(
        tx,
        workspace_id=row["workspace_id"],
        conversation_id=row["conversation_id"],
        kind="conversation.assigned",
        data={"assignee": msgspec.to_builtins(ref)},
        actor_id=by,
        audience=STAFF,
        context={"conversation_kind": "desk", "inbox_id": row["inbox_id"]},
    )
