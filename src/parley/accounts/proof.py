"""Fresh proof that whoever holds a session is its login: asked for before the ways of signing in are changed."""

from __future__ import annotations

from uuid import UUID

from parley.accounts import factor_store
from parley.accounts.attempts import count_together
from parley.accounts.caller import Caller
from parley.accounts.errors import ProofNeeded, WrongCode, WrongCredentials
from parley.accounts.factor_schemas import Proof
from parley.accounts.phone_codes import check_phone_code, request_phone_code, use_phone_code
from parley.accounts.recovery import use_recovery_code
from parley.accounts.second_factor import forgive_guess, guess_counters
from parley.accounts.sessions import Client
from parley.accounts.sign_in import prove_password
from parley.accounts.totp import use_totp
from parley.infra.crypto import Keys
from parley.infra.db import Database
from parley.infra.settings import Settings
from parley.kit.errors import Forbidden


def require_login(caller: Caller) -> UUID:
    """Return the login of a caller who signed in. Raises: Forbidden for API keys and those they act for."""
    caller.require_user()
    if caller.login_id is None or caller.session_id is None:
        raise Forbidden("This is for people who have signed in.")
    return caller.login_id


async def require_proof(
    db: Database, keys: Keys, settings: Settings, client: Client, caller: Caller, proof: Proof
) -> UUID:
    """Return the caller's login once it is proven: by password, app, recovery code or SMS, each limited as at sign-in.

    Raises: ProofNeeded without exactly one, WrongCredentials, WrongCode, TooManyAttempts, Forbidden.
    """
    login_id = require_login(caller)
    given = [
        part for part in (proof.password, proof.code, proof.recovery_code, proof.sms_code) if part is not None
    ]
    if len(given) != 1:
        raise ProofNeeded
    async with db.system() as tx:
        login = await factor_store.find_factors(tx, login_id)
    if login is None:
        raise ProofNeeded
    if proof.password is not None:
        if not login["email"] or not login["password_hash"]:
            raise WrongCredentials
        await prove_password(db, client, email=login["email"], password=proof.password)
    elif proof.sms_code is not None:
        if not login["phone"]:
            raise WrongCode
        proven = await check_phone_code(
            db, keys, settings, client, phone=login["phone"], code=proof.sms_code, purpose="proof", login_id=login_id
        )  # fmt: skip
        async with db.system() as tx:
            await use_phone_code(tx, proven)
    else:
        await _prove_by_factor(db, keys, client, login_id, proof)
    return login_id


async def send_proof_code(
    db: Database, settings: Settings, client: Client, caller: Caller, locale: str | None
) -> None:
    """Send a code to the caller's own number. Raises: ProofNeeded without one, TooManyAttempts, PhoneSignInOff."""
    login_id = require_login(caller)
    async with db.system() as tx:
        login = await factor_store.find_factors(tx, login_id)
    if login is None or not login["phone"]:
        raise ProofNeeded("You have no phone number here.")
    await request_phone_code(
        db, settings, client, phone=login["phone"], purpose="proof", login_id=login_id, locale=locale
    )


async def _prove_by_factor(db: Database, keys: Keys, client: Client, login_id: UUID, proof: Proof) -> None:
    await count_together(db, guess_counters(login_id, client.address))
    async with db.system() as tx:
        if proof.code is not None:
            is_right = await use_totp(tx, keys, login_id, proof.code)
        else:
            is_right = await use_recovery_code(tx, keys, login_id, proof.recovery_code or "")
        if not is_right:
            raise WrongCode
        await forgive_guess(tx, login_id, client.address)
