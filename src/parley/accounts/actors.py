"""Actors as the other slices see them: whoever can speak in a workspace."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from asyncpg import Record

from parley.accounts import store
from parley.accounts.schemas import Actor
from parley.infra.db import Tx
from parley.kit.errors import NotFound
from parley.kit.ids import public_id


async def find_actors(tx: Tx, ids: Collection[UUID], *, is_active: bool = False) -> dict[UUID, Actor]:
    """Return the actors that exist and this transaction may see, by id; deactivated ones too, unless ``is_active``.

    One query.
    """
    if not ids:
        return {}
    rows = await store.find_actors(tx, ids)
    return {row["id"]: format_actor(row) for row in rows if not (is_active and row["deactivated_at"])}


async def get_actor(tx: Tx, actor_id: UUID) -> Actor:
    """Return an actor. Raises: NotFound."""
    found = await find_actors(tx, [actor_id])
    if actor_id not in found:
        raise NotFound
    return found[actor_id]


def format_actor(row: Record, id_column: str = "id") -> Actor:
    """Return the public form of a row that has kind, name and role of an actor, and its id under a column."""
    return Actor(id=public_id("act", row[id_column]), kind=row["kind"], name=row["name"], role=row["role"])
