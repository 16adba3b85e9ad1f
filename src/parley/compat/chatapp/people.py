"""Users of this dialect: ``usr_`` and eight characters, kept as the actor's external id.

An actor that an application knows by an id of its own is known by that one here too; the others get one when they are
first shown. The mapping never changes, so a process may remember it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

import msgspec
from asyncpg import Record

from parley.accounts.user_ids import give_user_ids, new_user_id
from parley.compat.chatapp import store
from parley.compat.chatapp.errors import NoSuchUser
from parley.infra.db import Database, Tx
from parley.kit.ids import public_id

REMEMBERED = 100_000
USER_ID_LIMIT = 128


class Person(msgspec.Struct, frozen=True):
    """An actor as this dialect shows it."""

    user_id: str
    name: str


async def find_people(tx: Tx, workspace_id: UUID, ids: Collection[UUID]) -> dict[UUID, Person]:
    """Return actors as this dialect shows them; who has no user id yet gets one. Missing: who does not exist.

    Not in a transaction that has told anybody anything: it locks actors.
    """
    rows = await store.find_people(tx, workspace_id, ids)
    nameless = {row["id"]: new_user_id() for row in rows if row["external_id"] is None}
    if nameless:
        await give_user_ids(tx, workspace_id, nameless)
        rows = await store.find_people(tx, workspace_id, ids)
    return {row["id"]: Person(row["external_id"], row["name"]) for row in rows}


async def find_user(tx: Tx, workspace_id: UUID, user_id: str) -> Record | None:
    """Return the user of a user id, deactivated ones too; None also for a text that nobody's id can be."""
    if len(user_id) > USER_ID_LIMIT or not user_id.isprintable():
        return None
    return await store.find_user(tx, workspace_id, user_id)


async def get_users(tx: Tx, workspace_id: UUID, user_ids: Iterable[str]) -> list[UUID]:
    """Return the active actors of user ids, in their order, each once. Raises: NoSuchUser."""
    found: list[UUID] = []
    for user_id in dict.fromkeys(user_ids):
        row = await find_user(tx, workspace_id, user_id)
        if row is None or row["deactivated_at"] is not None:
            raise NoSuchUser
        found.append(row["id"])
    return found


class UserIds:
    """The user ids of a process's actors, read once each."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[UUID, str] = {}

    async def get(self, workspace_id: UUID, ids: Collection[UUID]) -> dict[str, str]:
        """Return user ids by our public ids of the actors."""
        missing = [key for key in ids if key not in self._known]
        if missing:
            async with self._db.transaction(workspace_id) as tx:
                people = await find_people(tx, workspace_id, missing)
            while len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known.update((key, person.user_id) for key, person in people.items())
        return {public_id("act", key): self._known[key] for key in ids if key in self._known}
