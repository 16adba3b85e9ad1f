"""The second step of a sign-in: whoever gave the first factor gets a session, or a challenge where one is asked for.

Guesses are counted per login before they are looked at, whatever challenge they come with; a challenge is bound to the
login and the user that the first factor led to.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Record

from parley.accounts import factor_store, store
from parley.accounts.attempts import Limit, count_together, subject_of
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller, Role
from parley.accounts.challenges import begin_challenge, get_challenge, use_challenge
from parley.accounts.choosing import choose_user
from parley.accounts.errors import Deactivated, PasskeyRefused, SecondFactorNeeded, WrongCode
from parley.accounts.passkeys import Json, RelyingParty, format_request, use_passkey
from parley.accounts.recovery import use_recovery_code
from parley.accounts.sessions import Client, OpenSession, begin_session
from parley.accounts.totp import use_totp
from parley.infra.crypto import Keys
from parley.infra.db import Database, Tx
from parley.kit.errors import Malformed
from parley.kit.ids import public_id

Method = Literal["totp", "recovery_code", "passkey"]

GUESS_LOGIN = Limit("second_factor.login", 10, dt.timedelta(minutes=15))
GUESS_LOGIN_DAY = Limit("second_factor.login_day", 40, dt.timedelta(days=1))
"""With three codes good at a time, a chance of 1 in 8 000 a day for somebody who has the password."""
GUESS_ADDRESS = Limit("second_factor.address", 100, dt.timedelta(days=1))
BEGIN_ADDRESS = Limit("passkey.address", 200, dt.timedelta(hours=1))


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """The user that the first factor led to."""

    login_id: UUID
    workspace_id: UUID
    actor_id: UUID
    role: Role
    name: str


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One second factor, as it was given."""

    code: str | None = None
    recovery_code: str | None = None
    passkey: Json | None = None

    def require_one(self) -> None:
        """Raises: Malformed unless exactly one is given."""
        if sum(part is not None for part in (self.code, self.recovery_code, self.passkey)) != 1:
            raise Malformed("Give one of code, recovery_code and passkey.")


def list_methods(factors: Record | None) -> list[Method]:
    """Return which second factors are asked for, by what `factor_store.find_factors` says; empty: none is."""
    if factors is None or not (factors["has_totp"] or (factors["needs_passkey"] and factors["passkeys"])):
        return []
    methods: list[tuple[Method, bool]] = [
        ("totp", factors["has_totp"]),
        ("passkey", factors["passkeys"] > 0),
        ("recovery_code", factors["recovery_codes"] > 0),
    ]
    return [method for method, has in methods if has]


async def open_session(tx: Tx, keys: Keys, client: Client, user: Entrant) -> OpenSession | SecondFactorNeeded:
    """Open a session after the first factor, in a system transaction; or return what is to be raised after it.

    It is returned and not raised, so that the challenge is committed with what the first factor has used up.
    """
    methods = list_methods(await factor_store.find_factors(tx, user.login_id))
    if not methods:
        return await _begin(tx, keys, client, user)
    challenge = await begin_challenge(
        tx, "second_factor", login_id=user.login_id, workspace_id=user.workspace_id, actor_id=user.actor_id
    )
    return SecondFactorNeeded(challenge=challenge.token, methods=methods)


def require_session(opened: OpenSession | SecondFactorNeeded) -> OpenSession:
    """Return the session, outside the transaction. Raises: SecondFactorNeeded."""
    if isinstance(opened, SecondFactorNeeded):
        raise opened
    return opened


def make_caller(user: Entrant, client: Client) -> Caller:
    """Return the user as one who acts before they have a session: for the audit."""
    return Caller(
        workspace_id=user.workspace_id,
        actor_id=user.actor_id,
        kind="user",
        role=user.role,
        scopes=frozenset(),
        session_id=None,
        name=user.name,
        login_id=user.login_id,
        address=client.address,
    )


