"""REST of contacts. Staff see contacts of the inboxes they are in; admins see all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from parley.accounts import Caller, GivenCaller, GivenRuntime, record_audit
from parley.contacts import store
from parley.infra.db import Tx
from parley.kit.errors import Malformed, NotFound
from parley.kit.ids import parse_id, public_id
from parley.kit.pages import MAX_PAGE, Page, decode_cursor, encode_cursor
from parley.kit.text import clean_name, clean_text

VisibleInboxes = Callable[[Tx, Caller], Awaitable[list[UUID]]]
"""Port, given by apps: the inboxes whose contacts a caller sees."""

TouchContact = Callable[[Tx, UUID, UUID], Awaitable[None]]
"""Port, given by apps: tell the screens that show a contact (workspace, contact) that it looks different."""
GivenTouch = NamedDependency[TouchContact]
GivenInboxes = NamedDependency[VisibleInboxes]
_LAST = UUID(int=2**128 - 1)
_TAGS = ["Contacts"]


class IdentityJson(msgspec.Struct, kw_only=True):
    """An address of a contact in one inbox."""

    id: str
    inbox_id: str
    address: str
    name: str
    username: str | None
    is_reachable: bool


class Contact(msgspec.Struct, kw_only=True):
    """A person outside."""

    id: str
    name: str
    email: str | None
    phone: str | None
    note: str
    locale: str | None
    identities: list[IdentityJson]
    created_at: dt.datetime


class ContactChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; fields left out stay."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=320)] | UnsetType | None = UNSET
    phone: Annotated[str, Meta(max_length=40)] | UnsetType | None = UNSET
    note: Annotated[str, Meta(max_length=5000)] | UnsetType = UNSET


@get("/v1/contacts", tags=_TAGS, operation_id="list_contacts")
async def list_contacts(
    runtime: GivenRuntime,
    caller: GivenCaller,
    visible_inboxes: GivenInboxes,
    text: Annotated[str, QueryParameter(name="query", max_length=100)] = "",
    cursor: Annotated[str | None, QueryParameter(max_length=500)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = 50,
) -> Page[Contact]:
    """Contacts, newest first; `query` is part of a name, e-mail or phone."""
    caller.require_staff()
    before = decode_cursor(cursor, UUID)[0] if cursor else _LAST
    async with runtime.db.transaction(caller.workspace_id) as tx:
        inboxes = None if caller.is_admin else await visible_inboxes(tx, caller)
        rows = await store.list_contacts(
            tx, caller.workspace_id, inboxes, clean_text(text), before, limit + 1
        )
    following = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page([_contact(row) for row in rows[:limit]], following)


@get("/v1/contacts/{contact_id:str}", tags=_TAGS, operation_id="get_contact")
async def get_contact(
    runtime: GivenRuntime, caller: GivenCaller, visible_inboxes: GivenInboxes, contact_id: FromPath[str]
) -> Contact:
    """One contact."""
    caller.require_staff()
    key = parse_id("act", contact_id)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        return _contact(await _require(tx, caller, visible_inboxes, key))


@patch("/v1/contacts/{contact_id:str}", tags=_TAGS, operation_id="change_contact")
async def change_contact(
    runtime: GivenRuntime,
    caller: GivenCaller,
    visible_inboxes: GivenInboxes,
    touch_contact: GivenTouch,
    contact_id: FromPath[str],
    data: JSONBody[ContactChange],
) -> Contact:
    """Change what is known of a contact. A name set here is no longer overwritten by the provider's."""
    caller.require_staff()
    key = parse_id("act", contact_id)
    values = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
    if "name" in values:
        values["name"] = clean_name(values["name"])
        if not values["name"]:
            raise Malformed("A name needs something that can be seen.", name="")
    for name in ("email", "phone", "note"):
        if values.get(name) is not None and name in values:
            values[name] = clean_text(values[name]).strip() or (None if name != "note" else "")
    async with runtime.db.transaction(caller.workspace_id) as tx:
        before = _contact(await _require(tx, caller, visible_inboxes, key))
        await store.change_contact(tx, caller.workspace_id, key, values)
        if values.get("name", before.name) != before.name:
            await touch_contact(tx, caller.workspace_id, key)
        after = _contact(await _require(tx, caller, visible_inboxes, key))
        await record_audit(
            tx,
            caller,
            "contact.changed",
            contact_id,
            before=_audited(before, values),
            after=_audited(after, values),
        )
    return after


async def _require(tx: Tx, caller: Caller, visible_inboxes: VisibleInboxes, key: UUID) -> asyncpg.Record:
    inboxes = None if caller.is_admin else await visible_inboxes(tx, caller)
    row = await store.get_contact(tx, caller.workspace_id, inboxes, key)
    if row is None:
        raise NotFound
    return row


def _audited(contact: Contact, values: dict[str, Any]) -> dict[str, Any]:
    """Which fields changed, without what they hold: the audit keeps no personal data."""
    return {name: bool(getattr(contact, name)) for name in values}


def _contact(row: asyncpg.Record) -> Contact:
    return Contact(
        id=public_id("act", row["id"]),
        name=row["name"],
        email=row["email"],
        phone=row["phone"],
        note=row["note"],
        locale=row["locale"],
        identities=[
            IdentityJson(
                id=public_id("idn", UUID(item["id"])),
                inbox_id=public_id("inb", UUID(item["inbox_id"])),
                address=item["address"],
                name=item["name"],
                username=item["username"],
                is_reachable=item["is_reachable"],
            )
            for item in row["identities"] or ()
        ],
        created_at=row["created_at"],
    )


routes = [list_contacts, get_contact, change_contact]
