"""REST of people to talk with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from parley.accounts.authentication import GivenCaller, GivenRuntime
from parley.accounts.caller import Caller, Role
from parley.accounts.people import get_people, list_people
from parley.accounts.schemas import Person
from parley.kit.ids import parse_id
from parley.kit.pages import MAX_PAGE, Page


class Seen(NamedTuple):
    """Whether somebody is online and when they were last seen; None: not known, or not for the caller to know."""

    is_online: bool | None
    last_seen_at: dt.datetime | None


FindSeen = Callable[[Caller, Collection[UUID]], Awaitable[Mapping[UUID, Seen]]]
"""Return for every one of these actors what the caller may know of their presence. In no transaction."""
GivenSeen = NamedDependency[FindSeen]
"""What `parley.apps` provides under `find_seen`: presence lies above accounts."""

_Query = Annotated[
    str, QueryParameter(name="query", max_length=200, description="Part of a name or of an external id.")
]
_Ids = Annotated[
    list[str] | None,
    QueryParameter(name="id", max_items=MAX_PAGE, description="Actors; others are left out."),
]
_Roles = Annotated[
    list[Role] | None,
    QueryParameter(name="role", max_items=4, description="Users who have one of these; bots have none."),
]
_Cursor = Annotated[str | None, QueryParameter(max_length=2000, description="The `next` of the page before.")]
_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="Items in a page at the most.")]


@get("/v1/people", tags=["People"], operation_id="list_people", summary="People to talk with")
async def list_people_route(
    runtime: GivenRuntime,
    caller: GivenCaller,
    find_seen: GivenSeen,
    text: _Query = "",
    ids: _Ids = None,
    roles: _Roles = None,
    cursor: _Cursor = None,
    limit: _Limit = 50,
) -> Page[Person]:
    """Find users and bots of the workspace by name or external id, in order of their names. Presence is told of whom you
    share a direct conversation or group with and who shows it, as `GET /v1/presence` does. With `id`, given once or
    several times, these alone in no order, deactivated ones too, whatever else is asked.
    """
    wanted = {parse_id("act", one) for one in ids or ()}
    async with runtime.db.transaction(caller.workspace_id) as tx:
        if wanted:
            page = await get_people(tx, caller, wanted)
        else:
            page = await list_people(tx, caller, query=text, roles=roles or (), cursor=cursor, limit=limit)
    keys = {person.id: parse_id("act", person.id) for person in page.items}
    seen = await find_seen(caller, keys.values())
    return Page([_with_seen(person, seen[keys[person.id]]) for person in page.items], page.next)


def _with_seen(person: Person, seen: Seen) -> Person:
    return msgspec.structs.replace(person, is_online=seen.is_online, last_seen_at=seen.last_seen_at)


routes = [list_people_route]