async def give_second_factor(
    db: Database, keys: Keys, client: Client, party: RelyingParty | None, *, challenge: str, given: Given
) -> OpenSession:
    """Open the session that a challenge stands for. A failure leaves the challenge usable, and counts.

    Raises: ChallengeOver, WrongCode, PasskeyRefused, TooManyAttempts, Deactivated, Malformed.
    """
    given.require_one()
    async with db.system() as tx:
        login_id = (await get_challenge(tx, "second_factor", challenge))["login_id"]
    await count_together(db, guess_counters(login_id, client.address))
    async with db.system() as tx:
        row = await use_challenge(tx, "second_factor", challenge)
        user = await factor_store.find_active_user(tx, row["login_id"], row["actor_id"])
        if user is None or user["deactivated_at"] is not None:
            raise Deactivated
        await use_factor(tx, keys, party, row["login_id"], row["nonce"], given)
        await forgive_guess(tx, row["login_id"], client.address)
        session = await _begin(tx, keys, client, _entrant(row["login_id"], user))
        if given.recovery_code is not None:
            await record_audit(tx, session.caller, "recovery_code.used", public_id("act", user["id"]))
        return session


async def ask_second_passkey(db: Database, party: RelyingParty, *, challenge: str) -> Json:
    """Return the options with which the login's passkeys sign for a challenge. Raises: ChallengeOver."""
    async with db.system() as tx:
        row = await get_challenge(tx, "second_factor", challenge)
        known = await factor_store.list_passkeys(tx, row["login_id"])
    return format_request(party, row["nonce"], known, is_only=False)


async def begin_passkey_sign_in(db: Database, client: Client, party: RelyingParty) -> tuple[str, Json]:
    """Return a challenge and the options with which any passkey of this server signs. Raises: TooManyAttempts."""
    await count_together(db, [(BEGIN_ADDRESS, subject_of(client.address))])
    async with db.system() as tx:
        challenge = await begin_challenge(tx, "passkey_sign_in")
    return challenge.token, format_request(party, challenge.nonce, [], is_only=True)


async def sign_in_by_passkey(
    db: Database, keys: Keys, client: Client, party: RelyingParty, *, challenge: str, credential: Json,
    workspace_id: UUID | None,
) -> OpenSession:  # fmt: skip
    """Open a session by a passkey alone. What fails leaves the challenge usable, so that a workspace can be named.

    Raises: ChallengeOver, PasskeyRefused, TooManyAttempts, ChooseWorkspace, Deactivated, NotFound.
    """
    counters = [(GUESS_ADDRESS, subject_of(client.address))]
    await count_together(db, counters)
    async with db.system() as tx:
        row = await use_challenge(tx, "passkey_sign_in", challenge)
        login_id = await use_passkey(tx, party, row["nonce"], credential, login_id=None)
        users = await factor_store.list_users_of_login(tx, login_id)
        user = choose_user(users, workspace_id, nobody=PasskeyRefused)
        for limit, subject in counters:
            await store.take_back_attempt(tx, limit.bucket, subject)
        return await _begin(tx, keys, client, _entrant(login_id, user))


async def use_factor(
    tx: Tx, keys: Keys, party: RelyingParty | None, login_id: UUID, nonce: bytes, given: Given
) -> None:
    """Use one second factor of a login up. Raises: WrongCode, PasskeyRefused."""
    if given.code is not None:
        is_right = await use_totp(tx, keys, login_id, given.code)
    elif given.recovery_code is not None:
        is_right = await use_recovery_code(tx, keys, login_id, given.recovery_code)
    elif given.passkey is not None and party is not None:
        await use_passkey(tx, party, nonce, given.passkey, login_id=login_id)
        is_right = True
    else:
        raise PasskeyRefused
    if not is_right:
        raise WrongCode


def guess_counters(login_id: UUID, address: str) -> list[tuple[Limit, bytes]]:
    """Return the counters of a guess at a login's second factors, in the order in which they are locked."""
    login = subject_of(str(login_id))
    return [(GUESS_ADDRESS, subject_of(address)), (GUESS_LOGIN, login), (GUESS_LOGIN_DAY, login)]


async def forgive_guess(tx: Tx, login_id: UUID, address: str) -> None:
    """Take a guess back that was right."""
    for limit, subject in guess_counters(login_id, address):
        await store.take_back_attempt(tx, limit.bucket, subject)


def _entrant(login_id: UUID, user: Record) -> Entrant:
    return Entrant(
        login_id=login_id,
        workspace_id=user["workspace_id"],
        actor_id=user["id"],
        role=user["role"],
        name=user["name"],
    )


async def _begin(tx: Tx, keys: Keys, client: Client, user: Entrant) -> OpenSession:
    return await begin_session(
        tx,
        keys,
        client,
        workspace_id=user.workspace_id,
        actor_id=user.actor_id,
        login_id=user.login_id,
        role=user.role,
        name=user.name,
    )
