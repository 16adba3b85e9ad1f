"""REST of accounts for those who are in: oneself, the workspace, users, API keys, the audit."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import UNSET

from parley.accounts import embedding_api, factors_api, sign_in_api
from parley.accounts.answering import read_client
from parley.accounts.api_keys import create_api_key, list_api_keys, revoke_api_key
from parley.accounts.audit import list_audit
from parley.accounts.authentication import GivenCaller, GivenRuntime, forget_callers
from parley.accounts.invitations import invite
from parley.accounts.issued_sessions import end_sessions_beyond_keys, revoke_issued_sessions
from parley.accounts.schemas import (
    AddApiKey,
    AddedApiKey,
    AddedUser,
    AddUser,
    ApiKeys,
    AuditEntry,
    ChangeMe,
    ChangePassword,
    ChangeUser,
    ChangeWorkspace,
    InviteLink,
    Me,
    Sessions,
    User,
    Workspace,
)
from parley.accounts.sessions import list_sessions, revoke_session, revoke_sessions_of_actor
from parley.accounts.sign_in import change_password
from parley.accounts.users import add_user, change_me, change_user, get_me, list_users
from parley.accounts.workspaces import get_workspace, rename_workspace
from parley.kit.ids import parse_id
from parley.kit.pages import MAX_PAGE, Page

ME = ["Me"]
WORKSPACE = ["Workspace"]

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="Items in a page at the most.")]
Query = Annotated[
    str, QueryParameter(name="query", max_length=200, description="Part of a name or of an e-mail.")
]
Cursor = Annotated[str | None, QueryParameter(max_length=500, description="The `next` of the page before.")]


@get("/v1/me", tags=ME, operation_id="get_me", summary="Who am I")
async def get_me_route(runtime: GivenRuntime, caller: GivenCaller) -> Me:
    """Return the workspace, the actor and the session that the token stands for."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await get_me(tx, caller)


@patch("/v1/me", tags=ME, operation_id="change_me", summary="Change my name or language")
async def change_me_route(data: JSONBody[ChangeMe], runtime: GivenRuntime, caller: GivenCaller) -> Me:
    """Change one's own name or language; what is left out stays."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        me = await change_me(tx, caller, data)
    forget_callers(runtime.db, actor_id=caller.actor_id)
    return me


@post(
    "/v1/me/password",
    status_code=HTTP_204_NO_CONTENT,
    tags=ME,
    operation_id="change_password",
    summary="Change my password",
)
async def change_password_route(
    request: Request[Any, Any, Any],
    data: JSONBody[ChangePassword],
    runtime: GivenRuntime,
    caller: GivenCaller,
) -> None:
    """Set a new password; all other sessions of the login end. 401 `wrong_credentials`, 429 `too_many`."""
    client = read_client(request)
    await change_password(runtime.db, caller, client, current=data.current_password, new=data.new_password)


@get("/v1/sessions", tags=ME, operation_id="list_sessions", summary="Where I am signed in")
async def list_sessions_route(runtime: GivenRuntime, caller: GivenCaller) -> Sessions:
    """List one's own live sessions in this workspace, the last used first."""
    return Sessions(items=await list_sessions(runtime.db, caller))


@delete(
    "/v1/sessions/{session_id:str}",
    status_code=HTTP_204_NO_CONTENT,
    tags=ME,
    operation_id="revoke_session",
    summary="End one of my sessions",
)
async def revoke_session_route(session_id: FromPath[str], runtime: GivenRuntime, caller: GivenCaller) -> None:
    """End one of one's own sessions; its tokens are refused within 5 seconds everywhere."""
    await revoke_session(runtime.db, caller, parse_id("ses", session_id))


@get("/v1/workspace", tags=WORKSPACE, operation_id="get_workspace", summary="The workspace")
async def get_workspace_route(runtime: GivenRuntime, caller: GivenCaller) -> Workspace:
    """Return the workspace the token belongs to."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await get_workspace(tx, caller)


@patch("/v1/workspace", tags=WORKSPACE, operation_id="change_workspace", summary="Rename the workspace")
async def change_workspace_route(
    data: JSONBody[ChangeWorkspace], runtime: GivenRuntime, caller: GivenCaller
) -> Workspace:
    """Give the workspace another name. Admins only."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await rename_workspace(tx, caller, name=data.name)


@get("/v1/users", tags=WORKSPACE, operation_id="list_users", summary="Users of the workspace")
async def list_users_route(
    runtime: GivenRuntime, caller: GivenCaller, text: Query = "", cursor: Cursor = None, limit: Limit = 50
) -> Page[User]:
    """List the users, deactivated ones too, oldest first; with `query` those who are found by it. `email` is null, and
    nobody found by it, for those who are not staff.
    """
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await list_users(tx, caller, query=text, cursor=cursor, limit=limit)


