"""Inboxes: connecting and disconnecting accounts, their rules, and who works in them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from parley.accounts import Actor, Caller, find_actors, record_audit, record_personal
from parley.channels.contract import AccountBroken, AccountInfo, Adapter, SendError
from parley.conversations import list_visible_inboxes
from parley.desk import inbox_store
from parley.desk.accounts import Channels
from parley.desk.errors import BadCredentials, InboxNotFound, InboxTaken
from parley.desk.schemas import Channel, FeaturesJson, Inbox, InboxChange
from parley.infra.crypto import new_token
from parley.infra.db import Database, Tx
from parley.kit.errors import NotFound
from parley.kit.ids import public_id, uuid7
from parley.kit.text import clean_name


def list_channels(channels: Channels) -> list[Channel]:
    """Return the channels of this installation."""
    return [
        Channel(name=name, features=_features(adapter)) for name, adapter in sorted(channels.adapters.items())
    ]


async def connect_inbox(
    db: Database,
    channels: Channels,
    caller: Caller,
    *,
    channel: str,
    secrets: dict[str, str],
    name: str | None,
    config: dict[str, Any] | None = None,
) -> Inbox:
    """Check an account with its provider, store it, and have its updates come in.

    The network is asked before and after, never inside the transaction.
    Raises: Forbidden, UnknownChannel, BadCredentials, InboxTaken, Temporary (the provider is out of reach).
    """
    caller.require_admin()
    adapter = channels.adapter(channel)
    config = dict(config or {})
    info = await _ask(adapter, channels, channel, secrets, config)
    config |= info.config
    config["updates"] = "webhook" if channels.uses_webhook(config, adapter) else "polling"
    inbox_id = uuid7()
    sealed = channels.keys.encrypt({**secrets, "webhook_secret": new_token()}, bound_to=inbox_id.bytes)
    async with db.transaction(caller.workspace_id) as tx:
        try:
            await inbox_store.insert_inbox(
                tx,
                workspace_id=caller.workspace_id,
                inbox_id=inbox_id,
                channel=channel,
                name=clean_name(name or info.name, limit=100) or info.name,
                address=info.address,
                secrets=sealed,
                config=config,
            )
        except asyncpg.UniqueViolationError as error:
            raise InboxTaken from error
        if caller.kind == "user":
            await inbox_store.add_member(tx, caller.workspace_id, inbox_id, caller.actor_id)
            await record_personal(tx, caller.workspace_id, caller.actor_id, "rights.changed", {})
        await record_audit(
            tx, caller, "inbox.connected", public_id("inb", inbox_id), after={"channel": channel}
        )
    await _start_updates(db, channels, caller.workspace_id, inbox_id)
    return await get_inbox(db, channels, caller, inbox_id)


async def reconnect_inbox(
    db: Database, channels: Channels, caller: Caller, inbox_id: UUID, secrets: dict[str, str] | None
) -> Inbox:
    """Go on with an inbox that is broken, with new credentials of the same account if given.

    Raises: Forbidden, InboxNotFound, BadCredentials, InboxTaken, Temporary.
    """
    caller.require_admin()
    async with db.transaction(caller.workspace_id) as tx:
        row = await _require(tx, inbox_id)
    adapter = channels.adapter(row["channel"])
    kept = channels.account(row)
    merged = {**kept.secrets, **(secrets or {})}
    info = await _ask(adapter, channels, row["channel"], merged, row["config"])
    if info.address != row["address"]:
        raise BadCredentials("These credentials are of another account; connect it as another inbox.")
    config = {**row["config"], **info.config}
    config["updates"] = "webhook" if channels.uses_webhook(config, adapter) else "polling"
    async with db.transaction(caller.workspace_id) as tx:
        # it may have been disconnected for good while the provider was asked
        await _require(tx, inbox_id, lock=True)
        await inbox_store.set_account(
            tx,
            inbox_id,
            address=info.address,
            secrets=channels.keys.encrypt(merged, bound_to=inbox_id.bytes),
            config=config,
        )
        await record_audit(tx, caller, "inbox.reconnected", public_id("inb", inbox_id))
    await _start_updates(db, channels, caller.workspace_id, inbox_id)
    return await get_inbox(db, channels, caller, inbox_id)


async def disconnect_inbox(db: Database, channels: Channels, caller: Caller, inbox_id: UUID) -> None:
    """Stop an account's updates for good; its conversations stay. Repeat: InboxNotFound. Raises: Forbidden."""
    caller.require_admin()
    async with db.transaction(caller.workspace_id) as tx:
        row = await _require(tx, inbox_id)
        await inbox_store.set_state(tx, inbox_id, "disconnected", None)
        await record_audit(tx, caller, "inbox.disconnected", public_id("inb", inbox_id))
    try:
        await channels.adapter(row["channel"]).disconnect(channels.account(row))
    except SendError:
        # it is disconnected here whatever the provider says; a webhook that still comes finds no inbox
        return


