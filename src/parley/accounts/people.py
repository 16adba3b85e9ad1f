"""People to talk with: the users and bots of the workspace, findable by everybody in it.

By name and external id alone. Phone numbers and e-mail addresses are neither shown nor searched here.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from parley.accounts import people_store
from parley.accounts.actors import find_actors, format_actor
from parley.accounts.caller import Caller, Role
from parley.accounts.schemas import Actor, Person
from parley.infra.db import Tx
from parley.kit.errors import Forbidden
from parley.kit.pages import Page, decode_cursor, encode_cursor
from parley.kit.text import clean_name


async def list_people(
    tx: Tx, caller: Caller, *, query: str, roles: Collection[Role] = (), cursor: str | None, limit: int
) -> Page[Person]:
    """Return active users and bots by name, oneself included; with a query those whose name or external id has it.

    Of roles the users who have one of them; bots have none. Raises: Forbidden for API keys that may not chat, Malformed.
    """
    _require_chat(caller)
    after = ("", UUID(int=0))
    if cursor:
        name, last = decode_cursor(cursor, str, UUID)
        after = (name, last)
    rows = await people_store.list_people(
        tx, caller.workspace_id, clean_name(query), roles=roles, after=after, limit=limit + 1
    )
    following = None
    if len(rows) > limit:
        following = encode_cursor(rows[limit - 1]["search_name"], rows[limit - 1]["id"])
    return Page([_format(format_actor(row)) for row in rows[:limit]], following)


async def get_people(tx: Tx, caller: Caller, ids: Collection[UUID]) -> Page[Person]:
    """Return these users and bots, in no order, deactivated ones too: their names stand beside what they did.

    Others are left out. Raises: Forbidden for API keys that may not chat.
    """
    _require_chat(caller)
    known = await find_actors(tx, ids)
    return Page([_format(actor) for actor in known.values() if actor.kind != "contact"])


def _require_chat(caller: Caller) -> None:
    if not caller.may_chat:
        raise Forbidden("The API key lacks a scope.", scope="chat")


def _format(actor: Actor) -> Person:
    return Person(id=actor.id, kind=actor.kind, name=actor.name, role=actor.role)