@post(
    "/v1/users",
    status_code=HTTP_201_CREATED,
    tags=WORKSPACE,
    operation_id="add_user",
    summary="Invite a user",
)
async def add_user_route(data: JSONBody[AddUser], runtime: GivenRuntime, caller: GivenCaller) -> AddedUser:
    """Add a user and return the link by which they join, shown this once. Admins only; owners by owners only."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        user_id, user = await add_user(tx, caller, name=data.name, email=data.email, role=data.role)
    return AddedUser(user=user, invite_url=await invite(runtime.db, caller, runtime.settings.origin, user_id))


@patch("/v1/users/{user_id:str}", tags=WORKSPACE, operation_id="change_user", summary="Change a user")
async def change_user_route(
    user_id: FromPath[str], data: JSONBody[ChangeUser], runtime: GivenRuntime, caller: GivenCaller
) -> User:
    """Change a user's name or role, deactivate or reactivate. Admins only; what is left out stays.

    A deactivated user's sessions end, and with a role those that API keys opened for them. Only owners make and demote owners (403 `owners_only`); the last one stays
    (409 `last_owner`).
    """
    target = parse_id("act", user_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        user, has_to_leave = await change_user(tx, caller, target, data)
    if has_to_leave:
        await revoke_sessions_of_actor(runtime.db, caller.workspace_id, target)
    elif data.role is not UNSET:
        await end_sessions_beyond_keys(runtime.db, caller.workspace_id, target)
    forget_callers(runtime.db, actor_id=target)
    return user


@post(
    "/v1/users/{user_id:str}/invitation",
    status_code=HTTP_200_OK,
    tags=WORKSPACE,
    operation_id="invite_user",
    summary="A new link for an invited user",
)
async def invite_user_route(user_id: FromPath[str], runtime: GivenRuntime, caller: GivenCaller) -> InviteLink:
    """Return a new link for a user who has not joined; the one before it works no longer. Admins only."""
    link = await invite(runtime.db, caller, runtime.settings.origin, parse_id("act", user_id))
    return InviteLink(invite_url=link)


@get("/v1/api-keys", tags=WORKSPACE, operation_id="list_api_keys", summary="API keys")
async def list_api_keys_route(runtime: GivenRuntime, caller: GivenCaller) -> ApiKeys:
    """List the live API keys, newest first, without their secrets. Admins only."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return ApiKeys(items=await list_api_keys(tx, caller))


@post(
    "/v1/api-keys",
    status_code=HTTP_201_CREATED,
    tags=WORKSPACE,
    operation_id="create_api_key",
    summary="Create an API key",
)
async def create_api_key_route(
    data: JSONBody[AddApiKey], runtime: GivenRuntime, caller: GivenCaller
) -> AddedApiKey:
    """Create a bot and its API key; `key` is shown this once. Admins only.

    Scopes: `admin` may what admins may, `desk` works at the desk, `chat` talks where it is a member, `act` acts for
    other actors (header `X-Parley-Actor`) as far as the other scopes reach, and keeps users by external ids.
    """
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await create_api_key(tx, caller, name=data.name, scopes=data.scopes)


@delete(
    "/v1/api-keys/{key_id:str}",
    status_code=HTTP_204_NO_CONTENT,
    tags=WORKSPACE,
    operation_id="revoke_api_key",
    summary="Revoke an API key",
)
async def revoke_api_key_route(key_id: FromPath[str], runtime: GivenRuntime, caller: GivenCaller) -> None:
    """End an API key, its bot and the sessions it opened; refused within 5 seconds everywhere. Admins only."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        bot_id = await revoke_api_key(tx, caller, parse_id("key", key_id))
    await revoke_issued_sessions(runtime.db, caller, bot_id)
    forget_callers(runtime.db, actor_id=bot_id)


@get("/v1/audit", tags=WORKSPACE, operation_id="list_audit", summary="The audit")
async def list_audit_route(
    runtime: GivenRuntime, caller: GivenCaller, cursor: Cursor = None, limit: Limit = 50
) -> Page[AuditEntry]:
    """List administrative acts, newest first: who, what, before and after, from where. Admins only."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await list_audit(tx, caller, cursor=cursor, limit=limit)


routes: list[Any] = [
    *sign_in_api.routes,
    *factors_api.routes,
    *embedding_api.routes,
    get_me_route,
    change_me_route,
    change_password_route,
    list_sessions_route,
    revoke_session_route,
    get_workspace_route,
    change_workspace_route,
    list_users_route,
    add_user_route,
    change_user_route,
    invite_user_route,
    list_api_keys_route,
    create_api_key_route,
    revoke_api_key_route,
    list_audit_route,
]
