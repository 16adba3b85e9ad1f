"""The one door through which a message enters, whatever its origin.

`post_message` and `post_messages` work inside the caller's transaction: an agent's reply through the collector,
a customer's message through intake, a mailing or a bot alike. A batch is two statements whatever its size: the
first locks and looks, the second writes. What follows from a message (a delivery, a touched list) is enqueued by
the reactions of `Tx.record`, in the same transaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import STAFF_ROLES
from parley.conversations import history, sending_store
from parley.conversations.errors import (
    BadAttachment,
    BadQuote,
    BadReply,
    ConversationNotFound,
    EmptyMessage,
    MaySpeakNot,
    MessageDeleted,
)
from parley.conversations.mentions import Mentions, find_objection
from parley.conversations.rights import may
from parley.conversations.schemas import ActorRef, EntityJson, ForwardRef, Message, Status
from parley.conversations.streams import new_tag
from parley.infra.db import Tx
from parley.kit.errors import ParleyError
from parley.kit.events import ALL, STAFF, Event
from parley.kit.ids import public_id, uuid7
from parley.kit.text import clean_text
from parley.media import get_media


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message to post. ``is_admin``: the sender may write in every desk conversation of the workspace;
    ``may_chat``: also beside the desk, where it is a member; ``may_desk``: as staff, in its inboxes.

    ``client_id`` unique per conversation and sender, for ever; ``group_key`` (an album) unique per conversation.
    ``media_ids``: uploaded by the sender, or pending at the provider, or shared by what is forwarded: whoever sets
    ``forwarded_from`` has seen that the sender may see the message and its files. ``source``: the conversation and the
    message that are forwarded; nothing is posted if it was deleted since.
    """

    workspace_id: UUID
    conversation_id: UUID
    sender_id: UUID
    kind: Literal["text", "note", "system"] = "text"
    text: str = ""
    entities: list[EntityJson] = []
    media_ids: list[UUID] = []
    reply_to_id: UUID | None = None
    quote: str | None = None
    forwarded_from: ForwardRef | None = None
    source: tuple[UUID, UUID] | None = None
    client_id: str | None = None
    group_key: str | None = None
    extra: dict[str, Any] | None = None
    is_admin: bool = False
    may_chat: bool = True
    may_desk: bool = True


class Posted(msgspec.Struct, frozen=True):
    """A stored message; ``is_repeat`` when this very send had been stored before."""

    message: Message
    is_repeat: bool


Outcome = Posted | ParleyError


class Busy:
    """Somebody else has the conversation locked: nothing was written."""


BUSY = Busy()


async def post_message(tx: Tx, draft: Draft) -> Posted:
    """Post one message; on return it is written and numbered, not yet committed.

    Repeat: with the same client id, the stored message is returned and nothing is written.
    Raises: ConversationNotFound, MaySpeakNot, EmptyMessage, BadAttachment, BadReply.
    """
    outcome = (await post_messages(tx, [draft]))[0]
    if isinstance(outcome, ParleyError):
        raise outcome
    return outcome


async def post_messages(tx: Tx, drafts: Sequence[Draft]) -> list[Outcome]:
    """Post a batch, in order; a draft that may not be posted gets its error, the others are not concerned.

    Repeat: as `post_message`, also within the batch. The transaction sees the workspaces of all drafts.
    Raises: asyncpg.UniqueViolationError when an equal send was committed while this one waited for its lock; a new
    transaction finds the stored message (the collector does so).
    """
    return await _post(tx, drafts, await sending_store.lock_for_sending(tx, drafts, is_patient=True))


async def post_unless_busy(tx: Tx, drafts: Sequence[Draft]) -> list[Outcome | Busy]:
    """As `post_messages`, without waiting for anybody: all drafts of a conversation that is locked are `BUSY`.

    So are those of one to which something is forwarded, whose source may be held elsewhere.
    """
    known = await sending_store.lock_for_sending(tx, drafts, is_patient=False)
    pairs = list(zip(drafts, known, strict=True))
    busy = {draft.conversation_id for draft, row in pairs if row["is_busy"] or draft.source is not None}
    free = [(draft, row) for draft, row in pairs if draft.conversation_id not in busy]
    posted = iter(await _post(tx, [draft for draft, _ in free], [row for _, row in free]))
    return [BUSY if draft.conversation_id in busy else next(posted) for draft in drafts]


async def _post(tx: Tx, drafts: Sequence[Draft], known: Sequence[asyncpg.Record]) -> list[Outcome]:
    batch = _Batch(tx)
    slots: list[ParleyError | tuple[str, UUID] | Message] = []
    for draft, row in zip(drafts, known, strict=True):
        slots.append(await batch.take(draft, row))
    await batch.write()
    return await _answer(tx, drafts, slots)


