"""REST of people to talk with."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from parley.accounts.authentication import GivenCaller, GivenRuntime
from parley.accounts.people import list_people
from parley.accounts.schemas import Person
from parley.kit.pages import MAX_PAGE, Page

_Query = Annotated[
    str, QueryParameter(name="query", max_length=200, description="Part of a name or of an external id.")
]
_Cursor = Annotated[str | None, QueryParameter(max_length=2000, description="The `next` of the page before.")]
_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="Items in a page at the most.")]


@get("/v1/people", tags=["People"], operation_id="list_people", summary="People to talk with")
async def list_people_route(
    runtime: GivenRuntime, caller: GivenCaller, text: _Query = "", cursor: _Cursor = None, limit: _Limit = 50
) -> Page[Person]:
    """Find users and bots of the workspace by name or external id, in order of their names."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await list_people(tx, caller, query=text, cursor=cursor, limit=limit)


routes = [list_people_route]
