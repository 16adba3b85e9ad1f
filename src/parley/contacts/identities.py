"""Identities: a contact's address in one inbox."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import msgspec

from parley.channels.contract import Person
from parley.contacts import store
from parley.infra.db import Tx
from parley.kit.ids import uuid7
from parley.kit.text import clean_name


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A contact's address in one inbox. ``is_reachable``: we may write to it as far as we know."""

    id: UUID
    workspace_id: UUID
    inbox_id: UUID
    contact_id: UUID
    address: str
    name: str
    username: str | None
    is_reachable: bool


async def ensure_identity(tx: Tx, workspace_id: UUID, inbox_id: UUID, person: Person) -> Identity:
    """Return the identity of a person in an inbox, made with its contact at the first sight.

    A changed name at the provider is taken over. Concurrent first sights: one transaction fails with a unique
    violation and finds it when it is run again.
    """
    name, username = name_person(person)
    row = await store.find_identity(tx, inbox_id, person.address)
    if row is None:
        contact_id, identity_id = uuid7(), uuid7()
        await store.insert_contact(
            tx,
            workspace_id=workspace_id,
            actor_id=contact_id,
            name=name,
            locale=person.language[:16] if person.language else None,
            phone=person.phone,
        )
        await store.insert_identity(
            tx,
            workspace_id=workspace_id,
            identity_id=identity_id,
            inbox_id=inbox_id,
            contact_id=contact_id,
            address=person.address,
            name=name,
            username=username,
        )
        return Identity(
            id=identity_id,
            workspace_id=workspace_id,
            inbox_id=inbox_id,
            contact_id=contact_id,
            address=person.address,
            name=name,
            username=username,
            is_reachable=True,
        )
    if row["name"] != name or row["username"] != username:
        await store.rename_identity(tx, row, name, username)
    return _identity(row)


def name_person(person: Person) -> tuple[str, str | None]:
    """Return the name and username under which a person's identity is kept."""
    username = clean_name(person.username, limit=64) if person.username else None
    return clean_name(person.name) or person.address, username


async def find_identity(tx: Tx, workspace_id: UUID, identity_id: UUID) -> Identity | None:
    """Return one identity of the workspace."""
    row = await store.get_identity(tx, workspace_id, identity_id)
    return _identity(row) if row else None


async def set_reachable(tx: Tx, identity: Identity, *, is_reachable: bool) -> bool:
    """Note whether we may write to it; returns whether that changed."""
    return await store.set_reachable(tx, identity.workspace_id, identity.id, is_reachable=is_reachable)


def _identity(row: asyncpg.Record) -> Identity:
    return Identity(**{field: row[field] for field in Identity.__struct_fields__})