async def change_inbox(
    db: Database, channels: Channels, caller: Caller, inbox_id: UUID, change: InboxChange
) -> Inbox:
    """Change name and reopen rule. Raises: Forbidden, InboxNotFound."""
    caller.require_admin()
    async with db.transaction(caller.workspace_id) as tx:
        row = await _require(tx, inbox_id, lock=True)
        given = {key: value for key, value in msgspec.structs.asdict(change).items() if value is not UNSET}
        if "name" in given:
            given["name"] = clean_name(given["name"], limit=100) or row["name"]
        await inbox_store.change_inbox(
            tx,
            inbox_id,
            name=given.get("name", row["name"]),
            reopen=given.get("reopen", row["reopen"]),
            within_hours=given.get("reopen_within_hours", row["reopen_within_hours"]),
        )
        before = {key: row[key] for key in given}
        await record_audit(
            tx, caller, "inbox.changed", public_id("inb", inbox_id), before=before, after=given
        )
    return await get_inbox(db, channels, caller, inbox_id)


async def get_inbox(db: Database, channels: Channels, caller: Caller, inbox_id: UUID) -> Inbox:
    """Return an inbox the caller works in. Raises: InboxNotFound."""
    async with db.transaction(caller.workspace_id) as tx:
        if inbox_id not in await list_visible_inboxes(tx, caller):
            raise InboxNotFound
        return _inbox(await _require(tx, inbox_id), channels)


async def list_inboxes(db: Database, channels: Channels, caller: Caller) -> list[Inbox]:
    """Return the inboxes the caller works in; all for admins."""
    caller.require_staff()
    sees_all = caller.is_admin or caller.kind == "bot"
    async with db.transaction(caller.workspace_id) as tx:
        rows = await inbox_store.list_inboxes(tx, caller.workspace_id, None if sees_all else caller.actor_id)
    return [_inbox(row, channels) for row in rows]


async def list_members(tx: Tx, caller: Caller, inbox_id: UUID) -> list[Actor]:
    """Return who works in an inbox. Raises: InboxNotFound."""
    if inbox_id not in await list_visible_inboxes(tx, caller):
        raise InboxNotFound
    known = await find_actors(tx, await inbox_store.list_members(tx, inbox_id))
    return list(known.values())


async def set_member(tx: Tx, caller: Caller, inbox_id: UUID, actor_id: UUID, *, is_member: bool) -> None:
    """Put a user into an inbox or take them out; their open screens follow. Repeat: harmless.

    Raises: Forbidden, InboxNotFound, NotFound.
    """
    caller.require_admin()
    await _require(tx, inbox_id)
    known = await find_actors(tx, [actor_id], is_active=is_member)
    if actor_id not in known or known[actor_id].kind != "user":
        raise NotFound("This user is not in this workspace.")
    if is_member:
        changed = await inbox_store.add_member(tx, caller.workspace_id, inbox_id, actor_id)
    else:
        changed = await inbox_store.remove_member(tx, inbox_id, actor_id)
    if changed:
        await record_audit(
            tx,
            caller,
            "inbox.member_added" if is_member else "inbox.member_removed",
            public_id("inb", inbox_id),
            after={"actor_id": public_id("act", actor_id)},
        )
        await record_personal(tx, caller.workspace_id, actor_id, "rights.changed", {})


async def mark_broken(db: Database, workspace_id: UUID, inbox_id: UUID, reason: str) -> None:
    """Note that an account does not work until somebody reconnects it."""
    async with db.transaction(workspace_id) as tx:
        await inbox_store.set_state(tx, inbox_id, "broken", reason[:500])


async def _ask(
    adapter: Adapter, channels: Channels, channel: str, secrets: dict[str, str], config: dict[str, Any]
) -> AccountInfo:
    try:
        return await adapter.connect(secrets, channels.complete_config(channel, config))
    except AccountBroken as error:
        raise BadCredentials(error.message) from error


async def _start_updates(db: Database, channels: Channels, workspace_id: UUID, inbox_id: UUID) -> None:
    async with db.transaction(workspace_id) as tx:
        row = await _require(tx, inbox_id)
    adapter, account = channels.adapter(row["channel"]), channels.account(row)
    try:
        if row["config"]["updates"] == "webhook":
            address = f"{channels.settings.public_url}/webhooks/{row['channel']}/{public_id('inb', inbox_id)}"
            await adapter.set_webhook(account, address)
        else:
            # a webhook set elsewhere would keep updates from us
            await adapter.disconnect(account)
    except SendError as error:
        await mark_broken(db, workspace_id, inbox_id, error.message)
    db.wake.notify("polling")


async def _require(tx: Tx, inbox_id: UUID, *, lock: bool = False) -> asyncpg.Record:
    row = await inbox_store.find_inbox(tx, inbox_id, lock=lock)
    if row is None or row["state"] == "disconnected":
        raise InboxNotFound
    return row


def _features(adapter: Adapter) -> FeaturesJson:
    return msgspec.convert(
        {field: getattr(adapter.features, field) for field in FeaturesJson.__struct_fields__}, FeaturesJson
    )


def _inbox(row: asyncpg.Record, channels: Channels) -> Inbox:
    config = row["config"]
    is_sandbox = bool(config.get("sandbox"))
    phone = None
    if is_sandbox and channels.sandbox_url:
        phone = f"{channels.settings.origin}/sandbox/?bot={row['address']}"
    return Inbox(
        id=public_id("inb", row["id"]),
        channel=row["channel"],
        name=row["name"],
        address=config.get("username") or row["address"],
        state=row["state"],
        state_reason=row["state_reason"],
        reopen=row["reopen"],
        reopen_within_hours=row["reopen_within_hours"],
        is_sandbox=is_sandbox,
        phone_url=phone,
        features=_features(channels.adapter(row["channel"])),
        updates=config.get("updates", "polling"),
        created_at=row["created_at"],
    )
