"""People to talk with: the users and bots of the workspace, findable by everybody in it.

By name and external id alone. Phone numbers and e-mail addresses are neither shown nor searched here.
"""

from __future__ import annotations

from uuid import UUID

from parley.accounts import people_store
from parley.accounts.actors import format_actor
from parley.accounts.caller import Caller
from parley.accounts.schemas import Person
from parley.infra.db import Tx
from parley.kit.errors import Forbidden
from parley.kit.pages import Page, decode_cursor, encode_cursor
from parley.kit.text import clean_name


async def list_people(tx: Tx, caller: Caller, *, query: str, cursor: str | None, limit: int) -> Page[Person]:
    """Return active users and bots by name, oneself included; with a query those whose name or external id has it.

    Raises: Forbidden for API keys that may not chat, Malformed.
    """
    if not caller.may_chat:
        raise Forbidden("The API key lacks a scope.", scope="chat")
    after = ("", UUID(int=0))
    if cursor:
        name, last = decode_cursor(cursor, str, UUID)
        after = (name, last)
    rows = await people_store.list_people(
        tx, caller.workspace_id, clean_name(query), after=after, limit=limit + 1
    )
    following = None
    if len(rows) > limit:
        following = encode_cursor(rows[limit - 1]["search_name"], rows[limit - 1]["id"])
    items = []
    for row in rows[:limit]:
        actor = format_actor(row)
        items.append(Person(id=actor.id, kind=actor.kind, name=actor.name, role=actor.role))
    return Page(items, following)
