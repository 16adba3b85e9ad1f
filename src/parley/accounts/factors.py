"""The ways a login signs in, changed by whoever is signed in: authenticator app, recovery codes, passkeys, number.

What takes a way away, adds one or shows a secret asks for fresh proof first (`proof.require_proof`), and is in the
audit of the workspace where it was done. Turning the second factor on ends the login's other sessions: they were
opened with one factor. Turning it off ends none.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from parley.accounts import factor_store, phone_store, store
from parley.accounts.attempts import count_together
from parley.accounts.audit import AuditAction, record_audit
from parley.accounts.authentication import forget_callers
from parley.accounts.caller import Caller
from parley.accounts.challenges import begin_challenge, use_challenge
from parley.accounts.errors import LastWayIn, PhoneTaken, WrongCode
from parley.accounts.factor_schemas import Factors, Passkey, PasskeyOptions, TotpSecret
from parley.accounts.fields import normalise_email, require_name
from parley.accounts.passkeys import MOST_PASSKEYS, Json, RelyingParty, add_passkey, format_creation
from parley.accounts.phone_codes import ProvenPhone, use_phone_code
from parley.accounts.proof import require_login
from parley.accounts.recovery import renew_recovery_codes
from parley.accounts.second_factor import forgive_guess, guess_counters, list_methods
from parley.accounts.sessions import Client
from parley.accounts.totp import begin_totp, confirm_totp, draw_qr, format_uri
from parley.infra.crypto import Keys
from parley.infra.db import Database, Tx
from parley.kit.errors import Conflict, NotFound
from parley.kit.ids import public_id


async def get_factors(db: Database, caller: Caller) -> Factors:
    """Return how the caller signs in. Raises: Forbidden for API keys."""
    login_id = require_login(caller)
    async with db.system() as tx:
        login = await _get(tx, login_id)
        passkeys = await factor_store.list_passkeys(tx, login_id)
    return Factors(
        email=login["email"],
        phone=login["phone"],
        has_password=login["password_hash"] is not None,
        has_totp=login["has_totp"],
        needs_passkey=login["needs_passkey"],
        is_two_step=bool(list_methods(login)),
        recovery_codes_left=login["recovery_codes"],
        passkeys=[format_passkey(row) for row in passkeys],
    )


# ---------------------------------------------------------------- authenticator app


async def start_totp(db: Database, keys: Keys, login_id: UUID) -> TotpSecret:
    """Return a new secret, in place of one that was not confirmed. Raises: Conflict when an app is confirmed."""
    async with db.system() as tx:
        login = await _get(tx, login_id)
        secret = await begin_totp(tx, keys, login_id)
    if secret is None:
        raise Conflict("An app gives your codes already: remove it first.")
    uri = format_uri(secret, login["email"] or login["phone"] or "Parley")
    return TotpSecret(secret=secret, uri=uri, qr_svg=draw_qr(uri))


async def finish_totp(db: Database, keys: Keys, client: Client, caller: Caller, code: str) -> list[str]:
    """Confirm the app by a code; return recovery codes if there were none. Raises: WrongCode, TooManyAttempts."""
    login_id = require_login(caller)
    await count_together(db, guess_counters(login_id, client.address))
    async with db.system() as tx:
        await factor_store.lock_login(tx, login_id)
        if not await confirm_totp(tx, keys, login_id, code):
            raise WrongCode
        await forgive_guess(tx, login_id, client.address)
        await record_audit(tx, caller, "totp.enabled", public_id("act", caller.actor_id))
        codes = await _turn_on(tx, keys, caller, login_id)
    forget_callers(db, login_id=login_id)
    return codes


async def remove_totp(db: Database, caller: Caller, login_id: UUID) -> None:
    """Forget the app. Raises: NotFound."""
    async with db.system() as tx:
        await factor_store.lock_login(tx, login_id)
        if not await factor_store.delete_totp(tx, login_id):
            raise NotFound
        await record_audit(tx, caller, "totp.disabled", public_id("act", caller.actor_id))
        await _forget_codes_of_none(tx, login_id)


async def renew_codes(db: Database, keys: Keys, caller: Caller, login_id: UUID) -> list[str]:
    """Return new recovery codes; the others are good no longer. Raises: Conflict without a second factor."""
    async with db.system() as tx:
        await factor_store.lock_login(tx, login_id)
        if not list_methods(await _get(tx, login_id)):
            raise Conflict("Recovery codes stand in for a second factor: set one up first.")
        await record_audit(tx, caller, "recovery_codes.renewed", public_id("act", caller.actor_id))
        return await renew_recovery_codes(tx, keys, login_id)


# ---------------------------------------------------------------- passkeys


async def start_passkey(db: Database, party: RelyingParty, login_id: UUID) -> PasskeyOptions:
    """Return what a browser makes a passkey with. Raises: Conflict when there are enough."""
    async with db.system() as tx:
        login = await _get(tx, login_id)
        known = await factor_store.list_passkeys(tx, login_id)
        _require_room(known)
        challenge = await begin_challenge(tx, "passkey_creation", login_id=login_id)
    name = login["email"] or login["phone"] or "Parley"
    options = format_creation(party, challenge.nonce, login_id, name, known)
    return PasskeyOptions(challenge=challenge.token, options=options)


async def finish_passkey(
    db: Database, party: RelyingParty, caller: Caller, *, challenge: str, name: str, credential: Json
) -> Passkey:
    """Keep the passkey that the browser made for a challenge of this login.

    Raises: ChallengeOver, PasskeyRefused, Conflict when there are enough.
    """
    login_id, name = require_login(caller), require_name(name)
    async with db.system() as tx:
        # several that were begun while there was room for one
        await factor_store.lock_login(tx, login_id)
        _require_room(await factor_store.list_passkeys(tx, login_id))
        row = await use_challenge(tx, "passkey_creation", challenge)
        if row["login_id"] != login_id:
            raise NotFound
        passkey_id = await add_passkey(tx, party, row["nonce"], login_id, name, credential)
        target = public_id("act", caller.actor_id)
        await record_audit(tx, caller, "passkey.added", target, None, {"name": name})
        made = [one for one in await factor_store.list_passkeys(tx, login_id) if one["id"] == passkey_id]
    return format_passkey(made[0])


def _require_room(passkeys: Sequence[Record]) -> None:
    if len(passkeys) >= MOST_PASSKEYS:
        raise Conflict(f"A login has {MOST_PASSKEYS} passkeys at the most.")


async def require_own_passkey(db: Database, caller: Caller, passkey_id: UUID) -> None:
    """Raises: NotFound when the caller has no such passkey; before anybody is asked for proof."""
    login_id = require_login(caller)
    async with db.system() as tx:
        if all(row["id"] != passkey_id for row in await factor_store.list_passkeys(tx, login_id)):
            raise NotFound


async def remove_passkey(db: Database, caller: Caller, login_id: UUID, passkey_id: UUID) -> None:
    """Forget a passkey. Raises: NotFound, LastWayIn."""
    async with db.system() as tx:
        await factor_store.lock_login(tx, login_id)
        name = await factor_store.delete_passkey(tx, login_id, passkey_id)
        if name is None:
            raise NotFound
        login = await _get(tx, login_id)
        _require_way_in(login)
        if login["needs_passkey"] and not login["passkeys"]:
            await factor_store.set_needs_passkey(tx, login_id, False)
        target = public_id("act", caller.actor_id)
        await record_audit(tx, caller, "passkey.removed", target, {"name": name}, None)
        await _forget_codes_of_none(tx, login_id)


async def ask_passkey(db: Database, keys: Keys, caller: Caller, login_id: UUID, *, asks: bool) -> list[str]:
    """Say whether a passkey is asked for after the first factor; return recovery codes if there were none.

    Raises: Conflict without a passkey.
    """
    async with db.system() as tx:
        await factor_store.lock_login(tx, login_id)
        login = await _get(tx, login_id)
        if asks and not login["passkeys"]:
            raise Conflict("Add a passkey first.")
        if asks == login["needs_passkey"]:
            return []
        await factor_store.set_needs_passkey(tx, login_id, asks)
        action: AuditAction = "second_factor.enabled" if asks else "second_factor.disabled"
        await record_audit(tx, caller, action, public_id("act", caller.actor_id), None, {"by": "passkey"})
        codes = await _turn_on(tx, keys, caller, login_id) if asks else []
        if not asks:
            await _forget_codes_of_none(tx, login_id)
    forget_callers(db, login_id=login_id)
    return codes


# ---------------------------------------------------------------- number


async def set_own_phone(db: Database, caller: Caller, proven: ProvenPhone) -> None:
    """Make a proven number the caller's own. Raises: PhoneTaken, WrongCode."""
    login_id = require_login(caller)
    async with db.system() as tx:
        await use_phone_code(tx, proven)
        await _change_phone(tx, caller, login_id, proven.phone)


