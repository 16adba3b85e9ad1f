"""REST of one's own chats: the list, and what one keeps of each for oneself."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import delete, get, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations import chats, drafts, preferences
from parley.conversations.group_schemas import DraftJson, DraftRequest, PreferencesRequest
from parley.conversations.schemas import Conversation
from parley.kit.ids import parse_id
from parley.kit.pages import MAX_PAGE, Page

_TAGS = ["Chats"]
_Cursor = Annotated[str | None, QueryParameter(max_length=500)]
_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]


def _conversation(text: str) -> UUID:
    return parse_id("cnv", text)


@get("/v1/chats", tags=_TAGS, operation_id="list_chats")
async def list_chats(
    runtime: GivenRuntime,
    caller: GivenCaller,
    archived: FromQuery[bool] = False,
    cursor: _Cursor = None,
    limit: _Limit = 50,
) -> Page[Conversation]:
    """Your direct conversations, groups and broadcasts: pinned ones first, then most lately spoken in."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await chats.list_chats(tx, caller, is_archived=archived, cursor=cursor, limit=limit)


@put("/v1/conversations/{conversation_id:str}/preferences", tags=_TAGS, operation_id="set_preferences")
async def set_preferences(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    data: JSONBody[PreferencesRequest],
) -> Conversation:
    """Mute, archive or pin a conversation for yourself; what is left out stays."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await preferences.set_preferences(tx, caller, _conversation(conversation_id), data)


_DRAFT = "/v1/conversations/{conversation_id:str}/draft"


@get("/v1/drafts", tags=_TAGS, operation_id="list_drafts")
async def list_drafts(
    runtime: GivenRuntime, caller: GivenCaller, cursor: _Cursor = None, limit: _Limit = 50
) -> Page[DraftJson]:
    """What you began to write, by conversation."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await drafts.list_drafts(tx, caller, cursor, limit)


@get(_DRAFT, tags=_TAGS, operation_id="get_draft")
async def get_draft(runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]) -> DraftJson:
    """What you began to write in a conversation; 404 `no_draft` when it is nothing."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await drafts.get_draft(tx, caller, _conversation(conversation_id))


@put(_DRAFT, tags=_TAGS, operation_id="set_draft")
async def set_draft(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], data: JSONBody[DraftRequest]
) -> DraftJson:
    """Keep what you began to write, for your other devices; an empty draft is none."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await drafts.set_draft(tx, caller, _conversation(conversation_id), data)


@delete(_DRAFT, tags=_TAGS, operation_id="delete_draft")
async def delete_draft(runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]) -> None:
    """Take your draft away."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await drafts.delete_draft(tx, caller, _conversation(conversation_id))


routes = [list_chats, set_preferences, list_drafts, get_draft, set_draft, delete_draft]
