"""REST of coming in: first set-up, sign-in, refresh, sign-out, invitations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from parley.accounts import second_factor_api
from parley.accounts.answering import Http, answer_session, read_client, read_party
from parley.accounts.authentication import GivenRuntime, authenticate, read_bearer
from parley.accounts.cookies import REFRESH_COOKIE, clear_cookies, require_own_origin
from parley.accounts.invitations import accept_invitation, check_invitation
from parley.accounts.passkeys import find_relying_party
from parley.accounts.phone_codes import CODE_FOR, request_phone_code
from parley.accounts.phone_sign_in import sign_in_by_phone
from parley.accounts.schemas import (
    AcceptInvitation,
    AskCode,
    CheckCode,
    CodeAsked,
    Invitation,
    LinkToken,
    Refresh,
    SetUp,
    SignedIn,
    SignIn,
    SignInWays,
)
from parley.accounts.sessions import end_session, refresh_session
from parley.accounts.sign_in import sign_in
from parley.accounts.tokens import find_session_id
from parley.accounts.workspaces import check_setup_link, set_up
from parley.infra.runtime import Runtime
from parley.kit.errors import Unauthenticated
from parley.kit.ids import parse_id

TAGS = ["Sign-in"]


@post(
    "/v1/setup/check",
    status_code=HTTP_204_NO_CONTENT,
    tags=TAGS,
    operation_id="check_setup_link",
    summary="Check the set-up link",
)
async def check_setup_route(data: JSONBody[LinkToken], runtime: GivenRuntime) -> None:
    """Say whether the one-time link printed at the first start still opens the creation of the first workspace.

    410 `link_used` when it does not.
    """
    await check_setup_link(runtime.db, data.token)


@post(
    "/v1/setup",
    status_code=HTTP_201_CREATED,
    tags=TAGS,
    operation_id="set_up",
    summary="Create the first workspace",
)
async def set_up_route(request: Http, data: JSONBody[SetUp], runtime: GivenRuntime) -> Response[SignedIn]:
    """Create the first workspace and its owner, and sign the owner in. The link works once: 410 `link_used`."""
    require_own_origin(request, runtime.settings)
    session = await set_up(runtime.db, runtime.keys, read_client(request), data)
    return await answer_session(runtime, session, HTTP_201_CREATED)


@post(
    "/v1/auth/sign-in",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="sign_in",
    summary="Sign in",
)
async def sign_in_route(request: Http, data: JSONBody[SignIn], runtime: GivenRuntime) -> Response[SignedIn]:
    """Open a session by e-mail and password.

    The refresh token goes into the cookie `parley_refresh`, or into the body with `refresh_in_body`. 401
    `wrong_credentials`; 401 `second_factor_needed` with `fields.challenge` and `fields.methods`, to be given to
    `give_second_factor`; 409 `choose_workspace` with `fields.workspaces` where the login belongs to several;
    429 `too_many` with `fields.retry_after_seconds`.
    """
    if not data.refresh_in_body:
        require_own_origin(request, runtime.settings)
    session = await sign_in(
        runtime.db,
        runtime.keys,
        read_client(request),
        email=data.email,
        password=data.password,
        workspace_id=parse_id("ws", data.workspace_id) if data.workspace_id is not None else None,
    )
    return await answer_session(runtime, session, HTTP_200_OK, is_refresh_in_body=data.refresh_in_body)


@get(
    "/v1/auth/ways",
    tags=TAGS,
    operation_id="list_sign_in_ways",
    summary="How to sign in",
    sync_to_thread=False,
)
def list_ways_route(request: Http, runtime: GivenRuntime) -> SignInWays:
    """Say which ways of signing in this server has beside e-mail and password, at the address that was asked."""
    party = find_relying_party(runtime.settings, read_party(request))
    return SignInWays(has_phone=runtime.settings.is_sms_on, has_passkeys=party is not None)


@post(
    "/v1/auth/code",
    status_code=HTTP_202_ACCEPTED,
    tags=TAGS,
    operation_id="request_code",
    summary="Ask for a code by SMS",
)
async def request_code_route(request: Http, data: JSONBody[AskCode], runtime: GivenRuntime) -> CodeAsked:
    """Send a code to a phone number, if it may sign in here; the answer is the same for every number.

    The code is good for 5 minutes and 5 tries; asking again makes the one before useless. 429 `too_many` with
    `fields.retry_after_seconds`; 409 `phone_sign_in_off` where no SMS can be sent.
    """
    require_own_origin(request, runtime.settings)
    await request_phone_code(
        runtime.db, runtime.settings, read_client(request), phone=data.phone, locale=data.locale
    )
    return CodeAsked(digits=runtime.settings.code_digits, expires_in_seconds=int(CODE_FOR.total_seconds()))


@post(
    "/v1/auth/code/check",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="sign_in_by_code",
    summary="Sign in with a code by SMS",
)
async def check_code_route(
    request: Http, data: JSONBody[CheckCode], runtime: GivenRuntime
) -> Response[SignedIn]:
    """Open a session by a phone number and the code it was sent; as `sign_in` in what it answers.

    401 `wrong_code`; 409 `name_needed` for a number that is new here: repeat it with `name` and the same code; 409
    `choose_workspace`; 429 `too_many`.
    """
    if not data.refresh_in_body:
        require_own_origin(request, runtime.settings)
    session = await sign_in_by_phone(
        runtime.db,
        runtime.keys,
        runtime.settings,
        read_client(request),
        phone=data.phone,
        code=data.code,
        name=data.name,
        workspace_id=parse_id("ws", data.workspace_id) if data.workspace_id is not None else None,
    )
    return await answer_session(runtime, session, HTTP_200_OK, is_refresh_in_body=data.refresh_in_body)


@post(
    "/v1/auth/refresh",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="refresh_session",
    summary="Refresh the session",
)
async def refresh_route(
    request: Http, runtime: GivenRuntime, data: JSONBody[Refresh | None] = None
) -> Response[SignedIn]:
    """Exchange the refresh token, from the body or the cookie, for a new access token and the next refresh token.

    A token is good for one exchange; for 30 seconds after it, it answers with the same tokens once more. Later its
    use ends the session: 401 `session_ended`.
    """
    given = data.refresh_token if data is not None else None
    token = given or _read_cookie(request, runtime)
    if not token:
        raise Unauthenticated
    session = await refresh_session(runtime.db, runtime.keys, read_client(request), token)
    return await answer_session(runtime, session, HTTP_200_OK, is_refresh_in_body=given is not None)


@post(
    "/v1/auth/sign-out",
    status_code=HTTP_204_NO_CONTENT,
    tags=TAGS,
    operation_id="sign_out",
    summary="Sign out",
)
async def sign_out_route(
    request: Http, runtime: GivenRuntime, data: JSONBody[Refresh | None] = None
) -> Response[None]:
    """End the session of the access token, or of the refresh token in body or cookie, and clear the cookies.

    The cookie is looked at when there is no access token that still holds. A session that has ended already is no
    error.
    """
    session_id = await _find_session(request, runtime, data.refresh_token if data is not None else None)
    if session_id is not None:
        await end_session(runtime.db, session_id)
    return Response(None, status_code=HTTP_204_NO_CONTENT, cookies=clear_cookies(runtime.settings))


@post(
    "/v1/invitations/check",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="check_invitation",
    summary="Check an invitation",
)
async def check_invitation_route(data: JSONBody[LinkToken], runtime: GivenRuntime) -> Invitation:
    """Say to what a link invites and whom. 410 `link_used` when it does no longer."""
    return await check_invitation(runtime.db, data.token)


@post(
    "/v1/invitations/accept",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="accept_invitation",
    summary="Accept an invitation",
)
async def accept_invitation_route(
    request: Http, data: JSONBody[AcceptInvitation], runtime: GivenRuntime
) -> Response[SignedIn]:
    """Join the workspace with a password, and sign in. Where the e-mail has a login, its password is asked for."""
    require_own_origin(request, runtime.settings)
    session = await accept_invitation(
        runtime.db, runtime.keys, read_client(request), token=data.token, password=data.password
    )
    return await answer_session(runtime, session, HTTP_200_OK)


async def _find_session(request: Http, runtime: Runtime, refresh_token: str | None) -> UUID | None:
    """Return the session a request names by one of its tokens; None when none of them holds."""
    bearer = read_bearer(request)
    named = find_session_id(runtime.keys, refresh_token) if refresh_token else None
    if named is not None:
        return named
    if bearer is not None:
        try:
            return (await authenticate(runtime.db, bearer)).session_id
        except Unauthenticated:
            pass  # it ran out: the browser still has its cookie
    cookie = _read_cookie(request, runtime)
    return find_session_id(runtime.keys, cookie) if cookie else None


def _read_cookie(request: Http, runtime: Runtime) -> str | None:
    """Return the refresh cookie. Raises: ForeignOrigin when it came along with another site's request."""
    token = request.cookies.get(REFRESH_COOKIE)
    if token:
        require_own_origin(request, runtime.settings)
    return token


routes: list[Any] = [
    *second_factor_api.routes,
    check_setup_route,
    set_up_route,
    sign_in_route,
    list_ways_route,
    request_code_route,
    check_code_route,
    refresh_route,
    sign_out_route,
    check_invitation_route,
    accept_invitation_route,
]
