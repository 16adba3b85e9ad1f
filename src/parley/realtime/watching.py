"""How a reader comes to be live in a stream: subscribe first, then read what was missed, then let go.

The reader is known to the stream before the database is asked, so everything published meanwhile is kept for it;
what it missed is read and sent first, then what was kept, and only without a hole between them does it go live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from parley.conversations import (
    Cursor,
    View,
    find_view,
    mask_hidden,
    read_events,
    read_head,
    read_personal_events,
    read_personal_head,
    resume,
    resume_personal,
)
from parley.conversations.errors import ConversationNotFound, StreamReset
from parley.infra.db import Tx
from parley.infra.failures import describe_failure
from parley.kit.events import Event
from parley.realtime.frames import EventFrames, GoneFrame, Ready, ResetFrame
from parley.realtime.streams import Stream, Subscription

if TYPE_CHECKING:
    from parley.realtime.session import Session

CHUNK = 4
"""Missed events shown between two looks at how the reader keeps up: some 100 kB each at the most."""
READ_LIMIT = 500
RETRY_SECONDS = 1.0

log = structlog.get_logger()


async def begin(session: Session, conversation_id: UUID, cursor: Cursor | None) -> Cursor:
    """Make a session live in a conversation, after what it missed since the cursor, if it gives one.

    Returns the cursor it is at: nothing of a later number has been sent on return. When the cursor cannot be
    continued a reset is sent and the session goes on from the head. Repeat: begins again from the new cursor.
    Raises: ConversationNotFound.
    """
    former = session.watched.pop(conversation_id, None)
    if former is not None:
        session.fanout.leave(former)
    subscription = session.fanout.join(session, "conversation", conversation_id)
    session.watched[conversation_id] = subscription
    try:
        await _start(subscription, cursor)
        await _follow(subscription)
    except BaseException:
        _forget(subscription)
        raise
    return Cursor(subscription.number, subscription.tag)


async def begin_personal(session: Session, cursor: Cursor | None) -> Cursor:
    """As `begin`, in the session's own personal stream."""
    subscription = session.fanout.join(session, "personal", session.actor_id)
    session.personal = subscription
    await _start(subscription, cursor)
    await _follow(subscription)
    return Cursor(subscription.number, subscription.tag)


async def review(session: Session) -> None:
    """Look at every held-back conversation again: it goes on with its present view, or is gone.

    Returns when nothing is held back and the watched inboxes are those the caller sees. While the database is away
    everything stays held back.
    """
    version = -1
    while version != session.rights_version and not session.is_closed:
        version = session.rights_version
        try:
            await _review_once(session, version)
        except Exception as error:  # noqa: BLE001 - what is held back stays so until the rights are known
            log.warning("realtime.rights_unread", error=describe_failure(error))
            version = -1
            await asyncio.sleep(RETRY_SECONDS)


async def _review_once(session: Session, version: int) -> None:
    if not await session.refresh_caller():
        return
    held = [one for one in session.watched.values() if one.is_held]
    views = await _find_views(session, held) if held else {}
    if version != session.rights_version:
        return
    for subscription in held:
        if version != session.rights_version:
            return
        await _decide(subscription, views[subscription.stream.id], version)
    if session.is_watching_inboxes:
        await session.find_inboxes()


async def _decide(subscription: Subscription, view: View | None, version: int) -> None:
    if subscription.is_over:
        return
    if view is None:
        _tell_gone(subscription)
        return
    subscription.view, subscription.rights_version = view, version
    subscription.is_held = False
    try:
        await _follow(subscription)
    except ConversationNotFound:
        _tell_gone(subscription)
    except Exception:
        subscription.is_held = True
        raise


def _tell_gone(subscription: Subscription) -> None:
    _forget(subscription)
    subscription.session.send(Ready(GoneFrame(stream=subscription.stream.name)))


async def _find_views(session: Session, held: Sequence[Subscription]) -> dict[UUID, View | None]:
    async with session.fanout.db.transaction(session.caller.workspace_id) as tx:
        return {one.stream.id: await find_view(tx, session.caller, one.stream.id) for one in held}


