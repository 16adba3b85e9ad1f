"""Sync: everything missed in many streams at once, for a client that was away for a minute or a week.

One request instead of one for each conversation, so that it packs well: 5 000 events of 50 conversations are
about 200 kB gzipped. The streams go on live by a `watch` with the heads given here.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import asyncpg

from parley.accounts import Caller
from parley.conversations import store, streams, sync_store
from parley.conversations.errors import StreamReset
from parley.conversations.hiding import mask_hidden
from parley.conversations.schemas import Cursor, StreamSync
from parley.conversations.streams import RESUME_LIMIT, event_json, is_for
from parley.conversations.visibility import View, view_of
from parley.infra.db import Tx
from parley.kit.events import Event
from parley.kit.ids import public_id

EVENT_LIMIT = 5000
"""Events of one answer, not counting those of the personal stream; streams beyond it are `partial`."""


async def sync(
    tx: Tx, caller: Caller, cursors: Mapping[UUID, Cursor], personal: Cursor | None
) -> list[StreamSync]:
    """Return what the caller missed: the personal stream first, then the conversations in the order asked."""
    found = [] if personal is None else [await _sync_personal(tx, caller, personal)]
    rows = await store.list_access(tx, caller.workspace_id, list(cursors), caller.actor_id)
    access = {row["id"]: row for row in rows}
    fitting = _choose(caller, cursors, access)
    missed = await sync_store.list_missed(tx, {key: cursors[key].number for key in fitting}, RESUME_LIMIT + 2)
    every = [event for events in missed.values() for event in events]
    shown = {
        (one.stream_id, one.number): one
        for one in await mask_hidden(tx, caller.actor_id, list(missed), every)
    }
    missed = {key: [shown[key, event.number] for event in events] for key, events in missed.items()}
    for key, cursor in cursors.items():
        row = access.get(key)
        view = view_of(caller, row) if row else None
        if row is None or view is None:
            found.append(StreamSync(stream=public_id("cnv", key), state="gone"))
        elif _is_near(cursor, row) and key not in fitting:
            found.append(StreamSync(stream=public_id("cnv", key), state="partial", head=cursor))
        else:
            found.append(_continue(caller, key, cursor, row, view, missed.get(key, [])))
    return found


def _choose(
    caller: Caller, cursors: Mapping[UUID, Cursor], access: Mapping[UUID, asyncpg.Record]
) -> set[UUID]:
    """Return the streams whose missed events are read now: the first ones that fit into `EVENT_LIMIT`."""
    left = EVENT_LIMIT
    chosen = set()
    for key, cursor in cursors.items():
        row = access.get(key)
        if row and view_of(caller, row) and _is_near(cursor, row) and row["head"] - cursor.number <= left:
            left -= row["head"] - cursor.number
            chosen.add(key)
    return chosen


def _is_near(cursor: Cursor, row: asyncpg.Record) -> bool:
    """Whether there is something to read: more would be a reset, and so would a number that never was."""
    count: int = row["head"] - cursor.number
    return 0 < count <= RESUME_LIMIT


def _continue(
    caller: Caller, key: UUID, cursor: Cursor, row: asyncpg.Record, view: View, missed: list[Event]
) -> StreamSync:
    name = public_id("cnv", key)
    try:
        events = streams.continue_from(cursor, Cursor(row["head"], row["tag"]), missed, name)
    except StreamReset:
        return StreamSync(stream=name, state="reset", head=Cursor(row["head"], row["tag"]))
    return StreamSync(
        stream=name,
        state="complete",
        events=[
            event_json(event, name, view, caller.actor_id)
            for event in events
            if is_for(event.audience, view, caller.actor_id)
        ],
        head=Cursor(events[-1].number, events[-1].tag) if events else cursor,
    )


async def _sync_personal(tx: Tx, caller: Caller, cursor: Cursor) -> StreamSync:
    name = public_id("act", caller.actor_id)
    try:
        events = await streams.resume_personal(tx, caller.actor_id, cursor)
    except StreamReset as error:
        return StreamSync(stream=name, state="reset", head=Cursor(**error.fields["head"]))
    return StreamSync(
        stream=name,
        state="complete",
        events=[event_json(event, name, "staff", caller.actor_id) for event in events],
        head=Cursor(events[-1].number, events[-1].tag) if events else cursor,
    )
