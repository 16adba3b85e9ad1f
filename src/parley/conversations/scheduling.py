"""Scheduled messages: written now, posted at their time through the one door, exactly once.

A job made in the same transaction posts a message; one made for an older version of it does nothing. Rights are those
of the moment of posting: what may not be posted then stays, with its reason, for its author. Posting writes message
and mark in one transaction, so a crash leaves either both or a job that is tried again. What is left without a job,
because that failed for good, is looked for each minute and stays for its author likewise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from parley.accounts import Caller, find_actors, lock_personal, record_personal
from parley.conversations import history, scheduling_store, sending_store, store
from parley.conversations.errors import (
    BadAttachment,
    BadQuote,
    BadReply,
    BadSchedule,
    ConversationNotFound,
    EmptyMessage,
    MaySpeakNot,
    PostingFailed,
    ScheduledNotFound,
    ScheduledPosted,
    TooManyScheduled,
)
from parley.conversations.mentions import find_objection, list_named
from parley.conversations.rights import may
from parley.conversations.scheduling_schemas import (
    ScheduleChange,
    Scheduled,
    ScheduledError,
    ScheduleRequest,
)
from parley.conversations.schemas import EntityJson, Message
from parley.conversations.sending import Draft, post_message
from parley.conversations.visibility import require_view
from parley.infra.db import Database, Tx
from parley.infra.jobs import JOBS, Job, enqueue
from parley.kit.errors import Forbidden, ParleyError
from parley.kit.ids import parse_id, public_id, uuid7
from parley.media import get_media

POST_KIND = "conversations.post_scheduled"
SETTLE_KIND = "conversations.settle_scheduled"
WAITING_LIMIT = 100
"""Messages of one author that wait in one conversation."""
LATEST = dt.timedelta(days=366)
KEPT_DAYS = 30
"""Days for which it is known what became of a message that was posted."""


async def schedule_message(
    tx: Tx, caller: Caller, conversation_id: UUID, request: ScheduleRequest
) -> Scheduled:
    """Have a message posted later, as the caller. Repeat: with the same client id, what there is of it.

    Raises: ConversationNotFound, Forbidden, MaySpeakNot, BadSchedule, BadAttachment, BadReply, BadQuote,
    EmptyMessage, TooManyScheduled, ScheduledPosted (a message with this client id was sent), what mentions forbid.
    """
    caller.require_user()
    known = await scheduling_store.find_by_client_id(tx, conversation_id, caller.actor_id, request.client_id)
    await require_view(tx, caller, conversation_id)
    if known is not None:
        return await _format(tx, known)
    media_ids = [parse_id("med", media_id) for media_id in dict.fromkeys(request.media_ids)]
    reply_to_id = parse_id("msg", request.reply_to) if request.reply_to else None
    await _require_fit(
        tx,
        caller,
        conversation_id,
        text=request.text,
        entities=request.entities,
        media_ids=media_ids,
        send_at=request.send_at,
    )
    await _require_quoted(tx, conversation_id, reply_to_id, request.quote)
    if await scheduling_store.has_message(tx, conversation_id, caller.actor_id, request.client_id):
        raise ScheduledPosted
    key = uuid7()
    is_new = await scheduling_store.insert_scheduled(
        tx,
        workspace_id=caller.workspace_id,
        scheduled_id=key,
        conversation_id=conversation_id,
        actor_id=caller.actor_id,
        client_id=request.client_id,
        text=request.text,
        entities=msgspec.to_builtins(request.entities) or None,
        reply_to_id=reply_to_id,
        quote=request.quote,
        send_at=request.send_at,
    )
    if not is_new:  # an equal request was quicker
        row = await scheduling_store.find_by_client_id(
            tx, conversation_id, caller.actor_id, request.client_id
        )
        if row is None:
            raise ScheduledNotFound
        return await _format(tx, row)
    if await scheduling_store.count_waiting(tx, conversation_id, caller.actor_id) > WAITING_LIMIT:
        raise TooManyScheduled(limit=WAITING_LIMIT)
    await scheduling_store.set_media(tx, caller.workspace_id, key, media_ids)
    return await _wait(tx, caller.workspace_id, key)


async def list_scheduled(tx: Tx, caller: Caller, conversation_id: UUID | None) -> list[Scheduled]:
    """Return the caller's messages that wait or failed, in one conversation or all, by time; at most 500.

    Raises: ConversationNotFound.
    """
    if conversation_id is not None:
        await require_view(tx, caller, conversation_id)
    rows = await scheduling_store.list_scheduled(tx, caller.workspace_id, caller.actor_id, conversation_id)
    return await _format_all(tx, rows)


async def change_scheduled(
    tx: Tx, caller: Caller, conversation_id: UUID, scheduled_id: UUID, change: ScheduleChange
) -> Scheduled:
    """Change time, words or files of one's own message; one that failed waits again.

    Raises: ScheduledNotFound, ScheduledPosted, and as `schedule_message`.
    """
    await require_view(tx, caller, conversation_id)
    row = await _lock_own(tx, caller, conversation_id, scheduled_id)
    if row["posted_at"]:
        raise ScheduledPosted
    is_text_new = change.text is not UNSET
    text = row["text"] if change.text is UNSET else change.text
    entities = change.entities if is_text_new else _entities(row)
    send_at = row["send_at"] if change.send_at is UNSET else change.send_at
    media_ids: list[UUID] = row["media_ids"] or []
    if change.media_ids is not UNSET:
        media_ids = [parse_id("med", media_id) for media_id in dict.fromkeys(change.media_ids)]
    await _require_fit(
        tx, caller, conversation_id, text=text, entities=entities, media_ids=media_ids, send_at=send_at
    )
    await scheduling_store.change_scheduled(
        tx, row, text=text, entities=msgspec.to_builtins(entities) or None, send_at=send_at
    )
    await scheduling_store.set_media(tx, caller.workspace_id, scheduled_id, media_ids)
    return await _wait(tx, caller.workspace_id, scheduled_id)


async def cancel_scheduled(tx: Tx, caller: Caller, conversation_id: UUID, scheduled_id: UUID) -> None:
    """Take one's own message back, wherever one still is a member. Raises: ScheduledNotFound, ScheduledPosted."""
    row = await _lock_own(tx, caller, conversation_id, scheduled_id)
    if row["posted_at"]:
        raise ScheduledPosted
    await scheduling_store.delete_scheduled(tx, caller.workspace_id, scheduled_id)
    await _tell(tx, row, "cancelled")