def _forget(subscription: Subscription) -> None:
    session = subscription.session
    session.fanout.leave(subscription)
    if session.watched.get(subscription.stream.id) is subscription:
        del session.watched[subscription.stream.id]


async def _start(subscription: Subscription, cursor: Cursor | None) -> None:
    """Read the right, the head and what was missed, and send the latter."""
    session, stream = subscription.session, subscription.stream
    reset: Cursor | None = None
    missed: list[Event] = []
    subscription.rights_version = session.rights_version
    # a snapshot: of one moment, nothing after a removal is read
    async with session.fanout.entrance.turn(), session.fanout.db.snapshot(stream.workspace_id) as tx:
        if stream.kind == "conversation":
            subscription.view = await _require_view(tx, subscription)
        head = await _read_head(tx, stream)
        if cursor is not None:
            try:
                missed = await _for_reader(tx, subscription, await _resume(tx, stream, cursor))
            except StreamReset as error:
                reset = Cursor(error.fields["head"]["number"], error.fields["head"]["tag"])
    session.fanout.settle(stream, head)
    if reset is not None:
        session.send(Ready(ResetFrame(stream=stream.name, head=reset)))
    subscription.start_at(reset or cursor or head)
    await _show(subscription, missed)


async def _follow(subscription: Subscription) -> None:
    """Close what holes there are until the reader is live. Raises: ConversationNotFound when it may not go on."""
    session, stream = subscription.session, subscription.stream
    while not (session.is_closed or subscription.is_over):
        if stream.kind == "conversation" and subscription.rights_version != session.rights_version:
            subscription.rights_version = session.rights_version
            async with session.fanout.db.transaction(stream.workspace_id) as tx:
                subscription.view = await _require_view(tx, subscription)
            continue
        if stream.catch_up(subscription):
            return
        # the right and the events of one moment: nothing that came after a removal is read
        async with session.fanout.db.snapshot(stream.workspace_id) as tx:
            if stream.kind == "conversation":
                subscription.view = await _require_view(tx, subscription)
            missed = await _for_reader(tx, subscription, await _read_events(tx, subscription))
        if not missed:
            # published numbers that the database does not have: it may have lost commits
            session.fanout.suspect(stream)
            await asyncio.sleep(RETRY_SECONDS / 10)
        await _show(subscription, missed)


async def _show(subscription: Subscription, events: Sequence[Event]) -> None:
    name = subscription.stream.name
    for piece in _pieces(subscription, events):
        if subscription.is_over or subscription.is_reset:
            return
        subscription.show([EventFrames(event, name) for event in piece])
        await subscription.session.drained()


def _pieces(subscription: Subscription, events: Sequence[Event]) -> Iterator[list[Event]]:
    piece: list[Event] = []
    shown = 0
    for event in events:
        piece.append(event)
        shown += subscription.may_see(event)
        if shown == CHUNK:
            yield piece
            piece, shown = [], 0
    yield piece


async def _require_view(tx: Tx, subscription: Subscription) -> View:
    view = await find_view(tx, subscription.session.caller, subscription.stream.id)
    if view is None:
        raise ConversationNotFound
    return view


async def _for_reader(tx: Tx, subscription: Subscription, events: Sequence[Event]) -> list[Event]:
    """Return missed events as this reader gets them: without those about messages they deleted for themselves."""
    if subscription.stream.kind == "personal":
        return list(events)
    return await mask_hidden(tx, subscription.session.actor_id, [subscription.stream.id], events)


async def _read_head(tx: Tx, stream: Stream) -> Cursor:
    return await (read_personal_head if stream.kind == "personal" else read_head)(tx, stream.id)


async def _resume(tx: Tx, stream: Stream, cursor: Cursor) -> list[Event]:
    return await (resume_personal if stream.kind == "personal" else resume)(tx, stream.id, cursor)


async def _read_events(tx: Tx, subscription: Subscription) -> list[Event]:
    read = read_personal_events if subscription.stream.kind == "personal" else read_events
    return await read(tx, subscription.stream.id, after=subscription.number, limit=READ_LIMIT)
