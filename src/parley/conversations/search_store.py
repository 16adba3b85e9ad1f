"""SQL of search: asking the index, and keeping it beside the messages. What it consists of: 0007_search.sql."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx
from parley.infra.feed import FeedPosition

FOLLOWER = "search"
"""Name of the follower that keeps the index."""

_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


# ---------------------------------------------------------------- asking


async def find_messages(
    tx: Tx,
    *,
    workspace_id: UUID,
    actor_id: UUID,
    may_chat: bool,
    desk: str,
    parts: Sequence[str],
    beginning: str,
    has: Sequence[str],
    sender_id: UUID | None,
    conversation_id: UUID | None,
    since: dt.datetime | None,
    before: tuple[dt.datetime, UUID],
    limit: int,
) -> list[asyncpg.Record]:
    """Return (conversation_id, message_id, at, is_live) of up to ``limit`` messages older than ``before``, newest first.

    Only what the actor sees: the rule is inside `search_messages`, whose arguments these are.
    """
    return await tx.fetch(
        """SELECT * FROM search_messages($1, $2, $3, $4, search_query($5, $6),
            ARRAY(SELECT search_mark('h', x) FROM unnest($7::text[]) AS x)
                || ARRAY(SELECT search_mark('f', x::text) FROM unnest($8::uuid[]) AS x),
            $9, $10, $11, $12, $13)""",
        workspace_id,
        actor_id,
        may_chat,
        desk,
        list(parts),
        beginning,
        list(has),
        [sender_id] if sender_id else [],
        conversation_id,
        since or _NEVER,
        *before,
        limit,
    )


async def list_found_words(
    tx: Tx, words: Sequence[str], parts: Sequence[str], beginning: str
) -> list[asyncpg.Record]:
    """Return those of the words by which a message was found: that meet one of the conditions by themselves."""
    return await tx.fetch(
        r"""SELECT w.word FROM unnest($1::text[]) AS w (word) CROSS JOIN (
            SELECT string_agg('(' || term::text || ')', '|')::tsquery AS term FROM (
                SELECT search_query(ARRAY[p], '') AS term FROM unnest($2::text[]) AS p
                UNION ALL SELECT search_query('{}', $3)) x) q
        WHERE search_words(search_fold(w.word)) @@ q.term""",
        list(words),
        [word for part in parts for word in part.split()],
        beginning,
    )


async def list_titles(tx: Tx, ids: Sequence[UUID], actor_id: UUID) -> list[asyncpg.Record]:
    """Return id, kind, title of conversations, and who the other is: of a direct one, or a desk's contact."""
    return await tx.fetch(
        """SELECT c.id, c.kind, c.title, o.id AS peer_id, o.kind AS peer_kind, o.name AS peer_name
        FROM conversation c LEFT JOIN LATERAL (SELECT a.id, a.kind, a.name FROM member m JOIN actor a ON a.id = m.actor_id
            WHERE m.conversation_id = c.id AND (c.kind = 'direct' AND a.id <> $2 OR c.kind = 'desk' AND a.kind = 'contact')
            LIMIT 1) o ON c.kind IN ('direct', 'desk')
        WHERE c.id = ANY ($1)""",
        list(ids),
        actor_id,
    )


# ---------------------------------------------------------------- keeping


async def lock_follower(tx: Tx, *, is_patient: bool = False) -> FeedPosition | None:
    """Return how far the index has followed the feed, locked until commit; None while somebody else is at it.

    Whoever has the lock is the only one who writes the index. The commit does not wait for the disk, where sends
    queue: what a crash takes of the index it takes of the position as well, and it is written again.
    """
    await tx.execute("SET LOCAL synchronous_commit = off")
    row = await tx.fetchrow(
        f"""SELECT transaction, position FROM follower WHERE name = $1
        FOR NO KEY UPDATE {"" if is_patient else "SKIP LOCKED"}""",
        FOLLOWER,
    )
    if row is None:
        return None
    place = row["position"]
    return (
        FeedPosition(row["transaction"], UUID(place[0]), place[1])
        if place
        else FeedPosition(row["transaction"])
    )


async def save_follower(tx: Tx, position: FeedPosition) -> None:
    """Remember how far the index has come, with what was written."""
    await tx.execute(
        "UPDATE follower SET transaction = $2, position = $3, updated_at = now() WHERE name = $1",
        FOLLOWER,
        position.transaction,
        [str(position.stream_id), position.number],
    )


