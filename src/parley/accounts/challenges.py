"""What stands between two requests of one sign-in: a random token, good for minutes and once."""

from __future__ import annotations

import datetime as dt
import os
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Record

from parley.accounts import factor_store
from parley.accounts.errors import ChallengeOver
from parley.infra.crypto import hash_token, new_token
from parley.infra.db import Tx

Purpose = Literal["second_factor", "passkey_sign_in", "passkey_creation"]

LASTS = dt.timedelta(minutes=5)


class Challenge(msgspec.Struct, frozen=True):
    """A challenge just made. ``nonce``: what a passkey has to sign."""

    token: str
    nonce: bytes


async def begin_challenge(
    tx: Tx, purpose: Purpose, *, login_id: UUID | None = None, workspace_id: UUID | None = None,
    actor_id: UUID | None = None,
) -> Challenge:  # fmt: skip
    """Make a challenge, in a system transaction."""
    challenge = Challenge(new_token(), os.urandom(32))
    await factor_store.insert_challenge(
        tx, hash_token(challenge.token), purpose, login_id, workspace_id, actor_id, challenge.nonce, tx.now + LASTS
    )  # fmt: skip
    return challenge


async def get_challenge(tx: Tx, purpose: Purpose, token: str) -> Record:
    """Return a challenge that may still be used. Raises: ChallengeOver."""
    row = await factor_store.find_challenge(tx, hash_token(token), purpose)
    if row is None:
        raise ChallengeOver
    return row


async def use_challenge(tx: Tx, purpose: Purpose, token: str) -> Record:
    """Use a challenge up with this transaction: of several at once one succeeds. Raises: ChallengeOver."""
    row = await factor_store.use_challenge(tx, hash_token(token), purpose)
    if row is None:
        raise ChallengeOver
    return row
