"""REST of groups and broadcasts: what they show, who is in them and in which role."""

from __future__ import annotations

from uuid import UUID

from litestar import patch, post
from litestar.params import FromPath, JSONBody

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations import members, profile
from parley.conversations.group_schemas import ConversationChange, MembersRequest, RoleRequest
from parley.conversations.schemas import Conversation, MemberJson
from parley.kit.ids import parse_id
from parley.kit.pages import Page

_TAGS = ["Groups"]


def _conversation(text: str) -> UUID:
    return parse_id("cnv", text)


@patch("/v1/conversations/{conversation_id:str}", tags=_TAGS, operation_id="change_conversation")
async def change_conversation(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    data: JSONBody[ConversationChange],
) -> Conversation:
    """Change title, description or picture of a group or broadcast. Owners and moderators."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await profile.change_conversation(tx, caller, _conversation(conversation_id), data)


@post("/v1/conversations/{conversation_id:str}/members/batch", tags=_TAGS, operation_id="add_members")
async def add_members(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], data: JSONBody[MembersRequest]
) -> Page[MemberJson]:
    """Add up to 1 000 at once, all or nobody; answers those who were no members before."""
    actor_ids = [parse_id("act", one) for one in data.actor_ids]
    async with runtime.db.transaction(caller.workspace_id) as tx:
        added = await members.add_members(tx, caller, _conversation(conversation_id), actor_ids, data.role)
    return Page(added)


@patch(
    "/v1/conversations/{conversation_id:str}/members/{actor_id:str}",
    tags=_TAGS,
    operation_id="change_role",
)
async def change_role(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    actor_id: FromPath[str],
    data: JSONBody[RoleRequest],
) -> MemberJson:
    """Give a member another role. Owners and moderators; only an owner makes owners or changes them."""
    member_id = parse_id("act", actor_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await members.change_role(tx, caller, _conversation(conversation_id), member_id, data.role)


@post(
    "/v1/conversations/{conversation_id:str}/leave",
    tags=_TAGS,
    operation_id="leave_conversation",
    status_code=204,
)
async def leave(runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]) -> None:
    """Go out of a group or broadcast. The last owner makes somebody else one first: 409."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await members.leave(tx, caller, _conversation(conversation_id))


routes = [change_conversation, add_members, change_role, leave]
