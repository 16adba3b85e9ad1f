"""One-time links: a random token behind the ``#`` of an address, stored as its hash, used once.

The fragment never reaches a server's log; what the page behind it posts is the token.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from asyncpg import Record

from parley.accounts import store
from parley.accounts.errors import LinkUsed
from parley.infra.crypto import hash_token, new_token
from parley.infra.db import Tx

Purpose = Literal["setup", "invitation"]

SETUP_FOR = dt.timedelta(hours=24)
INVITATION_FOR = dt.timedelta(days=7)

_PATHS: dict[Purpose, str] = {"setup": "/setup", "invitation": "/invite"}
_LASTS: dict[Purpose, dt.timedelta] = {"setup": SETUP_FOR, "invitation": INVITATION_FOR}


async def issue_link(
    tx: Tx,
    origin: str,
    purpose: Purpose,
    *,
    workspace_id: UUID | None = None,
    payload: dict[str, Any] | None = None,
) -> str:
    """Return the address of a new link; unused older ones of the same purpose and payload work no longer."""
    token = new_token()
    payload = payload or {}
    await store.retire_links(tx, purpose, workspace_id, payload)
    await store.insert_link(tx, hash_token(token), purpose, workspace_id, payload, tx.now + _LASTS[purpose])
    return f"{origin}{_PATHS[purpose]}#token={token}"


async def get_link(tx: Tx, purpose: Purpose, token: str) -> Record:
    """Return workspace_id and payload of a link that may be used. Raises: LinkUsed."""
    row = await store.find_link(tx, purpose, hash_token(token))
    if row is None:
        raise LinkUsed
    return row


async def use_link(tx: Tx, purpose: Purpose, token: str) -> Record:
    """Use a link up with this transaction: of several at once one succeeds. Raises: LinkUsed."""
    row = await store.use_link(tx, purpose, hash_token(token))
    if row is None:
        raise LinkUsed
    return row
