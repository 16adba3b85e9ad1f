"""REST of search."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations.preferences import require_moment
from parley.conversations.schemas import FoundMessage, Has
from parley.conversations.search import QUERY_LIMIT, search_messages
from parley.kit.ids import parse_id
from parley.kit.pages import MAX_PAGE, Page

_Moment = Annotated[dt.datetime | None, QueryParameter()]


@get("/v1/search/messages", tags=["Search"], operation_id="search_messages")
async def search(
    runtime: GivenRuntime,
    caller: GivenCaller,
    words: Annotated[str, QueryParameter(name="query", max_length=QUERY_LIMIT)] = "",
    conversation_id: Annotated[str | None, QueryParameter(max_length=64)] = None,
    sender_id: Annotated[str | None, QueryParameter(name="from", max_length=64)] = None,
    date_from: _Moment = None,
    date_to: _Moment = None,
    has: Annotated[list[Has] | None, QueryParameter(max_items=3)] = None,
    cursor: Annotated[str | None, QueryParameter(max_length=500)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 20,
) -> Page[FoundMessage]:
    """Messages you may see with all these words, newest first.

    Words are found in any of their forms, Russian and English, the last one also by its beginning; `"words in quotes"`
    in a row. `from`: an actor's id. `date_from` is included, `date_to` is not; both with a zone. `has` may be given
    several times: `file` (any file), `image`, `link`. Highlights are stretches of the message's text in UTF-16 units.
    """
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await search_messages(
            tx,
            caller,
            query=words,
            conversation_id=parse_id("cnv", conversation_id) if conversation_id else None,
            sender_id=parse_id("act", sender_id) if sender_id else None,
            since=require_moment(date_from, "date_from") if date_from else None,
            before=require_moment(date_to, "date_to") if date_to else None,
            has=has or (),
            cursor=cursor,
            limit=limit,
        )


routes = [search]
