"""API keys: how programs come in. Each has a bot of its own, under whose name it speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from parley.accounts import store
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller, Scope
from parley.accounts.fields import require_name
from parley.accounts.schemas import AddedApiKey, ApiKey
from parley.accounts.tokens import new_api_key
from parley.infra.crypto import hash_token
from parley.infra.db import Tx
from parley.kit.errors import NotFound
from parley.kit.ids import public_id, uuid7

HINT_LENGTH = 4


async def list_api_keys(tx: Tx, caller: Caller) -> list[ApiKey]:
    """Return the live keys, newest first. Raises: Forbidden unless an admin."""
    caller.require_admin()
    return [ApiKey(**_describe(row)) for row in await store.list_api_keys(tx, caller.workspace_id)]


async def create_api_key(tx: Tx, caller: Caller, *, name: str, scopes: Sequence[Scope]) -> AddedApiKey:
    """Make a bot and a key for it. The key's text is in the answer and nowhere else.

    Raises: Forbidden unless an admin, Malformed.
    """
    caller.require_admin()
    name, granted = require_name(name), sorted(set(scopes))
    key, key_id, bot_id = new_api_key(), uuid7(), uuid7()
    hint = key[-HINT_LENGTH:]
    await store.insert_actor(tx, caller.workspace_id, bot_id, "bot", name)
    await store.insert_api_key(
        tx, caller.workspace_id, key_id, bot_id, name, hash_token(key), hint, granted, caller.actor_id
    )
    target = public_id("key", key_id)
    await record_audit(
        tx, caller, "api_key.created", target, None, {"name": name, "hint": hint, "scopes": granted}
    )
    return AddedApiKey(
        id=target,
        name=name,
        hint=hint,
        scopes=list(granted),
        actor_id=public_id("act", bot_id),
        created_at=tx.now,
        last_used_at=None,
        key=key,
    )


async def revoke_api_key(tx: Tx, caller: Caller, key_id: UUID) -> UUID:
    """End a key and its bot; return the bot's actor id. Raises: Forbidden unless an admin, NotFound."""
    caller.require_admin()
    row = await store.revoke_api_key(tx, caller.workspace_id, key_id)
    if row is None:
        raise NotFound
    bot_id: UUID = row["actor_id"]
    await store.deactivate_bot(tx, caller.workspace_id, bot_id)
    before = {"name": row["name"], "hint": row["hint"], "scopes": row["scopes"]}
    await record_audit(tx, caller, "api_key.revoked", public_id("key", key_id), before, None)
    return bot_id


def _describe(row: Record) -> dict[str, Any]:
    return {
        "id": public_id("key", row["id"]),
        "name": row["name"],
        "hint": row["hint"],
        "scopes": row["scopes"],
        "actor_id": public_id("act", row["actor_id"]),
        "created_at": row["created_at"],
        "last_used_at": row["last_used_at"],
    }