async def remove_own_phone(db: Database, caller: Caller, login_id: UUID) -> None:
    """Take the number away. Raises: NotFound, LastWayIn."""
    async with db.system() as tx:
        await _change_phone(tx, caller, login_id, None)


async def remove_second_factors(db: Database, *, email: str) -> None:
    """Take app, passkeys and recovery codes away and end all sessions: for the operator, when somebody is locked out.

    Raises: NotFound.
    """
    async with db.system() as tx:
        row = await store.find_login(tx, normalise_email(email))
        if row is None:
            raise NotFound("Nobody signs in with this e-mail.")
        login_id = row["id"]
        await factor_store.lock_login(tx, login_id)
        await factor_store.delete_totp(tx, login_id)
        await factor_store.delete_passkeys(tx, login_id)
        await factor_store.set_needs_passkey(tx, login_id, False)
        await factor_store.replace_recovery_codes(tx, login_id, [])
        await factor_store.drop_challenges(tx, login_id)
        await store.revoke_sessions_of_login(tx, login_id, keep=None)
    forget_callers(db, login_id=login_id)


def format_passkey(row: Record) -> Passkey:
    """Return a passkey as its owner sees it."""
    return Passkey(
        id=public_id("psk", row["id"]),
        name=row["name"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
    )


async def _get(tx: Tx, login_id: UUID) -> Record:
    login = await factor_store.find_factors(tx, login_id)
    if login is None:
        raise NotFound
    return login


async def _turn_on(tx: Tx, keys: Keys, caller: Caller, login_id: UUID) -> list[str]:
    """The second factor is on now: end what was opened without it; return recovery codes if there were none."""
    await store.revoke_sessions_of_login(tx, login_id, keep=caller.session_id)
    await factor_store.drop_challenges(tx, login_id)
    login = await _get(tx, login_id)
    return [] if login["recovery_codes"] else await renew_recovery_codes(tx, keys, login_id)


async def _forget_codes_of_none(tx: Tx, login_id: UUID) -> None:
    """Recovery codes stand in for a second factor: without one there are none."""
    if not list_methods(await _get(tx, login_id)):
        await factor_store.replace_recovery_codes(tx, login_id, [])


async def _change_phone(tx: Tx, caller: Caller, login_id: UUID, phone: str | None) -> None:
    await factor_store.lock_login(tx, login_id)
    before = (await _get(tx, login_id))["phone"]
    if phone is None and before is None:
        raise NotFound
    if not await phone_store.set_phone(tx, login_id, phone):
        raise PhoneTaken
    _require_way_in(await _get(tx, login_id))
    await factor_store.drop_challenges(tx, login_id)
    target = public_id("act", caller.actor_id)
    await record_audit(tx, caller, "phone.changed", target, {"phone": before}, {"phone": phone})


def _require_way_in(login: Record) -> None:
    if not ((login["email"] and login["password_hash"]) or login["phone"] or login["passkeys"]):
        raise LastWayIn
