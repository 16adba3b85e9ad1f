"""Intake: journal items become messages.

Contact, conversation, message and the item's verdict commit together, so a crash at any point leaves either everything
or an item that runs again. Plain messages of several lanes share a transaction (`parley.desk.intake_batch`); whatever
else comes has one of its own, here. Duplicates are refused by the database: a provider's
message is one of ours by (inbox, chat, provider's id), an edit by its revision too.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import structlog

from parley.channels.contract import (
    BadUpdate,
    Ignored,
    IncomingAttachment,
    IncomingEdit,
    IncomingMessage,
    IncomingReach,
    Parsed,
)
from parley.contacts import Identity, ensure_identity
from parley.conversations import post_message
from parley.conversations.editing import apply_edit, attach_more
from parley.conversations.errors import EmptyMessage, MessageDeleted
from parley.conversations.members_store import add_member, create_conversation
from parley.conversations.schemas import TEXT_LIMIT
from parley.conversations.store import lock_access, lock_conversation, lock_message
from parley.desk import intake_store
from parley.desk.accounts import Channels
from parley.desk.errors import AlreadyOpen
from parley.desk.inbox_store import find_inbox
from parley.desk.incoming_draft import make_draft, make_entities, make_group_key
from parley.desk.incoming_media import enqueue_fetch
from parley.desk.intake_batch import IntakeBatches
from parley.desk.intake_store import JOURNAL
from parley.desk.list_store import lock_desk_row
from parley.desk.reach import note_reach
from parley.desk.statuses import open_again
from parley.infra.db import Database, Tx
from parley.infra.work import Claim
from parley.kit.ids import parse_id, uuid7
from parley.kit.text import clean_text
from parley.media import create_pending

RETRY_SECONDS = (0.2, 1.0, 5.0, 20.0)
"""Between tries of an item whose transaction lost a race or its connection; after the last it fails."""

log = structlog.get_logger()

_PASSING = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    AlreadyOpen,
)


EDIT_WITHOUT_MESSAGE = "ignored: an edit of a message that never came"


class EditBeforeMessage(BadUpdate):
    """This edits a message that is not here, and an earlier item of the chat has failed: replay that one first."""

    code = "edit_before_message"


ALONE_LIMIT = 8
"""Items that have a transaction of their own at the same time: requests need connections too."""


class Intake:
    """Handles claims of the journal."""

    def __init__(self, db: Database, channels: Channels) -> None:
        self._db = db
        self._channels = channels
        self._batches = IntakeBatches(db, channels)
        self._room = asyncio.Semaphore(ALONE_LIMIT)

    async def handle(self, claim: Claim) -> None:
        """Make of one item what it says, or keep it with its reason. Gives the verdict itself."""
        if claim.workspace_id is None:
            raise ValueError("a journal item without a workspace")
        if not await self._batches.take(claim):
            async with self._room:
                await self._handle_alone(claim, claim.workspace_id)

    async def _handle_alone(self, claim: Claim, workspace_id: UUID) -> None:
        try:
            async with self._db.transaction(workspace_id) as tx:
                outcome = await self._take(tx, claim)
                await JOURNAL.finish(tx, claim, outcome=outcome[:200])
        except BadUpdate as error:
            async with self._db.transaction(workspace_id) as tx:
                await JOURNAL.fail(tx, claim, f"{error.code}: {error.message} {error.fields or ''}".strip())
        except _PASSING as error:
            await self._retry(workspace_id, claim, error)

    async def _retry(self, workspace_id: UUID, claim: Claim, error: Exception) -> None:
        async with self._db.transaction(workspace_id) as tx:
            if claim.attempts > len(RETRY_SECONDS):
                await JOURNAL.fail(tx, claim, f"{type(error).__name__}: {error}"[:500])
                return
            due_at = tx.now + dt.timedelta(seconds=RETRY_SECONDS[claim.attempts - 1])
            await JOURNAL.retry_later(tx, claim, due_at, type(error).__name__)

    async def _take(self, tx: Tx, claim: Claim) -> str:
        inbox = await find_inbox(tx, claim.row["inbox_id"])
        if inbox is None:
            return "ignored: the inbox is gone"
        adapter = self._channels.adapter(inbox["channel"])
        parsed = adapter.parse(self._channels.account(inbox), claim.row["body"])
        outcomes = [await take_parsed(tx, inbox, item) for item in parsed]
        if EDIT_WITHOUT_MESSAGE in outcomes and await intake_store.has_failed_before(
            tx, claim.lane, claim.seq
        ):
            # its message may be the one that failed: replayed after it, the edit finds it
            raise EditBeforeMessage
        return "; ".join(outcomes)


async def take_parsed(tx: Tx, inbox: asyncpg.Record, item: Parsed) -> str:
    """Apply one parsed item; return in words what became of it."""
    if isinstance(item, Ignored):
        return f"ignored: {item.reason}"
    if isinstance(item, IncomingMessage):
        return await _take_message(tx, inbox, item)
    if isinstance(item, IncomingEdit):
        return await _take_edit(tx, inbox, item)
    return await _take_reach(tx, inbox, item)


async def _take_message(tx: Tx, inbox: asyncpg.Record, item: IncomingMessage) -> str:
    if not item.attachments and not clean_text(item.text[:TEXT_LIMIT]).strip():
        return "ignored: nothing to show"  # before it opens a conversation, or opens one again
    if await intake_store.find_source(tx, inbox["id"], item.chat, item.provider_id):
        return intake_store.DUPLICATE
    identity = await ensure_identity(tx, inbox["workspace_id"], inbox["id"], item.person)
    if not identity.is_reachable:
        # first: it locks all conversations with the contact, in order of their ids
        await note_reach(tx, identity, is_reachable=True)
    if item.group_id and (album := await _find_album(tx, inbox, identity, item.group_id)):
        return await _grow_album(tx, inbox, identity, item, album)
    conversation_id = await ensure_conversation(tx, inbox, identity)
    reply_to = None
    if item.reply_to:
        source = await intake_store.find_source(tx, inbox["id"], item.chat, item.reply_to.provider_id)
        if source and source["conversation_id"] == conversation_id:
            reply_to = source["message_id"]
    draft = make_draft(
        inbox,
        item,
        conversation_id=conversation_id,
        contact_id=identity.contact_id,
        reply_to_id=reply_to,
        media_ids=await _pending_media(tx, inbox, item.attachments),
    )
    posted = await post_message(tx, draft)
    message_id = await _note_source(tx, inbox, item, conversation_id, posted.message.id)
    await _fetch_later(tx, inbox, conversation_id, message_id, draft.media_ids)
    return intake_store.MESSAGE


async def _grow_album(
    tx: Tx, inbox: asyncpg.Record, identity: Identity, item: IncomingMessage, album: asyncpg.Record
) -> str:
    """Attach a later item of an album to the message its first item became."""
    conversation_id, message_id = album["conversation_id"], album["id"]
    media_ids = await _pending_media(tx, inbox, item.attachments)
    await lock_access(tx, conversation_id, identity.contact_id)
    conversation = await lock_conversation(tx, inbox["workspace_id"], conversation_id)
    message = await lock_message(tx, conversation_id, message_id)
    if conversation is None or message is None:
        return "ignored: the album is gone"
    await intake_store.insert_source(
        tx,
        workspace_id=inbox["workspace_id"],
        inbox_id=inbox["id"],
        chat=item.chat,
        provider_id=item.provider_id,
        conversation_id=conversation_id,
        message_id=message_id,
        direction="in",
    )
    if media_ids and not message["deleted_at"]:
        await attach_more(tx, conversation, message, media_ids)
        await _fetch_later(tx, inbox, conversation_id, message_id, media_ids)
    if item.text and not message["text"] and not message["deleted_at"]:
        await apply_edit(
            tx,
            conversation,
            message,
            text=item.text[:TEXT_LIMIT],
            entities=make_entities(item),
            by=identity.contact_id,
        )
    return intake_store.ALBUM_ITEM


async def _take_edit(tx: Tx, inbox: asyncpg.Record, item: IncomingEdit) -> str:
    source = await intake_store.find_source(tx, inbox["id"], item.chat, item.provider_id)
    if source is None:
        return EDIT_WITHOUT_MESSAGE
    conversation_id, message_id = source["conversation_id"], source["message_id"]
    is_new = await intake_store.insert_source(
        tx,
        workspace_id=inbox["workspace_id"],
        inbox_id=inbox["id"],
        chat=item.chat,
        provider_id=item.provider_id,
        revision=item.revision,
        conversation_id=conversation_id,
        message_id=message_id,
        direction="in",
    )
    if not is_new:
        return intake_store.DUPLICATE
    identity = await ensure_identity(tx, inbox["workspace_id"], inbox["id"], item.person)
    await lock_access(tx, conversation_id, identity.contact_id)
    conversation = await lock_conversation(tx, inbox["workspace_id"], conversation_id)
    message = await lock_message(tx, conversation_id, message_id)
    if conversation is None or message is None or message["sender_id"] != identity.contact_id:
        return "ignored: an edit of another's message"
    try:
        await apply_edit(
            tx,
            conversation,
            message,
            text=item.text[:TEXT_LIMIT],
            entities=make_entities(item),
            by=identity.contact_id,
        )
    except (MessageDeleted, EmptyMessage) as error:
        return f"ignored: {error.code}"
    return "edit"


async def _take_reach(tx: Tx, inbox: asyncpg.Record, item: IncomingReach) -> str:
    identity = await ensure_identity(tx, inbox["workspace_id"], inbox["id"], item.person)
    await note_reach(tx, identity, is_reachable=item.is_reachable)
    return "reachable" if item.is_reachable else "unreachable"


async def ensure_conversation(tx: Tx, inbox: asyncpg.Record, identity: Identity) -> UUID:
    """Return the contact's unfinished conversation, the last one opened again by the inbox's rule, or a new one.

    Its row is locked on return: an agent who resolves it at this moment comes before or after, never between.
    """
    unfinished = await intake_store.find_unfinished(tx, inbox["id"], identity.contact_id)
    if unfinished:
        conversation_id: UUID = unfinished["conversation_id"]
        await lock_conversation(tx, inbox["workspace_id"], conversation_id)
        row = await lock_desk_row(tx, conversation_id)
        if row and row["status"] == "snoozed":
            await open_again(tx, inbox["workspace_id"], conversation_id)
        if row and row["status"] != "resolved":
            return conversation_id
    if inbox["reopen"] == "reopen":
        last = await intake_store.find_last_resolved(tx, inbox["id"], identity.contact_id)
        if last and _is_within(last["resolved_at"], inbox["reopen_within_hours"], tx.now):
            await open_again(tx, inbox["workspace_id"], last["conversation_id"])
            reopened: UUID = last["conversation_id"]
            return reopened
    conversation_id = uuid7()
    await create_conversation(
        tx,
        workspace_id=inbox["workspace_id"],
        conversation_id=conversation_id,
        kind="desk",
        title=None,
        inbox_id=inbox["id"],
        direct_key=None,
        created_by=identity.contact_id,
    )
    await add_member(tx, inbox["workspace_id"], conversation_id, identity.contact_id, "member")
    await intake_store.insert_desk_conversation(
        tx,
        workspace_id=inbox["workspace_id"],
        conversation_id=conversation_id,
        inbox_id=inbox["id"],
        contact_id=identity.contact_id,
        identity_id=identity.id,
        at=tx.now,
    )
    return conversation_id


def _is_within(resolved_at: dt.datetime | None, hours: int | None, now: dt.datetime) -> bool:
    return hours is None or resolved_at is None or now - resolved_at <= dt.timedelta(hours=hours)


async def _find_album(
    tx: Tx, inbox: asyncpg.Record, identity: Identity, group_id: str
) -> asyncpg.Record | None:
    conversations = await intake_store.list_contact_conversations(tx, inbox["id"], identity.contact_id)
    return await intake_store.find_group(tx, conversations, make_group_key(inbox, group_id))


async def _pending_media(
    tx: Tx, inbox: asyncpg.Record, attachments: Sequence[IncomingAttachment]
) -> list[UUID]:
    return [
        await create_pending(
            tx,
            inbox["workspace_id"],
            kind=item.kind,
            name=item.name,
            content_type=item.content_type,
            size_bytes=item.size_bytes,
            width=item.width,
            height=item.height,
            duration_seconds=item.duration_seconds,
            source={"inbox_id": str(inbox["id"]), "reference": item.reference},
        )
        for item in attachments
    ]


async def _note_source(
    tx: Tx, inbox: asyncpg.Record, item: IncomingMessage, conversation_id: UUID, public: str
) -> UUID:
    message_id = parse_id("msg", public)
    is_new = await intake_store.insert_source(
        tx,
        workspace_id=inbox["workspace_id"],
        inbox_id=inbox["id"],
        chat=item.chat,
        provider_id=item.provider_id,
        conversation_id=conversation_id,
        message_id=message_id,
        direction="in",
    )
    if not is_new:
        raise asyncpg.UniqueViolationError("the same message came through another lane at the same moment")
    return message_id


async def _fetch_later(
    tx: Tx, inbox: asyncpg.Record, conversation_id: UUID, message_id: UUID, media_ids: Sequence[UUID]
) -> None:
    for media_id in media_ids:
        await enqueue_fetch(
            tx,
            workspace_id=inbox["workspace_id"],
            inbox_id=inbox["id"],
            conversation_id=conversation_id,
            message_id=message_id,
            media_id=media_id,
        )
