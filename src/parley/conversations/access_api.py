"""REST of who comes into a group and who is kept out: invite links and bans."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from parley.accounts import GivenCaller, GivenRuntime
from parley.conversations import bans, invite_links
from parley.conversations.group_schemas import (
    BanJson,
    BanRequest,
    CheckedLink,
    InviteLinkJson,
    InviteLinkRequest,
    LinkToken,
    NewInviteLink,
)
from parley.conversations.schemas import Conversation
from parley.kit.ids import parse_id
from parley.kit.pages import MAX_PAGE, Page

_TAGS = ["Groups"]
_Cursor = Annotated[str | None, QueryParameter(max_length=500)]
_Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]


def _conversation(text: str) -> UUID:
    return parse_id("cnv", text)


_BANS = "/v1/conversations/{conversation_id:str}/bans"


@get(_BANS, tags=_TAGS, operation_id="list_bans")
async def list_bans(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    cursor: _Cursor = None,
    limit: _Limit = 100,
) -> Page[BanJson]:
    """Who is kept out. Owners and moderators."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await bans.list_bans(tx, caller, _conversation(conversation_id), cursor, limit)


@post(_BANS, tags=_TAGS, operation_id="ban_actor")
async def ban_actor(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], data: JSONBody[BanRequest]
) -> BanJson:
    """Take somebody out and keep them out, until a time or for good. Owners and moderators."""
    actor_id = parse_id("act", data.actor_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await bans.ban(tx, caller, _conversation(conversation_id), actor_id, data.until)


@delete(f"{_BANS}/{{actor_id:str}}", tags=_TAGS, operation_id="lift_ban")
async def lift_ban(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], actor_id: FromPath[str]
) -> None:
    """Keep somebody out no more. Owners and moderators."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await bans.lift_ban(tx, caller, _conversation(conversation_id), parse_id("act", actor_id))


_LINKS = "/v1/conversations/{conversation_id:str}/invite-links"


@get(_LINKS, tags=_TAGS, operation_id="list_invite_links")
async def list_links(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str]
) -> Page[InviteLinkJson]:
    """The links that are not revoked, newest first. Owners and moderators."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return Page(await invite_links.list_invite_links(tx, caller, _conversation(conversation_id)))


@post(_LINKS, tags=_TAGS, operation_id="create_invite_link")
async def create_link(
    runtime: GivenRuntime,
    caller: GivenCaller,
    conversation_id: FromPath[str],
    data: JSONBody[InviteLinkRequest],
) -> NewInviteLink:
    """Make a link by which users of the workspace join; its address is told once. Owners and moderators."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await invite_links.create_invite_link(
            tx,
            caller,
            _conversation(conversation_id),
            origin=runtime.settings.origin,
            expires_at=data.expires_at,
            max_uses=data.max_uses,
        )


@delete(f"{_LINKS}/{{link_id:str}}", tags=_TAGS, operation_id="revoke_invite_link")
async def revoke_link(
    runtime: GivenRuntime, caller: GivenCaller, conversation_id: FromPath[str], link_id: FromPath[str]
) -> None:
    """Let nobody join by a link any more. Owners and moderators."""
    key = parse_id("lnk", link_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await invite_links.revoke_invite_link(tx, caller, _conversation(conversation_id), key)


@post("/v1/invite-links/check", tags=_TAGS, operation_id="check_invite_link", status_code=200)
async def check_link(runtime: GivenRuntime, caller: GivenCaller, data: JSONBody[LinkToken]) -> CheckedLink:
    """Where a link leads; 410 `invite_link_invalid` when nowhere (any more)."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await invite_links.check_invite_link(tx, caller, data.token)


@post("/v1/invite-links/join", tags=_TAGS, operation_id="join_by_invite_link", status_code=200)
async def join(runtime: GivenRuntime, caller: GivenCaller, data: JSONBody[LinkToken]) -> Conversation:
    """Join by a link; who is a member already uses nothing up. 410 `invite_link_invalid`, 403 `banned`."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await invite_links.join_by_link(tx, caller, data.token)


routes = [list_bans, ban_actor, lift_ban, list_links, create_link, revoke_link, check_link, join]