async def _answer(tx: Tx, drafts: Sequence[Draft], slots: Sequence[Any]) -> list[Outcome]:
    repeats = [
        (draft.conversation_id, slot[1])
        for draft, slot in zip(drafts, slots, strict=True)
        if isinstance(slot, tuple)
    ]
    stored = await history.get_messages(tx, repeats)
    return [
        slot
        if isinstance(slot, ParleyError)
        else Posted(stored[slot[1]], is_repeat=True)
        if isinstance(slot, tuple)
        else Posted(slot, is_repeat=False)
        for slot in slots
    ]


@dataclasses.dataclass
class _Stream:
    """A conversation's counters while a batch numbers its messages."""

    head: int
    last_number: int
    tag: int = 0
    last_message_id: UUID | None = None


class _Batch:
    """Numbers drafts and gathers the columns of the one writing statement."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._streams: dict[UUID, _Stream] = {}
        self._positions: dict[tuple[UUID, UUID, UUID], list[int]] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._files: list[tuple[UUID, UUID, UUID, int, UUID]] = []
        self._events: list[Event] = []
        self._clients: dict[tuple[UUID, UUID, str], UUID] = {}
        self._mentions = Mentions(tx)

    async def take(self, draft: Draft, row: asyncpg.Record) -> ParleyError | tuple[str, UUID] | Message:
        """Number one draft; return its message, or why not, or ('repeat', stored id)."""
        key = (draft.conversation_id, draft.sender_id, draft.client_id or "")
        repeat = row["repeat_of"] or (self._clients.get(key) if draft.client_id else None)
        error = _may_post(draft, row)
        if error:
            return error
        if repeat:
            return ("repeat", repeat)
        if objection := await self._find_objection(draft, row):
            return objection
        message_id = uuid7()
        if draft.client_id:
            self._clients[key] = message_id
        stream = self._streams.setdefault(draft.conversation_id, _Stream(row["head"], row["last_number"]))
        await self._move_read(draft, row, stream)
        message = await self._build(draft, row, stream, message_id)
        self._gather(draft, row, stream, message_id, message)
        return message

    async def _find_objection(self, draft: Draft, row: asyncpg.Record) -> ParleyError | None:
        """Why files, mentions or what it forwards forbid a draft. Asks nothing for a draft without them."""
        if (
            draft.media_ids
            and draft.forwarded_from is None
            and await sending_store.list_foreign_media(
                self._tx, draft.media_ids, draft.sender_id, from_provider=row["sender_kind"] == "contact"
            )
        ):
            return BadAttachment()
        if draft.source is not None and not await sending_store.hold_source(self._tx, *draft.source):
            return MessageDeleted()
        if not draft.entities:
            return None
        return await find_objection(self._tx, draft.conversation_id, row["kind"], row["role"], draft.entities)

    async def _move_read(self, draft: Draft, row: asyncpg.Record, stream: _Stream) -> None:
        """Nothing unread: the read position moves on with the send; else it counts as own sent since."""
        stream.head += 1
        stream.tag = new_tag()
        if draft.kind != "text":
            return
        key = (draft.workspace_id, draft.conversation_id, draft.sender_id)
        position = self._positions.get(key)
        if position is None:
            found: Any = row
            if row["role"] is None:
                found = await sending_store.find_position(self._tx, draft.conversation_id, draft.sender_id)
            position = [found["read_number"], found["own_since"]] if found else [0, 0]
            self._positions[key] = position
        if stream.last_number - position[0] - position[1] <= 0:
            position[:] = [stream.last_number + 1, 0]
        else:
            position[1] += 1
        stream.last_number += 1

    async def _build(self, draft: Draft, row: asyncpg.Record, stream: _Stream, message_id: UUID) -> Message:
        media = await get_media(self._tx, draft.media_ids) if draft.media_ids else {}
        is_outward = row["kind"] == "desk" and draft.kind == "text" and row["sender_kind"] != "contact"
        reply = None
        if row["reply_id"]:
            # a quote is the words of whom it quotes: they took them back
            quote = clean_text(draft.quote) if draft.quote and not row["is_reply_deleted"] else None
            reply = history.make_reply(row["reply_id"], row["reply_sender_name"], row["reply_text"], quote)
        return Message(
            id=public_id("msg", message_id),
            conversation_id=public_id("cnv", draft.conversation_id),
            position=stream.head,
            number=stream.last_number if draft.kind == "text" else None,
            kind=draft.kind,
            sender=ActorRef(public_id("act", draft.sender_id), row["sender_kind"], row["sender_name"]),
            text=clean_text(draft.text),
            entities=draft.entities,
            attachments=[history.to_attachment(media[key]) for key in draft.media_ids],
            reply_to=reply,
            forwarded_from=draft.forwarded_from or history.find_origin(draft.extra),
            client_id=draft.client_id,
            version=1,
            created_at=self._tx.now,
            edited_at=None,
            deleted_at=None,
            reactions=[],
            status=Status(state="queued") if is_outward else None,
            extra=draft.extra or {},
        )

    def _gather(
        self, draft: Draft, row: asyncpg.Record, stream: _Stream, message_id: UUID, message: Message
    ) -> None:
        audience = STAFF if draft.kind == "note" else ALL
        data = {"message": msgspec.to_builtins(message)}
        if draft.kind != "note":
            stream.last_message_id = message_id
        if draft.entities:
            self._mentions.take(draft, row["kind"], message_id, message.number)
        self._rows.append(
            (
                draft.workspace_id,
                draft.conversation_id,
                message_id,
                stream.head,
                message.number,
                draft.kind,
                draft.sender_id,
                message.text,
                _json(draft.entities) if draft.entities else None,
                row["reply_id"],
                message.reply_to.quote if message.reply_to else None,
                draft.client_id,
                draft.group_key,
                _json(extra) if (extra := history.extra_of(draft.extra, draft.forwarded_from)) else None,
                '{"state": "queued"}' if message.status else None,
                stream.tag,
                audience,
                _json(data),
            )
        )
        self._files += [
            (draft.workspace_id, draft.conversation_id, message_id, ordinal, media_id)
            for ordinal, media_id in enumerate(draft.media_ids, 1)
        ]
        self._events.append(
            Event(
                workspace_id=draft.workspace_id,
                stream="conversation",
                stream_id=draft.conversation_id,
                number=stream.head,
                tag=stream.tag,
                kind="message.created",
                at=self._tx.now,
                audience=audience,
                actor_id=draft.sender_id,
                data=data,
                context={
                    "conversation_kind": row["kind"],
                    "inbox_id": row["inbox_id"],
                    "message_id": message_id,
                    "message_kind": draft.kind,
                    "sender_kind": row["sender_kind"],
                    "is_outward": message.status is not None,
                },
            )
        )

    async def write(self) -> None:
        """Write everything taken and run the reactions. Nothing taken: nothing done."""
        if not self._rows:
            return
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        streams = list(self._streams.items())
        columns += [
            [conversation_id for conversation_id, _ in streams],
            [stream.head for _, stream in streams],
            [stream.tag for _, stream in streams],
            [stream.last_number for _, stream in streams],
            [stream.last_message_id for _, stream in streams],
        ]
        positions = sorted(self._positions.items())
        columns += [[key[part] for key, _ in positions] for part in range(3)]
        columns += [[value[part] for _, value in positions] for part in range(2)]
        await sending_store.write_batch(self._tx, *columns)
        if self._files:
            await sending_store.attach(self._tx, *(list(column) for column in zip(*self._files, strict=True)))
        await self._tx.record(self._events)
        await self._mentions.write()


def _may_post(draft: Draft, row: asyncpg.Record) -> ParleyError | None:
    """Why a draft may not be posted; None when it may."""
    if row["kind"] is None or row["sender_kind"] is None:
        return ConversationNotFound()
    error: ParleyError | None = None
    if row["kind"] == "desk":
        # somebody made a plain member keeps the row of the inbox, but not the desk
        is_staff = draft.is_admin or (row["is_staff"] and row["sender_role"] in STAFF_ROLES)
        if row["sender_kind"] == "contact":
            error = None if row["role"] and draft.kind == "text" else ConversationNotFound()
        elif not (is_staff and draft.may_desk):
            error = ConversationNotFound()
    elif row["role"] is None or not draft.may_chat:
        error = ConversationNotFound()
    elif draft.kind == "note" or not may(row["kind"], row["role"], "write"):
        error = MaySpeakNot()
    if error:
        return error
    if not clean_text(draft.text).strip() and not draft.media_ids:
        return EmptyMessage()
    if draft.reply_to_id and (
        row["reply_id"] is None or (row["reply_kind"] == "note" and draft.kind != "note")
    ):
        return BadReply()
    if draft.quote and not _is_quoted(draft, row):
        return BadQuote()
    return None


def _is_quoted(draft: Draft, row: asyncpg.Record) -> bool:
    """Whether the words are the message's; a deleted one quotes nothing, and a provider is believed."""
    if row["reply_id"] is None or row["is_reply_deleted"] or row["sender_kind"] == "contact":
        return True
    return clean_text(draft.quote or "") in row["reply_text"]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
