"""Whether what the journal says became a message really did.

No column ties an item to its message, and none is needed: the item's body says which message of the provider's it is,
and `message_source`, which refers to a message of ours, has it noted under that name. Both were committed together.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

from parley.channels.contract import Account, Adapter, BadUpdate, IncomingMessage
from parley.channels.registry import build_adapters
from parley.desk.intake_store import ALBUM_ITEM, DUPLICATE, MESSAGE
from parley.infra.checking import Check, Probe, Walk
from parley.infra.http_client import HttpClient

_WALK = Walk(table="journal", rows=1_000)
_DONE = """SELECT j.id, j.inbox_id, j.body, j.outcome, i.channel, i.config
    FROM journal j JOIN inbox i ON i.workspace_id = j.workspace_id AND i.id = j.inbox_id
    WHERE j.id > $1 AND $2::bigint IS NOT NULL AND j.id <= $3 AND $4::bigint IS NOT NULL AND j.work = 'done'"""
_UNKNOWN = """SELECT t.id, t.chat, t.provider_id
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS t (id, inbox_id, chat, provider_id)
    WHERE NOT EXISTS (SELECT FROM message_source s WHERE s.inbox_id = t.inbox_id AND s.chat = t.chat
        AND s.provider_id = t.provider_id AND s.revision = '')"""
_BECAME = frozenset({MESSAGE, ALBUM_ITEM, DUPLICATE})


class _Told(NamedTuple):
    """A message of the provider's of which an item says that it is one of ours."""

    item_id: UUID
    inbox_id: UUID
    chat: str
    provider_id: str


async def _find_lost(probe: Probe) -> Sequence[str]:
    lost = []
    async with HttpClient() as http:  # nothing is asked of anybody: adapters are made over one
        adapters = build_adapters(http)
        async for bounds in probe.walk(_WALK):
            began = time.monotonic()
            rows = await probe.fetch(_DONE, *bounds, is_indexed=True)
            told = [one for row in rows for one in _read(adapters, row)]
            if told:
                lost += await probe.fetch(
                    _UNKNOWN, *(list(part) for part in zip(*told, strict=True)), is_indexed=True
                )
            probe.report(time.monotonic() - began)
    return [
        f"journal item {row['id']} says that it became a message, and message {row['provider_id']} of chat {row['chat']} "
        "is none of ours"
        for row in lost
    ]


def _read(adapters: Mapping[str, Adapter], row: Record) -> Iterable[_Told]:
    """Return what an item says became a message; nothing of one that this version reads in another way.

    Secrets are left closed: what an item says stands in its body.
    """
    adapter, words = adapters.get(row["channel"]), (row["outcome"] or "").split("; ")
    if adapter is None or _BECAME.isdisjoint(words):
        return
    try:
        parsed = adapter.parse(
            Account(inbox_id=str(row["inbox_id"]), secrets={}, config=row["config"]), row["body"]
        )
    except BadUpdate:
        return
    if len(parsed) == len(words):
        for item, word in zip(parsed, words, strict=True):
            if isinstance(item, IncomingMessage) and word in _BECAME:
                yield _Told(row["id"], row["inbox_id"], item.chat, item.provider_id)


JOURNAL_CHECKS = (
    Check(
        name="journal.outcome",
        holds="Every journal item that is done says what became of it.",
        remedy="The row was changed by hand, or by a bug: ask the developers with its id.",
        walk=Walk(table="journal"),
        sql="""SELECT 'journal item ' || j.id || ' is done and does not say what became of it' AS finding FROM journal j
            WHERE j.id > $1 AND $2::bigint IS NOT NULL AND j.id <= $3 AND $4::bigint IS NOT NULL
              AND j.work = 'done' AND coalesce(j.outcome, '') = ''""",
    ),
    Check(
        name="journal.messages",
        holds="What a journal item says became a message is known as one of ours.",
        remedy="A customer's message was lost. Its words are in the item's body: UPDATE journal SET work = 'failed', "
        "last_error = 'lost' WHERE id = ..., then parley journal replay; and ask the developers with the id.",
        look=_find_lost,
        is_long=True,
    ),
)
