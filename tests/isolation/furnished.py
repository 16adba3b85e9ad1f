"""A workspace with at least one row of its own in every table, and what a request may name of it."""

from __future__ import annotations

import dataclasses
from uuid import UUID

from parley.conversations import drafts, editing, hiding, pins, reading
from parley.conversations.group_schemas import DraftRequest
from parley.conversations.invite_links import create_invite_link
from parley.conversations.schemas import EntityJson
from parley.infra.db import Tx
from parley.kit.ids import parse_id, public_id, uuid7
from tests.house import House, Person, Room, Workspace, index_all


@dataclasses.dataclass
class Furnished:
    """The workspace, its people, and public ids of its things by the names paths have for them."""

    place: Workspace
    owner: Person
    agent: Person
    room: Room
    group: UUID
    ids: dict[str, str]
    group_ids: dict[str, str]
    """The same names, with the things of the group in place of the desk conversation's."""
    marks: list[str]
    """Words and ids that nobody outside may ever read."""
    link_token: str


async def furnish(house: House, name: str) -> Furnished:
    """Make such a workspace; ``name`` is in every text of it."""
    place = await house.workspace(f"{name} Ltd")
    owner, agent = await place.user(f"{name}-owner", "owner"), await place.user(f"{name}-agent", "agent")
    key = await place.bot(f"{name}-bot", "chat")
    inbox = await place.inbox(agent, name=f"{name} inbox")
    room = await place.room(inbox, f"{name} customer")
    group = await place.open(owner, agent, title=f"{name} team")
    media = await place.media(agent, f"{name}.txt")
    await place.say(room.id, room.contact_id, f"{name} asks")
    sent = await place.say(room.id, agent, f"{name} answers", media_ids=[media])
    message = parse_id("msg", sent.message.id)
    async with house.db.transaction(place.id) as tx:
        await editing.edit_message(tx, agent.caller, room.id, message, text=f"{name} corrects", entities=[])
        await editing.add_reaction(tx, owner.caller, room.id, message, "+")
        await reading.mark_read(tx, agent.caller, room.id, 1)
        await pins.pin_message(tx, agent.caller, room.id, message)
        link = await create_invite_link(
            tx, owner.caller, group, origin="http://x", expires_at=None, max_uses=None
        )
        for who, where in ((agent, room.id), (owner, room.id), (owner, group)):
            wording = DraftRequest(
                text=f"{name} begins", reply_to_id=sent.message.id if where == room.id else None
            )
            await drafts.set_draft(tx, who.caller, where, wording)
    later = await _talk(place, group, owner, agent, name)
    await index_all(house)
    item, api_key = uuid7(), (await house.sql("SELECT id FROM api_key WHERE actor_id = $1", key.id))[0]["id"]
    async with house.db.system() as tx:
        await _insert_of_groups(tx, place.id, group, owner.id, agent.id)
        await _insert_work(tx, place.id, inbox, room.id, message, item)
        await _insert_accounts(tx, place.id, owner.id)
        passkey = await _insert_passkey(tx, agent, f"{name} passkey")
        await _insert_presence(tx, place.id, owner.id)
        await _insert_integrations(tx, place.id, key.id, agent.id, group, f"{name}-agent-id")
    ids = {
        "conversation_id": room.public, "message_id": sent.message.id, "inbox_id": public_id("inb", inbox),
        "link_id": link.id, "actor_id": agent.public, "user_id": agent.public, "contact_id": public_id("act", room.contact_id),
        "media_id": public_id("med", media), "item_id": public_id("itm", item), "key_id": public_id("key", api_key),
        "session_id": public_id("ses", agent.caller.session_id or uuid7()), "passkey_id": public_id("psk", passkey), "emoji": "+",
        "scheduled_id": public_id("sch", later), "external_id": f"{name}-agent-id", "channel": "telegram",
    }  # fmt: skip
    media = await place.media(owner, f"{name}-secret.txt")
    among = await place.say(group, owner, f"{name} among us", media_ids=[media])
    group_ids = ids | {
        "conversation_id": public_id("cnv", group), "message_id": among.message.id, "media_id": public_id("med", media),
    }  # fmt: skip
    marks = [name, *{value for key, value in (*ids.items(), *group_ids.items()) if key.endswith("_id")}]
    return Furnished(place, owner, agent, room, group, ids, group_ids, marks, link.url.rpartition("=")[2])