async def post_scheduled_now(tx: Tx, caller: Caller, conversation_id: UUID, scheduled_id: UUID) -> Message:
    """Post one's own message before its time. Repeat: the message that was posted.

    Raises: ScheduledNotFound, and what the door refuses it for; it waits as before then.
    """
    await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    await require_view(tx, caller, conversation_id)
    row = await _lock_own(tx, caller, conversation_id, scheduled_id)
    if row["message_id"]:
        return await history.get_message(tx, conversation_id, row["message_id"])
    return await _post(tx, row)


async def post_due(db: Database, job: Job) -> None:
    """Post the message of a job, or note why not. Repeat: harmless; a job of an older version does nothing."""
    if job.workspace_id is None:
        return
    key, version = UUID(job.payload["scheduled_id"]), job.payload["version"]
    async with db.transaction(job.workspace_id) as tx:
        row = await _lock_due(tx, job.workspace_id, key, version)
        if row is not None:
            try:
                await _post(tx, row)
            except ParleyError as error:
                await scheduling_store.mark_failed(tx, row, error.code, error.message)
                await _tell(tx, await _read(tx, job.workspace_id, key))
        await JOBS.finish(tx, job.claim)


async def settle_abandoned(db: Database, limit: int = 200) -> int:
    """Mark messages failed whose job gave up, for their authors to send or change; returns how many were looked at.

    However it gave up: tried too often, or taken along by a worker that died again and again. Several processes may
    do it at once.
    """
    count = 0
    while True:
        async with db.system() as tx:
            found = await scheduling_store.list_abandoned(tx, tx.now, limit)
        for workspace_id, key in found:
            async with db.transaction(workspace_id) as tx:
                if await scheduling_store.lock_scheduled(
                    tx, workspace_id, key
                ) and await scheduling_store.is_abandoned(tx, workspace_id, key):
                    error = PostingFailed()
                    row = await _read(tx, workspace_id, key)
                    await scheduling_store.mark_failed(tx, row, error.code, error.message)
                    await _tell(tx, await _read(tx, workspace_id, key))
        count += len(found)
        if len(found) < limit:
            return count


async def _lock_due(tx: Tx, workspace_id: UUID, key: UUID, version: int) -> asyncpg.Record | None:
    """Lock conversation and message, in this order; None when there is nothing to post any more.

    What has failed waits for its author alone, whoever runs its job again.
    """
    known = await scheduling_store.find_scheduled(tx, workspace_id, key)
    if known is None:
        return None
    await store.lock_conversation(tx, workspace_id, known["conversation_id"])
    if not await scheduling_store.lock_scheduled(tx, workspace_id, key):
        return None
    row = await _read(tx, workspace_id, key)
    is_waiting = not row["posted_at"] and not row["error_code"]
    return row if row["version"] == version and is_waiting else None


async def _post(tx: Tx, row: asyncpg.Record) -> Message:
    """Post a locked message of a locked conversation. Raises: what the door refuses it for; nothing is written then."""
    if row["actor_id"] not in await find_actors(tx, [row["actor_id"]], is_active=True):
        raise ConversationNotFound
    entities = _entities(row)
    # whom it calls is told in the same transaction as its author: their counters are locked in one order
    await lock_personal(tx, {row["actor_id"], *list_named(entities)})
    draft = Draft(
        workspace_id=row["workspace_id"],
        conversation_id=row["conversation_id"],
        sender_id=row["actor_id"],
        text=row["text"],
        entities=entities,
        media_ids=row["media_ids"] or [],
        reply_to_id=row["reply_to_id"],
        quote=row["quote"],
        client_id=row["client_id"],
    )
    try:
        posted = await post_message(tx, draft)
    except BadQuote:  # the words were edited since; nothing was written
        posted = await post_message(tx, msgspec.structs.replace(draft, quote=None))
    await scheduling_store.mark_posted(tx, row, parse_id("msg", posted.message.id))
    await _tell(tx, await _read(tx, row["workspace_id"], row["id"]))
    return posted.message


