"""REST of one's own ways to sign in."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from parley.accounts.answering import Http, read_client, read_party
from parley.accounts.authentication import GivenCaller, GivenRuntime
from parley.accounts.factor_schemas import (
    AddPasskey,
    AskPasskey,
    AskPhone,
    AskProofCode,
    CheckPhone,
    Factors,
    GivenCode,
    Passkey,
    PasskeyOptions,
    Proven,
    RecoveryCodes,
    TotpSecret,
)
from parley.accounts.factors import (
    ask_passkey,
    finish_passkey,
    finish_totp,
    get_factors,
    remove_own_phone,
    remove_passkey,
    remove_totp,
    renew_codes,
    require_own_passkey,
    set_own_phone,
    start_passkey,
    start_totp,
)
from parley.accounts.passkeys import require_relying_party
from parley.accounts.phone_codes import CODE_FOR, check_phone_code, request_phone_code
from parley.accounts.proof import require_login, require_proof, send_proof_code
from parley.accounts.schemas import CodeAsked
from parley.kit.ids import parse_id

TAGS = ["Me"]
_SECRET = {"Cache-Control": "no-store"}


@get("/v1/me/factors", tags=TAGS, operation_id="get_factors", summary="How I sign in")
async def get_factors_route(runtime: GivenRuntime, caller: GivenCaller) -> Factors:
    """Return one's own ways to sign in: password, number, app, recovery codes, passkeys."""
    return await get_factors(runtime.db, caller)


@post(
    "/v1/me/proof-code",
    status_code=HTTP_202_ACCEPTED,
    tags=TAGS,
    operation_id="send_proof_code",
    summary="A code to my own number",
)
async def send_proof_code_route(
    request: Http, data: JSONBody[AskProofCode], runtime: GivenRuntime, caller: GivenCaller
) -> CodeAsked:
    """Send a code to one's own number, to be given as `proof.sms_code`. 429 `too_many`."""
    await send_proof_code(runtime.db, runtime.settings, read_client(request), caller, data.locale)
    return _asked(runtime.settings.code_digits)


@post("/v1/me/totp", status_code=HTTP_200_OK, tags=TAGS, operation_id="start_totp", summary="Set up an app")
async def start_totp_route(
    request: Http, data: JSONBody[Proven], runtime: GivenRuntime, caller: GivenCaller
) -> Response[TotpSecret]:
    """Return a secret for an authenticator app, with its QR code. It counts after `confirm_totp`.

    401 `wrong_credentials` or `wrong_code` for the proof; 409 when an app is set up already.
    """
    login_id = await _prove(request, runtime, caller, data)
    return Response(await start_totp(runtime.db, runtime.keys, login_id), headers=_SECRET)


@post(
    "/v1/me/totp/confirm",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="confirm_totp",
    summary="Confirm the app",
)
async def confirm_totp_route(
    request: Http, data: JSONBody[GivenCode], runtime: GivenRuntime, caller: GivenCaller
) -> Response[RecoveryCodes]:
    """Turn the second factor on by the app's first code. Other sessions of the login end. 401 `wrong_code`."""
    codes = await finish_totp(runtime.db, runtime.keys, read_client(request), caller, data.code)
    return Response(RecoveryCodes(codes=codes), headers=_SECRET)


@post(
    "/v1/me/totp/remove",
    status_code=HTTP_204_NO_CONTENT,
    tags=TAGS,
    operation_id="remove_totp",
    summary="Remove the app",
)
async def remove_totp_route(
    request: Http, data: JSONBody[Proven], runtime: GivenRuntime, caller: GivenCaller
) -> None:
    """Ask for no codes of the app any more."""
    await remove_totp(runtime.db, caller, await _prove(request, runtime, caller, data))


@post(
    "/v1/me/recovery-codes",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="renew_recovery_codes",
    summary="New recovery codes",
)
async def renew_codes_route(
    request: Http, data: JSONBody[Proven], runtime: GivenRuntime, caller: GivenCaller
) -> Response[RecoveryCodes]:
    """Return ten new recovery codes, shown this once; those before are good no longer."""
    login_id = await _prove(request, runtime, caller, data)
    codes = await renew_codes(runtime.db, runtime.keys, caller, login_id)
    return Response(RecoveryCodes(codes=codes), headers=_SECRET)


@post(
    "/v1/me/passkeys/begin",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="begin_passkey",
    summary="Begin to add a passkey",
)
async def begin_passkey_route(
    request: Http, data: JSONBody[Proven], runtime: GivenRuntime, caller: GivenCaller
) -> PasskeyOptions:
    """Return what the browser makes a passkey with. 409 `passkeys_off` where Parley has no host name."""
    party = require_relying_party(runtime.settings, read_party(request))
    return await start_passkey(runtime.db, party, await _prove(request, runtime, caller, data))


