"""Recovery codes: ten, each good once, for who has lost the other second factors."""

from __future__ import annotations

import re
import secrets
from uuid import UUID

from parley.accounts import factor_store
from parley.infra.crypto import Keys
from parley.infra.db import Tx

COUNT = 10
# without what looks alike on paper: 31 letters, ten of them are 49 bits
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_HALF = 5


async def renew_recovery_codes(tx: Tx, keys: Keys, login_id: UUID) -> list[str]:
    """Return new codes, which are shown this once; those before are good no longer."""
    codes = [_new_code() for _ in range(COUNT)]
    await factor_store.replace_recovery_codes(tx, login_id, [_hash(keys, login_id, code) for code in codes])
    return codes


async def use_recovery_code(tx: Tx, keys: Keys, login_id: UUID, code: str) -> bool:
    """Use a code up; False when it is none of the login's, or was used."""
    return await factor_store.use_recovery_code(tx, login_id, _hash(keys, login_id, code))


def _new_code() -> str:
    letters = [secrets.choice(_LETTERS) for _ in range(2 * _HALF)]
    return f"{''.join(letters[:_HALF])}-{''.join(letters[_HALF:])}"


def _hash(keys: Keys, login_id: UUID, code: str) -> bytes:
    """With the installation's key, so that a copy of the database alone lets nobody search for codes."""
    plain = re.sub(r"[\s-]", "", code.lower())
    return keys.sign("recovery code", f"{login_id} {plain}").encode()
