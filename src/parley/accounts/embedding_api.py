"""REST for applications that embed Parley: users by their own ids, fields, integrations, browsers' sessions."""

from __future__ import annotations

from typing import Any

from litestar import Response, delete, get, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT

from parley.accounts.authentication import GivenCaller, GivenRuntime, forget_callers
from parley.accounts.embedding_schemas import (
    AskSession,
    ExternalUser,
    FieldsBody,
    IssuedSession,
    PutExternalUser,
    SetIntegration,
)
from parley.accounts.external_users import (
    get_external_user,
    get_user_fields,
    put_external_user,
    set_integration,
    set_user_fields,
)
from parley.accounts.issued_sessions import end_issued_sessions, issue_session
from parley.accounts.sessions import revoke_sessions_of_actor
from parley.kit.ids import parse_id

_TAGS = ["Embedding"]
_BY_EXTERNAL_ID = "/v1/users/by-external-id/{external_id:str}"


@get(_BY_EXTERNAL_ID, tags=_TAGS, operation_id="get_external_user", summary="A user by your own id")
async def get_external_user_route(
    external_id: FromPath[str], runtime: GivenRuntime, caller: GivenCaller
) -> ExternalUser:
    """Return the user of an external id. API keys with the scope `act`, and admins."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await get_external_user(tx, caller, external_id)


@put(
    _BY_EXTERNAL_ID,
    responses={HTTP_201_CREATED: ResponseSpec(ExternalUser, description="A new user")},
    tags=_TAGS,
    operation_id="put_external_user",
    summary="Add or change a user by your own id",
)
async def put_external_user_route(
    external_id: FromPath[str], data: JSONBody[PutExternalUser], runtime: GivenRuntime, caller: GivenCaller
) -> Response[ExternalUser]:
    """Make the user of an external id what you say: 201 when it is new, 200 otherwise; what is left out stays.

    A new user is a plain member who cannot sign in: your application speaks for them (`X-Parley-Actor`), or hands
    their browser a token. Deactivating ends all their sessions. API keys with the scope `act`, and admins.
    """
    async with runtime.db.transaction(caller.workspace_id) as tx:
        user, actor_id, is_new = await put_external_user(tx, caller, external_id, data)
    if user.deactivated_at is not None:
        await revoke_sessions_of_actor(runtime.db, caller.workspace_id, actor_id)
    forget_callers(runtime.db, actor_id=actor_id)
    return Response(user, status_code=HTTP_201_CREATED if is_new else HTTP_200_OK)


@get("/v1/users/{user_id:str}/fields", tags=_TAGS, operation_id="get_user_fields", summary="A user's fields")
async def get_user_fields_route(
    user_id: FromPath[str], runtime: GivenRuntime, caller: GivenCaller
) -> dict[str, Any]:
    """Return what your application keeps of a user. API keys with the scope `act`, admins, and the user."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await get_user_fields(tx, caller, parse_id("act", user_id))


@put(
    "/v1/users/{user_id:str}/fields",
    tags=_TAGS,
    operation_id="set_user_fields",
    summary="Set a user's fields",
)
async def set_user_fields_route(
    user_id: FromPath[str], data: JSONBody[FieldsBody], runtime: GivenRuntime, caller: GivenCaller
) -> dict[str, Any]:
    """Replace what your application keeps of a user. API keys with the scope `act`, and admins."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return await set_user_fields(tx, caller, parse_id("act", user_id), data.fields)


@put(
    "/v1/users/{user_id:str}/integration",
    status_code=HTTP_204_NO_CONTENT,
    tags=_TAGS,
    operation_id="set_integration",
    summary="Publish a user's updates, or not",
)
async def set_integration_route(
    user_id: FromPath[str], data: JSONBody[SetIntegration], runtime: GivenRuntime, caller: GivenCaller
) -> None:
    """Have a user's updates published to RabbitMQ from now on, or no more. API keys with `act`, and admins."""
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await set_integration(tx, caller, parse_id("act", user_id), is_enabled=data.is_enabled)


@post(
    "/v1/users/{user_id:str}/sessions",
    status_code=HTTP_201_CREATED,
    tags=_TAGS,
    operation_id="issue_session",
    summary="A token for a user's browser",
)
async def issue_session_route(
    user_id: FromPath[str], data: JSONBody[AskSession], runtime: GivenRuntime, caller: GivenCaller
) -> IssuedSession:
    """Open a session for a user and return its access token, for REST and sockets alike.

    API keys with the scope `act` only, and for users who may no more than the key: an agent's session takes `desk`,
    an admin's `admin`, an owner's is opened by nobody else (403 `owners_only`). Ends with the key.
    """
    return await issue_session(runtime.db, caller, parse_id("act", user_id), lasts_seconds=data.lasts_seconds)


@delete(
    "/v1/users/{user_id:str}/sessions",
    status_code=HTTP_204_NO_CONTENT,
    tags=_TAGS,
    operation_id="end_issued_sessions",
    summary="End a user's tokens",
)
async def end_issued_sessions_route(
    user_id: FromPath[str], runtime: GivenRuntime, caller: GivenCaller
) -> None:
    """End the sessions that API keys opened for a user. API keys with the scope `act`, and admins."""
    await end_issued_sessions(runtime.db, caller, parse_id("act", user_id))


routes: list[Any] = [
    get_external_user_route,
    put_external_user_route,
    get_user_fields_route,
    set_user_fields_route,
    set_integration_route,
    issue_session_route,
    end_issued_sessions_route,
]