async def _require_fit(
    tx: Tx,
    caller: Caller,
    conversation_id: UUID,
    *,
    text: str,
    entities: list[EntityJson],
    media_ids: Sequence[UUID],
    send_at: dt.datetime,
) -> None:
    """Refuse now what would be refused at its time, as far as it can be known."""
    if not tx.now < send_at <= tx.now + LATEST:
        raise BadSchedule
    [access] = await store.list_access(tx, caller.workspace_id, [conversation_id], caller.actor_id)
    if access["kind"] == "desk":
        raise Forbidden("What is said at the desk is sent at once.")
    if not may(access["kind"], access["role"], "write"):
        raise MaySpeakNot
    if not text.strip() and not media_ids:
        raise EmptyMessage
    if media_ids and await sending_store.list_foreign_media(
        tx, list(media_ids), caller.actor_id, from_provider=False
    ):
        raise BadAttachment
    objection = await find_objection(tx, conversation_id, access["kind"], access["role"], entities)
    if objection is not None:
        raise objection


async def _require_quoted(tx: Tx, conversation_id: UUID, reply_to_id: UUID | None, quote: str | None) -> None:
    """Raises: BadReply, BadQuote."""
    found = await history.get_messages(tx, [(conversation_id, reply_to_id)]) if reply_to_id else {}
    message = found.get(reply_to_id) if reply_to_id else None
    if reply_to_id and message is None:
        raise BadReply
    if quote and (message is None or quote not in message.text):
        raise BadQuote


async def _wait(tx: Tx, workspace_id: UUID, key: UUID) -> Scheduled:
    """Have the present version of a message posted at its time, and tell its author's devices."""
    row = await _read(tx, workspace_id, key)
    payload = {"scheduled_id": str(key), "version": row["version"]}
    await enqueue(tx, POST_KIND, payload, workspace_id=workspace_id, due_at=row["send_at"])
    return await _tell(tx, row)


async def _lock_own(tx: Tx, caller: Caller, conversation_id: UUID, scheduled_id: UUID) -> asyncpg.Record:
    if not await scheduling_store.lock_scheduled(tx, caller.workspace_id, scheduled_id):
        raise ScheduledNotFound
    row = await _read(tx, caller.workspace_id, scheduled_id)
    if row["actor_id"] != caller.actor_id or row["conversation_id"] != conversation_id:
        raise ScheduledNotFound
    return row


async def _read(tx: Tx, workspace_id: UUID, key: UUID) -> asyncpg.Record:
    row = await scheduling_store.find_scheduled(tx, workspace_id, key)
    if row is None:
        raise ScheduledNotFound
    return row


async def _tell(tx: Tx, row: asyncpg.Record, state: Literal["cancelled"] | None = None) -> Scheduled:
    scheduled = await _format(tx, row)
    if state is not None:
        scheduled = msgspec.structs.replace(scheduled, state=state)
    data: dict[str, Any] = {
        "conversation_id": scheduled.conversation_id,
        "scheduled": msgspec.to_builtins(scheduled),
    }
    await record_personal(tx, row["workspace_id"], row["actor_id"], "scheduled.changed", data)
    return scheduled


async def _format(tx: Tx, row: asyncpg.Record) -> Scheduled:
    return (await _format_all(tx, [row]))[0]


async def _format_all(tx: Tx, rows: Sequence[asyncpg.Record]) -> list[Scheduled]:
    media = await get_media(tx, [media_id for row in rows for media_id in row["media_ids"] or ()])
    return [
        Scheduled(
            id=public_id("sch", row["id"]),
            conversation_id=public_id("cnv", row["conversation_id"]),
            client_id=row["client_id"],
            state="posted" if row["posted_at"] else "failed" if row["error_code"] else "waiting",
            send_at=row["send_at"],
            text=row["text"],
            entities=_entities(row),
            attachments=[history.to_attachment(media[key]) for key in row["media_ids"] or () if key in media],
            reply_to_id=public_id("msg", row["reply_to_id"]) if row["reply_to_id"] else None,
            version=row["version"],
            created_at=row["created_at"],
            error=ScheduledError(row["error_code"], row["error_text"] or "") if row["error_code"] else None,
            message_id=public_id("msg", row["message_id"]) if row["message_id"] else None,
        )
        for row in rows
    ]


def _entities(row: asyncpg.Record) -> list[EntityJson]:
    return msgspec.convert(row["entities"] or [], list[EntityJson])