async def list_changed(tx: Tx, position: FeedPosition, limit: int) -> list[asyncpg.Record]:
    """Return up to ``limit`` events after the position: their place in the feed, and the place of a message they change.

    `parley.infra.feed.read_feed` without the events' data, which is most of them. Index: event_feed.
    """
    return await tx.fetch(
        """SELECT transaction, conversation_id, number, at, CASE
            WHEN kind = 'message.created' THEN number
            WHEN kind IN ('message.updated', 'message.deleted') THEN (data -> 'message' ->> 'position')::bigint
            END AS message_position
        FROM event
        WHERE (transaction, conversation_id, number) > ($1, $2, $3)
          AND transaction < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY transaction, conversation_id, number LIMIT $4""",
        position.transaction,
        position.stream_id,
        position.number,
        limit,
    )


_FOUND = """
    SELECT m.workspace_id, m.conversation_id, m.id, m.created_at, m.sender_id, c.inbox_id, m.version, m.kind = 'note' AS is_note,
        m.deleted_at IS NULL AND m.kind <> 'system' AS is_wanted, search_fold(m.text) AS folded, array_remove(ARRAY[
            search_mark('w', m.workspace_id::text), search_mark('c', m.conversation_id::text),
            search_mark('f', m.sender_id::text),
            CASE WHEN m.text ~* 'https?://|www\\.' OR m.entities @> '[{"kind": "text_link"}]' OR m.entities @> '[{"kind": "url"}]'
                THEN search_mark('h', 'link') END,
            CASE WHEN a.count > 0 THEN search_mark('h', 'file') END,
            CASE WHEN a.pictures > 0 THEN search_mark('h', 'image') END], NULL) AS marks
    FROM keys k
    JOIN message m ON m.conversation_id = k.conversation_id AND m.position = k.position
    JOIN conversation c ON c.id = m.conversation_id
    CROSS JOIN LATERAL (SELECT count(*) AS count, count(*) FILTER (WHERE f.kind IN ('image', 'animation')) AS pictures
        FROM attachment t JOIN media f ON f.id = t.media_id
        WHERE t.conversation_id = m.conversation_id AND t.message_id = m.id) a
"""
_INDEX = f"""
WITH keys AS (SELECT DISTINCT * FROM unnest($1::uuid[], $2::bigint[]) AS k (conversation_id, position)),
found AS MATERIALIZED ({_FOUND}),
gone AS (
    DELETE FROM message_search s USING found f WHERE NOT f.is_wanted
        AND s.conversation_id = f.conversation_id AND s.at = f.created_at AND s.message_id = f.id
)
INSERT INTO message_search (workspace_id, conversation_id, message_id, at, sender_id, inbox_id, version, is_note, words)
SELECT workspace_id, conversation_id, id, created_at, sender_id, inbox_id, version, is_note,
    search_words(folded) || array_to_tsvector(marks)
FROM found WHERE is_wanted
ON CONFLICT (conversation_id, at, message_id) DO UPDATE SET version = excluded.version, words = excluded.words,
    inbox_id = excluded.inbox_id
"""


async def index_messages(tx: Tx, conversations: Sequence[UUID], positions: Sequence[int]) -> int:
    """Have the index hold these messages as they are now, and not those that are deleted. Repeat: harmless."""
    return await tx.execute(_INDEX, list(conversations), list(positions))


# ---------------------------------------------------------------- rebuilding


async def begin_rebuild(tx: Tx) -> None:
    """Have every message indexed anew, from the first. One under way begins anew."""
    await tx.execute(
        """INSERT INTO search_rebuild (id) VALUES (1) ON CONFLICT (id)
        DO UPDATE SET conversation_id = DEFAULT, position = DEFAULT, started_at = now()"""
    )


async def find_rebuild(tx: Tx) -> asyncpg.Record | None:
    """Return how far a rebuild under way has come."""
    return await tx.fetchrow("SELECT conversation_id, position FROM search_rebuild")


async def list_next_messages(
    tx: Tx, conversation_id: UUID, position: int, limit: int
) -> list[asyncpg.Record]:
    """Return the keys of messages behind one, in order. Index: message_position."""
    return await tx.fetch(
        """SELECT conversation_id, position FROM message WHERE (conversation_id, position) > ($1, $2)
        ORDER BY conversation_id, position LIMIT $3""",
        conversation_id,
        position,
        limit,
    )


async def save_rebuild(tx: Tx, last: Any) -> None:
    """Remember the last message indexed by a rebuild; None: it is done."""
    if last is None:
        await tx.execute("DELETE FROM search_rebuild")
    else:
        await tx.execute(
            "UPDATE search_rebuild SET conversation_id = $1, position = $2",
            last["conversation_id"],
            last["position"],
        )
