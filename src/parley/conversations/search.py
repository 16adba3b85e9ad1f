"""Search of messages, in one conversation and everywhere, newest first.

Words are found in any of their forms (Russian and English), ё as е, whatever their case; the last one also by its
beginning, while it is being typed; words in quotes in a row. What was typed is only ever words: it has no operators.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.accounts import Caller
from parley.conversations import hiding_store, history, search_store, store
from parley.conversations.schemas import ActorRef, FoundConversation, FoundMessage, Has, Highlight, Message
from parley.conversations.visibility import require_view, view_of
from parley.infra.db import Tx
from parley.kit.errors import Malformed
from parley.kit.ids import public_id
from parley.kit.pages import Page, decode_cursor, encode_cursor
from parley.kit.text import clean_text, utf16_length

QUERY_LIMIT = 256
"""Characters in a question."""
ROUNDS = 4
"""How often the index is asked for one page, when much of what it names was deleted or edited just now."""

_LAST = (dt.datetime(9999, 1, 1, tzinfo=dt.UTC), UUID(int=2**128 - 1))
_QUOTES = re.compile(r"[\"«»“”„]")
_WORD = re.compile(r"[^\W_]+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for. ``parts``: words, or words in a row; ``beginning``: a word half typed."""

    parts: tuple[str, ...]
    beginning: str

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.parts and not self.beginning


def parse_query(text: str) -> Asked:
    """Return the parts of a question. A quote that is not closed reaches to the end, as it does while typing."""
    parts: list[str] = []
    beginning = ""
    pieces = _QUOTES.split(clean_text(text))
    for number, piece in enumerate(pieces):
        if number == len(pieces) - 1:
            beginning = _find_beginning(piece)
        whole = piece[: len(piece) - len(beginning)]
        parts += [whole] if number % 2 else whole.split()
    return Asked(parts=tuple(part for part in parts if _WORD.search(part)), beginning=beginning)


def _find_beginning(text: str) -> str:
    """Return the letters and digits that a text ends with."""
    end = len(text)
    while end and text[end - 1].isalnum():
        end -= 1
    return text[end:]


async def search_messages(
    tx: Tx,
    caller: Caller,
    *,
    query: str,
    conversation_id: UUID | None = None,
    sender_id: UUID | None = None,
    since: dt.datetime | None = None,
    before: dt.datetime | None = None,
    has: Sequence[Has] = (),
    cursor: str | None = None,
    limit: int = 20,
) -> Page[FoundMessage]:
    """Return messages that the caller sees and that meet every condition, newest first.

    A message is found within a second or two of being sent or edited. One deleted is never found, nor an edited one by
    its former words. Raises: ConversationNotFound, Malformed when nothing is asked for.
    """
    asked = parse_query(query)
    if conversation_id is not None:
        await require_view(tx, caller, conversation_id)
    if asked.is_empty and query.strip():
        return Page([])
    if asked.is_empty and not has and sender_id is None:
        raise Malformed("Say what to look for: words, who wrote it, or what it has.")
    place = min(_read_cursor(cursor), (before, UUID(int=0)) if before else _LAST)
    keys: list[asyncpg.Record] = []
    for _ in range(ROUNDS):
        rows = await search_store.find_messages(
            tx,
            workspace_id=caller.workspace_id,
            actor_id=caller.actor_id,
            may_chat=caller.may_chat,
            desk=_desk_rule(caller),
            parts=asked.parts,
            beginning=asked.beginning,
            has=has,
            sender_id=sender_id,
            conversation_id=conversation_id,
            since=since,
            before=place,
            limit=limit,
        )
        hidden = await hiding_store.list_hidden(
            tx, caller.actor_id, [row["conversation_id"] for row in rows], [row["message_id"] for row in rows]
        )
        keys += [row for row in rows if row["is_live"] and row["message_id"] not in hidden]
        if rows:
            place = (rows[-1]["at"], rows[-1]["message_id"])
        if len(rows) < limit or len(keys) >= limit:
            break
    if len(keys) > limit:
        place = (keys[limit - 1]["at"], keys[limit - 1]["message_id"])
    return Page(
        await _to_found(tx, caller, asked, keys[:limit]),
        encode_cursor(*place) if len(keys) > limit or len(rows) == limit else None,
    )


def _read_cursor(cursor: str | None) -> tuple[dt.datetime, UUID]:
    if not cursor:
        return _LAST
    moment, last = decode_cursor(cursor, dt.datetime, UUID)
    return moment, last


def _desk_rule(caller: Caller) -> str:
    """`visibility.view_of` for desk conversations, in the words of the SQL function `search_messages`."""
    if caller.is_staff:
        return "every" if caller.is_admin or caller.kind == "bot" else "own"
    return "none" if caller.kind == "user" else "member"


async def _to_found(
    tx: Tx, caller: Caller, asked: Asked, keys: Sequence[asyncpg.Record]
) -> list[FoundMessage]:
    """Read what was found. Whatever the index says, the rule of visibility has the last word on every message."""
    rooms = list({row["conversation_id"] for row in keys})
    messages = await history.get_messages(tx, [(row["conversation_id"], row["message_id"]) for row in keys])
    views = {
        row["id"]: view_of(caller, row)
        for row in (await store.list_access(tx, caller.workspace_id, rooms, caller.actor_id) if rooms else [])
    }
    titles = {row["id"]: _conversation(row) for row in await _titles(tx, rooms, caller)}
    shown: list[tuple[UUID, Message]] = []
    for row in keys:
        message, view = messages.get(row["message_id"]), views.get(row["conversation_id"])
        if (
            message is None
            or message.deleted_at
            or view is None
            or (message.kind == "note" and view != "staff")
        ):
            continue
        shown.append(
            (row["conversation_id"], message if view == "staff" else history.without_status(message))
        )
    marks = await _highlight(tx, asked, [message.text for _, message in shown])
    return [
        FoundMessage(message=message, conversation=titles[room], highlights=ranges)
        for (room, message), ranges in zip(shown, marks, strict=True)
    ]


async def _titles(tx: Tx, rooms: Sequence[UUID], caller: Caller) -> list[asyncpg.Record]:
    return await search_store.list_titles(tx, rooms, caller.actor_id) if rooms else []


def _conversation(row: asyncpg.Record) -> FoundConversation:
    peer = row["peer_id"] and ActorRef(public_id("act", row["peer_id"]), row["peer_kind"], row["peer_name"])
    return FoundConversation(
        id=public_id("cnv", row["id"]), kind=row["kind"], title=row["title"], peer=peer or None
    )


async def _highlight(tx: Tx, asked: Asked, texts: Sequence[str]) -> list[list[Highlight]]:
    """Return of each text the stretches that were asked for. The database says which words are, as it did in finding."""
    if asked.is_empty or not texts:
        return [[] for _ in texts]
    words = {match[0].lower() for text in texts for match in _WORD.finditer(text)}
    rows = await search_store.list_found_words(tx, sorted(words), asked.parts, asked.beginning)
    found = {row["word"] for row in rows}
    return [_ranges(text, found) for text in texts]


def _ranges(text: str, found: set[str]) -> list[Highlight]:
    """Return where these words stand, in UTF-16 units."""
    ranges, offset, end = [], 0, 0
    for match in _WORD.finditer(text):
        if match[0].lower() in found:
            offset += utf16_length(text[end : match.start()])
            length = utf16_length(match[0])
            ranges.append(Highlight(offset=offset, length=length))
            offset, end = offset + length, match.end()
    return ranges
