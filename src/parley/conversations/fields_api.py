"""REST of fields that an embedding application keeps beside conversations and messages."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, put
from litestar.params import FromPath, JSONBody

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations import fields
from parley.conversations.schemas import Message
from parley.kit.ids import parse_id

_TAGS = ["Embedding"]


class ConversationFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The values that the embedding application keeps here, all of them; at most 8 kB of JSON."""

    fields: dict[str, Any]


@get("/v1/conversations/{conversation_id:str}/fields", tags=_TAGS, operation_id="get_conversation_fields")
async def get_fields_route(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]
) -> dict[str, Any]:
    """What your application keeps of a conversation; whoever sees it reads it, at the desk only staff."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await fields.get_fields(tx, caller, parse_id("cnv", conversation_id))


@put("/v1/conversations/{conversation_id:str}/fields", tags=_TAGS, operation_id="set_conversation_fields")
async def set_fields_route(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    data: JSONBody[ConversationFields],
) -> dict[str, Any]:
    """Replace what your application keeps of a conversation: owners and moderators, both sides of a direct one, staff."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await fields.set_fields(tx, caller, parse_id("cnv", conversation_id), data.fields)


@put(
    "/v1/conversations/{conversation_id:str}/messages/{message_id:str}/fields",
    tags=_TAGS,
    operation_id="set_message_fields",
)
async def set_message_fields_route(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    message_id: FromPath[str],
    data: JSONBody[ConversationFields],
) -> Message:
    """Replace what your application keeps of a message, in its `extra.fields`: your own, or anyone's as a moderator."""
    key = parse_id("cnv", conversation_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await fields.set_message_fields(tx, caller, key, parse_id("msg", message_id), data.fields)


routes = [get_fields_route, set_fields_route, set_message_fields_route]