@post(
    "/v1/me/passkeys",
    status_code=HTTP_201_CREATED,
    tags=TAGS,
    operation_id="add_passkey",
    summary="Add a passkey",
)
async def add_passkey_route(
    request: Http, data: JSONBody[AddPasskey], runtime: GivenRuntime, caller: GivenCaller
) -> Passkey:
    """Keep the passkey that the browser made. 401 `passkey_refused`; 410 `challenge_over`."""
    party = require_relying_party(runtime.settings, read_party(request))
    return await finish_passkey(
        runtime.db, party, caller, challenge=data.challenge, name=data.name, credential=data.credential
    )


@post(
    "/v1/me/passkeys/{passkey_id:str}/remove",
    status_code=HTTP_204_NO_CONTENT,
    tags=TAGS,
    operation_id="remove_passkey",
    summary="Remove a passkey",
)
async def remove_passkey_route(
    request: Http,
    passkey_id: FromPath[str],
    data: JSONBody[Proven],
    runtime: GivenRuntime,
    caller: GivenCaller,
) -> None:
    """Forget a passkey. 409 `last_way_in` when nothing else signs you in."""
    target = parse_id("psk", passkey_id)
    await require_own_passkey(runtime.db, caller, target)
    await remove_passkey(runtime.db, caller, await _prove(request, runtime, caller, data), target)


@post(
    "/v1/me/second-factor",
    status_code=HTTP_200_OK,
    tags=TAGS,
    operation_id="ask_passkey",
    summary="Ask for a passkey after the password",
)
async def ask_passkey_route(
    request: Http, data: JSONBody[AskPasskey], runtime: GivenRuntime, caller: GivenCaller
) -> Response[RecoveryCodes]:
    """Say whether a passkey is asked for after the password or the code by SMS. An app is asked for in any case.

    Turning it on ends the login's other sessions.
    """
    login_id = await _prove(request, runtime, caller, Proven(proof=data.proof))
    codes = await ask_passkey(runtime.db, runtime.keys, caller, login_id, asks=data.needs_passkey)
    return Response(RecoveryCodes(codes=codes), headers=_SECRET)


@post(
    "/v1/me/phone",
    status_code=HTTP_202_ACCEPTED,
    tags=TAGS,
    operation_id="ask_phone",
    summary="Begin to set my number",
)
async def ask_phone_route(
    request: Http, data: JSONBody[AskPhone], runtime: GivenRuntime, caller: GivenCaller
) -> CodeAsked:
    """Send a code to a number that is to sign you in. 429 `too_many`."""
    login_id = await _prove(request, runtime, caller, Proven(proof=data.proof))
    await request_phone_code(
        runtime.db,
        runtime.settings,
        read_client(request),
        phone=data.phone,
        purpose="link",
        login_id=login_id,
        locale=data.locale,
    )
    return _asked(runtime.settings.code_digits)


@post(
    "/v1/me/phone/check",
    status_code=HTTP_204_NO_CONTENT,
    tags=TAGS,
    operation_id="set_phone",
    summary="Set my number",
)
async def set_phone_route(
    request: Http, data: JSONBody[CheckPhone], runtime: GivenRuntime, caller: GivenCaller
) -> None:
    """Make the number your own by the code it was sent. 401 `wrong_code`; 409 `phone_taken`."""
    proven = await check_phone_code(
        runtime.db,
        runtime.keys,
        runtime.settings,
        read_client(request),
        phone=data.phone,
        code=data.code,
        purpose="link",
        login_id=require_login(caller),
    )
    await set_own_phone(runtime.db, caller, proven)


@post(
    "/v1/me/phone/remove",
    status_code=HTTP_204_NO_CONTENT,
    tags=TAGS,
    operation_id="remove_phone",
    summary="Remove my number",
)
async def remove_phone_route(
    request: Http, data: JSONBody[Proven], runtime: GivenRuntime, caller: GivenCaller
) -> None:
    """Let the number sign you in no longer. 409 `last_way_in` when nothing else does."""
    await remove_own_phone(runtime.db, caller, await _prove(request, runtime, caller, data))


async def _prove(request: Http, runtime: GivenRuntime, caller: GivenCaller, data: Proven) -> Any:
    return await require_proof(
        runtime.db, runtime.keys, runtime.settings, read_client(request), caller, data.proof
    )


def _asked(digits: int) -> CodeAsked:
    return CodeAsked(digits=digits, expires_in_seconds=int(CODE_FOR.total_seconds()))


routes = [
    get_factors_route,
    send_proof_code_route,
    start_totp_route,
    confirm_totp_route,
    remove_totp_route,
    renew_codes_route,
    begin_passkey_route,
    add_passkey_route,
    remove_passkey_route,
    ask_passkey_route,
    ask_phone_route,
    set_phone_route,
    remove_phone_route,
]
