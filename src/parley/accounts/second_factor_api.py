"""REST of coming in with a second factor, or by a passkey alone."""

from __future__ import annotations

from litestar import Response, post
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from parley.accounts.answering import Http, answer_session, read_client, read_party
from parley.accounts.authentication import GivenRuntime
from parley.accounts.cookies import require_own_origin
from parley.accounts.factor_schemas import ChallengeToken, GiveSecondFactor, PasskeyOptions, PasskeySignIn
from parley.accounts.passkeys import find_relying_party, require_relying_party
from parley.accounts.schemas import SignedIn
from parley.accounts.second_factor import (
    Given,
    ask_second_passkey,
    begin_passkey_sign_in,
    give_second_factor,
    sign_in_by_passkey,
)
from parley.kit.ids import parse_id

TAGS = ["Sign-in"]


@post(
    "/v1/auth/second-factor",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="give_second_factor",
    summary="Give the second factor",
)
async def give_second_factor_route(
    request: Http, data: JSONBody[GiveSecondFactor], runtime: GivenRuntime
) -> Response[SignedIn]:
    """Open the session that 401 `second_factor_needed` held back; as `sign_in` in what it answers.

    Exactly one of `code` (of the app), `recovery_code` and `passkey`. 401 `wrong_code`, `passkey_refused`; 410
    `challenge_over` after 5 minutes; 429 `too_many`.
    """
    if not data.refresh_in_body:
        require_own_origin(request, runtime.settings)
    session = await give_second_factor(
        runtime.db,
        runtime.keys,
        read_client(request),
        find_relying_party(runtime.settings, read_party(request)),
        challenge=data.challenge,
        given=Given(code=data.code, recovery_code=data.recovery_code, passkey=data.passkey),
    )
    return await answer_session(runtime, session, HTTP_200_OK, is_refresh_in_body=data.refresh_in_body)


@post(
    "/v1/auth/second-factor/passkey",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="ask_second_passkey",
    summary="Options for a passkey as second factor",
)
async def ask_second_passkey_route(
    request: Http, data: JSONBody[ChallengeToken], runtime: GivenRuntime
) -> PasskeyOptions:
    """Return what the browser needs to have one of the login's passkeys sign. 410 `challenge_over`."""
    require_own_origin(request, runtime.settings)
    party = require_relying_party(runtime.settings, read_party(request))
    options = await ask_second_passkey(runtime.db, party, challenge=data.challenge)
    return PasskeyOptions(challenge=data.challenge, options=options)


@post(
    "/v1/auth/passkey/begin",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="begin_passkey_sign_in",
    summary="Begin to sign in by passkey",
)
async def begin_passkey_route(request: Http, runtime: GivenRuntime) -> PasskeyOptions:
    """Return a challenge that any passkey of this server may sign. 409 `passkeys_off`; 429 `too_many`."""
    require_own_origin(request, runtime.settings)
    party = require_relying_party(runtime.settings, read_party(request))
    challenge, options = await begin_passkey_sign_in(runtime.db, read_client(request), party)
    return PasskeyOptions(challenge=challenge, options=options)


@post(
    "/v1/auth/passkey/finish",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="sign_in_by_passkey",
    summary="Sign in by passkey",
)
async def finish_passkey_route(
    request: Http, data: JSONBody[PasskeySignIn], runtime: GivenRuntime
) -> Response[SignedIn]:
    """Open a session by a passkey alone: the device has made sure of the person, so no second factor is asked for.

    401 `passkey_refused`; 409 `choose_workspace`: repeat it with `workspace_id`; 410 `challenge_over`.
    """
    if not data.refresh_in_body:
        require_own_origin(request, runtime.settings)
    session = await sign_in_by_passkey(
        runtime.db,
        runtime.keys,
        read_client(request),
        require_relying_party(runtime.settings, read_party(request)),
        challenge=data.challenge,
        credential=data.credential,
        workspace_id=parse_id("ws", data.workspace_id) if data.workspace_id is not None else None,
    )
    return await answer_session(runtime, session, HTTP_200_OK, is_refresh_in_body=data.refresh_in_body)


routes = [give_second_factor_route, ask_second_passkey_route, begin_passkey_route, finish_passkey_route]