async def _talk(place: Workspace, group: UUID, owner: Person, agent: Person, name: str) -> UUID:
    """What people do with messages in a group; return one that is scheduled."""
    calls = [EntityJson(kind="mention", offset=0, length=1, actor_id=agent.public)]
    called = await place.say(group, owner, f"{name} calls", entities=calls)
    async with place.house.db.transaction(place.id) as tx:
        await hiding.hide_message(tx, owner.caller, group, parse_id("msg", called.message.id))
    media = await place.media(owner, f"{name}-later.txt")
    later = await schedule(place, group, owner, f"{name} later")
    async with place.house.db.system() as tx:
        await tx.execute("INSERT INTO scheduled_media VALUES ($1, $2, 1, $3)", place.id, later, media)
        await tx.execute("INSERT INTO read_step VALUES ($1, $2, $3, 0, 1, now())", place.id, group, agent.id)
    return later


async def schedule(place: Workspace, conversation_id: UUID, who: Person, text: str) -> UUID:
    """Have something said tomorrow; return the scheduled message."""
    key = uuid7()
    async with place.house.db.system() as tx:
        await tx.execute(
            """INSERT INTO scheduled_message
                (workspace_id, id, conversation_id, actor_id, client_id, text, send_at, created_at)
            VALUES ($1, $2, $3, $4, $5, $5, now() + interval '1 day', now())""",
            place.id, key, conversation_id, who.id, text,
        )  # fmt: skip
    return key


async def _insert_of_groups(tx: Tx, workspace: UUID, group: UUID, owner: UUID, banned: UUID) -> None:
    await tx.execute(
        """INSERT INTO ban (workspace_id, conversation_id, actor_id, banned_by, until, created_at)
        VALUES ($1, $2, $3, $4, now() - interval '1 day', now())""",
        workspace, group, banned, owner,
    )  # fmt: skip


async def _insert_work(
    tx: Tx, workspace: UUID, inbox: UUID, conversation: UUID, message: UUID, item: UUID
) -> None:
    await tx.execute(
        """INSERT INTO journal (workspace_id, id, inbox_id, body, work, last_error)
        VALUES ($1, $2, $3, 'x', 'failed', 'no')""",
        workspace, item, inbox,
    )  # fmt: skip
    await tx.execute(
        """INSERT INTO delivery_part (workspace_id, delivery_id, ordinal, state)
        SELECT workspace_id, id, 0, 'queued' FROM delivery WHERE conversation_id = $1""",
        conversation,
    )
    await tx.execute(
        """INSERT INTO message_source (workspace_id, inbox_id, chat, provider_id, conversation_id, message_id, direction)
        VALUES ($1, $2, 'c', '1', $3, $4, 'out')""",
        workspace, inbox, conversation, message,
    )  # fmt: skip
    await tx.execute(
        """INSERT INTO parked_status (workspace_id, inbox_id, chat, provider_id, state, at)
        VALUES ($1, $2, 'c', '2', 'read', now())""",
        workspace, inbox,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO job (workspace_id, id, kind) VALUES ($1, $2, 'system.sweep')", workspace, uuid7()
    )


async def _insert_accounts(tx: Tx, workspace: UUID, owner: UUID) -> None:
    await tx.execute(
        "INSERT INTO audit_entry (workspace_id, id, actor_id, action) VALUES ($1, $2, $3, 'x.done')",
        workspace, uuid7(), owner,
    )  # fmt: skip
    await tx.execute(
        """INSERT INTO one_time_token (hash, purpose, workspace_id, expires_at)
        VALUES ($2, 'invitation', $1, now() + interval '1 hour')""",
        workspace, uuid7().bytes,
    )  # fmt: skip


async def _insert_passkey(tx: Tx, user: Person, name: str) -> UUID:
    key = uuid7()
    await tx.execute(
        """INSERT INTO passkey (id, login_id, credential_id, public_key, sign_count, name, created_at)
        VALUES ($1, $2, $3, 'x', 0, $4, now())""",
        key, user.caller.login_id, key.bytes, name,
    )  # fmt: skip
    return key


async def _insert_presence(tx: Tx, workspace: UUID, user: UUID) -> None:
    await tx.execute("INSERT INTO last_seen VALUES ($1, $2, now())", workspace, user)
    await tx.execute("INSERT INTO online VALUES ($1, $2, $3, now())", workspace, user, uuid7())


async def _insert_integrations(
    tx: Tx, workspace: UUID, bot: UUID, user: UUID, conversation: UUID, external_id: str
) -> None:
    await tx.execute("UPDATE actor SET external_id = $2 WHERE id = $1", user, external_id)
    await tx.execute("INSERT INTO acting VALUES ($1, $2, $3, now())", workspace, bot, user)
    await tx.execute("INSERT INTO actor_fields VALUES ($1, $2, '{}')", workspace, user)
    await tx.execute("INSERT INTO conversation_fields VALUES ($1, $2, '{}')", workspace, conversation)
    await tx.execute("INSERT INTO integration VALUES ($1, $2, now())", workspace, user)
