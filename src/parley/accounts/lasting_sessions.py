"""Sessions of foreign clients, who know one token for a fixed time and nothing to refresh it by.

To everybody else they are sessions like any other: listed among a user's devices, ended with the user, the login or by
hand. The token never leaves the server: a dialect hands out its own, which names the session, and asks here for this one.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from parley.accounts import store
from parley.accounts.sessions import Client
from parley.accounts.tokens import ACCESS_PREFIX
from parley.infra.crypto import Keys, hash_token, new_token
from parley.infra.db import Tx
from parley.kit.ids import public_id, uuid7
from parley.kit.text import clean_name


async def begin_lasting_session(
    tx: Tx, keys: Keys, client: Client, *, workspace_id: UUID, actor_id: UUID, login_id: UUID, lasts: dt.timedelta
) -> UUID:  # fmt: skip
    """Add a session that ends after ``lasts``, in a system transaction that has made sure of the login and the user."""
    session_id = uuid7()
    row = {
        "id": session_id,
        "workspace_id": workspace_id,
        "actor_id": actor_id,
        "login_id": login_id,
        "access_hash": hash_token(lasting_token(keys, session_id)),
        "access_expires_at": tx.now + lasts,
        "refresh_hash": hash_token(new_token()),  # of a token that nobody has
        "rotated_at": tx.now,
        "expires_at": tx.now + lasts,
        "user_agent": clean_name(client.user_agent),
        "address": client.address,
        "created_at": tx.now,
        "last_used_at": tx.now,
    }
    await store.insert_session(tx, row)
    return session_id


def lasting_token(keys: Keys, session_id: UUID) -> str:
    """Return the access token of a lasting session, for `authenticate`; the same at every call."""
    return ACCESS_PREFIX + keys.sign("access.lasting", public_id("ses", session_id))
