"""User ids: ``usr_`` and eight characters, kept as the external id of actors that no application brought along.

For applications that name people by such ids (`parley.conversations.chat3`). Who has an id keeps it.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from uuid import UUID

from parley.accounts import people_store
from parley.accounts.personal import lock_personal
from parley.infra.db import Tx

_CHARACTERS = string.ascii_lowercase + string.digits
_LENGTH = 8


def new_user_id() -> str:
    """Return ``usr_`` and eight random characters."""
    return "usr_" + "".join(secrets.choice(_CHARACTERS) for _ in range(_LENGTH))


async def give_user_ids(tx: Tx, workspace_id: UUID, user_ids: Mapping[UUID, str]) -> None:
    """Give actors that have no external id these. It locks them: not in a transaction that told anybody anything."""
    await lock_personal(tx, user_ids)
    await people_store.give_external_ids(tx, workspace_id, user_ids)
